package eapol_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mkad/eapol"
)

// What cannot be read is no SAK Use, and no reason to drop the rest.
// Clause: 802.1X-2020 Figure 11-10
// Requirement: R31
func TestSAKUseOfAnOddLengthCountsAsAbsent(t *testing.T) {
	want := parsed(t, frameOf(t, live))
	for length := 1; length < 40; length++ {
		got := parsed(t, frameOf(t, set(3, length), live))
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Errorf("length %d (-without +with)\n%s", length, diff)
		}
	}
}

// Clause: 802.1X-2020 Figure 11-10
// Requirement: R31
func TestSAKUseOfLengthZeroSaysOnlyWhatPassesInClear(t *testing.T) {
	got := parsed(t, frameOf(t, "03ffc000")).SAKUse
	want := eapol.SAKUse{Present: true, Empty: true, PlainTx: true, PlainRx: true}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A length that later versions might have.
// Clause: 802.1X-2020 Figure 11-10
// Requirement: R31
func TestRestOfALongSAKUseIsIgnored(t *testing.T) {
	want := parsed(t, frameOf(t, sakUse)).SAKUse
	got := parsed(t, frameOf(t, "03c3d031"+sakUse[8:]+"ffffffffffffffffff000000")).SAKUse
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// Every bit of octet 2 and of the flags belongs to one field.
// Clause: 802.1X-2020 Figure 11-10
func TestEachSAKUseBitIsItsField(t *testing.T) {
	for header, want := range map[string]eapol.SAKUse{
		"03800028": {Latest: eapol.KeyUse{AN: 2}},
		"03400028": {Latest: eapol.KeyUse{AN: 1}},
		"03200028": {Latest: eapol.KeyUse{Tx: true}},
		"03100028": {Latest: eapol.KeyUse{Rx: true}},
		"03080028": {Old: eapol.KeyUse{AN: 2}},
		"03040028": {Old: eapol.KeyUse{AN: 1}},
		"03020028": {Old: eapol.KeyUse{Tx: true}},
		"03010028": {Old: eapol.KeyUse{Rx: true}},
		"03008028": {PlainTx: true},
		"03004028": {PlainRx: true},
		"03001028": {DelayProtect: true},
	} {
		want.Present = true
		if got := parsed(t, frameOf(t, header, set(0, 40)[8:])).SAKUse; got != want {
			t.Errorf("%s: got %+v, want %+v", header, got, want)
		}
	}
}

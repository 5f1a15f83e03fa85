package eapol_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mkad/eapol"
)

// The version and suite beside it say nothing of it; basic is of version 1, distSAK of GCM-AES-128.
// Clause: 802.1X-2020 Figure 11-16
// Requirement: R33
func TestXPNSetIsAcceptedInAnyVersionAndBesideAnySuite(t *testing.T) {
	want := eapol.XPN{Present: true, SuspensionTime: 5, LatestHigh: 1, OldHigh: 2}
	for version := range byte(4) {
		frame := frameOf(t, distSAK, xpn)
		frame[atBody] = version
		if got := parsed(t, frame).XPN; got != want {
			t.Errorf("version %d: %+v", version, got)
		}
	}
}

// Clause: 802.1X-2020 Figure 11-16
// Requirement: R33
func TestXPNSetOfAnotherLengthCountsAsAbsent(t *testing.T) {
	want := parsed(t, frameOf(t, live))
	for _, length := range []int{0, 1, 4, 7, 9, 12, 16, 4095} {
		got := parsed(t, frameOf(t, set(8, length), live))
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Errorf("length %d (-without +with)\n%s", length, diff)
		}
	}
}

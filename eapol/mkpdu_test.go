package eapol_test

import (
	"testing"

	"mkad/eapol"
	"mkad/secy"
)

// The name by which a SecY knows a key is MI and KN in the order of the wire.
// Clause: 802.1X-2020 9.8
func TestKeyIDIsMIThenKN(t *testing.T) {
	ki := eapol.KI{MI: mi1, KN: 0x01020304}
	want := secy.KeyID(octets(t, "a1a2a3a4a5a6a7a8a9aaabac 01020304"))
	if got := ki.KeyID(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// An MI without KN, or a KN without MI, is not nothing.
func TestOnlyZeroIdentifiersNameNobody(t *testing.T) {
	if !(eapol.MI{}).IsZero() || !(eapol.KI{}).IsZero() {
		t.Error("zero names somebody")
	}
	if mi1.IsZero() || (eapol.KI{MI: mi1}).IsZero() || (eapol.KI{KN: 1}).IsZero() {
		t.Error("an identifier names nobody")
	}
}

func TestIdentifiersPrintInHexadecimal(t *testing.T) {
	for got, want := range map[string]string{
		mi1.String():                         "a1a2a3a4a5a6a7a8a9aaabac",
		(eapol.KI{MI: mi1, KN: 2}).String():  "a1a2a3a4a5a6a7a8a9aaabac00000002",
		eapol.PAEGroup.String():              "01:80:c2:00:00:03",
		eapol.NearestCustomerBridge.String(): "01:80:c2:00:00:00",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

package eapol_test

import (
	"bytes"
	"testing"

	"mkad/eapol"
	"mkad/keyderive"
)

func cak(t testing.TB, digits string) keyderive.CAK {
	t.Helper()
	k, err := keyderive.NewCAK(octets(t, digits))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// signed are the golden files whose frames have an ICV.
func signed(t testing.TB) (all []golden) {
	t.Helper()
	for _, g := range goldens(t) {
		if g.header["cak"] != "" {
			all = append(all, g)
		}
	}
	return all
}

// ick is the key of the ICV of g.
func ick(t testing.TB, g golden) keyderive.ICK {
	t.Helper()
	return keyderive.DeriveICK(cak(t, g.header["cak"]), ckn(t, g.header["ckn"]))
}

// The ICV covers what Authenticated says, of frames with an ICV Indicator and without.
// Clause: 802.1X-2020 9.4.1
// Requirement: R15, R17, R28
func TestGoldenFrameIsAuthentic(t *testing.T) {
	for _, g := range signed(t) {
		var m eapol.MKPDU
		if eapol.ParseEnvelope(g.frame, eapol.Acceptance{}, &m) != eapol.Accepted {
			continue // its ICV is right, but nobody gets so far as to look
		}
		t.Run(g.name, func(t *testing.T) {
			if m.Basic.CKN != ckn(t, g.header["ckn"]) {
				t.Errorf("CKN %s, want %s", m.Basic.CKN, g.header["ckn"])
			}
			if !ick(t, g).Verify(m.Authenticated(), m.ICV[:]) {
				t.Error("the ICV does not verify")
			}
		})
	}
}

// What follows the body has no part in the ICV.
// Clause: 802.1X-2020 9.4.1
// Requirement: R4
func TestTrailingOctetsDoNotAffectTheICV(t *testing.T) {
	f1 := goldenNamed(t, "f1-")
	for _, n := range []int{1, 4, 46, 1000} {
		frame := append(bytes.Clone(f1.frame), bytes.Repeat([]byte{0xff}, n)...)
		m := parsed(t, frame)
		if !ick(t, f1).Verify(m.Authenticated(), m.ICV[:]) {
			t.Errorf("with %d octets after the body the ICV does not verify", n)
		}
	}
}

// DA, SA, EtherType, EAPOL header, body and ICV are all protected.
// Clause: 802.1X-2020 9.4.1
// Requirement: R15
func TestNoBitOfF1CanBeChanged(t *testing.T) {
	f1 := goldenNamed(t, "f1-")
	key := ick(t, f1)
	for bit := range len(f1.frame) * 8 {
		frame := bytes.Clone(f1.frame)
		frame[bit/8] ^= 1 << (bit % 8)
		var m eapol.MKPDU
		d := eapol.ParseEnvelope(frame, eapol.Acceptance{AnyGroup: true}, &m)
		if d == eapol.Accepted && key.Verify(m.Authenticated(), m.ICV[:]) {
			t.Errorf("passes with bit %d of octet %d changed", bit%8, bit/8)
		}
	}
}

// The wrapped key is delimited right, whatever the form of the set.
// Clause: 802.1X-2020 9.8.2
// Requirement: R17
func TestDistributedSAKUnwraps(t *testing.T) {
	for _, g := range accepted(t) {
		if g.header["sak"] == "" {
			continue
		}
		t.Run(g.name, func(t *testing.T) {
			kek := keyderive.DeriveKEK(cak(t, g.header["cak"]), ckn(t, g.header["ckn"]))
			sak, err := kek.Unwrap(parsed(t, g.frame).DistributedSAK.Wrapped)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(sak.Octets(), octets(t, g.header["sak"])) {
				t.Error("unwraps to another key")
			}
		})
	}
}

// What AppendTo gives is what its receiver verifies.
// Clause: 802.1X-2020 9.4.1
// Requirement: R16, R17
func TestBuiltFrameTakesTheICVOfItsOctets(t *testing.T) {
	for name, m := range described(t) {
		t.Run(name, func(t *testing.T) {
			g := goldenNamed(t, name)
			frame := m.AppendTo(nil)
			icv := ick(t, g).Sum(frame)
			if got := append(frame, icv[:]...); !bytes.Equal(got, g.frame) {
				t.Errorf("got\n%x\nwant\n%x", got, g.frame)
			}
		})
	}
}

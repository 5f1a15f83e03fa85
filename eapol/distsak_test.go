package eapol_test

import (
	"bytes"
	"fmt"
	"testing"

	"mkad/eapol"
	"mkad/secy"
)

// Clause: 802.1X-2020 Figures 11-11, 11-12
// Requirement: R32
func TestDistributedSAKHasOneOfFourLengths(t *testing.T) {
	for length := range 80 {
		d := discard(frameOf(t, set(4, length)))
		switch length {
		case 0, 28:
			if d != eapol.Accepted {
				t.Errorf("length %d: %s", length, d)
			}
		case 36, 52: // zero is no suite
			if d != eapol.DiscardDistributedSAKSuite {
				t.Errorf("length %d: %s", length, d)
			}
		default:
			if d != eapol.DiscardDistributedSAKLength {
				t.Errorf("length %d: %s", length, d)
			}
		}
	}
}

// distributed is a Distributed SAK with a suite identifier and a wrapped key of so many octets.
func distributed(suite secy.CipherSuite, wrapped int) string {
	length := 4 + 8 + wrapped
	return fmt.Sprintf("040000%02x 00000001 %016x", length, uint64(suite)) + set(0, wrapped)[8:]
}

// What does not fit together is not looked at further.
// Clause: 802.1X-2020 Figure 11-12
// Requirement: R32
func TestDistributedSAKFitsItsSuite(t *testing.T) {
	const short, long = 24, 40
	for _, tt := range []struct {
		suite   secy.CipherSuite
		wrapped int
		want    eapol.Discard
	}{
		{secy.GCMAES128, short, eapol.Accepted},
		{secy.GCMAES128, long, eapol.DiscardDistributedSAKSuite},
		{secy.GCMAES128Alias, short, eapol.Accepted},
		{secy.GCMAES128Alias, long, eapol.DiscardDistributedSAKSuite},
		{secy.GCMAES256, short, eapol.DiscardDistributedSAKSuite},
		{secy.GCMAES256, long, eapol.Accepted},
		{secy.GCMAESXPN128, short, eapol.Accepted},
		{secy.GCMAESXPN128, long, eapol.DiscardDistributedSAKSuite},
		{secy.GCMAESXPN256, short, eapol.DiscardDistributedSAKSuite},
		{secy.GCMAESXPN256, long, eapol.Accepted},
		{secy.GCMAESXPN256 + 1, long, eapol.DiscardDistributedSAKSuite},
		{0, short, eapol.DiscardDistributedSAKSuite},
	} {
		t.Run(fmt.Sprintf("%016x/%d", uint64(tt.suite), tt.wrapped), func(t *testing.T) {
			if d := discard(frameOf(t, distributed(tt.suite, tt.wrapped))); d != tt.want {
				t.Errorf("got %s, want %s", d, tt.want)
			}
		})
	}
}

// Some send GCM-AES-128 by its identifier, or by the misprint of it.
// Clause: 802.1X-2020 Figure 11-12
// Requirement: R32
func TestNamedGCMAES128IsTheDefaultSuite(t *testing.T) {
	for _, suite := range []secy.CipherSuite{secy.GCMAES128, secy.GCMAES128Alias} {
		got := parsed(t, frameOf(t, distributed(suite, 24))).DistributedSAK
		if got.Suite != secy.GCMAES128 || !got.LongID || len(got.Wrapped) != 24 {
			t.Errorf("%s: %+v", suite, got)
		}
	}
}

// The part of it that is the codec's: only LongID, which package mka never sets, names the suite.
// Clause: 802.1X-2020 Figure 11-11
// Requirement: R65
func TestGCMAES128IsSentWithoutItsName(t *testing.T) {
	m := eapol.MKPDU{DistributedSAK: eapol.DistributedSAK{Present: true, AN: 1, Offset: secy.Offset50, KN: 2,
		Suite: secy.GCMAES128, Wrapped: make([]byte, 24)}}
	if got, want := m.AppendTo(nil), octets(t, distSAK); !bytes.HasSuffix(got, want) {
		t.Errorf("got %x, want %x at the end", got, want)
	}
}

// The key server's word that there will be no MACsec has no key, and no bits that could be taken for one's.
// Clause: 802.1X-2020 Figure 11-11
func TestDistributedSAKOfLengthZeroIsNoKey(t *testing.T) {
	got := parsed(t, frameOf(t, "04f00000")).DistributedSAK
	if !got.Present || !got.Empty || got.AN != 0 || got.Offset != 0 || got.Wrapped != nil {
		t.Errorf("got %+v", got)
	}
}

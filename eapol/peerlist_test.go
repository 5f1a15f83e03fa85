package eapol_test

import (
	"testing"

	"mkad/eapol"
)

// Clause: 802.1X-2020 Figure 11-9
// Requirement: R29
func TestPeerListLengthIsAMultipleOf16(t *testing.T) {
	for _, kind := range []byte{1, 2} {
		for length, want := range map[int]eapol.Discard{
			0: eapol.Accepted, 1: eapol.DiscardPeerListLength, 12: eapol.DiscardPeerListLength,
			15: eapol.DiscardPeerListLength, 16: eapol.Accepted, 17: eapol.DiscardPeerListLength,
			4080: eapol.Accepted, 4092: eapol.DiscardPeerListLength, 4095: eapol.DiscardPeerListLength,
		} {
			if d := discard(frameOf(t, set(kind, length))); d != want {
				t.Errorf("type %d, length %d: got %s, want %s", kind, length, d, want)
			}
		}
	}
}

// An empty list is one, and is told from none.
// Clause: 802.1X-2020 Figure 11-9
// Requirement: R29
func TestEmptyPeerListIsAccepted(t *testing.T) {
	m := parsed(t, frameOf(t, set(1, 0)))
	if !m.Live.Present || len(m.Live.Peers) != 0 || m.Potential.Present {
		t.Errorf("live %+v, potential %+v", m.Live, m.Potential)
	}
}

// The longest list of the format has MaxListedPeers.
// Clause: 802.1X-2020 Figure 11-9
func TestLongestPeerListIsParsed(t *testing.T) {
	if got := len(parsed(t, frameOf(t, set(1, 4080))).Live.Peers); got != eapol.MaxListedPeers {
		t.Errorf("got %d peers, want %d", got, eapol.MaxListedPeers)
	}
}

// The part of it that is the codec's: the octet is reserved but in one case.
// Clause: 802.1X-2020 Figure 11-9
// Requirement: R97
func TestKeyServerSSCICountsOnlyBesideAnXPNSAKOfVersion3(t *testing.T) {
	const (
		ssciList  = "01030010" + "b1b2b3b4b5b6b7b8b9babbbc 00000004"
		otherList = "02030010" + "b1b2b3b4b5b6b7b8b9babbbc 00000004"
	)
	xpn128 := "04000024 00000001 0080c20001000003" + set(0, 24)[8:]
	for _, tt := range []struct {
		name    string
		version byte
		sets    []string
		want    uint8
	}{
		{"version 3, XPN SAK", 3, []string{ssciList, xpn128}, 3},
		{"version 3, XPN SAK before the list", 3, []string{xpn128, ssciList}, 3},
		{"version 4, taken for 3", 4, []string{ssciList, xpn128}, 3},
		{"version 2", 2, []string{ssciList, xpn128}, 0},
		{"another SAK", 3, []string{ssciList, distSAK}, 0},
		{"no SAK", 3, []string{ssciList}, 0},
		{"the Potential Peer List", 3, []string{otherList, xpn128}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			frame := frameOf(t, tt.sets...)
			frame[atBody] = tt.version
			m := parsed(t, frame)
			if got := m.Live.KeyServerSSCI + m.Potential.KeyServerSSCI; got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

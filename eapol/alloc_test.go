package eapol_test

import (
	"bytes"
	"strings"
	"testing"

	"mkad/eapol"
)

// peerSet is a list of n peers.
func peerSet(kind byte, n int) string {
	return set(kind, 16*n)[:8] + strings.Repeat("b1b2b3b4b5b6b7b8b9babbbc00000004", n)
}

// large is about what an MTU of 1500 holds, with everything in it.
func large(t testing.TB) []byte {
	return frameOf(t, peerSet(1, 70), peerSet(2, 4), sakUse, distSAK, distCAK, kmd, announced, xpn, indicator)
}

// A hello is received from every member every two seconds, for years.
func TestParsingAllocatesNothingInSteadyState(t *testing.T) {
	frames := [][]byte{large(t), f1(t), goldenNamed(t, "f4-").frame, goldenNamed(t, "discard-set-length").frame}
	var m eapol.MKPDU
	eapol.ParseMKPDU(frames[0], eapol.Acceptance{}, &m)
	allocs := testing.AllocsPerRun(100, func() {
		for _, frame := range frames {
			eapol.ParseMKPDU(frame, eapol.Acceptance{}, &m)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestAppendingAllocatesNothingGivenRoom(t *testing.T) {
	m := parsed(t, large(t))
	m.Announcement.Body = nil // to be encoded
	b := make([]byte, 0, m.Len())
	if allocs := testing.AllocsPerRun(100, func() { b = m.AppendTo(b[:0]) }); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// AppendTo appends: what stood before stays.
func TestAppendToKeepsWhatStoodBefore(t *testing.T) {
	m := parsed(t, large(t))
	got := m.AppendTo([]byte("before"))
	if want := append([]byte("before"), m.AppendTo(nil)...); !bytes.Equal(got, want) {
		t.Errorf("got\n%x\nwant\n%x", got, want)
	}
}

package daemon_test

import (
	"bytes"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mkad/internal/control"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// Clause: none; design: a received frame cannot make work without bound. Not parallel: the flood takes all there is of a processor.
func TestFloodOfStrangersIsLookedAtInPart(t *testing.T) {
	s, err := mkadlab.NewSegment(t.Context(), 3, mkadlab.Options{Programs: released, Port: "delay_protect = true"})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	for i := range s.Members {
		must(t, s.Plug(i, true))
	}
	stranger, honest := s.Members[2], s.Members[:2]
	must(t, stranger.SetUp(mkadlab.Lower))
	wire, err := netlab.StartCaptureOf(stranger.Namespace, mkadlab.Lower, netlab.EtherTypeEAPOL)
	must(t, err)
	must(t, s.Each(honest, func(h *mkadlab.Host) error { return h.StartDaemon(t.Context()) }))
	must(t, s.Each(honest, func(h *mkadlab.Host) error { return h.WaitFor(t.Context(), control.Secured) }))
	awaitGroup(t, honest)
	heard, err := wire.Stop()
	must(t, err)
	since := portOf(t, honest[0]).Since
	hellos, err := netlab.StartCaptureOf(stranger.Namespace, mkadlab.Lower, netlab.EtherTypeEAPOL)
	must(t, err)
	before := discarded(t, honest[0])

	frame := bytes.Clone(heard.Frames[len(heard.Frames)-1].Data) // of a member, and so with the CKN of all
	copy(frame[6:], []byte{2, 0, 0, 0, 0xbe, 0xef})
	frame[len(frame)-1] ^= 1
	const length = 3 * time.Second
	sent := flood(t, stranger, frame, length)
	looked := discarded(t, honest[0]) - before
	after, err := hellos.Stop()
	must(t, err)
	t.Logf("%d frames sent, %d looked at, longest silence of hellos %s", sent, looked, longestSilence(after))
	if most := uint64(6000 * length / time.Second); looked == 0 || looked > most || sent < most {
		t.Errorf("%d of %d frames were looked at, want %d at most", looked, sent, most)
	}
	if p := portOf(t, honest[0]); p.State != control.Secured || !p.Since.Equal(since) {
		t.Errorf("%s since %s, was since %s", p.State, p.Since, since)
	}
	if d := longestSilence(after); d > 2*time.Second || d == 0 { // due every half second, from each of two
		t.Errorf("no hello for %s", d)
	}
	carriesEveryWay(t, honest)
}

// discarded counts the MKPDUs that a host has discarded for their ICV.
func discarded(t *testing.T, h *mkadlab.Host) uint64 {
	t.Helper()
	doc, err := h.Control.Counters(t.Context(), mkadlab.Lower)
	must(t, err)
	return doc.Ports[0].MKA[control.MKInvalid]
}

// flood sends a frame over and over for a time, as fast as one socket can, and counts how often.
func flood(t *testing.T, h *mkadlab.Host, frame []byte, length time.Duration) (sent uint64) {
	t.Helper()
	fd := impatientSocket(t, h, mkadlab.Lower)
	for end := time.Now().Add(length); time.Now().Before(end); {
		if _, err := unix.Write(fd, frame); err == nil {
			sent++
		}
	}
	return sent
}

package daemon

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"mkad/eapol"
	"mkad/mka"
)

// A besieged is a port whose log and clock a test holds.
type besieged struct {
	port
	now mka.Time
	log bytes.Buffer
}

func newBesieged() *besieged {
	b := &besieged{now: mka.Time(time.Hour)}
	b.port.d = &Daemon{opts: Options{Now: func() mka.Time { return b.now }, Clock: wallClock{}}}
	b.port.log = slog.New(slog.NewTextHandler(&b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b.port.file = newStateFile("", "eth1", b.port.log)
	return b
}

// lines are what publishing the event ten times a second for so long logs.
func (b *besieged) lines(e mka.Event, d time.Duration) int {
	b.log.Reset()
	for end := b.now.Add(d); b.now < end; b.now = b.now.Add(100 * time.Millisecond) {
		b.publish(e)
	}
	return strings.Count(b.log.String(), "\n")
}

// Clause: none; design: one line of log a minute at most, whatever a hostile LAN sends.
func TestFloodOfBadFramesLogsOneLineAMinuteForEachReason(t *testing.T) {
	b := newBesieged()
	for reason := eapol.DiscardShortFrame; int(reason) < eapol.NumDiscards; reason++ {
		want := 60
		if reason == eapol.DiscardNotMKA {
			want = 0 // not an error
		}
		if n := b.lines(mka.Event{Kind: mka.EventDiscarded, Discard: reason}, time.Hour); n != want {
			t.Errorf("%s: %d lines in an hour, want %d", reason, n, want)
		}
		if want > 0 && !strings.Contains(b.log.String(), "more=599") {
			t.Errorf("%s: the log does not say how many were held back:\n%.300s", reason, b.log.String())
		}
	}
}

// Clause: none; design: the same for what a member that lies can bring about.
func TestFloodOfEventsLogsOneLineAMinuteAfterTheFirst(t *testing.T) {
	b := newBesieged()
	for kind := mka.EventPeerHeard; int(kind) < mka.NumEvents; kind++ {
		n := b.lines(mka.Event{Kind: kind, Peer: 1}, time.Hour)
		if n < 60 || n > maxRepeats+60 {
			t.Errorf("%s: %d lines in an hour, want 60 after the first %d", kind, n, maxRepeats)
		}
		if !strings.Contains(b.log.String(), "more=599") {
			t.Errorf("%s: the log does not say how many were held back", kind)
		}
	}
}

// Clause: none; design: what is rare is logged, also after a flood.
func TestEventsAreLoggedAgainOnceTheirKindWasQuiet(t *testing.T) {
	b := newBesieged()
	b.lines(mka.Event{Kind: mka.EventPeerLost, Peer: 1}, time.Hour)
	b.now = b.now.Add(repeatTime)
	if n := b.lines(mka.Event{Kind: mka.EventPeerLost, Peer: 1}, 2*time.Second); n != maxRepeats {
		t.Errorf("%d lines after a quiet minute, want %d", n, maxRepeats)
	}
	if n := b.lines(mka.Event{Kind: mka.EventSecured}, time.Second); n != 10 {
		t.Errorf("another kind: %d lines of 10", n)
	}
}

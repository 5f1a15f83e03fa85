package daemon

import (
	"testing"
	"time"

	"mkad/internal/config"
	"mkad/mka"
)

// Clause: none; design: a member that lies cannot fill the disk with lines of log.
func TestLinesOfOneKindAreBoundedForAMinute(t *testing.T) {
	var r rate
	count := func(now mka.Time) (said int) {
		for range 10 * maxRepeats {
			if r.allow(mka.EventPeerHeard, now) {
				said++
			}
		}
		return said
	}
	start := mka.Time(repeatTime)
	for _, at := range []mka.Time{start, start.Add(repeatTime)} {
		if n := count(at); n != maxRepeats {
			t.Errorf("%d lines at %v, want %d", n, at, maxRepeats)
		}
	}
	if n := count(start.Add(2*repeatTime - 1)); n != 0 {
		t.Errorf("%d more lines within the minute", n)
	}
	if !r.allow(mka.EventSecured, start) {
		t.Error("another kind of event is held back, too")
	}
}

// Clause: none; a key begins and ends when its file says so.
func TestKeysAreLookedAtWhenTheNextOneBeginsOrEnds(t *testing.T) {
	wall := time.Unix(1_800_000_000, 0)
	for _, c := range []struct {
		key  config.Key
		want time.Duration
	}{
		{config.Key{}, keyCheckTime},
		{config.Key{Start: wall.Add(3 * time.Second)}, 3 * time.Second},
		{config.Key{Start: wall.Add(-time.Hour), End: wall.Add(2 * time.Second)}, 2 * time.Second},
		{config.Key{End: wall.Add(-time.Second)}, keyCheckTime},
	} {
		p := port{keys: []config.Key{c.key}}
		if got := p.untilBoundary(wall); got != c.want {
			t.Errorf("start %v, end %v: %v, want %v", c.key.Start, c.key.End, got, c.want)
		}
	}
}

package netlab

import (
	"sync/atomic"
	"testing"
	"time"
)

// A relay does to frames what it was told, and nothing else.
func TestRelayLosesRepeatsAndReordersAsItIsTold(t *testing.T) {
	t.Parallel()
	west, middle, east := namespace(t), namespace(t), namespace(t)
	must(t, Join(west, "eth1", middle, "west"))
	must(t, Join(east, "eth1", middle, "east"))
	for n, device := range map[*Namespace][]string{west: {"eth1"}, east: {"eth1"}, middle: {"west", "east"}} {
		for _, d := range device {
			must(t, n.SetUp(d))
		}
	}
	var lost, repeated, late atomic.Uint64
	i := 0
	r, err := StartRelay(middle, "west", "east", func(frame []byte, back bool) Fate {
		if back || EtherTypeOf(frame) != streamType {
			return Fate{Copies: 1}
		}
		switch i++; i % 10 {
		case 3:
			lost.Add(1)
			return Fate{}
		case 5:
			repeated.Add(1)
			return Fate{Copies: 2}
		case 8:
			late.Add(1)
			return Fate{Copies: 1, Behind: 4}
		}
		return Fate{Copies: 1}
	})
	must(t, err)
	s, err := StartStream(StreamConfig{FromNamespace: west, ToNamespace: east, From: "eth1", To: "eth1", Rate: 1000})
	must(t, err)
	<-time.After(300 * time.Millisecond)
	report, err := s.Stop()
	must(t, err)
	must(t, r.Stop())
	if report.Lost() != lost.Load() || report.Twice != repeated.Load() || report.Late+1 < late.Load() || late.Load() < 10 {
		t.Errorf("%s; the relay has lost %d, repeated %d and held back %d", report, lost.Load(), repeated.Load(), late.Load())
	}
}

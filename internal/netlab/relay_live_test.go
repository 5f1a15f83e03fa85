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

// A frame that is late comes after those that were sent long after it.
func TestRelayDelaysAsItIsTold(t *testing.T) {
	t.Parallel()
	west, middle, east := namespace(t), namespace(t), namespace(t)
	must(t, Join(west, "eth1", middle, "west"))
	must(t, Join(east, "eth1", middle, "east"))
	for n, device := range map[*Namespace][]string{west: {"eth1"}, east: {"eth1"}, middle: {"west", "east"}} {
		for _, d := range device {
			must(t, n.SetUp(d))
		}
	}
	const late = 100 * time.Millisecond
	r, err := StartRelay(middle, "west", "east", func(frame []byte, _ bool) Fate {
		if frame[len(frame)-1] == 1 {
			return Fate{Copies: 1, Late: late}
		}
		return Fate{Copies: 1}
	})
	must(t, err)
	wire, err := StartCapture(east, "eth1")
	must(t, err)
	for _, mark := range []byte{1, 2} {
		frame := make([]byte, minStreamFrame)
		copy(frame, "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x88\xb5")
		frame[len(frame)-1] = mark
		must(t, west.Send("eth1", frame))
	}
	<-time.After(2 * late)
	must(t, r.Stop())
	capture, err := wire.Stop()
	must(t, err)
	var marks []byte
	for _, f := range capture.Frames {
		if EtherTypeOf(f.Data) == streamType {
			marks = append(marks, f.Data[len(f.Data)-1])
		}
	}
	if string(marks) != "\x02\x01" {
		t.Errorf("the frames came as %v", marks)
	}
}

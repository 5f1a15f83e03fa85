package netlab

import (
	"testing"
	"time"
)

func TestStreamBooks(t *testing.T) {
	at := func(ms int64) time.Time { return time.UnixMilli(ms) }
	tests := map[string]struct {
		numbers []uint64 // one arrival each millisecond
		want    StreamReport
	}{
		"in order":     {[]uint64{0, 1, 2}, StreamReport{Received: 3, Silence: time.Millisecond}},
		"twice":        {[]uint64{0, 1, 1}, StreamReport{Received: 2, Twice: 1, Silence: time.Millisecond}},
		"late":         {[]uint64{0, 2, 1}, StreamReport{Received: 3, Late: 1, Silence: time.Millisecond}},
		"far ahead":    {[]uint64{0, 100000}, StreamReport{Received: 2, Silence: time.Millisecond}},
		"only the 2nd": {[]uint64{1}, StreamReport{Received: 1}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var s Stream
			for i, number := range test.numbers {
				s.enter(number, at(int64(i)))
			}
			if s.report != test.want {
				t.Errorf("got %v, want %v", s.report, test.want)
			}
		})
	}
}

func TestOverrunsAreNotLost(t *testing.T) {
	if got := (StreamReport{Sent: 10, Received: 7, Overrun: 2}).Lost(); got != 1 {
		t.Errorf("lost %d, want 1", got)
	}
}

func TestEtherTypeOfAShortFrameIsZero(t *testing.T) {
	if got := EtherTypeOf(make([]byte, 13)); got != 0 {
		t.Errorf("got %s", got)
	}
}

func TestEtherTypeNames(t *testing.T) {
	if got := EtherTypeMACsec.String(); got != "0x88e5 MACsec" {
		t.Errorf("got %q", got)
	}
	if got := EtherType(0x1234).String(); got != "0x1234" {
		t.Errorf("got %q", got)
	}
}

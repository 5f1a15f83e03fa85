package main

import (
	"encoding/binary"
	"testing"
	"time"
)

// Clause: RFC 1071; a host answers only an echo request whose sum is right.
func TestEchoHasItsChecksum(t *testing.T) {
	var sum uint32
	for i := 0; i < len(echo); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(echo[i:]))
	}
	if sum != 0xffff {
		t.Errorf("the sum is %#x", sum)
	}
}

func TestMedianIsThatOfTheMiddle(t *testing.T) {
	for want, all := range map[time.Duration][]time.Duration{3: {9, 1, 3}, 5: {8, 2, 3, 7}} {
		if got := median(all); got != want {
			t.Errorf("median of %v is %d, want %d", all, got, want)
		}
	}
}

func TestFlowRunsOnlyWithoutAGap(t *testing.T) {
	f := &flow{sent: 400, last: 400, since: enoughInARow}
	if !f.runs() {
		t.Error("a flow without a gap does not run")
	}
	f.since = enoughInARow - 1
	if f.runs() {
		t.Error("a flow with a gap of late runs")
	}
}

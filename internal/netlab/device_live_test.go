package netlab

import (
	"bytes"
	"testing"
)

// Clause: none; a test of frames of any length needs a sender of them.
func TestSentFrameArrivesAsItWas(t *testing.T) {
	west, east := wire(t)
	capture, err := StartCapture(east, "eth1")
	must(t, err)
	short := []byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x88\xb5")
	long := append(bytes.Clone(short), bytes.Repeat([]byte{7}, 1500)...)
	must(t, west.Send("eth1", short, long))
	got, err := capture.Stop()
	must(t, err)
	var streams [][]byte
	for _, f := range got.Frames {
		if EtherTypeOf(f.Data) == streamType {
			streams = append(streams, f.Data)
		}
	}
	if len(streams) != 2 || !bytes.Equal(streams[0], short) || !bytes.Equal(streams[1], long) {
		t.Errorf("received %x", streams)
	}
	if err := west.Send("eth1", append(long, 0)); err == nil {
		t.Error("a frame beyond the MTU was sent")
	}
}

// Clause: none; hardware can be in one namespace only, and begins in that of the tests.
func TestTakenDeviceHasItsNameInTheNamespace(t *testing.T) {
	west, east := namespace(t), namespace(t)
	must(t, Join(west, "eth1", west, "eth2"))
	must(t, west.Do(func() error { return east.Take("eth1", "taken") }))
	if d, err := east.Device("taken"); err != nil || d.Up {
		t.Errorf("device is %+v, %v", d, err)
	}
	if _, err := west.Device("eth1"); err == nil {
		t.Error("the device is still where it was")
	}
}

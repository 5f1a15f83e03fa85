package userspace_test

import (
	"testing"

	"github.com/vishvananda/netlink"

	"mkad/secy/userspace"
)

// Clause: none; what "ip -s link" and ethtool tell of a Controlled Port is what they tell of any device: frames of the host and
// their octets, without what MACsec adds, and carrier and speed.
func TestToolsSeeTrafficCarrierAndSpeed(t *testing.T) {
	a, b := newWire(t)
	west, east := open(t, a), open(t, b)
	for _, s := range []*station{west, east} {
		must(t, s.ns.Do(func() error { return quiet(controlledName) }))
	}
	west.secure(t, east.sci, secured)
	east.secure(t, west.sci, secured)
	before := [2]netlink.LinkStatistics{statistics(t, west, controlledName), statistics(t, east, controlledName)}
	from := listen(t, west.ns, controlledName, experimental)
	to := listen(t, east.ns, controlledName, experimental)
	const frames = 50
	octets := uint64(0)
	for n := range frames {
		frame := experiment(east.mac, west.mac, randomData(100+20*n))
		octets += uint64(len(frame))
		from.send(frame)
		to.expect(frame)
	}
	sent, received := statistics(t, west, controlledName), statistics(t, east, controlledName)
	if p, n := sent.TxPackets-before[0].TxPackets, sent.TxBytes-before[0].TxBytes; p != frames || n != octets {
		t.Errorf("the west tells of %d frames sent, %d octets; want %d, %d", p, n, frames, octets)
	}
	if p, n := received.RxPackets-before[1].RxPackets, received.RxBytes-before[1].RxBytes; p != frames || n != octets {
		t.Errorf("the east tells of %d frames received, %d octets; want %d, %d", p, n, frames, octets)
	}
	if sent.TxErrors+sent.TxDropped+received.RxErrors+received.RxDropped != 0 {
		t.Errorf("errors or drops: %+v, %+v", sent, received)
	}
	for _, s := range []*station{west, east} {
		must(t, s.ns.Do(func() error {
			below, fullBelow, err := userspace.Speed(lowerName)
			if err != nil {
				return err
			}
			above, full, err := userspace.Speed(controlledName)
			if above != below || full != fullBelow || below < 1000 {
				t.Errorf("ethtool tells of %d Mbit/s, full duplex %t; below of %d, %t", above, full, below, fullBelow)
			}
			return err
		}))
		if !device(t, s.ns, controlledName).Carrier {
			t.Error("no carrier")
		}
		s.enable(t, false)
		if d := device(t, s.ns, controlledName); d.Carrier || !d.Up {
			t.Errorf("disabled it is %+v", d)
		}
	}
}

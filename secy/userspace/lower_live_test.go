package userspace_test

import (
	"bytes"
	"net"
	"testing"

	"github.com/vishvananda/netlink"

	"mkad/internal/netlab"
	"mkad/secy"
)

func TestTrafficReturnsWithTheLowerDevice(t *testing.T) {
	west, east := securedPair(t, secured)
	from := listen(t, west.ns, controlledName, experimental)
	to := listen(t, east.ns, controlledName, experimental)
	for range 3 {
		must(t, west.ns.SetDown(lowerName))
		lost := west.Drops().SendErrors
		from.send(experiment(east.mac, west.mac, []byte("into the void")))
		eventually(t, "the frame is counted", func() bool { return west.Drops().SendErrors > lost })
		raise(t, west.ns, east.ns)
		frame := experiment(east.mac, west.mac, []byte("back again"))
		from.send(frame)
		to.expect(frame)
	}
}

func TestReturnedLowerDeviceIsFollowed(t *testing.T) {
	for name, set := range map[string]secy.Settings{"secured": secured, "clear": inClear} {
		t.Run(name, func(t *testing.T) {
			west, east := securedPair(t, set)
			from := listen(t, west.ns, controlledName, experimental)
			to := listen(t, east.ns, controlledName, experimental)
			must(t, west.ns.Remove(lowerName))
			must(t, west.ns.Bridge("bridge0")) // so that the ends of the new wire get other numbers
			must(t, netlab.Join(west.ns, lowerName, east.ns, lowerName))
			raise(t, west.ns, east.ns)
			follow(t, west)
			follow(t, east)
			for range 2 { // both directions
				frame := experiment(east.mac, west.mac, []byte("over the new wire"))
				from.send(frame)
				to.expect(frame)
				from, to = to, from
			}
		})
	}
}

// follow tells the port of its lower device as it is now.
func follow(t *testing.T, s *station) {
	t.Helper()
	d := device(t, s.ns, lowerName)
	must(t, s.ns.Do(func() error { return s.LowerChanged(d.Index, [6]byte(d.MAC), d.MTU) }))
	s.mac = d.MAC
}

func TestControlledPortFollowsMACAndMTU(t *testing.T) {
	west, east := securedPair(t, secured)
	mac := net.HardwareAddr{0x02, 0, 0, 0, 0, 0x17}
	must(t, west.ns.Do(func() error { return setMAC(lowerName, mac) }))
	for _, s := range []*station{west, east} {
		must(t, s.ns.SetMTU(lowerName, 9000))
	}
	for _, s := range []*station{west, east} {
		follow(t, s)
	}
	if d := device(t, west.ns, controlledName); d.MTU != 9000-secy.Overhead || !bytes.Equal(d.MAC, mac) {
		t.Errorf("Controlled Port is %+v, want MAC %s and MTU 8968", d, mac)
	}
	from := listen(t, west.ns, controlledName, experimental)
	to := listen(t, east.ns, controlledName, experimental)
	frame := experiment(east.mac, mac, randomData(9000-secy.Overhead))
	from.send(frame)
	to.expect(frame)
}

func TestRenamedControlledPortIsFollowedAndItsNamesakeLeftAlone(t *testing.T) {
	west, east := securedPair(t, secured)
	must(t, west.ns.SetDown(controlledName)) // older kernels rename no device that is up
	out, err := west.ns.Run(t.Context(), "ip", "link", "set", controlledName, "name", "elsewhere")
	if err != nil {
		t.Fatal(out, err)
	}
	must(t, west.ns.SetUp("elsewhere"))
	must(t, west.ns.Bridge(controlledName))
	before := device(t, west.ns, controlledName)
	must(t, west.ns.SetMTU(lowerName, 1400))
	follow(t, west)
	if now := device(t, west.ns, controlledName); now.MTU != before.MTU || !bytes.Equal(now.MAC, before.MAC) {
		t.Errorf("the device that has its name is %+v, was %+v", now, before)
	}
	if d := device(t, west.ns, "elsewhere"); d.MTU != 1400-secy.Overhead {
		t.Errorf("Controlled Port is %+v, want MTU %d", d, 1400-secy.Overhead)
	}
	from, to := listen(t, west.ns, "elsewhere", experimental), listen(t, east.ns, controlledName, experimental)
	frame := experiment(east.mac, west.mac, []byte("under another name"))
	from.send(frame)
	to.expect(frame)
}

func setMAC(name string, mac net.HardwareAddr) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetHardwareAddr(link, mac)
}

func TestTooSmallLowerMTUIsRefused(t *testing.T) {
	a, _ := newWire(t)
	port := open(t, a)
	lower := device(t, a, lowerName)
	if err := port.LowerChanged(lower.Index, [6]byte(lower.MAC), 90); err == nil {
		t.Error("an MTU of 58 was accepted")
	}
	if got := device(t, a, controlledName).MTU; got != 1468 {
		t.Errorf("MTU is %d, want 1468 as before", got)
	}
}

package port

import (
	"encoding/binary"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// message makes what the kernel says of a device.
func message(family uint8, index int32, attrs ...*nl.RtAttr) syscall.NetlinkMessage {
	b := make([]byte, unix.SizeofIfInfomsg)
	b[0] = family
	binary.NativeEndian.PutUint16(b[2:], unix.ARPHRD_ETHER)
	binary.NativeEndian.PutUint32(b[4:], uint32(index))
	for _, a := range attrs {
		b = append(b, a.Serialize()...)
	}
	return syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: unix.RTM_NEWLINK}, Data: b}
}

func named(name string) *nl.RtAttr { return nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)) }

func kinds(kind, part string) *nl.RtAttr {
	info := nl.NewRtAttr(unix.IFLA_LINKINFO|unix.NLA_F_NESTED, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated(kind))
	info.AddRtAttr(nl.IFLA_INFO_SLAVE_KIND, nl.NonZeroTerminated(part))
	return info
}

func number32(kind int, v uint32) *nl.RtAttr { return nl.NewRtAttr(kind, nl.Uint32Attr(v)) }

func TestMessagesThatDescribeNoDeviceAreIgnored(t *testing.T) {
	whole := message(unix.AF_UNSPEC, 3, named("eth1"), number32(unix.IFLA_MTU, 1500))
	for name, m := range map[string]syscall.NetlinkMessage{
		"empty":          {},
		"cut header":     {Data: whole.Data[:unix.SizeofIfInfomsg-1]},
		"cut attribute":  {Data: whole.Data[:len(whole.Data)-1]},
		"wireless event": message(unix.AF_UNSPEC, 3, nl.NewRtAttr(unix.IFLA_WIRELESS, make([]byte, 8))),
		"port of bridge": message(unix.AF_BRIDGE, 3, named("eth1")),
	} {
		t.Run(name, func(t *testing.T) {
			if d, ok := parse(m); ok {
				t.Errorf("taken for %+v", d)
			}
		})
	}
}

func TestMasterAndKindsAreRead(t *testing.T) {
	tab := newTable()
	for _, m := range []syscall.NetlinkMessage{
		message(unix.AF_UNSPEC, 2, named("team0")),
		message(unix.AF_UNSPEC, 3, named("eth1"), number32(unix.IFLA_MASTER, 2), kinds("veth", "team")),
	} {
		d, _ := parse(m)
		tab.put(d)
	}
	if l := tab.link("eth1"); l.Master != "team0" || l.MasterKind != "team" || l.Kind != "veth" {
		t.Errorf("got %+v", l)
	}
}

// The parent's index counts in the namespace where the parent is.
func TestMacvlanOfParentElsewhereIsNotOfOurDevice(t *testing.T) {
	top := []*nl.RtAttr{named("mv0"), number32(unix.IFLA_LINK, 3), kinds("macvlan", "")}
	for name, c := range map[string]struct {
		attrs []*nl.RtAttr
		want  string
	}{
		"here":      {top, "mv0"},
		"elsewhere": {append(top, number32(unix.IFLA_LINK_NETNSID, 1)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			tab := newTable()
			for _, m := range []syscall.NetlinkMessage{message(0, 3, named("eth1")), message(0, 4, c.attrs...)} {
				d, _ := parse(m)
				tab.put(d)
			}
			if got := tab.link("eth1").Macvlan; got != c.want {
				t.Errorf("Macvlan %q, want %q", got, c.want)
			}
		})
	}
}

func TestCompleteListRemovesWhatItLacks(t *testing.T) {
	for name, c := range map[string]struct{ complete, exists bool }{
		"complete":    {true, false},
		"interrupted": {false, true},
	} {
		t.Run(name, func(t *testing.T) {
			tab := newTable()
			tab.put(device{index: 3, name: "eth1"})
			tab.put(device{index: 4, name: "eth2"})
			tab.startDump()
			tab.put(device{index: 4, name: "eth2"})
			tab.endDump(c.complete)
			if got := tab.link("eth1").Exists; got != c.exists {
				t.Errorf("eth1 exists: %t, want %t", got, c.exists)
			}
			if !tab.link("eth2").Exists {
				t.Error("eth2 is gone")
			}
		})
	}
}

// After lost messages a list may tell of the new owner of a name before it tells what became of the old one.
func TestNewOwnerOfNameKeepsIt(t *testing.T) {
	for name, settle := range map[string]func(*table){
		"old owner renamed": func(tab *table) { tab.put(device{index: 3, name: "eth9"}) },
		"old owner gone":    func(tab *table) { tab.remove(3) },
	} {
		t.Run(name, func(t *testing.T) {
			tab := newTable()
			tab.put(device{index: 3, name: "eth1"})
			tab.put(device{index: 4, name: "eth1"})
			settle(tab)
			if got := tab.link("eth1").Index; got != 4 {
				t.Errorf("eth1 has index %d, want 4", got)
			}
		})
	}
}

func TestRemovedDeviceLeavesNothing(t *testing.T) {
	tab := newTable()
	tab.put(device{index: 3, name: "mv0", kind: "macvlan", parent: 2})
	tab.remove(3)
	if n := len(tab.devices) + len(tab.names) + len(tab.splitters); n != 0 {
		t.Errorf("%d entries are left", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(message(0, 3, named("eth1"), number32(unix.IFLA_MASTER, 2), kinds("veth", "team")).Data)
	f.Fuzz(func(t *testing.T, b []byte) {
		d, ok := parse(syscall.NetlinkMessage{Data: b})
		if ok && d.name == "" {
			t.Errorf("a device without a name: %+v", d)
		}
		tab := newTable()
		tab.put(d)
		if tab.link(d.name).Index != d.index {
			t.Errorf("not found by its name: %+v", d)
		}
	})
}

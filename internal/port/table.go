package port

import (
	"bytes"
	"encoding/binary"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A device is one network device as rtnetlink describes it.
type device struct {
	index     int
	life      uint64
	name      string
	mac       [6]byte
	mtu       int
	flags     uint32
	hardware  uint16 // ARPHRD_…
	kind      string
	part      string // what it is in its master
	master    int    // index, 0 for none
	parent    int    // index of what it is stacked on, in this namespace; 0 for none
	elsewhere bool   // what it is stacked on is in another namespace
}

// parse reads the message of a link. false: it does not describe a device. A bridge tells of its ports with the same
// message types but another family (there RTM_DELLINK means that a port has left the bridge), and wireless drivers tell
// of their events with messages that have no name.
func parse(m syscall.NetlinkMessage) (d device, ok bool) {
	if len(m.Data) < unix.SizeofIfInfomsg || m.Data[0] != unix.AF_UNSPEC {
		return device{}, false
	}
	header, attrs := m.Data[:unix.SizeofIfInfomsg], m.Data[unix.SizeofIfInfomsg:]
	d.hardware = binary.NativeEndian.Uint16(header[2:])
	d.index = int(int32(binary.NativeEndian.Uint32(header[4:])))
	d.flags = binary.NativeEndian.Uint32(header[8:])
	whole := attributes(attrs, d.set)
	if d.elsewhere {
		d.parent = 0
	}
	return d, whole && d.name != ""
}

// attributes calls each with every netlink attribute in b. false: the last is cut off.
func attributes(b []byte, each func(kind uint16, value []byte)) bool {
	const flags = unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER // they share the field of the kind
	for len(b) >= unix.SizeofRtAttr {
		length := int(binary.NativeEndian.Uint16(b))
		if length < unix.SizeofRtAttr || length > len(b) {
			return false
		}
		each(binary.NativeEndian.Uint16(b[2:])&^flags, b[unix.SizeofRtAttr:length])
		padded := (length + unix.RTA_ALIGNTO - 1) &^ (unix.RTA_ALIGNTO - 1)
		b = b[min(padded, len(b)):]
	}
	return len(b) == 0
}

func (d *device) set(kind uint16, value []byte) {
	switch kind {
	case unix.IFLA_IFNAME:
		d.name = text(value)
	case unix.IFLA_ADDRESS:
		if len(value) == len(d.mac) {
			copy(d.mac[:], value)
		}
	case unix.IFLA_MTU:
		d.mtu = number(value)
	case unix.IFLA_MASTER:
		d.master = number(value)
	case unix.IFLA_LINK:
		d.parent = number(value)
	case unix.IFLA_LINK_NETNSID:
		d.elsewhere = true
	case unix.IFLA_LINKINFO:
		attributes(value, d.setKind)
	}
}

func (d *device) setKind(kind uint16, value []byte) {
	switch kind {
	case nl.IFLA_INFO_KIND:
		d.kind = text(value)
	case nl.IFLA_INFO_SLAVE_KIND:
		d.part = text(value)
	}
}

// text reads an attribute that should, but need not, end with a zero octet.
func text(b []byte) string {
	before, _, _ := bytes.Cut(b, []byte{0})
	return string(before)
}

// number reads a 32-bit attribute, 0 if it is none.
func number(b []byte) int {
	if len(b) != 4 {
		return 0
	}
	return int(binary.NativeEndian.Uint32(b))
}

// splits reports whether the device takes frames for other addresses away from the one it is stacked on.
func (d device) splits() bool {
	switch d.kind {
	case "macvlan", "macvtap", "ipvlan", "ipvtap":
		return d.parent != 0
	}
	return false
}

// A table is every network device of the namespace; the kernel bounds it.
type table struct {
	devices   map[int]device   // by index
	names     map[string]int   // name -> index
	splitters map[int]struct{} // indexes of the devices that split another one: few, or none
	life      uint64           // of the device seen last
	seen      map[int]struct{} // since startDump; nil when no dump is under way
}

func newTable() *table {
	return &table{devices: map[int]device{}, names: map[string]int{}, splitters: map[int]struct{}{}}
}

func (t *table) put(d device) {
	old, known := t.devices[d.index]
	if known {
		d.life = old.life
		t.unname(old)
	} else {
		t.life++
		d.life = t.life
	}
	t.devices[d.index] = d
	t.names[d.name] = d.index
	delete(t.splitters, d.index)
	if d.splits() {
		t.splitters[d.index] = struct{}{}
	}
	if t.seen != nil {
		t.seen[d.index] = struct{}{}
	}
}

func (t *table) remove(index int) {
	t.unname(t.devices[index])
	delete(t.devices, index)
	delete(t.splitters, index)
}

// unname frees the name of a device, unless another one has taken it already.
func (t *table) unname(d device) {
	if t.names[d.name] == d.index {
		delete(t.names, d.name)
	}
}

// startDump and endDump stand around a list of all devices. When it was complete, what was neither in it nor in a
// message between is gone.
func (t *table) startDump() { t.seen = map[int]struct{}{} }

func (t *table) endDump(complete bool) {
	for index := range t.devices {
		if _, ok := t.seen[index]; !ok && complete {
			t.remove(index)
		}
	}
	t.seen = nil
}

func (t *table) link(name string) Link {
	index, ok := t.names[name]
	if !ok {
		return Link{Name: name}
	}
	const operational = unix.IFF_UP | unix.IFF_RUNNING | unix.IFF_LOWER_UP
	d := t.devices[index]
	return Link{
		Name: name, Exists: true, Index: d.index, Life: d.life, MAC: d.mac, MTU: d.mtu,
		Up: d.flags&unix.IFF_UP != 0, Carrier: d.flags&operational == operational,
		Kind: d.kind, Ethernet: d.hardware == unix.ARPHRD_ETHER, Loopback: d.flags&unix.IFF_LOOPBACK != 0,
		Master: t.devices[d.master].name, MasterKind: d.part, Macvlan: t.splitter(d.index),
	}
}

// splitter names one device that splits the one of that index, always the same.
func (t *table) splitter(index int) (name string) {
	for i := range t.splitters {
		if d := t.devices[i]; d.parent == index && (name == "" || d.name < name) {
			name = d.name
		}
	}
	return name
}

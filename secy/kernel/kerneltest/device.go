package kerneltest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// A Device is a network device.
type Device struct {
	Index, Lower, Master, MTU int
	Name, Kind, Alias         string
	MasterKind                string // of what it is a port
	MAC                       []byte
	Up                        bool
	LinkMode, OperState       byte
	VLAN                      []byte   // IFLA_INFO_DATA of a VLAN
	Addresses, Routes         [][]byte // messages as they came
	SecY                      *SecY    // of a macsec device
}

// The numbers of rtnetlink beyond those in x/sys/unix.
const (
	operDown, operLowerDown, operDormant, operUp = 2, 3, 5, 6

	overhead = 32 // of MACsec, in octets

	vlanFlags = 0x1f // those that a mask may have
)

// AddDevice adds an Ethernet device that is up, and returns its ifindex.
func (k *Kernel) AddDevice(name string, mac []byte, mtu int) int {
	return k.add(&Device{Name: name, MAC: mac, MTU: mtu, Up: true, OperState: operUp}).Index
}

// AddVirtual adds a device of a kind, up, on another or, with 0, on none.
func (k *Kernel) AddVirtual(name, kind string, lower int) *Device {
	d := k.add(&Device{Name: name, Kind: kind, Lower: lower, MAC: []byte{2, 0, 0, 0, 0, 9}, MTU: 1400, Up: true,
		OperState: operUp})
	if kind == "vlan" {
		allBits := append(native.AppendUint32(nil, 1), 0xff, 0xff, 0xff, 0xff)
		d.VLAN = append(attribute(1, 7, 0), attribute(unix.IFLA_VLAN_FLAGS, allBits...)...)
	}
	return d
}

func (k *Kernel) add(d *Device) *Device {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.register(d)
}

func (k *Kernel) register(d *Device) *Device {
	if d.Index == 0 {
		d.Index = k.next
		k.next++
	}
	k.devices = append(k.devices, d)
	return d
}

// Device returns the device of a name, nil when there is none.
func (k *Kernel) Device(name string) *Device {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.find(func(d *Device) bool { return d.Name == name })
}

// Remove removes a device, and what is on it.
func (k *Kernel) Remove(name string) {
	d := k.Device(name)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.unregister(d)
}

func (k *Kernel) find(is func(*Device) bool) *Device {
	if i := slices.IndexFunc(k.devices, is); i >= 0 {
		return k.devices[i]
	}
	return nil
}

func (k *Kernel) byIndex(number int) *Device {
	return k.find(func(d *Device) bool { return d.Index == number })
}

func (k *Kernel) unregister(gone *Device) {
	k.devices = slices.DeleteFunc(k.devices, func(d *Device) bool { return d == gone })
	for _, d := range slices.Clone(k.devices) {
		if d.Lower == gone.Index {
			k.unregister(d)
		}
	}
}

// route answers rtnetlink.
func (k *Kernel) route(kind, flags uint16, body []byte) ([][]byte, error) {
	switch kind {
	case unix.RTM_GETLINK:
		return k.getLink(flags, body)
	case unix.RTM_NEWLINK:
		return nil, k.newLink(flags, body)
	case unix.RTM_DELLINK:
		d := k.byIndex(int(native.Uint32(body[4:])))
		if d == nil {
			return nil, unix.ENODEV
		}
		k.unregister(d)
		return nil, nil
	case unix.RTM_GETADDR, unix.RTM_GETROUTE:
		return k.list(kind, body[0]), nil
	case unix.RTM_NEWADDR:
		return nil, k.newAddress(body)
	case unix.RTM_NEWROUTE:
		return nil, k.newRoute(body)
	}
	return nil, unix.EOPNOTSUPP
}

func (k *Kernel) getLink(flags uint16, body []byte) (replies [][]byte, err error) {
	if flags&unix.NLM_F_DUMP == unix.NLM_F_DUMP {
		for _, d := range k.devices {
			replies = append(replies, d.message())
		}
		return replies, nil
	}
	number, name := int(native.Uint32(body[4:])), text(attributes(body[16:])[unix.IFLA_IFNAME])
	d := k.find(func(d *Device) bool { return d.Index == number || number == 0 && d.Name == name })
	if d == nil {
		return nil, unix.ENODEV
	}
	return [][]byte{d.message()}, nil
}

// message is the RTM_NEWLINK of a device.
func (d *Device) message() []byte {
	var flags uint32
	if d.Up {
		flags = unix.IFF_UP
	}
	b := make([]byte, 16)
	native.PutUint32(b[4:], uint32(d.Index))
	native.PutUint32(b[8:], flags)
	b = append(b, attribute(unix.IFLA_IFNAME, append([]byte(d.Name), 0)...)...)
	b = append(b, attribute(unix.IFLA_ADDRESS, d.MAC...)...)
	b = append(b, u32(unix.IFLA_MTU, uint32(d.MTU))...)
	b = append(b, attribute(unix.IFLA_LINKMODE, d.LinkMode)...)
	b = append(b, attribute(unix.IFLA_OPERSTATE, d.OperState)...)
	if d.Alias != "" {
		b = append(b, attribute(unix.IFLA_IFALIAS, append([]byte(d.Alias), 0)...)...)
	}
	if d.Lower != 0 {
		b = append(b, u32(unix.IFLA_LINK, uint32(d.Lower))...)
	}
	if d.Master != 0 {
		b = append(b, u32(unix.IFLA_MASTER, uint32(d.Master))...)
	}
	if d.Kind == "" {
		return b
	}
	info := [][]byte{attribute(unix.IFLA_INFO_KIND, append([]byte(d.Kind), 0)...), attribute(unix.IFLA_INFO_DATA, d.VLAN...)}
	if d.MasterKind != "" {
		info = append(info, attribute(unix.IFLA_INFO_SLAVE_KIND, append([]byte(d.MasterKind), 0)...))
	}
	return append(b, nest(unix.IFLA_LINKINFO, info...)...)
}

func (k *Kernel) newLink(flags uint16, body []byte) error {
	number, a := int(native.Uint32(body[4:])), attributes(body[16:])
	info := attributes(a[unix.IFLA_LINKINFO])
	d := k.byIndex(number)
	switch {
	case d == nil && flags&unix.NLM_F_CREATE == 0:
		return unix.ENODEV
	case d == nil:
		return k.create(number, a, info)
	case flags&unix.NLM_F_EXCL != 0:
		return unix.EEXIST
	}
	if data, ok := info[unix.IFLA_INFO_DATA]; ok && d.SecY != nil {
		if err := d.SecY.change(attributes(data), false); err != nil {
			return err
		}
	}
	return k.change(d, native.Uint32(body[8:]), native.Uint32(body[12:]), a)
}

func (k *Kernel) create(number int, a, info map[uint16][]byte) error {
	name := strings.Replace(text(a[unix.IFLA_IFNAME]), "%d", fmt.Sprint(k.next), 1)
	if k.find(func(d *Device) bool { return d.Name == name }) != nil {
		return unix.EEXIST
	}
	lower := k.byIndex(index(a[unix.IFLA_LINK]))
	if lower == nil {
		return unix.ENODEV
	}
	if vlan := attributes(info[unix.IFLA_INFO_DATA])[unix.IFLA_VLAN_FLAGS]; text(info[unix.IFLA_INFO_KIND]) == "vlan" &&
		vlan != nil && native.Uint32(vlan[4:])&^vlanFlags != 0 {
		return unix.EINVAL
	}
	d := &Device{Index: number, Name: name, Kind: text(info[unix.IFLA_INFO_KIND]), Lower: lower.Index, MTU: lower.MTU,
		MAC: slices.Clone(lower.MAC), OperState: operDown, VLAN: slices.Clone(info[unix.IFLA_INFO_DATA])}
	if d.Kind == "macsec" {
		d.VLAN, d.MTU = nil, lower.MTU-overhead
		if err := k.createSecY(d, lower, a, attributes(info[unix.IFLA_INFO_DATA])); err != nil {
			return err
		}
	}
	k.register(d)
	return k.change(d, 0, 0, a)
}

// change sets attributes that every device has. The operational state comes before the link mode, whatever their order
// in the message.
func (k *Kernel) change(d *Device, flags, changed uint32, a map[uint16][]byte) error {
	if mtu, ok := a[unix.IFLA_MTU]; ok {
		if d.SecY != nil && int(native.Uint32(mtu)) > k.byIndex(d.Lower).MTU-overhead {
			return unix.ERANGE
		}
		d.MTU = int(native.Uint32(mtu))
	}
	if name, ok := a[unix.IFLA_IFNAME]; ok && !strings.Contains(text(name), "%d") {
		if err := k.rename(d, text(name)); err != nil {
			return err
		}
	}
	if mac, ok := a[unix.IFLA_ADDRESS]; ok {
		d.MAC = slices.Clone(mac)
	}
	if alias, ok := a[unix.IFLA_IFALIAS]; ok {
		d.Alias = text(alias)
	}
	if master, ok := a[unix.IFLA_MASTER]; ok {
		d.Master = int(native.Uint32(master))
	}
	if changed&unix.IFF_UP != 0 {
		d.setUp(flags&unix.IFF_UP != 0)
	}
	if state, ok := a[unix.IFLA_OPERSTATE]; ok {
		d.setOperState(state[0])
	}
	if mode, ok := a[unix.IFLA_LINKMODE]; ok {
		d.LinkMode = mode[0]
	}
	return nil
}

// rename looks at whether the device is up first, even if it has the name.
func (k *Kernel) rename(d *Device, name string) error {
	other := k.find(func(o *Device) bool { return o.Name == name })
	switch {
	case d.Up && k.Old:
		return unix.EBUSY
	case other != nil && other != d:
		return unix.EEXIST
	}
	d.Name = name
	return nil
}

// setUp takes IPv6 addresses and all routes away with the device.
func (d *Device) setUp(up bool) {
	switch {
	case up && !d.Up && d.LinkMode == 1:
		d.OperState = operDormant
	case up && !d.Up:
		d.OperState = operUp
	case !up:
		d.OperState, d.Routes = operDown, nil
		d.Addresses = slices.DeleteFunc(d.Addresses, func(m []byte) bool { return m[0] == unix.AF_INET6 })
	}
	d.Up = up
}

// setOperState goes from up to dormant and back only, and back only if the link mode does not want it dormant.
func (d *Device) setOperState(state byte) {
	switch {
	case state == operUp && d.OperState == operDormant, state == operDormant && d.OperState == operUp:
		d.OperState = state
	}
}

// list answers a dump of addresses or routes.
func (k *Kernel) list(kind uint16, family byte) (replies [][]byte) {
	for _, d := range k.devices {
		all := d.Addresses
		if kind == unix.RTM_GETROUTE {
			all = d.Routes
		}
		for _, m := range all {
			if family == 0 || m[0] == family {
				replies = append(replies, slices.Clone(m))
			}
		}
	}
	return replies
}

func (k *Kernel) newAddress(body []byte) error {
	d := k.byIndex(int(native.Uint32(body[4:])))
	if d == nil {
		return unix.ENODEV
	}
	return addMessage(&d.Addresses, body)
}

// newRoute refuses flags that say how a route is doing, a device that is down, and a gateway that no other route leads
// to.
func (k *Kernel) newRoute(body []byte) error {
	a := attributes(body[12:])
	d := k.byIndex(index(a[unix.RTA_OIF]))
	switch {
	case d == nil:
		return unix.ENODEV
	case native.Uint32(body[8:])&(unix.RTNH_F_DEAD|unix.RTNH_F_LINKDOWN) != 0:
		return unix.EINVAL
	case !d.Up:
		return unix.ENETDOWN
	case a[unix.RTA_GATEWAY] != nil && len(d.Routes) == 0 && len(d.Addresses) == 0:
		return unix.ENETUNREACH
	}
	return addMessage(&d.Routes, body)
}

// index reads an ifindex; a missing one is 0, which no device has.
func index(b []byte) int {
	if len(b) < 4 {
		return 0
	}
	return int(native.Uint32(b))
}

func addMessage(all *[][]byte, m []byte) error {
	if slices.ContainsFunc(*all, func(o []byte) bool { return bytes.Equal(o, m) }) {
		return unix.EEXIST
	}
	*all = append(*all, slices.Clone(m))
	return nil
}

package kernel

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// An identity is what makes a device the one that the host knows: what has to be put back when another device takes its
// place. Messages of the kernel's lists are kept as they came, and given back: so everything is there that the kernel
// tells of them, known to mkad or not.
type identity struct {
	devices []linkInfo // the device, then the VLANs on it, lower ones first
	entries []entry    // addresses, then routes in an order in which they can be added
	losses  []string   // what cannot be put back, for people
	lapses  []string   // those of them that also go when the device is taken down for a moment
}

// An entry is an address or a route of one of the devices.
type entry struct {
	name string  // for people; the same for the same entry
	r    request // what puts it back
}

// lasting reports whether it is an address without an end, which the kernel takes on a device that is down as well: others
// it drops there.
func (e entry) lasting() bool {
	return e.r.kind == unix.RTM_NEWADDR && e.r.body[2]&unix.IFA_F_PERMANENT != 0
}

// identify reads the identity of a device.
func (c *conversation) identify(index int) (*identity, error) {
	links, err := c.links()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	at := slices.IndexFunc(links, func(l linkInfo) bool { return l.index == index })
	if at < 0 {
		return nil, unix.ENODEV
	}
	id := &identity{devices: []linkInfo{links[at]}}
	id.findDevices(links)
	if err := c.findAddresses(id); err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	if err := c.findRoutes(id); err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	return id, nil
}

// Losses lists what a macsec device of that name would lose if another took its place, beyond its statistics, its
// queueing disciplines and filters, and what programs have bound to it: nothing, as a rule. x is as in Config.
func Losses(x Exchange, name string) ([]string, error) {
	id, err := identityOf(x, name)
	if err != nil {
		return nil, err
	}
	return id.losses, nil
}

// Belongings lists what goes with a device of that name: its addresses, routes, and the devices on it. x is as in Config.
func Belongings(x Exchange, name string) ([]string, error) {
	id, err := identityOf(x, name)
	if err != nil {
		return nil, err
	}
	return append(id.possessions(), id.losses...), nil
}

// identityOf reads the identity of a device by its name.
func identityOf(x Exchange, name string) (*identity, error) {
	c, err := converse(x)
	if err != nil {
		return nil, err
	}
	defer c.hangUp()
	link, err := c.link(0, name)
	if err != nil {
		return nil, explain("look up "+name, err)
	}
	id, err := c.identify(link.index)
	if err != nil {
		return nil, explain("read what is on "+name, err)
	}
	return id, nil
}

// join adds what an earlier identity of the same device has beyond this one.
func (id *identity) join(earlier *identity) {
	for _, l := range earlier.devices {
		if _, known := id.device(l.index); !known {
			id.devices = append(id.devices, l)
		}
	}
	id.entries = append(id.entries, without(earlier.entries, id.entries)...)
}

// possessions lists what can be put back, for people.
func (id *identity) possessions() (all []string) {
	first := id.devices[0]
	if _, some := dress(first); some {
		all = append(all, "alias and master of "+first.name)
	}
	for _, l := range id.devices[1:] {
		all = append(all, fmt.Sprintf("device %s (%s)", l.name, l.kind))
	}
	for _, e := range id.entries {
		all = append(all, e.name)
	}
	return all
}

// lose notes what cannot be put back.
func (id *identity) lose(format string, args ...any) {
	id.losses = append(id.losses, fmt.Sprintf(format, args...))
}

// lapse notes a route that cannot be put back, and goes even with a device that is only taken down.
func (id *identity) lapse(format string, args ...any) {
	id.lose(format, args...)
	id.lapses = append(id.lapses, id.losses[len(id.losses)-1])
}

// device returns the one of the devices that has an ifindex.
func (id *identity) device(index int) (linkInfo, bool) {
	for _, l := range id.devices {
		if l.index == index {
			return l, true
		}
	}
	return linkInfo{}, false
}

// findDevices finds the VLANs on the device, and those on them.
func (id *identity) findDevices(links []linkInfo) {
	for i := 0; i < len(id.devices); i++ {
		lower := id.devices[i]
		id.inspect(lower)
		for _, l := range links {
			switch _, known := id.device(l.index); {
			case known || l.lower != lower.index || l.lowerNS:
			case l.kind == "vlan":
				id.devices = append(id.devices, l)
			default:
				id.lose("device %s (%s) on %s", l.name, l.kind, lower.name)
			}
		}
	}
}

// inspect notes what of one device cannot be put back.
func (id *identity) inspect(l linkInfo) {
	if l.altNames {
		id.lose("alternative names of %s", l.name)
	}
	if l.master != 0 {
		id.lose("settings of %s as port of its %s, which begin anew", l.name, l.masterAs)
	}
}

// Offsets in struct ifaddrmsg and struct rtmsg.
const (
	addressHeaderLen = unix.SizeofIfAddrmsg
	routeHeaderLen   = unix.SizeofRtMsg
	routeFlagsAt     = 8
)

// findAddresses finds the addresses of the devices. Temporary ones (RFC 8981) the kernel makes itself, as it likes.
func (c *conversation) findAddresses(id *identity) error {
	header := make([]byte, addressHeaderLen)
	replies, err := c.dump(request{unix.NETLINK_ROUTE, unix.RTM_GETADDR, unix.NLM_F_DUMP, header})
	for _, b := range replies {
		if len(b) < addressHeaderLen {
			return errShort("address", b)
		}
		l, ours := id.device(int(int32(native.Uint32(b[4:]))))
		temporary := b[0] == unix.AF_INET6 && b[2]&unix.IFA_F_TEMPORARY != 0
		if ours && !temporary {
			id.entries = append(id.entries, entry{nameAddress(b, l.name),
				request{unix.NETLINK_ROUTE, unix.RTM_NEWADDR, unix.NLM_F_CREATE | unix.NLM_F_EXCL, b}})
		}
	}
	return err
}

func nameAddress(b []byte, device string) string {
	address := find(b[addressHeaderLen:], unix.IFA_LOCAL)
	if address == nil {
		address = find(b[addressHeaderLen:], unix.IFA_ADDRESS)
	}
	return fmt.Sprintf("address %s of %s", prefix(address, b[0], b[1]), device)
}

// prefix prints an address of a family with a prefix length; no address is the one of zeros.
func prefix(address []byte, family, length uint8) string {
	ip, ok := netip.AddrFromSlice(address)
	switch {
	case !ok && family == unix.AF_INET6:
		ip = netip.IPv6Unspecified()
	case !ok:
		ip = netip.IPv4Unspecified()
	}
	return netip.PrefixFrom(ip, int(length)).String()
}

// findRoutes finds the routes of the devices.
func (c *conversation) findRoutes(id *identity) error {
	var routes []entry
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		header := make([]byte, routeHeaderLen)
		header[0] = family
		replies, err := c.dump(request{unix.NETLINK_ROUTE, unix.RTM_GETROUTE, unix.NLM_F_DUMP, header})
		if err != nil {
			return err
		}
		for _, b := range replies {
			if len(b) < routeHeaderLen {
				return errShort("route", b)
			}
			if r, ok := id.route(b); ok {
				routes = append(routes, r)
			}
		}
	}
	// What goes through no gateway comes first: gateways must be within reach.
	slices.SortStableFunc(routes, func(a, b entry) int { return gateways(a) - gateways(b) })
	id.entries = append(id.entries, routes...)
	return nil
}

func gateways(e entry) int {
	attributes := e.r.body[routeHeaderLen:]
	if find(attributes, unix.RTA_GATEWAY) == nil && find(attributes, unix.RTA_VIA) == nil {
		return 0
	}
	return 1
}

// unlabel takes from addresses the label that is the name of the device: what takes its place has another, and is labelled by
// the kernel.
func (id *identity) unlabel() {
	for i, e := range id.entries {
		if e.r.kind != unix.RTM_NEWADDR {
			continue
		}
		kept := slices.Clone(e.r.body[:addressHeaderLen])
		for a := range attributes(e.r.body[addressHeaderLen:]) {
			if a.kind != unix.IFA_LABEL || a.text() != id.devices[0].name {
				kept = appendAttribute(kept, a.kind, a.value)
			}
		}
		id.entries[i].r.body = kept
	}
}

// route makes the entry of a route, if it is one of the devices' and to be put back. Those that the kernel makes with an
// address come back with it, and those of router advertisements with the next one.
func (id *identity) route(b []byte) (entry, bool) {
	attributes := b[routeHeaderLen:]
	l, ours := id.device(int(int32(attribute{value: find(attributes, unix.RTA_OIF)}.uint32())))
	name := "route " + prefix(find(attributes, unix.RTA_DST), b[0], b[1])
	if !ours {
		id.loseNexthops(name, find(attributes, unix.RTA_MULTIPATH))
		return entry{}, false
	}
	table, metric := attribute{value: find(attributes, unix.RTA_TABLE)}, attribute{value: find(attributes, unix.RTA_PRIORITY)}
	name = fmt.Sprintf("%s of %s, table %d, metric %d", name, l.name, table.uint32(), metric.uint32())
	flags := native.Uint32(b[routeFlagsAt:])
	switch protocol := b[5]; {
	case flags&unix.RTM_F_CLONED != 0 || protocol == unix.RTPROT_KERNEL || protocol == unix.RTPROT_REDIRECT:
		return entry{}, false
	case protocol == unix.RTPROT_RA:
		id.lapse("%s, until the next router advertisement", name)
		return entry{}, false
	case find(attributes, attrNexthopID) != nil:
		id.lapse("%s, which is one of a nexthop object", name)
		return entry{}, false
	}
	// The other flags say how the route was doing, and are refused.
	native.PutUint32(b[routeFlagsAt:], flags&(unix.RTNH_F_ONLINK|unix.RTNH_F_PERVASIVE))
	return entry{name, request{unix.NETLINK_ROUTE, unix.RTM_NEWROUTE, unix.NLM_F_CREATE | unix.NLM_F_APPEND, b}}, true
}

// loseNexthops notes a route of several nexthops that has one of the devices among them.
func (id *identity) loseNexthops(name string, hops []byte) {
	for len(hops) >= unix.SizeofRtNexthop {
		n := int(native.Uint16(hops))
		if l, ours := id.device(int(int32(native.Uint32(hops[4:])))); ours {
			id.lapse("%s, by way of %s among others", name, l.name)
		}
		if n < unix.SizeofRtNexthop || n > len(hops) {
			return
		}
		hops = hops[min(align(n), len(hops)):]
	}
}

// putBack gives addresses and routes back, and lists what could not be. One that is there already is in its place.
func (c *conversation) putBack(entries []entry) (problems []error) {
	for _, e := range entries {
		_, err := c.do(e.r)
		if err != nil && !errors.Is(err, unix.EEXIST) {
			problems = append(problems, fmt.Errorf("put back %s: %w", e.name, err))
		}
	}
	return problems
}

// without lists the entries of before that after has not.
func without(before, after []entry) (gone []entry) {
	for _, e := range before {
		if !slices.ContainsFunc(after, func(a entry) bool { return a.name == e.name }) {
			gone = append(gone, e)
		}
	}
	return gone
}

// appendKept appends attributes that a device had.
func appendKept(b []byte, l linkInfo, kinds ...uint16) []byte {
	for a := range attributes(l.raw[linkHeaderLen:]) {
		if slices.Contains(kinds, a.kind) {
			b = appendAttribute(b, a.kind, a.value)
		}
	}
	return b
}

// makeVLAN is the request that makes a VLAN device again, with its ifindex.
func makeVLAN(l linkInfo) request {
	b := appendLinkHeader(nil, l.index, 0, 0)
	b = appendKept(b, l, unix.IFLA_IFNAME, unix.IFLA_LINK, unix.IFLA_ADDRESS, unix.IFLA_MTU, unix.IFLA_TXQLEN, unix.IFLA_GROUP)
	info := find(l.raw[linkHeaderLen:], unix.IFLA_LINKINFO)
	data := slices.Clone(find(info, unix.IFLA_INFO_DATA))
	if flags := find(data, unix.IFLA_VLAN_FLAGS); len(flags) >= 8 {
		// The kernel tells a mask of all bits, and takes one of bits that it knows: those set, and the one set by default.
		native.PutUint32(flags[4:], native.Uint32(flags)|vlanReorderHeader)
	}
	b = appendNest(b, unix.IFLA_LINKINFO, func(b []byte) []byte {
		b = appendAttribute(b, unix.IFLA_INFO_KIND, find(info, unix.IFLA_INFO_KIND))
		return appendAttribute(b, unix.IFLA_INFO_DATA, data)
	})
	return request{unix.NETLINK_ROUTE, unix.RTM_NEWLINK, unix.NLM_F_CREATE | unix.NLM_F_EXCL, b}
}

// dress is the request that gives a device again what can only be given when it is there: alias and master.
func dress(l linkInfo) (request, bool) {
	body := appendKept(nil, l, unix.IFLA_IFALIAS, unix.IFLA_MASTER)
	return changeLink(l.index, func(b []byte) []byte { return append(b, body...) }), len(body) > 0
}

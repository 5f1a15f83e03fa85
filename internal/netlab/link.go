package netlab

import (
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
)

// Join makes a wire: a veth pair with one end in each namespace (which may be the same), both down.
func Join(a *Namespace, nameA string, b *Namespace, nameB string) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = nameA
	veth := netlink.NewVeth(attrs)
	veth.PeerName, veth.PeerNamespace = nameB, netlink.NsFd(b.file.Fd())
	err := a.links(func(h *netlink.Handle) error { return h.LinkAdd(veth) })
	if err != nil {
		return fmt.Errorf("make veth pair %s, %s: %w", nameA, nameB, err)
	}
	return nil
}

// Bridge makes a bridge in the namespace, up, of the devices named, which stay as they are: the shared medium for more
// than two stations. It forwards frames for 01-80-C2-00-00-03, EAPOL's group address, which bridges keep to themselves
// otherwise.
func (n *Namespace) Bridge(name string, ports ...string) error {
	const eapolGroup = 1 << 3 // 01-80-C2-00-00-03 in group_fwd_mask
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	mask := uint16(eapolGroup)
	err := n.links(func(h *netlink.Handle) error {
		bridge := &netlink.Bridge{LinkAttrs: attrs, GroupFwdMask: &mask}
		if err := h.LinkAdd(bridge); err != nil {
			return err
		}
		return enslave(h, bridge, ports)
	})
	if err != nil {
		return fmt.Errorf("make bridge %s: %w", name, err)
	}
	return n.SetUp(name)
}

func enslave(h *netlink.Handle, bridge *netlink.Bridge, ports []string) error {
	for _, port := range ports {
		link, err := h.LinkByName(port)
		if err != nil {
			return fmt.Errorf("find port %s: %w", port, err)
		}
		if err := h.LinkSetMaster(link, bridge); err != nil {
			return fmt.Errorf("add port %s: %w", port, err)
		}
	}
	return nil
}

// Take moves a device of the calling thread's network namespace into n, down and under the name as. Hardware goes to the
// machine's first namespace when n is no more; where its name is taken there, it gets another one.
func (n *Namespace) Take(device, as string) error {
	link, err := netlink.LinkByName(device)
	if err == nil {
		err = netlink.LinkSetDown(link)
	}
	if err == nil {
		err = netlink.LinkSetNsFd(link, int(n.file.Fd()))
	}
	if err != nil {
		return fmt.Errorf("take %s into a namespace: %w", device, err)
	}
	return n.change("rename", device, func(h *netlink.Handle, l netlink.Link) error { return h.LinkSetName(l, as) })
}

// SetUp brings a device administratively up.
func (n *Namespace) SetUp(device string) error {
	return n.change("bring up", device, func(h *netlink.Handle, l netlink.Link) error { return h.LinkSetUp(l) })
}

// SetDown takes a device administratively down.
func (n *Namespace) SetDown(device string) error {
	return n.change("take down", device, func(h *netlink.Handle, l netlink.Link) error { return h.LinkSetDown(l) })
}

// SetMTU sets the MTU of a device, in octets.
func (n *Namespace) SetMTU(device string, mtu int) error {
	return n.change("set MTU of", device, func(h *netlink.Handle, l netlink.Link) error { return h.LinkSetMTU(l, mtu) })
}

// Remove deletes a device; the other end of a veth goes with it.
func (n *Namespace) Remove(device string) error {
	return n.change("remove", device, func(h *netlink.Handle, l netlink.Link) error { return h.LinkDel(l) })
}

// AddAddress gives a device an address, written as address/prefix length. IPv6 addresses can be used at once: there is
// no duplicate address detection.
func (n *Namespace) AddAddress(device, cidr string) error {
	const noDAD = 0x02 // IFA_F_NODAD
	addr, err := netlink.ParseAddr(cidr)
	if err != nil {
		return fmt.Errorf("add address to %s: %w", device, err)
	}
	if addr.IP.To4() == nil {
		addr.Flags = noDAD
	}
	return n.change("add address to", device, func(h *netlink.Handle, l netlink.Link) error {
		return h.AddrAdd(l, addr)
	})
}

// AddNeighbour tells a host the MAC address of another on a device, for good.
func (n *Namespace) AddNeighbour(device, address string, mac net.HardwareAddr) error {
	ip := net.ParseIP(address)
	if ip == nil {
		return fmt.Errorf("add neighbour of %s: %q is no address", device, address)
	}
	return n.change("add neighbour of", device, func(h *netlink.Handle, l netlink.Link) error {
		return h.NeighSet(&netlink.Neigh{LinkIndex: l.Attrs().Index, State: netlink.NUD_PERMANENT, IP: ip, HardwareAddr: mac})
	})
}

func (n *Namespace) change(verb, device string, f func(*netlink.Handle, netlink.Link) error) error {
	err := n.links(func(h *netlink.Handle) error {
		link, err := h.LinkByName(device)
		if err != nil {
			return err
		}
		return f(h, link)
	})
	if err != nil {
		return fmt.Errorf("%s %s: %w", verb, device, err)
	}
	return nil
}

// A Device is what the kernel says of a network device.
type Device struct {
	Index int
	MAC   net.HardwareAddr
	MTU   int
	Up    bool // administratively
	// Carrier is whether the device could carry a frame now (IFF_LOWER_UP).
	Carrier bool
	// OperState is the operational state of RFC 2863 as ip-link(8) prints it in lower case: "up", "dormant", "down".
	OperState string
}

// Device looks a device up by its name.
func (n *Namespace) Device(name string) (Device, error) {
	const lowerUp = 1 << 16 // IFF_LOWER_UP
	var d Device
	err := n.change("look up", name, func(_ *netlink.Handle, l netlink.Link) error {
		a := l.Attrs()
		d = Device{Index: a.Index, MAC: a.HardwareAddr, MTU: a.MTU, Up: a.Flags&net.FlagUp != 0,
			Carrier: a.RawFlags&lowerUp != 0, OperState: a.OperState.String()}
		return nil
	})
	return d, err
}

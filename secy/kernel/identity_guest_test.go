//go:build guest

package kernel_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"mkad/secy"
	"mkad/secy/kernel"
)

func TestGuestAnotherSuiteKeepsIdentity(t *testing.T) {
	west, east := newHosts(t)
	west.open(secy.GCMAES128)
	east.open(secy.GCMAES128)
	secure(west, east, settingsOf(secy.GCMAES128), first, 0, 1)
	west.address()
	east.address()
	must(t, west.ns.AddAddress("macsec0", "2001:db8::1/64"))
	must(t, west.ns.Do(func() error { return furnish() }))
	before := west.describe()
	exchange(t, west, east)
	for _, h := range []*host{west, east} {
		h.order(controlledPort(false), deleteSAs(first))
	}
	secure(west, east, settingsOf(secy.GCMAESXPN256), another, 1, 1)
	exchange(t, west, east)
	if after := west.describe(); after != before {
		t.Errorf("the device was\n%s\nand is\n%s\n%s", before, after, &west.log)
	}
}

// furnish gives macsec0 two VLANs, one on the other, routes, and an alias.
func furnish() error {
	device, err := netlink.LinkByName("macsec0")
	if err != nil {
		return err
	}
	vlan := &netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: "v7", ParentIndex: device.Attrs().Index}, VlanId: 7,
		VlanProtocol: netlink.VLAN_PROTOCOL_8021AD}
	if err := netlink.LinkAdd(vlan); err != nil {
		return err
	}
	inner := &netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: "v7.8", ParentIndex: vlan.Index}, VlanId: 8}
	if err := netlink.LinkAdd(inner); err != nil {
		return err
	}
	for _, l := range []netlink.Link{vlan, inner} {
		if err := netlink.LinkSetUp(l); err != nil {
			return err
		}
	}
	onVLAN, _ := netlink.ParseAddr("198.51.100.1/24")
	if err := netlink.AddrAdd(inner, onVLAN); err != nil {
		return err
	}
	labelled, _ := netlink.ParseAddr("192.0.2.77/24")
	labelled.Label, labelled.ValidLft, labelled.PreferedLft = "macsec0:x", 3000, 2000
	if err := netlink.AddrAdd(device, labelled); err != nil {
		return err
	}
	if err := netlink.LinkSetAlias(device, "the uplink"); err != nil {
		return err
	}
	return furnishRoutes(device, inner)
}

func furnishRoutes(device, inner netlink.Link) error {
	for _, r := range []struct {
		link    netlink.Link
		to, via string
	}{{device, "203.0.113.0/24", "192.0.2.2"}, {device, "0.0.0.0/0", "192.0.2.2"}, {inner, "203.0.113.128/25", "198.51.100.9"},
		{device, "2001:db8:1::/48", "2001:db8::2"}} {
		_, to, _ := net.ParseCIDR(r.to)
		route := &netlink.Route{LinkIndex: r.link.Attrs().Index, Dst: to, Gw: net.ParseIP(r.via), Priority: 50, MTU: 1300}
		if err := netlink.RouteAdd(route); err != nil {
			return fmt.Errorf("%s: %w", r.to, err)
		}
	}
	return nil
}

// describe prints what the host sees of the Controlled Port, but lifetimes.
func (h *host) describe() string {
	var b strings.Builder
	must(h.t, h.ns.Do(func() error {
		links, err := netlink.LinkList()
		if err != nil {
			return err
		}
		for _, l := range links {
			a := l.Attrs()
			if a.Name == "lo" || a.Name == "eth1" {
				continue
			}
			fmt.Fprintln(&b, a.Index, a.Name, a.HardwareAddr, a.MTU, a.ParentIndex, a.MasterIndex, a.Alias, settled(a.OperState), l.Type())
			addrs, _ := netlink.AddrList(l, netlink.FAMILY_ALL)
			for _, x := range addrs {
				fmt.Fprintln(&b, "  ", x.IPNet, x.Label, x.Scope, x.ValidLft > 0)
			}
			for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
				routes, _ := netlink.RouteList(l, family)
				for _, r := range routes {
					fmt.Fprintln(&b, "  ", r.Dst, r.Gw, r.Protocol, r.Priority, r.MTU, r.Table)
				}
			}
		}
		return nil
	}))
	return b.String()
}

// settled takes the state that a device has until the kernel has first looked at it, in 6.1 up to a second, for what it
// will be.
func settled(s netlink.LinkOperState) netlink.LinkOperState {
	if s == netlink.OperUnknown {
		return netlink.OperUp
	}
	return s
}

func TestGuestOperationalState(t *testing.T) {
	for way, want := range map[kernel.Unsecured]string{kernel.Dormant: "dormant", kernel.Down: "down"} {
		west, east := newHosts(t)
		west.open(secy.GCMAES128, func(c *kernel.Config) { c.Unsecured = way })
		east.open(secy.GCMAES128)
		west.wantState(want)
		secure(west, east, settingsOf(secy.GCMAES128), first, 0, 1)
		west.wantState("up")
		must(t, west.ns.AddAddress("macsec0", "2001:db8::1/64"))
		before := west.describe()
		west.order(controlledPort(false), deleteSAs(first))
		west.wantState(want)
		must(t, east.ns.SetDown("eth1"))
		must(t, east.ns.SetUp("eth1"))
		west.wantState(want)
		east.order(controlledPort(false), deleteSAs(first))
		secure(west, east, settingsOf(secy.GCMAES128), another, 1, 1)
		west.wantState("up")
		if after := west.describe(); after != before {
			t.Errorf("the device was\n%s\nand is\n%s\n%s", before, after, &west.log)
		}
	}
}

func (h *host) wantState(want string) {
	h.t.Helper()
	eventually(h.t, "the operational state is "+want, func() bool {
		d, err := h.ns.Device("macsec0")
		return err == nil && d.OperState == want
	})
}

// A device that is a port of a bridge stays one, and has the bridge's view of it back.
func TestGuestBridgePortStaysOne(t *testing.T) {
	west, east := newHosts(t)
	west.open(secy.GCMAES128)
	east.open(secy.GCMAES128)
	secure(west, east, settingsOf(secy.GCMAES128), first, 0, 1)
	must(t, west.ns.Bridge("br0", "macsec0"))
	eventually(t, "the bridge is up and has its address", func() bool {
		bridge, err := west.ns.Device("br0")
		return err == nil && bridge.OperState == "up" && strings.Contains(after(west.describe(), " br0 "), "fe80::")
	})
	before := west.describe()
	for _, h := range []*host{west, east} {
		h.order(controlledPort(false), deleteSAs(first))
	}
	secure(west, east, settingsOf(secy.GCMAES256), another, 1, 1)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the host was\n%s\nand is\n%s\n%s", before, west.describe(), &west.log)
		}
	})
	eventually(t, "the bridge has its port again", func() bool { return west.describe() == before })
}

// after returns what follows the first mark in s.
func after(s, mark string) string {
	_, rest, _ := strings.Cut(s, mark)
	return rest
}

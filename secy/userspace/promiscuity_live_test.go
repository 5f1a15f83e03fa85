package userspace_test

import (
	"testing"

	"github.com/vishvananda/netlink"

	"mkad/internal/netlab"
)

// inLinks does something with devices of a namespace.
func inLinks(t *testing.T, ns *netlab.Namespace, name string, do func(netlink.Link) error) {
	t.Helper()
	must(t, ns.Do(func() error {
		link, err := netlink.LinkByName(name)
		if err == nil {
			err = do(link)
		}
		return err
	}))
}

// wantPromiscuous waits until the lower device takes in every frame, or no longer does.
func wantPromiscuous(t *testing.T, s *station, why string, want bool) {
	t.Helper()
	eventually(t, why, func() (is bool) {
		inLinks(t, s.ns, lowerName, func(l netlink.Link) error {
			is = (l.Attrs().Promisc > 0) == want
			return nil
		})
		return is
	})
}

// Clause: none; design: multicast and promiscuous state are carried to the lower device.
func TestLowerDeviceTakesInWhatTheControlledPortAsksFor(t *testing.T) {
	west, _ := newWire(t)
	s := open(t, west)
	wantPromiscuous(t, s, "at first it does not", false)
	inLinks(t, west, controlledName, netlink.SetPromiscOn)
	wantPromiscuous(t, s, "an administrator wants every frame", true)
	inLinks(t, west, controlledName, netlink.SetPromiscOff)
	wantPromiscuous(t, s, "and wants it no longer", false)
	must(t, west.Bridge("br0", controlledName))
	wantPromiscuous(t, s, "the Controlled Port is a bridge's", true)
	must(t, west.Remove("br0"))
	wantPromiscuous(t, s, "it is no longer", false)
	inLinks(t, west, controlledName, func(l netlink.Link) error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.ParentIndex = "mv0", l.Attrs().Index
		return netlink.LinkAdd(&netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_BRIDGE})
	})
	must(t, west.SetUp("mv0"))
	wantPromiscuous(t, s, "it has a second address", true)
	must(t, west.Remove("mv0"))
	wantPromiscuous(t, s, "it has one address again", false)
}

// Clause: none; the kernel forgets what was wanted of a device that moves to another namespace and back.
func TestReturnedLowerDeviceTakesInWhatItDidBefore(t *testing.T) {
	west, _ := newWire(t)
	s := open(t, west)
	inLinks(t, west, controlledName, netlink.SetPromiscOn)
	wantPromiscuous(t, s, "an administrator wants every frame", true)
	away := newNamespace(t)
	must(t, west.Do(func() error { return away.Take(lowerName, lowerName) }))
	must(t, away.Do(func() error { return west.Take(lowerName, lowerName) }))
	must(t, west.SetUp(lowerName))
	lower := device(t, west, lowerName)
	must(t, west.Do(func() error { return s.LowerChanged(lower.Index, [6]byte(lower.MAC), lower.MTU) }))
	wantPromiscuous(t, s, "it was told again", true)
}

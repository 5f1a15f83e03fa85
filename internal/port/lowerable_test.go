package port_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"mkad/internal/netlab"
	"mkad/internal/port"
)

func TestUnfitDevicesAreNamedWithRemedy(t *testing.T) {
	for name, c := range map[string]struct {
		link   port.Link
		reason port.Unfit
		says   string
	}{
		"loopback": {port.Link{Loopback: true}, port.UnfitLoopback, "name a network card"},
		"tunnel":   {port.Link{}, port.UnfitNotEthernet, "name an Ethernet device"},
		"bridge port": {port.Link{Ethernet: true, Master: "br0", MasterKind: "bridge"}, port.UnfitBridgePort,
			"remove it from br0"},
		"bond slave": {port.Link{Ethernet: true, Master: "bond0", MasterKind: "bond"}, port.UnfitBondSlave,
			"remove it from bond0"},
		"team slave": {port.Link{Ethernet: true, Master: "team0", MasterKind: "team"}, port.UnfitTeamSlave,
			"remove it from team0"},
		"switch port": {port.Link{Ethernet: true, Master: "ovs-system", MasterKind: "openvswitch"}, port.UnfitPart,
			"remove it from ovs-system"},
		"macvlan parent": {port.Link{Ethernet: true, Macvlan: "mv0"}, port.UnfitMacvlanParent,
			"put mv0 on the Controlled Port"},
	} {
		t.Run(name, func(t *testing.T) {
			c.link.Name, c.link.Exists = device, true
			err := port.Lowerable(c.link)
			var unfit *port.UnfitError
			if !errors.As(err, &unfit) || unfit.Reason != c.reason || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %v that says %q", err, c.reason, c.says)
			}
		})
	}
}

func TestFitDevicesAreAccepted(t *testing.T) {
	for name, l := range map[string]port.Link{
		"missing":      {Name: device},
		"network card": {Name: device, Exists: true, Ethernet: true},
		"part of VRF":  {Name: device, Exists: true, Ethernet: true, Master: "red", MasterKind: "vrf"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := port.Lowerable(l); err != nil {
				t.Error(err)
			}
		})
	}
}

// The facts that Lowerable judges are those of real devices.
func TestKernelTellsWhatIsUnfit(t *testing.T) {
	for name, c := range map[string]struct {
		arrange func(*testing.T, wire)
		device  string
		want    port.Unfit
	}{
		"loopback":    {func(*testing.T, wire) {}, "lo", port.UnfitLoopback},
		"bridge port": {func(t *testing.T, w wire) { must(t, w.host.Bridge("br0", device)) }, device, port.UnfitBridgePort},
		"macvlan parent": {func(t *testing.T, w wire) { stack(t, w.host, &netlink.Macvlan{}) }, device,
			port.UnfitMacvlanParent},
		"plain": {func(*testing.T, wire) {}, device, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			c.arrange(t, w)
			var unfit *port.UnfitError
			errors.As(port.Lowerable(watch(t, w.host).Link(c.device)), &unfit)
			if got := reasonOf(unfit); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func reasonOf(err *port.UnfitError) port.Unfit {
	if err == nil {
		return 0
	}
	return err.Reason
}

// stack puts a device on top of eth1.
func stack(t *testing.T, n *netlab.Namespace, link netlink.Link) {
	t.Helper()
	must(t, n.Do(func() error {
		lower, err := netlink.LinkByName(device)
		if err != nil {
			return err
		}
		link.Attrs().Name, link.Attrs().ParentIndex = "top", lower.Attrs().Index
		return netlink.LinkAdd(link)
	}))
}

func TestRemovedMacvlanIsNoHindrance(t *testing.T) {
	w := newWire(t)
	stack(t, w.host, &netlink.Macvlan{})
	links := follow(t, watch(t, w.host), device)
	if got := links.next().Macvlan; got != "top" {
		t.Fatalf("macvlan %q", got)
	}
	must(t, w.host.Remove("top"))
	links.until(func(l port.Link) bool { return l.Macvlan == "" })
}

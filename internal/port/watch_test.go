package port_test

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/vishvananda/netlink"

	"mkad/internal/netlab"
	"mkad/internal/port"
)

func exists(l port.Link) bool  { return l.Exists }
func missing(l port.Link) bool { return !l.Exists }

func TestFollowBeginsWithTheStateNow(t *testing.T) {
	w := newWire(t)
	watcher := watch(t, w.host)
	d, err := w.host.Device(device)
	must(t, err)
	want := port.Link{Name: device, Exists: true, Index: d.Index, MAC: [6]byte(d.MAC), MTU: 1500, Kind: "veth",
		Ethernet: true}
	got := follow(t, watcher, device).next()
	got.Life = 0
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if now := watcher.Link(device); now.Index != d.Index {
		t.Errorf("Link gives %+v", now)
	}
}

func TestNameWithoutDeviceDoesNotExist(t *testing.T) {
	got := follow(t, watch(t, namespace(t)), device).next()
	if want := (port.Link{Name: device}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestLoopbackIsKnownAsSuch(t *testing.T) {
	got := watch(t, namespace(t)).Link("lo")
	if !got.Exists || !got.Loopback || got.Ethernet {
		t.Errorf("got %+v", got)
	}
}

func TestChangesAreDelivered(t *testing.T) {
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 7}
	for name, c := range map[string]struct {
		change func(wire) error
		seen   func(port.Link) bool
	}{
		"up":                       {func(w wire) error { return w.host.SetUp(device) }, func(l port.Link) bool { return l.Up }},
		"MTU":                      {func(w wire) error { return w.host.SetMTU(device, 1400) }, func(l port.Link) bool { return l.MTU == 1400 }},
		"removal":                  {func(w wire) error { return w.host.Remove(device) }, missing},
		"removal of the other end": {func(w wire) error { return w.peer.Remove(device) }, missing},
		"MAC": {
			func(w wire) error { return setMAC(w.host, mac) },
			func(l port.Link) bool { return l.MAC == [6]byte(mac) }},
		"carrier": {
			func(w wire) error { return errors.Join(w.host.SetUp(device), w.peer.SetUp(device)) },
			func(l port.Link) bool { return l.Up && l.Carrier }},
		"loss of carrier": {
			func(w wire) error {
				return errors.Join(w.host.SetUp(device), w.peer.SetUp(device), w.peer.SetDown(device))
			},
			func(l port.Link) bool { return l.Up && !l.Carrier }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			links := follow(t, watch(t, w.host), device)
			links.next()
			must(t, c.change(w))
			links.until(c.seen)
		})
	}
}

func setMAC(n *netlab.Namespace, mac net.HardwareAddr) error {
	return n.Do(func() error {
		link, err := netlink.LinkByName(device)
		if err != nil {
			return err
		}
		return netlink.LinkSetHardwareAddr(link, mac)
	})
}

func TestDeviceThatIsDownHasNoCarrier(t *testing.T) {
	w := newWire(t)
	w.up(t)
	links := follow(t, watch(t, w.host), device)
	links.next()
	must(t, w.host.SetDown(device))
	if got := links.until(func(l port.Link) bool { return !l.Up }); got.Carrier {
		t.Errorf("got %+v", got)
	}
}

func TestDeviceThatReturnsHasAnotherLife(t *testing.T) {
	w := newWire(t)
	links := follow(t, watch(t, w.host), device)
	before := links.next()
	must(t, w.host.Remove(device))
	links.until(missing)
	must(t, netlab.Join(w.host, device, w.peer, device))
	after := links.until(exists)
	if after.Life == before.Life || after.Index == before.Index {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

// A device keeps its index on a visit to another network namespace, and loses its sockets and chains.
func TestDeviceThatComesBackWithItsIndexHasAnotherLife(t *testing.T) {
	w := newWire(t)
	links := follow(t, watch(t, w.host), device)
	before := links.next()
	away := namespace(t)
	move(t, w.host, away)
	move(t, away, w.host)
	after := links.until(func(l port.Link) bool { return l.Exists })
	if after.Index != before.Index || after.Life == before.Life {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

// move puts the device into another namespace.
func move(t *testing.T, from, to *netlab.Namespace) {
	t.Helper()
	fd := namespaceFile(t, to)
	alter(t, from, device, func(l netlink.Link) error { return netlink.LinkSetNsFd(l, int(fd.Fd())) })
}

func TestRenamedDeviceLeavesItsName(t *testing.T) {
	w := newWire(t)
	watcher := watch(t, w.host)
	old, renamed := follow(t, watcher, device), follow(t, watcher, "eth9")
	before := old.next()
	alter(t, w.host, device, func(l netlink.Link) error { return netlink.LinkSetName(l, "eth9") })
	old.until(missing)
	if after := renamed.until(exists); after.Life != before.Life {
		t.Errorf("another life though it is the same device: %+v, %+v", before, after)
	}
}

func TestNameThatMovesHasTheLifeOfTheOtherDevice(t *testing.T) {
	w := newWire(t)
	must(t, netlab.Join(w.host, "eth2", w.peer, "eth2"))
	must(t, w.host.SetMTU("eth2", 1234))
	links := follow(t, watch(t, w.host), device)
	before := links.next()
	alter(t, w.host, device, func(l netlink.Link) error { return netlink.LinkSetName(l, "eth9") })
	alter(t, w.host, "eth2", func(l netlink.Link) error { return netlink.LinkSetName(l, device) })
	after := links.until(func(l port.Link) bool { return l.MTU == 1234 })
	if after.Life == before.Life {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

// A bridge says that a port has left with the message that says that a device is gone.
func TestPortThatLeavesBridgeStillExists(t *testing.T) {
	w := newWire(t)
	must(t, w.host.Bridge("br0", device))
	links := follow(t, watch(t, w.host), device)
	before := links.next()
	if before.Master != "br0" || before.MasterKind != "bridge" {
		t.Errorf("in the bridge: %+v", before)
	}
	alter(t, w.host, device, func(l netlink.Link) error { return netlink.LinkSetNoMaster(l) })
	must(t, w.host.SetMTU(device, 1400)) // the last message, after all that the bridge has to say
	after := links.until(func(l port.Link) bool { return l.MTU == 1400 && l.MasterKind == "" })
	if after.Life != before.Life {
		t.Errorf("taken for gone in between: before %+v, after %+v", before, after)
	}
}

func TestSlowConsumerGetsTheLatestState(t *testing.T) {
	w := newWire(t)
	watcher := watch(t, w.host)
	slow, other := follow(t, watcher, device), follow(t, watcher, device)
	for mtu := 1000; mtu < 1200; mtu++ {
		must(t, w.host.SetMTU(device, mtu))
	}
	other.until(func(l port.Link) bool { return l.MTU == 1199 })
	watcher.Link(device) // waits until every consumer has been served
	if got := slow.next(); got.MTU != 1199 {
		t.Errorf("MTU %d, want the latest, 1199", got.MTU)
	}
}

func TestStopClosesTheChannel(t *testing.T) {
	links, stop := watch(t, namespace(t)).Follow(device)
	<-links
	stop()
	stop()
	if _, open := <-links; open {
		t.Error("still open")
	}
}

func TestEndOfContextEndsTheWatcher(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	watcher := watchIn(t, ctx, namespace(t))
	links, stop := watcher.Follow(device)
	defer stop()
	<-links
	cancel()
	if _, open := <-links; open {
		t.Error("still open")
	}
	if err := watcher.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("Err() = %v", err)
	}
	if _, open := <-after(watcher); open {
		t.Error("Follow after the end delivers")
	}
}

func after(w *port.Watcher) <-chan port.Link {
	links, _ := w.Follow(device)
	return links
}

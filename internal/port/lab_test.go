package port_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"mkad/internal/netlab"
	"mkad/internal/port"
)

func TestMain(m *testing.M) {
	if err := netlab.Reexec(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// patience is how long a test waits for what has to come.
const patience = 10 * time.Second

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func namespace(t *testing.T) *netlab.Namespace {
	t.Helper()
	n, err := netlab.NewNamespace()
	must(t, err)
	t.Cleanup(func() { must(t, n.Close()) })
	return n
}

// A wire is the device eth1 of host joined to the device eth1 of peer, both down.
type wire struct{ host, peer *netlab.Namespace }

const device = "eth1"

func newWire(t *testing.T) wire {
	t.Helper()
	w := wire{host: namespace(t), peer: namespace(t)}
	must(t, w.peer.Bridge("other")) // with equal indexes the kernel would report carrier up to a second late
	must(t, netlab.Join(w.host, device, w.peer, device))
	return w
}

// up brings the wire up, and returns when it can carry frames.
func (w wire) up(t *testing.T) {
	t.Helper()
	must(t, w.host.SetUp(device))
	must(t, w.peer.SetUp(device))
	for _, n := range []*netlab.Namespace{w.host, w.peer} {
		follow(t, watch(t, n), device).until(func(l port.Link) bool { return l.Carrier })
	}
}

func watch(t *testing.T, n *netlab.Namespace) *port.Watcher {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return watchIn(t, ctx, n)
}

func watchIn(t *testing.T, ctx context.Context, n *netlab.Namespace) (w *port.Watcher) {
	t.Helper()
	must(t, n.Do(func() (err error) { w, err = port.Watch(ctx); return err }))
	return w
}

// A consumer takes what a Watcher delivers about one name.
type consumer struct {
	t     *testing.T
	links <-chan port.Link
}

func follow(t *testing.T, w *port.Watcher, name string) consumer {
	t.Helper()
	links, stop := w.Follow(name)
	t.Cleanup(stop)
	return consumer{t, links}
}

func (c consumer) next() port.Link {
	c.t.Helper()
	select {
	case l, ok := <-c.links:
		if !ok {
			c.t.Fatal("the channel is closed")
		}
		return l
	case <-time.After(patience):
		c.t.Fatal("nothing has come")
	}
	return port.Link{}
}

// until takes links until one is as wanted, and returns it.
func (c consumer) until(wanted func(port.Link) bool) port.Link {
	c.t.Helper()
	for {
		if l := c.next(); wanted(l) {
			return l
		}
	}
}

// alter changes a device.
func alter(t *testing.T, n *netlab.Namespace, name string, change func(netlink.Link) error) {
	t.Helper()
	must(t, n.Do(func() error {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		return change(link)
	}))
}

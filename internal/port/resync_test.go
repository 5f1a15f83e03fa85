package port

import (
	"testing"
	"time"

	"mkad/internal/netlab"
)

// The receiving goroutine is held up until the kernel has dropped messages, the last ones among them.
func TestLostMessagesAreMadeUpFor(t *testing.T) {
	host, peer := newNamespace(t), newNamespace(t)
	for _, name := range []string{"eth1", "eth2"} {
		check(t, netlab.Join(host, name, peer, name))
	}
	var w *Watcher
	check(t, host.Do(func() (err error) { w, err = Watch(t.Context()); return err }))
	check(t, w.socket.SetReceiveBufferSize(1, false)) // the kernel makes it the least it has
	changed, stop := w.Follow("eth1")
	defer stop()
	removed, stop := w.Follow("eth2")
	defer stop()

	w.mu.Lock()
	for mtu := 1000; mtu < 1050; mtu++ {
		check(t, host.SetMTU("eth1", mtu))
	}
	check(t, host.Remove("eth2"))
	w.mu.Unlock()

	await(t, changed, func(l Link) bool { return l.MTU == 1049 })
	await(t, removed, func(l Link) bool { return !l.Exists })
}

func await(t *testing.T, links <-chan Link, wanted func(Link) bool) {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		select {
		case l := <-links:
			if wanted(l) {
				return
			}
		case <-timeout:
			t.Fatal("the change has not been seen")
		}
	}
}

func newNamespace(t *testing.T) *netlab.Namespace {
	t.Helper()
	n, err := netlab.NewNamespace()
	check(t, err)
	t.Cleanup(func() { check(t, n.Close()) })
	return n
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

//go:build guest

package kernel_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"mkad/internal/netlab"
	"mkad/secy"
	"mkad/secy/kernel"
)

// These tests need a kernel with macsec, and are for a guest that has one.

// A host is one end of a wire, with a Device on it.
type host struct {
	*kernel.Device
	t    *testing.T
	ns   *netlab.Namespace
	sci  secy.SCI
	addr net.IP
	log  bytes.Buffer
}

// newHosts makes a wire whose ends have no Device yet.
func newHosts(t *testing.T) (west, east *host) {
	t.Helper()
	west, east = newHost(t, 1), newHost(t, 2)
	must(t, netlab.Join(west.ns, "eth1", east.ns, "eth1"))
	for _, h := range []*host{west, east} {
		must(t, h.ns.SetMTU("eth1", 1532))
		must(t, h.ns.SetUp("eth1"))
	}
	return west, east
}

func newHost(t *testing.T, n byte) *host {
	t.Helper()
	ns, err := netlab.NewNamespace()
	must(t, err)
	t.Cleanup(func() { must(t, ns.Close()) })
	return &host{t: t, ns: ns, addr: net.IPv4(192, 0, 2, n)}
}

func (h *host) open(suite secy.CipherSuite, change ...func(*kernel.Config)) {
	h.t.Helper()
	must(h.t, h.tryOpen(suite, change...))
	h.t.Cleanup(func() { must(h.t, h.Close(false)) })
}

func (h *host) tryOpen(suite secy.CipherSuite, change ...func(*kernel.Config)) error {
	lower, err := h.ns.Device("eth1")
	must(h.t, err)
	h.sci = secy.NewSCI([6]byte(lower.MAC), 1)
	cfg := kernel.Config{Lower: lower.Index, LowerName: "eth1", Controlled: "macsec0", MAC: [6]byte(lower.MAC),
		MTU: lower.MTU, SCI: h.sci, CipherSuite: suite, Logger: slog.New(slog.NewTextHandler(&h.log, nil))}
	for _, c := range change {
		c(&cfg)
	}
	return h.ns.Do(func() (err error) {
		h.Device, err = kernel.Open(cfg)
		return err
	})
}

func (h *host) order(ops ...secy.Op) {
	h.t.Helper()
	for _, op := range ops {
		for _, r := range h.Apply(op, nil) {
			if r.Kind == secy.ReportFailed {
				h.t.Fatalf("%v\n%s", r, &h.log)
			}
		}
	}
}

// secure installs a key on both hosts, with the PN that each begins with.
func secure(west, east *host, settings secy.Settings, key secy.KeyID, an secy.AN, pn secy.PN) {
	n := settings.CipherSuite.KeyLen()
	for i, h := range []*host{west, east} {
		other := []*host{east, west}[i]
		tx := secy.Op{Kind: secy.OpCreateTransmitSA, Key: key, AN: an, PN: pn, SSCI: secy.SSCI(1 + i), SAK: sak(n)}
		rx := secy.Op{Kind: secy.OpCreateReceiveSA, SCI: other.sci, Key: key, AN: an, PN: pn, SSCI: secy.SSCI(2 - i), SAK: sak(n)}
		h.order(configure(settings), receiveSC(other.sci), rx, tx, enableReceive(key))
	}
	for _, h := range []*host{west, east} {
		h.order(enableTransmit(key), controlledPort(true))
	}
}

// address gives both hosts an address on their Controlled Port.
func (h *host) address() {
	h.t.Helper()
	must(h.t, h.ns.AddAddress("macsec0", h.addr.String()+"/24"))
}

// exchange sends datagrams of some lengths from west to east and back.
func exchange(t *testing.T, west, east *host) {
	t.Helper()
	a, b := listen(t, west), listen(t, east)
	for _, n := range []int{1, 100, 1472} {
		pass(t, a, b, n)
		pass(t, b, a, n)
	}
}

func listen(t *testing.T, h *host) (c net.PacketConn) {
	t.Helper()
	must(t, h.ns.Do(func() (err error) {
		c, err = net.ListenPacket("udp4", h.addr.String()+":0")
		return err
	}))
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func pass(t *testing.T, from, to net.PacketConn, n int) {
	t.Helper()
	if _, err := from.WriteTo(make([]byte, n), to.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	must(t, to.SetReadDeadline(time.Now().Add(10*time.Second)))
	got, _, err := to.ReadFrom(make([]byte, 2000))
	if err != nil || got != n {
		t.Fatalf("received %d octets of %d: %v", got, n, err)
	}
}

func settingsOf(suite secy.CipherSuite) secy.Settings {
	s := strict
	s.CipherSuite = suite
	return s
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ticks := time.NewTicker(50 * time.Millisecond)
	defer ticks.Stop()
	for range 400 {
		if holds() {
			return
		}
		<-ticks.C
	}
	t.Fatalf("it does not come to this: %s", what)
}

func (h *host) run(command string) {
	h.t.Helper()
	out, err := h.ns.Run(context.Background(), strings.Fields(command)[0], strings.Fields(command)[1:]...)
	if err != nil {
		h.t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

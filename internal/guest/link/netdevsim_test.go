package link

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mkad/internal/control"
	"mkad/internal/netlab/mkadlab"
)

// These tests need netdevsim (run -netdevsim), which does as if it offloaded MACsec: what is ordered is kept and shown,
// frames cross in clear.

// bus is where netdevsim's devices are made and joined.
const bus = "/sys/bus/netdevsim/"

func tell(t *testing.T, file, format string, values ...any) {
	t.Helper()
	must(t, os.WriteFile(bus+file, fmt.Appendf(nil, format, values...), 0))
}

// newOffloadLink is newLink with a joined pair of netdevsim's devices in place of the veth pair.
func newOffloadLink(t *testing.T, west, east string) *mkadlab.Link {
	t.Helper()
	for id := 1; id <= 2; id++ {
		tell(t, "new_device", "%d 1", id)
		t.Cleanup(func() { tell(t, "del_device", "%d", id) })
	}
	l := newLink(t, west, east)
	must(t, l.West.Remove(mkadlab.Lower))
	var ends [2]string
	for i, h := range l.Hosts() {
		found, err := filepath.Glob(fmt.Sprintf("%sdevices/netdevsim%d/net/*", bus, i+1))
		must(t, err)
		if len(found) != 1 {
			t.Fatalf("netdevsim %d has the devices %q", i+1, found)
		}
		must(t, h.Take(filepath.Base(found[0]), mkadlab.Lower))
		d, err := h.Device(mkadlab.Lower)
		must(t, err)
		must(t, h.Do(func() error {
			ns, err := os.Open("/proc/thread-self/ns/net")
			if err == nil {
				ends[i] = fmt.Sprintf("%d:%d", ns.Fd(), d.Index)
				t.Cleanup(func() { _ = ns.Close() })
			}
			return err
		}))
	}
	tell(t, "link_device", "%s %s", ends[0], ends[1])
	return l
}

// offloaded are the lines of a port whose SecY is the NIC's.
const offloaded = "backend = \"offload-mac\"\nuncontrolled = \"open\""

// Clause: none; the first step of offload: what the machine orders is what the driver has.
func TestGuestNetdevsimSecYIsKeyedAndRotated(t *testing.T) {
	l := newOffloadLink(t, offloaded, offloaded)
	must(t, l.Secure(t.Context()))
	for range 3 {
		rekey(t, l)
		for _, h := range l.Hosts() {
			p := port(t, h)
			s, text := show(t, h)
			if p.Backend != "offload-mac" || s.Offload != "mac" || s.encoding().Key != p.Tx.KI || !s.encoding().Active ||
				len(s.RxSCs) != 1 || longSCI(s.RxSCs[0].SCI) != p.Rx[0].SCI {
				t.Errorf("%s: status %+v, ip %s", h.Name, p, text)
			}
		}
	}
	carriesBothWays(t, l)
}

// Clause: none; design: doctor finds the engine, says what of it bites, and leaves one alone that is in use.
func TestGuestNetdevsimIsJudgedByDoctor(t *testing.T) {
	l := newOffloadLink(t, offloaded, offloaded)
	const trap = "it protects nothing"
	doctor := func() string {
		return strings.Join(strings.Fields(run(t, l.West, "mkactl doctor "+mkadlab.Lower)), " ")
	}
	if out := doctor(); !strings.Contains(out, "MACsec in hardware: offload-mac ("+trap) {
		t.Errorf("doctor says\n%s", out)
	}
	must(t, l.Secure(t.Context()))
	if out := doctor(); !strings.Contains(out, "(mkad) serves it") ||
		!strings.Contains(out, mkadlab.Controlled+" is on it, so MACsec in hardware was not tried ("+trap) {
		t.Errorf("beside mkad doctor says\n%s", out)
	}
	ki := port(t, l.West).Tx.KI
	for _, backend := range []string{"kernel", "offload-mac"} { // from hardware into software, where the other cannot follow
		if out, err := l.West.Mkactl(t.Context(), "backend", mkadlab.Lower, backend); err != nil {
			t.Fatal(out, err)
		}
		if backend == "kernel" {
			waitFor(t, "the kernel's SecY", func() bool { return port(t, l.West).Backend == backend })
		}
	}
	waitFor(t, "both to be secured in hardware again", func() bool {
		west, east := port(t, l.West), port(t, l.East)
		return west.Backend == "offload-mac" && west.State == control.Secured && west.Tx.KI == east.Tx.KI && west.Tx.KI != ki
	})
	carriesBothWays(t, l)
}

// Clause: none; a NIC without room for another SecY says so in the status.
func TestGuestNetdevsimFourthSecYIsRefused(t *testing.T) {
	l := newOffloadLink(t, offloaded, offloaded)
	for n := 2; n <= 4; n++ {
		run(t, l.West, fmt.Sprintf("ip link add link eth1 other%d type macsec port %d offload mac", n, n))
	}
	must(t, l.West.StartDaemon(t.Context()))
	waitForReason(t, l.West, control.Failed, "the hardware has no room for another SecY", `set backend to "kernel"`)
	run(t, l.West, "ip link delete other2")
	must(t, l.East.StartDaemon(t.Context()))
	waitFor(t, "a secured port", func() bool { return port(t, l.West).State == control.Secured })
}

// Clause: none; a NIC that can receive from one peer only says so in the status.
func TestGuestNetdevsimSecondReceiveSCIsRefused(t *testing.T) {
	l := newOffloadLink(t, offloaded, offloaded)
	run(t, l.West, "ip link add link eth1 macsec0 type macsec cipher gcm-aes-xpn-256 encrypt on offload mac")
	run(t, l.West, "ip macsec add macsec0 rx sci 0200000000aa0001 on")
	must(t, l.StartDaemons(t.Context()))
	waitFor(t, "the refusal", func() bool {
		return strings.Contains(port(t, l.West).Reason, "the hardware has no room for more: use fewer ports or peers")
	})
}

// Clause: none; design decision 4: with offload frames cross the lower device in clear inside the host, so the host's use
// of it is closed instead, and the Controlled Port's while nothing secures it.
func TestGuestNetdevsimClosedDeviceIsClosed(t *testing.T) {
	const closed = `backend = "offload-mac"`
	l := newOffloadLink(t, closed, closed)
	must(t, l.West.StartDaemon(t.Context()))
	must(t, l.Connect())
	waitFor(t, "the Controlled Port", func() bool {
		_, err := l.West.Device(mkadlab.Controlled)
		return err == nil
	})
	nothingPasses := func(when string) {
		t.Helper()
		for _, from := range []string{mkadlab.Controlled, mkadlab.Lower} {
			if r := stream(t, l.West, from, l.East, mkadlab.Lower); r.Received != 0 {
				t.Errorf("%s, frames of %s pass: %s", when, from, r)
			}
		}
	}
	must(t, l.East.SetUp(mkadlab.Lower))
	nothingPasses("before there is a peer")
	must(t, l.East.StartDaemon(t.Context()))
	must(t, l.WaitFor(t.Context(), control.Secured))
	carriesBothWays(t, l)
	if r := stream(t, l.West, mkadlab.Lower, l.East, mkadlab.Lower); r.Received != 0 {
		t.Errorf("secured, the host's own frames pass: %s", r)
	}
	l.East.Daemon().Kill()
	waitFor(t, "the loss of the peer", func() bool { return port(t, l.West).State == control.Blocked })
	nothingPasses("without a peer")
}

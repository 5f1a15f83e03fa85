package link

import (
	"strings"
	"testing"
	"time"

	"mkad/internal/control"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// Clause: none; design decision 2: another backend is another device; what others know the Controlled Port by stays, and the
// lower device is closed all the while.
func TestGuestAnotherBackendKeepsTheControlledPort(t *testing.T) {
	l := newLink(t, `backend = "kernel"`, `backend = "kernel"`)
	must(t, l.Secure(t.Context()))
	must(t, l.Address())
	for _, command := range []string{
		"ip route add 198.51.100.0/24 dev " + mkadlab.Controlled,
		"ip link add link " + mkadlab.Controlled + " name v7 type vlan id 7",
		"ip addr add 192.0.2.129/25 dev v7",
		"ip link set v7 up",
	} {
		run(t, l.West, command)
	}
	before := identity(t, l.West) + vlan(t, l.West)
	wire, err := netlab.StartCapture(l.East.Namespace, mkadlab.Lower)
	must(t, err)
	for _, c := range []struct{ order, is string }{{"userspace", "userspace"}, {"auto", "kernel"}, {"userspace", "userspace"}, {"kernel", "kernel"}} {
		start := time.Now()
		if out, err := l.West.Mkactl(t.Context(), "backend", mkadlab.Lower, c.order); err != nil {
			t.Fatal(out, err)
		}
		waitFor(t, "both to transmit with one key on "+c.order, func() bool {
			west, east := port(t, l.West), port(t, l.East)
			return west.Backend == c.is && west.State == control.Secured && west.Tx.KI == east.Tx.KI && west.Tx.KI != ""
		})
		t.Logf("backend %s: secured again after %s", c.order, time.Since(start).Round(time.Millisecond))
		if after := identity(t, l.West) + vlan(t, l.West); after != before {
			t.Errorf("%s: before\n%safter\n%s", c.order, before, after)
		}
		carriesBothWays(t, l)
	}
	captured, err := wire.Stop()
	must(t, err)
	for _, kind := range captured.Types() {
		if kind != netlab.EtherTypeEAPOL && kind != netlab.EtherTypeMACsec {
			t.Errorf("%d frames of EtherType %s on the wire", captured.Count(kind), kind)
		}
	}
}

func vlan(t *testing.T, h *mkadlab.Host) string {
	t.Helper()
	return run(t, h, "ip -o -d address show dev v7 scope global")
}

// Clause: none; design decision 2: what cannot be put back is told beforehand, and refused without --force.
func TestGuestChangeThatLosesSomethingIsRefused(t *testing.T) {
	const suites = `cipher_suites = ["GCM-AES-256"]`
	l := newLink(t, marker, "")
	must(t, l.Secure(t.Context()))
	run(t, l.West, "ip link add link "+mkadlab.Controlled+" name mv0 type macvlan")
	since := port(t, l.West).Since
	configure(t, l.West, marker, suites)
	const loss = "device mv0 (macvlan) on " + mkadlab.Controlled
	if out := run(t, l.West, "mkad --config "+l.West.ConfigFile()+" --check --diff"); !strings.Contains(out, "loses "+loss) {
		t.Errorf("--check --diff says\n%s", out)
	}
	for _, order := range [][]string{{"reload"}, {"backend", mkadlab.Lower, "userspace"}} {
		out, err := l.West.Mkactl(t.Context(), order...)
		if err == nil || !strings.Contains(out, "could not be given back: "+loss) || !strings.Contains(out, "--force") {
			t.Errorf("%v: %v, %s", order, err, out)
		}
	}
	if now := port(t, l.West); now.Since != since || now.State != control.Secured {
		t.Errorf("the port is %s since %s, was secured since %s", now.State, now.Since, since)
	}
	if out, err := l.West.Mkactl(t.Context(), "reload", "--force"); err != nil {
		t.Fatal(out, err)
	}
	waitFor(t, "the other suite", func() bool {
		west, east := port(t, l.West), port(t, l.East)
		return west.State == control.Secured && west.Tx.KI == east.Tx.KI && west.CipherSuite == "GCM-AES-256"
	})
}

// Clause: none; design: bad input leaves what was running untouched.
func TestGuestBackendThatIsNotThereIsRefused(t *testing.T) {
	l := newLink(t, "", "")
	must(t, l.Secure(t.Context()))
	ki := port(t, l.West).Tx.KI
	for name, says := range map[string]string{"offload-mac": "choose backend", "hardware": "there is no backend"} {
		if out, err := l.West.Mkactl(t.Context(), "backend", mkadlab.Lower, name); err == nil || !strings.Contains(out, says) {
			t.Errorf("%s: %v, %s", name, err, out)
		}
	}
	if out, err := l.West.Mkactl(t.Context(), "backend", mkadlab.Lower, "kernel"); err != nil {
		t.Error(out, err)
	}
	if now := port(t, l.West); now.Tx.KI != ki || now.State != control.Secured {
		t.Errorf("the port is %s with key %s, was secured with %s", now.State, now.Tx.KI, ki)
	}
	carriesBothWays(t, l)
}

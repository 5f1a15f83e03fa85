package link

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"mkad/internal/control"
	"mkad/internal/netlab/mkadlab"
)

// A listener hears of a device what a routing daemon hears: whether it runs (IFF_RUNNING) and its addresses.
type listener struct {
	mu    sync.Mutex
	heard []bool
}

func listen(t *testing.T, h *mkadlab.Host) *listener {
	t.Helper()
	d, err := h.Device(mkadlab.Controlled)
	must(t, err)
	l := &listener{}
	updates, done := make(chan netlink.LinkUpdate), make(chan struct{})
	must(t, h.Do(func() error { return netlink.LinkSubscribe(updates, done) }))
	t.Cleanup(func() { close(done) })
	go func() {
		for u := range updates {
			if int(u.Index) == d.Index {
				l.hear(u.IfInfomsg.Flags&unix.IFF_RUNNING != 0)
			}
		}
	}()
	return l
}

func (l *listener) hear(running bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.heard); n == 0 || l.heard[n-1] != running {
		l.heard = append(l.heard, running)
	}
}

// says reports whether the changes heard end so.
func (l *listener) says(want ...bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.heard) >= len(want) && slices.Equal(l.heard[len(l.heard)-len(want):], want)
}

// masters are devices that the Controlled Port may be a part of, with what they say of it.
var masters = map[string]struct {
	make    []string
	secured string            // in "ip -details link show"
	without map[string]string // while unsecured, by the way to be unsecured
}{
	"bridge": {[]string{"ip link add top type bridge"}, "bridge_slave state forwarding",
		map[string]string{"dormant": "bridge_slave state disabled", "down": "bridge_slave state disabled",
			"userspace": "bridge_slave state disabled"}},
	"bond": {[]string{"ip link add top mtu 1468 type bond mode active-backup miimon 100"}, "mii_status UP",
		map[string]string{"dormant": "mii_status UP", "down": "mii_status DOWN", "userspace": "mii_status DOWN"}},
}

// waysUnsecured are how a Controlled Port may look while it is not secured.
var waysUnsecured = map[string]struct {
	lines string
	state string // in "ip link show"
	keeps bool   // its addresses and routes
}{
	"dormant":   {"on_unsecured = \"dormant\"\nbackend = \"kernel\"", "state DORMANT", true},
	"down":      {"on_unsecured = \"down\"\nbackend = \"kernel\"", "state DOWN", false},
	"userspace": {"backend = \"userspace\"", "state DOWN", true}, // without carrier
}

// Clause: none; design: on_unsecured, as docs/controlled-port.md tells it.
func TestGuestUnsecuredPortIsSeen(t *testing.T) {
	for way, w := range waysUnsecured {
		for name, m := range masters {
			t.Run(way+" in a "+name, func(t *testing.T) {
				l := newLink(t, w.lines, "")
				must(t, l.Secure(t.Context()))
				becomePart(t, l.West, name, m.make)
				must(t, l.West.AddAddress(mkadlab.Controlled, mkadlab.WestAddress+"/24"))
				must(t, l.West.AddAddress(mkadlab.Controlled, mkadlab.WestAddress6+"/64"))
				run(t, l.West, "ip route add 203.0.113.0/24 via "+mkadlab.EastAddress)
				run(t, l.West, "ip -6 route add 2001:db8:1::/48 via "+mkadlab.EastAddress6)
				waitForDetails(t, l.West, m.secured, "state UP")
				before := addresses(t, l.West)
				heard := listen(t, l.West)

				l.East.Daemon().Kill()
				waitFor(t, "the peer's loss", func() bool { return port(t, l.West).State == control.Blocked })
				waitForDetails(t, l.West, m.without[way], w.state)
				waitFor(t, "routing daemons to hear of it", func() bool { return heard.says(false) })
				if w.keeps && addresses(t, l.West) != before {
					t.Errorf("it has cost addresses: before\n%s\nnow\n%s", before, addresses(t, l.West))
				}

				must(t, l.East.StartDaemon(t.Context()))
				waitFor(t, "a secured port", func() bool { return port(t, l.West).State == control.Secured })
				waitForDetails(t, l.West, m.secured, "state UP")
				waitFor(t, "routing daemons to hear of it", func() bool { return heard.says(false, true) })
				if after := addresses(t, l.West); after != before {
					t.Errorf("before\n%s\nafterwards\n%s", before, after)
				}
			})
		}
	}
}

// becomePart makes a device and the Controlled Port its part. A bond takes only parts that are down.
func becomePart(t *testing.T, h *mkadlab.Host, kind string, lines []string) {
	t.Helper()
	for _, line := range lines {
		run(t, h, line)
	}
	if kind == "bond" {
		run(t, h, "ip link set macsec0 down")
	}
	run(t, h, "ip link set macsec0 master top")
	run(t, h, "ip link set macsec0 up")
	run(t, h, "ip link set top up")
}

// waitForDetails waits until ip says all the words of the Controlled Port.
func waitForDetails(t *testing.T, h *mkadlab.Host, words ...string) {
	t.Helper()
	var out string
	defer func() {
		if t.Failed() {
			t.Logf("%q are not in\n%s", words, out)
		}
	}()
	waitFor(t, strings.Join(words, ", "), func() bool {
		out = run(t, h, "ip -details link show macsec0")
		for _, w := range words {
			if !strings.Contains(out, w) {
				return false
			}
		}
		return true
	})
}

// addresses lists what the Controlled Port has of addresses and routes, but what the kernel gives it by itself.
func addresses(t *testing.T, h *mkadlab.Host) string {
	t.Helper()
	var kept []string
	for _, line := range []string{"ip -o address show dev macsec0", "ip route show dev macsec0", "ip -6 route show dev macsec0"} {
		for out := range strings.Lines(run(t, h, line)) {
			out = strings.NewReplacer("linkdown", "", "tentative", "").Replace(out)
			if !strings.Contains(out, "fe80:") && !strings.Contains(out, "ff00:") {
				kept = append(kept, strings.Join(strings.Fields(out), " "))
			}
		}
	}
	slices.Sort(kept)
	return strings.Join(kept, "\n")
}

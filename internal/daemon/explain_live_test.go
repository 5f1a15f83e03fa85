package daemon_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"mkad/eapol"
	"mkad/internal/control"
	"mkad/internal/explain"
	"mkad/internal/netlab/mkadlab"
	"mkad/internal/port"
	"mkad/mka"
)

// An ailment is a condition made for real between two hosts, and what the west says of it.
type ailment struct {
	name  string
	cause explain.Cause
	says  string
	port  string // lines of both configurations
	make  func(t *testing.T, l *mkadlab.Link)
}

var ailments = []ailment{
	{"bridge port", explain.Enslaved, "br0", "", func(t *testing.T, l *mkadlab.Link) {
		must(t, l.West.Bridge("br0", mkadlab.Lower))
		must(t, l.West.StartDaemon(t.Context()))
	}},
	{"another 802.1X program", explain.Occupied, "speaks 802.1X", "", func(t *testing.T, l *mkadlab.Link) {
		listen(t, l.West)
		must(t, l.West.StartDaemon(t.Context()))
	}},
	{"another 802.1X program that comes later", explain.Occupied, "speaks 802.1X", "", func(t *testing.T, l *mkadlab.Link) {
		must(t, l.West.StartDaemon(t.Context()))
		must(t, l.East.SetUp(mkadlab.Lower))
		listen(t, l.West)
	}},
	{"another mkad", explain.Occupied, "another mkad", "", func(t *testing.T, l *mkadlab.Link) {
		must(t, l.West.Do(func() error {
			claim, err := port.ClaimDevice(mkadlab.Lower)
			t.Cleanup(claim.Release)
			return err
		}))
		must(t, l.West.StartDaemon(t.Context()))
	}},
	{"device gone", explain.NoDevice, "eth1 does not exist", "", func(t *testing.T, l *mkadlab.Link) {
		must(t, l.Secure(t.Context()))
		must(t, l.East.Remove(mkadlab.Lower))
	}},
	{"another name of a device", explain.NoDevice, "eth1 is only another name of real0", "", func(t *testing.T, l *mkadlab.Link) {
		for _, args := range [][]string{{"set", mkadlab.Lower, "name", "real0"}, {"property", "add", "dev", "real0", "altname", mkadlab.Lower}} {
			_, err := l.West.Run(t.Context(), "ip", append([]string{"link"}, args...)...)
			must(t, err)
		}
		out, err := mkad(t, l.West, "--check")
		must(t, err)
		if !strings.Contains(out, "eth1 is only another name of real0") {
			t.Errorf("--check says\n%s", out)
		}
		must(t, l.West.StartDaemon(t.Context()))
	}},
	{"device down", explain.DeviceDown, "ip link set eth1 up", "", func(t *testing.T, l *mkadlab.Link) {
		must(t, l.Secure(t.Context()))
		must(t, l.West.SetDown(mkadlab.Lower))
	}},
	{"no carrier", explain.NoCarrier, "cable", "", func(t *testing.T, l *mkadlab.Link) {
		must(t, l.West.StartDaemon(t.Context()))
	}},
	{"MTU below an MKPDU", explain.MTUTooSmall, "MTU of eth1, which is 110", "", func(t *testing.T, l *mkadlab.Link) {
		must(t, l.West.SetMTU(mkadlab.Lower, 110))
		must(t, l.StartDaemons(t.Context()))
	}},
	{"reflecting wire", explain.OwnFrames, "look for a loop", "", func(t *testing.T, l *mkadlab.Link) {
		must(t, l.East.SetUp(mkadlab.Lower))
		reflect(t, l.East)
		must(t, l.West.StartDaemon(t.Context()))
	}},
	{"priority 255 on both sides", explain.NoKeyServer, "lower it on one", "key_server_priority = 255", both},
	{"no suite in common", explain.SuiteMismatch, "change cipher_suites", "# here", func(t *testing.T, l *mkadlab.Link) {
		edit(t, l.West, "# here", `cipher_suites = ["GCM-AES-128"]`)
		edit(t, l.East, "# here", `cipher_suites = ["GCM-AES-XPN-256"]`)
		both(t, l)
	}},
	{"offset 30 and XPN", explain.OffsetMismatch, "confidentiality", "# here", func(t *testing.T, l *mkadlab.Link) {
		edit(t, l.West, "# here", "confidentiality = \"offset-30\"\nkey_server_priority = 1")
		edit(t, l.East, "# here", `cipher_suites = ["GCM-AES-XPN-256"]`)
		both(t, l)
	}},
	{"CKN filled with zeros", explain.CKNFilled, "zeros", "", func(t *testing.T, l *mkadlab.Link) {
		differ(t, l, "abcd", "abcd"+strings.Repeat("00", 30))
	}},
	{"CKN as text", explain.CKNText, "61626364", "", func(t *testing.T, l *mkadlab.Link) { differ(t, l, "abcd", "61626364") }},
	{"another CKN", explain.UnknownCKN, "uses CKN abce", "", func(t *testing.T, l *mkadlab.Link) { differ(t, l, "abcd", "abce") }},
	{"another CAK", explain.WrongCAK, "with another CAK", "", func(t *testing.T, l *mkadlab.Link) {
		giveOwnKey(t, l.East, l.KeyFile, keyText(16, 16))
		giveOwnKey(t, l.West, l.KeyFile, strings.Replace(keyText(16, 16), `cak = "55`, `cak = "56`, 1))
		both(t, l)
	}},
	{"CKN of next year", explain.KeyNotValid, "not valid now", "", func(t *testing.T, l *mkadlab.Link) {
		giveOwnKey(t, l.East, l.KeyFile, keyText(16, 16))
		giveOwnKey(t, l.West, l.KeyFile, keyText(16, 16)+"start = 2999-01-01T00:00:00Z\n"+keyText(5, 16))
		both(t, l)
	}},
	{"another destination", explain.OtherDestination, "go to 01:80:c2:00:00:00, and ours to 01:80:c2:00:00:03; write the same", "# here",
		func(t *testing.T, l *mkadlab.Link) {
			edit(t, l.East, "# here", `eapol_destination = "01:80:c2:00:00:00"`)
			both(t, l)
		}},
	{"peer killed", explain.PeerLost, "silent for Life Time", "", func(t *testing.T, l *mkadlab.Link) {
		must(t, l.Secure(t.Context()))
		l.East.Daemon().Kill()
	}},
	{"peer without mkad", explain.MKANotHeard, "other frames are", "", func(t *testing.T, l *mkadlab.Link) {
		must(t, l.West.StartDaemon(t.Context()))
		must(t, l.East.AddAddress(mkadlab.Lower, "2001:db8::7/64")) // IPv6 tells of itself
		must(t, l.East.SetUp(mkadlab.Lower))
	}},
	{"nobody", explain.NothingHeard, "is MKA running on the other side", "", func(t *testing.T, l *mkadlab.Link) {
		must(t, l.East.Do(func() error {
			link, err := netlink.LinkByName(mkadlab.Lower)
			must(t, err)
			return netlink.LinkSetIP6AddrGenMode(link, 1) // none, so that it has nothing to say
		}))
		must(t, l.West.StartDaemon(t.Context()))
		must(t, l.East.SetUp(mkadlab.Lower))
	}},
}

func both(t *testing.T, l *mkadlab.Link) {
	t.Helper()
	must(t, l.StartDaemons(t.Context()))
}

// differ starts both hosts with one CAK under two names.
func differ(t *testing.T, l *mkadlab.Link, west, east string) {
	t.Helper()
	for h, ckn := range map[*mkadlab.Host]string{l.West: west, l.East: east} {
		giveOwnKey(t, h, l.KeyFile, fmt.Sprintf("[[key]]\nckn = %q\ncak = %q\n", ckn, strings.Repeat("4d", 15)+"4e"))
	}
	both(t, l)
}

// listen has this process speak EAPOL on a host's device, as wpa_supplicant would.
func listen(t *testing.T, h *mkadlab.Host) *port.Socket {
	t.Helper()
	var s *port.Socket
	must(t, h.Do(func() error {
		device, err := netlink.LinkByName(mkadlab.Lower)
		must(t, err)
		s, err = port.Open(device.Attrs().Index, eapol.EtherType)
		return err
	}))
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// reflect sends every EAPOL frame back that arrives on a host's device.
func reflect(t *testing.T, h *mkadlab.Host) {
	t.Helper()
	s := listen(t, h)
	go func() {
		buf := make([]byte, 2048)
		for {
			n, err := s.ReadFrame(buf)
			if err != nil {
				return // closed
			}
			_ = s.WriteFrame(buf[:n]) // while the other end is down
		}
	}()
}

// waitForCause waits until a host's port says that.
func waitForCause(t *testing.T, h *mkadlab.Host, cause explain.Cause) control.Port {
	t.Helper()
	var p control.Port
	waitLong(t, "cause "+string(cause), patience, func() bool {
		p = portOf(t, h)
		return p.Cause == string(cause)
	})
	return p
}

// Clause: none; design: explain. Every condition that two hosts on a wire can have is told as what it is, in the status, by
// mkactl explain, and once in the log. All are made before the first is looked at: many show only after MKA Life Time.
func TestConditionsMadeForRealAreExplained(t *testing.T) {
	t.Parallel()
	var links []*mkadlab.Link
	for _, c := range ailments {
		l := newLink(t, released, "", c.port)
		c.make(t, l)
		links = append(links, l)
	}
	for i, c := range ailments {
		l := links[i]
		t.Run(c.name, func(t *testing.T) {
			p := waitForCause(t, l.West, c.cause)
			if !strings.Contains(p.Reason, c.says) || p.State == control.Secured {
				t.Errorf("%s, %s: %s; want what says %q", p.State, p.Cause, p.Reason, c.says)
			}
			out := mkactl(t, l.West, "explain", mkadlab.Lower)
			if joined := strings.Join(strings.Fields(out), " "); !strings.Contains(joined, "cause "+string(c.cause)+" why ") {
				t.Errorf("mkactl explain says\n%s", out)
			}
			waitLong(t, "a line of log", patience, func() bool { return timesLogged(l.West, c.cause) > 0 })
			if n := timesLogged(l.West, c.cause); n > 1 {
				t.Errorf("the log has the cause %d times", n)
			}
			if n := strings.Count(l.West.Log(), "cannot serve the port"); n > 1 {
				t.Errorf("the log says %d times that the port cannot be served", n)
			}
		})
	}
}

// Clause: none; design: explain. A Controlled Port that somebody has deleted is told until it is made again.
func TestDeletedControlledPortIsExplained(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	must(t, l.Secure(t.Context()))
	must(t, l.West.Remove(mkadlab.Controlled))
	if p := waitForCause(t, l.West, explain.DeviceTaken); p.State != control.Failed {
		t.Errorf("%s: %s", p.State, p.Reason)
	}
	must(t, l.WaitFor(t.Context(), control.Secured))
}

// timesLogged counts the lines with a cause since the port was last secured: the most of any one state, for a port may come to
// another state with it. While it is pending one may be told before.
func timesLogged(h *mkadlab.Host, cause explain.Cause) (n int) {
	log := h.Log()
	of := map[string]int{}
	for line := range strings.Lines(log[max(0, strings.LastIndex(log, "state=secured")):]) {
		_, state, _ := strings.Cut(line, " state=")
		state, _, _ = strings.Cut(state, " ")
		if strings.Contains(line, " cause="+string(cause)+" ") && state != "pending" {
			of[state]++
			n = max(n, of[state])
		}
	}
	return n
}

// Clause: none; design: explain. A peer that is too slow for MKA is told apart from one that has gone.
func TestPeerThatComesAndGoesIsSlow(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	must(t, l.Secure(t.Context()))
	t.Cleanup(func() { l.East.Daemon().Signal(syscall.SIGCONT) })
	for range 2 {
		l.East.Daemon().Signal(syscall.SIGSTOP)
		waitForCause(t, l.West, explain.PeerLost)
		l.East.Daemon().Signal(syscall.SIGCONT)
		must(t, l.West.WaitFor(t.Context(), control.Secured))
	}
	l.East.Daemon().Signal(syscall.SIGSTOP)
	waitForCause(t, l.West, explain.PeerSlow)
}

// Clause: none; design: explain. What mkad may not do, and what the kernel lacks, is told as that.
func TestWantOfRightsAndModulesIsExplained(t *testing.T) {
	for _, c := range []struct{ name, before, cause, says string }{
		{"no CAP_NET_RAW", `exec setpriv --bounding-set -net_raw`, "no-permission", "CAP_NET_RAW"},
		{"no TAP", `exec unshare --mount sh -c 'mount -t tmpfs none /dev/net && exec "$@"' sh`, "no-module", "tun module"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLink(t, programsWith(t, c.before), "", `backend = "userspace"`)
			must(t, l.West.StartDaemon(t.Context()))
			p := waitForCause(t, l.West, explain.Cause(c.cause))
			if p.State != control.Failed || !strings.Contains(p.Reason, c.says) {
				t.Errorf("%s: %s", p.State, p.Reason)
			}
		})
	}
}

// Clause: none; design: explain. A switch that keeps the group address, and one that carries it one way only.
func TestSwitchThatFiltersIsExplained(t *testing.T) {
	for _, c := range []struct {
		name  string
		cause explain.Cause
		args  []string // of a program in the switch
	}{
		{"group address kept", explain.MKANotHeard, []string{"ip", "link", "set", "switch", "type", "bridge", "group_fwd_mask", "0"}},
		{"one way", explain.OneWay, []string{"bridge", "link", "set", "dev", "port2", "mcast_flood", "off"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := mkadlab.NewSegment(t.Context(), 2, mkadlab.Options{Programs: released})
			must(t, err)
			t.Cleanup(func() { must(t, s.Close()) })
			_, err = s.Fabric().Run(t.Context(), c.args[0], c.args[1:]...)
			must(t, err)
			for i, h := range s.Members {
				must(t, h.StartDaemon(t.Context()))
				must(t, s.Plug(i, true))
			}
			waitForCause(t, s.Members[0], c.cause)
		})
	}
}

// Clause: none; design: explain. A healthy link gives no verdict.
func TestSecuredPortHasNothingToExplain(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	must(t, l.Secure(t.Context()))
	for _, h := range l.Hosts() {
		d, err := h.Control.Explain(t.Context(), mkadlab.Lower)
		must(t, err)
		if x := d.Ports[0]; x.Cause != "" || x.Reason != "" || x.Remedy != "" || len(x.Evidence) == 0 {
			t.Errorf("%s: %+v", h.Name, x)
		}
		if p := portOf(t, h); p.Cause != "" || p.Reason != "" {
			t.Errorf("%s: %s, %s", h.Name, p.Cause, p.Reason)
		}
	}
	var document any
	must(t, json.Unmarshal([]byte(mkactl(t, l.West, "explain", "--json")), &document))
	sameWords(t, "explain", fields("", document), "version ports ports.interface ports.controlled ports.state ports.since "+
		"ports.cause ports.reason ports.remedy ports.warnings ports.evidence")
}

// Clause: none; design: explain. Whoever changes a key on one side is not sent to look for a fault on the wire.
func TestChangedKeyIsNotBlamedOnTheWire(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	own := filepath.Join(filepath.Dir(l.West.ConfigFile()), "own.toml")
	text, err := os.ReadFile(l.KeyFile)
	must(t, err)
	must(t, os.WriteFile(own, text, 0o600))
	edit(t, l.West, l.KeyFile, own)
	must(t, l.Secure(t.Context()))
	<-time.After(mka.LifeTime) // until the carrier is none that has just come
	must(t, os.WriteFile(own, anotherCAK.ReplaceAll(text, []byte(`cak = "00112233445566778899aabbccddeeff"`)), 0o600))
	waitForCause(t, l.West, explain.WrongCAK)
	if n := timesLogged(l.West, explain.NothingHeard); n != 0 || strings.Contains(l.West.Log(), "cause="+string(explain.NothingHeard)) {
		t.Errorf("the log says that nothing is heard:\n%s", l.West.Log())
	}
}

var anotherCAK = regexp.MustCompile(`(?m)^cak *=.*$`)

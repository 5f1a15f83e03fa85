package link

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"mkad/internal/control"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// waitForReason waits until a port is in a state for a reason that says all the words.
func waitForReason(t *testing.T, h *mkadlab.Host, state control.State, words ...string) {
	t.Helper()
	var p control.Port
	defer func() {
		if t.Failed() {
			t.Logf("%s was %s: %s", h.Name, p.State, p.Reason)
		}
	}()
	waitFor(t, fmt.Sprintf("%s to be %s: %q", h.Name, state, words), func() bool {
		p = port(t, h)
		for _, w := range words {
			if !strings.Contains(p.Reason, w) {
				return false
			}
		}
		return p.State == state
	})
}

// recovers waits until the link is secured, and carries traffic.
func recovers(t *testing.T, l *mkadlab.Link) {
	t.Helper()
	waitFor(t, "both ports to be secured with each other", func() bool {
		west, east := port(t, l.West), port(t, l.East)
		return west.State == control.Secured && east.State == control.Secured && west.Tx.KI == east.Tx.KI
	})
	carriesBothWays(t, l)
}

// Clause: none; a device that somebody deletes is told, and made again.
func TestGuestDeletedDeviceIsMadeAgain(t *testing.T) {
	l := newLink(t, "", "")
	must(t, l.Secure(t.Context()))
	must(t, l.West.Remove(mkadlab.Controlled))
	waitForReason(t, l.West, control.Failed, "macsec device macsec0 is gone", "was removed")
	recovers(t, l)
}

// Clause: none; the lower device takes the macsec device with it.
func TestGuestLowerDeviceMayGoAndReturn(t *testing.T) {
	l := newLink(t, "", "")
	must(t, l.Secure(t.Context()))
	must(t, l.West.Remove(mkadlab.Lower))
	for _, h := range l.Hosts() {
		waitForReason(t, h, control.Down, "eth1 does not exist")
	}
	must(t, netlab.Join(l.West.Namespace, mkadlab.Lower, l.East.Namespace, mkadlab.Lower))
	recovers(t, l)
}

// autoload is the program by which the kernel loads modules.
const autoload = "/proc/sys/kernel/modprobe"

// Clause: none; without the module there is no SecY, with it there is one again.
func TestGuestRemovedModuleIsToldAndUsedWhenItReturns(t *testing.T) {
	l := newLink(t, `backend = "kernel"`, `backend = "kernel"`)
	must(t, l.Secure(t.Context()))
	before, err := os.ReadFile(autoload)
	must(t, err)
	must(t, os.WriteFile(autoload, []byte("/bin/false"), 0))
	t.Cleanup(func() { must(t, os.WriteFile(autoload, before, 0)) })
	command(t, "rmmod", "macsec")
	for _, h := range l.Hosts() {
		waitForReason(t, h, control.Failed, "no macsec", "modprobe macsec")
	}
	must(t, os.WriteFile(autoload, before, 0))
	recovers(t, l)
}

// command runs a program outside of the hosts.
func command(t *testing.T, words ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), words[0], words[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%q: %v\n%s", words, err, out)
	}
}

// Clause: none; what the kernel had no room to tell is found out.
func TestGuestNetlinkOverrunIsMadeUpFor(t *testing.T) {
	l := newLink(t, "", "")
	must(t, l.Secure(t.Context()))
	daemon := l.West.Daemon()
	daemon.Signal(syscall.SIGSTOP)
	var batch strings.Builder
	fmt.Fprintln(&batch, "link add flood up type dummy") // what happens to one that is down is told to nobody
	for n := range 4000 {
		fmt.Fprintf(&batch, "link set flood alias %d\n", n)
	}
	fmt.Fprintf(&batch, "link set %s mtu 1600\nlink delete flood\n", mkadlab.Lower)
	file := l.Dir() + "/batch"
	must(t, os.WriteFile(file, []byte(batch.String()), 0o600))
	run(t, l.West, "ip -batch "+file)
	if lost := lostMessages(t, l.West, daemon.PID()); lost == 0 {
		t.Error("mkad's netlink sockets lost nothing: this is no test")
	}
	daemon.Signal(syscall.SIGCONT)
	waitFor(t, "the MTU to follow", func() bool { // the kernel alone lets it shrink, never grow
		d, err := l.West.Device(mkadlab.Controlled)
		return err == nil && d.MTU == 1600-32
	})
	recovers(t, l)
}

// lostMessages adds up what the netlink sockets of a process had no room for: a line has address, protocol, port, groups,
// memory twice, dump, locks, drops, inode.
func lostMessages(t *testing.T, h *mkadlab.Host, process int) (lost int) {
	t.Helper()
	const fields, inode, drops = 10, 9, 8
	own := run(t, h, fmt.Sprintf("ls -l /proc/%d/fd", process))
	for line := range strings.Lines(run(t, h, "cat /proc/net/netlink")) {
		f := strings.Fields(line)
		if len(f) == fields && strings.Contains(own, "socket:["+f[inode]+"]") {
			n, err := strconv.Atoi(f[drops])
			must(t, err)
			lost += n
		}
	}
	return lost
}

// Clause: none; design: what may not be a lower device is named, and served when it is free.
func TestGuestTakenLowerDeviceIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		take, free []string
		says       string
	}{
		"bridge port": {[]string{"ip link add br0 type bridge", "ip link set eth1 master br0"}, []string{"ip link set eth1 nomaster"},
			"(bridge-port): br0 takes its frames; remove it from br0"},
		"bond slave": {[]string{"ip link add bond0 type bond", "ip link set eth1 down", "ip link set eth1 master bond0"},
			[]string{"ip link set eth1 nomaster", "ip link set eth1 up"}, "(bond-slave): bond0 takes its frames; remove it from bond0"},
		"macvlan parent": {[]string{"ip link add link eth1 name mv0 type macvlan"}, []string{"ip link delete mv0"},
			"(macvlan-parent): mv0 takes frames from it in clear"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLink(t, "", "")
			for _, line := range c.take {
				run(t, l.West, line)
			}
			must(t, l.StartDaemons(t.Context()))
			waitForReason(t, l.West, control.Failed, "eth1 cannot be a lower device "+c.says)
			for _, line := range c.free {
				run(t, l.West, line)
			}
			recovers(t, l)
		})
	}
}

// Clause: none; design: a device on which another 802.1X program works is named, and served when that has ended.
func TestGuestDeviceOfWPAIsLeftToIt(t *testing.T) {
	l := newLink(t, "", "")
	must(t, l.East.StartDaemon(t.Context()))
	must(t, l.Connect())
	wpa := startSupplicant(t, l.West, l.KeyFile)
	waitFor(t, "a secured peer of wpa_supplicant", func() bool { return port(t, l.East).State == control.Secured })
	must(t, l.West.StartDaemon(t.Context()))
	waitForReason(t, l.West, control.Failed, "(occupied): process "+strconv.Itoa(wpa.PID())+" (wpa_supplicant)")
	if p := port(t, l.East); p.State != control.Secured {
		t.Errorf("the link of wpa_supplicant is %s: %s", p.State, p.Reason)
	}
	wpa.Stop()
	recovers(t, l)
}

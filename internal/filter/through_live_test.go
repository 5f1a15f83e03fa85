package filter_test

import (
	"os"
	"testing"

	"github.com/vishvananda/netlink"

	"mkad/internal/filter"
)

const (
	above   = "macsec0" // stands for the device of a SecY: frames cross eth1 behind its ingress hook, too
	aboveIP = "198.51.100.1"
	peerIP  = "198.51.100.2"
)

// newThrough is a lab whose host has a device on eth1, with addresses of another subnet on it and on the peer. Each
// device of the host answers for its own addresses only.
func newThrough(t *testing.T) lab {
	t.Helper()
	l := newLab(t)
	must(t, l.host.Do(func() error { return os.WriteFile("/proc/sys/net/ipv4/conf/all/arp_ignore", []byte("1"), 0) }))
	l.putAbove(t)
	must(t, l.peer.AddAddress(device, peerIP+prefixLen))
	return l
}

func (l lab) putAbove(t *testing.T) {
	t.Helper()
	must(t, l.host.Do(func() error {
		lower, err := netlink.LinkByName(device)
		if err != nil {
			return err
		}
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.ParentIndex = above, lower.Attrs().Index
		return netlink.LinkAdd(&netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_BRIDGE})
	}))
	must(t, l.host.SetUp(above))
	must(t, l.host.AddAddress(above, aboveIP+prefixLen))
}

// reaches tells whether a ping has an answer.
func (l lab) reaches(t *testing.T, from, address string) bool {
	t.Helper()
	ns := l.host
	if from == "peer" {
		ns = l.peer
	}
	_, err := ns.Run(t.Context(), "ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", address)
	return err == nil
}

// Clause: none; design: under should-secure plain frames pass between Controlled Port and lower device, and the host's
// stack on the lower device sees none of them.
func TestThroughPassesTheSecYAndNotTheHost(t *testing.T) {
	l := newThrough(t)
	if !l.reaches(t, "peer", aboveIP) || !l.reaches(t, "peer", hostIPv4) {
		t.Fatal("the open device does not pass")
	}
	l.close(t, filter.Rules{Through: above})
	if !l.reaches(t, "peer", aboveIP) || !l.reaches(t, "host", peerIP) {
		t.Error("what is for the SecY does not pass")
	}
	if l.reaches(t, "peer", hostIPv4) || l.reaches(t, "host", peerIPv4) {
		t.Error("the host still speaks by the lower device itself")
	}
	if !l.closed(t) {
		t.Error("it is not told as closed")
	}
	l.close(t, filter.Rules{Through: above, Hold: true})
	if l.reaches(t, "peer", aboveIP) || l.reaches(t, "host", peerIP) || l.reaches(t, "peer", hostIPv4) {
		t.Error("held, it still passes")
	}
	l.close(t, filter.Rules{})
	if l.reaches(t, "peer", aboveIP) || l.reaches(t, "peer", hostIPv4) {
		t.Error("closed for good, it still passes")
	}
	l.close(t, filter.Rules{Through: above})
	l.open(t)
	if !l.reaches(t, "peer", aboveIP) || !l.reaches(t, "peer", hostIPv4) {
		t.Error("opened again, it does not pass")
	}
}

// Clause: none; before Linux 6.16 a device that takes the place of another has no chain, later it has.
func TestThroughIsInForceOrIsToldNotToBe(t *testing.T) {
	l := newThrough(t)
	rules := filter.Rules{Interface: device, Through: above}
	inForce := func() (is bool) {
		t.Helper()
		must(t, l.host.Do(func() (err error) { is, err = filter.InForce(rules); return err }))
		return is
	}
	if inForce() {
		t.Error("in force before it is set")
	}
	l.close(t, rules)
	if !inForce() {
		t.Error("not in force")
	}
	must(t, l.host.Remove(above))
	l.putAbove(t)
	if !l.closed(t) {
		t.Error("the lower device is open")
	}
	if !inForce() {
		l.close(t, rules)
	}
	if !l.reaches(t, "host", peerIP) {
		t.Error("what the new device sends does not pass")
	}
}

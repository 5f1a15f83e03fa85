package link

import (
	"bytes"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"mkad/internal/control"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// The addresses of the lower devices themselves, which the host is not to use in clear.
const westLower, eastLower = "198.51.100.1", "198.51.100.2"

// bind opens a UDP socket of a host for whatever address and device.
func bind(t *testing.T, h *mkadlab.Host, port string) (c net.PacketConn) {
	t.Helper()
	must(t, h.Do(func() (err error) {
		c, err = net.ListenPacket("udp4", "0.0.0.0:"+port)
		return err
	}))
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// knows gives a host an address on a device, and another host's on it, so that it has to ask nobody for it.
func knows(t *testing.T, h *mkadlab.Host, device, own, other string, mac net.HardwareAddr) {
	t.Helper()
	must(t, h.AddAddress(device, own+"/24"))
	run(t, h, "ip neighbour replace "+other+" lladdr "+mac.String()+" dev "+device+" nud permanent")
}

func macOf(t *testing.T, h *mkadlab.Host) net.HardwareAddr {
	t.Helper()
	d, err := h.Device(mkadlab.Lower)
	must(t, err)
	return d.MAC
}

// sendTo sends a datagram; a closed device may refuse it.
func sendTo(t *testing.T, c net.PacketConn, address string) {
	t.Helper()
	_, err := c.WriteTo([]byte("clear"), &net.UDPAddr{IP: net.ParseIP(address), Port: 9})
	if err != nil && !errors.Is(err, os.ErrPermission) {
		t.Log(err)
	}
}

// nothingArrives waits for a datagram that must not come.
func nothingArrives(t *testing.T, h *mkadlab.Host, c net.PacketConn) {
	t.Helper()
	must(t, c.SetReadDeadline(time.Now().Add(500*time.Millisecond)))
	if n, from, err := c.ReadFrom(make([]byte, 100)); err == nil {
		t.Errorf("%s received %d octets in clear from %s", h.Name, n, from)
	}
}

// Clause: none; design: closed means closed, with the kernel's SecY too.
// Requirement: R104
func TestGuestClosedDeviceIsClosed(t *testing.T) {
	l := newLink(t, `backend = "kernel"`, `uncontrolled = "open"`) // the east's host may send in clear, so that it can be tried
	must(t, l.West.StartDaemon(t.Context()))
	must(t, l.Connect())
	waitFor(t, "the Controlled Port", func() bool {
		_, err := l.West.Device(mkadlab.Controlled)
		return err == nil
	})
	west, east := macOf(t, l.West), macOf(t, l.East)
	knows(t, l.West, mkadlab.Controlled, mkadlab.WestAddress, mkadlab.EastAddress, east)
	knows(t, l.West, mkadlab.Lower, westLower, eastLower, east)
	knows(t, l.East, mkadlab.Lower, eastLower, westLower, west)
	run(t, l.East, "ip neighbour replace "+mkadlab.WestAddress+" lladdr "+west.String()+" dev eth1 nud permanent")
	run(t, l.East, "ip route add "+mkadlab.WestAddress+"/32 dev eth1")
	server, client, outgoing := bind(t, l.West, "9"), bind(t, l.East, "0"), bind(t, l.West, "0")
	wire, err := netlab.StartCapture(l.East.Namespace, mkadlab.Lower)
	must(t, err)

	tryInClear := func() {
		for _, to := range []string{mkadlab.WestAddress, westLower} {
			sendTo(t, client, to)
		}
		for _, to := range []string{mkadlab.EastAddress, eastLower} {
			sendTo(t, outgoing, to)
		}
		nothingArrives(t, l.West, server)
	}
	tryInClear()
	must(t, l.East.StartDaemon(t.Context()))
	must(t, l.WaitFor(t.Context(), control.Secured))
	tryInClear()
	carriesBothWays(t, l)
	tryInClear()

	capture, err := wire.Stop()
	must(t, err)
	if capture.Count(netlab.EtherTypeEAPOL) == 0 || capture.Count(netlab.EtherTypeMACsec) < 50 {
		t.Errorf("the wire has carried %v", capture.Types())
	}
	if clear := capture.Except(netlab.EtherTypeEAPOL, netlab.EtherTypeMACsec); len(clear) > 0 {
		t.Errorf("%d frames left in clear, the first is %x", len(clear), clear[0].Data)
	}
}

// Clause: 802.1X-2020 12.4; until secured, frames pass in clear. Each is given to the host twice then, for with an open
// lower device its own stack is given it too; of that the configuration warns.
// Requirement: R105
func TestGuestShouldSecurePassesInClearUntilSecured(t *testing.T) {
	const lines = "policy = \"should-secure\"\nuncontrolled = \"open\"\nbackend = \"kernel\""
	l := newLink(t, lines, lines)
	must(t, l.West.StartDaemon(t.Context()))
	must(t, l.Connect())
	must(t, l.West.WaitFor(t.Context(), control.Unsecured))
	must(t, l.West.AddAddress(mkadlab.Controlled, mkadlab.WestAddress+"/24"))
	must(t, l.West.AddAddress(mkadlab.Controlled, mkadlab.WestAddress6+"/64"))
	must(t, l.East.AddAddress(mkadlab.Lower, mkadlab.EastAddress+"/24"))
	must(t, l.East.AddAddress(mkadlab.Lower, mkadlab.EastAddress6+"/64"))
	for _, to := range []string{mkadlab.WestAddress, mkadlab.WestAddress6} {
		run(t, l.East, "ping -n -c 3 -i 0.2 -w 20 "+to)
	}
	for _, to := range []string{mkadlab.EastAddress, mkadlab.EastAddress6} {
		run(t, l.West, "ping -n -c 3 -i 0.2 -w 20 "+to)
	}

	run(t, l.East, "ip address flush dev eth1")
	must(t, l.East.StartDaemon(t.Context()))
	must(t, l.WaitFor(t.Context(), control.Secured))
	must(t, l.East.AddAddress(mkadlab.Controlled, mkadlab.EastAddress+"/24"))
	must(t, l.East.AddAddress(mkadlab.Controlled, mkadlab.EastAddress6+"/64"))
	wire, err := netlab.StartCapture(l.East.Namespace, mkadlab.Lower)
	must(t, err)
	pingsOnce(t, l.West, mkadlab.EastAddress)
	pingsOnce(t, l.East, mkadlab.WestAddress6)
	capture, err := wire.Stop()
	must(t, err)
	for _, f := range capture.Except(netlab.EtherTypeEAPOL, netlab.EtherTypeMACsec) {
		for _, address := range []string{mkadlab.WestAddress, mkadlab.WestAddress6} {
			if ip := net.ParseIP(address); bytes.Contains(f.Data, ip.To16()) || ip.To4() != nil && bytes.Contains(f.Data, ip.To4()) {
				t.Errorf("secured, the Controlled Port sent in clear: %x", f.Data)
			}
		}
	}
	if n := capture.Count(netlab.EtherTypeMACsec); n < 10 {
		t.Errorf("%d frames came protected", n)
	}
}

// Clause: 802.1X-2020 12.4; design: with a closed lower device, plain frames pass between it and the Controlled Port until
// secured, and the host's stack on the lower device sees none of them, so that nothing is delivered twice.
func TestGuestShouldSecureOnAClosedDeviceDeliversOnce(t *testing.T) {
	const lines = "policy = \"should-secure\"\nbackend = \"kernel\""
	l := newLink(t, lines, lines)
	must(t, l.West.StartDaemon(t.Context()))
	must(t, l.Connect())
	must(t, l.West.WaitFor(t.Context(), control.Unsecured))
	must(t, l.West.AddAddress(mkadlab.Controlled, mkadlab.WestAddress+"/24"))
	must(t, l.West.AddAddress(mkadlab.Controlled, mkadlab.WestAddress6+"/64"))
	must(t, l.West.AddAddress(mkadlab.Lower, "198.51.100.1/24"))
	must(t, l.East.AddAddress(mkadlab.Lower, mkadlab.EastAddress+"/24"))
	must(t, l.East.AddAddress(mkadlab.Lower, mkadlab.EastAddress6+"/64"))
	must(t, l.East.AddAddress(mkadlab.Lower, "198.51.100.2/24"))
	inClear := func() {
		t.Helper()
		pingsOnce(t, l.East, mkadlab.WestAddress)
		pingsOnce(t, l.West, mkadlab.EastAddress)
		waitFor(t, "IPv6 to pass once", func() bool {
			out, err := l.East.Run(t.Context(), "ping", "-n", "-c", "3", "-i", "0.2", "-W", "2", mkadlab.WestAddress6)
			return err == nil && !strings.Contains(out, "DUP")
		})
	}
	inClear()
	// Only Controlled Ports speak: the host's own address on the lower device is silent.
	if out, err := l.West.Run(t.Context(), "ping", "-n", "-c", "2", "-W", "1", "-I", mkadlab.Lower, "198.51.100.2"); err == nil {
		t.Errorf("the host sends by the closed device itself: %s", out)
	}

	run(t, l.East, "ip address flush dev eth1")
	must(t, l.East.StartDaemon(t.Context()))
	must(t, l.WaitFor(t.Context(), control.Secured))
	wire, err := netlab.StartCapture(l.East.Namespace, mkadlab.Lower)
	must(t, err)
	carriesBothWays(t, l)
	capture, err := wire.Stop()
	must(t, err)
	if clear := capture.Except(netlab.EtherTypeEAPOL, netlab.EtherTypeMACsec); len(clear) > 0 {
		t.Errorf("secured, %d frames were sent in clear, the first is %x", len(clear), clear[0].Data)
	}

	l.East.Daemon().Kill()
	must(t, l.East.Remove(mkadlab.Controlled))
	run(t, l.East, "nft flush ruleset")
	must(t, l.East.AddAddress(mkadlab.Lower, mkadlab.EastAddress+"/24"))
	must(t, l.East.AddAddress(mkadlab.Lower, mkadlab.EastAddress6+"/64"))
	waitFor(t, "in clear again without a peer", func() bool { return port(t, l.West).State == control.Unsecured })
	inClear()
}

// pingsOnce expects an answer to each ping, and no more.
func pingsOnce(t *testing.T, h *mkadlab.Host, to string) {
	t.Helper()
	out := run(t, h, "ping -n -c 5 -i 0.2 -w 20 "+to)
	if !strings.Contains(out, " 5 received, 0% packet loss") || strings.Contains(out, "DUP") {
		t.Errorf("%s: %s", h.Name, out)
	}
}

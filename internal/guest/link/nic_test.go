package link

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mkad/internal/guest/guesttest"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
	"mkad/secy"
)

// These tests need two emulated NICs on one wire (run -nics 2). Unlike a veth, an e1000 takes in only what its receive
// filter lets through: its own address, and the groups that were asked for.

// newNICLink is newLink with NICs in place of the veth pair.
func newNICLink(t *testing.T, west, east string) *mkadlab.Link {
	t.Helper()
	var nics []string
	waitFor(t, "two NICs", func() (so bool) { // those of the link before come back when its namespaces are gone
		nics, _ = filepath.Glob("/sys/bus/pci/drivers/e1000/*/net/*")
		return len(nics) == 2
	})
	l := newLink(t, west, east)
	must(t, l.West.Remove(mkadlab.Lower))
	for i, h := range l.Hosts() {
		must(t, h.Take(filepath.Base(nics[i]), mkadlab.Lower))
	}
	return l
}

// Clause: 802.1AE-2018 11; the Controlled Port serves whatever a host puts on it.
func TestGuestNICCarriesWhatHostsSend(t *testing.T) {
	for _, backends := range [][2]string{{"kernel", "userspace"}, {"userspace", "kernel"}} {
		t.Run(backends[0]+"-"+backends[1], func(t *testing.T) {
			l := newNICLink(t, fmt.Sprintf("backend = %q", backends[0]), fmt.Sprintf("backend = %q", backends[1]))
			must(t, l.Secure(t.Context()))
			must(t, l.Address())
			notPromiscuous(t, l)
			t.Run("neighbour discovery", func(t *testing.T) { discovers(t, l) })
			t.Run("multicast", func(t *testing.T) { joins(t, l) })
			t.Run("DHCP", func(t *testing.T) { leases(t, l) })
			t.Run("VLAN", func(t *testing.T) { carriesVLAN(t, l) })
			t.Run("every length", func(t *testing.T) {
				carriesEveryLength(t, l.West, l.East, shortest[backends[1]])
				carriesEveryLength(t, l.East, l.West, shortest[backends[0]])
			})
			notPromiscuous(t, l)
		})
	}
}

// notPromiscuous makes sure that the receive filters are at work: a promiscuous NIC would prove nothing.
func notPromiscuous(t *testing.T, l *mkadlab.Link) {
	t.Helper()
	for _, h := range l.Hosts() {
		if out := run(t, h, "ip -details link show dev "+mkadlab.Lower); !strings.Contains(out, " promiscuity 0 ") {
			t.Errorf("%s: %s", h.Name, out)
		}
	}
}

// run runs a program to its end, which must be a good one. It also serves for cleaning up.
func run(t *testing.T, h *mkadlab.Host, line string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	words := strings.Fields(line)
	out, err := h.Run(ctx, words[0], words[1:]...)
	if err != nil {
		t.Fatalf("%s: %s: %v\n%s", h.Name, line, err, out)
	}
	return out
}

// discovers has each host ask for the other's address, by a group that only the other one is in.
func discovers(t *testing.T, l *mkadlab.Link) {
	for from, to := range map[*mkadlab.Host]string{l.West: mkadlab.EastAddress6, l.East: mkadlab.WestAddress6} {
		for _, h := range l.Hosts() {
			run(t, h, "ip -6 neighbour flush dev "+mkadlab.Controlled)
		}
		run(t, from, "ping -6 -n -c 2 -i 0.2 -w 20 "+to)
		if out := run(t, from, "ip -6 neighbour show "+to); !strings.Contains(out, "lladdr") {
			t.Errorf("%s: %s has been discovered as %q", from.Name, to, out)
		}
	}
}

// joins sends to a group that one host has joined.
func joins(t *testing.T, l *mkadlab.Link) {
	group := &net.UDPAddr{IP: net.IPv4(239, 1, 2, 3), Port: 5000}
	for i, h := range l.Hosts() {
		other := l.Hosts()[1-i]
		run(t, other, "ip route replace 224.0.0.0/4 dev "+mkadlab.Controlled)
		var in, out net.PacketConn
		must(t, h.Do(func() error {
			device, err := net.InterfaceByName(mkadlab.Controlled)
			if err == nil {
				in, err = net.ListenMulticastUDP("udp4", device, group)
			}
			return err
		}))
		must(t, other.Do(func() (err error) {
			out, err = net.ListenPacket("udp4", ":0")
			return err
		}))
		_, err := out.WriteTo([]byte("to the group"), group)
		must(t, err)
		must(t, in.SetReadDeadline(time.Now().Add(5*time.Second)))
		got := make([]byte, 100)
		n, _, err := in.ReadFrom(got)
		if err != nil || string(got[:n]) != "to the group" {
			t.Errorf("%s received %q: %v", h.Name, got[:n], err)
		}
		must(t, in.Close())
		must(t, out.Close())
	}
}

// leaseScript is what udhcpc calls with what it has learned in its environment.
const leaseScript = "#!/bin/sh\n[ \"$1\" = bound ] && echo leased $ip\nexit 0\n"

// leases leases an address to each host from the other.
func leases(t *testing.T, l *mkadlab.Link) {
	script := filepath.Join(l.Dir(), "lease.sh")
	must(t, os.WriteFile(script, []byte(leaseScript), 0o755))
	for i, client := range l.Hosts() {
		server := l.Hosts()[1-i]
		network := fmt.Sprintf("198.51.%d", 100+i)
		must(t, server.AddAddress(mkadlab.Controlled, network+".1/24"))
		log, err := os.Create(filepath.Join(guesttest.Keep(t), server.Name+"-dnsmasq.log"))
		must(t, err)
		dnsmasq, err := server.Start(log, "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--no-resolv",
			"--no-hosts", "--no-ping", "--dhcp-authoritative", "--bind-interfaces", "--interface="+mkadlab.Controlled,
			"--dhcp-range="+network+".100,"+network+".150,1h", "--dhcp-leasefile="+filepath.Join(l.Dir(), "leases-"+server.Name))
		must(t, err)
		out := run(t, client, "busybox udhcpc -f -q -n -t 10 -T 1 -i "+mkadlab.Controlled+" -s "+script)
		if !strings.Contains(out, "leased "+network+".1") {
			t.Errorf("%s: udhcpc says %s", client.Name, out)
		}
		dnsmasq.Stop()
		must(t, log.Close())
	}
}

// carriesVLAN puts a VLAN on both Controlled Ports. Its tag is within what is protected.
func carriesVLAN(t *testing.T, l *mkadlab.Link) {
	for i, h := range l.Hosts() {
		run(t, h, "ip link add link "+mkadlab.Controlled+" name inner type vlan id 7")
		run(t, h, fmt.Sprintf("ip address add 203.0.113.%d/24 dev inner", i+1))
		run(t, h, "ip link set inner up")
	}
	for i, h := range l.Hosts() {
		run(t, h, fmt.Sprintf("ping -n -c 3 -i 0.2 -w 20 -M do -s %d 203.0.113.%d", vlanPayload, 2-i))
	}
}

// vlanPayload fills a frame in a VLAN on a Controlled Port, whose MTU is 1468: less the tag, where the VLAN device
// counts it, the headers of IP and ICMP.
const vlanPayload = 1468 - 4 - 20 - 8

// headerLength is that of an Ethernet frame.
const headerLength = 14

// experiment is an EtherType that no stack answers (IEEE 802, Local Experimental EtherType 2).
const experiment = 0x88b6

// shortest is the length from which on a SecY receives frames, in octets. The kernel's refuses a frame that Ethernet has
// padded (macsec_validate_skb wants the short length to be all that there is), and 60 octets need no padding.
var shortest = map[string]int{"kernel": 60 - secy.Overhead, "userspace": headerLength}

// carriesEveryLength sends a frame of each length, to the other host's own address, and expects each as it was sent: a
// frame that Ethernet has padded on its way has its own length back.
func carriesEveryLength(t *testing.T, from, to *mkadlab.Host, shortest int) {
	source, err := from.Device(mkadlab.Controlled)
	must(t, err)
	destination, err := to.Device(mkadlab.Controlled)
	must(t, err)
	wire, err := netlab.StartCapture(to.Namespace, mkadlab.Controlled)
	must(t, err)
	const batch = 50 // what fits the NIC's ring
	var frames [][]byte
	for n := headerLength; n <= headerLength+source.MTU; n++ {
		frames = append(frames, patterned(n, source.MAC, destination.MAC))
	}
	sent := 0
	for some := range slices.Chunk(frames, batch) {
		must(t, from.Send(mkadlab.Controlled, some...))
		sent += len(some)
		arrive(wire, sent-(shortest-headerLength))
	}
	capture, err := wire.Stop()
	must(t, err)
	seen := map[int]int{}
	for _, f := range capture.Frames {
		if netlab.EtherTypeOf(f.Data) != experiment {
			continue
		}
		seen[len(f.Data)]++
		if !bytes.Equal(f.Data, patterned(len(f.Data), source.MAC, destination.MAC)) {
			t.Fatalf("%s: a frame of %d octets is %x", to.Name, len(f.Data), f.Data)
		}
	}
	for n := shortest; n <= headerLength+source.MTU; n++ {
		if seen[n] != 1 {
			t.Errorf("%s: %d frames of %d octets", to.Name, seen[n], n)
		}
	}
}

// arrive waits for the frames of a batch and of those before, for as long as the slowest of emulated machines can take. What
// has not arrived by then is missed at the end, by its length.
func arrive(wire *netlab.Wire, frames int) {
	for end := time.Now().Add(2 * time.Second); int(wire.Heard(experiment)) < frames && time.Now().Before(end); {
		<-time.After(time.Millisecond)
	}
}

// patterned is a frame whose every octet depends on its place and on the frame's length.
func patterned(n int, source, destination net.HardwareAddr) []byte {
	frame := make([]byte, n)
	copy(frame, destination)
	copy(frame[6:], source)
	binary.BigEndian.PutUint16(frame[12:], experiment)
	for i := headerLength; i < n; i++ {
		frame[i] = byte(i*7 + n)
	}
	return frame
}

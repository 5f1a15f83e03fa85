package userspace_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"mkad/internal/netlab"
	"mkad/secy"
)

// connect makes a TCP connection from west to an address of east.
func connect(t testing.TB, west, east *station, ip string) (client, server net.Conn) {
	t.Helper()
	var listener net.Listener
	must(t, east.ns.Do(func() (err error) {
		listener, err = net.Listen("tcp", net.JoinHostPort(ip, "0"))
		return err
	}))
	t.Cleanup(func() { _ = listener.Close() })
	must(t, west.ns.Do(func() (err error) {
		client, err = net.DialTimeout("tcp", listener.Addr().String(), patience)
		return err
	}))
	t.Cleanup(func() { _ = client.Close() })
	server, err := listener.Accept()
	must(t, err)
	t.Cleanup(func() { _ = server.Close() })
	must(t, client.SetDeadline(time.Now().Add(patience)))
	must(t, server.SetDeadline(time.Now().Add(patience)))
	return client, server
}

// transfer sends data over the connection and fails the test unless it arrives whole.
func transfer(t testing.TB, from, to net.Conn, data []byte) {
	t.Helper()
	sent := make(chan error, 1)
	go func() {
		_, err := from.Write(data)
		sent <- err
	}()
	digest := sha256.New()
	_, err := io.CopyN(digest, to, int64(len(data)))
	must(t, err)
	must(t, <-sent)
	if want := sha256.Sum256(data); !bytes.Equal(digest.Sum(nil), want[:]) {
		t.Fatal("the data arrived changed")
	}
}

func randomData(n int) []byte {
	data := make([]byte, n)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(data)
	return data
}

func TestTCPTransferArrivesWholeWithEverySuite(t *testing.T) {
	for _, suite := range secy.CipherSuites {
		for i, family := range []string{"IPv4", "IPv6"} {
			t.Run(suite.String()+"/"+family, func(t *testing.T) {
				set := secured
				set.CipherSuite = suite
				west, east := securedPair(t, set)
				client, server := connect(t, west, east, eastAddresses[i])
				transfer(t, client, server, randomData(8<<20))
				transfer(t, server, client, randomData(1<<20))
			})
		}
	}
}

// A transfer takes a frame for every 1400 octets on the wire; the stacks at both ends must see far fewer, for otherwise
// nothing is left to the SecY to split, or nothing that it merges.
func TestTCPTransferMeetsBothStacksInLargeFrames(t *testing.T) {
	const size = 16 << 20
	west, east := securedPair(t, secured)
	client, server := connect(t, west, east, eastAddresses[0])
	transfer(t, client, server, randomData(size))
	protected := west.Counters().OutPktsEncrypted
	sent := statistics(t, west, controlledName).TxPackets
	received := statistics(t, east, controlledName).RxPackets
	if protected < size/1468 {
		t.Errorf("%d frames on the wire cannot have carried %d octets", protected, size)
	}
	if sent > protected/2 {
		t.Errorf("%d frames of the Controlled Port became %d on the wire, want at least twice as many", sent, protected)
	}
	if received > protected/2 {
		t.Errorf("%d frames on the wire became %d at the Controlled Port, want at most half", protected, received)
	}
}

func statistics(t testing.TB, s *station, name string) (stats netlink.LinkStatistics) {
	t.Helper()
	must(t, s.ns.Do(func() error {
		link, err := netlink.LinkByName(name)
		if err == nil {
			stats = *link.Attrs().Statistics
		}
		return err
	}))
	return stats
}

func TestUDPDatagramsArriveInOrderAndWhole(t *testing.T) {
	west, east := securedPair(t, secured)
	for i := range eastAddresses {
		client, server := datagrams(t, west, east, westAddresses[i], eastAddresses[i])
		for n := range 500 {
			want := fmt.Sprintf("%d %s", n, strings.Repeat("x", n))
			_, err := client.Write([]byte(want))
			must(t, err)
			if n%50 == 49 { // far below what a socket's buffer holds
				expectDatagrams(t, server, n-49, n)
			}
		}
	}
}

func expectDatagrams(t *testing.T, server net.PacketConn, first, last int) {
	t.Helper()
	b := make([]byte, 2048)
	for n := first; n <= last; n++ {
		size, _, err := server.ReadFrom(b)
		must(t, err)
		if want := fmt.Sprintf("%d %s", n, strings.Repeat("x", n)); string(b[:size]) != want {
			t.Fatalf("datagram %d arrived as %q", n, b[:size])
		}
	}
}

// datagrams makes a UDP flow from west to east, its first datagram sent and received: the stack may send those that wait
// for the address of the next hop behind later ones.
func datagrams(t testing.TB, west, east *station, from, to string) (client net.Conn, server net.PacketConn) {
	t.Helper()
	must(t, east.ns.Do(func() (err error) {
		server, err = net.ListenPacket("udp", net.JoinHostPort(to, "0"))
		return err
	}))
	t.Cleanup(func() { _ = server.Close() })
	must(t, west.ns.Do(func() (err error) {
		dialer := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(from)}}
		client, err = dialer.Dial("udp", server.LocalAddr().String())
		return err
	}))
	t.Cleanup(func() { _ = client.Close() })
	must(t, server.SetDeadline(time.Now().Add(patience)))
	_, err := client.Write([]byte("first"))
	must(t, err)
	_, _, err = server.ReadFrom(make([]byte, 10))
	must(t, err)
	return client, server
}

func TestFramesOfEveryLengthArriveAsTheyWere(t *testing.T) {
	west, east := securedPair(t, secured)
	from := listen(t, west.ns, controlledName, experimental)
	to := listen(t, east.ns, controlledName, experimental)
	for _, n := range []int{1, 2, 10, 45, 46, 47, 48, 49, 60, 61, 64, 128, 1000, 1467, 1468} {
		frame := experiment(east.mac, west.mac, randomData(n))
		from.send(frame)
		to.expect(frame)
	}
}

func TestGroupAddressesArrive(t *testing.T) {
	west, east := securedPair(t, secured)
	from := listen(t, west.ns, controlledName, experimental)
	to := listen(t, east.ns, controlledName, experimental)
	for _, da := range []net.HardwareAddr{broadcast, {0x01, 0x00, 0x5e, 0, 0, 9}, {0x33, 0x33, 0, 0, 0, 9}} {
		frame := experiment(da, west.mac, []byte("to all"))
		from.send(frame)
		to.expect(frame)
	}
}

func TestVLANTagInsideArrives(t *testing.T) {
	west, east := securedPair(t, secured)
	from := listen(t, west.ns, controlledName, experimental)
	to := listen(t, east.ns, controlledName, experimental)
	capture, err := netlab.StartCapture(east.ns, controlledName)
	must(t, err)
	untagged := experiment(broadcast, west.mac, []byte("in a VLAN"))
	from.send(tagged(untagged, 0xa007)) // priority 5, VLAN 7
	to.expect(untagged)                 // a socket is shown the frame without the tag
	got, err := capture.Stop()
	must(t, err)
	for _, frame := range got.Frames {
		if bytes.Equal(frame.Data, tagged(untagged, 0xa007)) {
			return
		}
	}
	t.Errorf("no frame with the tag among %d", len(got.Frames))
}

// Clause: 802.1AE-2018 10.5 (OutPktsTooLong)
func TestFrameLongerThanLowerMTUIsCounted(t *testing.T) {
	west, east := securedPair(t, secured)
	from := listen(t, west.ns, controlledName, experimental)
	to := listen(t, east.ns, controlledName, experimental)
	from.send(tagged(experiment(east.mac, west.mac, randomData(1468)), 7))
	last := experiment(east.mac, west.mac, []byte("this one fits"))
	from.send(last)
	to.expect(last)
	if n := west.Counters().OutPktsTooLong; n != 1 {
		t.Errorf("OutPktsTooLong is %d, want 1", n)
	}
}

func TestIntegrityOnlyFrameIsReadableOnTheWire(t *testing.T) {
	set := secured
	set.Offset = secy.IntegrityOnly
	peer, east := pairWithPeer(t, set)
	from := listen(t, east.ns, controlledName, experimental)
	from.send(experiment(peer.mac, east.mac, []byte("in the open, but whole")))
	for {
		wire := peer.receive()
		if bytes.Contains(wire, []byte("in the open, but whole")) {
			return
		}
	}
}

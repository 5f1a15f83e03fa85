package filter_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"

	"mkad/internal/filter"
	"mkad/internal/netlab"
	"mkad/internal/port"
)

func TestMain(m *testing.M) {
	if err := netlab.Reexec(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// patience is how long a test waits for what has to come.
const patience = 10 * time.Second

// A lab is the device eth1 of host on a wire with the device eth1 of peer, both up, with addresses of one subnet.
type lab struct{ host, peer *netlab.Namespace }

const (
	device    = "eth1"
	hostIPv4  = "192.0.2.1"
	peerIPv4  = "192.0.2.2"
	prefixLen = "/24"
)

func newLab(t *testing.T) lab {
	t.Helper()
	l := lab{host: namespace(t), peer: namespace(t)}
	must(t, l.peer.Bridge("other")) // so that the ends of the wire get different indexes, see waitCarrier
	l.plug(t)
	return l
}

// plug makes the wire.
func (l lab) plug(t *testing.T) {
	t.Helper()
	must(t, netlab.Join(l.host, device, l.peer, device))
	must(t, l.host.AddAddress(device, hostIPv4+prefixLen))
	must(t, l.peer.AddAddress(device, peerIPv4+prefixLen))
	must(t, l.host.SetUp(device))
	must(t, l.peer.SetUp(device))
	waitCarrier(t, l.host)
	waitCarrier(t, l.peer)
}

// waitCarrier waits until the device can carry frames, which is a little after its other end has come up, or a second
// after it when the kernel takes it for a device of its own because its other end has the same index.
func waitCarrier(t *testing.T, n *netlab.Namespace) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var watcher *port.Watcher
	must(t, n.Do(func() (err error) { watcher, err = port.Watch(ctx); return err }))
	links, stop := watcher.Follow(device)
	defer stop()
	for link := range links {
		if link.Carrier {
			return
		}
	}
	t.Fatal(watcher.Err())
}

func namespace(t *testing.T) *netlab.Namespace {
	t.Helper()
	n, err := netlab.NewNamespace()
	must(t, err)
	t.Cleanup(func() { must(t, n.Close()) })
	return n
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (l lab) close(t *testing.T, r filter.Rules) {
	t.Helper()
	r.Interface = device
	must(t, l.host.Do(func() error { return filter.Close(r) }))
}

func (l lab) open(t *testing.T) {
	t.Helper()
	must(t, l.host.Do(func() error { return filter.Open(device) }))
}

func (l lab) closed(t *testing.T) (closed bool) {
	t.Helper()
	must(t, l.host.Do(func() (err error) { closed, err = filter.Closed(device); return err }))
	return closed
}

// A station is a packet socket on one end of the wire.
type station struct {
	t    *testing.T
	conn *packet.Conn
}

// attach makes a station that receives one protocol (as the stack's own protocols do, after the filter), or with ETH_P_ALL
// everything, before it.
func attach(t *testing.T, n *netlab.Namespace, protocol int) station {
	t.Helper()
	s := station{t: t}
	must(t, n.Do(func() error {
		ifi, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		s.conn, err = packet.Listen(ifi, packet.Raw, protocol, nil)
		return err
	}))
	t.Cleanup(func() { must(t, s.conn.Close()) })
	return s
}

// option sets a socket option of the station.
func (s station) option(level, name, value int) {
	s.t.Helper()
	raw, err := s.conn.SyscallConn()
	must(s.t, err)
	var set error
	must(s.t, raw.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), level, name, value) }))
	must(s.t, set)
}

func (s station) send(frame []byte) {
	s.t.Helper()
	_, err := s.conn.WriteTo(frame, &packet.Addr{HardwareAddr: frame[:6]})
	if err != nil && !errors.Is(err, unix.ENOBUFS) { // ENOBUFS: the filter has dropped it
		s.t.Fatal(err)
	}
}

// receiveFrom waits for a frame from the address, false when none has come in time.
func (s station) receiveFrom(source []byte, within time.Duration) ([]byte, bool) {
	s.t.Helper()
	must(s.t, s.conn.SetReadDeadline(time.Now().Add(within)))
	buf := make([]byte, 2048)
	for {
		n, _, err := s.conn.ReadFrom(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, false
		}
		must(s.t, err)
		if n >= 12 && bytes.Equal(buf[6:12], source) {
			return buf[:n], true
		}
	}
}

// until collects frames of source until the marker has come.
func (s station) until(marker, source []byte) (frames [][]byte) {
	s.t.Helper()
	for {
		frame, ok := s.receiveFrom(source, patience)
		if !ok {
			s.t.Fatalf("the frame that ends the test has not come; before it %d others", len(frames))
		}
		if bytes.Equal(frame, marker) {
			return frames
		}
		frames = append(frames, frame)
	}
}

// source is the address of every frame that these tests make, and of none that a kernel does.
var source = unhex("02 00 00 00 00 99")

var marker = frameOf("ffffffffffff", "888e", "03 05 0000 656e64")

// frameOf makes a frame from source of the least length, from hexadecimal digits.
func frameOf(destination, etherType, payload string) []byte {
	frame := append(unhex(destination), source...)
	frame = append(append(frame, unhex(etherType)...), unhex(payload)...)
	return append(frame, make([]byte, max(0, 60-len(frame)))...)
}

func unhex(digits string) []byte {
	b, err := hex.DecodeString(string(bytes.ReplaceAll([]byte(digits), []byte(" "), nil)))
	if err != nil {
		panic(err)
	}
	return b
}

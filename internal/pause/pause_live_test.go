package pause_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"mkad/internal/netlab"
	"mkad/internal/pause"
)

const (
	device      = "eth1"
	peerAddress = "192.0.2.2"
	// dieIn names the device that a process of this test binary pauses before it kills itself.
	dieIn = "MKAD_TEST_PAUSE_AND_DIE"
)

func TestMain(m *testing.M) {
	if err := netlab.Reexec(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if name := os.Getenv(dieIn); name != "" {
		die(name)
	}
	os.Exit(m.Run())
}

func die(device string) {
	if _, err := pause.Egress(device); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newWire makes two hosts on one wire, up, with addresses.
func newWire(t testing.TB) (host, peer *netlab.Namespace) {
	t.Helper()
	var ends [2]*netlab.Namespace
	for i := range ends {
		n, err := netlab.NewNamespace()
		must(t, err)
		t.Cleanup(func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
		ends[i] = n
	}
	host, peer = ends[0], ends[1]
	must(t, netlab.Join(host, device, peer, device))
	must(t, host.AddAddress(device, "192.0.2.1/24"))
	must(t, peer.AddAddress(device, peerAddress+"/24"))
	must(t, host.SetUp(device))
	must(t, peer.SetUp(device))
	return host, peer
}

func begin(t testing.TB, n *netlab.Namespace) (p *pause.Pause) {
	t.Helper()
	must(t, n.Do(func() (err error) {
		p, err = pause.Egress(device)
		return err
	}))
	return p
}

// sent is how many frames the device has sent.
func sent(t *testing.T, n *netlab.Namespace) (frames uint64) {
	t.Helper()
	must(t, n.Do(func() error {
		link, err := netlink.LinkByName(device)
		if err == nil {
			frames = link.Attrs().Statistics.TxPackets
		}
		return err
	}))
	return frames
}

// wait lets d pass.
func wait(d time.Duration) { <-time.After(d) }

// Clause: none; nothing leaves while the device pauses, and everything does afterwards.
func TestPauseHoldsBackAndLosesNothing(t *testing.T) {
	host, peer := newWire(t)
	var streams []*netlab.Stream
	for range 4 {
		s, err := netlab.StartStream(netlab.StreamConfig{FromNamespace: host, ToNamespace: peer, From: device, To: device,
			Rate: 2000})
		must(t, err)
		streams = append(streams, s)
	}
	for range 10 {
		p := begin(t, host)
		before := sent(t, host)
		wait(10 * time.Millisecond)
		if after := sent(t, host); after != before {
			t.Errorf("%d frames were sent in a pause", after-before)
		}
		must(t, p.End())
		wait(10 * time.Millisecond)
	}
	for _, s := range streams {
		r, err := s.Stop()
		must(t, err)
		if r.Lost() != 0 || r.Refused != 0 || r.Twice != 0 || r.Sent < 400 {
			t.Error(r)
		}
	}
}

// Clause: none; what the host left to the device to do, checksums and segments, is still done.
func TestPauseKeepsSegmentsAndChecksums(t *testing.T) {
	host, peer := newWire(t)
	var listener net.Listener
	must(t, peer.Do(func() (err error) {
		listener, err = net.Listen("tcp", peerAddress+":0")
		return err
	}))
	defer listener.Close()
	received := make(chan [sha256.Size]byte, 1)
	go func() {
		sum := sha256.New()
		if conn, err := listener.Accept(); err == nil {
			_, _ = io.Copy(sum, conn)
		}
		received <- [sha256.Size]byte(sum.Sum(nil))
	}()
	var conn net.Conn
	must(t, host.Do(func() (err error) {
		conn, err = net.Dial("tcp", listener.Addr().String())
		return err
	}))
	written, enough := make(chan [sha256.Size]byte, 1), make(chan struct{})
	go func() { written <- writeUntil(t, enough, conn) }()
	for range 5 {
		must(t, begin(t, host).End())
	}
	close(enough)
	if w, r := <-written, <-received; w != r {
		t.Errorf("what came is not what was sent: %x, %x", r, w)
	}
}

// writeUntil writes pseudo-random octets, closes the connection when it is enough, and returns the sum of what it wrote.
func writeUntil(t *testing.T, enough <-chan struct{}, conn net.Conn) [sha256.Size]byte {
	rng, sum := rand.NewChaCha8([32]byte{1}), sha256.New()
	for block := make([]byte, 1<<18); ; {
		select {
		case <-enough:
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
			return [sha256.Size]byte(sum.Sum(nil))
		default:
		}
		_, _ = rng.Read(block)
		sum.Write(block)
		if _, err := conn.Write(block); err != nil {
			t.Error(err)
		}
	}
}

// Clause: none; a process that is killed in a pause leaves no device silent.
func TestPauseEndsWithItsProcess(t *testing.T) {
	host, peer := newWire(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	out, err := host.Run(ctx, "env", dieIn+"="+device, os.Args[0])
	if err == nil || out != "" {
		t.Fatalf("the process was to kill itself: %v\n%s", err, out)
	}
	s, err := netlab.StartStream(netlab.StreamConfig{FromNamespace: host, ToNamespace: peer, From: device, To: device,
		Rate: 1000})
	must(t, err)
	wait(50 * time.Millisecond)
	r, err := s.Stop()
	must(t, err)
	if r.Lost() != 0 || r.Received == 0 {
		t.Error(r)
	}
	if left := pausing(t, host); left != nil {
		t.Errorf("%s is left", left.Attrs().Name)
	}
}

// pausing finds the TAP of a pause.
func pausing(t *testing.T, n *netlab.Namespace) (found netlink.Link) {
	t.Helper()
	must(t, n.Do(func() error {
		links, err := netlink.LinkList()
		for _, l := range links {
			if bytes.HasPrefix([]byte(l.Attrs().Name), []byte("mkad-pause")) {
				found = l
			}
		}
		return err
	}))
	return found
}

// Clause: none; other programs see the TAP and may send on it, but not to our peers.
func TestPauseSendsOnlyWhatWasHeldBack(t *testing.T) {
	host, peer := newWire(t)
	var in, out int
	must(t, peer.Do(func() (err error) {
		in, err = socket(experimental, indexOf(device))
		return err
	}))
	defer unix.Close(in)
	p := begin(t, host)
	tap := pausing(t, host)
	must(t, host.Do(func() (err error) {
		out, err = socket(0, tap.Attrs().Index)
		for _, to := range []struct {
			index int
			octet byte
		}{{tap.Attrs().Index, 1}, {indexOf(device), 2}, {tap.Attrs().Index, 3}} {
			err = errors.Join(err, unix.Sendto(out, numbered(to.octet), 0, &unix.SockaddrLinklayer{Ifindex: to.index}))
		}
		return err
	}))
	defer unix.Close(out)
	must(t, p.End())
	var came []byte
	for b := make([]byte, 100); ; {
		if _, err := unix.Read(in, b); err != nil {
			break
		}
		came = append(came, b[14])
	}
	if !bytes.Equal(came, []byte{2}) {
		t.Errorf("frames %v came, want the one that was held back, 2", came)
	}
}

// experimental is Local Experimental EtherType 1.
const experimental = 0x88b5

// numbered is a broadcast frame with a number after its header.
func numbered(n byte) []byte {
	frame := make([]byte, 60)
	copy(frame, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, experimental >> 8, experimental & 0xff, n})
	return frame
}

// socket opens a packet socket that does not wait.
func socket(etherType uint16, ifindex int) (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	return fd, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: etherType<<8 | etherType>>8, Ifindex: ifindex})
}

func indexOf(device string) int {
	link, err := net.InterfaceByName(device)
	if err != nil {
		return 0
	}
	return link.Index
}

// Clause: none; a device that cannot pause is named, and goes on.
func TestPauseOfNoDeviceIsAnError(t *testing.T) {
	host, _ := newWire(t)
	err := host.Do(func() error {
		_, err := pause.Egress("eth9")
		return err
	})
	if err == nil || pausing(t, host) != nil {
		t.Errorf("pausing a device that is not there: %v", err)
	}
}

// BenchmarkPause tells how long a device is silent at most (begin-µs) and how long it takes until all is as before.
func BenchmarkPause(b *testing.B) {
	host, _ := newWire(b)
	var silent time.Duration
	for b.Loop() {
		start := time.Now()
		p := begin(b, host)
		silent += time.Since(start)
		must(b, p.End())
	}
	b.ReportMetric(float64(silent.Microseconds())/float64(b.N), "begin-µs")
}

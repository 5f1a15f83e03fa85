package netlab

import (
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

type exitError = exec.ExitError

// patience is how long an event may take on a busy machine.
const patience = 10 * time.Second

// eventually waits for what the kernel does in its own time and tells nobody of.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	late := time.After(patience)
	for !done() {
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("waited %s until %s", patience, what)
		}
	}
}

// lines is output that can be waited for.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) wait(t *testing.T, text string) {
	t.Helper()
	eventually(t, fmt.Sprintf("output has %q", text), func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return strings.Contains(l.text.String(), text)
	})
}

func command(t *testing.T, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(t.Context(), name, args...)
}

// abandonNamespace starts a program in a namespace, prints its number, and is killed without a chance to clean up.
func abandonNamespace(t *testing.T) {
	n := namespace(t)
	p, err := n.Start(nil, "tail", "-f", "/dev/null")
	must(t, err)
	fmt.Println("pid", p.PID())
	self, err := os.FindProcess(os.Getpid())
	must(t, err, self.Kill())
	select {}
}

// quietWire is a wire on which the hosts say nothing by themselves: no IPv6, so no neighbour discovery.
func quietWire(t *testing.T) (west, east *Namespace) {
	t.Helper()
	west, east = namespace(t), namespace(t)
	must(t, Join(west, "eth1", east, "eth1"))
	for _, n := range []*Namespace{west, east} {
		must(t, n.change("silence", "eth1", func(h *netlink.Handle, l netlink.Link) error {
			const addressesByHand = 1 // IN6_ADDR_GEN_MODE_NONE: no link-local address, so nothing to say
			return h.LinkSetIP6AddrGenMode(l, addressesByHand)
		}), n.SetUp("eth1"))
	}
	return west, east
}

func start(t *testing.T, n *Namespace) *Wire {
	t.Helper()
	w, err := StartCapture(n, "eth1")
	must(t, err)
	return w
}

func stop(t *testing.T, w *Wire) Capture {
	t.Helper()
	c, err := w.Stop()
	must(t, err)
	return c
}

// A hearing tells what a capture has seen while it goes on.
type hearing struct {
	t *testing.T
	n *Namespace
	w *Wire
}

func capturing(t *testing.T, n *Namespace, device string) *hearing {
	t.Helper()
	w, err := StartCapture(n, device)
	must(t, err)
	h := &hearing{t, n, w}
	t.Cleanup(func() { stop(t, h.w) })
	return h
}

func (h *hearing) heard(e EtherType) uint64 {
	seen := stop(h.t, h.w)
	h.w = start(h.t, h.n)
	return seen.Count(e)
}

// inject sends a frame of 60 octets that begins with the header given in hex.
func inject(t *testing.T, n *Namespace, device, header string) {
	t.Helper()
	injectMany(t, n, device, header, 1)
}

func injectMany(t *testing.T, n *Namespace, device, header string, count int) {
	t.Helper()
	frame, err := hex.DecodeString(header)
	must(t, err)
	frame = append(frame, make([]byte, 60-len(frame))...)
	out, err := n.openSocket(device, 0)
	must(t, err)
	defer out.Close()
	for range count {
		_, err := out.Write(frame)
		must(t, err)
	}
}

// sentPackets returns how many frames eth1 has sent.
func sentPackets(t *testing.T, n *Namespace) (packets uint64) {
	t.Helper()
	must(t, n.change("read statistics of", "eth1", func(_ *netlink.Handle, l netlink.Link) error {
		packets = l.Attrs().Statistics.TxPackets
		return nil
	}))
	return packets
}

// streaming starts a stream between two stations and waits until it is well on its way.
func streaming(t *testing.T, west, east *Namespace) *Stream {
	t.Helper()
	s, err := StartStream(StreamConfig{FromNamespace: west, From: "eth1", ToNamespace: east, To: "eth1", Rate: 20000})
	must(t, err)
	await(t, west, 1100) // at least 1000 of the stream: the kernel sends frames of IPv6, too
	return s
}

func await(t *testing.T, west *Namespace, more uint64) {
	t.Helper()
	goal := sentPackets(t, west) + more
	eventually(t, "frames are sent", func() bool { return sentPackets(t, west) >= goal })
}

// bridged joins two stations by a bridge in a third namespace, at port0 and port1.
func bridged(t *testing.T) (west, middle, east *Namespace) {
	t.Helper()
	west, middle, east = namespace(t), namespace(t), namespace(t)
	must(t, Join(west, "eth1", middle, "port0"), Join(east, "eth1", middle, "port1"))
	must(t, west.SetUp("eth1"), east.SetUp("eth1"), middle.SetUp("port0"), middle.SetUp("port1"))
	must(t, middle.Bridge("br0", "port0", "port1"))
	return west, middle, east
}

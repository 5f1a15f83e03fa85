package daemon_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mkad/internal/control"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
	"mkad/secy"
)

// load is how long the tests under load take; longer in make soak. It is longer than MKA Life Time.
var load = flag.Duration("load", 7*time.Second, "how long the tests under load take")

// relayed lays the wire of a link anew, through a relay.
func relayed(t *testing.T, l *mkadlab.Link, fate func(frame []byte, back bool) netlab.Fate) {
	t.Helper()
	middle, err := netlab.NewNamespace()
	must(t, err)
	must(t, l.West.Remove(mkadlab.Lower))
	must(t, netlab.Join(l.West.Namespace, mkadlab.Lower, middle, "west"))
	must(t, netlab.Join(l.East.Namespace, mkadlab.Lower, middle, "east"))
	must(t, middle.SetUp("west"))
	must(t, middle.SetUp("east"))
	r, err := netlab.StartRelay(middle, "west", "east", fate)
	must(t, err)
	t.Cleanup(func() {
		must(t, r.Stop())
		must(t, middle.Close())
	})
}

// Clause: 802.1AE-2018 10.6.5; on a wire that loses, repeats and reorders within the replay window, what was not lost is
// delivered, once, and MKA, whose frames it meets too, keeps the link.
func TestLossyReorderingWireDeliversOnceWhatItDoesNotLose(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	var lost, repeated, late atomic.Uint64
	var dice [2]*rand.Rand
	for i := range dice {
		dice[i] = rand.New(rand.NewPCG(uint64(i), 5))
	}
	relayed(t, l, func(frame []byte, back bool) netlab.Fate {
		rng := dice[0]
		if back {
			rng = dice[1]
		}
		streams := !back && len(frame) == streamSize+secy.Overhead
		count := func(n *atomic.Uint64) {
			if streams {
				n.Add(1)
			}
		}
		switch chance := rng.Float64(); {
		case chance < 0.02:
			count(&lost)
			return netlab.Fate{}
		case chance < 0.04:
			count(&repeated)
			return netlab.Fate{Copies: 2}
		case chance < 0.10:
			count(&late)
			return netlab.Fate{Copies: 1, Behind: 1 + rng.IntN(100)}
		}
		return netlab.Fate{Copies: 1}
	})
	must(t, l.Secure(t.Context()))
	since := portOf(t, l.East).Since
	const rate = 4000
	r := stream(t, l.West, l.East, int(load.Seconds()*rate), rate, nil)
	n := portOf(t, l.East)
	t.Logf("%s; of the wire: lost %d, repeated %d, late %d; InPktsLate %d", r, lost.Load(), repeated.Load(), late.Load(),
		n.Counters["InPktsLate"])
	if r.Lost() != lost.Load() || r.Twice != 0 || r.Refused != 0 || r.Late == 0 || lost.Load() < 200 {
		t.Errorf("%s; the wire has lost %d of them", r, lost.Load())
	}
	if n.Counters["InPktsLate"] < repeated.Load() || n.Counters["InPktsNotValid"] != 0 || n.State != control.Secured ||
		!n.Since.Equal(since) {
		t.Errorf("%s since %s, was %s; counters %v", n.State, n.Since, since, n.Counters)
	}
}

// Clause: 802.1AE-2018 10.6.5; frames that were recorded are of no use to whoever sends them again, whether their key is in use
// still or not, and each is counted.
func TestRecordedFramesSentAgainAreCountedAndNotDelivered(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	must(t, l.Secure(t.Context()))
	recorder, err := netlab.StartCapture(l.East.Namespace, mkadlab.Lower)
	must(t, err)
	if r := stream(t, l.West, l.East, 500, 1000, nil); r.Lost() != 0 || r.Received == 0 {
		t.Fatal(r)
	}
	recorded, err := recorder.Stop()
	must(t, err)
	frames := framesOf(recorded, netlab.EtherTypeMACsec)
	eavesdropper, err := netlab.StartCapture(l.East.Namespace, mkadlab.Controlled)
	must(t, err)
	again := func(counters ...string) {
		t.Helper()
		before := portOf(t, l.East).Counters
		must(t, l.West.Send(mkadlab.Lower, frames...)) // MACsec frames leave a closed device
		waitFor(t, fmt.Sprintf("%d frames to be counted under %v", len(frames), counters), func() bool {
			counted := uint64(0)
			now := portOf(t, l.East).Counters
			for _, name := range counters {
				counted += now[name] - before[name]
			}
			return counted == uint64(len(frames))
		})
	}
	again("InPktsLate")
	server, _ := keyServer(t, l)
	for range 2 { // after one, the old SA may be in use still
		ki := portOf(t, l.East).Tx.KI
		mkactl(t, server, "rekey", mkadlab.Lower)
		waitFor(t, "another key", func() bool {
			p := portOf(t, l.East)
			return p.Tx.KI != ki && p.State == control.Secured
		})
	}
	again("InPktsNoSAError")
	heard, err := eavesdropper.Stop()
	must(t, err)
	for _, f := range heard.Frames {
		if len(f.Data) == streamSize {
			t.Fatalf("a recorded frame was delivered again: %x", f.Data)
		}
	}
	carriesBothWays(t, l)
}

// Clause: none; design decision 7: the MTU of the Controlled Port is that of the lower device less 32, also when it changes under
// traffic, which loses nothing by it.
func TestMTUFrom1280To9000UnderTraffic(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	must(t, l.Secure(t.Context()))
	across := startStream(t, l.West, l.East, 1000)
	for _, mtu := range []int{1280, 9000, 1500, 4000, 1280, 1532} {
		must(t, l.Both(func(h *mkadlab.Host) error { return h.SetMTU(mkadlab.Lower, mtu) }))
		waitFor(t, fmt.Sprint("Controlled Ports to follow to MTU ", mtu), func() bool {
			west, failedWest := l.West.Device(mkadlab.Controlled)
			east, failedEast := l.East.Device(mkadlab.Controlled)
			return failedWest == nil && failedEast == nil && west.MTU == mtu-secy.Overhead && east.MTU == mtu-secy.Overhead
		})
		const header = 14
		s, err := netlab.StartStream(netlab.StreamConfig{FromNamespace: l.West.Namespace, ToNamespace: l.East.Namespace,
			From: mkadlab.Controlled, To: mkadlab.Controlled, Rate: 200, Size: header + mtu - secy.Overhead})
		must(t, err)
		<-time.After(300 * time.Millisecond)
		losesNothing(t, s)
	}
	losesNothing(t, across)
}

// Clause: 802.1AE-2018 7.1.2 (the SCI has the MAC address in it), design decision 2: with another address the port begins anew;
// the Controlled Port stays the same device.
func TestMACAddressChangesUnderTraffic(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	must(t, l.Secure(t.Context()))
	must(t, l.Address())
	before, err := l.West.Device(mkadlab.Controlled)
	must(t, err)
	across := startStream(t, l.West, l.East, 1000)
	mac := net.HardwareAddr{0x02, 0, 0x5e, 0, 0x53, 0x11}
	if out, err := l.West.Run(t.Context(), "ip", "link", "set", mkadlab.Lower, "address", mac.String()); err != nil {
		t.Fatal(out, err)
	}
	waitFor(t, "a secured port with the new address", func() bool {
		p := portOf(t, l.West)
		return p.State == control.Secured && p.SCI == "02005e0053110001"
	})
	r, err := across.Stop()
	must(t, err)
	t.Logf("the change of address: %s", r)
	after, err := l.West.Device(mkadlab.Controlled)
	must(t, err)
	if after.Index != before.Index || after.MAC.String() != mac.String() {
		t.Errorf("before %+v, after %+v", before, after)
	}
	waitFor(t, "an answer", func() bool {
		_, err := l.West.Run(t.Context(), "ping", "-c1", "-w1", mkadlab.EastAddress)
		return err == nil
	})
	carriesBothWays(t, l)
}

// Clause: 802.1X-2020 9.4; a host that sends faster than its SecY can go fills queues of fixed length, and takes nothing from
// MKA: hellos go out on time, the link stays, memory does not grow. Not parallel: it takes all there is of the machine.
func TestOverloadedSecYKeepsMKAOnTimeAndMemoryBounded(t *testing.T) {
	l := newLink(t, released, "", "")
	must(t, l.Secure(t.Context()))
	carriesBothWays(t, l)
	var before [2]control.Port
	var memory [2]int
	for i, h := range l.Hosts() {
		before[i], memory[i] = portOf(t, h), residentKiB(t, h)
	}
	var hellos [2]*netlab.Wire // that arrive at each
	for i, h := range l.Hosts() {
		var err error
		hellos[i], err = netlab.StartCaptureOf(h.Namespace, mkadlab.Lower, netlab.EtherTypeEAPOL)
		must(t, err)
	}
	var offered [2]atomic.Uint64
	var senders sync.WaitGroup
	end := time.Now().Add(*load)
	for i, h := range l.Hosts() {
		for range 4 {
			fd := impatientSocket(t, h, mkadlab.Controlled)
			senders.Go(func() {
				frame := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb6}, make([]byte, 1400)...)
				n := uint64(0)
				for ; time.Now().Before(end); n++ {
					_, _ = unix.Write(fd, frame) // refused is what is too much
				}
				offered[i].Add(n)
			})
		}
	}
	senders.Wait()
	for i, h := range l.Hosts() {
		p := portOf(t, h)
		sent := p.Counters["OutPktsEncrypted"] - before[i].Counters["OutPktsEncrypted"]
		received := p.Counters["InPktsOK"] - before[i].Counters["InPktsOK"]
		grown := residentKiB(t, h) - memory[i]
		heard, err := hellos[1-i].Stop()
		must(t, err)
		silence := longestSilence(heard)
		t.Logf("%s: %d frames offered, %d sent, %d received, %d overrun, %d KiB more resident, %s between hellos", h.Name,
			offered[i].Load(), sent, received, p.Counters["InPktsOverrun"], grown, silence.Round(time.Millisecond))
		if p.State != control.Secured || !p.Since.Equal(before[i].Since) || p.Rekeys != before[i].Rekeys {
			t.Errorf("%s: %s since %s, was since %s", h.Name, p.State, p.Since, before[i].Since)
		}
		if sent == 0 || received == 0 || offered[i].Load() < 2*sent {
			t.Errorf("%s: %d offered is no overload for %d sent, %d received", h.Name, offered[i].Load(), sent, received)
		}
		if grown > maxGrowth {
			t.Errorf("%s: %d KiB more are resident, the bound is %d", h.Name, grown, maxGrowth)
		}
		if silence > 3*time.Second || silence == 0 {
			t.Errorf("%s: %s between two hellos, due every 2 s", h.Name, silence)
		}
	}
	carriesBothWays(t, l)
}

// impatientSocket sends by a device of a host and never waits for it: what the device does not take at once is lost, and costs the
// sender least. Four of them offer a user-space SecY more than twice what it can carry, on slow machines too.
func impatientSocket(t *testing.T, h *mkadlab.Host, device string) (fd int) {
	t.Helper()
	d, err := h.Device(device)
	must(t, err)
	must(t, h.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return err
		}
		const octets = 16 << 20
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, octets) != nil { // root of a user namespace may not
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, octets)
		}
		return errors.Join(unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1),
			unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: d.Index}))
	}))
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// maxGrowth is how much more of an mkad may be resident under load, in KiB: sockets are the kernel's, and what it has itself is
// made when it starts.
const maxGrowth = 32 << 10

// residentKiB is how much of a host's mkad is in memory.
func residentKiB(t *testing.T, h *mkadlab.Host) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", h.Daemon().PID()))
	must(t, err)
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	must(t, err)
	return pages * os.Getpagesize() / 1024
}

// longestSilence is the longest time between two MKPDUs of a capture.
func longestSilence(c netlab.Capture) (longest time.Duration) {
	var last time.Time
	for _, f := range c.Frames {
		if netlab.EtherTypeOf(f.Data) != netlab.EtherTypeEAPOL {
			continue
		}
		if !last.IsZero() {
			longest = max(longest, f.At.Sub(last))
		}
		last = f.At
	}
	return longest
}

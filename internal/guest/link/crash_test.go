package link

import (
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mkad/internal/control"
	"mkad/internal/daemon"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
	"mkad/mka"
	"mkad/secy"
)

// crashStride is how many points of a re-key lie between two at which a test lets mkad crash.
var crashStride = flag.Int("crash-stride", 23, "let mkad crash at every n-th point of a re-key")

// Clause: 802.1X-2020 9.4.2, 802.1AE-2018 10.5.2; design: mkad is killed at a point of a re-key, before or after each order
// to its SecY and each time that it looks at its clock, which it does around whatever it keeps and sends. Whatever it was
// about, the link is secured again under the same MI, no packet number comes twice, and nothing is in clear.
func TestGuestCrashInARekeyIsRecoveredFrom(t *testing.T) {
	l := newCrashLink(t)
	must(t, l.Secure(t.Context()))
	for _, h := range l.Hosts() {
		role := "follower"
		if port(t, h).KeyServer {
			role = "key server"
		}
		t.Run(role, func(t *testing.T) {
			for point := 1; crash(t, l, h, role, point); point += *crashStride {
			}
		})
	}
}

// crash has the host's mkad killed at a point of a re-key, and looks what comes of it. false: the re-key has no such point.
func crash(t *testing.T, l *mkadlab.Link, h *mkadlab.Host, role string, point int) bool {
	t.Helper()
	before := port(t, h)
	var wires []*netlab.Wire
	for _, end := range l.Hosts() {
		w, err := netlab.StartCapture(end.Namespace, mkadlab.Lower)
		must(t, err)
		wires = append(wires, w)
	}
	there, back := crossStream(t, l.West, l.East), crossStream(t, l.East, l.West)
	arm(t, h, point)
	for _, server := range l.Hosts() {
		if server != h && role == "follower" || server == h && role == "key server" {
			_ = server.Control.Rekey(t.Context(), mkadlab.Lower) // whose mkad may not live to answer
		}
	}
	crashed := true
	select {
	case <-h.Daemon().Ended():
		must(t, h.StartDaemon(t.Context()))
	case <-time.NewTimer(restartTime).C:
		crashed = false
		arm(t, h, 0)
	}
	must(t, l.WaitFor(t.Context(), control.Secured))
	pass(restartTime)
	for name, s := range map[string]*netlab.Stream{"there": there, "back": back} {
		r, err := s.Stop()
		must(t, err)
		t.Logf("%s, point %d, %s: lost %d of %d", role, point, name, r.Lost(), r.Sent)
		if r.Twice != 0 || r.Silence > 2*time.Second {
			t.Errorf("%s, point %d, %s: %s", role, point, name, r)
		}
	}
	for _, w := range wires {
		c, err := w.Stop()
		must(t, err)
		checkNumbers(t, c)
	}
	if after := port(t, h); after.Participants[0].MI != before.Participants[0].MI || after.Tx.KI == before.Tx.KI {
		t.Errorf("%s, point %d: before %+v\nafter %+v\nits log: %s", role, point, before, after, h.Log())
	}
	return crashed
}

// crossStream sends from one host to the other.
func crossStream(t *testing.T, from, to *mkadlab.Host) *netlab.Stream {
	t.Helper()
	s, err := netlab.StartStream(netlab.StreamConfig{FromNamespace: from.Namespace, ToNamespace: to.Namespace,
		From: mkadlab.Controlled, To: mkadlab.Controlled, Rate: 250, Size: 200})
	must(t, err)
	return s
}

// checkNumbers wants no frame in clear, and no packet number twice with one AN of an SCI: in the time of a capture none
// gets another SAK.
func checkNumbers(t *testing.T, c netlab.Capture) {
	t.Helper()
	if clear := c.Except(netlab.EtherTypeEAPOL, netlab.EtherTypeMACsec); len(clear) > 0 {
		t.Errorf("%d frames in clear, the first %x", len(clear), clear[0].Data)
	}
	type number struct {
		sci uint64
		an  byte
		pn  uint32
	}
	seen := map[number]bool{}
	for _, f := range c.Frames {
		const tag, withSCI = 14, 0x20
		if netlab.EtherTypeOf(f.Data) != netlab.EtherTypeMACsec || len(f.Data) < tag+14 {
			continue
		}
		if f.Data[tag]&withSCI == 0 {
			t.Fatalf("a frame without SCI: %x", f.Data)
		}
		n := number{binary.BigEndian.Uint64(f.Data[tag+6:]), f.Data[tag] & 3, binary.BigEndian.Uint32(f.Data[tag+2:])}
		if seen[n] {
			t.Errorf("packet number twice: %+v", n)
		}
		seen[n] = true
	}
	if len(seen) == 0 {
		t.Error("no MACsec frame was captured")
	}
}

// newCrashLink is newLink with mkads that are played by this test binary.
func newCrashLink(t *testing.T) *mkadlab.Link {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	mkactl, err := exec.LookPath("mkactl")
	must(t, err)
	dir := t.TempDir()
	must(t, os.Symlink(self, filepath.Join(dir, "mkad")))
	must(t, os.Symlink(mkactl, filepath.Join(dir, "mkactl")))
	l, err := mkadlab.New(t.Context(), mkadlab.Options{Programs: dir})
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			for _, h := range l.Hosts() {
				t.Logf("log of %s:\n%s", h.Name, h.Log())
			}
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// arm lets the host's mkad be killed at its n-th point from now on; 0: not at all. It waits until mkad has understood.
func arm(t *testing.T, h *mkadlab.Host, n int) {
	t.Helper()
	file := fuseFile(h.ConfigFile())
	must(t, os.WriteFile(file, fmt.Append(nil, n), 0o600))
	h.Daemon().Signal(syscall.SIGUSR1)
	waitFor(t, "the fuse", func() bool {
		_, err := os.Stat(file)
		return os.IsNotExist(err)
	})
}

func fuseFile(config string) string { return filepath.Join(filepath.Dir(config), "fuse") }

// A fuse ends the process at a point.
type fuse struct{ left atomic.Int64 }

// point is one.
func (f *fuse) point() {
	if f.left.Add(-1) == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

// listen arms the fuse whenever it is told to.
func (f *fuse) listen(file string) {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGUSR1)
	for range told {
		text, err := os.ReadFile(file)
		n, bad := strconv.Atoi(string(text))
		if err != nil || bad != nil {
			panic(fmt.Sprint("link: fuse: ", err, bad))
		}
		f.left.Store(int64(n))
		if err := os.Remove(file); err != nil {
			panic(err)
		}
	}
}

// fuseInto gives mkad a fuse.
func fuseInto(o *daemon.Options) {
	f := new(fuse)
	go f.listen(fuseFile(o.Path))
	o.OpenSecY = func(s daemon.Setup) (daemon.SecY, error) {
		opened, err := daemon.OpenSecY(s)
		return fusedSecY{opened, f}, err
	}
	o.Now = func() mka.Time {
		f.point()
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
			panic(err)
		}
		return mka.Time(ts.Nano())
	}
}

// A fusedSecY has a point before and after each Op.
type fusedSecY struct {
	daemon.SecY
	fuse *fuse
}

func (s fusedSecY) Apply(op secy.Op, dst []secy.Report) []secy.Report {
	s.fuse.point()
	dst = s.SecY.Apply(op, dst)
	s.fuse.point()
	return dst
}

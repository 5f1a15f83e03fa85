package netlab

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopacket/gopacket/pcapgo"
	"golang.org/x/sys/unix"
)

// These tests make network namespaces: they need root, or `go test -exec "unshare -Ur"`.

func namespace(t *testing.T) *Namespace {
	t.Helper()
	n, err := NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, n.Close()) })
	return n
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// wire joins two fresh namespaces by eth1 on both sides, up.
func wire(t *testing.T) (west, east *Namespace) {
	t.Helper()
	west, east = namespace(t), namespace(t)
	must(t, Join(west, "eth1", east, "eth1"), west.SetUp("eth1"), east.SetUp("eth1"))
	return west, east
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Stat(path, &st))
	return st.Ino
}

// Clause: none; the first thread of a program ends with it, and would keep a namespace that was closed.
func TestNamespaceNeverTakesTheFirstThread(t *testing.T) {
	before := inode(t, "/proc/self/ns/net")
	for range 20 { // one for each thread that may be idle
		namespace(t)
	}
	if inode(t, "/proc/self/ns/net") != before {
		t.Error("the program's first thread lives in a namespace of the lab")
	}
}

func TestDoRunsInsideTheNamespace(t *testing.T) {
	n := namespace(t)
	outside := inode(t, "/proc/thread-self/ns/net")
	must(t, n.Do(func() error {
		if inode(t, "/proc/thread-self/ns/net") == outside {
			t.Error("Do runs in the namespace of the test")
		}
		return nil
	}))
}

func TestProgramsRunInsideTheNamespace(t *testing.T) {
	west, _ := wire(t)
	out, err := west.Run(t.Context(), "ip", "-o", "link")
	must(t, err)
	if !strings.Contains(out, "eth1@") || strings.Count(out, "\n") != 2 {
		t.Errorf("ip link in a namespace with lo and eth1 printed %q", out)
	}
}

func TestFailedProgramIsQuoted(t *testing.T) {
	_, err := namespace(t).Run(t.Context(), "ip", "link", "show", "nosuch0")
	if err == nil || !strings.Contains(err.Error(), "nosuch0") {
		t.Errorf("error %v does not quote the program", err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := namespace(t).Run(ctx, "tail", "-f", "/dev/null")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want that of the context", err)
	}
}

func TestCloseStopsPrograms(t *testing.T) {
	n := namespace(t)
	p, err := n.Start(nil, "tail", "-f", "/dev/null")
	must(t, err, n.Close())
	if !p.hasEnded() {
		t.Error("a program outlived its namespace's Close")
	}
	if err := n.Do(func() error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("Do after Close: %v", err)
	}
}

func TestStopKillsAProgramThatDoesNotListen(t *testing.T) {
	var out lines
	p, err := namespace(t).Start(&out, "sh", "-c", `trap "" TERM; echo deaf; while :; do tail -f /dev/null; done`)
	must(t, err)
	out.wait(t, "deaf")
	p.Stop()
	var exit *exitError
	if !errors.As(p.Err(), &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("program ended by %v, want killed", p.Err())
	}
}

// The demonstration and the tests leave nothing behind because of this.
func TestNamespaceAndProgramsEndWithTheProgramThatMadeThem(t *testing.T) {
	if os.Getenv("NETLAB_TEST_ABANDON") != "" {
		abandonNamespace(t)
	}
	child := command(t, os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), "NETLAB_TEST_ABANDON=1")
	out, _ := child.Output() // it was killed: the error says so
	if !bytes.HasPrefix(out, []byte("pid ")) {
		t.Fatalf("child printed %q", out)
	}
	pid := strings.TrimSpace(strings.TrimPrefix(string(out), "pid "))
	eventually(t, "orphan "+pid+" is gone", func() bool {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		return err != nil || bytes.Contains(stat, []byte(") Z ")) // a zombie waits for init, nothing runs
	})
}

func TestDevicesOfAWire(t *testing.T) {
	west, east := namespace(t), namespace(t)
	must(t, Join(west, "eth1", east, "eth7"))
	d, err := east.Device("eth7")
	must(t, err)
	if d.Up || d.Carrier || d.MTU != 1500 || len(d.MAC) != 6 {
		t.Errorf("fresh end of a wire: %+v", d)
	}
	must(t, west.SetUp("eth1"), east.SetUp("eth7"), east.SetMTU("eth7", 9000))
	if d, err = east.Device("eth7"); err != nil || !d.Up || !d.Carrier || d.MTU != 9000 || d.OperState != "up" {
		t.Errorf("end of a wire that is up: %+v, %v", d, err)
	}
	must(t, east.Remove("eth7"))
	if _, err := west.Device("eth1"); err == nil {
		t.Error("the other end outlived the removal of one")
	}
}

func TestBridgePassesEAPOL(t *testing.T) {
	west, _, east := bridged(t)
	capture := capturing(t, east, "eth1")
	eventually(t, "an EAPOL frame has crossed the bridge", func() bool {
		inject(t, west, "eth1", "0180c2000003020000000001888e")
		return capture.heard(EtherTypeEAPOL) > 0
	})
}

func TestCaptureSeesArrivalsOnly(t *testing.T) {
	west, east := quietWire(t)
	atWest, atEast := start(t, west), start(t, east)
	inject(t, west, "eth1", "ffffffffffff02000000000188e5")
	if c := stop(t, atEast); c.Count(EtherTypeMACsec) != 1 {
		t.Errorf("receiver saw %d frames, want 1", c.Count(EtherTypeMACsec))
	}
	if c := stop(t, atWest); c.Count(EtherTypeMACsec) != 0 {
		t.Errorf("sender saw %d frames of its own", c.Count(EtherTypeMACsec))
	}
}

func TestCaptureOutlivesADownDevice(t *testing.T) {
	west, east := namespace(t), namespace(t)
	must(t, Join(west, "eth1", east, "eth1"))
	capture := start(t, east)
	must(t, west.SetUp("eth1"), east.SetUp("eth1"), east.SetDown("eth1"), east.SetUp("eth1"))
	inject(t, west, "eth1", "ffffffffffff02000000000188e5")
	if c := stop(t, capture); c.Count(EtherTypeMACsec) != 1 {
		t.Errorf("saw %d frames after down and up, want 1", c.Count(EtherTypeMACsec))
	}
}

func TestCapturePutsVLANTagsBack(t *testing.T) {
	west, east := quietWire(t)
	capture := start(t, east)
	const tagged = "ffffffffffff0200000000018100600a88b5"
	inject(t, west, "eth1", tagged)
	frames := stop(t, capture).Except(0x86dd)
	if len(frames) != 1 || hex.EncodeToString(frames[0].Data[:18]) != tagged {
		t.Errorf("captured %x, want a frame that begins with %s", frames, tagged)
	}
}

func TestCaptureKeepsEveryFrameOfABurst(t *testing.T) {
	const burst = 5000
	west, east := quietWire(t)
	capture := start(t, east)
	injectMany(t, west, "eth1", "ffffffffffff02000000000188e5", burst)
	if c := stop(t, capture); c.Count(EtherTypeMACsec) != burst {
		t.Errorf("captured %d of %d frames", c.Count(EtherTypeMACsec), burst)
	}
}

func TestPcapngHoldsBothEndsInOrderOfTime(t *testing.T) {
	west, east := quietWire(t)
	atWest, atEast := start(t, west), start(t, east)
	inject(t, west, "eth1", "ffffffffffff02000000000188e5")
	inject(t, east, "eth1", "ffffffffffff020000000002888e")
	path := filepath.Join(t.TempDir(), "wire.pcapng")
	must(t, WritePcapng(path, []string{"west", "east"}, stop(t, atWest), stop(t, atEast)))

	file, err := os.Open(path)
	must(t, err)
	defer file.Close()
	r, err := pcapgo.NewNgReader(file, pcapgo.DefaultNgReaderOptions)
	must(t, err)
	for _, want := range []struct {
		end int
		EtherType
	}{{1, EtherTypeMACsec}, {0, EtherTypeEAPOL}} {
		data, info, err := r.ReadPacketData()
		must(t, err)
		if EtherTypeOf(data) != want.EtherType || info.InterfaceIndex != want.end {
			t.Errorf("read %s at end %d, want %s at %d", EtherTypeOf(data), info.InterfaceIndex, want.EtherType, want.end)
		}
	}
}

func TestStreamOverAWireLosesNothing(t *testing.T) {
	west, east := wire(t)
	report, err := streaming(t, west, east).Stop()
	must(t, err)
	if report.Lost() != 0 || report.Received < 1000 || report.Twice != 0 || report.Late != 0 || report.Refused != 0 {
		t.Error(report)
	}
}

func TestStreamCountsWhatIsLost(t *testing.T) {
	west, middle, east := bridged(t)
	s := streaming(t, west, east)
	must(t, middle.SetDown("port1"))
	await(t, west, 500)
	report, err := s.Stop()
	must(t, err)
	if report.Received == 0 || report.Lost() < 400 || report.Received+report.Lost() != report.Sent {
		t.Error(report)
	}
	if report.FirstMissing != report.Received || report.LastMissing < report.FirstMissing {
		t.Errorf("the first frame missing is not the one after the last received: %s", report)
	}
}

func TestStreamDoesNotCountAsSentWhatTheDeviceRefused(t *testing.T) {
	west, _ := wire(t)
	out, err := west.openSocket("eth1", 0)
	must(t, err)
	defer out.Close()
	must(t, west.SetDown("eth1"))
	s := Stream{out: out}
	must(t, s.sendOne(make([]byte, minStreamFrame)))
	if s.report.Refused != 1 || s.report.Sent != 0 {
		t.Error(s.report)
	}
}

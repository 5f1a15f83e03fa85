package control_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"mkad/internal/control"
)

func mustListen(t *testing.T, path string) *net.UnixListener {
	t.Helper()
	l, err := control.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// leaveStale makes a socket file as a killed daemon leaves it.
func leaveStale(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

func modeOf(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestListenMakesDirectories(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run", "mkad")
	mustListen(t, filepath.Join(dir, "control.sock"))
	if got := modeOf(t, dir); got != 0o755 {
		t.Errorf("directory has mode %o, want 755", got)
	}
}

func TestListenReplacesStaleSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	leaveStale(t, path)
	mustListen(t, path)
	if c, err := net.Dial("unix", path); err != nil {
		t.Errorf("dial the new socket: %v", err)
	} else {
		c.Close()
	}
}

func TestListenLeavesRunningDaemonAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	mustListen(t, path)
	if _, err := control.Listen(path); !errors.Is(err, control.ErrRunning) {
		t.Errorf("second Listen gives %v, want ErrRunning", err)
	}
	if _, err := net.Dial("unix", path); err != nil {
		t.Errorf("dial the first daemon: %v", err)
	}
}

func TestListenLeavesOtherFilesAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := control.Listen(path); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("Listen gives %v, want that it is not a socket", err)
	}
	if data, err := os.ReadFile(path); string(data) != "precious" {
		t.Errorf("file holds %q (%v)", data, err)
	}
}

func TestOneOfManyStartingAtOnceGetsTheSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	leaveStale(t, path)
	var mu sync.Mutex
	var got []*net.UnixListener
	var starting sync.WaitGroup
	for range 16 {
		starting.Go(func() {
			l, err := control.Listen(path)
			if err != nil && !errors.Is(err, control.ErrRunning) {
				t.Errorf("Listen: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				got = append(got, l)
			}
		})
	}
	starting.Wait()
	for _, l := range got {
		l.Close()
	}
	if len(got) != 1 {
		t.Errorf("%d daemons got the socket, want 1", len(got))
	}
}

// Whoever can open a file or a directory can hold a lock on it for good.
func TestLockOfSomebodyElseKeepsNobodyFromListening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	holdLock(t, filepath.Dir(path))
	mustListen(t, path).Close()
	if mode := modeOf(t, path+".lock"); mode != 0o600 {
		t.Errorf("the lock has mode %o: others can hold it", mode)
	}
}

func TestLockThatIsNotGivenBackIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	mustListen(t, path).Close()
	holdLock(t, path+".lock")
	if _, err := control.Listen(path); err == nil || !strings.Contains(err.Error(), "lock "+path) {
		t.Errorf("Listen gives %v, want that the lock is held", err)
	}
}

func holdLock(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Fatal(err)
	}
}

func TestClosedListenerTakesItsSocketAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	mustListen(t, path).Close()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("socket is still there: %v", err)
	}
}

func TestSocketIsTheOwnersAloneWithoutAGroup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	before := syscall.Umask(0) // the widest: the mode must not depend on it
	defer syscall.Umask(before)
	mustListen(t, path)
	want := fs.FileMode(0o600)
	if _, err := user.LookupGroup(control.Group); err == nil {
		want = 0o660
	}
	if got := modeOf(t, path); got != want {
		t.Errorf("socket has mode %o, want %o", got, want)
	}
}

func TestSocketIsOpenToTheGroup(t *testing.T) {
	group, err := user.LookupGroupId(strconv.Itoa(os.Getegid()))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "control.sock")
	mustListen(t, path)
	if err := control.Share(path, group.Name); err != nil {
		t.Fatal(err)
	}
	if got := modeOf(t, path); got != 0o660 {
		t.Errorf("socket has mode %o, want 660", got)
	}
}

func TestGateLetsTheNextClientInWhenOneHasGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	gate := control.NewGate(mustListen(t, path), 1)
	first := accept(t, gate, path)
	if c, err := net.Dial("unix", path); err != nil {
		t.Fatal(err)
	} else {
		defer c.Close()
	}
	asked, let := make(chan struct{}), make(chan net.Conn)
	go func() {
		close(asked)
		second, _ := gate.Accept()
		let <- second
	}()
	<-asked
	select {
	case <-let:
		t.Fatal("second client is let in beside the first")
	default:
	}
	first.Close()
	if second := <-let; second == nil {
		t.Error("second client is not let in")
	} else {
		second.Close()
	}
}

func TestClosedGateEndsAccept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	gate := control.NewGate(mustListen(t, path), 1)
	defer accept(t, gate, path).Close()
	gate.Close()
	if _, err := gate.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept gives %v, want net.ErrClosed", err)
	}
}

func accept(t *testing.T, l net.Listener, path string) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	served, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return served
}

func TestPeerIsWhoeverConnected(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	uid, groups, err := control.PeerOf(accept(t, mustListen(t, path), path).(*net.UnixConn))
	if err != nil {
		t.Fatal(err)
	}
	if uid != uint32(os.Geteuid()) {
		t.Errorf("user is %d, want %d", uid, os.Geteuid())
	}
	own, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	for _, gid := range append(own, os.Getegid()) {
		if !slices.Contains(groups, uint32(gid)) {
			t.Errorf("groups are %v, without %d", groups, gid)
		}
	}
}

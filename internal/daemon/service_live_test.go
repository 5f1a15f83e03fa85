package daemon_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mkad/internal/control"
	"mkad/internal/netlab/mkadlab"
)

// These tests are a service manager to a daemon: they start it with an environment, and hear what it tells.

// A manager hears what daemons tell by sd_notify(3).
type manager struct {
	conn *net.UnixConn
	path string
}

func newManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{path: filepath.Join(t.TempDir(), "notify.sock")}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"})
	must(t, err)
	m.conn = conn
	t.Cleanup(func() { must(t, conn.Close()) })
	return m
}

// hears waits for a state, for that long.
func (m *manager) hears(t *testing.T, state string, patience time.Duration) bool {
	t.Helper()
	must(t, m.conn.SetReadDeadline(time.Now().Add(patience)))
	for buf := make([]byte, 4096); ; {
		n, err := m.conn.Read(buf)
		if err != nil {
			return false
		}
		for line := range bytes.Lines(buf[:n]) {
			if strings.HasPrefix(string(line), state) {
				return true
			}
		}
	}
}

// programsWith are mkad and mkactl, mkad after a line of shell.
func programsWith(t *testing.T, before string) string {
	t.Helper()
	programs := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\n%s %s/mkad \"$@\"\n", before, released)
	must(t, os.WriteFile(filepath.Join(programs, "mkad"), []byte(script), 0o755))
	must(t, os.Symlink(filepath.Join(released, "mkactl"), filepath.Join(programs, "mkactl")))
	return programs
}

// Clause: none; design: notify_ready, watchdog.
func TestServiceManagerIsToldWhenMkadIsReadyAndAlive(t *testing.T) {
	t.Parallel()
	m := newManager(t)
	l := newLink(t, programsWith(t, "WATCHDOG_USEC=600000 NOTIFY_SOCKET="+m.path+" exec"), "", "")
	must(t, l.West.StartDaemon(t.Context()))
	if !m.hears(t, "READY=1", patience) {
		t.Error("not ready, though it listens")
	}
	if !isClosed(t, l.West, mkadlab.Lower) {
		t.Error("ready, and the lower device is open")
	}
	for range 3 {
		if !m.hears(t, "WATCHDOG=1", patience) {
			t.Fatal("the watchdog is not fed")
		}
	}
	edit(t, l.West, "[[port]]", "[[port]]\nreplay_window = \"wide\"")
	l.West.Daemon().Signal(syscall.SIGHUP)
	if !m.hears(t, "STATUS=reload refused: ", patience) {
		t.Error("a refused reload is not told")
	}
	terminate(t, l.West)
	if !m.hears(t, "STOPPING=1", patience) {
		t.Error("the end is not told")
	}
}

// Clause: none; design: notify_ready = "secured".
func TestReadyWaitsForSecuredPorts(t *testing.T) {
	t.Parallel()
	m := newManager(t)
	l := newLink(t, programsWith(t, "NOTIFY_SOCKET="+m.path+" exec"), "", "")
	for _, h := range l.Hosts() {
		edit(t, h, "[daemon]", "[daemon]\nnotify_ready = \"secured\"")
	}
	must(t, l.West.StartDaemon(t.Context()))
	if m.hears(t, "READY=1", 500*time.Millisecond) {
		t.Error("ready without a peer")
	}
	must(t, l.East.StartDaemon(t.Context()))
	must(t, l.WaitFor(t.Context(), control.Secured))
	for range l.Hosts() {
		if !m.hears(t, "READY=1", patience) {
			t.Error("secured, and not ready")
		}
	}
}

// Clause: none; design: the unit's two capabilities are enough: for the filter, the TAP, both sockets and the control socket.
func TestTwoCapabilitiesAreEnough(t *testing.T) {
	t.Parallel()
	programs := programsWith(t, "exec setpriv --no-new-privs --bounding-set -all,+net_admin,+net_raw")
	l := newLink(t, programs, "", `on_exit = "remove"`)
	must(t, l.Secure(t.Context()))
	carriesBothWays(t, l)
	rekey(t, l)
	for _, h := range l.Hosts() {
		mkactl(t, h, "reload")
		terminate(t, h)
		if isClosed(t, h, mkadlab.Lower) || exists(t, h, mkadlab.Controlled) || fileExists(h.Socket()) {
			t.Errorf("%s: filter, Controlled Port or socket stays", h.Name)
		}
	}
}

package daemon_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"mkad/internal/control"
	"mkad/internal/explain"
	"mkad/internal/netlab/mkadlab"
)

// Clause: none; design: explain. A state file that cannot be read costs time, which is explained, and nothing else.
func TestStateThatCannotBeReadIsExplained(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(path string) error{
		"readable by all": func(path string) error { return os.Chmod(path, 0o644) },
		"damaged":         func(path string) error { return os.Truncate(path, 100) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLink(t, released, "", "")
			must(t, l.Secure(t.Context()))
			l.West.Daemon().Kill()
			must(t, spoil(stateOf(l.West)))
			l.East.Daemon().Signal(syscall.SIGSTOP) // so that nobody is heard
			t.Cleanup(func() { l.East.Daemon().Signal(syscall.SIGCONT) })
			must(t, l.West.StartDaemon(t.Context()))
			if p := waitForCause(t, l.West, explain.StateUnreadable); !strings.Contains(p.Reason, "mode 0600") {
				t.Errorf("the reason is %q", p.Reason)
			}
			if n := timesLogged(l.West, explain.StateUnreadable); n != 1 {
				t.Errorf("the log has it %d times", n)
			}
			l.East.Daemon().Signal(syscall.SIGCONT)
			must(t, l.WaitFor(t.Context(), control.Secured))
			if p := portOf(t, l.West); p.Cause != "" {
				t.Errorf("secured, and the cause is %s", p.Cause)
			}
		})
	}
}

// Clause: none; design: a full disk. It costs the next restart its state, which is told, and nothing that runs.
func TestFullDiskIsToldAndCostsNothingElse(t *testing.T) {
	t.Parallel()
	const fill = `state=$(sed -n 's/^state = "\(.*\)"/\1/p' "$2") && mkdir -p "$state" && exec unshare --mount sh -c '
mount -t tmpfs -o size=4096 none "$0" && { head -c 4096 /dev/zero >"$0/full" || true; } && exec "$@"' "$state"`
	l := newLink(t, programsWith(t, fill), "", "")
	must(t, l.Secure(t.Context()))
	if r := stream(t, l.West, l.East, 1000, 400, nil); r.Lost() != 0 || r.Received == 0 {
		t.Error(r)
	}
	if n := strings.Count(l.West.Log(), "cannot keep the state: a restart begins anew with the peers"); n != 1 {
		t.Errorf("told %d times:\n%s", n, l.West.Log())
	}
	out := strings.Join(strings.Fields(mkactl(t, l.West, "explain", mkadlab.Lower)), " ")
	if want := "what a restart needs cannot be kept, so it would begin anew with the peers: "; !strings.Contains(out, want) ||
		!strings.Contains(out, "no space left on device") {
		t.Errorf("mkactl explain says\n%s", out)
	}
	l.West.Daemon().Kill()
	must(t, l.West.StartDaemon(t.Context()))
	must(t, l.WaitFor(t.Context(), control.Secured))
}

// Clause: 802.1AE-2018 10.5.2: no packet number twice with one SAK. What was kept can be neither replaced nor removed: the next
// process goes on from there, and would take up again a SAK that came later. So it is not used under the name that the file has.
func TestStateThatCannotBeReplacedBringsNoSAKBack(t *testing.T) {
	t.Parallel()
	l := newLink(t, programsWith(t, "exec setpriv --bounding-set=-dac_override,-dac_read_search"), "", "")
	must(t, l.Both(func(h *mkadlab.Host) error {
		edit(t, h, "[daemon]", "[daemon]\nlog_level = \"debug\"")
		return nil
	}))
	must(t, l.Secure(t.Context()))
	before := portOf(t, l.East)
	server, follower := l.West, l.East
	if before.KeyServer {
		server, follower = follower, server
	}
	dir := filepath.Dir(stateOf(follower))
	must(t, os.Chmod(dir, 0o500))
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	mkactl(t, server, "rekey", mkadlab.Lower)
	waitFor(t, "another key for another member", func() bool {
		p := portOf(t, follower)
		return p.State == control.Secured && p.Tx.KI != before.Tx.KI
	})
	carriesBothWays(t, l)
	said := strings.Join(strings.Fields(mkactl(t, follower, "explain", mkadlab.Lower)), " ")
	if want := "what a restart needs can neither be kept nor removed, so it would go on from what it was before: "; !strings.Contains(said, want) {
		t.Errorf("mkactl explain says\n%s", said)
	}
	follower.Daemon().Kill()
	must(t, follower.StartDaemon(t.Context()))
	must(t, l.WaitFor(t.Context(), control.Secured))
	carriesBothWays(t, l)
	made := map[string]int{}
	for _, found := range regexp.MustCompile(`CreateTransmitSA an=\d key=([0-9a-f]+)`).FindAllStringSubmatch(follower.Log(), -1) {
		made[found[1]]++
	}
	for key, n := range made {
		if n > 1 {
			t.Errorf("transmit SAs of %s were made %d times", key, n)
		}
	}
	if !strings.Contains(follower.Log(), "it could use this SAK again") {
		t.Error("no SAK was refused")
	}
}

// Clause: none; design: a missing run directory. mkad makes it; where it cannot, it says what is in the way and does not start.
func TestMissingRunDirectoryIsMade(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	text, err := os.ReadFile(l.West.ConfigFile())
	must(t, err)
	dir := filepath.Join(t.TempDir(), "run")
	elsewhere := func(control string) []byte {
		return []byte(strings.Replace(string(text), l.West.Socket(), control, 1))
	}
	must(t, os.WriteFile(l.West.ConfigFile(), elsewhere(filepath.Join(dir, "mkad", "control.sock")), 0o644))
	must(t, l.West.ExecDaemon())
	waitFor(t, "the control socket", func() bool {
		_, err := os.Stat(filepath.Join(dir, "mkad", "control.sock"))
		return err == nil
	})
	l.West.Daemon().Kill()
	must(t, os.WriteFile(l.West.ConfigFile(), elsewhere(filepath.Join(dir, "mkad", "control.sock", "below")), 0o644))
	must(t, l.West.ExecDaemon())
	waitFor(t, "its end", func() bool { return strings.Contains(l.West.Log(), "not a directory; set another control path") })
}

// Clause: none; design decision 4: what is to be closed is closed before anything can keep mkad from starting.
func TestDeviceIsClosedThoughMkadCannotStart(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	must(t, os.WriteFile(l.West.Socket(), []byte("in its place"), 0o600))
	must(t, l.West.ExecDaemon())
	waitFor(t, "its end", func() bool { return strings.Contains(l.West.Log(), "not a socket") })
	if !isClosed(t, l.West, mkadlab.Lower) {
		t.Error("the lower device is open")
	}
}

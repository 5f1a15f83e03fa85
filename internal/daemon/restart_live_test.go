package daemon_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mkad/internal/control"
	"mkad/internal/netlab/mkadlab"
)

// mis are the Member Identifiers of a host's participants.
func mis(t *testing.T, h *mkadlab.Host) (all []string) {
	t.Helper()
	for _, p := range portOf(t, h).Participants {
		all = append(all, p.MI)
	}
	return all
}

// stateOf is the state file of a host's port.
func stateOf(h *mkadlab.Host) string {
	return filepath.Join(filepath.Dir(h.ConfigFile()), "state", mkadlab.Lower+".json")
}

// Clause: 802.1X-2020 9.4.2; design: on the SecY of user space traffic is back within 2 s of the start, under the MI that
// the peer knows.
func TestRestartInUserSpaceIsSecuredAgainAtOnce(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		for _, ofServer := range []bool{true, false} {
			restartInUserSpace(t, sig, ofServer)
		}
	}
}

func restartInUserSpace(t *testing.T, sig syscall.Signal, ofServer bool) {
	t.Helper()
	l := newLink(t, released, "", `backend = "userspace"`)
	wires := capture(t, l)
	must(t, l.Secure(t.Context()))
	h, follower := keyServer(t, l)
	if !ofServer {
		h = follower
	}
	before := mis(t, h)
	h.Daemon().Signal(sig)
	<-h.Daemon().Ended()
	start := time.Now()
	must(t, h.StartDaemon(t.Context()))
	must(t, l.WaitFor(t.Context(), control.Secured))
	waitFor(t, "one key on both sides", func() bool { return portOf(t, l.West).Tx.KI == portOf(t, l.East).Tx.KI })
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("%v, of the key server %t: secured after %v", sig, ofServer, took)
	} else {
		t.Logf("%v, of the key server %t: secured after %v", sig, ofServer, took.Round(time.Millisecond))
	}
	carriesBothWays(t, l)
	if after := mis(t, h); strings.Join(after, " ") != strings.Join(before, " ") || !strings.Contains(h.Log(), "resumed") {
		t.Errorf("%v, of the key server %t: MIs were %v and are %v", sig, ofServer, before, after)
	}
	onlySecured(t, wires())
}

// Clause: none; what cannot be believed is told in one line, and the port begins anew.
func TestStateThatCannotBeBelievedBeginsAnew(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	must(t, l.Secure(t.Context()))
	for name, spoil := range map[string]func(path string) error{
		"damaged": func(path string) error { return os.WriteFile(path, []byte("{}\n"), 0o600) },
		"for all": func(path string) error { return os.Chmod(path, 0o644) },
	} {
		before, told := mis(t, l.West), strings.Count(l.West.Log(), "beginning anew")
		l.West.Daemon().Kill()
		must(t, spoil(stateOf(l.West)))
		must(t, l.West.StartDaemon(t.Context()))
		must(t, l.WaitFor(t.Context(), control.Secured))
		if after := mis(t, l.West); after[0] == before[0] || strings.Count(l.West.Log(), "beginning anew") != told+1 {
			t.Errorf("%s: MI was %v and is %v", name, before, after)
		}
	}
}

// Clause: none; a CAK file that was changed meanwhile counts, whatever the state says.
func TestRestartWithAnotherCAKIsNotSecured(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, keyText(2, 16), "")
	must(t, l.Secure(t.Context()))
	l.West.Daemon().Kill()
	giveOwnKey(t, l.West, l.KeyFile, strings.Replace(keyText(2, 16), "555c", "5c55", 1))
	must(t, l.West.StartDaemon(t.Context()))
	waitFor(t, "the port to be blocked", func() bool { return portOf(t, l.West).State == control.Blocked })
	if !strings.Contains(l.West.Log(), "its CAK is another") {
		t.Error("its log does not say that the CAK is another")
	}
}

// Clause: none; the end with on_exit = "remove" leaves no state.
func TestRemovedPortLeavesNoState(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", `on_exit = "remove"`)
	must(t, l.Secure(t.Context()))
	if info, err := os.Stat(stateOf(l.West)); err != nil || info.Mode() != 0o600 {
		t.Errorf("state file: %v, %v", info, err)
	}
	terminate(t, l.West)
	if _, err := os.Stat(stateOf(l.West)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("state file: %v", err)
	}
}

// Clause: none; a port works without a place for its state.
func TestPortWithoutAPlaceForItsStateWorks(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	must(t, os.WriteFile(filepath.Dir(stateOf(l.West)), nil, 0o600))
	must(t, l.Secure(t.Context()))
	carriesBothWays(t, l)
	if n := strings.Count(l.West.Log(), "cannot keep the state"); n != 1 {
		t.Errorf("told %d times", n)
	}
}

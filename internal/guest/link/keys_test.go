package link

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mkad/internal/control"
	"mkad/internal/daemon/daemontest"
	"mkad/internal/netlab"
)

// chainRate is how much faster than the host's clock runs that of a test of key chains: at 1 it takes six minutes.
var chainRate = flag.Int("chain-rate", 6, "how much faster the clock of a test of key chains runs")

// playing is a directory with mkad played by this test binary, which can be given another clock.
func playing(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	must(t, err)
	mkactl, err := exec.LookPath("mkactl")
	must(t, err)
	must(t, os.Symlink(self, filepath.Join(dir, "mkad")))
	must(t, os.Symlink(mkactl, filepath.Join(dir, "mkactl")))
	return dir
}

// Clause: 802.1X-2020 9.3.2, 9.14; design: five keys of two minutes, which overlap by one, follow each other without a
// frame lost on the kernel's SecY, and after the last nothing passes.
// Requirement: R101
func TestGuestChainOfFiveKeysLosesNothingAndEndsForGood(t *testing.T) {
	l := newLinkOf(t, playing(t), "", "")
	begins := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	var keys []daemontest.Key
	for i := range 5 {
		start := begins.Add(time.Duration(i) * time.Minute)
		keys = append(keys, daemontest.Key{CKN: fmt.Sprintf("c%d", i+1), Start: start, End: start.Add(2 * time.Minute)})
	}
	must(t, os.WriteFile(l.KeyFile, []byte(daemontest.KeyFile(keys...)), 0o600))
	clock := daemontest.Clock{Began: time.Now(), Wall: begins, Rate: *chainRate}
	for _, h := range l.Hosts() {
		must(t, clock.Give(h.ConfigFile()))
	}
	must(t, l.Secure(t.Context()))
	there, back := startSenders(t, l.West, l.East), startSenders(t, l.East, l.West)
	<-time.After(clock.Until(keys[4].End.Add(-40 * time.Second))) // all the streams have to end before
	if p := port(t, l.West); p.PrincipalCKN != "c5" || p.Rekeys < 4 {
		t.Errorf("principal %s after %d re-keys", p.PrincipalCKN, p.Rekeys)
	}
	for _, streams := range [][]*netlab.Stream{there, back} {
		losesNothing(t, streams)
	}
	must(t, l.WaitFor(t.Context(), control.Blocked))
	s := startStream(t, l.West, l.East)
	<-time.After(time.Second)
	r, err := s.Stop()
	must(t, err)
	t.Log("after the end:", r)
	if r.Received != 0 {
		t.Error("traffic passes after the last key has ended")
	}
}

// Clause: none; design: the fallback key takes over from a primary that is broken on one side, and hands back, without a
// frame lost on the kernel's SecY.
// Requirement: R101, R102
func TestGuestFallbackTakesOverAndHandsBackWithoutLoss(t *testing.T) {
	l := newLink(t, "", "")
	file := func(broken bool) []byte {
		return []byte(daemontest.KeyFile(daemontest.Key{CKN: "0a", Broken: broken}, daemontest.Key{CKN: "0f", Fallback: true}))
	}
	own := l.KeyFile + ".west"
	replace := func(broken bool) {
		must(t, os.WriteFile(own+".new", file(broken), 0o600))
		must(t, os.Rename(own+".new", own))
	}
	must(t, os.WriteFile(l.KeyFile, file(false), 0o600))
	replace(false)
	text, err := os.ReadFile(l.West.ConfigFile())
	must(t, err)
	must(t, os.WriteFile(l.West.ConfigFile(), []byte(strings.Replace(string(text), l.KeyFile, own, 1)), 0o644))
	must(t, l.Secure(t.Context()))
	uses := func(ckn string) {
		waitFor(t, "key "+ckn, func() bool {
			west, east := port(t, l.West), port(t, l.East)
			return west.PrincipalCKN == ckn && east.PrincipalCKN == ckn && west.Tx.KI == east.Tx.KI && len(west.Rx) == 1 &&
				west.Rx[0].AN == west.Tx.AN
		})
	}
	uses("0a")
	there, back := startSenders(t, l.West, l.East), startSenders(t, l.East, l.West)
	replace(true)
	uses("0f")
	replace(false)
	uses("0a")
	<-time.After(4 * time.Second) // in which the key before retires
	for _, streams := range [][]*netlab.Stream{there, back} {
		losesNothing(t, streams)
	}
}

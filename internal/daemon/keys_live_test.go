package daemon_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mkad/internal/control"
	"mkad/internal/daemon/daemontest"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// chainRate is how much faster than the host's clock runs that of a test of key chains. At 1, five keys of two minutes
// take six.
var chainRate = flag.Int("chain-rate", 12, "how much faster the clock of a test of key chains runs")

// chainBegins is when the first key of a chain starts, on that clock.
var chainBegins = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// fiveKeys are valid for two minutes each, and overlap by one.
func fiveKeys() (keys []daemontest.Key) {
	for i := range 5 {
		start := chainBegins.Add(time.Duration(i) * time.Minute)
		keys = append(keys, daemontest.Key{CKN: fmt.Sprintf("c%d", i+1), Start: start, End: start.Add(2 * time.Minute)})
	}
	return keys
}

// chainLink is a link whose mkads live by a fast clock, which shows chainBegins now.
func chainLink(t *testing.T, keys ...daemontest.Key) (*mkadlab.Link, daemontest.Clock) {
	t.Helper()
	l := newLink(t, hooked, daemontest.KeyFile(keys...), "")
	clock := daemontest.Clock{Began: time.Now(), Wall: chainBegins, Rate: *chainRate}
	for _, h := range l.Hosts() {
		must(t, clock.Give(h.ConfigFile()))
	}
	must(t, l.Secure(t.Context()))
	return l, clock
}

// crossUntil sends streams both ways until the clock shows t; nothing may be lost.
func crossUntil(t *testing.T, l *mkadlab.Link, clock daemontest.Clock, end time.Time) (reports [2]netlab.StreamReport) {
	t.Helper()
	return crossing(t, l, func() { <-time.After(clock.Until(end)) })
}

// Clause: 802.1X-2020 9.3.2, 9.14; design: five keys follow each other without a frame lost, and after the last nothing
// passes. In make soak, which takes its time, the same time with one key is beside it.
// Requirement: R101
func TestChainOfFiveKeysLosesNothingAndEndsForGood(t *testing.T) {
	t.Run("five keys", func(t *testing.T) {
		t.Parallel()
		keys := fiveKeys()
		l, clock := chainLink(t, keys...)
		var used []string
		events := watchPrincipal(t, l.West, &used)
		end := keys[4].End
		for _, r := range crossUntil(t, l, clock, end.Add(-time.Duration(*chainRate)*time.Second)) {
			t.Log("five keys:", r)
		}
		must(t, l.WaitFor(t.Context(), control.Blocked))
		if early := clock.Now(); early.Before(end) {
			t.Errorf("blocked %s before the end", end.Sub(early))
		}
		if r := stream(t, l.West, l.East, 500, 500, nil); r.Received != 0 {
			t.Errorf("after the end: %s", r)
		}
		events()
		if want := []string{"c2", "c3", "c4", "c5", ""}; !slices.Equal(used, want) {
			t.Errorf("principal %q, want %q", used, want)
		}
		p := portOf(t, l.West)
		if !strings.Contains(p.Reason, "no key in") || p.PrincipalCKN != "" {
			t.Errorf("principal %q, reason %q", p.PrincipalCKN, p.Reason)
		}
	})
	if *chainRate > 1 {
		return
	}
	t.Run("one key", func(t *testing.T) {
		t.Parallel()
		l, clock := chainLink(t, daemontest.Key{CKN: "c1"})
		for _, r := range crossUntil(t, l, clock, chainBegins.Add(6*time.Minute)) {
			t.Log("one key:", r)
		}
		if p := portOf(t, l.West); p.Rekeys != 0 {
			t.Errorf("%d re-keys", p.Rekeys)
		}
	})
}

// watchPrincipal notes the CKN of every principal from now on, until the function that it returns is called.
func watchPrincipal(t *testing.T, h *mkadlab.Host, used *[]string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	events, err := h.Control.Events(ctx)
	must(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			e, err := events.Next()
			if err != nil {
				return
			}
			if e.Event == "principal" {
				*used = append(*used, e.CKN)
			}
		}
	}()
	return func() { cancel(); events.Close(); <-done }
}

// breakable is a pair of keys of which the primary may be broken.
func breakable(broken bool) string {
	return daemontest.KeyFile(daemontest.Key{CKN: "0a", Broken: broken}, daemontest.Key{CKN: "0f", Fallback: true})
}

// replaceFile puts a file in the place of another, as careful editors do.
func replaceFile(t *testing.T, path, text string) {
	t.Helper()
	writeKey(t, path+".new", text)
	must(t, os.Rename(path+".new", path))
}

// inUse waits until both hosts use the key.
func inUse(t *testing.T, l *mkadlab.Link, ckn string) {
	t.Helper()
	waitLong(t, "key "+ckn, 2*patience, func() bool {
		for _, h := range l.Hosts() {
			p, err := h.Port(t.Context())
			if err != nil || p.PrincipalCKN != ckn || len(p.Rx) != 1 || p.Rx[0].AN != p.Tx.AN {
				return false
			}
		}
		return portOf(t, l.West).Tx.KI == portOf(t, l.East).Tx.KI
	})
}

// Clause: none; design: a fallback key takes over when the primary is broken on one side, by an edit of the file that is
// noticed by itself, and hands back; nothing is lost, and everybody is told.
// Requirement: R102
func TestFallbackTakesOverAndHandsBackWithoutLoss(t *testing.T) {
	for _, side := range []string{"key server", "follower"} {
		t.Run(side, func(t *testing.T) {
			t.Parallel()
			l := newLink(t, released, breakable(false), "")
			for _, h := range l.Hosts() {
				giveOwnKey(t, h, l.KeyFile, breakable(false))
			}
			must(t, l.Secure(t.Context()))
			inUse(t, l, "0a")
			host, other := keyServer(t, l)
			if side == "follower" {
				host, other = other, host
			}
			file := l.KeyFile + "." + host.Name
			var told []string
			stop := watchPrincipal(t, other, &told)
			for _, r := range crossing(t, l, func() {
				replaceFile(t, file, breakable(true))
				inUse(t, l, "0f")
				for _, h := range l.Hosts() {
					saysFallback(t, h, true)
				}
				replaceFile(t, file, daemontest.KeyFile(daemontest.Key{CKN: "0f", Fallback: true}))
				waitFor(t, "a fallback that is alone is told of", func() bool {
					return slices.ContainsFunc(portOf(t, host).Warnings, func(w string) bool { return strings.Contains(w, "0f is in use: there is no primary key in "+file) })
				})
				replaceFile(t, file, breakable(false))
				inUse(t, l, "0a")
				for _, h := range l.Hosts() {
					saysFallback(t, h, false)
				}
			}) {
				t.Log(r)
			}
			stop()
			if want := []string{"0f", "0a"}; !slices.Equal(told, want) {
				t.Errorf("told of the principals %q, want %q", told, want)
			}
			for _, h := range l.Hosts() {
				if !strings.Contains(h.Log(), "level=WARN msg=principal port=eth1 ckn=0f") {
					t.Errorf("%s does not log the fallback", h.Name)
				}
			}
		})
	}
}

// saysFallback wants the status to say that the fallback is in use, or not.
func saysFallback(t *testing.T, h *mkadlab.Host, want bool) {
	t.Helper()
	p := portOf(t, h)
	if got := slices.ContainsFunc(p.Warnings, func(w string) bool { return strings.Contains(w, "fallback key 0f is in use") }); got != want {
		t.Errorf("%s: fallback in use %t, want %t: %q", h.Name, got, want, p.Warnings)
	}
	for _, part := range p.Participants {
		if part.CKN == "0f" && part.State != map[bool]string{true: "principal", false: "live"}[want] {
			t.Errorf("%s: the fallback's participant is %s", h.Name, part.State)
		}
	}
}

// Clause: none; design: a bad edit leaves the keys from before in use, and says why; a good one is taken at once, also by
// the swap of a symbolic link. The other side does not notice.
func TestBadEditOfTheCAKFileLeavesTheOldKeysAndSaysWhy(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, keyText(16, 16), "")
	giveOwnKey(t, l.West, l.KeyFile, keyText(16, 16))
	file := l.KeyFile + ".west"
	must(t, os.Mkdir(file+".d", 0o700))
	must(t, os.Rename(file, filepath.Join(file+".d", "1")))
	must(t, os.Symlink(filepath.Join(file+".d", "1"), file))
	must(t, l.Secure(t.Context()))
	warned := func() bool {
		w := portOf(t, l.West).Warnings
		return len(w) == 1 && strings.Contains(w[0], "key.toml.west:3: key.cak") && strings.Contains(w[0], "stay in use")
	}
	untouched(t, l, func() {
		replaceFile(t, filepath.Join(file+".d", "1"), keyText(16, 15))
		waitFor(t, "a warning of the bad edit", warned)
		two := keyText(16, 16) + daemontest.KeyFile(daemontest.Key{CKN: "0b", Fallback: true})
		writeKey(t, filepath.Join(file+".d", "2"), two)
		must(t, os.Symlink(filepath.Join(file+".d", "2"), file+".new"))
		must(t, os.Rename(file+".new", file))
		waitFor(t, "the other key", func() bool {
			p := portOf(t, l.West)
			return len(p.Warnings) == 0 && len(p.Participants) == 2
		})
	})
}

package daemon_test

import (
	"strings"
	"testing"
	"time"

	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// inClear counts the frames of a host's own that get out of the lower device while something is done to it.
func inClear(t *testing.T, l *mkadlab.Link, do func()) uint64 {
	t.Helper()
	s, err := netlab.StartStream(netlab.StreamConfig{FromNamespace: l.West.Namespace, ToNamespace: l.East.Namespace,
		From: mkadlab.Lower, To: mkadlab.Lower, Rate: 1000})
	must(t, err)
	do()
	r, err := s.Stop()
	must(t, err)
	if r.Sent+r.Refused == 0 {
		t.Error("nothing was attempted")
	}
	return r.Received
}

// Clause: none; design decision 4: closed means closed, and whoever reloads a firewall flushes all rules.
func TestFlushedRulesetIsPutBackAtOnce(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	must(t, l.Secure(t.Context()))
	inClear(t, l, func() {
		for range 3 {
			if out, err := l.West.Run(t.Context(), "nft", "flush", "ruleset"); err != nil {
				t.Fatal(out, err)
			}
			waitFor(t, "the lower device to be closed again", func() bool { return isClosed(t, l.West, mkadlab.Lower) })
		}
	})
	if !strings.Contains(l.West.Log(), "changed by somebody else") {
		t.Error("the log does not tell of it")
	}
}

// waitFor looks until it is so, for 10 s at most.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	waitLong(t, what, 10*time.Second, so)
}

// waitLong is waitFor with a time of its own.
func waitLong(t *testing.T, what string, patience time.Duration, so func() bool) {
	t.Helper()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(patience); !so(); <-look.C {
		if time.Now().After(end) {
			t.Fatalf("waited %s in vain for %s", patience, what)
		}
	}
}

// Clause: none; design decision 4
func TestReloadNeverOpensTheLowerDevice(t *testing.T) {
	for name, change := range map[string][2]string{
		"another Controlled Port":       {`controlled = "macsec0"`, `controlled = "macsec1"`},
		"interface that does not exist": {`interface = "eth1"`, `interface = "eth11"`},
		"another policy":                {`controlled = "macsec0"`, "controlled = \"macsec0\"\nreplay_window = 64"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLink(t, released, "", "")
			must(t, l.Secure(t.Context()))
			n := inClear(t, l, func() {
				for range 3 {
					edit(t, l.West, change[0], change[1])
					mkactl(t, l.West, "reload")
					edit(t, l.West, change[1], change[0])
					mkactl(t, l.West, "reload")
				}
			})
			if n != 0 {
				t.Errorf("%d frames in clear", n)
			}
		})
	}
}

// Clause: none; design decision 4
func TestRenamedLowerDeviceStaysClosed(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	must(t, l.Secure(t.Context()))
	rename := func(from, to string) {
		if out, err := l.West.Run(t.Context(), "ip", "link", "set", from, "name", to); err != nil {
			t.Fatal(out, err)
		}
	}
	rename(mkadlab.Lower, "eth9")
	waitFor(t, "the other name to be closed", func() bool { return isClosed(t, l.West, "eth9") })
	rename("eth9", mkadlab.Lower)
	must(t, l.WaitFor(t.Context(), "secured"))
	waitFor(t, "the other name to be let go", func() bool { return !isClosed(t, l.West, "eth9") })
	if n := inClear(t, l, func() { carriesBothWays(t, l) }); n != 0 {
		t.Errorf("%d frames in clear", n)
	}
}

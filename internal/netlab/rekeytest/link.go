package rekeytest

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"mkad/internal/control"
	"mkad/internal/daemon/daemontest"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// patience is how long something is waited for: a busy or emulated machine is slow.
const patience = 30 * time.Second

// A link is a segment of which the first member is key server, each member with a CAK file of its own.
type link struct{ *mkadlab.Segment }

// newLink makes a link and secures it. The test closes it.
func newLink(t *testing.T, s Soak, k kind) *link {
	t.Helper()
	port := fmt.Sprintf("cipher_suites = [\"GCM-AES-128\"]\nbackend = %q", s.Backend)
	segment, err := mkadlab.NewSegment(t.Context(), k.members, mkadlab.Options{Programs: s.Programs, Port: port})
	must(t, err)
	l := &link{segment}
	t.Cleanup(func() {
		if t.Failed() {
			for _, h := range l.Members {
				t.Logf("log of %s:\n%s", h.Name, h.Log())
			}
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	for i, h := range l.Members {
		must(t, l.Plug(i, true))
		must(t, h.ConfigurePort(fmt.Sprintf("key_server_priority = %d", i)))
		l.giveKey(t, h, daemontest.Key{CKN: "01"})
		text, err := os.ReadFile(h.ConfigFile())
		must(t, err)
		must(t, os.WriteFile(h.ConfigFile(), []byte(strings.Replace(string(text), l.KeyFile, l.keyFile(h), 1)), 0o644))
		must(t, k.hooks.Give(h.ConfigFile()))
	}
	l.secure(t)
	return l
}

func (l *link) keyFile(h *mkadlab.Host) string { return l.KeyFile + "." + h.Name }

// giveKey gives a member another CAK file, in one step.
func (l *link) giveKey(t *testing.T, h *mkadlab.Host, key daemontest.Key) {
	t.Helper()
	path := l.keyFile(h)
	must(t, os.WriteFile(path+".new", []byte(daemontest.KeyFile(key)), 0o600))
	must(t, os.Rename(path+".new", path))
}

// secure starts all, and waits until they are a group with one key.
func (l *link) secure(t *testing.T) {
	t.Helper()
	for _, h := range l.Members {
		must(t, h.StartDaemon(t.Context()))
	}
	waitFor(t, "one group with one key", func() bool {
		ki := port(t, l.Members[0]).Tx.KI
		for _, h := range l.Members {
			if p := port(t, h); p.State != control.Secured || livePeers(p) != len(l.Members)-1 || p.Tx.KI != ki {
				return false
			}
		}
		return port(t, l.Members[0]).KeyServer
	})
}

// stream begins to send from a member to another.
func (l *link) stream(t *testing.T, from, to, rate int) *netlab.Stream {
	t.Helper()
	s, err := netlab.StartStream(netlab.StreamConfig{FromNamespace: l.Members[from].Namespace,
		ToNamespace: l.Members[to].Namespace, From: mkadlab.Controlled, To: mkadlab.Controlled, Rate: rate, Size: 200})
	must(t, err)
	return s
}

// follow begins to follow why the key server makes SAKs.
func (l *link) follow(t *testing.T) reasons {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	events, err := l.Members[0].Control.Events(ctx)
	must(t, err)
	t.Cleanup(func() { cancel(); events.Close() })
	told := make(reasons, 100)
	go func() {
		defer close(told)
		for {
			e, err := events.Next()
			if err != nil {
				return
			}
			if e.Event == "sak-generated" {
				told <- e.Reason
			}
		}
	}()
	return told
}

// resident is the resident memory of each member's daemon, in KiB.
func (l *link) resident(t *testing.T) (kib []int) {
	t.Helper()
	for _, h := range l.Members {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.Daemon().PID()))
		must(t, err)
		_, rest, found := strings.Cut(string(text), "VmRSS:")
		if !found {
			t.Fatalf("%s has no VmRSS", h.Name)
		}
		var n int
		_, err = fmt.Sscan(rest, &n)
		must(t, err)
		kib = append(kib, n)
	}
	return kib
}

func port(t *testing.T, h *mkadlab.Host) control.Port {
	t.Helper()
	p, err := h.Port(t.Context())
	must(t, err)
	return p
}

func livePeers(p control.Port) (n int) {
	for _, participant := range p.Participants {
		for _, peer := range participant.Peers {
			if peer.State == "live" {
				n++
			}
		}
	}
	return n
}

// waitFor looks until it is so. A look costs little beside what it is waited for.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(patience); !so(); <-look.C {
		if time.Now().After(end) {
			t.Fatalf("waited %s in vain for %s", patience, what)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

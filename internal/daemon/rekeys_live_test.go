package daemon_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"mkad/internal/daemon/daemontest"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// rekeys is how many re-keys of each kind a test of all kinds makes. They take three to six seconds each. With few of them it
// leaves out the kinds that other tests have too.
var rekeys = flag.Int("rekeys", 2, "how many re-keys of each kind are made")

// rekeyKinds are the reasons for which a key server makes another SAK, as its events tell them, and what brings them about.
var rekeyKinds = []struct {
	name    string
	reasons []string
	hooks   hooks
	// another, if set, brings about the next re-key, or the next two.
	another func(t *testing.T, s *mkadlab.Segment)
}{
	{name: "timer", reasons: []string{"SAK lifetime"}, hooks: hooks{MKADTestLifetime: 4 * time.Second}},
	{name: "command", reasons: []string{"requested"}, another: func(t *testing.T, s *mkadlab.Segment) {
		was := portOf(t, s.Members[0]).Tx.KI
		must(t, s.Members[0].Control.Rekey(t.Context(), mkadlab.Lower))
		waitFor(t, "another SAK in use", func() bool {
			ki := portOf(t, s.Members[0]).Tx.KI
			return ki != was && portOf(t, s.Members[1]).Tx.KI == ki
		})
	}},
	{name: "packet numbers", reasons: []string{"packet numbers run out"},
		hooks: hooks{MKADTestFirstPN: 0xc0000000 - 500, MKADTestEvery: true}},
	{name: "membership", reasons: []string{"peer live", "peer lost"}, another: func(t *testing.T, s *mkadlab.Segment) {
		third := s.Members[2]
		for _, broken := range []bool{true, false} {
			replaceFile(t, s.KeyFile+"."+third.Name, daemontest.KeyFile(daemontest.Key{CKN: "01", Broken: broken}))
			waitFor(t, "the third member to go or come", func() bool {
				return (livePeers(portOf(t, s.Members[0])) == 2) != broken && (livePeers(portOf(t, s.Members[1])) == 2) != broken
			})
		}
	}},
}

// Clause: 802.1X-2020 9.8; design: whatever a re-key is made for, its reason is told, it loses nothing, and costs no memory
func TestRekeysOfEveryKindTellTheirReasonAndLoseNothing(t *testing.T) {
	kinds := rekeyKinds
	if *rekeys <= 2 {
		kinds = kinds[len(kinds)-1:]
	}
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			s := rekeyGroup(t, kind.hooks)
			there, back := startStream(t, s.Members[0], s.Members[1], 200), startStream(t, s.Members[1], s.Members[0], 200)
			reasons := followReasons(t, s.Members[0])
			var early [2]int // resident memory after a tenth
			for made := 0; made < *rekeys; {
				if kind.another != nil {
					kind.another(t, s)
				}
				made += reasons.next(t, kind.reasons)
				if early[0] == 0 && made*10 >= *rekeys {
					early = [2]int{resident(t, s.Members[0]), resident(t, s.Members[1])}
				}
			}
			<-time.After(4 * time.Second) // the key before retires
			for _, st := range []*netlab.Stream{there, back} {
				r, err := st.Stop()
				must(t, err)
				t.Log(r)
				if r.Lost() != 0 || r.Refused != 0 || r.Twice != 0 || r.Received == 0 {
					t.Error(r)
				}
			}
			for i, h := range s.Members[:2] {
				late := resident(t, h)
				t.Logf("%s: %d re-keys, resident memory %d KiB after a tenth, %d KiB at the end", h.Name, portOf(t, h).Rekeys, early[i], late)
				if late > early[i]+4096+early[i]/4 {
					t.Errorf("%s: memory grew from %d to %d KiB", h.Name, early[i], late)
				}
			}
		})
	}
}

// rekeyGroup is a group of which the first is key server, each member with a CAK file of its own.
func rekeyGroup(t *testing.T, h hooks) *mkadlab.Segment {
	t.Helper()
	s, err := mkadlab.NewSegment(t.Context(), 3, mkadlab.Options{Programs: hooked,
		Port: "cipher_suites = [\"GCM-AES-128\"]\n# priority"})
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			for _, h := range s.Members {
				t.Logf("log of %s:\n%s", h.Name, h.Log())
			}
		}
		must(t, s.Close())
	})
	for i, m := range s.Members {
		must(t, s.Plug(i, true))
		edit(t, m, "# priority", fmt.Sprintf("key_server_priority = %d", i))
		giveOwnKey(t, m, s.KeyFile, daemontest.KeyFile(daemontest.Key{CKN: "01"}))
		writeHooks(t, m, h)
	}
	must(t, s.Secure(t.Context()))
	awaitGroup(t, s.Members)
	return s
}

// A reasonStream is why a key server makes SAKs, from now on.
type reasonStream chan string

func followReasons(t *testing.T, h *mkadlab.Host) reasonStream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	events, err := h.Control.Events(ctx)
	must(t, err)
	t.Cleanup(func() { cancel(); events.Close() })
	reasons := make(reasonStream, 100)
	go func() {
		defer close(reasons)
		for {
			e, err := events.Next()
			if err != nil {
				return
			}
			if e.Event == "sak-generated" {
				reasons <- e.Reason
			}
		}
	}()
	return reasons
}

// next waits for a re-key and all that have come meanwhile, and tells how many there were. Each has one of the reasons.
func (s reasonStream) next(t *testing.T, want []string) (n int) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for n == 0 || len(s) > 0 {
		select {
		case reason := <-s:
			if n++; !strings.Contains(strings.Join(want, ", "), reason) || reason == "" {
				t.Errorf("a re-key because of %q, want one of %q", reason, want)
			}
		case <-late.C:
			t.Fatal("no re-key")
		}
	}
	return n
}

// resident is the resident memory of a host's daemon, in KiB.
func resident(t *testing.T, h *mkadlab.Host) (kib int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.Daemon().PID()))
	must(t, err)
	_, rest, found := strings.Cut(string(text), "VmRSS:")
	if !found {
		t.Fatal(errors.New("no VmRSS"))
	}
	_, err = fmt.Sscan(rest, &kib)
	must(t, err)
	return kib
}

// Package rekeytest has links change their SAK for every reason there is, a few times or for hours, under traffic, and tells
// what that has lost and what memory it has cost.
//
//	rekeytest.Run(t, rekeytest.Soak{Programs: dir, Backend: "kernel", Each: 1000, Links: 8})
//
// A re-key takes three seconds and more, in which the key before retires, and nearly no work: so a thousand are made by many
// links side by side, each with daemons, a switch and numbered frames of its own.
package rekeytest

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mkad/internal/daemon/daemontest"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
	"mkad/secy"
)

// A Soak says how many re-keys there are, and where.
type Soak struct {
	// Programs is the directory of mkactl, and of an mkad that lives by daemontest.Hooks.
	Programs string
	Backend  string   // of the SecY, as the configuration names it
	Each     int      // how many re-keys of each kind are made, all links taken together
	Links    int      // of each kind, side by side if -test.parallel allows as many
	Rate     int      // frames a second each way on each link
	Kinds    []string // "timer", "command", "packet numbers", "membership"; none: all
}

// Flags defines the flags of a test that has a Soak: how many re-keys of each kind, on how many links, under what traffic.
func Flags(each, links, rate int) *Soak {
	s := new(Soak)
	flag.IntVar(&s.Each, "each-kind", each, "how many re-keys of each kind a test of all kinds makes")
	flag.IntVar(&s.Links, "links", links, "on how many links of each kind it makes them side by side; -test.parallel bounds them")
	flag.IntVar(&s.Rate, "link-rate", rate, "frames a second each way on each of these links")
	return s
}

// A kind is a reason for which a key server makes another SAK.
type kind struct {
	name    string
	reasons []string // as its events tell them
	members int
	hooks   daemontest.Hooks
	// another, if set, brings about the next re-key, or the next two.
	another func(l *link, t *testing.T)
}

// kinds are all of them. With packet numbers every SAK begins two seconds before it is exhausted.
func kinds(rate int) []kind {
	return []kind{
		{name: "timer", reasons: []string{"SAK lifetime"}, members: 2,
			hooks: daemontest.Hooks{MKADTestLifetime: 4 * time.Second}},
		{name: "command", reasons: []string{"requested"}, members: 2, another: (*link).command},
		{name: "packet numbers", reasons: []string{"packet numbers run out"}, members: 2,
			hooks: daemontest.Hooks{MKADTestFirstPN: secy.PN(0xc0000000 - 2*rate), MKADTestEvery: true}},
		{name: "membership", reasons: []string{"peer live", "peer lost"}, members: 3, another: (*link).membership},
	}
}

// Run makes the re-keys, each kind as a subtest of its own. Nothing may be lost, and memory may not grow.
func Run(t *testing.T, s Soak) {
	for _, k := range kinds(s.Rate) {
		if len(s.Kinds) > 0 && !slices.Contains(s.Kinds, k.name) {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			sum := tally{kind: k, want: int64(s.Each)}
			t.Cleanup(func() {
				t.Logf("%s: %s", s.Backend, &sum)
				if sum.made.Load() < sum.want {
					t.Errorf("%d re-keys were to be made", sum.want)
				}
			})
			for i := range s.Links {
				t.Run(fmt.Sprint(i+1), func(t *testing.T) {
					t.Parallel()
					if sum.made.Load() < sum.want {
						soak(t, s, k, &sum)
					}
				})
			}
		})
	}
}

// A tally is what the links of a kind have come to together.
type tally struct {
	kind kind
	want int64
	made atomic.Int64 // re-keys

	mu     sync.Mutex
	links  int
	sent   uint64 // frames
	lost   uint64 // or refused
	memory [3]int // KiB resident of all daemons: at the start, in the middle, at the end
	hosts  int
}

func (y *tally) stream(r netlab.StreamReport) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.sent += r.Sent + r.Refused
	y.lost += r.Lost() + r.Refused
}

func (y *tally) resident(hosts int, kib [3]int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.links++
	y.hosts += hosts
	for i := range kib {
		y.memory[i] += kib[i]
	}
}

// String is the tally on one line.
func (y *tally) String() string {
	y.mu.Lock()
	defer y.mu.Unlock()
	text := fmt.Sprintf("%d re-keys for %s on %d links, lost %d of %d frames", y.made.Load(), y.kind.name, y.links, y.lost, y.sent)
	if y.hosts > 0 {
		text += fmt.Sprintf("; resident memory of a daemon %d, %d, %d KiB at the start, in the middle, at the end",
			y.memory[0]/y.hosts, y.memory[1]/y.hosts, y.memory[2]/y.hosts)
	}
	return text
}

// growth is by how much a daemon's resident memory may grow from the middle of its re-keys to the end: in KiB, and as part of
// what it was. The heap of a Go program breathes.
const growth, growthPart = 2048, 8

// soak makes re-keys on a link until all links together have made enough.
func soak(t *testing.T, s Soak, k kind, sum *tally) {
	l := newLink(t, s, k)
	streams := []*netlab.Stream{l.stream(t, 0, 1, s.Rate), l.stream(t, 1, 0, s.Rate)}
	reasons := l.follow(t)
	memory := [3][]int{l.resident(t)}
	made, half := int64(0), sum.made.Load()+(sum.want-sum.made.Load())/2
	for sum.made.Load() < sum.want {
		if k.another != nil {
			k.another(l, t)
		}
		n := reasons.next(t, k.reasons)
		made += n
		if all := sum.made.Add(n); memory[1] == nil && all >= half {
			memory[1] = l.resident(t)
		}
	}
	<-time.After(4 * time.Second) // the key before retires
	for _, stream := range streams {
		r, err := stream.Stop()
		must(t, err)
		sum.stream(r)
		if r.Lost() != 0 || r.Refused != 0 || r.Twice != 0 || r.Received == 0 {
			t.Errorf("in %d re-keys: %s", made, r)
		}
	}
	memory[2] = l.resident(t)
	if memory[1] == nil {
		memory[1] = memory[2]
	}
	var total [3]int
	for i, h := range l.Members {
		middle, end := memory[1][i], memory[2][i]
		if end > middle+growth+middle/growthPart {
			t.Errorf("%s: %d re-keys, and memory grew from %d to %d KiB", h.Name, made, middle, end)
		}
		for j := range total {
			total[j] += memory[j][i]
		}
	}
	sum.resident(len(l.Members), total)
}

// command asks the key server for another SAK, and waits until both transmit with it.
func (l *link) command(t *testing.T) {
	was := port(t, l.Members[0]).Tx.KI
	must(t, l.Members[0].Control.Rekey(t.Context(), mkadlab.Lower))
	waitFor(t, "another SAK in use", func() bool {
		ki := port(t, l.Members[0]).Tx.KI
		return ki != was && port(t, l.Members[1]).Tx.KI == ki
	})
}

// membership has the third member go, by a CAK that is not that of the others, and come back.
func (l *link) membership(t *testing.T) {
	for _, broken := range []bool{true, false} {
		l.giveKey(t, l.Members[2], daemontest.Key{CKN: "01", Broken: broken})
		waitFor(t, "the third member to go or come", func() bool {
			for _, h := range l.Members[:2] {
				if (livePeers(port(t, h)) == 2) == broken {
					return false
				}
			}
			return true
		})
	}
}

// reasons are why a key server makes SAKs, from now on.
type reasons chan string

// next waits for a re-key and all that have come meanwhile, and tells how many there were. Each has one of the reasons.
func (s reasons) next(t *testing.T, want []string) (n int64) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for n == 0 || len(s) > 0 {
		select {
		case reason, open := <-s:
			if !open {
				t.Fatal("mkad tells no more of what it does")
			}
			if n++; !slices.Contains(want, reason) {
				t.Errorf("a re-key because of %q, want one of %s", reason, strings.Join(want, ", "))
			}
		case <-late.C:
			t.Fatalf("no re-key in %s", patience)
		}
	}
	return n
}

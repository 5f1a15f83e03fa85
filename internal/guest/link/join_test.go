package link

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// How often three members of each mix start in another order: one join for each seed. As many joins are under way side by
// side as -test.parallel allows.
var (
	groups    = flag.Int("joins", 2, "how many groups of three a test of joins makes of each mix")
	firstSeed = flag.Uint64("seed", 0, "of the first of them; the others follow")
)

const (
	// joinTime is within which a group of three is to be connected: wpa_supplicant, which answers nothing before its
	// next hello, and forgets a SAK that it could not make at once, takes several of its hellos.
	joinTime = 30 * time.Second
	// spread is within which the members start.
	spread = 500 * time.Millisecond
)

// A tally is what the joins of a mix have come to.
type tally struct {
	mu   sync.Mutex
	took []time.Duration // by those that were complete
	bad  []uint64        // seeds of the others
}

func (y *tally) enter(seed uint64, took time.Duration, err error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if err != nil {
		y.bad = append(y.bad, seed)
		return
	}
	y.took = append(y.took, took)
}

// String is the tally on one line. Tallies of runs with other seeds add up.
func (y *tally) String() string {
	slices.Sort(y.took)
	slices.Sort(y.bad)
	text := fmt.Sprintf("%d of %d joins complete within %s", len(y.took), len(y.took)+len(y.bad), joinTime)
	if n := len(y.took); n > 0 {
		text += fmt.Sprintf(", median %s, worst %s", y.took[n/2].Round(time.Millisecond), y.took[n-1].Round(time.Millisecond))
	}
	if len(y.bad) > 0 {
		text += fmt.Sprintf("; seeds of the others: %d", y.bad)
	}
	return text
}

// Clause: 802.1X-2020 9.3 to 9.8; three that start in whatever order are one group, in every direction. What three
// wpa_supplicants come to is printed to compare, and not judged.
// Requirement: R112
func TestGuestThreeMembersJoin(t *testing.T) {
	for _, mix := range [][]string{{"mkad", "mkad", "mkad"}, {"mkad", "mkad", "wpa"}, {"mkad", "wpa", "wpa"}, {"wpa", "wpa", "wpa"}} {
		t.Run(strings.Join(mix, "-"), func(t *testing.T) {
			var all tally
			t.Cleanup(func() {
				t.Logf("seeds from %d on: %s", *firstSeed, &all)
				if len(all.took)+len(all.bad) != *groups {
					t.Errorf("%d joins were to be made", *groups)
				}
			})
			for seed := *firstSeed; seed < *firstSeed+uint64(*groups); seed++ {
				t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
					t.Parallel()
					took, err := join(t, mix, seed)
					all.enter(seed, took, err)
					if err != nil && slices.Contains(mix, "mkad") {
						t.Error(err)
					}
				})
			}
		})
	}
}

// join starts a group of three by the seed, and tells how long after the last start frames passed in every direction, to
// two seconds: as long takes a look.
func join(t *testing.T, mix []string, seed uint64) (took time.Duration, err error) {
	t.Helper()
	mkad, err := exec.LookPath("mkad")
	must(t, err)
	s, err := mkadlab.NewSegment(t.Context(), len(mix), mkadlab.Options{Programs: filepath.Dir(mkad), CAKBits: 128})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	for i, h := range s.Members {
		must(t, s.Plug(i, true))
		must(t, h.SetUp(mkadlab.Lower))
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, i := range rng.Perm(len(mix)) {
		<-time.After(time.Duration(rng.Int64N(int64(spread))))
		if mix[i] == "mkad" {
			must(t, s.Members[i].StartDaemon(t.Context()))
		} else {
			startSupplicant(t, s.Members[i], s.KeyFile)
		}
	}
	start := time.Now()
	for look := time.NewTicker(50 * time.Millisecond); ; <-look.C {
		apart := absent(s.Members)
		if apart == "" {
			apart = missing(t, s.Members)
		}
		if apart == "" {
			return time.Since(start), nil
		}
		if time.Since(start) > joinTime {
			for i, h := range s.Members {
				t.Logf("log of %s (%s):\n%s", h.Name, mix[i], h.Log())
			}
			return 0, fmt.Errorf("after %s: %s", joinTime, apart)
		}
	}
}

// absent names a member whose Controlled Port does not run, or "": until then there is nothing to send on.
func absent(members []*mkadlab.Host) string {
	for _, h := range members {
		if d, err := h.Device(mkadlab.Controlled); err != nil || d.OperState != "up" {
			return h.Name + " has no Controlled Port that runs"
		}
	}
	return ""
}

// missing names a direction in which frames are lost, or "".
func missing(t *testing.T, members []*mkadlab.Host) string {
	t.Helper()
	type way struct {
		name   string
		stream *netlab.Stream
	}
	var ways []way
	apart := ""
	for _, from := range members {
		for _, to := range members {
			if from == to {
				continue
			}
			w := way{name: from.Name + " to " + to.Name}
			var err error
			w.stream, err = netlab.StartStream(netlab.StreamConfig{FromNamespace: from.Namespace, ToNamespace: to.Namespace,
				From: mkadlab.Controlled, To: mkadlab.Controlled, Rate: 50, Size: 200})
			if err != nil { // another device takes the place of the Controlled Port
				apart = w.name + ": " + err.Error()
				continue
			}
			ways = append(ways, w)
		}
	}
	<-time.After(200 * time.Millisecond)
	for _, w := range ways {
		switch r, err := w.stream.Stop(); {
		case err != nil: // another device has taken the place of the Controlled Port
			apart = w.name + ": " + err.Error()
		case r.Received == 0 || r.Lost() != 0 || r.Refused != 0:
			apart = w.name + ": " + r.String()
		}
	}
	return apart
}

package link

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// groups is how often three members of each mix start in another order.
var groups = flag.Int("joins", 2, "how many groups of three a test of joins makes of each mix")

const (
	// joinTime is within which a group of three is to be connected: wpa_supplicant, which answers nothing before its
	// next hello, and forgets a SAK that it could not make at once, takes several of its hellos.
	joinTime = 30 * time.Second
	// spread is within which the members start.
	spread = 500 * time.Millisecond
)

// Clause: 802.1X-2020 9.3 to 9.8; three that start in whatever order are one group, in every direction. What three
// wpa_supplicants come to is printed to compare, and not judged.
// Requirement: R112
func TestGuestThreeMembersJoin(t *testing.T) {
	for _, mix := range [][]string{{"mkad", "mkad", "mkad"}, {"mkad", "mkad", "wpa"}, {"mkad", "wpa", "wpa"}, {"wpa", "wpa", "wpa"}} {
		t.Run(strings.Join(mix, "-"), func(t *testing.T) {
			var took []time.Duration
			for seed := range uint64(*groups) {
				d, err := join(t, mix, seed)
				switch {
				case err == nil:
					took = append(took, d)
				case slices.Contains(mix, "mkad"):
					t.Errorf("join %d: %v", seed, err)
				}
			}
			slices.Sort(took)
			t.Logf("%d of %d joins complete within %s", len(took), *groups, joinTime)
			if len(took) > 0 {
				t.Logf("median %s, worst %s", took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
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
			startSupplicant(t, s.Members[i], s.KeyFile, "")
		}
	}
	start := time.Now()
	for {
		apart := missing(t, s.Members)
		if apart == "" {
			return time.Since(start), nil
		}
		if time.Since(start) > joinTime {
			for _, h := range s.Members {
				t.Logf("log of %s:\n%s", h.Name, h.Log())
			}
			return 0, fmt.Errorf("after %s: %s", joinTime, apart)
		}
	}
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
			if err != nil { // there is no Controlled Port yet
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

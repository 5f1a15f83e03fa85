package link

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// Clause: 802.1X-2020 9.10, 802.1AE-2018 10.7.14: a frame that somebody holds back beyond the bound of delay protection is
// refused by the kernel's SecY, and no other is. Without it the replay window lets the frame pass.
// Requirement: R86
func TestGuestFramesHeldBackBeyondTheBoundAreRefused(t *testing.T) {
	const (
		size, rate = 300, 20         // so few that a frame is in the replay window after seconds
		overhead   = 8 + 8 + 16      // SecTAG with SCI, ICV
		bound      = 2 * time.Second // with some room for an emulated machine; less than an old key stays
		brief      = time.Second / 4 // how late a frame may always be
		lasting    = 8 * time.Second // the stream
	)
	for _, protect := range []bool{true, false} {
		t.Run(fmt.Sprintf("delay_protect=%t", protect), func(t *testing.T) {
			var seen, held atomic.Uint64
			var over atomic.Bool
			fate := func(frame []byte, back bool) netlab.Fate {
				if over.Load() || back || netlab.EtherTypeOf(frame) != netlab.EtherTypeMACsec || len(frame) != size+overhead {
					return netlab.Fate{Copies: 1}
				}
				switch seen.Add(1) % 10 {
				case 3:
					return netlab.Fate{Copies: 1, Late: brief}
				case 7:
					held.Add(1)
					return netlab.Fate{Copies: 1, Late: bound}
				}
				return netlab.Fate{Copies: 1}
			}
			mkad, err := exec.LookPath("mkad")
			must(t, err)
			l, err := mkadlab.New(t.Context(), mkadlab.Options{Programs: filepath.Dir(mkad), Fate: fate,
				Port: fmt.Sprintf("backend = \"kernel\"\ndelay_protect = %t", protect)})
			must(t, err)
			t.Cleanup(func() { must(t, l.Close()) })
			must(t, l.Secure(t.Context()))
			s, err := netlab.StartStream(netlab.StreamConfig{FromNamespace: l.West.Namespace, ToNamespace: l.East.Namespace,
				From: mkadlab.Controlled, To: mkadlab.Controlled, Rate: rate, Size: size})
			must(t, err)
			<-time.After(lasting / 2)
			changeSAK(t, l, l.West)
			<-time.After(lasting / 2)
			over.Store(true)
			<-time.After(bound) // the last comes while the stream goes on
			r, err := s.Stop()
			must(t, err)
			late, long := port(t, l.East).Counters["InPktsLate"], held.Load()
			t.Logf("%s; %d held back for %s, %d counted as late", r, long, bound, late)
			if want := map[bool]uint64{true: long, false: 0}[protect]; long < 10 || late != want || r.Lost() != want {
				t.Errorf("%d lost, %d late of %d held back, want %d", r.Lost(), late, long, want)
			}
		})
	}
}

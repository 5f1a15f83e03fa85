package link

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// Clause: 802.1X-2020 9.10, 802.1AE-2018 10.7.14: a frame that somebody holds back beyond the bound of delay protection is
// refused by the kernel's SecY, and no other is. Without it the replay window lets the frame pass.
// Requirement: R86
func TestGuestFramesHeldBackBeyondTheBoundAreRefused(t *testing.T) {
	const rate = 20 // frames a second: so few that a frame is in the replay window after seconds
	for _, protect := range []bool{true, false} {
		t.Run(fmt.Sprintf("delay_protect=%t", protect), func(t *testing.T) {
			d := mkadlab.Detainer{Size: 300, Brief: 250 * time.Millisecond, Late: 2 * time.Second} // less than an old key stays
			mkad, err := exec.LookPath("mkad")
			must(t, err)
			l, err := mkadlab.New(t.Context(), mkadlab.Options{Programs: filepath.Dir(mkad), Fate: d.Fate,
				Port: fmt.Sprintf("backend = \"kernel\"\ndelay_protect = %t", protect)})
			must(t, err)
			t.Cleanup(func() { must(t, l.Close()) })
			must(t, l.Secure(t.Context()))
			s, err := netlab.StartStream(netlab.StreamConfig{FromNamespace: l.West.Namespace, ToNamespace: l.East.Namespace,
				From: mkadlab.Controlled, To: mkadlab.Controlled, Rate: rate, Size: d.Size})
			must(t, err)
			<-time.After(4 * time.Second)
			changeSAK(t, l, l.West)
			<-time.After(4 * time.Second)
			d.Release()
			<-time.After(d.Late) // the last comes while the stream goes on
			r, err := s.Stop()
			must(t, err)
			late := int(port(t, l.East).Counters["InPktsLate"])
			brief, long, refused := d.Held()
			t.Logf("%s; %d held for %s, %d for %s; %d counted as late", r, brief, d.Brief, long, d.Late, late)
			switch {
			case int(r.Lost()) != late:
				t.Errorf("%d frames lost, of which %d were refused as late", r.Lost(), late)
			case !protect && late != 0:
				t.Errorf("%d frames refused without delay protection", late)
			case protect && (refused < 5 || late < refused || late > long):
				t.Errorf("%d frames refused as late, want %d to %d", late, refused, long)
			}
		})
	}
}

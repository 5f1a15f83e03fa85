package daemon_test

import (
	"fmt"
	"testing"
	"time"

	"mkad/internal/netlab/mkadlab"
)

// Clause: 802.1X-2020 9.10, 802.1AE-2018 10.7.14: a frame that somebody holds back for more than the bound is refused, and
// no other is. Without delay protection the replay window lets it pass.
// Requirement: R86
func TestFramesHeldBackBeyondTheBoundAreRefused(t *testing.T) {
	const rate = 40 // frames a second: so few that one that is late by seconds is in the replay window
	for _, c := range []struct {
		suite   string
		protect bool
	}{{"GCM-AES-XPN-256", true}, {"GCM-AES-128", true}, {"GCM-AES-XPN-256", false}} {
		t.Run(fmt.Sprintf("%s/delay_protect=%t", c.suite, c.protect), func(t *testing.T) {
			t.Parallel()
			d := mkadlab.Detainer{Size: streamSize, Brief: 300 * time.Millisecond, Late: 2 * time.Second}
			l, err := mkadlab.New(t.Context(), mkadlab.Options{Programs: released, Fate: d.Fate,
				Port: fmt.Sprintf("delay_protect = %t\ncipher_suites = [%q]", c.protect, c.suite)})
			must(t, err)
			t.Cleanup(func() { must(t, l.Close()) })
			must(t, l.Secure(t.Context()))
			r := stream(t, l.West, l.East, 7*rate, rate, func() {
				<-time.After(2 * time.Second)
				rekey(t, l) // then it is the old key that is watched for a while
				<-time.After(2 * time.Second)
				d.Release()
				<-time.After(d.Late) // the last comes while the stream goes on
			})
			brief, long, refused := d.Held()
			late := int(portOf(t, l.East).Counters["InPktsLate"])
			t.Logf("%s; %d held for %s, %d for %s; %d counted as late", r, brief, d.Brief, long, d.Late, late)
			switch {
			case int(r.Lost()) != late:
				t.Errorf("%d frames lost, of which %d were refused as late", r.Lost(), late)
			case !c.protect && late != 0:
				t.Errorf("%d frames refused without delay protection", late)
			case c.protect && (refused < 5 || late < refused || late > long):
				t.Errorf("%d frames refused as late, want %d to %d", late, refused, long)
			}
		})
	}
}

package daemon_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// A detainer holds back frames of a stream on their way to the east: of every ten one for a short time, and one beyond the
// bound of delay protection.
type detainer struct {
	on          atomic.Bool
	seen        atomic.Uint64
	brief, long atomic.Uint64 // how many were held
}

const (
	// delayBound is within which delay protection refuses a frame that is held back: hellos are half a second apart, and
	// tell the packet number of the hello before, so that it takes two of them, and on a busy machine a little more.
	delayBound = 1500 * time.Millisecond
	// briefly is how long a frame may always be late.
	briefly = 300 * time.Millisecond
	// delayRate is how many frames a second are sent: so few that one that is late beyond the bound is in the replay window.
	delayRate = 40
)

func (d *detainer) fate(frame []byte, back bool) netlab.Fate {
	const macsec = 8 + 8 + 16 // SecTAG with SCI, ICV
	if !d.on.Load() || back || netlab.EtherTypeOf(frame) != netlab.EtherTypeMACsec || len(frame) != streamSize+macsec {
		return netlab.Fate{Copies: 1}
	}
	switch d.seen.Add(1) % 10 {
	case 3:
		d.brief.Add(1)
		return netlab.Fate{Copies: 1, Late: briefly}
	case 7:
		d.long.Add(1)
		return netlab.Fate{Copies: 1, Late: delayBound}
	}
	return netlab.Fate{Copies: 1}
}

// Clause: 802.1X-2020 9.10, 802.1AE-2018 10.7.14: a frame that somebody holds back for more than the bound is refused, and
// no other is. Without delay protection the replay window lets it pass.
func TestFramesHeldBackBeyondTheBoundAreRefused(t *testing.T) {
	for _, c := range []struct {
		suite   string
		protect bool
	}{{"GCM-AES-XPN-256", true}, {"GCM-AES-128", true}, {"GCM-AES-XPN-256", false}} {
		t.Run(fmt.Sprintf("%s/delay_protect=%t", c.suite, c.protect), func(t *testing.T) {
			t.Parallel()
			var d detainer
			l, err := mkadlab.New(t.Context(), mkadlab.Options{Programs: released, Fate: d.fate,
				Port: fmt.Sprintf("delay_protect = %t\ncipher_suites = [%q]", c.protect, c.suite)})
			must(t, err)
			t.Cleanup(func() { must(t, l.Close()) })
			must(t, l.Secure(t.Context()))
			d.on.Store(true)
			r := stream(t, l.West, l.East, 6*delayRate, delayRate, func() {
				<-time.After(2 * time.Second)
				rekey(t, l) // then it is the old key that is watched for a while
				<-time.After(2 * time.Second)
				d.on.Store(false)
				<-time.After(delayBound) // the last comes while the stream goes on
			})
			long, brief := d.long.Load(), d.brief.Load()
			late := portOf(t, l.East).Counters["InPktsLate"]
			t.Logf("%s; %d held for %s, %d for %s; %d counted as late", r, brief, briefly, long, delayBound, late)
			if long < 10 || brief < 10 {
				t.Fatal("hardly any frame was held back")
			}
			if want := map[bool]uint64{true: long, false: 0}[c.protect]; r.Lost() != want || late != want {
				t.Errorf("%d frames lost, %d refused as late, want %d", r.Lost(), late, want)
			}
		})
	}
}

package daemon

import (
	"testing"
	"time"

	"mkad/mka"
	"mkad/secy"
)

// Clause: none; mkactl status tells when packet numbers end at the pace at which they are used.
func TestPaceOfPacketNumbers(t *testing.T) {
	c := pace{pn: 1000, at: mka.Time(time.Hour)}
	at := func(d time.Duration) mka.Time { return mka.Time(time.Hour).Add(d) }
	if got := c.left(100); got != 0 {
		t.Errorf("with one sample: %d", got)
	}
	c.take(5000, at(time.Second/2)) // too soon
	if c.rate != 0 {
		t.Errorf("rate %v after half a second", c.rate)
	}
	if c.take(3000, at(2*time.Second)); c.left(10000) != 10 {
		t.Errorf("%d s for 10000 at 1000 a second", c.left(10000))
	}
	if c.take(6000, at(3*time.Second)); c.left(10000) != 5 {
		t.Errorf("%d s for 10000 at 2000 a second on the way", c.left(10000))
	}
	if c.take(secy.PN(1)<<63, at(4*time.Second)); c.left(1) != 1 {
		t.Errorf("%d s for the very last", c.left(1))
	}
	for i := range 200 {
		c.take(secy.PN(1)<<63, at(time.Duration(5+i)*time.Second))
	}
	if got := c.left(1 << 63); got != 0 {
		t.Errorf("%d s when nothing is sent", got)
	}
}

// Clause: 802.1X-2020 9.8; design: packet numbers are sampled as often as their pace demands
func TestPacketNumbersAreSampledAsTheirPaceDemands(t *testing.T) {
	for _, c := range []struct {
		name string
		pace pace
		want time.Duration
	}{
		{"not known yet", pace{pn: 1, rate: 1}, 0},
		{"idle", pace{pn: 1, known: true}, sampleGapMax},
		{"a slow link", pace{pn: 1, rate: 1000, known: true}, sampleGapMax},
		{"100 Gbit/s of minimum frames", pace{pn: 1, rate: 148.8e6, known: true}, 2706 * time.Millisecond},
		{"a slow link near the end", pace{pn: 0xc0000000 - 8000, rate: 1000, known: true}, time.Second},
		{"past the point", pace{pn: 0xc0000000, rate: 1000, known: true}, 0},
		{"an extended one", pace{pn: 1 << 32, rate: 148.8e6, known: true}, sampleGapMax},
		{"an extended one near the end", pace{pn: 0xc000000000000000 - 80000, rate: 10000, known: true}, time.Second},
	} {
		if got := c.pace.gap().Round(time.Millisecond); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	p := port{paces: []pace{{pn: 1, known: true}, {pn: 0xc0000000 - 8000, rate: 1000, known: true}}}
	if got := p.sampleGap(); got != time.Second {
		t.Errorf("of two keys: %v", got)
	}
}

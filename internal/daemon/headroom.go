package daemon

import (
	"slices"
	"time"

	"mkad/mka"
	"mkad/secy"
)

// A pace is how fast a key's packet numbers are used, as it was seen when they were last sampled.
type pace struct {
	key   secy.KeyID
	pn    secy.PN
	at    mka.Time
	rate  float64 // packet numbers per second; 0: not known, or none is used
	known bool    // the rate is
}

// paceTime is the least distance of two samples that a rate is made of.
const paceTime = time.Second

// take takes a sample.
func (c *pace) take(pn secy.PN, now mka.Time) {
	d := now.Sub(c.at)
	if d < paceTime {
		return
	}
	rate := float64(pn-min(c.pn, pn)) / d.Seconds()
	if c.rate > 0 {
		rate = (c.rate + rate) / 2 // traffic comes in bursts
	}
	c.pn, c.at, c.rate, c.known = pn, now, rate, true
}

// left is how many seconds there are until so many packet numbers are used; 0: not known, or never.
func (c *pace) left(headroom uint64) uint64 {
	if c.rate < 1e-9 {
		return 0
	}
	return max(1, uint64(min(float64(headroom)/c.rate, 1e18)))
}

const (
	// sampleShare is how often packet numbers are sampled in the time in which they would come to the point at which there
	// is another SAK, at the pace at which they are used.
	sampleShare = 8
	// sampleGapMax bounds the distance of samples. At 100 Gbit/s of minimum frames the last quarter of 2^32 packet numbers,
	// which is left when that point was missed, lasts seven seconds.
	sampleGapMax = 5 * time.Second
)

// gap is how long the packet numbers need not be sampled for their end: not at all while the pace is not known, and the
// longer the longer what is left lasts.
func (c *pace) gap() time.Duration {
	exhaustion := secy.PN(0xc0000000) // from which on there is another SAK (802.1X-2020 9.8)
	if c.pn >= 1<<32 {                // it is an extended one
		exhaustion <<= 32
	}
	switch {
	case !c.known || c.pn >= exhaustion:
		return 0
	case c.rate < 1:
		return sampleGapMax
	}
	seconds := float64(exhaustion-c.pn) / c.rate / sampleShare
	return time.Duration(min(seconds, sampleGapMax.Seconds()) * float64(time.Second))
}

// sampleGap is that of all keys.
func (p *port) sampleGap() time.Duration {
	gap := sampleGapMax
	for i := range p.paces {
		gap = min(gap, p.paces[i].gap())
	}
	return gap
}

// keepPace notes samples of the keys' packet numbers, and forgets keys that are gone.
func (p *port) keepPace(key secy.KeyID, pn secy.PN) {
	at := slices.IndexFunc(p.paces, func(c pace) bool { return c.key == key })
	if at < 0 {
		p.paces = slices.DeleteFunc(p.paces, func(c pace) bool { return !slices.Contains(p.ids, c.key) })
		p.paces = append(p.paces, pace{key: key, pn: pn, at: p.now()})
		return
	}
	p.paces[at].take(pn, p.now())
}

// exhaustedIn is in how many seconds the key's packet numbers are used up at its pace; 0: not known, or never.
func (p *port) exhaustedIn(key secy.KeyID, headroom uint64) uint64 {
	for i := range p.paces {
		if c := &p.paces[i]; c.key == key {
			return c.left(headroom)
		}
	}
	return 0
}

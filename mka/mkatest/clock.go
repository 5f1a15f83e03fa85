package mkatest

import (
	"time"

	"mkad/mka"
)

// million is the unit of a clock's rate error.
const million = 1_000_000

// A clock is a member's own: it may run faster or slower than the LAN's.
type clock struct {
	ppm        int64    // parts in a million that it runs too fast
	since, was mka.Time // at the LAN's time since it showed was
}

// at is what the clock shows at the LAN's time.
func (c *clock) at(lan mka.Time) mka.Time {
	d := int64(lan - c.since)
	return c.was + mka.Time(d+d/million*c.ppm+d%million*c.ppm/million)
}

// when is the LAN's earliest time at which the clock shows own, or later.
func (c *clock) when(own mka.Time) mka.Time {
	if c.ppm == 0 {
		return c.since + own - c.was
	}
	d, rate := int64(own-c.was), million+c.ppm
	lan := c.since + mka.Time(d/rate*million+d%rate*million/rate)
	for c.at(lan) < own {
		lan++
	}
	return lan
}

// Skew lets the member's clock run so many parts in a million too fast from now on (too slow if negative).
func (m *Member) Skew(ppm int64) {
	m.clock = clock{ppm, m.lan.Now, m.now()}
	m.rearm()
}

// Jump lets the member's clock go d forward at once, and no timer with it, as a resume from suspend does.
func (m *Member) Jump(d time.Duration) {
	m.clock = clock{m.clock.ppm, m.lan.Now, m.now().Add(d)}
	m.rearm()
}

// now is the member's own time.
func (m *Member) now() mka.Time { return m.clock.at(m.lan.Now) }

// Stall lets the member do nothing for d: what reaches it meanwhile waits.
func (m *Member) Stall(d time.Duration) {
	m.stalled = max(m.stalled, m.lan.Now.Add(d))
	m.rearm()
}

// whenFree lets f happen now, or when the member no longer stalls, if that is still in the life that it has now.
func (m *Member) whenFree(f func()) {
	if m.lan.Now >= m.stalled {
		f()
		return
	}
	life := m.life
	m.lan.After(m.stalled.Sub(m.lan.Now), func() {
		if m.life == life {
			m.whenFree(f)
		}
	})
}

package kernel

import (
	"time"

	"mkad/secy"
)

const (
	// pollTime is the least distance of looks at the kernel's SecY, and idlePollTime the greatest: a look is a dump of every
	// macsec device. At 100 Gbit/s of minimum frames the last quarter of 2^32 packet numbers, in which a new key is under
	// way, lasts seven seconds.
	pollTime, idlePollTime = time.Second, 4 * time.Second
	// pollShare is how many looks there are, within these bounds, while the packet numbers left would last.
	pollShare = 8
	// freshTime is how old a sample may be: several are taken for each MKPDU, and a dump lists every macsec device.
	freshTime = 200 * time.Millisecond
	// maxDifferences bounds those that are remembered: more than a SecY can have at a time, with an SA for every AN of
	// every SC.
	maxDifferences = 2 * numANs * (maxReceiveSCs + 1)
)

// refresh reads the SecY. The counters of receive SCs that have gone are kept.
func (d *Device) refresh() error {
	next, err := d.kernel.state(d.index)
	if err != nil {
		return err
	}
	if d.last != nil {
		add(&d.departed, d.last.departed(next))
	}
	d.last, d.lastAt = next, time.Now()
	return nil
}

// sample returns the SecY as it was not long ago, or if it cannot be read as it was last.
func (d *Device) sample() *state {
	if d.usable() == nil && time.Since(d.lastAt) > freshTime {
		if err := d.refresh(); err != nil {
			d.log.Debug("cannot sample the kernel's SecY", "controlled", d.cfg.Controlled, "err", err)
		}
	}
	return d.last
}

// PN samples the next packet number of the transmit SA of key, for ReportPN; the last one there is when all are used. It
// reports false when there is no such SA. The sample is at most 200 ms old.
func (d *Device) PN(key secy.KeyID) (secy.PN, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	sa := d.sample().transmitSA(key)
	switch {
	case sa == nil || key.IsZero():
		return 0, false
	case sa.pn == 0:
		return d.want.fixed.suite.MaxPN(), true
	}
	return sa.pn, true
}

// LowestPN samples the lowest acceptable packet number of the receive SA of key in the SC of sci; false when there is no
// such SA. The sample is at most 200 ms old.
func (d *Device) LowestPN(sci secy.SCI, key secy.KeyID) (secy.PN, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.sample()
	sa := s.receiveSA(sci, key)
	if sa == nil || key.IsZero() {
		return 0, false
	}
	return s.lowest(sa), true
}

// Counters samples the statistics, at most 200 ms old. Each one only ever grows, while the device is ours; receive SCs
// and macsec devices that have gone stay counted. The kernel counts every frame without a SecTAG as InPktsNoTag while it
// validates strictly, EAPOL included, and never counts InPktsOverrun.
func (d *Device) Counters() secy.Counters {
	d.mu.Lock()
	defer d.mu.Unlock()
	sum := d.sample().total()
	add(&sum, d.departed)
	return sum
}

// watch polls until Close, for the kernel announces nothing: as often as the packet numbers in use demand.
func (d *Device) watch() {
	timer := time.NewTimer(pollTime)
	defer timer.Stop()
	for {
		select {
		case <-d.stop:
			return
		case <-timer.C:
			d.mu.Lock()
			if d.usable() == nil {
				d.poll()
			}
			timer.Reset(d.untilPoll())
			d.mu.Unlock()
		}
	}
}

// untilPoll is when to look again. SAs of others go in time.
func (d *Device) untilPoll() time.Duration {
	gap := d.use.gap()
	if d.guests && !d.purgeAt.IsZero() {
		gap = min(gap, time.Until(d.purgeAt))
	}
	return max(gap, pollTime)
}

// A use is how the packet numbers of the transmit SA in use are used up, from one look to the next.
type use struct {
	key      secy.KeyID // zero: none is in use
	pn, last secy.PN    // the next, and the last there is
	at       time.Time
	rate     float64 // packet numbers per second; negative: not known yet
}

// look takes what a look has found.
func (u *use) look(key secy.KeyID, pn, last secy.PN, now time.Time) {
	rate := -1.0
	if d := now.Sub(u.at).Seconds(); key == u.key && d > 0 {
		rate = float64(pn-min(u.pn, pn)) / d
	}
	*u = use{key: key, pn: pn, last: last, at: now, rate: rate}
}

// gap is when to look again: soon while a key in use is new, or its packet numbers run out.
func (u *use) gap() time.Duration {
	switch {
	case u.key.IsZero():
		return idlePollTime
	case u.rate < 0:
		return pollTime
	}
	seconds := float64(u.last-min(u.pn, u.last)) / max(u.rate, 1) / pollShare
	return time.Duration(max(pollTime.Seconds(), min(seconds, idlePollTime.Seconds())) * float64(time.Second))
}

// noteUse notes how far the transmit SA in use has come.
func (d *Device) noteUse() {
	key, pn := d.want.transmitting, secy.PN(0)
	if sa := d.last.transmitSA(key); sa != nil {
		pn = sa.pn
	}
	d.use.look(key, pn, d.want.fixed.suite.MaxPN(), d.lastAt)
}

// poll looks for what has changed by itself.
func (d *Device) poll() {
	err := d.refresh()
	if d.notice(err); d.err != nil {
		return
	}
	if err != nil {
		d.log.Warn("cannot read the kernel's SecY", "controlled", d.cfg.Controlled, "err", err)
		return
	}
	d.noteUse()
	d.pollTransmission()
	d.pollDifferences()
	d.pollLink()
}

// pollLink keeps what the device has from the lower device: an MTU that became smaller for a moment has taken the macsec
// device's with it, which does not grow again by itself. What the lower device does not allow just now, because it has
// changed and that is yet to be told, is tried again.
func (d *Device) pollLink() {
	if err := d.followLower(); err != nil {
		d.log.Debug("cannot follow the lower device", "controlled", d.cfg.Controlled, "err", err)
	}
}

// pollTransmission reports a transmit SA in use that has stopped, once. Most likely its packet numbers are used up; were
// it somebody's deed, hardware might still have used them up unseen. So it is never started again.
func (d *Device) pollTransmission() {
	key := d.want.transmitting
	sa := d.last.transmitSA(key)
	if key.IsZero() || sa == nil || sa.active || d.ended == key {
		return
	}
	if d.report(secy.Report{Kind: secy.ReportExhausted, Key: key}) {
		d.ended = key
	}
}

// pollDifferences repairs what differs from orders, and reports what differs again or cannot be repaired.
func (d *Device) pollDifferences() {
	if d.guests && !d.purgeAt.IsZero() && !time.Now().Before(d.purgeAt) {
		d.guests = false
	}
	found := compare(&d.want, d.last, d.guests)
	if len(found) == 0 || len(d.mended)+len(d.told) > maxDifferences {
		d.forgive()
	}
	var mend []difference
	for _, f := range found {
		switch {
		case len(f.repair) > 0 && !d.mended[f.what]:
			d.mended[f.what] = true
			mend = append(mend, f)
		case !d.told[f.what]:
			d.told[f.what] = d.report(secy.Report{Kind: secy.ReportFailed, Key: f.key, Op: f.order,
				Err: "somebody has changed the kernel's SecY: " + f.what})
		}
	}
	if len(mend) == 0 {
		return
	}
	if err := d.repair(mend); err != nil {
		d.notice(err)
	}
}

// forgive forgets what differed: the kernel holds what was ordered.
func (d *Device) forgive() {
	d.mended, d.told = map[string]bool{}, map[string]bool{}
}

// report tells whoever reads Reports; false when there is no room.
func (d *Device) report(r secy.Report) bool {
	select {
	case d.reports <- r:
		return true
	default:
		d.log.Warn("nobody reads reports", "report", r)
		return false
	}
}

package kernel

import (
	"slices"

	"mkad/secy"
)

// Adopt takes over the SAs of claims, which an earlier process had ordered, from a device that was at work when Open
// found it, as if they had been ordered of this Device; all other SAs and receive SCs are removed. It tells what there is
// of each claim. nil: the key that the device transmits with is not claimed, or not complete, and everything stays as
// Open has left it. It is called before the first order.
//
// An SA goes on with its packet number, and is never made again: what was taken over counts as made by this Device, and
// where a receive SA is removed, its packet number is remembered.
func (d *Device) Adopt(claims []secy.Claim) (held []secy.Holding) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.usable() != nil || !d.guests || d.refresh() != nil || !d.live() {
		return nil
	}
	serving := d.last.transmit[d.last.encodingSA].key
	for _, c := range claims {
		h := d.holding(&c)
		h.Transmitting = h.Complete && c.Key == serving
		held = append(held, h)
	}
	if !slices.ContainsFunc(held, func(h secy.Holding) bool { return h.Transmitting }) {
		return nil
	}
	for i := range claims {
		if held[i].Complete {
			d.take(&claims[i], held[i])
		}
	}
	d.want.transmitting, d.guests = serving, false
	d.sweep()
	d.log.Info("going on with the keys of an earlier process", "controlled", d.cfg.Controlled, "key", serving)
	return held
}

// holding compares a claim with what there is.
func (d *Device) holding(c *secy.Claim) secy.Holding {
	h := secy.Holding{Key: c.Key, Complete: true, Receiving: true}
	suite := d.want.fixed.suite
	check := func(sa *securityAssociation, ssci secy.SSCI) {
		h.Complete = h.Complete && sa != nil && sa.an == c.AN && (!suite.XPN() || sa.ssci == ssci)
		h.Used = h.Used || sa != nil && (sa.active || sa.pn != 1)
	}
	check(d.last.transmitSA(c.Key), c.SSCI)
	for _, r := range c.Receive {
		sa := d.last.receiveSA(r.SCI, c.Key)
		check(sa, r.SSCI)
		h.Receiving = h.Receiving && sa != nil && sa.active
	}
	h.Complete = h.Complete && !c.Key.IsZero() && canonical(c.Suite) == suite
	h.Receiving = h.Receiving && h.Complete
	h.Used = h.Used && !h.Complete
	return h
}

// take makes the SAs of a claim wanted as they are.
func (d *Device) take(c *secy.Claim, h secy.Holding) {
	sa := d.last.transmitSA(c.Key)
	d.want.transmit[sa.an] = wantedSA{c.Key, sa.active}
	d.spent.put(c.Key, struct{}{})
	if h.Transmitting || sa.pn != 1 {
		d.started.put(c.Key, struct{}{})
	}
	for _, r := range c.Receive {
		sa := d.last.receiveSA(r.SCI, c.Key)
		sas := d.want.receive[r.SCI]
		sas[sa.an] = wantedSA{c.Key, sa.active}
		d.want.receive[r.SCI] = sas
	}
}

// sweep removes what nobody has ordered, and remembers how far it has come.
func (d *Device) sweep() {
	for sci, sc := range d.last.receive {
		wanted := d.want.receive[sci]
		for an, sa := range sc.sas {
			if wanted[an].key.IsZero() {
				d.remember(sci, sa)
			}
		}
	}
	if err := d.repair(compare(&d.want, d.last, d.guests)); err != nil {
		d.notice(err) // the poll tries again
	}
}

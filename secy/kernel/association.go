package kernel

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"mkad/secy"
)

func (d *Device) createReceiveSC(sci secy.SCI) error {
	_, wanted := d.want.receive[sci]
	switch {
	case wanted:
		return nil
	case sci == 0:
		return fmt.Errorf("receive SC has no SCI: name the peer's")
	case sci == d.want.fixed.sci:
		return fmt.Errorf("receive SC %s is our own: what we send must not come back as received", sci)
	case len(d.want.receive) == maxReceiveSCs:
		return fmt.Errorf("receive SC %s is one more than %d, which is all that can be read back from the kernel: "+
			"delete one first, or set backend to \"userspace\"", sci, maxReceiveSCs)
	}
	if d.last.receive[sci] == nil {
		if err := d.change(fmt.Sprintf("make receive SC %s", sci), addReceiveSC(d.index, sci)); err != nil {
			return err
		}
	}
	d.want.receive[sci] = [numANs]wantedSA{}
	return nil
}

func (d *Device) deleteReceiveSC(sci secy.SCI) error {
	delete(d.want.receive, sci)
	sc := d.last.receive[sci]
	if sc == nil {
		return nil
	}
	for _, sa := range sc.sas {
		d.remember(sci, sa)
	}
	_, err := d.kernel.do(delReceiveSC(d.index, sci))
	if refreshed := d.refresh(); refreshed != nil {
		return refreshed
	}
	if d.last.receive[sci] == nil {
		return nil // whatever a driver has answered
	}
	return explain(fmt.Sprintf("delete receive SC %s", sci), err)
}

// remember notes how far a receive SA has come that is about to go.
func (d *Device) remember(sci secy.SCI, sa *securityAssociation) {
	if sa != nil {
		d.replays.put(replayKey{sci, sa.key}, sa.pn)
	}
}

// createReceiveSA makes a receive SA, in place of any that has the AN with another key. For one that exists it only
// raises the lowest acceptable packet number.
func (d *Device) createReceiveSA(op secy.Op) error {
	sas, ok := d.want.receive[op.SCI]
	if !ok {
		return fmt.Errorf("receive SC %s does not exist: make it first", op.SCI)
	}
	if err := d.checkSA(op); err != nil {
		return err
	}
	_, active := d.receiving.get(op.Key)
	if sa := d.last.receiveSA(op.SCI, op.Key); sa != nil {
		if sa.an != op.AN {
			return fmt.Errorf("key %s is in receive SA %d of %s: delete that first", op.Key, sa.an, op.SCI)
		}
		sas[op.AN] = wantedSA{op.Key, active || sa.active}
		d.want.receive[op.SCI] = sas
		return d.raise(op.SCI, sa, op.PN)
	}
	if err := d.vacate(op.SCI, op.AN); err != nil {
		return err
	}
	sas[op.AN] = wantedSA{op.Key, active}
	d.want.receive[op.SCI] = sas
	return d.addReceiveSA(op, active)
}

func (d *Device) addReceiveSA(op secy.Op, active bool) error {
	next, _ := d.replays.get(replayKey{op.SCI, op.Key})
	op.PN = max(next, d.nextFor(op.PN), 1)
	r := addReceiveSA(d.index, op, d.want.fixed.suite.XPN(), active)
	defer clear(r.body)
	return d.change(fmt.Sprintf("make receive SA %d of %s for key %s", op.AN, op.SCI, op.Key), r)
}

// nextFor is the next packet number of a receive SA whose lowest acceptable one is to be lowest: the kernel keeps the
// upper edge of the replay window.
func (d *Device) nextFor(lowest secy.PN) secy.PN {
	window, end := secy.PN(d.want.controls.window), d.want.fixed.suite.MaxPN()
	switch {
	case lowest <= 1:
		return lowest
	case lowest > end-min(window, end):
		return end
	}
	return lowest + window
}

// checkSA refuses an SA that is none.
func (d *Device) checkSA(op secy.Op) error {
	suite := d.want.fixed.suite
	switch {
	case op.Key.IsZero():
		return fmt.Errorf("SA has no key identifier: name its key")
	case op.AN >= numANs:
		return fmt.Errorf("AN %d is none: use 0 to %d", op.AN, numANs-1)
	case op.SAK.Len() != suite.KeyLen():
		return fmt.Errorf("key %s has %d octets: %s needs %d", op.Key, op.SAK.Len(), suite, suite.KeyLen())
	case suite.XPN() && op.SSCI == 0:
		return fmt.Errorf("key %s has no SSCI: %s needs one", op.Key, suite)
	case suite.XPN():
		return d.checkSSCI(op)
	}
	return nil
}

// checkSSCI refuses an SSCI that another SC has with the same key: the kernel would let them share their nonces.
func (d *Device) checkSSCI(op secy.Op) error {
	self := op.SCI
	if op.Kind == secy.OpCreateTransmitSA {
		self = d.want.fixed.sci
	}
	users := map[secy.SCI]*securityAssociation{d.want.fixed.sci: d.last.transmitSA(op.Key)}
	for sci := range d.last.receive {
		users[sci] = d.last.receiveSA(sci, op.Key)
	}
	for sci, sa := range users {
		if sci != self && sa != nil && sa.ssci == op.SSCI {
			return fmt.Errorf("SSCI %d of key %s is that of %s: every SC needs its own", op.SSCI, op.Key, sci)
		}
	}
	return nil
}

// createTransmitSA makes a transmit SA, in place of any that has the AN; if that was in use, nothing is transmitted until
// another is enabled.
func (d *Device) createTransmitSA(op secy.Op) error {
	if err := d.checkSA(op); err != nil {
		return err
	}
	if _, spent := d.spent.get(op.Key); spent {
		return fmt.Errorf("key %s has had a transmit SA: packet numbers could repeat, agree a new key", op.Key)
	}
	if sa := d.last.transmitSA(op.Key); sa != nil {
		return d.takeOver(op, sa)
	}
	if end := d.want.fixed.suite.MaxPN(); op.PN < 1 || op.PN > end {
		return fmt.Errorf("first packet number %d is none of %s: begin between 1 and %d", op.PN, d.want.fixed.suite, end)
	}
	if err := d.vacate(0, op.AN); err != nil {
		return err
	}
	d.want.transmit[op.AN] = wantedSA{key: op.Key}
	d.spent.put(op.Key, struct{}{})
	r := addTransmitSA(d.index, op, d.want.fixed.suite.XPN())
	defer clear(r.body)
	err := d.change(fmt.Sprintf("make transmit SA %d for key %s", op.AN, op.Key), r)
	if err != nil {
		d.spent.drop(op.Key) // there was none
	}
	return err
}

// takeOver goes on with a transmit SA that was there when the device was adopted.
func (d *Device) takeOver(op secy.Op, sa *securityAssociation) error {
	if sa.an != op.AN || sa.pn == 0 || d.want.fixed.suite.XPN() && sa.ssci != op.SSCI {
		return fmt.Errorf("key %s is in another transmit SA already (AN %d, SSCI %d): packet numbers could repeat, agree a "+
			"new key", op.Key, sa.an, sa.ssci)
	}
	d.want.transmit[op.AN] = wantedSA{op.Key, sa.active}
	d.spent.put(op.Key, struct{}{})
	return nil
}

// vacate removes whatever SA has an AN, of the transmit SC if sci is zero: the kernel replaces none.
func (d *Device) vacate(sci secy.SCI, an secy.AN) error {
	if sci == 0 {
		if d.last.transmit[an] == nil {
			return nil
		}
		d.want.transmit[an] = wantedSA{}
		return d.removeTransmitSA(an)
	}
	sc := d.last.receive[sci]
	if sc == nil || sc.sas[an] == nil {
		return nil
	}
	d.remember(sci, sc.sas[an])
	return d.removeReceiveSA(sci, an)
}

// removeTransmitSA and removeReceiveSA delete an SA: it must not be active then.
func (d *Device) removeTransmitSA(an secy.AN) error {
	doing := fmt.Sprintf("delete transmit SA %d", an)
	if err := absentIsFine(d.change(doing, activateTransmitSA(d.index, an, false))); err != nil {
		return err
	}
	return absentIsFine(d.change(doing, delTransmitSA(d.index, an)))
}

func (d *Device) removeReceiveSA(sci secy.SCI, an secy.AN) error {
	doing := fmt.Sprintf("delete receive SA %d of %s", an, sci)
	if err := absentIsFine(d.change(doing, activateReceiveSA(d.index, sci, an, false))); err != nil {
		return err
	}
	return absentIsFine(d.change(doing, delReceiveSA(d.index, sci, an)))
}

func (d *Device) enableReceive(key secy.KeyID) error {
	if key.IsZero() {
		return fmt.Errorf("no key is named: name the one to receive with")
	}
	for _, sci := range sorted(d.want.receive) {
		sas := d.want.receive[sci]
		for an := range sas {
			if sas[an].key != key || sas[an].active {
				continue
			}
			doing := fmt.Sprintf("activate receive SA %d of %s", an, sci)
			if err := d.change(doing, activateReceiveSA(d.index, sci, secy.AN(an), true)); err != nil {
				return err
			}
			sas[an].active = true
			d.want.receive[sci] = sas
		}
	}
	d.receiving.put(key, struct{}{})
	return nil
}

// enableTransmit switches to a key: its SA first becomes active, then the encoding one, so that no frame finds none.
func (d *Device) enableTransmit(key secy.KeyID) error {
	an, ok := d.want.transmitAN(key)
	sa := d.last.transmitSA(key)
	_, started := d.started.get(key)
	switch {
	case !ok || sa == nil:
		return fmt.Errorf("key %s has no transmit SA: make it first", key)
	case sa.pn == 0:
		return fmt.Errorf("key %s has no packet number left: agree a new key", key)
	case started && !sa.active:
		return fmt.Errorf("key %s was transmitted with before and has stopped: packet numbers could repeat, agree a new key",
			key)
	}
	d.started.put(key, struct{}{})
	if !sa.active {
		if err := d.change(fmt.Sprintf("activate transmit SA %d", an), activateTransmitSA(d.index, an, true)); err != nil {
			return err
		}
	}
	d.want.transmit[an].active, d.want.transmitting = true, key
	if err := d.encode(an); err != nil {
		return err
	}
	if d.guests && d.purgeAt.IsZero() {
		d.purgeAt = time.Now().Add(guestTime)
	}
	return nil
}

// encode sends with an AN from the next frame on. While it changes nothing is to be sent: the kernel reads the AN twice
// for each frame, for the key and for the SecTAG, and a frame that finds the two different is lost. Without a pause
// that befalls one switch in some hundred (see package internal/pause), which is no reason not to switch. The pause ends
// behind our back, for what was held back may take a while to send.
func (d *Device) encode(an secy.AN) error {
	resume := d.pause(an)
	err := d.change(fmt.Sprintf("transmit with SA %d", an), changeEncodingSA(d.index, an))
	d.resuming.Go(func() {
		if lost := resume(); lost != nil {
			d.log.Warn("frames were lost when the key changed", "controlled", d.cfg.Controlled, "err", lost)
		}
	})
	return err
}

// pause has the host pause, if it may be sending with another AN.
func (d *Device) pause(an secy.AN) (resume func() error) {
	before := d.last.transmit[d.last.encodingSA]
	if d.cfg.Pause != nil && d.want.fixed.offload == OffloadOff && before != nil && before.active && before.an != an {
		d.resuming.Wait() // from the switch before
		resume, err := d.cfg.Pause(d.cfg.Controlled)
		if err == nil {
			return resume
		}
		d.log.Warn("a frame may be lost now that the key changes", "controlled", d.cfg.Controlled, "err", err)
	}
	return func() error { return nil }
}

// deleteSAs removes every SA of a key that the kernel holds, though some cannot be removed.
func (d *Device) deleteSAs(key secy.KeyID) error {
	d.receiving.drop(key)
	d.want.drop(key)
	var failures []error
	if sa := d.last.transmitSA(key); sa != nil && !key.IsZero() {
		failures = append(failures, d.removeTransmitSA(sa.an))
	}
	for _, sci := range sorted(d.last.receive) {
		if sa := d.last.receiveSA(sci, key); sa != nil && !key.IsZero() {
			d.remember(sci, sa)
			failures = append(failures, d.removeReceiveSA(sci, sa.an))
		}
	}
	return errors.Join(failures...)
}

// sorted lists SCIs in their order, so that the same orders make the same requests.
func sorted[V any](m map[secy.SCI]V) []secy.SCI { return slices.Sorted(maps.Keys(m)) }

// drop forgets the SAs of a key.
func (w *intent) drop(key secy.KeyID) {
	for an := range w.transmit {
		if w.transmit[an].key == key {
			w.transmit[an] = wantedSA{}
		}
	}
	if w.transmitting == key {
		w.transmitting = secy.KeyID{}
	}
	for sci, sas := range w.receive {
		for an := range sas {
			if sas[an].key == key {
				sas[an] = wantedSA{}
			}
		}
		w.receive[sci] = sas
	}
}

func (d *Device) raiseLowestPN(op secy.Op) error {
	sa := d.last.receiveSA(op.SCI, op.Key)
	if sa == nil {
		return fmt.Errorf("key %s has no receive SA of %s: make it first", op.Key, op.SCI)
	}
	return d.raise(op.SCI, sa, op.PN)
}

// raise raises the lowest acceptable packet number of a receive SA; it never lowers it.
func (d *Device) raise(sci secy.SCI, sa *securityAssociation, lowest secy.PN) error {
	next := d.nextFor(lowest)
	if next <= sa.pn {
		return nil
	}
	doing := fmt.Sprintf("raise packet number of receive SA %d of %s", sa.an, sci)
	return d.change(doing, raiseReceiveSA(d.index, sci, sa.an, next, d.want.fixed.suite.XPN()))
}

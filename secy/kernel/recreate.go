package kernel

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"mkad/secy"
)

// recreate puts another device, as wanted, in the place of the one that is there: with its name, ifindex, MAC address,
// MTU, alias, master, the VLANs on it, and all their addresses and routes. Receive SCs are made again, SAs are not: their
// keys are not kept. What is known to keep the new device from being made is an error before anything is removed. If the
// kernel does not make it all the same, the old one is made again, without its SAs; what no device can be made for stays in
// custody.
//
// While it lasts, a few milliseconds, there is no device; the kernel announces one that goes and one that comes.
func (d *Device) recreate() error {
	if err := d.kernel.vacant(d.lower, d.cfg.Controlled, d.want.fixed.sci); err != nil {
		return err
	}
	id, err := d.kernel.identify(d.index)
	if err != nil {
		return explain("read what is on "+d.cfg.Controlled, err)
	}
	old, before := id.devices[0], d.last.fixed
	d.log.Info("putting another device in the place of this one", "controlled", d.cfg.Controlled,
		"cipher_suite", d.want.fixed.suite, "before", before.suite)
	tellLosses(id, d.log)
	earlier := d.custody.take(id)
	if err := d.remove(); err != nil {
		d.custody.id = earlier
		return err
	}
	d.part()
	if err := d.remake(old, d.want.fixed); err != nil {
		return errors.Join(err, d.reinstate(id, before))
	}
	return d.furnish(id)
}

// part takes note of all that goes with the device.
func (d *Device) part() {
	add(&d.departed, d.last.total())
	for sci, sc := range d.last.receive {
		for _, sa := range sc.sas {
			d.remember(sci, sa)
		}
	}
	d.last = new(state)
	d.guests, d.want.transmitting = false, secy.KeyID{}
}

// remake makes a macsec device where old was. For its addresses and MTU the lower device decides, as ever.
func (d *Device) remake(old linkInfo, fixed fixedAttributes) error {
	doing := fmt.Sprintf("make %s again with %s", d.cfg.Controlled, fixed.suite)
	common := appendKept(appendAttribute(nil, unix.IFLA_ADDRESS, d.mac[:]), old, unix.IFLA_TXQLEN, unix.IFLA_GROUP)
	_, err := d.kernel.do(makeLink(old.index, d.cfg.Controlled, common, d.lower, fixed))
	if err != nil {
		return explainMaking(doing, err)
	}
	return explain(doing, d.kernel.made(old.index, fixed))
}

// reinstate makes the old device again, if it was a macsec device: another kind is for another backend to make.
func (d *Device) reinstate(id *identity, before fixedAttributes) error {
	old := id.devices[0]
	_, _ = d.kernel.do(removeLink(old.index)) // in case the new one was made, but not as wanted
	err := error(unix.ENODEV)
	if old.kind == linkKind {
		err = d.remake(old, before)
	}
	if err != nil {
		id.entries = append(id.entries, without(d.stripped, id.entries)...)
		d.log.Error("there is no Controlled Port; what it had is kept for the next attempt, while mkad runs", "controlled",
			d.cfg.Controlled, "what", id.possessions())
		d.lose(err)
		return nil
	}
	d.want.fixed = before
	return d.furnish(id)
}

// furnish gives a device that was made again all that the old one had.
func (d *Device) furnish(id *identity) error {
	if err := d.refresh(); err != nil {
		return explain("read back "+d.cfg.Controlled, err)
	}
	if err := d.setControls(); err != nil {
		return err
	}
	for _, sci := range sorted(d.want.receive) {
		d.want.receive[sci] = [numANs]wantedSA{}
		if err := d.change(fmt.Sprintf("make receive SC %s again", sci), addReceiveSC(d.index, sci)); err != nil {
			return err
		}
	}
	d.want.transmit = [numANs]wantedSA{}
	if err := d.followLower(); err != nil {
		return err
	}
	for _, err := range d.kernel.restoreAll(id) {
		d.log.Warn("cannot put back", "controlled", d.cfg.Controlled, "err", err)
	}
	if d.want.enabled {
		if err := d.showSecured(); err != nil {
			return err
		}
	}
	d.putBack(id.entries)
	d.custody.id = nil
	return d.refresh()
}

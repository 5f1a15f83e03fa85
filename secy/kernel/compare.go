package kernel

import (
	"fmt"

	"mkad/secy"
)

// A difference is one thing that the kernel holds otherwise than ordered.
type difference struct {
	what   string      // for people; the same for the same difference
	key    secy.KeyID  // of the SA, zero for the SecY itself
	order  secy.OpKind // the one that is not in force
	repair []request   // what puts it in force; none where that takes a key, for keys are not kept
}

// compare finds all differences between what is wanted and what there is. With guests, SAs and receive SCs that nobody
// has ordered are none. That a transmit SA has stopped is none either: there is no remedy but another key.
func compare(want *intent, have *state, guests bool) (found []difference) {
	found = append(found, compareControls(want, have)...)
	found = append(found, compareTransmit(want, have, guests)...)
	for _, sci := range sorted(want.receive) {
		found = append(found, compareReceive(want, have, sci, guests)...)
	}
	if guests {
		return found
	}
	for _, sci := range sorted(have.receive) {
		if _, wanted := want.receive[sci]; !wanted {
			found = append(found, difference{fmt.Sprintf("receive SC %s was not ordered", sci), secy.KeyID{},
				secy.OpDeleteReceiveSC, []request{delReceiveSC(have.index, sci)}})
		}
	}
	return found
}

func compareControls(want *intent, have *state) []difference {
	if have.controls == want.now() {
		return nil
	}
	return []difference{{fmt.Sprintf("SecY has %v instead of %v", have.controls, want.now()), secy.KeyID{},
		secy.OpConfigure, []request{changeSettings(have.index, want.now())}}}
}

func compareTransmit(want *intent, have *state, guests bool) (found []difference) {
	for i, sa := range have.transmit {
		an, wanted := secy.AN(i), want.transmit[i]
		name := fmt.Sprintf("transmit SA %d", an)
		stop := activateTransmitSA(have.index, an, false)
		switch {
		case wanted.key.IsZero() && sa != nil && !guests:
			found = append(found, difference{name + " was not ordered", sa.key, secy.OpDeleteSAs,
				[]request{stop, delTransmitSA(have.index, an)}})
		case wanted.key.IsZero():
		case sa == nil || sa.key != wanted.key:
			found = append(found, difference{fmt.Sprintf("%s of key %s is missing", name, wanted.key), wanted.key,
				secy.OpCreateTransmitSA, nil})
		case sa.active && !wanted.active:
			found = append(found, difference{name + " is active against orders", sa.key, secy.OpCreateTransmitSA,
				[]request{stop}})
		}
	}
	if an, ok := want.transmitAN(want.transmitting); ok && have.encodingSA != an {
		found = append(found, difference{fmt.Sprintf("SA %d transmits instead of %d", have.encodingSA, an),
			want.transmitting, secy.OpEnableTransmit, []request{changeEncodingSA(have.index, an)}})
	}
	return found
}

func compareReceive(want *intent, have *state, sci secy.SCI, guests bool) (found []difference) {
	sc := have.receive[sci]
	if sc == nil {
		found = append(found, difference{fmt.Sprintf("receive SC %s is missing", sci), secy.KeyID{},
			secy.OpCreateReceiveSC, []request{addReceiveSC(have.index, sci)}})
		sc = new(receiveChannel)
	}
	for i, sa := range sc.sas {
		an, wanted := secy.AN(i), want.receive[sci][i]
		name := fmt.Sprintf("receive SA %d of %s", an, sci)
		switch {
		case wanted.key.IsZero() && sa != nil && !guests:
			found = append(found, difference{name + " was not ordered", sa.key, secy.OpDeleteSAs,
				[]request{activateReceiveSA(have.index, sci, an, false), delReceiveSA(have.index, sci, an)}})
		case wanted.key.IsZero():
		case sa == nil || sa.key != wanted.key:
			found = append(found, difference{fmt.Sprintf("%s of key %s is missing", name, wanted.key), wanted.key,
				secy.OpCreateReceiveSA, nil})
		case sa.active != wanted.active:
			found = append(found, difference{fmt.Sprintf("%s has active=%t against orders", name, sa.active), sa.key,
				secy.OpEnableReceive, []request{activateReceiveSA(have.index, sci, an, wanted.active)}})
		}
	}
	return found
}

// verify reads back what the kernel has made of an order. What differs is repaired once; what then still differs, and
// concerns the key of the order or no key, is an error.
func (d *Device) verify(op secy.Op) error {
	if err := d.refresh(); err != nil {
		return explain("read back "+op.Kind.String(), err)
	}
	if found := compare(&d.want, d.last, d.guests); len(found) > 0 {
		if err := d.repair(found); err != nil {
			return err
		}
	}
	for _, f := range compare(&d.want, d.last, d.guests) {
		if f.key.IsZero() || f.key == op.Key {
			return fmt.Errorf("the kernel has not kept %s: %s", f.order, f.what)
		}
	}
	switch sa := d.last.transmitSA(op.Key); {
	case op.Kind == secy.OpEnableTransmit && !sa.active:
		return fmt.Errorf("the kernel has stopped transmit SA %d of key %s at once", sa.an, op.Key)
	case op.Kind == secy.OpDeleteSAs && !op.Key.IsZero() && d.last.holds(op.Key):
		return fmt.Errorf("the kernel still has SAs of key %s", op.Key)
	}
	return nil
}

// repair puts into force what can be, and reads back. Whether it has helped is in what it has read.
func (d *Device) repair(found []difference) error {
	for _, f := range found {
		d.log.Warn("the kernel's SecY differs from what was ordered", "controlled", d.cfg.Controlled, "difference", f.what,
			"repaired", len(f.repair) > 0)
		for _, r := range f.repair {
			if err := absentIsFine(d.change("repair: "+f.what, r)); err != nil {
				d.log.Warn("cannot repair the kernel's SecY", "controlled", d.cfg.Controlled, "err", err)
			}
		}
	}
	if err := d.refresh(); err != nil {
		return explain("read back after repair", err)
	}
	return nil
}

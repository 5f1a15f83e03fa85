package kernel

import (
	"errors"
	"fmt"
	"log/slog"

	"golang.org/x/sys/unix"
)

// A Custody keeps what the host knew a Controlled Port by while there is no device to have it: from the moment that one is
// taken away until another has been given all of it, however many attempts that takes and of whatever kind the other is.
// The zero value keeps nothing. It is for one Device, or one goroutine, at a time.
type Custody struct {
	id *identity
}

// Displace takes the macsec device of that name away if it is one on the lower device with that ifindex, SAs and all, to make
// room for a device of another kind, and keeps what the host knew it by: ifindex, alias, master, VLANs on it, and all their
// addresses and routes. If there is no such device nothing is done. x is as in Config.
func (k *Custody) Displace(x Exchange, lower int, name string, log *slog.Logger) error {
	c, err := converse(x)
	if err != nil {
		return err
	}
	defer c.hangUp()
	link, err := c.link(0, name)
	switch {
	case errors.Is(err, unix.ENODEV):
		return explain("look up "+name, k.heed(c, log))
	case err != nil:
		return explain("look up "+name, err)
	case link.kind != linkKind || link.lower != lower || link.lowerNS:
		return nil
	}
	id, err := c.identify(link.index)
	if err != nil {
		return explain("read what is on "+name, err)
	}
	tellLosses(id, log)
	earlier := k.take(id)
	if _, err := c.do(removeLink(link.index)); err != nil && !errors.Is(err, unix.ENODEV) {
		k.id = earlier
		return explain("remove "+name, err)
	}
	return nil
}

// Index is the ifindex that the device had and the next one is to have; 0: any.
func (k *Custody) Index() int {
	if k == nil || k.id == nil {
		return 0
	}
	return k.id.devices[0].index
}

// Furnish gives the device that has taken the place, with the same ifindex, all that the other had, but its addresses on
// the wire and its MTU, and keeps it no longer. What cannot be put back is logged. An error leaves all in custody.
func (k *Custody) Furnish(x Exchange, log *slog.Logger) error {
	if k.Index() == 0 {
		return nil
	}
	c, err := converse(x)
	if err != nil {
		return err
	}
	defer c.hangUp()
	return k.furnish(c, log)
}

func (k *Custody) furnish(c *conversation, log *slog.Logger) error {
	id := k.id
	link, err := c.link(k.Index(), "")
	switch {
	case errors.Is(err, unix.ENODEV):
		k.Abandon(log, fmt.Sprintf("no device has the ifindex %d now", k.Index()))
		return nil
	case err != nil:
		return explain("look up what takes the place of "+id.devices[0].name, err)
	}
	if link.name != id.devices[0].name {
		id.unlabel()
	}
	for _, err := range append(c.restoreAll(id), c.putBack(id.entries)...) {
		log.Warn("cannot put back", "controlled", link.name, "err", err)
	}
	k.id = nil
	return nil
}

// Abandon logs what is kept and no device will have any more, and keeps it no longer.
func (k *Custody) Abandon(log *slog.Logger, why string) {
	if k.Index() == 0 {
		return
	}
	log.Error("what the Controlled Port had is lost", "controlled", k.id.devices[0].name, "why", why, "what", k.id.possessions())
	k.id = nil
}

// take keeps an identity in the place of an earlier one. Of one that no device was given all of, what this one has not stays
// kept.
func (k *Custody) take(id *identity) (earlier *identity) {
	earlier = k.id
	if earlier != nil && k.Index() == id.devices[0].index {
		id.join(earlier)
	}
	k.id = id
	return earlier
}

// heed looks whether the ifindex, to which all that is kept belongs, is free still, and abandons it if it is not.
func (k *Custody) heed(c *conversation, log *slog.Logger) error {
	if k.Index() == 0 {
		return nil
	}
	link, err := c.link(k.Index(), "")
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	if err == nil {
		k.Abandon(log, fmt.Sprintf("%s has its ifindex %d now", link.name, link.index))
	}
	return err
}

// tellLosses logs what of a device that is about to be made again will be missing.
func tellLosses(id *identity, log *slog.Logger) {
	for _, loss := range id.losses {
		log.Warn("cannot be put back", "controlled", id.devices[0].name, "what", loss)
	}
}

// restoreAll makes the devices what they were, the first of which is there. A VLAN on it that is there is in its place.
func (c *conversation) restoreAll(id *identity) (problems []error) {
	for i, l := range id.devices {
		attempt := func(doing string, r request) {
			if _, err := c.do(r); err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", doing, err))
			}
		}
		if _, err := c.link(l.index, ""); i > 0 && errors.Is(err, unix.ENODEV) {
			attempt("make "+l.name, makeVLAN(l))
		}
		if r, some := dress(l); some {
			attempt("set alias and master of "+l.name, r)
		}
		if l.up {
			attempt("bring up "+l.name, setUp(l.index, true))
		}
	}
	return problems
}

package kernel

import (
	"errors"
	"fmt"
	"log/slog"

	"golang.org/x/sys/unix"
)

// A Displaced is what a macsec device was for the host, until Displace took it away to make room for a device of another
// kind. It is for one goroutine.
type Displaced struct {
	exchange Exchange
	id       *identity
}

// Displace takes the macsec device of that name away if it is one on the lower device with that ifindex, SAs and all, and
// keeps what the host knew it by: name, ifindex, alias, master, VLANs on it, and all their addresses and routes. nil: there
// is no such device, and nothing was done. x is as in Config.
func Displace(x Exchange, lower int, name string, log *slog.Logger) (*Displaced, error) {
	c, err := converse(x)
	if err != nil {
		return nil, err
	}
	defer c.hangUp()
	link, err := c.link(0, name)
	switch {
	case errors.Is(err, unix.ENODEV):
		return nil, nil
	case err != nil:
		return nil, explain("look up "+name, err)
	case link.kind != linkKind || link.lower != lower || link.lowerNS:
		return nil, nil
	}
	id, err := c.identify(link.index)
	if err != nil {
		return nil, explain("read what is on "+name, err)
	}
	tellLosses(id, log)
	if _, err := c.do(removeLink(link.index)); err != nil && !errors.Is(err, unix.ENODEV) {
		return nil, explain("remove "+name, err)
	}
	return &Displaced{x, id}, nil
}

// Index is the ifindex that the device had; 0 for nil.
func (d *Displaced) Index() int {
	if d == nil {
		return 0
	}
	return d.id.devices[0].index
}

// Furnish gives the device that has taken the place, with the same ifindex, all that the other had, but its addresses on
// the wire and its MTU. What cannot be put back is logged. Of nil there is nothing to give.
func (d *Displaced) Furnish(log *slog.Logger) error {
	if d == nil {
		return nil
	}
	c, err := converse(d.exchange)
	if err != nil {
		return err
	}
	defer c.hangUp()
	id := d.id
	for _, err := range append(c.restoreAll(id), c.putBack(id.entries)...) {
		log.Warn("cannot put back", "controlled", id.devices[0].name, "err", err)
	}
	return nil
}

// tellLosses logs what of a device that is about to be made again will be missing.
func tellLosses(id *identity, log *slog.Logger) {
	for _, loss := range id.losses {
		log.Warn("cannot be put back", "controlled", id.devices[0].name, "what", loss)
	}
}

// restoreAll makes the devices what they were, the first of which is there, and the VLANs on it are not.
func (c *conversation) restoreAll(id *identity) (problems []error) {
	for i, l := range id.devices {
		attempt := func(doing string, r request) {
			if _, err := c.do(r); err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", doing, err))
			}
		}
		if i > 0 {
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

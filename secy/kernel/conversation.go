package kernel

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// maxAttempts bounds how often a dump is repeated that something has disturbed: dozens of ports that start together disturb
// each other's.
const maxAttempts = 16

// A conversation speaks the messages of this package through an Exchange.
type conversation struct {
	exchange Exchange
	family   uint16 // the number of the macsec family; 0: not asked for yet
	hangUp   func()
}

// converse begins a conversation: through x, or if that is nil with this machine's kernel, in the network namespace of
// the thread that calls.
func converse(x Exchange) (*conversation, error) {
	if x != nil {
		return &conversation{exchange: x, hangUp: func() {}}, nil
	}
	s, err := dial()
	if err != nil {
		return nil, err
	}
	return &conversation{exchange: s.exchange, hangUp: s.close}, nil
}

// do makes one request. The number of the family changes when the module is loaded anew.
func (c *conversation) do(r request) ([][]byte, error) {
	if r.protocol != unix.NETLINK_GENERIC {
		return c.exchange(r.protocol, r.kind, r.flags, r.body)
	}
	known := c.family
	if err := c.findFamily(); err != nil {
		return nil, err
	}
	replies, err := c.exchange(r.protocol, c.family, r.flags, r.body)
	if !errors.Is(err, unix.ENOENT) || known == 0 {
		return replies, err
	}
	c.family = 0
	if lookup := c.findFamily(); lookup != nil || c.family == known {
		return replies, errors.Join(err, lookup)
	}
	return c.exchange(r.protocol, c.family, r.flags, r.body)
}

// The numbers of the generic netlink family that knows all others.
const (
	controlFamily    = 0x10 // GENL_ID_CTRL
	controlGetFamily = 3
	controlVersion   = 2
	controlAttrID    = 1
	controlAttrName  = 2
)

// findFamily asks for the number of the macsec family; the kernel then loads the module, if it can.
func (c *conversation) findFamily() error {
	if c.family != 0 {
		return nil
	}
	body := appendString([]byte{controlGetFamily, controlVersion, 0, 0}, controlAttrName, familyName)
	replies, err := c.exchange(unix.NETLINK_GENERIC, controlFamily, 0, body)
	if err != nil {
		return fmt.Errorf("find netlink family %s: %w", familyName, err)
	}
	for _, b := range replies {
		if len(b) < genericHeaderLen {
			continue
		}
		if id := find(b[genericHeaderLen:], controlAttrID); len(id) >= 2 {
			c.family = native.Uint16(id)
			return nil
		}
	}
	return fmt.Errorf("find netlink family %s: %w", familyName, unix.ENOENT)
}

// dump makes a request for a list, again if something has disturbed it.
func (c *conversation) dump(r request) (replies [][]byte, err error) {
	for range maxAttempts {
		replies, err = c.do(r)
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.ENOBUFS) {
			return replies, err
		}
	}
	return nil, err
}

// link looks a device up by its name or, with an empty name, its index. The error of one that does not exist is
// unix.ENODEV.
func (c *conversation) link(index int, name string) (linkInfo, error) {
	replies, err := c.do(getLink(index, name))
	if err != nil {
		return linkInfo{}, err
	}
	if len(replies) == 0 {
		return linkInfo{}, unix.ENODEV
	}
	return parseLink(replies[0])
}

// links lists every device of the namespace.
func (c *conversation) links() (all []linkInfo, err error) {
	replies, err := c.dump(request{unix.NETLINK_ROUTE, unix.RTM_GETLINK, unix.NLM_F_DUMP, appendLinkHeader(nil, 0, 0, 0)})
	for _, b := range replies {
		l, malformed := parseLink(b)
		if malformed != nil {
			return nil, malformed
		}
		all = append(all, l)
	}
	return all, err
}

// made looks whether a device that was just made is as wanted: a kernel makes one without what it does not know.
func (c *conversation) made(index int, want fixedAttributes) error {
	s, err := c.state(index)
	if err != nil {
		return explain("read back", err)
	}
	if differs := s.fixed.differs(want); differs != "" {
		return fmt.Errorf("the kernel has ignored %s: it is too old for it", differs)
	}
	return nil
}

// errUnlisted is the error of a device that exists but that the kernel does not list: its SecY does not fit into one
// message.
var errUnlisted = errors.New("the kernel does not list its SecY: it has too many peers for one netlink message")

// state reads a macsec device. A list without the device says nothing, and ends for all that come after it, when a
// SecY did not fit: only the link tells that the device is gone, by unix.ENODEV.
func (c *conversation) state(index int) (*state, error) {
	replies, err := c.dump(dumpSecYs())
	if err != nil {
		return nil, err
	}
	for _, b := range replies {
		if s, err := parseState(b); err == nil && s.index == index {
			return s, nil
		}
	}
	if _, err := c.link(index, ""); err != nil {
		return nil, err
	}
	return nil, errUnlisted
}

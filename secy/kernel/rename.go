package kernel

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"
)

// Rename gives a device, of whatever kind, another name; all else that the host knows it by stays. A kernel before Linux 6.2
// renames only devices that are down: there it is taken down for a moment, and what that costs is put back. x is as in
// Config. A device that does not exist is os.ErrNotExist, a name that another one has is os.ErrExist, and costs nothing.
func Rename(x Exchange, from, to string, log *slog.Logger) error {
	doing := fmt.Sprintf("rename %s to %s", from, to)
	c, err := converse(x)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	defer c.hangUp()
	link, err := c.link(0, from)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, absent(err))
	}
	_, err = c.do(setName(link.index, to))
	if errors.Is(err, unix.EBUSY) {
		err = c.renameDown(link, to, log)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// renameDown renames a device that has to be down for it.
func (c *conversation) renameDown(link linkInfo, to string, log *slog.Logger) error {
	before, err := c.identify(link.index)
	if err != nil {
		return err
	}
	if _, err := c.do(setUp(link.index, false)); err != nil {
		return err
	}
	_, err = c.do(setName(link.index, to))
	if _, up := c.do(setUp(link.index, true)); up != nil {
		return errors.Join(err, up)
	}
	for _, problem := range c.putBack(before.entries) {
		log.Warn("cannot put back", "controlled", to, "err", problem)
	}
	return err
}

// RenameLosses lists what a device would lose for good if it was to have another name: all that it has where another device
// has that name, for then it is removed and another made; else nothing, but on a kernel that has to take it down for that.
func RenameLosses(x Exchange, from, to string) ([]string, error) {
	c, err := converse(x)
	if err != nil {
		return nil, err
	}
	defer c.hangUp()
	link, err := c.link(0, from)
	if errors.Is(err, unix.ENODEV) {
		return nil, nil
	}
	if err != nil {
		return nil, explain("look up "+from, err)
	}
	id, err := c.identify(link.index)
	if err != nil {
		return nil, explain("read what is on "+from, err)
	}
	if _, err := c.link(0, to); !errors.Is(err, unix.ENODEV) {
		why := fmt.Sprintf("whatever %s has, for another device is called %s", from, to)
		return append(append([]string{why}, id.possessions()...), id.losses...), nil
	}
	if len(id.lapses) == 0 || !c.renamesDownOnly(link) {
		return nil, nil
	}
	return id.lapses, nil
}

// renamesDownOnly finds out whether the kernel refuses to rename a device that is up, by the name that it has.
func (c *conversation) renamesDownOnly(link linkInfo) bool {
	_, err := c.do(setName(link.index, link.name))
	return errors.Is(err, unix.EBUSY)
}

// setName is the request that renames a device.
func setName(index int, name string) request {
	return changeLink(index, func(b []byte) []byte { return appendString(b, unix.IFLA_IFNAME, name) })
}

// absent is the error of a lookup in the words of package os.
func absent(err error) error {
	if errors.Is(err, unix.ENODEV) {
		return os.ErrNotExist
	}
	return err
}

package port

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
)

// RemoveLeftover deletes a Controlled Port that an mkad has left behind: a device of that name that is of one of the kinds
// that mkad makes. It reports whether there was one; any other device stays.
func RemoveLeftover(name string) (removed bool, err error) {
	link, err := netlink.LinkByName(name)
	if _, missing := errors.AsType[netlink.LinkNotFoundError](err); missing {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up %s: %w", name, err)
	}
	if kind := link.Type(); kind != "tuntap" && kind != "tun" && kind != "macsec" {
		return false, nil
	}
	if err := netlink.LinkDel(link); err != nil {
		return false, fmt.Errorf("remove %s: %w", name, err)
	}
	return true, nil
}

package port

import "github.com/vishvananda/netlink"

// Settle has the kernel look at the device's carrier now. It looks by itself, but for most devices at most once a second
// for the whole machine, and until then a device whose carrier is back transmits nothing. A request for one device makes
// it look at once (Linux 6.9; before, this does nothing). What comes of it is told by a Watcher.
func Settle(ifindex int) { _, _ = netlink.LinkByIndex(ifindex) }

package port

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Traits are what the kernel tells of a device beside its Link; they cost a look each time.
type Traits struct {
	Driver   string // "virtio_net"; "" when it does not say
	Received uint64 // frames since the device exists
	Moved    bool   // its MAC address is not the one that it was born with
}

// TraitsOf looks at a device in the network namespace of the calling thread.
func TraitsOf(name string, ifindex int) (Traits, error) {
	link, err := netlink.LinkByIndex(ifindex)
	if err != nil {
		return Traits{}, fmt.Errorf("look at %s: %w", name, err)
	}
	a := link.Attrs()
	t := Traits{Driver: driver(a.Name), Moved: len(a.PermHWAddr) > 0 && !bytes.Equal(a.PermHWAddr, a.HardwareAddr)}
	if a.Statistics != nil {
		t.Received = a.Statistics.RxPackets
	}
	return t, nil
}

// RealName is that of the device which has the name as an alternative one (ip link property add), in the network namespace of
// the calling thread; "" if none has.
func RealName(name string) string {
	link, err := netlink.LinkByName(name)
	if err != nil || link.Attrs().Name == name {
		return ""
	}
	return link.Attrs().Name
}

// driver asks by way of a socket of a family that every sandbox lets us have.
func driver(name string) string {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	info, err := unix.IoctlGetEthtoolDrvinfo(fd, name)
	if err != nil {
		return ""
	}
	return text(info.Driver[:])
}

// switched are the drivers of devices whose other end is, as a rule, a port of a virtual switch or a bridge: of virtual
// machines, of virtual functions, and of containers.
var switched = []string{"virtio_net", "vmxnet3", "hv_netvsc", "vif", "ena", "gve", "igbvf", "ixgbevf", "iavf", "veth"}

// BehindSwitch reports whether a virtual switch or a bridge is likely to be on the other side.
func (t Traits) BehindSwitch() bool { return slices.Contains(switched, t.Driver) }

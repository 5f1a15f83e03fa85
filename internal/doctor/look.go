package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"mkad/eapol"
	"mkad/internal/filter"
	"mkad/internal/port"
	"mkad/secy/kernel"
	"mkad/secy/userspace"
)

// Look finds out what the machine can do, in the network namespace of the calling thread, with the named devices, or all that
// may be lower devices. What cannot be looked at is told as missing, with the reason; a device that there is not is an error.
func Look(names ...string) (Facts, error) {
	f := Facts{Kernel: release(), Capabilities: capabilities(), TUN: userspace.Available(), GCM: gcmDrivers(), AES: hasAES(),
		ClockKept: clockKept()}
	f.Filter, f.MACsec = errNotTried, errNotTried
	if err := f.try(); err != nil {
		f.Filter, f.MACsec = cmp.Or(f.Filter, err), cmp.Or(f.MACsec, err)
	}
	f.Devices, f.Unlisted = devices(names)
	for _, name := range names {
		if f.Unlisted == nil && !slices.ContainsFunc(f.Devices, func(d Device) bool { return d.Name == name }) {
			return f, fmt.Errorf("there is no device %s: see ip link", name)
		}
	}
	return f, nil
}

var errNotTried = errors.New("it could not be tried")

// trialDevice is there for a moment, never up.
const trialDevice = "mkaddoctor"

// try closes a device of its own, and has a macsec device made on it.
func (f *Facts) try() error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = trialDevice
	link := &netlink.Veth{LinkAttrs: attrs, PeerName: trialDevice + "2"}
	if err := netlink.LinkAdd(link); err != nil {
		return fmt.Errorf("make a device to try it on: %w", err)
	}
	defer netlink.LinkDel(link)
	f.Filter = filter.Close(filter.Rules{Interface: trialDevice})
	if f.Filter == nil {
		f.Filter = filter.Open(trialDevice)
	}
	offer := kernel.Probe(nil, link.Attrs().Index, kernel.OffloadOff)
	f.MACsec, f.Suites = offer.Available, offer.Suites
	return nil
}

// devices lists the named ones, or the Ethernet devices that are hardware, or seem so to this machine, and those that are
// simulated.
func devices(names []string) (all []Device, err error) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	watcher, err := port.Watch(ctx)
	if err != nil {
		return nil, err
	}
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	for _, l := range links {
		link := watcher.Link(l.Attrs().Name)
		if len(names) > 0 && slices.Contains(names, link.Name) || len(names) == 0 && likely(link) {
			all = append(all, examine(link, links))
		}
	}
	slices.SortFunc(all, func(a, b Device) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// likely reports whether somebody may want the device as a lower device.
func likely(l port.Link) bool {
	return l.Exists && l.Ethernet && !l.Loopback && (l.Kind == "" || l.Kind == "veth" || l.Kind == "vlan")
}

func examine(link port.Link, links []netlink.Link) Device {
	d := Device{Name: link.Name, MTU: link.MTU, Unfit: cmp.Or(port.Lowerable(link), port.Occupied(link, eapol.EtherType))}
	if occupied, ok := errors.AsType[*port.UnfitError](d.Unfit); ok && strings.HasSuffix(occupied.Other, "(mkad)") {
		d.Server, d.Unfit = occupied.Other, nil
	}
	if traits, err := port.TraitsOf(link.Name, link.Index); err == nil {
		d.Driver, d.Behind = traits.Driver, traits.BehindSwitch()
	}
	if driver, err := os.Readlink("/sys/class/net/" + link.Name + "/phydev/driver"); err == nil {
		d.PHY = filepath.Base(driver)
	}
	for _, l := range links {
		if l.Type() == "macsec" && l.Attrs().ParentIndex == link.Index && l.Attrs().NetNsID < 0 {
			d.Used = l.Attrs().Name
		}
	}
	if link.Kind == "" && d.Unfit == nil && d.Used == "" {
		d.Offloads = offloads(link.Index)
	}
	return d
}

// offloads tries the hardware below a device, by a macsec device that is never up.
func offloads(index int) (kinds []string) {
	for _, o := range [...]struct {
		name string
		kind kernel.Offload
	}{{"offload-mac", kernel.OffloadMAC}, {"offload-phy", kernel.OffloadPHY}} {
		if kernel.Probe(nil, index, o.kind).Available == nil {
			kinds = append(kinds, o.name)
		}
	}
	return kinds
}

func release() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

func capabilities() (c Capabilities) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return c
	}
	c.NetAdmin = data[0].Effective&(1<<unix.CAP_NET_ADMIN) != 0
	c.NetRaw = data[0].Effective&(1<<unix.CAP_NET_RAW) != 0
	users, err := os.ReadFile("/proc/self/uid_map")
	c.FirstUserNS = err == nil && strings.Join(strings.Fields(string(users)), " ") == "0 0 4294967295"
	return c
}

// gcmDrivers reads what the kernel has for gcm(aes), the best first.
func gcmDrivers() []string {
	text, err := os.ReadFile("/proc/crypto")
	if err != nil {
		return nil
	}
	return gcmOf(string(text))
}

// gcmOf finds the drivers of gcm(aes) in /proc/crypto: paragraphs of "name : value", of which the highest priority wins.
func gcmOf(text string) (drivers []string) {
	type driver struct {
		name     string
		priority int
	}
	var found []driver
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		fields := map[string]string{}
		for line := range strings.Lines(paragraph) {
			name, value, _ := strings.Cut(line, ":")
			fields[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
		if fields["name"] == "gcm(aes)" {
			priority, _ := strconv.Atoi(fields["priority"]) // one that is not told is the least
			found = append(found, driver{fields["driver"], priority})
		}
	}
	slices.SortStableFunc(found, func(a, b driver) int { return b.priority - a.priority })
	for _, d := range found {
		drivers = append(drivers, d.name)
	}
	return drivers
}

// hasAES reports whether the processor's features name AES, as x86 and arm64 do.
func hasAES() bool {
	text, err := os.ReadFile("/proc/cpuinfo")
	return err == nil && slices.Contains(strings.Fields(string(text)), "aes")
}

// clockKept reports whether the kernel knows of something that keeps its clock right.
func clockKept() bool {
	var t unix.Timex
	_, err := unix.Adjtimex(&t)
	return err == nil && t.Status&unix.STA_UNSYNC == 0
}

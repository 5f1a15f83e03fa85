package kernel

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// explain wraps what the kernel has answered with what was tried (verb and subject) and what to do about it.
func explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	if remedy := remedyOf(err); remedy != "" {
		return fmt.Errorf("%s: %w: %s", doing, err, remedy)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// remedies are what to do about an error that a SecY gives; those of making a device are in makingRemedies.
var remedies = []struct {
	errno  unix.Errno
	remedy string
}{
	{unix.EPERM, "the kernel lets only CAP_NET_ADMIN of the initial user namespace touch SAs: run mkad as root outside of " +
		"rootless containers and user namespaces, or set backend to \"userspace\""},
	{unix.ENOENT, "the kernel lacks gcm(aes) or has no macsec module: load gcm, ghash-generic and macsec (modprobe)"},
	{unix.ENODEV, "somebody has removed it: see who else manages the device"},
	{unix.EEXIST, "another SecY of the lower device receives that SCI: remove that one (ip link show type macsec)"},
	{unix.ENOSPC, "the hardware has no room for more: use fewer ports or peers, or set backend to \"kernel\""},
	{unix.ENOMEM, "the machine is out of memory"},
}

// makingRemedies are what to do about an error of making a macsec device.
var makingRemedies = []struct {
	errno  unix.Errno
	remedy string
}{
	{unix.EPERM, "give mkad CAP_NET_ADMIN (run it as root)"},
	{unix.EOPNOTSUPP, "the kernel has no macsec module (modprobe macsec; CONFIG_MACSEC), or the device cannot offload it"},
	{unix.EBUSY, "the lower device belongs to a bridge, bond or macvlan, or another SecY on it has that SCI " +
		"(ip -d link show): free it, or set another port_id"},
	{unix.EINVAL, "the kernel knows neither the cipher suite nor such a device: XPN needs Linux 5.7, 256-bit keys 4.16"},
	{unix.ERANGE, "raise the MTU of the lower device, or choose another cipher suite: one of them is out of the " +
		"kernel's range"},
	{unix.ENODEV, "the lower device has vanished"},
	{unix.ENOSPC, "the hardware has no room for another SecY: set backend to \"kernel\""},
}

func remedyOf(err error) string {
	for _, r := range remedies {
		if errors.Is(err, r.errno) {
			return r.remedy
		}
	}
	return ""
}

// explainMaking is explain for requests that make a device.
func explainMaking(doing string, err error) error {
	for _, r := range makingRemedies {
		if errors.Is(err, r.errno) {
			return fmt.Errorf("%s: %w: %s", doing, err, r.remedy)
		}
	}
	return explain(doing, err)
}

// uncertain reports whether the kernel may have done what was asked though its answer was lost: then what it holds is to
// be read.
func uncertain(err error) bool {
	return errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR)
}

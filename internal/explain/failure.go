package explain

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"

	"mkad/internal/filter"
	"mkad/internal/port"
	"mkad/offload"
)

// ErrDeviceTaken is wrapped by the failure of a port whose Controlled Port somebody has taken away.
var ErrDeviceTaken = errors.New("the Controlled Port was taken away")

// causeOf is the cause of a port that cannot be served.
func causeOf(failure error) Cause {
	var unfit *port.UnfitError
	switch {
	case errors.As(failure, &unfit):
		return causeOfUnfit(unfit.Reason)
	case errors.Is(failure, port.ErrClaimed):
		return Occupied
	case errors.Is(failure, ErrDeviceTaken):
		return DeviceTaken
	case errors.Is(failure, fs.ErrPermission):
		return NoPermission
	case errors.Is(failure, filter.ErrUnsupported), isMissing(failure):
		return NoModule
	case errors.Is(failure, offload.ErrUnavailable):
		return NoBackend
	}
	return Failed
}

func causeOfUnfit(reason port.Unfit) Cause {
	switch reason {
	case port.UnfitOccupied:
		return Occupied
	case port.UnfitLoopback, port.UnfitNotEthernet:
		return Unfit
	}
	return Enslaved
}

// isMissing reports whether a SecY is not to be had because the kernel knows nothing of it: no netlink family, no device
// node, no link kind, no address family.
func isMissing(failure error) bool {
	if !errors.Is(failure, offload.ErrUnavailable) {
		return false
	}
	for _, errno := range [...]unix.Errno{unix.ENOENT, unix.ENODEV, unix.ENXIO, unix.EAFNOSUPPORT, unix.EPROTONOSUPPORT} {
		if errors.Is(failure, errno) {
			return true
		}
	}
	return false
}

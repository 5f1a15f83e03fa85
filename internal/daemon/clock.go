package daemon

import (
	"golang.org/x/sys/unix"

	"mkad/mka"
)

// bootTime is the time that MKA lives by: it is not set, and it goes on while the machine is suspended, so that peers
// have to prove after a resume that they are still there.
func bootTime() mka.Time {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic("daemon: CLOCK_BOOTTIME: " + err.Error())
	}
	return mka.Time(ts.Nano())
}

package daemon

import (
	"time"

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

// A Clock is the wall clock, by which keys start and end.
type Clock interface {
	Now() time.Time
	// Until is how long it takes until t.
	Until(t time.Time) time.Duration
	// Synchronized reports whether something, as a time server does, keeps the clock right.
	Synchronized() bool
}

// wallClock is the host's.
type wallClock struct{}

func (wallClock) Now() time.Time                  { return time.Now() }
func (wallClock) Until(t time.Time) time.Duration { return time.Until(t) }

// Synchronized asks the kernel, which says no from the start until somebody has set the clock by another and keeps to it.
func (wallClock) Synchronized() bool {
	const timeError = 5 // TIME_ERROR of adjtimex(2)
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return err != nil || state != timeError && t.Status&unix.STA_UNSYNC == 0
}

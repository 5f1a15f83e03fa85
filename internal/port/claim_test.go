package port_test

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"mkad/internal/port"
)

// Clause: none; design: two mkads on one device would fight.
func TestClaimedDeviceIsRefusedUntilItIsReleased(t *testing.T) {
	w := newWire(t)
	claim := func() (c *port.Claim, err error) {
		err = w.host.Do(func() (err error) { c, err = port.ClaimDevice(device); return err })
		return c, err
	}
	first, err := claim()
	must(t, err)
	if _, err := claim(); !errors.Is(err, port.ErrClaimed) {
		t.Errorf("a second claim: %v", err)
	}
	first.Release()
	again, err := claim()
	must(t, err)
	again.Release()
}

// Clause: none; the name is anybody's to take: who does not listen is no mkad.
func TestNameThatSomebodyOnlyBindsIsNoClaim(t *testing.T) {
	w := newWire(t)
	must(t, w.host.Do(func() error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.Bind(fd, &unix.SockaddrUnix{Name: "@mkad/" + device}); err != nil {
			return err
		}
		_, err = port.ClaimDevice(device)
		return err
	}))
}

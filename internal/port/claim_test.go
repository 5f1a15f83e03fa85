package port_test

import (
	"errors"
	"fmt"
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

// Clause: none; design: who asks leaves nothing behind, so that a claim is one however often it is asked for.
func TestClaimIsRefusedHoweverOften(t *testing.T) {
	w := newWire(t)
	must(t, w.host.Do(func() error {
		claim, err := port.ClaimDevice(device)
		if err != nil {
			return err
		}
		defer claim.Release()
		for range 5000 { // more than the queue of a socket is long
			if _, err := port.ClaimDevice(device); !errors.Is(err, port.ErrClaimed) {
				return fmt.Errorf("another claim: %v", err)
			}
		}
		return nil
	}))
}

// Clause: none; the name is anybody's to take: who does not let anybody in is no mkad.
func TestNameThatSomebodyListensOnAndDoesNotAnswerIsNoClaim(t *testing.T) {
	w := newWire(t)
	must(t, w.host.Do(func() error {
		const kind = unix.SOCK_STREAM | unix.SOCK_NONBLOCK | unix.SOCK_CLOEXEC
		name := &unix.SockaddrUnix{Name: "@mkad/" + device}
		holder, err := unix.Socket(unix.AF_UNIX, kind, 0)
		if err != nil {
			return err
		}
		defer unix.Close(holder)
		if err := errors.Join(unix.Bind(holder, name), unix.Listen(holder, 0)); err != nil {
			return err
		}
		for full := false; !full; {
			c, err := unix.Socket(unix.AF_UNIX, kind, 0)
			if err != nil {
				return err
			}
			defer unix.Close(c)
			err = unix.Connect(c, name)
			if full = errors.Is(err, unix.EAGAIN); err != nil && !full {
				return err
			}
		}
		_, err = port.ClaimDevice(device)
		return err
	}))
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

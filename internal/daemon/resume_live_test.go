package daemon_test

import (
	"syscall"
	"testing"
	"time"

	"mkad/internal/control"
)

// Clause: 802.1X-2020 9.4.3; design: time. After a resume, in which the clock of MKA has gone on and no timer has, nobody is
// taken for live who was so before; those who are there prove it at once.
func TestResumeProvesPeersAgain(t *testing.T) {
	l := newLink(t, hooked, "", "")
	hook(t, l, hooks{MKADTestJump: time.Hour})
	must(t, l.Secure(t.Context()))
	before, err := l.West.Port(t.Context())
	must(t, err)
	l.West.Daemon().Signal(syscall.SIGUSR1)
	waitFor(t, "a port that is secured once more", func() bool {
		west, err := l.West.Port(t.Context())
		must(t, err)
		east, err := l.East.Port(t.Context())
		must(t, err)
		return west.State == control.Secured && west.Since.After(before.Since) && west.Tx.KI != before.Tx.KI &&
			east.State == control.Secured && east.Tx.KI == west.Tx.KI
	})
	carriesBothWays(t, l)
}

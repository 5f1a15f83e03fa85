package daemon_test

import (
	"syscall"
	"testing"
	"time"

	"mkad/internal/control"
)

// Clause: 802.1X-2020 9.4.3; design: time. After a resume, in which the clock of MKA has gone on and no timer has, nobody is
// taken for live who was so before and does not prove it. A life time that would not end within the test tells the jump from
// the silence.
func TestResumeProvesPeersAgain(t *testing.T) {
	l := newLink(t, hooked, "", `life_time = "30s"`)
	hook(t, l, hooks{MKADTestJump: time.Hour})
	must(t, l.Secure(t.Context()))
	l.East.Daemon().Signal(syscall.SIGSTOP)
	l.West.Daemon().Signal(syscall.SIGUSR1)
	waitFor(t, "a port whose peer is not there", func() bool {
		west, err := l.West.Port(t.Context())
		must(t, err)
		return west.State == control.Blocked
	})
	l.East.Daemon().Signal(syscall.SIGCONT)
	waitFor(t, "a link that is secured once more", func() bool {
		west, err := l.West.Port(t.Context())
		must(t, err)
		east, err := l.East.Port(t.Context())
		must(t, err)
		return west.State == control.Secured && east.State == control.Secured && east.Tx.KI == west.Tx.KI
	})
	carriesBothWays(t, l)
}

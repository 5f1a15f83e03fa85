package kernel_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"

	"mkad/secy"
	"mkad/secy/kernel"
	"mkad/secy/kernel/kerneltest"
)

func TestXPNBringsSSCISaltAndWidePN(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open(with(secy.GCMAESXPN256)).order(configureSuite(secy.GCMAESXPN256), receiveSC(peer))
		tx, rx := transmitSA(first, 0), receiveSA(peer, first, 0)
		tx.SAK, rx.SAK, tx.PN, rx.PN = sak(32), sak(32), 1<<32, 1<<33
		l.order(tx, rx)
		s := l.secY()
		if sa := s.Transmit[0]; sa.SSCI != 2 || !bytes.Equal(sa.Salt, tx.Salt[:]) || sa.PN != 1<<32 {
			t.Errorf("transmit SA is %+v", sa)
		}
		if sa := s.Receive[uint64(peer)].SAs[0]; sa.SSCI != 1 || sa.PN != 1<<33+128 {
			t.Errorf("receive SA is %+v, want its window to begin at 2^33", sa)
		}
	})
}

func TestSharedSSCIIsRefused(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open(with(secy.GCMAESXPN128)).order(configureSuite(secy.GCMAESXPN128), receiveSC(peer), receiveSC(second),
			receiveSA(peer, first, 0))
		l.refuse(receiveSA(second, first, 0), "every SC needs its own")
		tx := transmitSA(first, 0)
		tx.SSCI = 1
		l.refuse(tx, "every SC needs its own")
	})
}

func TestSAsThatAreNoneAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		op   secy.Op
		says string
	}{
		"no key":           {transmitSA(secy.KeyID{}, 0), "no key identifier"},
		"no such AN":       {transmitSA(first, 4), "AN 4 is none"},
		"no such receive":  {receiveSA(second, first, 0), "make it first"},
		"PN zero":          {func() secy.Op { o := transmitSA(first, 0); o.PN = 0; return o }(), "first packet number 0"},
		"PN beyond":        {func() secy.Op { o := transmitSA(first, 0); o.PN = 1 << 32; return o }(), "first packet number"},
		"key of 32 octets": {func() secy.Op { o := transmitSA(first, 0); o.SAK = sak(32); return o }(), "GCM-AES-128 needs 16"},
		"own SC":           {receiveSC(self), "is our own"},
		"SC zero":          {receiveSC(0), "no SCI"},
		"not made":         {enableTransmit(first), "has no transmit SA"},
		"no key to enable": {enableReceive(secy.KeyID{}), "no key is named"},
		"no such order":    {secy.Op{Kind: 99}, "is no order"},
		"raise nothing":    {secy.Op{Kind: secy.OpRaiseLowestPN, SCI: peer, Key: first, PN: 5}, "has no receive SA"},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				l.open().order(configure(strict), receiveSC(peer))
				l.k.Requests()
				l.refuse(c.op, c.says)
				l.wantRequests()
			})
		})
	}
}

func TestKeyGetsOneTransmitSAInItsLife(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open().order(append([]secy.Op{configure(strict)}, install(first, 0)...)...)
		l.refuse(transmitSA(first, 1), "packet numbers could repeat")
		l.order(deleteSAs(first))
		l.refuse(transmitSA(first, 0), "packet numbers could repeat")
	})
}

func TestStoppedTransmitSADoesNotStartAgain(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open().order(append([]secy.Op{configure(strict)}, install(first, 0)...)...)
		l.order(controlledPort(false))
		if l.secY().Operational() {
			t.Error("the SecY still sends")
		}
		l.refuse(enableTransmit(first), "has stopped")
		l.order(controlledPort(true))
		if l.secY().Operational() {
			t.Error("enabling the port has started an SA")
		}
	})
}

func TestExhaustedKeyIsNotEnabled(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open().order(configure(strict), transmitSA(first, 0))
		l.secY().Transmit[0].PN = 0
		l.refuse(enableTransmit(first), "no packet number left")
	})
}

func TestOccupiedANIsVacated(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open().order(append([]secy.Op{configure(strict)}, install(first, 2)...)...)
		l.order(receiveSA(peer, another, 2), transmitSA(another, 2), enableReceive(another), enableTransmit(another))
		s := l.secY()
		if s.Transmit[2].KeyID != another || s.Receive[uint64(peer)].SAs[2].KeyID != another || !s.Operational() {
			t.Errorf("SecY is %+v", s)
		}
	})
}

func TestReceiveSAMadeLaterIsInUseAtOnce(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open().order(append([]secy.Op{configure(strict)}, install(first, 0)...)...)
		late := receiveSA(second, first, 0)
		late.SSCI = 3
		l.order(receiveSC(second), late)
		if !l.secY().Receive[uint64(second)].SAs[0].Active {
			t.Error("it is not active")
		}
	})
}

func TestReceiveSAMadeAgainGoesOnWhereItEnded(t *testing.T) {
	for name, end := range map[string][]secy.Op{
		"SAs deleted": {deleteSAs(first)},
		"SC deleted":  {{Kind: secy.OpDeleteReceiveSC, SCI: peer}},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				l.open().order(append([]secy.Op{configure(strict)}, install(first, 0)...)...)
				l.secY().Receive[uint64(peer)].SAs[0].PN = 5000
				l.order(end...)
				l.order(receiveSC(peer), receiveSA(peer, first, 0))
				if pn := l.secY().Receive[uint64(peer)].SAs[0].PN; pn != 5000 {
					t.Errorf("next packet number is %d, want 5000", pn)
				}
			})
		})
	}
}

func TestLowestPNIsRaisedNeverLowered(t *testing.T) {
	for name, c := range map[string]struct{ at, to, next uint64 }{
		"raised":             {200, 300, 300 + 128},
		"lower than it is":   {500, 300, 500},
		"to the window's":    {428, 300, 428},
		"the last of all":    {200, 1<<32 - 1, 1<<32 - 1},
		"to the first there": {1, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				l.open().order(append([]secy.Op{configure(strict)}, install(first, 0)...)...)
				sa := l.secY().Receive[uint64(peer)].SAs[0]
				sa.PN = c.at
				l.order(secy.Op{Kind: secy.OpRaiseLowestPN, SCI: peer, Key: first, PN: secy.PN(c.to)})
				if sa.PN != c.next {
					t.Errorf("next packet number is %d, want %d", sa.PN, c.next)
				}
			})
		})
	}
}

func TestDeletingWhatIsGoneIsDone(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open().order(append([]secy.Op{configure(strict)}, install(first, 0)...)...)
		s := l.secY()
		s.Transmit[0], s.Receive = nil, map[uint64]*kerneltest.SC{}
		l.order(deleteSAs(first), secy.Op{Kind: secy.OpDeleteReceiveSC, SCI: peer})
	})
}

func TestDriverThatFailsToDeleteAnSCButDoesIsFine(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open().order(configure(strict), receiveSC(peer))
		l.k.LoseAnswer("DEL_RXSC", unix.EIO)
		l.order(secy.Op{Kind: secy.OpDeleteReceiveSC, SCI: peer})
	})
}

func TestReceiveSCsAreBounded(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open().order(configure(strict))
		for n := range secy.SCI(80) {
			l.order(receiveSC(n + 1))
		}
		l.refuse(receiveSC(81), "delete one first")
		l.order(receiveSC(80))
	})
}

// Clause: none; the kernel reads the AN twice for each frame, so nobody may send while it changes.
func TestHostPausesWhileTheKeySwitches(t *testing.T) {
	inLab(t, func(l *lab) {
		var seen []string
		note := func(what string) { seen = append(seen, fmt.Sprintf("%s, AN %d", what, l.secY().EncodingSA)) }
		l.open(func(c *kernel.Config) {
			c.Pause = func(device string) (func() error, error) {
				note("pause " + device)
				return func() error { note("resume"); return nil }, nil
			}
		}).order(append([]secy.Op{configure(strict)}, install(first, 1)...)...)
		l.order(receiveSA(peer, another, 2), transmitSA(another, 2), enableReceive(another))
		if len(seen) != 0 {
			t.Errorf("%q before there is a key to switch from", seen)
		}
		l.order(enableTransmit(another))
		synctest.Wait()
		if want := []string{"pause macsec0, AN 1", "resume, AN 2"}; !slices.Equal(seen, want) {
			t.Errorf("%q, want %q", seen, want)
		}
	})
}

// Clause: none; a frame at risk is better than a key that never changes.
func TestKeySwitchesThoughTheHostCannotPause(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open(func(c *kernel.Config) {
			c.Pause = func(string) (func() error, error) { return nil, unix.EOPNOTSUPP }
		}).order(append([]secy.Op{configure(strict)}, install(first, 0)...)...)
		l.order(receiveSA(peer, another, 1), transmitSA(another, 1), enableReceive(another), enableTransmit(another))
		if l.secY().EncodingSA != 1 || !strings.Contains(l.log.String(), "a frame may be lost") {
			t.Errorf("AN %d transmits, and the log is %s", l.secY().EncodingSA, l.log.String())
		}
	})
}

package kernel_test

import (
	"slices"
	"testing"
	"time"

	"mkad/secy"
)

// claimOf is the claim of a key that install has put to use.
func claimOf(key secy.KeyID, an secy.AN) secy.Claim {
	return secy.Claim{Key: key, AN: an, Suite: secy.GCMAES128, Receive: []secy.ClaimedReceiveSA{{SCI: peer}}}
}

// newcomer is what CP orders for a key before it is put to use.
func newcomer(key secy.KeyID, an secy.AN) []secy.Op {
	return []secy.Op{receiveSA(peer, key, an), transmitSA(key, an)}
}

func TestClaimedKeyGoesOnAndTheRestIsSwept(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open().order(append([]secy.Op{configure(strict)}, install(first, 1)...)...)
		s := l.secY()
		s.Transmit[1].PN, s.Receive[uint64(peer)].SAs[1].PN = 777, 555
		s.Transmit[3] = l.strange(3)
		l.addSC(uint64(second))
		l.reopen()
		got := l.Adopt([]secy.Claim{claimOf(first, 1)})
		want := secy.Holding{Key: first, Complete: true, Receiving: true, Transmitting: true}
		if !slices.Equal(got, []secy.Holding{want}) {
			t.Fatalf("held %+v, want %+v", got, want)
		}
		if s.Transmit[3] != nil || s.Receive[uint64(second)] != nil {
			t.Errorf("not swept: SecY %+v", s)
		}
		l.k.Requests()
		l.order(configure(strict), controlledPort(true))
		for _, r := range l.k.Requests() {
			if r != "GETLINK" && r != "GET_TXSC" && r != "NEWLINK" && r != "SETLINK" {
				t.Errorf("it has made the request %s", r)
			}
		}
		l.pass(10 * time.Second)
		if d := l.device(); s.Transmit[1].PN != 777 || s.Receive[uint64(peer)].SAs[1].PN != 555 || !s.Operational() || d.OperState != operUp {
			t.Errorf("device %+v, SecY %+v", d, s)
		}
		l.refuse(transmitSA(first, 1), "packet numbers could repeat")
		l.order(append(newcomer(another, 2), enableReceive(another), enableTransmit(another), deleteSAs(first))...)
		if s.Transmit[1] != nil || s.Receive[uint64(peer)].SAs[1] != nil || s.EncodingSA != 2 || !s.Operational() {
			t.Errorf("SecY %+v", s)
		}
		if len(l.reported()) != 0 {
			t.Error("something is reported")
		}
	})
}

// Both directions of a switch may be under way: the new key made and not yet sent with, or sent with while the old receives.
func TestClaimsOfASwitchUnderWay(t *testing.T) {
	for name, c := range map[string]struct {
		ops        []secy.Op
		old, fresh secy.Holding
	}{
		"nothing is made": {nil,
			secy.Holding{Key: first, Complete: true, Receiving: true, Transmitting: true}, secy.Holding{Key: another}},
		"half is made": {newcomer(another, 2)[:1],
			secy.Holding{Key: first, Complete: true, Receiving: true, Transmitting: true}, secy.Holding{Key: another}},
		"all is made": {newcomer(another, 2),
			secy.Holding{Key: first, Complete: true, Receiving: true, Transmitting: true}, secy.Holding{Key: another, Complete: true}},
		"receiving": {append(newcomer(another, 2), enableReceive(another)),
			secy.Holding{Key: first, Complete: true, Receiving: true, Transmitting: true},
			secy.Holding{Key: another, Complete: true, Receiving: true}},
		"transmitting": {append(newcomer(another, 2), enableReceive(another), enableTransmit(another)),
			secy.Holding{Key: first, Complete: true, Receiving: true},
			secy.Holding{Key: another, Complete: true, Receiving: true, Transmitting: true}},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				l.open().order(append([]secy.Op{configure(strict)}, install(first, 1)...)...)
				l.order(c.ops...)
				l.reopen()
				got := l.Adopt([]secy.Claim{claimOf(another, 2), claimOf(first, 1)})
				if !slices.Equal(got, []secy.Holding{c.fresh, c.old}) {
					t.Fatalf("held %+v, want %+v and %+v", got, c.fresh, c.old)
				}
				if !c.fresh.Complete { // may be agreed again
					l.order(newcomer(another, 2)...)
				}
				l.order(enableReceive(another), enableTransmit(another))
				if s := l.secY(); !s.Operational() || s.EncodingSA != 2 || !s.Receive[uint64(peer)].SAs[1].Active || !s.Receive[uint64(peer)].SAs[2].Active {
					t.Errorf("SecY %+v", s)
				}
			})
		})
	}
}

func TestWhatIsNotClaimedAsItIsIsLeftAsOpenLeavesIt(t *testing.T) {
	for name, change := range map[string]func(l *lab, c *secy.Claim){
		"another key":   func(_ *lab, c *secy.Claim) { c.Key = another },
		"another AN":    func(_ *lab, c *secy.Claim) { c.AN = 2 },
		"another suite": func(_ *lab, c *secy.Claim) { c.Suite = secy.GCMAES256 },
		"one peer more": func(_ *lab, c *secy.Claim) { c.Receive = append(c.Receive, secy.ClaimedReceiveSA{SCI: second}) },
		"spent":         func(l *lab, _ *secy.Claim) { l.secY().Transmit[1].PN = 0 },
		"does not send": func(l *lab, _ *secy.Claim) { l.secY().EncodingSA = 2 },
		"is not active": func(l *lab, _ *secy.Claim) { l.secY().Transmit[1].Active = false },
		"no receive SA": func(l *lab, _ *secy.Claim) { l.secY().Receive[uint64(peer)].SAs[1] = nil },
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				l.open().order(append([]secy.Op{configure(strict)}, install(first, 1)...)...)
				l.reopen()
				c := claimOf(first, 1)
				change(l, &c)
				l.addSC(uint64(second))
				if got := l.Adopt([]secy.Claim{c}); got != nil {
					t.Fatalf("held %+v", got)
				}
				if s := l.secY(); s.Transmit[1] == nil || s.Receive[uint64(second)] == nil {
					t.Errorf("swept: SecY %+v", s)
				}
			})
		})
	}
}

func TestOnlyTheSSCIOfAnXPNKeyCounts(t *testing.T) {
	for suite, held := range map[secy.CipherSuite]bool{secy.GCMAES128: true, secy.GCMAESXPN128: false} {
		inLab(t, func(l *lab) {
			l.open(with(suite)).order(append([]secy.Op{configureSuite(suite)}, install(first, 1)...)...)
			l.reopen(with(suite))
			c := claimOf(first, 1)
			c.Suite, c.SSCI, c.Receive[0].SSCI = suite, 1, 2
			if got := l.Adopt([]secy.Claim{c}); (got != nil) != held {
				t.Errorf("%s with other SSCIs: held %+v", suite, got)
			}
		})
	}
}

// A transmit SA that has sent and stopped, in whichever process, does not start again.
func TestTransmitSAThatWasTakenOverDoesNotStartAgain(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open().order(append([]secy.Op{configure(strict)}, install(first, 1)...)...)
		l.order(append(newcomer(another, 2), enableReceive(another), enableTransmit(another))...)
		s := l.secY()
		s.Transmit[1].PN = 2
		l.reopen()
		l.Adopt([]secy.Claim{claimOf(another, 2), claimOf(first, 1)})
		s.Transmit[1].Active, s.Transmit[2].Active = false, false
		l.refuse(enableTransmit(first), "packet numbers could repeat")
		l.refuse(enableTransmit(another), "packet numbers could repeat")
	})
}

// What was received with a key is remembered, though its transmit SA has gone.
func TestSweptReceiveSAGoesOnWhereItEnded(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open().order(append([]secy.Op{configure(strict)}, install(first, 1)...)...)
		l.order(newcomer(another, 2)[0], enableReceive(another))
		l.secY().Receive[uint64(peer)].SAs[2].PN = 99
		l.reopen()
		got := l.Adopt([]secy.Claim{claimOf(another, 2), claimOf(first, 1)})
		if len(got) != 2 || got[0].Complete || !got[0].Used {
			t.Fatalf("held %+v", got)
		}
		l.order(newcomer(another, 3)...)
		if sa := l.secY().Receive[uint64(peer)].SAs[3]; sa.PN != 99 {
			t.Errorf("receive SA %+v", sa)
		}
	})
}

package mka_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"mkad/eapol"
	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// Clause: 802.1X-2020 9.10.1
// Requirement: R83
func TestEveryMKPDUAfterInstallationReportsTheKey(t *testing.T) {
	w, _, p := serving(t)
	sent := len(p.Received)
	w.Run(time.Minute)
	for _, r := range p.Received[sent:] {
		if u, known := mkatest.UseOf(r.MKPDU, p.Key.KI); !known || u.AN != p.Key.AN || setLen(p, r.Frame, 3) != 40 {
			t.Fatalf("MN %d reports %+v in %d octets", r.Basic.MN, r.SAKUse, setLen(p, r.Frame, 3))
		}
	}
}

// Clause: 802.1X-2020 9.10.1
// Requirement: R84
func TestKeyInServiceStandsInTheLatestSlot(t *testing.T) {
	w, _, p := serving(t)
	w.Run(10 * time.Second)
	want := eapol.KeyUse{KI: p.Key.KI, AN: p.Key.AN, Tx: true, Rx: true, LPN: 1}
	if u := p.Last().SAKUse; u.Latest != want || u.Old != (eapol.KeyUse{}) {
		t.Errorf("latest %+v, old %+v; want %+v and none", u.Latest, u.Old, want)
	}
}

// Clause: 802.1X-2020 9.10.1, 12.4
// Requirement: R83
func TestRekeyReportsTheNextKeyAsLatestAndTheFormerAsOld(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	w.Run(5 * time.Second)
	p.Hush()
	former := p.Key
	p.Generate(secy.GCMAES128, secy.Offset0)
	p.Tell(m, notTransmitting)
	w.Run(mka.MinGap + w.Delay)
	u := p.Last().SAKUse
	if want := (eapol.KeyUse{KI: p.Key.KI, AN: p.Key.AN, Rx: true, LPN: 1}); u.Latest != want {
		t.Errorf("latest %+v, want %+v", u.Latest, want)
	}
	if want := (eapol.KeyUse{KI: former.KI, AN: former.AN, Rx: true, Tx: true, LPN: 1}); u.Old != want {
		t.Errorf("old %+v, want %+v", u.Old, want)
	}
}

// Clause: 802.1X-2020 9.10.1
// Requirement: R90
func TestSAKUseIsInEveryMKPDUFromTheFirstLivePeerOn(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(2), w.peer(1)
	p.Talk()
	w.Run(time.Minute)
	for _, r := range p.Received {
		if r.Live.Present && !r.SAKUse.Present {
			t.Errorf("MN %d has none", r.Basic.MN)
		}
	}
	if !m.KaY.Secured() {
		t.Error("not secured")
	}
}

// Clause: 802.1X-2020 9.10.1
// Requirement: R90
func TestLivePeerWithoutSAKUseStaysLive(t *testing.T) {
	w, m, p := serving(t)
	p.Use.Present = false
	w.Run(time.Minute)
	if !isLive(m, p.SCI) || m.Count(mka.EventPeerLost) != 0 || m.Count(mka.EventNewMI) != 2 {
		t.Errorf("live %t, lost %d times, %d MIs", isLive(m, p.SCI), m.Count(mka.EventPeerLost), m.Count(mka.EventNewMI))
	}
}

// Clause: 802.1X-2020 9.8, 9.10.1; a wpa_supplicant that has taken us for dead and finds us again has no key, and says nothing
// of keys, until there is another SAK.
// Requirement: R90
func TestPeerThatReportsItsKeysNoMoreIsGivenAnother(t *testing.T) {
	w, m, p := serving(t)
	first := p.Key.KI
	p.Use.Present = false
	w.Run(2*mka.HelloTime - mka.HelloTime/2)
	if p.Key.KI != first {
		t.Fatal("another SAK after two MKPDUs")
	}
	w.Run(2 * mka.HelloTime)
	if p.Key.KI == first {
		t.Fatal("no other SAK")
	}
	if !slices.ContainsFunc(m.Events, func(e mkatest.Event) bool {
		return e.Kind == mka.EventSAKGenerated && strings.Contains(e.Reason, "a member has lost the SAK")
	}) {
		t.Errorf("the reason is not told: %v", m.Events)
	}
	p.Use.Present = true
	w.Run(mka.LifeTime)
	if !m.KaY.Secured() || !isLive(m, p.SCI) || p.Last().SAKUse.Latest.KI != p.Key.KI || !p.Last().SAKUse.Latest.Tx {
		t.Errorf("the new one is not in use: %+v", p.Last().SAKUse)
	}
}

// Clause: 802.1X-2020 9.8; a peer that reports each key once and then no more is given others ever more rarely.
// Requirement: R90
func TestPeerThatReportsItsKeysOnceIsGivenOthersMoreAndMoreRarely(t *testing.T) {
	w, m, p := serving(t)
	reported := p.Key.KI
	p.Use.Present = false
	for range 1800 {
		p.Use.Present = p.Key.KI != reported
		reported = p.Key.KI
		w.Run(mka.HelloTime)
	}
	if n := m.Count(mka.EventSAKGenerated); n < 7 || n > 20 {
		t.Errorf("%d SAKs in an hour", n)
	}
}

// Clause: 802.1X-2020 9.10
// Requirement: R85
func TestLowestPNOf0ForAKeyInUseIsAccepted(t *testing.T) {
	w, m, p := alone(t)
	p.Tell(m)
	w.Run(time.Second)
	p.Tell(m, func(u *eapol.MKPDU) { u.SAKUse.Latest.LPN = 0 })
	sent := len(p.Received)
	w.Run(mka.HelloTime)
	if p.Received[sent:][0].DistributedSAK.Present {
		t.Error("the report did not count: the SAK is distributed still")
	}
}

// Clause: 802.1X-2020 9.10
// Requirement: R85
func TestOneKeyInBothSlotsCountsWithTheBitsOfBoth(t *testing.T) {
	for name, alter := range map[string]func(*eapol.SAKUse){
		"bits in Latest": func(s *eapol.SAKUse) { s.Old = eapol.KeyUse{KI: s.Latest.KI, AN: s.Latest.AN} },
		"bits in Old":    func(s *eapol.SAKUse) { s.Old = s.Latest; s.Latest.Rx, s.Latest.Tx = false, false },
	} {
		t.Run(name, func(t *testing.T) {
			w, m, p := alone(t)
			p.Tell(m)
			w.Run(time.Second)
			p.Tell(m, func(u *eapol.MKPDU) { alter(&u.SAKUse) })
			sent := len(p.Received)
			w.Run(mka.HelloTime)
			if p.Received[sent:][0].DistributedSAK.Present {
				t.Error("the report did not count: the SAK is distributed still")
			}
		})
	}
}

// Clause: 802.1X-2020 9.10
// Requirement: R85
func TestLowestPNIsTheNextPNOfAHelloAgo(t *testing.T) {
	w, m, p := serving(t, suites(secy.GCMAES128))
	before := secy.PN(1)
	w.Run(10 * time.Second) // hellos are regular
	hello := func() {
		sent := m.Frames
		w.until("a hello", 2*mka.HelloTime, func() bool { return m.Frames > sent })
		w.Run(w.Delay)
	}
	for _, pn := range []secy.PN{2, 1000, 0xbfffffff} {
		hello()
		w.Run(mka.HelloTime - mka.BoundedHelloTime/2)
		m.SamplePN(m.SecY.Tx, pn) // too short a time before the hello
		for _, want := range []secy.PN{before, pn} {
			hello()
			if u, _ := mkatest.UseOf(p.Last().MKPDU, p.Key.KI); u.LPN != uint32(want) {
				t.Errorf("next PN %d: sends %d, want %d", pn, u.LPN, want)
			}
		}
		before = pn
	}
}

// Clause: 802.1X-2020 9.10
// Requirement: R85
func TestLowestPNNeverDecreases(t *testing.T) {
	w, m, p := serving(t, suites(secy.GCMAES128))
	m.SamplePN(m.SecY.Tx, 1000)
	m.MustStep(mka.SecYReported{Report: secy.Report{Kind: secy.ReportPN, Key: m.SecY.Tx, PN: 10}})
	w.Run(2 * mka.HelloTime)
	if u, _ := mkatest.UseOf(p.Last().MKPDU, p.Key.KI); u.LPN != 1000 {
		t.Errorf("sends %d after 1000", u.LPN)
	}
}

// Clause: 802.1X-2020 9.10
// Requirement: R85
func TestEmptySlotsCarryLowestPN1WithDelayProtection(t *testing.T) {
	w, m, p := serving(t, delayProtect)
	addSecond(m, mka.Fallback)
	q := w.AddPeer(3, ckn2, cak2()) // of a participant that has no key
	q.Talk()
	w.Run(10 * time.Second)
	if u := q.Last().SAKUse; !u.Latest.KI.IsZero() || u.Latest.LPN != 1 || u.Old.LPN != 1 {
		t.Errorf("without a key: latest %+v, old %+v", u.Latest, u.Old)
	}
	if u := p.Last().SAKUse; !u.DelayProtect || u.Latest.LPN != 1 || u.Old.LPN != 1 || !u.Old.KI.IsZero() {
		t.Errorf("delay protect %t, latest %+v, old %+v", u.DelayProtect, u.Latest, u.Old)
	}
}

// raises are the lowest PNs that the SecY was told to accept from the peer.
func raises(r mkatest.Record, sci secy.SCI) (pns []secy.PN) {
	for _, op := range r.Ops {
		if op.Kind == secy.OpRaiseLowestPN && op.SCI == sci {
			pns = append(pns, op.PN)
		}
	}
	return pns
}

// Clause: 802.1X-2020 9.10, 11.11.3; once, in whichever slot it is told, and never lowers it
// Requirement: R86, R87
func TestDelayProtectionOfAPeerRaisesTheLowestPNOfItsReceiveSA(t *testing.T) {
	for name, c := range map[string]struct {
		suite secy.CipherSuite
		want  secy.PN
		old   bool // the peer names the key as its Old one
	}{
		"32 bits":                     {secy.GCMAES128, 777, false},
		"32 bits, in the Old slot":    {secy.GCMAES128, 777, true},
		"XPN":                         {secy.GCMAESXPN128, 5<<32 | 777, false},
		"XPN, in the Old slot":        {secy.GCMAESXPN128, 5<<32 | 777, true},
		"XPN, with a lower half of 0": {secy.GCMAESXPN128, 5 << 32, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, m, p := serving(t, suites(c.suite))
			p.Use.Latest, p.Use.Old = eapol.KeyUse{KI: p.Key.KI, AN: p.Key.AN, Tx: true, Rx: true, LPN: 1}, eapol.KeyUse{}
			mark := m.Mark()
			// It does not send, so its PN stays; and one that comes late or tells less takes nothing back.
			for _, below := range []secy.PN{0, 0, 1, 0} {
				p.Tell(m, func(u *eapol.MKPDU) {
					pn := c.want - below
					u.SAKUse.DelayProtect = true
					u.SAKUse.Latest.LPN, u.XPN.LatestHigh = uint32(pn), uint32(pn>>32)
					if c.old {
						u.SAKUse.Old, u.SAKUse.Latest = u.SAKUse.Latest, eapol.KeyUse{}
						u.XPN.OldHigh, u.XPN.LatestHigh = u.XPN.LatestHigh, 0
					}
				})
			}
			if got := raises(m.Since(mark), p.SCI); len(got) != 1 || got[0] != c.want {
				t.Errorf("raised to %v, want %d", got, c.want)
			}
		})
	}
}

// Clause: 802.1X-2020 9.10
// Requirement: R86
func TestWithoutDelayProtectionTheLowestPNIsNotEnforced(t *testing.T) {
	_, m, p := serving(t)
	mark := m.Mark()
	p.Tell(m, func(u *eapol.MKPDU) { u.SAKUse.Latest.LPN = 777 })
	if got := raises(m.Since(mark), p.SCI); len(got) != 0 {
		t.Errorf("raised to %v", got)
	}
}

// Clause: 802.1X-2020 9.10, 11.11.3
// Requirement: R86
func TestLowestPNOfAnXPNKeyWithoutItsUpperHalfIsNotEnforced(t *testing.T) {
	_, m, p := serving(t, suites(secy.GCMAESXPN128))
	mark := m.Mark()
	p.Tell(m, func(u *eapol.MKPDU) {
		u.SAKUse.DelayProtect, u.SAKUse.Latest.LPN, u.XPN = true, 777, eapol.XPN{}
	})
	if got := raises(m.Since(mark), p.SCI); len(got) != 0 {
		t.Errorf("raised to %v", got)
	}
}

// Clause: 802.1X-2020 11.11.3
// Requirement: R87
func TestXPNSetCarriesTheUpperHalfOfTheLowestPN(t *testing.T) {
	w, m, p := serving(t, suites(secy.GCMAESXPN256))
	m.SamplePN(m.SecY.Tx, 3<<32)
	w.Run(2 * mka.HelloTime)
	last := p.Last()
	if u := last.SAKUse.Latest; u.LPN != 0 || last.XPN.LatestHigh != 3 || !last.XPN.Present {
		t.Errorf("LPN %d with upper half %d in a set that is present: %t; want 0 with 3", u.LPN, last.XPN.LatestHigh,
			last.XPN.Present)
	}
}

// Clause: 802.1X-2020 9.10.1; what names a key is its KI: an AN comes again with each fourth
// Requirement: R82
func TestSAKUseIsThatOfTheKIWhateverItsAN(t *testing.T) {
	w, m, p := serving(t)
	w.Run(mka.LifeTime)
	before := m.SecY.Tx
	p.Hush()
	m.MustStep(mka.RekeyRequested{})
	w.Run(time.Second)
	p.Tell(m, func(u *eapol.MKPDU) { u.SAKUse.Latest.AN = (u.SAKUse.Latest.AN + 1) % 4 })
	if m.SecY.Tx == before || m.SecY.Tx != p.Key.KI.KeyID() {
		t.Errorf("transmits with %s, want %s", m.SecY.Tx, p.Key.KI)
	}
}

// Clause: 802.1X-2020 9.10.1
// Requirement: R88
func TestSAKUseOfAnUnknownKeyIsIgnored(t *testing.T) {
	w, m, p := serving(t)
	w.Run(5 * time.Second)
	mi, mark := m.MI(), m.Mark()
	for range 5 {
		p.Tell(m, func(u *eapol.MKPDU) {
			u.SAKUse.Old = eapol.KeyUse{KI: eapol.KI{MI: eapol.MI{1, 2, 3}, KN: 9}, Tx: true, Rx: true, LPN: 0xffffffff}
			u.SAKUse.DelayProtect = false
		})
	}
	if did := m.Since(mark); m.MI() != mi || len(did.Ops) != 0 || len(did.Events) != 0 || !isLive(m, p.SCI) {
		t.Errorf("MI changed %t, ops %v, events %v, live %t", m.MI() != mi, did.Ops, did.Events, isLive(m, p.SCI))
	}
}

// Clause: 802.1X-2020 9.10.1
// Requirement: R88
func TestSAKUseOfAnEarlierSessionDoesNotHinderLiveness(t *testing.T) {
	_, m, p := alone(t)
	mi := m.MI()
	p.Use.Latest = eapol.KeyUse{KI: eapol.KI{MI: eapol.MI{1, 2, 3}, KN: 9}, Tx: true, Rx: true, LPN: 1}
	p.Tell(m)
	if m.MI() != mi || !isLive(m, p.SCI) {
		t.Errorf("MI changed %t, live %t", m.MI() != mi, isLive(m, p.SCI))
	}
}

// Clause: 802.1X-2020 9.10.1, 12.4
// Requirement: R89
func TestPlainTxAndPlainRxFollowTheControlledPort(t *testing.T) {
	t.Run("secured", func(t *testing.T) {
		w, _, p := serving(t, shouldSecure)
		w.Run(5 * time.Second)
		if u := p.Last().SAKUse; u.PlainTx || u.PlainRx {
			t.Errorf("plain tx %t, rx %t", u.PlainTx, u.PlainRx)
		}
	})
	t.Run("in clear", func(t *testing.T) {
		w := newWorld(t)
		_, p := w.kay(2, shouldSecure), w.peer(1)
		p.Desired = false
		p.Talk()
		w.Run(5 * time.Second)
		if u := p.Last().SAKUse; !u.PlainTx || !u.PlainRx {
			t.Errorf("plain tx %t, rx %t", u.PlainTx, u.PlainRx)
		}
	})
}

// Clause: none; design: while two keys are received, the status document tells the receive SAs of the one that is new
// Requirement: R119
func TestStatusTellsTheReceiveSAsOfOneKeyOfTwo(t *testing.T) {
	w, m, _ := serving(t)
	m.MustStep(mka.RekeyRequested{})
	both := false
	for range 500 {
		w.Run(10 * time.Millisecond)
		s := m.Status()
		if len(s.Rx) != 1 {
			t.Fatalf("receive SAs %+v of one peer", s.Rx)
		}
		if len(s.Keys) == 2 && s.Keys[0].Rx && s.Keys[1].Rx {
			both = true
			if s.Rx[0].KI != s.Keys[0].KI {
				t.Fatalf("receive SAs %+v, want those of %s", s.Rx, s.Keys[0].KI)
			}
		}
	}
	if !both {
		t.Error("two keys were never received at a time")
	}
}

// Clause: none; design: the status document tells the receive SAs of the key in service
// Requirement: R119
func TestStatusTellsTheReceiveSAsOfTheKeyInService(t *testing.T) {
	_, m, p := serving(t)
	s := m.Status()
	if want := (mka.RxStatus{SCI: p.SCI, AN: p.Key.AN, KI: p.Key.KI}); len(s.Rx) != 1 || s.Rx[0] != want {
		t.Errorf("receive SAs %+v, want %+v", s.Rx, want)
	}
	if s.Tx.KI != p.Key.KI || !s.Tx.Tx {
		t.Errorf("transmit SA %+v", s.Tx)
	}
}

// Clause: 802.1X-2020 9.10.1; design: status tells who, by its own report, does not receive with the key in service
// Requirement: R119
func TestStatusTellsWhoDoesNotReceive(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	w.Run(mka.LifeTime)
	deaf := func() time.Duration {
		q, _ := peerOf(m, p.SCI)
		return q.Deaf
	}
	if d := deaf(); d != 0 {
		t.Fatalf("deaf for %v", d)
	}
	p.Hush()
	without := func(u *eapol.MKPDU) { u.SAKUse.Latest, u.SAKUse.Old = eapol.KeyUse{}, eapol.KeyUse{} }
	for range 3 {
		p.Tell(m, without)
		w.Run(mka.HelloTime)
	}
	if d := deaf(); d != 3*mka.HelloTime {
		t.Errorf("deaf for %v, want %v", d, 3*mka.HelloTime)
	}
	p.Tell(m)
	if d := deaf(); d != 0 {
		t.Errorf("it receives again, and is deaf for %v", d)
	}
	p.Tell(m, func(u *eapol.MKPDU) { u.SAKUse = eapol.SAKUse{} })
	if d := deaf(); d != 0 {
		t.Errorf("it says nothing of its keys, and is deaf for %v", d)
	}
}

// Clause: 802.1X-2020 9.8, 12.4: a SAK that is received is told once, and its SAs begin at PN 1
// Requirement: R76
func TestReceivedSAKIsToldOnceAndItsSAsBeginAtPN1(t *testing.T) {
	w, m, _ := following(t, secy.GCMAES128)
	if n := m.Count(mka.EventSAKReceived); n != 1 {
		t.Errorf("told %d times", n)
	}
	if tx := m.Status().Tx; tx.NextPN != 1 {
		t.Errorf("before a frame was sent, the key in use is %+v", tx)
	}
	if at := m.Kept().Keys[0].BornAt; at == 0 || at > w.Now {
		t.Errorf("it is told to be of %d, now is %d", at, w.Now)
	}
	for _, op := range m.SecY.Ops {
		if creates := op.Kind == secy.OpCreateReceiveSA || op.Kind == secy.OpCreateTransmitSA; creates && op.PN != 1 {
			t.Errorf("%s", op)
		}
	}
}

// Clause: 802.1X-2020 9.10.1, Figure 11-10: a body of length 0 says that MACsec is not used
// Requirement: R89
func TestSAKUseIsEmptyWhereMACsecIsNotUsed(t *testing.T) {
	noCapability := func(c *mka.Config) { shouldSecure(c); c.Capability = secy.CapabilityNone }
	serve := func(p *mkatest.Peer) { p.Priority, p.Offer = 0, eapol.DistributedSAK{Present: true, Empty: true} }
	for name, c := range map[string]struct {
		edit  func(*mka.Config)
		alter func(*mkatest.Peer)
		clear bool
	}{
		"the peer does not want it": {shouldSecure, func(p *mkatest.Peer) { p.Desired = false }, true},
		"the key server says so":    {shouldSecure, serve, true},
		"in vain":                   {func(*mka.Config) {}, serve, false},
		"we cannot":                 {noCapability, func(*mkatest.Peer) {}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, p := w.kay(2, c.edit), w.peer(1)
			c.alter(p)
			p.Talk()
			w.Run(5 * time.Second)
			last := p.Last()
			if u := last.SAKUse; setLen(p, last.Frame, kindSAKUse) != 0 || u.PlainTx != c.clear || u.PlainRx != c.clear {
				t.Errorf("reports %+v in %d octets, want none, plain %t", u, setLen(p, last.Frame, kindSAKUse), c.clear)
			}
		})
	}
	w, m, _ := serving(t)
	addSecond(m, mka.Fallback)
	q := w.AddPeer(3, ckn2, cak2())
	q.Desired = false // the other CA secures the port all the same
	q.Talk()
	w.Run(10 * time.Second)
	if n := setLen(q, q.Last().Frame, kindSAKUse); n != 40 {
		t.Errorf("beside a principal that secures the port: %d octets, want 40", n)
	}
}

// Clause: 802.1X-2020 9.10.1, 11.11.3: the XPN set goes with the key of an XPN suite, and with no other participant's
// Requirement: R87
func TestXPNSetGoesWithAnXPNKeyOnly(t *testing.T) {
	w, m, p := following(t, secy.GCMAESXPN128)
	addSecond(m, mka.Fallback)
	q := w.AddPeer(3, ckn2, cak2())
	q.Talk()
	w.Run(10 * time.Second)
	if x := p.Last().XPN; x.LatestHigh != 0 || x.OldHigh != 0 {
		t.Errorf("upper halves %d and %d, want 0 of the key, and of none", x.LatestHigh, x.OldHigh)
	}
	if !p.Last().XPN.Present || q.Last().XPN.Present || !q.Last().SAKUse.Present {
		t.Errorf("with the key: %t, without: %t", p.Last().XPN.Present, q.Last().XPN.Present)
	}
	p.Generate(secy.GCMAES256, secy.Offset0)
	p.Say()
	w.Run(10 * time.Second)
	if p.Last().XPN.Present || p.Last().SAKUse.Latest.KI != p.Key.KI {
		t.Errorf("with a key of 32-bit packet numbers: %t, of %s", p.Last().XPN.Present, p.Last().SAKUse.Latest.KI)
	}
}

// Clause: none; design: the status document shows all that a person asks for
// Requirement: R119
func TestStatusIsThatOfThePort(t *testing.T) {
	w, m, p := serving(t, suites(secy.GCMAES128), offset(secy.Offset30))
	w.Run(mka.LifeTime)
	m.SamplePN(m.SecY.Tx, 77)
	p.Priority, p.Version = 99, 2
	p.Say()
	w.Run(w.Delay)
	w.Run(30 * time.Millisecond)
	s := m.Status()
	key := mka.KeyStatus{KI: p.Key.KI, AN: p.Key.AN, NextPN: 77, Tx: true, Rx: true}
	if len(s.Keys) != 1 || s.Keys[0] != key || s.Tx != key || s.CP != "RETIRE" || !s.Secured || s.Plain || !s.KeyServer ||
		s.CipherSuite != secy.GCMAES128 || s.Offset != secy.Offset30 || s.PrincipalCKN != mkatest.CKN(ckn) || s.Rekeys != 1 ||
		s.Sent != uint64(m.Frames) || s.Received != uint64(p.MN) {
		t.Errorf("status %+v; %d frames sent, %d of the peer", s, m.Frames, p.MN)
	}
	want := mka.PeerStatus{SCI: p.SCI, MI: p.MI, MN: p.MN, Live: true, KeyServerPriority: 99, Version: 2,
		Capability: secy.CapabilityOffsets, LastSeen: 30 * time.Millisecond, Desired: true}
	one := s.Participants[0]
	if known := one.Peers[0].Known; known > mka.LifeTime && known < mka.LifeTime+mka.HelloTime { // since Follow began
		want.Known = known
	}
	if len(one.Peers) != 1 || !reflect.DeepEqual(one.Peers[0], want) {
		t.Errorf("peers %+v, want %+v", one.Peers, want)
	}
	if one.CKN != mkatest.CKN(ckn) || one.Role != mka.Primary || !one.Principal || one.Standby || one.KeyServer != m.SCI() ||
		one.MN != p.Last().Basic.MN || one.MI != p.Last().Basic.MI {
		t.Errorf("participant %+v", one)
	}
	m.MustStep(mka.LinkChanged{})
	if s := m.Status(); s.Secured || s.CipherSuite != 0 || s.Offset != 0 || s.KeyServer || len(s.Keys) != 0 || s.CP != "INIT" {
		t.Errorf("with the link down %+v", s)
	}
}

// Clause: 802.1AE-2018 10.7.11; a member of the SAK whom we have not heard has no receive SA, and none is told
// Requirement: R119
func TestStatusTellsNoReceiveSAOfAMemberThatWasNotHeard(t *testing.T) {
	w := newWorld(t)
	m, p, q := w.kay(3), w.peer(1), w.peer(2)
	w.Lose = func(from, to mkatest.Station, _ []byte) bool { return from == q && to == m }
	p.Priority = 0
	p.Talk()
	q.Talk()
	w.Run(time.Second)
	if !p.Serve(m, secy.GCMAES128) {
		t.Fatal("not secured")
	}
	if s := m.Status(); len(s.Rx) != 1 || s.Rx[0].SCI != p.SCI {
		t.Errorf("receive SAs %+v, want that of %s alone", s.Rx, p.SCI)
	}
}

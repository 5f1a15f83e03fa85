package mka_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"mkad/eapol"
	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// Clause: 802.1X-2020 9.4.3, 9.8: no direction stays dead
// Requirement: R75
func TestFollowersThatLostEachOtherAreConnectedAgain(t *testing.T) {
	w, members := group(t, 3)
	b, c := members[1], members[2]
	w.Lose = func(from, to mkatest.Station, _ []byte) bool { return from == b && to == c || from == c && to == b }
	w.Run(10 * time.Second)
	w.Lose = nil
	w.connected(members...)
}

// Clause: 802.1X-2020 9.10: a lowest PN is raised only where there is a receive SA
// Requirement: R86
func TestFollowersThatLostEachOtherOrderNothingForTheSAsThatAreGone(t *testing.T) {
	w, members := group(t, 3, delayProtect)
	b, c := members[1], members[2]
	w.Lose = func(from, to mkatest.Station, _ []byte) bool { return from == b && to == c || from == c && to == b }
	w.Run(10 * time.Second)
	w.Lose = nil
	w.Run(settleTime) // the SecY panics at a receive SA that is not there
}

// Clause: 802.1X-2020 9.4.3, 9.8
func TestGroupIsConnectedAfterTroubleWithoutARekey(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			w := troubleOf(t, seed)
			trouble(w, seed, 2*time.Minute)
			for _, m := range w.Members {
				m.SecY.Fail = nil
			}
			w.Run(mka.InstallRetryMax)
			w.connected(w.Members...)
		})
	}
}

// Clause: 802.1X-2020 12.4
// Requirement: R94
func TestReceiveSAThatTheSecYRefusesLeavesNoDirectionDead(t *testing.T) {
	for _, kind := range []secy.OpKind{secy.OpCreateReceiveSA, secy.OpCreateReceiveSC} {
		t.Run(kind.String(), func(t *testing.T) {
			w := newWorld(t)
			a, b := w.kay(1), w.kay(2)
			a.SecY.Fail = failing(kind, 1)
			w.connected(a, b)
		})
	}
}

// Clause: 802.1X-2020 12.4
// Requirement: R94
func TestSecYThatRefusesItsSettingsIsNotSaidToBeSecured(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	w.Run(5 * time.Second)
	m.SecY.Fail = func(op secy.Op) string {
		if op.Kind == secy.OpConfigure && op.Settings.Offset == secy.Offset30 {
			return "not supported"
		}
		return ""
	}
	p.Generate(secy.GCMAES128, secy.Offset30)
	p.Say()
	w.Run(5 * time.Second)
	if s := m.Status(); s.Secured && s.Offset != m.SecY.Settings.Offset {
		t.Errorf("said to be secured with %s, the SecY has %s", s.Offset, m.SecY.Settings.Offset)
	}
}

// Clause: 802.1X-2020 12.4
// Requirement: R94
func TestControlledPortThatTheSecYDidNotOpenIsOpenedLater(t *testing.T) {
	w := newWorld(t)
	a, b := w.kay(1), w.kay(2)
	a.SecY.Fail = failing(secy.OpControlledPort, 1)
	w.connected(a, b)
}

// Clause: 802.1X-2020 9.5
// Requirement: R56
func TestMembersThatAllHavePriority255AreToldOfOnce(t *testing.T) {
	w := newWorld(t)
	a, b := w.kay(1, priority(255)), w.kay(2, priority(255))
	w.Run(time.Minute)
	for _, m := range []*mkatest.Member{a, b} {
		if n := m.Count(mka.EventNoKeyServer); n != 1 {
			t.Errorf("%s told %d times that nobody may be key server, want once", m.Name, n)
		}
	}
}

// Clause: 802.1X-2020 9.6.1, 9.8
// Requirement: R71
func TestPeerThatWantsMACsecAgainIsSecuredAgain(t *testing.T) {
	w, m, p := serving(t)
	p.Desired = false
	p.Say()
	w.Run(10 * time.Second)
	p.Desired = true
	p.Say()
	w.Run(settleTime)
	if !m.KaY.Secured() {
		t.Errorf("not secured: CP %s", m.Status().CP)
	}
}

// Clause: 802.1X-2020 9.8; decision on suites: 3 s from when the SAK is offered
// Requirement: R66, R73
func TestLivePeerThatDropsItsKeyIsOfferedItAgainBeforeItsSuiteIsJudged(t *testing.T) {
	w, m, p := serving(t)
	w.Run(10 * time.Second)
	key := p.Key
	p.Hush()
	p.Tell(m, func(u *eapol.MKPDU) { u.SAKUse = eapol.SAKUse{Present: true} })
	w.Run(time.Second)
	if n := m.Count(mka.EventSuiteRefused); n != 0 || m.SecY.Tx != key.KI.KeyID() {
		t.Errorf("its suite was judged to be refused %d times within a second; transmits with %s, want %s", n, m.SecY.Tx, key.KI)
	}
}

// Clause: 802.1X-2020 9.4.6
// Requirement: R52
func TestChangeOfMIDoesNotBreakMinGap(t *testing.T) {
	w := newWorld(t)
	m, listener, p := w.kay(1), w.peer(2), w.peer(3)
	w.Run(10 * time.Second)
	p.Tell(m, listingNobody) // answered at once
	w.Run(time.Millisecond)
	p.Tell(m, func(u *eapol.MKPDU) { u.Basic.MI = m.MI() })
	w.Run(time.Second)
	if gap := slices.Min(gaps(listener)); gap < mka.MinGap {
		t.Errorf("two MKPDUs at a distance of %v, want %v at least", gap, mka.MinGap)
	}
}

// Clause: 802.1X-2020 12.4, 9.3.2: a key that CP has not begun with ends with its CA
// Requirement: R103
func TestKeyOfARemovedParticipantIsNotInstalledLater(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	w.Run(5 * time.Second)
	rekey(w, m, p)
	p.Generate(secy.GCMAES128, secy.Offset0) // within SAK Retire Time of the last: it has to wait
	p.Tell(m)
	stale := p.Key.KI.KeyID()
	p.Hush()
	m.MustStep(mka.ParticipantRemoved{CKN: mkatest.CKN(ckn)})
	addSecond(m, mka.Primary)
	q := w.AddPeer(3, ckn2, cak2())
	q.Priority = 0
	q.Talk()
	w.Run(10 * time.Second) // it is key server and distributes nothing
	if m.SecY.Tx == stale || m.KaY.Secured() {
		t.Errorf("transmits with %s of a CA that is gone, secured %t", m.SecY.Tx, m.KaY.Secured())
	}
}

// Clause: 802.1X-2020 9.10.1, 12.4: a port that must be secure neither sends nor takes frames in clear
// Requirement: R89
func TestMustSecureNeverReportsPlainTrafficBeforeItIsSecured(t *testing.T) {
	w := newWorld(t)
	_, p := w.kay(2), w.peer(1)
	p.Desired = false // nothing is secured
	p.Talk()
	w.Run(5 * time.Second)
	if u := p.Last().SAKUse; u.PlainTx || u.PlainRx {
		t.Errorf("plain tx %t, rx %t", u.PlainTx, u.PlainRx)
	}
}

// Clause: 802.1X-2020 9.8: only members that secure count for the suite
// Requirement: R73
func TestPeerThatDoesNotSecureIsNotJudged(t *testing.T) {
	w := newWorld(t)
	m, p, q := w.kay(4), w.peer(1), w.peer(2)
	q.Desired = false
	q.Takes = only()
	p.Takes = only(secy.GCMAES256)
	q.Talk()
	p.Talk()
	w.Run(15 * time.Second)
	for _, e := range m.Events {
		if e.Kind == mka.EventSuiteRefused && e.Peer == q.SCI {
			t.Fatalf("%s is told to refuse %s, which it does not need", e.Peer, e.Suite)
		}
	}
}

// Clause: 802.1X-2020 9.8: an authentic Live list may be wrong, orders of the KaY may not
// Requirement: R36
func TestTwoMembersOfOneSCIAreNotInstalledTwice(t *testing.T) {
	w := newWorld(t)
	m, p, q := w.kay(2), w.peer(1), w.peer(3)
	p.Priority = 0
	q.Tell(m)
	former := q.MI
	q.Rejoin()
	q.Tell(m, listingNobody) // two potential peers with one SCI now
	p.Tell(m, listing(m.MI(), mnOf(m)))
	p.Others = nil
	w.Run(mka.HelloTime)
	p.Generate(secy.GCMAES128, secy.Offset0)
	p.Tell(m, func(u *eapol.MKPDU) {
		u.Live.Present = true
		u.Live.Peers = append(u.Live.Peers, eapol.ListedPeer{MI: former, MN: 1}, eapol.ListedPeer{MI: q.MI, MN: 1})
	})
	w.Run(time.Second)
	if m.SecY.Tx != p.Key.KI.KeyID() {
		t.Errorf("transmits with %s", m.SecY.Tx)
	}
}

// Clause: 802.1X-2020 11.11: a recorded MKPDU of version 1 is heard as well as a peer
// Requirement: R114
func TestDeafPeerOfVersion1LowersNothingForLivePeers(t *testing.T) {
	w, m, p := serving(t, suites(secy.GCMAESXPN128))
	deaf := w.peer(3)
	deaf.Version = 1
	m.SamplePN(m.SecY.Tx, 5<<32) // the checker wants no lowest PN of 0
	for range 6 {
		deaf.Tell(m, listingNobody)
		w.Run(mka.HelloTime)
	}
	if last := p.Last(); last.Basic.MKAVersion != 3 || last.XPN.LatestHigh != 5 {
		t.Errorf("version %d, upper half %d; want 3 and 5", last.Basic.MKAVersion, last.XPN.LatestHigh)
	}
}

// Clause: 802.1X-2020 9.8; decision on suites: an announced suite is known
// Requirement: R73
func TestLossOfMKPDUsDoesNotLowerAnAnnouncedSuite(t *testing.T) {
	w := newWorld(t)
	a, b := w.kay(1), w.kay(2)
	w.Run(10 * time.Second)
	for range 4 {
		a.MustStep(mka.RekeyRequested{})
		w.Lose = func(from, _ mkatest.Station, _ []byte) bool { return from == b }
		w.Run(3500 * time.Millisecond)
		w.Lose = nil
		w.Run(20 * time.Second)
	}
	w.connected(a, b)
	if got := a.Status().CipherSuite; got != secy.GCMAESXPN256 || a.Count(mka.EventSuiteRefused) != 0 {
		t.Errorf("ends with %s after %d refusals", got, a.Count(mka.EventSuiteRefused))
	}
}

// Clause: 802.1X-2020 9.8: one new SAK, not a stream of them, whatever a member reports
// Requirement: R69
func TestMemberThatReportsExhaustionForEveryKeyGetsOneALifeTime(t *testing.T) {
	w, m, p := serving(t, suites(secy.GCMAES128))
	w.Run(10 * time.Second)
	before := m.Count(mka.EventSAKGenerated)
	for range 300 {
		p.Tell(m, func(u *eapol.MKPDU) { u.SAKUse.Latest.LPN = 0xffffffff })
		w.Run(100 * time.Millisecond)
	}
	if n := m.Count(mka.EventSAKGenerated) - before; n < 1 || n > 6 {
		t.Errorf("%d SAKs in 30 s, want one each Life Time at most", n)
	}
}

// Clause: 802.1X-2020 9.10: a lowest PN is raised only where there is a receive SA
// Requirement: R86
func TestLowestPNOfAKeyThatWeDoNotReceiveItsSenderWithIsNotEnforced(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	addSecond(m, mka.Primary)
	q := w.AddPeer(3, ckn2, cak2())
	p.Priority, q.Priority = 1, 0
	p.Say()
	q.Talk()
	w.until("the second CA is principal", time.Second, func() bool { return principal(m) == ckn2 })
	mark := m.Mark()
	q.Use = p.Use
	q.Use.DelayProtect, q.Use.Latest.LPN = true, 7
	q.Say()
	w.Run(time.Second) // the SecY panics at a receive SA that is not there
	if n := m.Since(mark).Count(secy.OpRaiseLowestPN); n != 0 {
		t.Errorf("%d orders to raise what is not there", n)
	}
}

// Clause: 802.1X-2020 12.4 (controlledPortEnabled): closed while the SAs change
// Requirement: R94
func TestControlledPortThatTheSecYDidNotCloseIsClosedBeforeTheNextSAK(t *testing.T) {
	w, m, p := serving(t, shouldSecure)
	m.SecY.Fail = failing(secy.OpControlledPort, 1)
	p.Hush()
	w.until("in clear", 2*mka.LifeTime, m.KaY.InClear) // it was to be closed, and then opened, at once
	mark := m.Mark()
	p.Rejoin()
	if !p.Follow(m) {
		t.Fatalf("not secured again: %+v", m.Status())
	}
	var told []bool
	for _, op := range m.Since(mark).Ops {
		if op.Kind == secy.OpControlledPort {
			told = append(told, op.Enabled)
		}
	}
	if !slices.Equal(told, []bool{false, true}) {
		t.Errorf("ordered the Controlled Port to be %v, want closed and then open", told)
	}
}

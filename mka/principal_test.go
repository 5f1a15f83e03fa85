package mka_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"mkad/eapol"
	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// stays lets d pass, in which the members have to be one secured group at every moment.
func (w *world) stays(d time.Duration, members ...*mkatest.Member) {
	w.t.Helper()
	w.RunUntil(d, func() bool {
		apart := mkatest.Apart(members)
		if apart != "" {
			w.t.Errorf("at %d ms: %s", int64(w.Now)/1e6, apart)
		}
		return apart != ""
	})
}

// wantPrincipal wants the CKN to be everybody's principal.
func wantPrincipal(t *testing.T, want string, members ...*mkatest.Member) {
	t.Helper()
	for _, m := range members {
		if got := principal(m); got != want {
			t.Errorf("%s has principal %q, want %q", m.Name, got, want)
		}
	}
}

// second is the key of the second CA, of higher rank than the first.
func second(standby bool) mka.ParticipantAdded {
	return mka.ParticipantAdded{CKN: mkatest.CKN(ckn2), CAK: cak2(), Rank: 1, Standby: standby}
}

// begins takes the second key from standby, ends the first to it.
func begins() mka.ParticipantChanged { return mka.ParticipantChanged{CKN: mkatest.CKN(ckn2), Rank: 1} }
func ends() mka.ParticipantChanged {
	return mka.ParticipantChanged{CKN: mkatest.CKN(ckn), Standby: true}
}

// Clause: 802.1X-2020 9.3.2: members have Life Time to become live in the successor before its SAK is distributed
// Requirement: R101
func TestSuccessorOfAKeyWaitsLifeTimeAndLosesNothing(t *testing.T) {
	w, members := group(t, 3)
	for _, m := range members[:2] {
		m.MustStep(second(false))
	}
	w.stays(mka.LifeTime-time.Second, members...)
	members[2].MustStep(second(false)) // so late that it would have been cut off
	w.stays(mka.LifeTime-100*time.Millisecond, members...)
	wantPrincipal(t, ckn, members...)
	w.until("the successor is principal", time.Second, func() bool { return principal(members[0]) == ckn2 })
	kept := members[0].KaY.State().Participants
	if settled := max(kept[0].SettledAt, kept[1].SettledAt); w.Now != settled.Add(mka.LifeTime) {
		t.Errorf("it is %v after its members were live, want %v", w.Now.Sub(settled), mka.LifeTime)
	}
	w.stays(time.Second, members...)
	wantPrincipal(t, ckn2, members...)
	w.stays(10*time.Second, members...)
	w.check.Connected(members...)
}

// Clause: 802.1X-2020 9.3.2: a key server goes to the next key with one SAK right after another; frames overtake each other
// Requirement: R101
func TestFollowerDoesNotGoBackForASAKThatWasOvertaken(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	next := w.AddPeer(1, ckn2, cak2())
	m.MustStep(second(false))
	next.Priority = 0
	next.Talk()
	w.Run(mka.LifeTime)
	wantPrincipal(t, ckn, m)

	p.Hush()
	p.Generate(secy.GCMAES128, secy.Offset0)
	late := p.Next()
	next.Generate(secy.GCMAES128, secy.Offset0)
	next.Key.AN = 2
	next.Tell(m)
	at := w.Now
	w.Run(100 * time.Millisecond)
	wantPrincipal(t, ckn2, m)
	p.Send(late)
	w.Run(100 * time.Millisecond)
	wantPrincipal(t, ckn2, m)
	if m.SecY.Tx != next.Key.KI.KeyID() {
		t.Errorf("it transmits with %s, not with the SAK of the key server's next key", m.SecY.Tx)
	}
	w.Run(at.Add(500*time.Millisecond - 1).Sub(w.Now))
	p.Tell(m)
	wantPrincipal(t, ckn2, m)
	w.Run(1)
	p.Tell(m) // what comes then has not been overtaken
	wantPrincipal(t, ckn, m)
}

// Clause: 802.1X-2020 9.3.2; of two CAs of one key server that one counts in which it goes on distributing its SAK
// Requirement: R100, R101
func TestFollowerGoesBackForTheSAKInServiceThatItsKeyServerStillDistributes(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	next, better := w.AddPeer(1, ckn2, cak2()), w.AddPeer(0, ckn2, cak2()) // the first is the same station as p
	m.MustStep(second(false))
	next.Priority, better.Priority = 1, 0
	next.Talk()
	better.Talk()
	w.Run(mka.HelloTime)
	wantPrincipal(t, ckn2, m) // it has a better key server, which makes no SAK
	better.Hush()
	w.until("that is lost", 2*mka.LifeTime, func() bool { return m.Count(mka.EventPeerLost) == 1 })
	wantPrincipal(t, ckn2, m)
	if !p.Offer.Present {
		t.Fatal("the SAK is not distributed any more")
	}
	p.Tell(m)
	wantPrincipal(t, ckn, m)
	if m.SecY.Tx != p.Key.KI.KeyID() {
		t.Errorf("it transmits with %s", m.SecY.Tx)
	}
}

// Clause: 802.1X-2020 9.8; what was distributed before another participant was principal, or none, has gone from our SecY
// Requirement: R66, R100
func TestParticipantThatIsPrincipalAgainDoesNotDistributeItsFormerSAK(t *testing.T) {
	w := newWorld(t)
	m, p, q := w.kay(1), w.peer(2), w.peer(3)
	p.Takes = func(secy.CipherSuite) bool { return false } // so that its SAK is still distributed
	p.Talk()
	w.until("a SAK is distributed", mka.HelloTime, func() bool { return p.Last().MKPDU != nil && p.Last().DistributedSAK.Present })
	q.Say(listingNobody) // who is not live puts the next SAK off
	w.Run(w.Delay)
	m.MustStep(ends())
	w.Run(100 * time.Millisecond)
	m.MustStep(mka.ParticipantChanged{CKN: mkatest.CKN(ckn)})
	mark := len(p.Received)
	w.until("another SAK is distributed", 2*mka.LifeTime, func() bool { return m.Count(mka.EventSAKGenerated) > 1 && p.Last().DistributedSAK.Present })
	for _, r := range p.Received[mark:] {
		if r.DistributedSAK.Present && r.DistributedSAK.KN < 2 {
			t.Fatalf("the SAK of KN %d is distributed %v later", r.DistributedSAK.KN, r.At.Sub(p.Received[mark].At))
		}
	}
}

// Clause: none; design: a fallback waits at the start for a primary, and for nothing else
// Requirement: R102
func TestFallbackServesAtOnceWhereNoPrimaryMayYetFindPeers(t *testing.T) {
	for name, c := range map[string]struct {
		keys  []mka.ParticipantAdded
		waits bool
	}{
		"no primary":           {nil, false},
		"a primary on standby": {[]mka.ParticipantAdded{{CKN: mkatest.CKN(ckn), CAK: cak(), Standby: true}}, false},
		"a primary":            {[]mka.ParticipantAdded{{CKN: mkatest.CKN(ckn), CAK: cak()}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			m, q := w.Add("kay 1", mkatest.Config(1)), w.AddPeer(2, ckn2, cak2())
			for _, in := range c.keys {
				m.MustStep(in)
			}
			addSecond(m, mka.Fallback)
			m.MustStep(mka.LinkChanged{Up: true})
			q.Talk()
			live := func() bool { return m.Count(mka.EventPeerLive) > 0 }
			w.until("its peer is live", mka.HelloTime, live)
			at := w.Now
			w.until("the fallback is principal", mka.HelloTime, func() bool { return principal(m) == ckn2 })
			if waited := w.Now.Sub(at); (waited > 0) != c.waits || waited > mka.BoundedHelloTime {
				t.Errorf("it has waited %v", waited)
			}
		})
	}
}

// Clause: 802.1X-2020 9.3.2, 9.14: the key that begins takes over at its time, as an ordinary re-key
// Requirement: R101
func TestKeyThatBeginsTakesOverAtOnceWhenItsMembersAreLive(t *testing.T) {
	w, members := group(t, 3)
	for _, m := range members {
		m.MustStep(second(true))
	}
	w.stays(time.Minute, members...)
	wantPrincipal(t, ckn, members...)
	for _, m := range members {
		m.MustStep(begins())
		m.MustStep(ends())
	}
	w.stays(100*time.Millisecond, members...)
	wantPrincipal(t, ckn2, members...)
	w.stays(10*time.Second, members...)
	for _, m := range members {
		m.MustStep(mka.ParticipantRemoved{CKN: mkatest.CKN(ckn)})
	}
	w.stays(20*time.Second, members...)
	w.check.Connected(members...)
	for _, m := range members {
		if n := m.Count(mka.EventUnsecured); n != 0 {
			t.Errorf("%s was unsecured %d times", m.Name, n)
		}
	}
}

// Clause: none; design: members whose clocks differ do not cut each other off. In whatever order the three learn that one
// key begins and the other ends, the key server's time counts.
// Requirement: R101
func TestMembersWhoseClocksDifferMoveToTheNextKeyTogether(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			w, members := group(t, 3)
			for _, m := range members {
				m.MustStep(second(true))
			}
			w.stays(time.Minute, members...)
			moved := false
			for _, i := range order {
				members[i].MustStep(begins())
				members[i].MustStep(ends())
				w.stays(20*time.Second, members...)
				moved = moved || i == 0 // the key server
				want := ckn
				if moved {
					want = ckn2
				}
				wantPrincipal(t, want, members...)
			}
			w.check.Connected(members...)
		})
	}
}

// Clause: none; design: a port has no key that is valid. What others distribute does not make one.
// Requirement: R100, R104
func TestPortWithoutAReadyParticipantIsClosed(t *testing.T) {
	for who, name := range []string{"key server", "follower"} {
		t.Run(name, func(t *testing.T) {
			w, members := group(t, 2)
			m := members[who]
			m.MustStep(ends())
			w.Run(w.Delay)
			if principal(m) != "" || m.SecY.Enabled || len(m.SecY.SAs) != 0 {
				t.Fatalf("principal %q, open %t, %d SAs", principal(m), m.SecY.Enabled, len(m.SecY.SAs))
			}
			if who != 0 {
				members[0].MustStep(mka.RekeyRequested{})
			}
			w.Run(20 * time.Second)
			if principal(m) != "" || m.SecY.Enabled || m.Count(mka.EventUnsecured) != 1 || m.Count(mka.EventPrincipal) != 2 {
				t.Errorf("principal %q, chosen %d times, open %t", principal(m), m.Count(mka.EventPrincipal), m.SecY.Enabled)
			}
		})
	}
}

// Clause: none; design: as soon as a key is ready again, it serves.
// Requirement: R101
func TestParticipantThatComesBackFromStandbyServes(t *testing.T) {
	w, members := group(t, 2)
	for _, ready := range []bool{false, true} {
		for _, m := range members {
			m.MustStep(mka.ParticipantChanged{CKN: mkatest.CKN(ckn), Standby: !ready})
		}
		w.Run(10 * time.Second)
	}
	w.check.Connected(members...)
}

// pairWithFallback is two members, or more, with a primary and a fallback key. The key server is the first.
func pairWithFallback(t *testing.T, n int) (*world, []*mkatest.Member) {
	t.Helper()
	w := newWorld(t)
	w.Lose = func(_, _ mkatest.Station, frame []byte) bool { // the first MKPDUs of the primary
		return w.Now < mka.Time(50*time.Millisecond) && bytes.Contains(frame, []byte(ckn))
	}
	for i := range n {
		m := w.Add(fmt.Sprint("kay ", i+1), mkatest.Config(i+1))
		m.MustStep(mka.ParticipantAdded{CKN: mkatest.CKN(ckn), CAK: cak()})
		addSecond(m, mka.Fallback)
		m.MustStep(mka.LinkChanged{Up: true})
	}
	w.connected(w.Members...)
	wantPrincipal(t, ckn, w.Members...)
	return w, w.Members
}

// Clause: none; design: a fallback key is used only while no primary works; at the start it does not come first.
// Requirement: R102
func TestFallbackIsNotUsedAtTheStartWhenAPrimaryWorks(t *testing.T) {
	_, members := pairWithFallback(t, 3)
	for _, m := range members {
		for _, e := range m.Events {
			if e.Kind == mka.EventPrincipal && e.CKN != mkatest.CKN(ckn) {
				t.Errorf("%s: at %d ms the principal is %s: %s", m.Name, int64(e.At)/1e6, e.CKN, e.Reason)
			}
		}
	}
}

// Clause: none; design: a fallback takes over when the primary has no live peer, and hands back, without a frame lost,
// whichever side has broken the primary.
// Requirement: R102
func TestFallbackTakesOverAndHandsBackWithoutAGap(t *testing.T) {
	for name, broken := range map[string][]int{"key server": {0}, "follower": {1}, "both, one after the other": {1, 0}} {
		t.Run(name, func(t *testing.T) {
			w, members := pairWithFallback(t, 2)
			for _, i := range broken {
				members[i].MustStep(mka.ParticipantRemoved{CKN: mkatest.CKN(ckn)})
				members[i].MustStep(mka.ParticipantAdded{CKN: mkatest.CKN(ckn), CAK: mkatest.CAK(byte(7+i), 16)})
				w.stays(3*time.Second, members...)
			}
			w.stays(20*time.Second, members...)
			wantPrincipal(t, ckn2, members...)
			for _, i := range broken {
				members[i].MustStep(mka.ParticipantRemoved{CKN: mkatest.CKN(ckn)})
				members[i].MustStep(mka.ParticipantAdded{CKN: mkatest.CKN(ckn), CAK: cak()})
				w.stays(3*time.Second, members...)
			}
			w.stays(20*time.Second, members...)
			wantPrincipal(t, ckn, members...)
			w.check.Connected(members...)
			toldWhy(t, members...)
		})
	}
}

// toldWhy wants the members to have told of both moves, with a reason.
func toldWhy(t *testing.T, members ...*mkatest.Member) {
	t.Helper()
	for _, m := range members {
		var told []string
		for _, e := range m.Events {
			if e.Kind == mka.EventPrincipal {
				told = append(told, string(e.CKN.AppendTo(nil)))
				if len(told) > 1 && e.Reason == "" {
					t.Errorf("%s: %s became principal for no reason", m.Name, e.CKN)
				}
			}
		}
		if want := []string{ckn, ckn2, ckn}; !slices.Equal(told, want) {
			t.Errorf("%s told of the principals %q, want %q", m.Name, told, want)
		}
		if n := m.Count(mka.EventUnsecured); n != 0 {
			t.Errorf("%s was unsecured %d times", m.Name, n)
		}
	}
}

// Clause: none; design: while the primary has a live peer, the fallback is not used, also by a member that has only it.
// Requirement: R102
func TestMemberThatHasOnlyTheFallbackDoesNotTakeTheOthersFromThePrimary(t *testing.T) {
	w, members := pairWithFallback(t, 3)
	members[2].MustStep(mka.ParticipantRemoved{CKN: mkatest.CKN(ckn)})
	w.stays(20*time.Second, members[:2]...)
	wantPrincipal(t, ckn, members[:2]...)
}

// Clause: none; design: who has the fallback key alone, and takes the key server's SCI, does not take over a link whose
// primary key is in use.
// Requirement: R102
func TestHolderOfTheFallbackAloneCannotTakeTheFollowerFromThePrimary(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	addSecond(m, mka.Fallback)
	w.Run(5 * time.Second)
	liar := w.AddPeer(1, ckn2, cak2()) // the SCI of p
	if liar.Serve(m, secy.GCMAES128) || principal(m) != ckn {
		t.Fatalf("principal %q", principal(m))
	}
	w.Run(20 * time.Second)
	w.connectedTo(m, p)
	wantPrincipal(t, ckn, m)
}

// Clause: 802.1X-2020 9.10.1: a key server that says of no key in the primary's CA that it uses it has left that CA
// Requirement: R102
func TestFollowerGoesToTheFallbackWithItsKeyServer(t *testing.T) {
	w, members := pairWithFallback(t, 2)
	members[0].MustStep(mka.ParticipantChanged{CKN: mkatest.CKN(ckn), Standby: true}) // it goes on speaking
	w.stays(100*time.Millisecond, members...)                                         // it says so at once
	wantPrincipal(t, ckn2, members...)
	w.stays(20*time.Second, members...)
}

// Clause: 802.1X-2020 12.4: chgdServer is raised when a SAK of another key server comes, not when one is elected
// Requirement: R93
func TestOldSAKServesUntilTheOtherKeyServersComes(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(3), w.peer(1) // p is key server of the first CA
	addSecond(m, mka.Fallback)
	q := w.AddPeer(2, ckn2, cak2())
	q.Priority = 0 // and q of the second
	if !p.Serve(m, mkatest.Config(1).CipherSuites[0]) {
		t.Fatal("not secured")
	}
	q.KeyServer, q.Use.Present = true, true
	q.Talk()
	w.Run(time.Second)
	p.Hush()
	was := m.SecY.Tx
	w.until("the fallback is principal", 2*mka.LifeTime, func() bool { return principal(m) == ckn2 })
	if m.SecY.Tx != was || !m.SecY.Enabled {
		t.Error("the SAK of the first CA was given up before there was another")
	}
}

// Clause: none; design: what is asked of a participant that is not there is an error
// Requirement: R122
func TestChangeOfAParticipantThatIsNotThereIsAnError(t *testing.T) {
	m := newWorld(t).kay(1)
	if err := m.Step(begins()); err != mka.ErrNoParticipant {
		t.Errorf("got %v, want %v", err, mka.ErrNoParticipant)
	}
}

// whys are the reasons for which each principal was told to be it.
func whys(m *mkatest.Member) (all []string) {
	for _, e := range m.Events {
		if e.Kind == mka.EventPrincipal {
			all = append(all, e.Reason)
		}
	}
	return all
}

// Clause: none; design: a fallback key is never used silently: each change of the key is told with its reason
// Requirement: R102, R120
func TestEachChangeOfThePrincipalIsToldWithItsReason(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(1), w.peer(2)
	addSecond(m, mka.Fallback)
	q := w.AddPeer(3, ckn2, cak2())
	p.Talk()
	q.Talk()
	w.Run(5 * time.Second)
	p.Hush()
	w.Run(2 * mka.LifeTime)
	p.Talk()
	w.Run(2 * mka.LifeTime)
	q.Hush()
	w.Run(3 * time.Second)
	p.Hush()
	w.Run(2 * mka.LifeTime)
	want := []string{"", "no primary key has a live peer", "a primary key has live peers", "no valid key has a live peer"}
	if got := whys(m); !slices.Equal(got, want) {
		t.Errorf("a fallback: told %q, want %q", got, want)
	}
	w = newWorld(t)
	m, p = w.kay(1), w.peer(2)
	m.MustStep(mka.ParticipantAdded{CKN: mkatest.CKN(ckn2), CAK: cak2(), Rank: 1})
	q = w.AddPeer(3, ckn2, cak2())
	p.Talk()
	w.Run(5 * time.Second)
	q.Talk()
	w.Run(2 * mka.LifeTime)
	m.MustStep(mka.ParticipantChanged{CKN: mkatest.CKN(ckn2), Rank: 1, Standby: true})
	w.Run(2 * mka.LifeTime)
	m.MustStep(mka.ParticipantChanged{CKN: mkatest.CKN(ckn2), Rank: 1})
	w.Run(2 * mka.LifeTime)
	q.Hush()
	w.Run(2 * mka.LifeTime)
	want = []string{"", "it is preferred to the key before", "the key before is not valid any more",
		"it is preferred to the key before", "the key before has no live peer any more"}
	if got := whys(m); !slices.Equal(got, want) {
		t.Errorf("another primary: told %q, want %q", got, want)
	}
}

// Clause: none; a KaY that has nothing to do has no Deadline
func TestKaYWithoutALinkHasNoDeadline(t *testing.T) {
	cfg := mkatest.Config(1)
	cfg.Rand = zeros{}
	k, err := mka.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if at, ok := k.Deadline(); ok {
		t.Errorf("it has one at %d", at)
	}
}

// Clause: 802.1X-2020 9.10; delay protection is in use if anybody asks for it
// Requirement: R51
func TestDelayProtectionIsInUseIfAnybodyAsksForIt(t *testing.T) {
	_, m, p := serving(t)
	if m.KaY.DelayProtected() {
		t.Error("nobody has asked for it")
	}
	p.Tell(m, func(f *eapol.MKPDU) { f.SAKUse.DelayProtect = true })
	if !m.KaY.DelayProtected() {
		t.Error("a peer has asked for it")
	}
	_, m, _ = serving(t, delayProtect)
	if !m.KaY.DelayProtected() {
		t.Error("we have asked for it")
	}
}

// Clause: 802.1X-2020 9.3.1, 9.14; design: a key that has ended here, and not at the key server, is not taken up again and again
// where its successor has no peer
// Requirement: R101
func TestKeyThatHasEndedIsNotFollowedWhereItsSuccessorHasNoPeer(t *testing.T) {
	w, members := group(t, 2)
	a, b := serverFirst(members)
	w.Run(mka.LifeTime)
	addSecond(b, mka.Primary)
	w.Run(mka.LifeTime)
	b.MustStep(mka.ParticipantChanged{CKN: mkatest.CKN(ckn), Standby: true})
	if b.KaY.Secured() {
		t.Error("the SAK of a key that has ended stays")
	}
	mark, rekeys := b.Mark(), b.Status().Rekeys
	w.Run(time.Minute)
	if did := b.Since(mark); len(did.Ops) != 0 || b.Status().Rekeys != rekeys || len(did.Events) > 2 {
		t.Errorf("%d SAKs are taken; %d orders, %d events", b.Status().Rekeys-rekeys, len(did.Ops), len(did.Events))
	}
	addSecond(a, mka.Primary)
	w.Run(3 * mka.LifeTime)
	w.connected(a, b) // by the key that is valid for the key server: it decides
}

package mka_test

import (
	"testing"
	"time"

	"mkad/eapol"
	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// suspends asks for so many seconds.
func suspends(seconds uint8) func(*eapol.MKPDU) {
	return func(m *eapol.MKPDU) { m.XPN = eapol.XPN{Present: true, SuspensionTime: seconds} }
}

// suspended is how long the KaY's first participant is suspended yet.
func suspended(m *mkatest.Member) time.Duration { return m.Status().Participants[0].Suspended }

// suspendedBy is a KaY that follows a key server, which suspends MKA and is silent then.
func suspendedBy(t *testing.T, seconds uint8) (*world, *mkatest.Member, *mkatest.Peer) {
	w, m, p := following(t, secy.GCMAESXPN128)
	w.Run(mka.LifeTime)
	p.Say(suspends(seconds))
	p.Hush()
	w.until("suspended", time.Second, func() bool { return suspended(m) > 0 })
	return w, m, p
}

// suspendedBesideABetter is suspended for 30 s, and then hears a member that would be elected.
func suspendedBesideABetter(t *testing.T) (w *world, m *mkatest.Member, server, better *mkatest.Peer) {
	w, m, server = following(t, secy.GCMAESXPN128)
	w.Run(mka.LifeTime)
	server.Priority = 5
	server.Say(suspends(30))
	server.Hush()
	w.until("suspended", time.Second, func() bool { return suspended(m) > 0 })
	better = w.peer(3)
	better.Priority = 0
	better.Talk()
	w.until("the better one is live", mka.HelloTime, func() bool { return isLive(m, better.SCI) })
	return w, m, server, better
}

// Clause: 802.1X-2020 9.18: an announced suspension keeps SAs and peers, and MKA goes on afterwards with the same MI
// Requirement: R115
func TestKeyServerThatSuspendsIsKeptAndResumes(t *testing.T) {
	w, m, p := suspendedBy(t, 60)
	mark, key := m.Mark(), m.SecY.Tx
	w.Run(59 * time.Second)
	if d := suspended(m); d <= 0 || d > time.Second {
		t.Errorf("%v are left after 59 s of 60", d)
	}
	p.Talk()
	w.Run(time.Minute)
	for _, e := range m.Since(mark).Events {
		if e.Kind != mka.EventSuspensionOver {
			t.Errorf("%s %s", e.Kind, e.Reason)
		}
	}
	if r := m.Since(mark); len(r.Ops) != 0 || m.SecY.Tx != key || suspended(m) != 0 || !r.Has(mka.EventSuspensionOver) {
		t.Errorf("orders %v; transmits with another key: %t; told that it resumes: %t", r.Ops, m.SecY.Tx != key, r.Has(mka.EventSuspensionOver))
	}
}

// Clause: 802.1X-2020 9.18; a suspension is for XPN suites, whose packet numbers do not run out meanwhile. Beside another it is
// honoured as well: whoever announces it is silent, and packet numbers that run out are not used again.
// Requirement: R115
func TestSuspensionBesideASuiteOf32BitsIsHonoured(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	w.Run(mka.LifeTime)
	p.Say(suspends(60))
	p.Hush()
	if w.Run(59 * time.Second); !m.KaY.Secured() || suspended(m) == 0 || !isLive(m, p.SCI) {
		t.Errorf("secured %t, suspended for %v, the key server is live: %t", m.KaY.Secured(), suspended(m), isLive(m, p.SCI))
	}
}

// Clause: 802.1X-2020 9.18: MKA Suspension Limit, then Life Time
// Requirement: R115
func TestSuspendedKeyServerThatStaysSilentIsLostLifeTimeAfterTheLimit(t *testing.T) {
	for _, c := range []struct {
		seconds uint8
		want    time.Duration
	}{{10, 10 * time.Second}, {120, mka.SuspensionLimit}, {255, mka.SuspensionLimit}} {
		w, m, _ := suspendedBy(t, c.seconds)
		at := w.Now
		w.until("the key server is lost", 3*time.Minute, func() bool { return !m.KaY.Secured() })
		if got := w.Now.Sub(at); got < c.want+mka.LifeTime-time.Second || got > c.want+mka.LifeTime {
			t.Errorf("%d s: lost after %v, want %v", c.seconds, got, c.want+mka.LifeTime)
		}
	}
}

// Clause: 802.1X-2020 9.18: while MKA is suspended the hellos of other members are not expected either
// Requirement: R115
func TestMembersOfASuspendedCAAreKept(t *testing.T) {
	w, m, p := following(t, secy.GCMAESXPN128)
	q := w.peer(3)
	q.Talk()
	w.until("it is live", mka.HelloTime, func() bool { return isLive(m, q.SCI) })
	q.Hush()
	p.Say(suspends(30))
	p.Hush()
	w.Run(10 * time.Second)
	q.Say() // once, which must not shorten its life
	w.Run(19 * time.Second)
	if !isLive(m, q.SCI) || !isLive(m, p.SCI) {
		t.Error("a member was lost")
	}
	w.Run(2*time.Second + mka.LifeTime)
	if isLive(m, q.SCI) || isLive(m, p.SCI) {
		t.Error("a member that stays silent is kept")
	}
}

// Clause: 802.1X-2020 9.18: an end before the time
// Requirement: R115
func TestKeyServerEndsTheSuspension(t *testing.T) {
	w, m, p := suspendedBy(t, 120)
	w.Run(10 * time.Second)
	p.Say(suspends(0))
	w.until("resumed", time.Second, func() bool { return suspended(m) == 0 })
	at := w.Now
	w.until("the key server is lost", time.Minute, func() bool { return !m.KaY.Secured() })
	if got := w.Now.Sub(at); got != mka.LifeTime {
		t.Errorf("lost %v after its last word, want %v", got, mka.LifeTime)
	}
}

// Clause: 802.1X-2020 9.18; a key server that lies keeps the dead no longer than the limit
// Requirement: R115
func TestSuspensionIsBoundedHoweverOftenItIsAnnounced(t *testing.T) {
	w, m, p := following(t, secy.GCMAESXPN128)
	q := w.peer(3)
	q.Talk()
	w.until("it is live", mka.HelloTime, func() bool { return isLive(m, q.SCI) })
	q.Hush()
	at := w.Now
	p.XPN.SuspensionTime = 255
	p.Say()
	w.RunUntil(10*time.Minute, func() bool { return !isLive(m, q.SCI) })
	if got := w.Now.Sub(at); got > mka.SuspensionLimit+mka.LifeTime+mka.HelloTime {
		t.Errorf("a dead member was kept for %v", got)
	}
}

// Clause: 802.1X-2020 9.18, 9.4.3: a suspension that begins before it was noticed that a peer is dead does not revive it
// Requirement: R115
func TestNextSuspensionDoesNotReviveTheDead(t *testing.T) {
	w, m, p := following(t, secy.GCMAESXPN128)
	q := w.peer(3)
	q.Talk()
	w.until("it is live", mka.HelloTime, func() bool { return isLive(m, q.SCI) })
	q.Hush()
	p.XPN.SuspensionTime = 10
	p.Say()
	w.until("suspended", time.Second, func() bool { return suspended(m) > 0 })
	p.XPN.SuspensionTime = 0
	p.Say()
	w.until("resumed", time.Second, func() bool { return suspended(m) == 0 })
	w.Run(mka.LifeTime - time.Second)
	m.Stall(2 * time.Second) // what comes meanwhile is taken before what is overdue
	w.Run(time.Second + time.Millisecond)
	p.XPN.SuspensionTime = 10
	p.Say()
	w.Run(3 * time.Second)
	if isLive(m, q.SCI) || !isLive(m, p.SCI) {
		t.Errorf("the dead is live: %t, the key server is: %t", isLive(m, q.SCI), isLive(m, p.SCI))
	}
}

// Clause: 802.1X-2020 9.18: the next suspension may begin Life Time after the last, and not before
// Requirement: R115
func TestNextSuspensionBeginsLifeTimeAfterTheLast(t *testing.T) {
	w, m, p := following(t, secy.GCMAESXPN128)
	say := func(seconds uint8) {
		p.XPN.SuspensionTime = seconds
		p.Tell(m)
	}
	say(10)
	say(0)
	ended := w.Now
	w.Run(mka.LifeTime - 1)
	if say(10); suspended(m) != 0 {
		t.Errorf("suspended again %v after the last", w.Now.Sub(ended))
	}
	w.Run(1)
	if say(10); suspended(m) == 0 {
		t.Errorf("not suspended %v after the last", w.Now.Sub(ended))
	}
}

// Clause: 802.1X-2020 9.18: only the key server suspends; what another member says is a request
// Requirement: R115
func TestMemberOnlyRequestsASuspension(t *testing.T) {
	w, m, p := serving(t)
	w.Run(mka.LifeTime)
	p.Say(suspends(60))
	p.Hush()
	w.Run(time.Second)
	if q, _ := peerOf(m, p.SCI); q.SuspendFor != time.Minute || suspended(m) != 0 {
		t.Errorf("asks for %v; suspended for %v", q.SuspendFor, suspended(m))
	}
	w.Run(mka.LifeTime)
	if isLive(m, p.SCI) {
		t.Error("it is kept")
	}
}

// Clause: 802.1X-2020 9.4.3, 9.18: not from a peer that is not live, and not from an MKPDU that is sent again
// Requirement: R115
func TestSuspensionOfWhoIsNotLiveIsIgnored(t *testing.T) {
	w, m, p := following(t, secy.GCMAESXPN128)
	q := w.peer(3)
	q.Priority = 0
	q.SCI = mkatest.SCI(0)
	q.Say(suspends(60), listingNobody)
	w.Run(time.Second)
	if suspended(m) != 0 {
		t.Error("suspended by a potential peer")
	}
	frame := p.Next(suspends(60))
	p.Send(frame)
	w.Run(time.Second)
	p.Say(suspends(0))
	w.Run(time.Second)
	p.Send(frame)
	w.Run(time.Second)
	if suspended(m) != 0 {
		t.Error("suspended by a replay")
	}
}

// Clause: 802.1X-2020 9.18: elections are held off
// Requirement: R115
func TestElectionsWaitForTheEndOfTheSuspension(t *testing.T) {
	w, m, p, q := suspendedBesideABetter(t)
	mark := m.Mark()
	q.Generate(secy.GCMAESXPN128, secy.Offset0)
	wantDiscard(t, m, eapol.DiscardNotKeyServer, func() { q.Tell(m) })
	q.Offer = eapol.DistributedSAK{}
	w.Run(20 * time.Second)
	if serverOf(m) != p.SCI || len(m.Since(mark).Ops) != 0 {
		t.Errorf("elected %s while MKA is suspended", serverOf(m))
	}
	w.Run(9 * time.Second)
	q.Hush() // nothing but the end of the suspension brings the election about
	w.Run(2 * time.Second)
	if serverOf(m) != q.SCI {
		t.Errorf("elected %s afterwards, want %s", serverOf(m), q.SCI)
	}
}

// Clause: 802.1X-2020 9.18, 9.5: a suspension ends with its key server, whoever else is live
// Requirement: R115
func TestLossOfTheKeyServerEndsTheSuspension(t *testing.T) {
	w := newWorld(t)
	m, q, p := w.kay(2), w.peer(3), w.peer(1)
	q.Talk()
	w.until("one member is live", mka.HelloTime, func() bool { return isLive(m, q.SCI) })
	p.Priority = 0
	p.Talk()
	w.until("the other is key server", mka.HelloTime, func() bool { return serverOf(m) == p.SCI })
	p.Say(suspends(30))
	w.until("suspended", time.Second, func() bool { return suspended(m) > 0 })
	m.MustStep(mka.MTUChanged{MTU: 272}) // room for one, and the key server came last
	if isLive(m, p.SCI) || !isLive(m, q.SCI) || serverOf(m) == p.SCI {
		t.Errorf("the key server is live: %t, and elected: %t; the other is live: %t", isLive(m, p.SCI), serverOf(m) == p.SCI, isLive(m, q.SCI))
	}
	q.Hush()
	if d := suspended(m); d != 0 {
		t.Errorf("suspended for %v", d)
	}
	if w.Run(mka.LifeTime); isLive(m, q.SCI) {
		t.Error("a silent peer is live after Life Time")
	}
}

// Clause: 802.1X-2020 9.18, 9.8: the key server's own SAK is taken
// Requirement: R115
func TestSuspendedKeyServerMayRekey(t *testing.T) {
	w, m, p := suspendedBy(t, 30)
	w.Run(5 * time.Second)
	p.Generate(secy.GCMAESXPN128, secy.Offset0)
	p.XPN.SuspensionTime = 20
	p.Talk()
	w.until("the SAK is in use", time.Second, func() bool { return m.SecY.Tx == p.Key.KI.KeyID() })
	if suspended(m) == 0 {
		t.Error("suspended no longer")
	}
}

// Clause: 802.1X-2020 9.4.3, 9.18: a key server that has lost its state is back, and no upgrade in service
// Requirement: R115
func TestRestartOfTheKeyServerEndsTheSuspension(t *testing.T) {
	w, m, p := suspendedBy(t, 120)
	w.Run(5 * time.Second)
	p.Rejoin()
	p.XPN = eapol.XPN{Present: true, SuspensionTime: 100} // which would be another, and that too soon
	p.Talk()
	w.until("resumed", mka.HelloTime, func() bool { return suspended(m) == 0 && isLive(m, p.SCI) })
	p.Generate(secy.GCMAESXPN128, secy.Offset0)
	p.Say()
	w.until("its SAK is in use", mka.HelloTime, func() bool { return m.SecY.Tx == p.Key.KI.KeyID() })
}

// Clause: 802.1X-2020 12.3, 9.18
// Requirement: R115
func TestLinkThatGoesDownEndsTheSuspension(t *testing.T) {
	_, m, _ := suspendedBy(t, 120)
	m.MustStep(mka.LinkChanged{Up: false})
	m.MustStep(mka.LinkChanged{Up: true})
	if suspended(m) != 0 {
		t.Error("suspended still")
	}
}

// Clause: 802.1X-2020 9.18: what the key server says last counts: it needs longer, or not so long
// Requirement: R115
func TestSuspensionLastsAsLongAsTheKeyServerSaidLast(t *testing.T) {
	for _, seconds := range []uint8{100, 10} {
		w, m, p := suspendedBy(t, 30)
		w.Run(5 * time.Second)
		p.Say(suspends(seconds))
		w.Run(w.Delay)
		if got, want := suspended(m), time.Duration(seconds)*time.Second; got > want || got < want-time.Second {
			t.Errorf("%v are left of %v", got, want)
		}
	}
}

// Clause: 802.1X-2020 9.18: a key server requests nothing, whatever it has said as another member
// Requirement: R115, R119
func TestRequestOfASuspensionEndsWhenItsMemberIsElected(t *testing.T) {
	_, m, p := serving(t)
	p.Tell(m, suspends(60))
	if q, _ := peerOf(m, p.SCI); q.SuspendFor != time.Minute {
		t.Fatalf("it asks for %v", q.SuspendFor)
	}
	p.Priority = 0
	p.Tell(m)
	if q, _ := peerOf(m, p.SCI); serverOf(m) != p.SCI || q.SuspendFor != 0 {
		t.Errorf("the key server %s asks for %v", serverOf(m), q.SuspendFor)
	}
}

// Clause: 802.1X-2020 9.5, 9.18: nor does who is told to be preferred take over before the end
// Requirement: R115, R118
func TestPriorityThatChangesWaitsForTheEndOfTheSuspension(t *testing.T) {
	w, m, p := following(t, secy.GCMAESXPN128)
	w.Run(mka.LifeTime)
	p.Priority = 5
	p.Say(suspends(30))
	w.until("suspended", time.Second, func() bool { return suspended(m) > 0 })
	p.Hush()
	better := mkatest.Config(1).Settings
	better.KeyServerPriority = 0
	if m.KaY.ElectsOther(better) {
		t.Error("it says that another would be elected")
	}
	m.MustStep(mka.SettingsChanged{Settings: better})
	w.Run(29 * time.Second)
	if serverOf(m) != p.SCI {
		t.Fatalf("elected %s while MKA is suspended", serverOf(m))
	}
	w.Run(2 * time.Second)
	if serverOf(m) != m.SCI() {
		t.Errorf("elected %s afterwards, want %s", serverOf(m), m.SCI())
	}
}

// Clause: 802.1X-2020 9.18; design: a restart within a suspension goes on with it, for as long as was announced
// Requirement: R115, R116
func TestSuspensionOutlastsARestart(t *testing.T) {
	for _, seconds := range []uint8{60, 120} {
		w, m, p := suspendedBy(t, seconds)
		from := w.Now
		w.Run(20 * time.Second)
		mi, key, mark := m.MI(), m.SecY.Tx, len(m.Events)
		m.Kill()
		w.Run(time.Second)
		if err := m.Resume(true, theKey()); err != nil {
			t.Fatal(err)
		}
		if got, want := suspended(m), from.Add(time.Duration(seconds)*time.Second).Sub(w.Now); got > want || got < want-time.Second || serverOf(m) != p.SCI {
			t.Errorf("suspended by %s for %v yet, want %s, %v", serverOf(m), got, p.SCI, want)
		}
		w.Run(suspended(m) + mka.LifeTime - time.Second)
		if !m.KaY.Secured() || m.SecY.Tx != key || m.MI() != mi || !isLive(m, p.SCI) {
			t.Errorf("secured %t, with another key %t, another MI %t; the key server is live: %t", m.KaY.Secured(), m.SecY.Tx != key, m.MI() != mi, isLive(m, p.SCI))
		}
		for _, e := range m.Events[mark:] {
			if e.Kind == mka.EventPeerLost || e.Kind == mka.EventUnsecured || e.Kind == mka.EventSAKGenerated {
				t.Errorf("%s %s", e.Kind, e.Reason)
			}
		}
		if w.Run(time.Second); isLive(m, p.SCI) {
			t.Error("the key server is live although it has not come back")
		}
	}
}

// Clause: 802.1X-2020 9.18, 9.5; nor does a restart within a suspension bring about another key server
// Requirement: R115, R116
func TestRestartWithinASuspensionElectsNobody(t *testing.T) {
	w, m, p, q := suspendedBesideABetter(t)
	w.Run(mka.HelloTime)
	m.Kill()
	if err := m.Resume(true, theKey()); err != nil {
		t.Fatal(err)
	}
	if w.Run(10 * time.Second); serverOf(m) != p.SCI {
		t.Errorf("elected %s while MKA is suspended", serverOf(m))
	}
	w.Run(20 * time.Second)
	if serverOf(m) != q.SCI {
		t.Errorf("elected %s afterwards, want %s", serverOf(m), q.SCI)
	}
}

// Clause: 802.1X-2020 9.18; a suspension that cannot have been is none, nor is one that is over
// Requirement: R115, R116
func TestSuspensionThatCannotBeIsNotResumed(t *testing.T) {
	for name, c := range map[string]struct {
		edit    func(now mka.Time, s *mka.SuspensionState, sentAt mka.Time)
		resumed bool // its peers have lived no longer than they can
		told    bool // that the suspension is over
	}{
		"over when the last MKPDU was sent": {func(_ mka.Time, s *mka.SuspensionState, sentAt mka.Time) { s.Until = sentAt }, true, false},
		"it is over":                        {func(now mka.Time, s *mka.SuspensionState, _ mka.Time) { s.Until = now }, true, true},
		"longer than the limit":             {func(_ mka.Time, s *mka.SuspensionState, _ mka.Time) { s.Until = s.From.Add(mka.SuspensionLimit) + 1 }, false, false},
		"from the future":                   {func(now mka.Time, s *mka.SuspensionState, _ mka.Time) { s.From = now + 1 }, false, false},
		"of nobody":                         {func(_ mka.Time, s *mka.SuspensionState, _ mka.Time) { s.By = 0 }, false, false},
		"of somebody who is no peer":        {func(_ mka.Time, s *mka.SuspensionState, _ mka.Time) { s.By = 7 }, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			w, m, p := suspendedBy(t, 60)
			w.Run(time.Second)
			if m.Kept().Participants[0].Suspended.By != p.SCI {
				t.Fatal("the suspension was not kept")
			}
			mark := m.Mark()
			m.Kill()
			m.Alter(func(s *mka.State) {
				u := &s.Participants[0]
				c.edit(w.Now, &u.Suspended, u.SentAt)
				u.Peers[0].ExpiresAt = min(u.Peers[0].ExpiresAt, u.Suspended.Until.Add(mka.LifeTime))
			})
			if err := m.Resume(true, theKey()); (err == nil) != c.resumed {
				t.Errorf("resumed: %v", err)
			}
			if d := suspended(m); d != 0 {
				t.Errorf("suspended for %v", d)
			}
			if told := m.Since(mark).Has(mka.EventSuspensionOver); told != c.told {
				t.Errorf("told that it is over: %t, want %t", told, c.told)
			}
			if w.Run(2 * mka.LifeTime); isLive(m, p.SCI) {
				t.Error("the silent key server is live after Life Time")
			}
		})
	}
}

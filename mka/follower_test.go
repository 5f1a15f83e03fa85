package mka_test

import (
	"fmt"
	"testing"
	"time"

	"mkad/eapol"
	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// rekey lets the scripted key server distribute another SAK until both transmit with it.
func rekey(w *world, m *mkatest.Member, p *mkatest.Peer) {
	w.t.Helper()
	p.Generate(p.Key.Suite, secy.Offset0)
	p.Say()
	w.until("the next SAK is in use", mka.HelloTime, func() bool { return m.SecY.Tx == p.Key.KI.KeyID() })
}

// notTransmitting makes a report say that the latest key is not transmitted with yet.
func notTransmitting(u *eapol.MKPDU) { u.SAKUse.Latest.Tx = false }

// Clause: 802.1X-2020 9.8, 12.4
// Requirement: R75
func TestFollowerReceivesBeforeItReportsToReceive(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	w.Run(5 * time.Second)
	p.Hush()
	p.Generate(secy.GCMAES128, secy.Offset0)
	key := p.Key.KI
	p.Tell(m, notTransmitting)
	if a, ok := m.SecY.Find(p.SCI, key.KeyID()); !ok || !a.On || a.SAK != p.Key.SAK {
		t.Fatalf("receive SA %+v after the SAK, want one in use", a)
	}
	w.Run(mka.MinGap + w.Delay)
	if u, _ := mkatest.UseOf(p.Last().MKPDU, key); !u.Rx || u.Tx || u.AN != p.Key.AN {
		t.Errorf("reports %+v, want that it receives and does not transmit", u)
	}
}

// Clause: 802.1X-2020 9.8, 12.4
// Requirement: R75
func TestFollowerTransmitsOnceTheKeyServerDoes(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	w.Run(5 * time.Second)
	p.Hush()
	first := m.SecY.Tx
	p.Generate(secy.GCMAES128, secy.Offset0)
	key := p.Key.KI.KeyID()
	p.Tell(m, notTransmitting)
	p.Offer = eapol.DistributedSAK{}
	for range 5 { // longer than Life Time: only the key server's report counts
		w.Run(mka.HelloTime)
		p.Tell(m, notTransmitting)
	}
	if m.SecY.Tx != first {
		t.Fatal("transmits with the next SAK before the key server does")
	}
	p.Tell(m, func(u *eapol.MKPDU) { u.SAKUse.Latest.Tx = true })
	if m.SecY.Tx != key {
		t.Errorf("transmits with %s, the key server with %s", m.SecY.Tx, key)
	}
}

// Clause: 802.1X-2020 12.4
// Requirement: R75
func TestFollowerTransmitsWithItsFirstSAKAtOnce(t *testing.T) {
	_, m, p := alone(t)
	p.Priority = 0
	p.Tell(m, listing(m.MI(), mnOf(m)))
	p.Others[0].Lists = true
	p.Generate(secy.GCMAES128, secy.Offset0)
	p.Tell(m, notTransmitting)
	if m.SecY.Tx != p.Key.KI.KeyID() || !m.KaY.Secured() {
		t.Errorf("transmits with %s, secured %t", m.SecY.Tx, m.KaY.Secured())
	}
}

// Clause: 802.1X-2020 9.8
// Requirement: R76
func TestRepeatedDistributedSAKIsNotInstalledAgain(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	w.Run(5 * time.Second)
	p.Generate(secy.GCMAES128, secy.Offset0)
	offer := p.Offer
	p.Say()
	w.Run(5 * time.Second)
	mark := m.Mark()
	for range 5 {
		p.Tell(m, func(u *eapol.MKPDU) { u.DistributedSAK = offer })
		w.Run(mka.HelloTime)
	}
	if did := m.Since(mark); len(did.Ops) != 0 || m.SecY.Tx != p.Key.KI.KeyID() {
		t.Errorf("orders %v for a SAK that is in use", did.Ops)
	}
}

// Clause: 802.1X-2020 9.8
// Requirement: R77
func TestRetiredSAKIsNeverInstalledAgainAndANewMIAsksForAnother(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	w.Run(5 * time.Second)
	p.Generate(secy.GCMAES128, secy.Offset0)
	offer := p.Offer
	p.Say()
	for range 2 {
		w.Run(5 * time.Second)
		rekey(w, m, p)
	}
	w.Run(5 * time.Second)
	mi, key := m.MI(), m.SecY.Tx
	wantDiscard(t, m, eapol.DiscardSAKReuse, func() {
		p.Tell(m, func(u *eapol.MKPDU) { u.DistributedSAK = offer })
	})
	if m.MI() == mi || m.SecY.Tx != key {
		t.Errorf("MI changed %t, key in service changed %t; want a new MI and the same key", m.MI() != mi, m.SecY.Tx != key)
	}
}

// Clause: 802.1X-2020 9.4.3, 9.8; a SAK that was distributed to us under a former MI, and is still, says nothing of the MKPDU
// around it: the key server is heard, and makes another for the member that we have become.
// Requirement: R77
func TestFollowerThatAloneLosesItsPeerBeforeItReportsTheSAKIsSecuredAgain(t *testing.T) {
	for _, suite := range []secy.CipherSuite{secy.GCMAES128, secy.GCMAESXPN256} {
		t.Run(suite.String(), func(t *testing.T) {
			w := newWorld(t)
			edit := []func(*mka.Config){suites(suite), lifeTime(5 * longLife)}
			server, follower := w.kay(1, edit...), w.kay(2, edit...)
			server.Traffic, follower.Traffic = true, true
			w.Lose = func(from, _ mkatest.Station, _ []byte) bool { // what says that it has the SAK
				return from == mkatest.Station(follower) && follower.Count(mka.EventSAKReceived) > 0
			}
			w.until("the follower is secured", time.Second, follower.KaY.Secured)
			key := follower.SecY.Tx
			w.Lose = nil
			follower.Jump(5 * longLife)
			w.Run(0)
			if follower.KaY.Secured() || !isLive(server, follower.SCI()) {
				t.Fatalf("the follower is secured: %t; live for its key server: %t", follower.KaY.Secured(), isLive(server, follower.SCI()))
			}
			w.until("both transmit with another SAK", mka.SuiteTime+mka.HelloTime, func() bool {
				return mkatest.Apart(w.Members) == "" && follower.SecY.Tx != key && server.SecY.Tx == follower.SecY.Tx
			})
			if n := follower.Discards(eapol.DiscardSAKReuse); n != 0 {
				t.Errorf("%d MKPDUs of the key server were discarded", n)
			}
		})
	}
}

// Clause: 802.1X-2020 9.4.2, 9.4.3; a key server that was cut off has lost us as we have lost it, and knows us by the MI that it
// heard last: we keep that. One that has us in its Live list still, with the SAK that we threw away, gets a new member.
// Requirement: R77
func TestFollowerTakesAnotherMIOnlyFromAKeyServerThatHasNotNoticed(t *testing.T) {
	for _, noticed := range []bool{true, false} {
		t.Run(fmt.Sprint("noticed ", noticed), func(t *testing.T) {
			w := newWorld(t)
			server, follower := w.kay(1), w.kay(2)
			w.until("both are secured", time.Second, func() bool { return mkatest.Apart(w.Members) == "" })
			w.Run(5 * time.Second)
			mi, key := follower.MI(), follower.SecY.Tx
			if noticed {
				w.Lose = func(mkatest.Station, mkatest.Station, []byte) bool { return true }
				w.Run(2 * mka.LifeTime)
				w.Lose = nil
			} else {
				follower.Jump(2 * mka.LifeTime)
				w.Run(0)
			}
			if follower.KaY.Secured() || follower.MI() != mi {
				t.Fatalf("the follower is secured: %t; its MI is another: %t", follower.KaY.Secured(), follower.MI() != mi)
			}
			w.until("both transmit with another SAK", 2*mka.HelloTime, func() bool {
				return mkatest.Apart(w.Members) == "" && follower.SecY.Tx != key && server.SecY.Tx == follower.SecY.Tx
			})
			if n := follower.Discards(eapol.DiscardSAKReuse); (follower.MI() == mi) != noticed || n != 0 {
				t.Errorf("the MI is another: %t; %d MKPDUs of the key server were discarded", follower.MI() != mi, n)
			}
		})
	}
}

// Clause: 802.1X-2020 9.4.2, 9.10.1; a key server that lost us gives us another SAK when it has noticed. That it names the one
// before as its old one says nothing against it.
// Requirement: R77, R88
func TestFollowerKeepsItsMIBesideAKeyServerThatStillNamesTheSAKBefore(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	w.Run(5 * time.Second)
	mi, before := m.MI(), p.Use.Latest
	p.Hush()
	w.Run(2 * mka.LifeTime)
	p.Talk()
	p.Generate(secy.GCMAES128, secy.Offset0)
	w.until("the next SAK is in use", 2*mka.HelloTime, func() bool { return m.SecY.Tx == p.Key.KI.KeyID() })
	p.Tell(m, func(u *eapol.MKPDU) {
		u.DistributedSAK = eapol.DistributedSAK{}
		u.SAKUse.Latest = eapol.KeyUse{KI: p.Key.KI, AN: p.Key.AN, Tx: true, Rx: true, LPN: 1}
		u.SAKUse.Old = before
	})
	if m.MI() != mi {
		t.Error("has become a new member")
	}
}

// Clause: 802.1X-2020 9.8, 11.11.3
// Requirement: R78
func TestDistributedSAKThatCannotBeUsedIsDiscardedAndLeavesTheKeyInService(t *testing.T) {
	for _, c := range []struct {
		name   string
		reason eapol.Discard
		suite  secy.CipherSuite
		offset secy.ConfidentialityOffset
		alter  func(*eapol.DistributedSAK)
		edit   func(*mka.Config)
	}{
		{name: "it does not unwrap", reason: eapol.DiscardSAKUnwrap, suite: secy.GCMAES128, offset: secy.Offset0,
			alter: func(d *eapol.DistributedSAK) { d.Wrapped = append([]byte{d.Wrapped[0] ^ 1}, d.Wrapped[1:]...) }},
		{name: "the suite is unknown", reason: eapol.DiscardDistributedSAKSuite, suite: secy.GCMAES256,
			offset: secy.Offset0, alter: func(d *eapol.DistributedSAK) { d.Suite = 0x0080c20001000005 }},
		{name: "the suite is not in the list", reason: eapol.DiscardSAKPolicy, suite: secy.GCMAES256, offset: secy.Offset0,
			edit: suites(secy.GCMAES128)},
		{name: "the suite has no such offset", reason: eapol.DiscardSAKPolicy, suite: secy.GCMAESXPN128,
			offset: secy.Offset30},
		{name: "the SecY has no offset 50", reason: eapol.DiscardSAKPolicy, suite: secy.GCMAES128, offset: secy.Offset50,
			edit: func(c *mka.Config) { c.Capability = secy.CapabilityConfidentiality }},
		{name: "the SecY has no confidentiality", reason: eapol.DiscardSAKPolicy, suite: secy.GCMAES128,
			offset: secy.Offset0, edit: func(c *mka.Config) { c.Capability = secy.CapabilityIntegrity }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			edit := c.edit
			if edit == nil {
				edit = func(*mka.Config) {}
			}
			m, p := w.kay(2, edit), w.peer(1)
			p.Priority = 0
			p.Talk()
			w.until("the peer is live", time.Second, func() bool { return isLive(m, p.SCI) && len(p.Others) == 1 && p.Others[0].Lists })
			p.Generate(secy.GCMAES128, secy.IntegrityOnly)
			p.Say()
			w.Run(5 * time.Second)
			key := m.SecY.Tx
			if key.IsZero() {
				t.Fatal("the first SAK is not in use")
			}
			p.Generate(c.suite, c.offset)
			wantDiscard(t, m, c.reason, func() {
				p.Tell(m, func(u *eapol.MKPDU) {
					if c.alter != nil {
						c.alter(&u.DistributedSAK)
					}
				})
			})
			w.Run(mka.MinGap)
			if u, known := mkatest.UseOf(p.Last().MKPDU, p.Key.KI); known || m.SecY.Tx != key || !m.KaY.Secured() {
				t.Errorf("reports %+v of it, transmits with %s, want nothing and %s", u, m.SecY.Tx, key)
			}
		})
	}
}

// Clause: 802.1X-2020 9.8, 12.4
// Requirement: R79
func TestSAKThatComesBeforeTheFormerIsInUseReplacesIt(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	w.Run(5 * time.Second)
	p.Hush()
	p.Generate(secy.GCMAES128, secy.Offset0)
	former := p.Key.KI.KeyID()
	p.Tell(m, notTransmitting)
	p.Generate(secy.GCMAES128, secy.Offset0)
	p.Tell(m, func(u *eapol.MKPDU) { u.SAKUse.Latest.Tx = true })
	if _, ok := m.SecY.Find(p.SCI, former); ok || m.SecY.Tx != p.Key.KI.KeyID() {
		t.Errorf("the former has an SA: %t; transmits with %s, want %s", ok, m.SecY.Tx, p.Key.KI)
	}
}

// Clause: 802.1X-2020 9.9, 802.1AE-2018 10.7.13
// Requirement: R80
func TestSAKWithTheAssociationNumberOfTheOldKeyReplacesItsSAs(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	w.Run(5 * time.Second)
	old := m.SecY.Tx
	p.Key.AN = (p.Key.AN + 3) % 4 // Generate takes the next
	p.Generate(secy.GCMAES128, secy.Offset0)
	p.Say() // the SecY panics at an AN that is taken
	w.until("it is in use", mka.HelloTime, func() bool { return m.SecY.Tx == p.Key.KI.KeyID() })
	if _, ok := m.SecY.Find(0, old); ok || m.Count(mka.EventSecYFailed) != 0 {
		t.Errorf("the old SA is there: %t; SecY failed %d times", ok, m.Count(mka.EventSecYFailed))
	}
}

// Clause: 802.1X-2020 9.6.1, 12.4
// Requirement: R81
func TestDistributedSAKOfLength0MeansAuthenticatedAsThePolicyAllows(t *testing.T) {
	for name, c := range map[string]struct {
		edit  func(*mka.Config)
		cp    string
		plain bool
	}{
		"should-secure": {shouldSecure, "AUTHENTICATED", true},
		"must-secure":   {func(*mka.Config) {}, "CHANGE", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			m, p := w.kay(2, c.edit), w.peer(1)
			p.Priority = 0
			p.Offer = eapol.DistributedSAK{Present: true, Empty: true}
			p.Talk()
			w.Run(5 * time.Second)
			if s := m.Status(); s.CP != c.cp || s.Plain != c.plain || s.Secured || m.SecY.Enabled != c.plain {
				t.Errorf("CP %s, plain %t, Controlled Port %t; want %s, %t", s.CP, s.Plain, m.SecY.Enabled, c.cp, c.plain)
			}
		})
	}
}

// Clause: 802.1X-2020 9.6.1, 12.4
// Requirement: R81
func TestDistributedSAKOfLength0AfterASAKEndsProtection(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	p.Offer = eapol.DistributedSAK{Present: true, Empty: true}
	p.Say()
	w.Run(time.Second)
	if s := m.Status(); s.Secured || m.SecY.Enabled || len(m.SecY.SAs) != 0 {
		t.Errorf("secured %t, Controlled Port %t, %d SAs", s.Secured, m.SecY.Enabled, len(m.SecY.SAs))
	}
	p.Offer = eapol.DistributedSAK{}
	w.Run(mka.LifeTime)
	if s := m.Status(); !s.Participants[0].Plain || s.Secured {
		t.Errorf("hellos that say nothing of it: in clear %t, secured %t", s.Participants[0].Plain, s.Secured)
	}
}

// Clause: 802.1X-2020 9.6.1, 12.4; what a key server has decided ends with it
// Requirement: R81
func TestDecisionOfAKeyServerThatIsLostDoesNotStand(t *testing.T) {
	for name, lose := range map[string]func(w *world, m *mkatest.Member, p *mkatest.Peer){
		"it is silent": func(w *world, _ *mkatest.Member, p *mkatest.Peer) { p.Hush(); w.Run(2 * mka.LifeTime) },
		"the link":     func(_ *world, m *mkatest.Member, _ *mkatest.Peer) { m.MustStep(mka.LinkChanged{}) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			m, p := w.kay(2, shouldSecure), w.peer(1)
			p.Priority = 0
			p.Offer = eapol.DistributedSAK{Present: true, Empty: true}
			p.Talk()
			w.Run(time.Second)
			if s := m.Status(); s.CP != "AUTHENTICATED" || !s.Participants[0].Plain {
				t.Fatalf("CP %s, plain %t", s.CP, s.Participants[0].Plain)
			}
			lose(w, m, p)
			if s := m.Status(); s.CP == "AUTHENTICATED" || s.Participants[0].Plain {
				t.Errorf("CP %s, plain %t", s.CP, s.Participants[0].Plain)
			}
		})
	}
}

// Clause: 802.1X-2020 9.10.1, 12.4
// Requirement: R82
func TestKeyInServiceCountsInEitherSlotOfAPeersReport(t *testing.T) {
	for name, inOld := range map[string]bool{"latest": false, "old": true} {
		t.Run("follower of it as "+name, func(t *testing.T) {
			w := newWorld(t)
			m, p := w.kay(2), w.peer(1)
			p.InOld = inOld
			if !p.Serve(m, secy.GCMAES128) {
				t.Fatal("not secured")
			}
			for range 3 {
				w.Run(time.Minute)
				rekey(w, m, p)
			}
			if m.Count(mka.EventUnsecured) != 0 {
				t.Error("unsecured in between")
			}
		})
		t.Run("key server of it as "+name, func(t *testing.T) {
			w := newWorld(t)
			m, p := w.kay(2), w.peer(1)
			p.InOld = inOld
			if !p.Follow(m) {
				t.Fatal("not secured")
			}
			for range 3 {
				w.Run(time.Minute)
				last := m.SecY.Tx
				m.MustStep(mka.RekeyRequested{})
				w.until("both use the next", mka.HelloTime, func() bool {
					return m.SecY.Tx == p.Key.KI.KeyID() && m.SecY.Tx != last
				})
			}
			if made := m.Count(mka.EventSAKGenerated); made != 4 || m.Count(mka.EventUnsecured) != 0 {
				t.Errorf("%d SAKs made, unsecured %d times; want 4 and never", made, m.Count(mka.EventUnsecured))
			}
		})
	}
}

// Clause: 802.1X-2020 9.8
// Requirement: R66
func TestFollowerDoesNotTakeASAKMadeBeforeTheKeyServerKnewIt(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	w.Run(5 * time.Second)
	key := m.SecY.Tx
	p.Generate(secy.GCMAES128, secy.Offset0)
	p.Tell(m, func(u *eapol.MKPDU) { u.Live, u.Potential = eapol.PeerList{}, u.Live })
	if m.SecY.Tx != key || len(m.SecY.SAs) != 2 {
		t.Errorf("transmits with %s, %d SAs; want %s and 2", m.SecY.Tx, len(m.SecY.SAs), key)
	}
}

// Clause: 802.1AE-2018 10.7.13
// Requirement: R97
func TestFollowerWaitsWithAnXPNSAKUntilItKnowsEveryMember(t *testing.T) {
	w := newWorld(t)
	m, p, q := w.kay(2), w.peer(1), w.peer(3)
	p.Version, p.Priority = 2, 0
	w.Lose = func(from, to mkatest.Station, _ []byte) bool { return from == q && to == m || from == m && to == q }
	p.Talk()
	q.Talk()
	w.Run(2 * time.Second)
	p.Generate(secy.GCMAESXPN128, secy.Offset0)
	offer := p.Offer
	always := func(u *eapol.MKPDU) { u.DistributedSAK = offer }
	p.Hush()
	p.Tell(m, always)
	if len(m.SecY.SAs) != 0 {
		t.Fatal("installed, though the SSCI of a member cannot be told")
	}
	w.Lose = nil
	q.Tell(m)
	p.Tell(m, always)
	rx, _ := m.SecY.Find(q.SCI, p.Key.KI.KeyID())
	tx, _ := m.SecY.Transmitting()
	if rx.SSCI != 1 || tx.SSCI != 2 {
		t.Errorf("SSCI %d for the greatest SCI and %d for us, want 1 and 2", rx.SSCI, tx.SSCI)
	}
}

// Clause: 802.1X-2020 9.8, 12.4
// Requirement: R75
func TestFollowerReceivesAMemberThatItHearsOnlyAfterTheSAK(t *testing.T) {
	w := newWorld(t)
	m, p, q := w.kay(2), w.peer(1), w.peer(3)
	p.Priority = 0
	w.Lose = func(from, to mkatest.Station, _ []byte) bool { return from == q && to == m || from == m && to == q }
	p.Talk()
	q.Talk()
	w.Run(2 * time.Second)
	p.Generate(secy.GCMAES128, secy.Offset0)
	p.Say()
	w.Run(time.Second)
	key := p.Key.KI.KeyID()
	if _, ok := m.SecY.Find(q.SCI, key); ok || m.SecY.Tx != key {
		t.Fatalf("receives from a member it has not heard: %t; transmits with %s, want %s", ok, m.SecY.Tx, key)
	}
	w.Lose = nil
	q.Tell(m)
	if a, ok := m.SecY.Find(q.SCI, key); !ok || !a.On || a.SAK != p.Key.SAK || a.AN != p.Key.AN {
		t.Errorf("receive SA %+v after it was heard, want one of the SAK, in use", a)
	}
}

// Clause: 802.1X-2020 9.8, 802.1AE-2018 14.4: under another KI its packet numbers would start again, with the same key
// Requirement: R77
func TestSAKThatComesAgainUnderAnotherKIIsRefused(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	offer := p.Offer
	w.Run(mka.LifeTime) // a MI is changed once in a while only
	key, mi := m.SecY.Tx, m.MI()
	offer.KN, offer.AN = offer.KN+1, (offer.AN+1)%4
	wantDiscard(t, m, eapol.DiscardSAKReuse, func() {
		p.Tell(m, func(u *eapol.MKPDU) { u.DistributedSAK = offer })
	})
	if m.SecY.Tx != key || m.MI() == mi {
		t.Errorf("transmits with %s, want %s; MI %s as before: %t", m.SecY.Tx, key, mi, m.MI() == mi)
	}
}

// Clause: 802.1X-2020 9.6.1, 9.8: a port without MACsec takes no SAK, however little it is to protect
// Requirement: R78
func TestPortWithoutCapabilityTakesNoSAK(t *testing.T) {
	_, m, p := alone(t, func(c *mka.Config) { c.Capability = secy.CapabilityNone })
	p.Priority = 0
	p.Tell(m, listing(m.MI(), mnOf(m)))
	p.Others[0].Lists = true
	p.Generate(secy.GCMAES128, secy.IntegrityOnly)
	wantDiscard(t, m, eapol.DiscardSAKPolicy, func() { p.Tell(m) })
	if len(m.SecY.SAs) != 0 || m.KaY.Secured() {
		t.Errorf("%d SAs, secured %t", len(m.SecY.SAs), m.KaY.Secured())
	}
}

// Clause: 802.1X-2020 9.8, 11.11.3: a key server that is live distributes, though this MKPDU of its proves nothing
// Requirement: R77
func TestSAKInAnMKPDUThatProvesNothingIsTakenFromALivePeer(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	w.Run(mka.LifeTime)
	p.Hush()
	p.Generate(secy.GCMAES128, secy.Offset0)
	mi, mn := m.MI(), mnOf(m)
	p.Tell(m, listingLive(mi, mn-2))
	w.Run(time.Millisecond)
	if got := m.Status().Keys[0].KI; got != p.Key.KI {
		t.Errorf("its latest key is %s, want %s", got, p.Key.KI)
	}
}

// Clause: 802.1X-2020 9.8, 802.1AE-2018 14.4: nor is one taken that we have made ourselves and another distributes
// Requirement: R77
func TestSAKThatWeMadeIsRefusedFromTheNextKeyServer(t *testing.T) {
	w, m, p := serving(t, suites(secy.GCMAES128))
	made := distributed(p)[0].DistributedSAK
	w.Run(mka.LifeTime)
	p.Priority = 0
	wantDiscard(t, m, eapol.DiscardSAKReuse, func() {
		p.Tell(m, func(u *eapol.MKPDU) { u.DistributedSAK = made })
	})
}

package mka_test

import (
	"testing"
	"time"

	"mkad/eapol"
	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// distributed are the MKPDUs of those received that carry a SAK.
func distributed(p *mkatest.Peer) (all []mkatest.Received) {
	for _, r := range p.Received {
		if r.DistributedSAK.Present && !r.DistributedSAK.Empty {
			all = append(all, r)
		}
	}
	return all
}

// setLen is the length of the body of the parameter set in the frame, -1 if there is none.
func setLen(p *mkatest.Peer, frame []byte, kind byte) int {
	if set := setIn(p, frame, kind); set != nil {
		return int(set[2]&0xf)<<8 | int(set[3])
	}
	return -1
}

// setIn is the parameter set of that kind in the frame, nil if there is none.
func setIn(p *mkatest.Peer, frame []byte, kind byte) (found []byte) {
	p.Rewrite(frame, func(sets [][]byte) [][]byte {
		for _, set := range sets[1:] {
			if set[0] == kind {
				found = set
			}
		}
		return sets
	})
	return found
}

// Clause: 802.1X-2020 9.8
// Requirement: R63
func TestNoSAKIsMadeWithoutALivePeer(t *testing.T) {
	w, m, p := alone(t)
	for range 20 {
		p.Tell(m, listingNobody)
		w.Run(3 * time.Second)
	}
	if n := m.Count(mka.EventSAKGenerated); n != 0 {
		t.Errorf("%d SAKs made for a potential peer", n)
	}
}

// Clause: 802.1X-2020 9.8
// Requirement: R64
func TestFirstSAKHasKN1AndGoesOutInTheNextMKPDU(t *testing.T) {
	w, m, p := alone(t)
	p.Tell(m, listing(m.MI(), mnOf(m)))
	if !isLive(m, p.SCI) {
		t.Fatal("not live")
	}
	sent := len(p.Received)
	w.until("it is told", mka.MinGap+w.Delay, func() bool { return len(p.Received) > sent })
	if d := p.Last().DistributedSAK; !d.Present || d.KN != 1 {
		t.Errorf("distributes %+v, want KN 1", d)
	}
}

// Clause: 802.1X-2020 11.11.3, Figures 11-11 and 11-12
// Requirement: R65
func TestDistributedSAKNamesEverySuiteButTheDefault(t *testing.T) {
	for suite, want := range map[secy.CipherSuite]int{secy.GCMAES128: 28, secy.GCMAES256: 52, secy.GCMAESXPN128: 36,
		secy.GCMAESXPN256: 52} {
		t.Run(suite.String(), func(t *testing.T) {
			_, _, p := serving(t, suites(suite))
			if got := setLen(p, distributed(p)[0].Frame, 4); got != want {
				t.Errorf("%d octets, want %d", got, want)
			}
		})
	}
}

// Clause: 802.1X-2020 9.8
// Requirement: R65
func TestPeerUnwrapsTheVerySAKThatTheKeyServerInstalls(t *testing.T) {
	for _, suite := range secy.CipherSuites {
		t.Run(suite.String(), func(t *testing.T) {
			_, m, p := serving(t, suites(suite))
			tx, _ := m.SecY.Transmitting()
			rx, _ := m.SecY.Find(p.SCI, tx.Key)
			if tx.SAK != p.Key.SAK || rx.SAK != p.Key.SAK || tx.AN != p.Key.AN || tx.Key != p.Key.KI.KeyID() {
				t.Errorf("transmits with %+v, receives with %+v, peer has %+v", tx, rx, p.Key)
			}
			if suite.XPN() && (tx.SSCI != p.Key.SSCIs[m.SCI()] || rx.SSCI != p.Key.SSCIs[p.SCI] ||
				tx.Salt != secy.SaltOf(tx.Key) || rx.Salt != tx.Salt) {
				t.Errorf("SSCIs %d and %d with salts %x and %x, want %v and %x", tx.SSCI, rx.SSCI, tx.Salt, rx.Salt,
					p.Key.SSCIs, secy.SaltOf(tx.Key))
			}
		})
	}
}

// Clause: 802.1X-2020 9.8
// Requirement: R66
func TestSAKIsDistributedUntilTheLivePeerReportsToReceive(t *testing.T) {
	for name, slot := range map[string]func(*eapol.SAKUse, eapol.KeyUse){
		"as latest key": func(s *eapol.SAKUse, u eapol.KeyUse) { s.Latest = u },
		"as old key":    func(s *eapol.SAKUse, u eapol.KeyUse) { s.Old = u },
	} {
		t.Run(name, func(t *testing.T) {
			w, m, p := alone(t, suites(secy.GCMAES128))
			p.Tell(m)
			for range 5 {
				w.Run(mka.HelloTime)
				p.Tell(m, func(u *eapol.MKPDU) { u.SAKUse = eapol.SAKUse{} })
				if !p.Last().DistributedSAK.Present {
					t.Fatal("no longer distributed, though the peer has not reported it")
				}
			}
			p.Tell(m, func(u *eapol.MKPDU) {
				u.SAKUse = eapol.SAKUse{Present: true}
				slot(&u.SAKUse, eapol.KeyUse{KI: p.Key.KI, AN: p.Key.AN, Rx: true, LPN: 1})
			})
			sent := len(p.Received)
			w.Run(2 * mka.HelloTime)
			for _, r := range p.Received[sent:] {
				if r.DistributedSAK.Present {
					t.Errorf("still distributed in MN %d", r.Basic.MN)
				}
			}
		})
	}
}

// Clause: 802.1X-2020 9.8
// Requirement: R66
func TestSAKIsDistributedUntilTheLastLivePeerReportsToReceive(t *testing.T) {
	w, m, p := serving(t, suites(secy.GCMAES128))
	q := w.peer(3)
	q.Talk()
	w.until("both have one SAK", mka.HelloTime, func() bool { return !q.Key.KI.IsZero() && q.Key.KI == p.Key.KI })
	w.Run(2 * mka.LifeTime)
	q.Takes = only() // it hears of the next, and does not report it
	m.MustStep(mka.RekeyRequested{})
	w.until("the first has the next", mka.HelloTime, func() bool { return p.Key.KI != q.Key.KI })
	sent := len(q.Received)
	w.Run(mka.HelloTime + time.Millisecond)
	for _, r := range q.Received[sent:] {
		if r.Basic.SCI == m.SCI() && !r.DistributedSAK.Present {
			t.Errorf("not distributed in MN %d, though one has not reported it", r.Basic.MN)
		}
	}
	q.Takes = nil
	w.until("the last has it", mka.HelloTime, func() bool { return p.Key.KI == q.Key.KI })
	w.Run(time.Second)
	if sent = len(q.Received); sent == 0 {
		t.Fatal("nothing was received")
	}
	w.Run(2 * mka.HelloTime)
	for _, r := range q.Received[sent:] {
		if r.DistributedSAK.Present {
			t.Errorf("still distributed in MN %d", r.Basic.MN)
		}
	}
}

// Clause: 802.1X-2020 9.8
// Requirement: R66
func TestSAKIsDistributedAgainToALivePeerThatNoLongerReportsIt(t *testing.T) {
	w, m, p := serving(t)
	w.Run(mka.HelloTime)
	sent := len(p.Received)
	p.Hush()
	p.Tell(m, func(u *eapol.MKPDU) { u.SAKUse = eapol.SAKUse{Present: true} })
	w.Run(mka.HelloTime)
	again := p.Received[sent:]
	if len(again) == 0 || !again[len(again)-1].DistributedSAK.Present {
		t.Error("not distributed again")
	}
}

// Clause: 802.1X-2020 9.8
// Requirement: R66, R67
func TestNewLivePeerGetsOnlyTheNextSAK(t *testing.T) {
	w, m, p := serving(t)
	w.Run(10 * time.Second)
	first := p.Key
	q := w.peer(3)
	q.Talk()
	w.until("it has a SAK", mka.HelloTime, func() bool { return !q.Key.KI.IsZero() })
	w.until("the other has it too", mka.HelloTime, func() bool { return p.Key.KI == q.Key.KI })
	for _, r := range distributed(q) {
		if r.DistributedSAK.KN == first.KI.KN && r.Basic.MI == first.KI.MI && mkatest.Listed(&r.Live, q.MI) {
			t.Error("the newcomer was told the SAK that others use already")
		}
	}
	if q.Key.KI.KN != first.KI.KN+1 || serverOf(m) != m.SCI() {
		t.Errorf("KN %d after %d, want one more", q.Key.KI.KN, first.KI.KN)
	}
}

// Clause: 802.1X-2020 9.8
// Requirement: R67
func TestLossOfALivePeerMakesANewSAKForTheRest(t *testing.T) {
	w, m, p := serving(t)
	q := w.peer(3)
	q.Talk()
	w.Run(settleTime)
	kn := p.Key.KI.KN
	q.Hush()
	w.until("it is lost", 2*mka.LifeTime, func() bool { return !isLive(m, q.SCI) })
	w.until("the rest have a new SAK", mka.HelloTime, func() bool { return p.Key.KI.KN == kn+1 })
	if _, ok := m.SecY.Find(q.SCI, p.Key.KI.KeyID()); ok {
		t.Error("it has a receive SA for the one that is gone")
	}
}

// Clause: 802.1X-2020 9.8
// Requirement: R67
func TestLossOfTheLastLivePeerMakesNoSAK(t *testing.T) {
	w, m, p := serving(t)
	made := m.Count(mka.EventSAKGenerated)
	p.Hush()
	w.Run(30 * time.Second)
	if n := m.Count(mka.EventSAKGenerated); n != made {
		t.Errorf("%d SAKs made for nobody", n-made)
	}
}

// Clause: 802.1X-2020 9.8
// Requirement: R67
func TestTriggerWaitsForLifeTimeWhileAPeerIsPotentialAndIsNotLost(t *testing.T) {
	w, m, p := serving(t)
	first := distributed(p)[0].At
	kn := p.Key.KI.KN
	q := w.peer(3)
	for i := range 10 { // always potential
		w.After(time.Duration(i)*time.Second, func() { q.Tell(m, listingNobody) })
	}
	w.Run(time.Second)
	m.MustStep(mka.RekeyRequested{})
	w.until("the SAK is made", mka.LifeTime, func() bool { return p.Key.KI.KN != kn })
	if waited := w.Now.Sub(first); waited < mka.LifeTime || waited > mka.LifeTime+mka.MinGap {
		t.Errorf("distributed %v after the one before, want %v", waited, mka.LifeTime)
	}
	if p.Key.KI.KN != kn+1 {
		t.Errorf("KN %d after %d", p.Key.KI.KN, kn)
	}
}

// Clause: 802.1X-2020 9.8
// Requirement: R67
func TestTriggersInTheHoldOffMakeOneSAK(t *testing.T) {
	w, m, p := serving(t)
	made := m.Count(mka.EventSAKGenerated)
	q := w.peer(3)
	q.Tell(m, listingNobody)
	for i := range 5 {
		w.After(time.Duration(i)*time.Second, func() { m.MustStep(mka.RekeyRequested{}) })
	}
	w.Run(mka.LifeTime + mka.HelloTime)
	if n := m.Count(mka.EventSAKGenerated) - made; n != 1 {
		t.Errorf("%d SAKs for the triggers of one hold-off, want 1", n)
	}
	if p.Key.KI.KN != eapol.KN(made+1) {
		t.Errorf("the peer has KN %d, want %d", p.Key.KI.KN, made+1)
	}
}

// Clause: 802.1X-2020 9.8
// Requirement: R67
func TestTriggerIsServedAtOnceWhenNobodyIsPotential(t *testing.T) {
	w, m, p := serving(t)
	kn := p.Key.KI.KN
	m.MustStep(mka.RekeyRequested{})
	w.until("the peer has the next", 2*mka.MinGap, func() bool { return p.Key.KI.KN == kn+1 })
}

// Clause: 802.1X-2020 9.8, 9.9
// Requirement: R68
func TestKeyNumbersGrowBy1AndAssociationNumbersCycle(t *testing.T) {
	w, m, p := serving(t)
	for range 10 {
		last := p.Key
		m.MustStep(mka.RekeyRequested{})
		w.Run(5 * time.Second)
		if p.Key.KI.KN != last.KI.KN+1 || p.Key.AN != (last.AN+1)%4 {
			t.Errorf("KN %d AN %d after KN %d AN %d", p.Key.KI.KN, p.Key.AN, last.KI.KN, last.AN)
		}
	}
}

// Clause: 802.1X-2020 9.8, 9.9
// Requirement: R68
func TestManyRekeysInOneRetireTimeNeverTakeAnAssociationNumberInUse(t *testing.T) {
	w, m, p := serving(t)
	for range 50 {
		m.MustStep(mka.RekeyRequested{}) // the SecY panics at an AN that is taken
		w.Run(100 * time.Millisecond)
	}
	w.Run(settleTime)
	if m.SecY.Tx != p.Key.KI.KeyID() || !m.KaY.Secured() {
		t.Errorf("transmits with %s, secured %t; peer has %s", m.SecY.Tx, m.KaY.Secured(), p.Key.KI)
	}
}

// Clause: 802.1X-2020 9.8
// Requirement: R68
func TestKeyNumberWrapTakesANewMI(t *testing.T) {
	w, m, p := serving(t)
	mi := m.MI()
	m.KaY.SetKN(^eapol.KN(0))
	m.MustStep(mka.RekeyRequested{})
	w.Run(settleTime)
	if p.Key.KI.MI == mi || p.Key.KI.MI != m.MI() || p.Key.KI.KN != 1 || m.SecY.Tx != p.Key.KI.KeyID() {
		t.Errorf("peer has %s after KNs of %s were used up; MI is %s", p.Key.KI, mi, m.MI())
	}
}

// Clause: 802.1X-2020 9.8, 12.4
// Requirement: R74
func TestFirstSAKIsTransmittedWithAtOnce(t *testing.T) {
	_, m, p := alone(t)
	p.Tell(m, listing(m.MI(), mnOf(m)))
	if m.SecY.Tx.IsZero() || !m.KaY.Secured() {
		t.Error("waits for the peer, though no traffic can be lost")
	}
}

// Clause: 802.1X-2020 9.8, 12.4
// Requirement: R74
func TestNextSAKIsTransmittedWithWhenAllLivePeersReceive(t *testing.T) {
	w, m, p := serving(t)
	w.Run(5 * time.Second)
	first := m.SecY.Tx
	p.Hush()
	m.MustStep(mka.RekeyRequested{})
	w.Run(time.Second)
	if m.SecY.Tx != first {
		t.Fatal("transmits with the next before the peer can receive it")
	}
	p.Tell(m) // it has taken the SAK meanwhile, and says so
	if m.SecY.Tx == first || m.SecY.Tx != p.Key.KI.KeyID() {
		t.Errorf("transmits with %s, want %s", m.SecY.Tx, p.Key.KI)
	}
}

// Clause: 802.1X-2020 9.8, 12.4; who has become live since the SAK was made gets the next, and does not hold this one up
// Requirement: R74
func TestNextSAKIsTransmittedWithWhoeverHasComeSince(t *testing.T) {
	w, m, p := serving(t)
	q := w.peer(3)
	w.Run(5 * time.Second)
	first := m.SecY.Tx
	p.Hush()
	m.MustStep(mka.RekeyRequested{})
	w.Run(time.Second)
	q.Talk()
	w.until("the newcomer is live", time.Second, func() bool { return isLive(m, q.SCI) })
	if m.SecY.Tx != first {
		t.Fatal("transmits with the next before its peer can receive it")
	}
	p.Tell(m)
	if m.SecY.Tx == first || m.SecY.Tx != p.Key.KI.KeyID() {
		t.Errorf("transmits with %s, want %s", m.SecY.Tx, p.Key.KI)
	}
}

// Clause: 802.1X-2020 9.8, 12.4
// Requirement: R74
func TestNextSAKIsTransmittedWithAfterLifeTimeWhateverPeersReport(t *testing.T) {
	w, m, p := serving(t, suites(secy.GCMAES128))
	w.Run(5 * time.Second)
	first, from := m.SecY.Tx, w.Now
	p.Takes = func(secy.CipherSuite) bool { return false }
	m.MustStep(mka.RekeyRequested{})
	w.until("it transmits with the next", 2*mka.LifeTime, func() bool { return m.SecY.Tx != first })
	if waited := w.Now.Sub(from); waited != mka.LifeTime {
		t.Errorf("after %v, want %v", waited, mka.LifeTime)
	}
}

// Clause: 802.1X-2020 9.6.1, 9.8
// Requirement: R71
func TestPeerThatCannotOrWillNotSecureGetsADistributedSAKOfLength0(t *testing.T) {
	for name, alter := range map[string]func(*mkatest.Peer){
		"not desired":   func(p *mkatest.Peer) { p.Desired = false },
		"no capability": func(p *mkatest.Peer) { p.Capability = secy.CapabilityNone },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			m, p := w.kay(2, shouldSecure), w.peer(1)
			alter(p)
			p.Talk()
			w.Run(time.Second)
			if d := p.Last().DistributedSAK; !d.Present || !d.Empty || m.Status().CP != "AUTHENTICATED" {
				t.Errorf("distributes %+v in CP state %s, want length 0 in AUTHENTICATED", d, m.Status().CP)
			}
		})
	}
}

// Clause: 802.1X-2020 9.6.1
// Requirement: R71
func TestKeyServerWithoutCapabilityDistributesLength0(t *testing.T) {
	w := newWorld(t)
	_, p := w.kay(2, func(c *mka.Config) { c.Capability = secy.CapabilityNone }), w.peer(1)
	p.Talk()
	w.Run(time.Second)
	if last := p.Last(); !last.DistributedSAK.Empty || last.Basic.MACsecDesired {
		t.Errorf("distributes %+v, desires MACsec %t", last.DistributedSAK, last.Basic.MACsecDesired)
	}
}

// Clause: 802.1X-2020 9.8, 11.11.3
// Requirement: R72
func TestOffsetIsTheConfiguredOneLimitedByTheLeastCapability(t *testing.T) {
	for _, c := range []struct {
		suite      secy.CipherSuite
		configured secy.ConfidentialityOffset
		capability secy.Capability
		want       secy.ConfidentialityOffset
	}{
		{secy.GCMAES128, secy.Offset50, secy.CapabilityOffsets, secy.Offset50},
		{secy.GCMAES256, secy.Offset30, secy.CapabilityOffsets, secy.Offset30},
		{secy.GCMAES128, secy.Offset30, secy.CapabilityConfidentiality, secy.Offset0},
		{secy.GCMAES128, secy.Offset30, secy.CapabilityIntegrity, secy.IntegrityOnly},
		{secy.GCMAESXPN128, secy.Offset0, secy.CapabilityIntegrity, secy.IntegrityOnly},
		{secy.GCMAESXPN256, secy.IntegrityOnly, secy.CapabilityOffsets, secy.IntegrityOnly},
	} {
		t.Run(c.suite.String()+" "+c.configured.String()+" "+string('0'+rune(c.capability)), func(t *testing.T) {
			w := newWorld(t)
			m, p := w.kay(2, suites(c.suite), offset(c.configured)), w.peer(1)
			p.Capability = c.capability
			if !p.Follow(m) {
				t.Fatal("not secured")
			}
			if got := distributed(p)[0].DistributedSAK.Offset; got != c.want || m.SecY.Settings.Offset != c.want {
				t.Errorf("distributes %s, installs %s, want %s", got, m.SecY.Settings.Offset, c.want)
			}
		})
	}
}

// Clause: 802.1X-2020 11.11.3, 802.1AE-2018 14.7
// Requirement: R72
func TestXPNSuiteIsNotChosenWithAnOffsetThatItLacks(t *testing.T) {
	for _, o := range []secy.ConfidentialityOffset{secy.Offset30, secy.Offset50} {
		_, m, _ := serving(t, offset(o))
		if s := m.SecY.Settings; s.CipherSuite != secy.GCMAES256 || s.Offset != o {
			t.Errorf("installs %s with %s, want GCM-AES-256 with %s", s.CipherSuite, s.Offset, o)
		}
	}
}

// Clause: 802.1X-2020 9.4.2, 9.8: a SAK is named by the MI under which it was made, and is not distributed under another
// Requirement: R68
func TestSAKOfAFormerMIIsNotDistributed(t *testing.T) {
	w, m, p := serving(t)
	w.Run(mka.LifeTime)
	p.Hush()
	m.MustStep(mka.RekeyRequested{}) // p does not report it
	w.peer(3).Tell(m, listingNobody) // the next SAK has to wait
	w.Run(mka.HelloTime)
	mi := m.MI()
	p.Tell(m, func(u *eapol.MKPDU) { u.Basic.MI = mi })
	sent := len(p.Received)
	w.Run(mka.HelloTime)
	if m.MI() == mi || len(p.Received) == sent {
		t.Fatalf("MI changed %t, %d MKPDUs since", m.MI() != mi, len(p.Received)-sent)
	}
	for _, r := range p.Received[sent:] {
		if r.DistributedSAK.Present {
			t.Errorf("MN %d distributes KN %d", r.Basic.MN, r.DistributedSAK.KN)
		}
	}
}

// Clause: 802.1X-2020 9.8, 12.4; wpa_supplicant 2.10 dies of an MKPDU that both tells it to transmit with one SAK and has another
// Requirement: R112
func TestNoSAKIsMadeBeforeTheLastIsTakenUp(t *testing.T) {
	for name, c := range map[string]struct {
		rx, tx bool // what the member reports to do with the last in the end
		within time.Duration
	}{
		"once the member transmits with it":        {true, true, mka.LifeTime - time.Second},
		"when it receives only, after Life Time":   {true, false, mka.LifeTime},
		"when it reports nothing, after SuiteTime": {false, false, mka.SuiteTime},
	} {
		t.Run(name, func(t *testing.T) {
			w, m, p := serving(t)
			p.Hush()
			m.MustStep(mka.RekeyRequested{})
			w.Run(mka.MinGap + w.Delay)
			made, born := m.Count(mka.EventSAKGenerated), w.Now
			last := p.Last().DistributedSAK
			report := func(rx, tx bool) {
				p.Tell(m, func(u *eapol.MKPDU) {
					u.SAKUse = eapol.SAKUse{Present: true, Latest: eapol.KeyUse{KI: eapol.KI{MI: m.MI(), KN: last.KN}, AN: last.AN,
						Rx: true, Tx: tx}}
					if !rx { // the one before
						u.SAKUse.Latest = eapol.KeyUse{KI: eapol.KI{MI: m.MI(), KN: last.KN - 1}, AN: last.AN - 1, Rx: true, Tx: true}
					}
				})
			}
			report(c.rx, false)
			m.MustStep(mka.RekeyRequested{})
			for w.Now.Sub(born) < c.within-time.Second {
				if w.Run(500 * time.Millisecond); m.Count(mka.EventSAKGenerated) != made {
					t.Fatalf("another SAK was made %s after the last", w.Now.Sub(born))
				}
				report(c.rx, false)
			}
			report(c.rx, c.tx)
			if w.Run(mka.MinGap + w.Delay); c.tx != (m.Count(mka.EventSAKGenerated) > made) {
				t.Errorf("transmitting: %t, SAKs made: %d", c.tx, m.Count(mka.EventSAKGenerated)-made)
			}
			w.Run(time.Second)
			if n := m.Count(mka.EventSAKGenerated) - made; n != 1 {
				t.Errorf("%d SAKs made afterwards, want 1", n)
			}
		})
	}
}

package mka_test

import (
	"errors"
	"testing"
	"time"

	"mkad/eapol"
	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// Clause: 802.1X-2020 9.8
// Requirement: R70
func TestRekeyRequestMakesOneSAK(t *testing.T) {
	w, members := group(t, 2)
	made := members[0].Count(mka.EventSAKGenerated)
	members[0].MustStep(mka.RekeyRequested{})
	w.connected(members...)
	if n := members[0].Count(mka.EventSAKGenerated) - made; n != 1 {
		t.Errorf("%d SAKs made, want 1", n)
	}
}

// Clause: 802.1X-2020 9.8
// Requirement: R70, R122
func TestRekeyRequestToAnyoneElseIsAnError(t *testing.T) {
	w, members := group(t, 2)
	lonely := w.kay(9)
	lonely.MustStep(mka.LinkChanged{})
	for _, m := range []*mkatest.Member{members[1], lonely} {
		if err := m.Step(mka.RekeyRequested{}); !errors.Is(err, mka.ErrNotKeyServer) {
			t.Errorf("%s: %v, want %v", m.Name, err, mka.ErrNotKeyServer)
		}
	}
}

// Clause: 802.1X-2020 9.8
// Requirement: R70
func TestSAKLifetimeMakesANewSAKEachTime(t *testing.T) {
	w, members := group(t, 2, func(c *mka.Config) { c.SAKLifetime = time.Minute })
	made := members[0].Count(mka.EventSAKGenerated)
	w.Run(10 * time.Minute)
	w.check.Connected(members...)
	if n := members[0].Count(mka.EventSAKGenerated) - made; n != 10 {
		t.Errorf("%d SAKs in 10 minutes with a lifetime of one, want 10", n)
	}
	if members[1].Count(mka.EventSAKGenerated) != 0 || members[0].Count(mka.EventUnsecured) != 0 {
		t.Error("the follower made one, or the port was unsecured")
	}
}

// Clause: 802.1X-2020 9.8
// Requirement: R70
func TestWithoutSAKLifetimeOneSAKServesForEver(t *testing.T) {
	w, members := group(t, 2)
	made := members[0].Count(mka.EventSAKGenerated)
	w.Run(2 * time.Hour)
	if n := members[0].Count(mka.EventSAKGenerated) - made; n != 0 {
		t.Errorf("%d SAKs made in 2 hours without a reason", n)
	}
}

// exhaustion is the PN above which a SAK must be replaced.
func exhaustion(suite secy.CipherSuite) secy.PN {
	if suite.XPN() {
		return 0xc000000000000000
	}
	return 0xc0000000
}

// Clause: 802.1X-2020 9.8
// Requirement: R69
func TestPacketNumbersOfAnyMemberThatRunOutMakeOneSAK(t *testing.T) {
	for _, suite := range []secy.CipherSuite{secy.GCMAES128, secy.GCMAESXPN256} {
		for who, name := range []string{"the key server", "a follower"} {
			t.Run(suite.String()+" of "+name, func(t *testing.T) {
				w, members := group(t, 3, suites(suite))
				m, key := members[who], members[who].SecY.Tx
				made := members[0].Count(mka.EventSAKGenerated)
				m.SamplePN(key, exhaustion(suite))
				w.Run(10 * time.Second)
				if n := members[0].Count(mka.EventSAKGenerated) - made; n != 0 {
					t.Fatalf("%d SAKs made at the threshold, want none before it is passed", n)
				}
				for i := range 10 { // it goes on being high
					m.SamplePN(key, exhaustion(suite)+secy.PN(i)+1)
					w.Run(500 * time.Millisecond)
				}
				w.connected(members...)
				if n := members[0].Count(mka.EventSAKGenerated) - made; n != 1 || m.SecY.Tx == key {
					t.Errorf("%d SAKs made, in use %t; want 1 in use", n, m.SecY.Tx != key)
				}
			})
		}
	}
}

// Clause: 802.1X-2020 9.8
// Requirement: R69
func TestLowestPNInEitherSlotOfAPeersReportCounts(t *testing.T) {
	for name, inOld := range map[string]bool{"latest": false, "old": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			m, p := w.kay(2, suites(secy.GCMAES128)), w.peer(1)
			p.InOld = inOld
			if !p.Follow(m) {
				t.Fatal("not secured")
			}
			kn := p.Key.KI.KN
			for _, u := range []*eapol.KeyUse{&p.Use.Latest, &p.Use.Old} {
				if u.KI == p.Key.KI {
					u.LPN = 0xc0000001
				}
			}
			p.Say()
			w.Run(settleTime)
			if p.Key.KI.KN != kn+1 {
				t.Errorf("KN %d after %d, want one more", p.Key.KI.KN, kn)
			}
		})
	}
}

// Clause: 802.1X-2020 9.8, 11.11.3
// Requirement: R69, R87
func TestUpperHalfOfAPeersLowestPNCounts(t *testing.T) {
	w, m, p := serving(t, suites(secy.GCMAESXPN128))
	w.Run(5 * time.Second)
	kn := p.Key.KI.KN
	p.Tell(m, func(u *eapol.MKPDU) { u.SAKUse.Latest.LPN, u.XPN.LatestHigh = 0xffffffff, 0xbfffffff })
	w.Run(5 * time.Second)
	if p.Key.KI.KN != kn {
		t.Fatal("a new SAK below the threshold")
	}
	p.Tell(m, func(u *eapol.MKPDU) { u.SAKUse.Latest.LPN, u.XPN.LatestHigh = 1, 0xc0000000 })
	w.Run(5 * time.Second)
	if p.Key.KI.KN != kn+1 {
		t.Errorf("KN %d after %d, want one more", p.Key.KI.KN, kn)
	}
}

// Clause: 802.1X-2020 9.8
// Requirement: R69
func TestExhaustedTransmitSAMakesANewSAK(t *testing.T) {
	w, members := group(t, 2, suites(secy.GCMAES128))
	m, key := members[1], members[1].SecY.Tx
	m.SecY.PNs[key] = 1 << 32
	m.MustStep(mka.SecYReported{Report: secy.Report{Kind: secy.ReportExhausted, Key: key}})
	w.Run(mka.HelloTime + time.Second)
	w.check.Connected(members...)
	if m.SecY.Tx == key {
		t.Error("the exhausted key is still in use")
	}
}

// Clause: 802.1X-2020 9.8
// Requirement: R68
func TestNoKeyIdentifierComesTwice(t *testing.T) {
	w, members := group(t, 2)
	seen := map[eapol.KI]bool{}
	for i := range 20 { // the checker wants one SAK for each; here, one event
		switch i % 3 {
		case 0:
			members[0].MustStep(mka.RekeyRequested{})
		case 1:
			members[1].Restart()
			members[1].Up(ckn, cak())
		case 2:
			members[0].MustStep(mka.LinkChanged{})
			members[0].MustStep(mka.LinkChanged{Up: true})
		}
		w.Run(3 * time.Second)
	}
	for _, e := range members[0].Events {
		if e.Kind == mka.EventSAKGenerated {
			if seen[e.KI] {
				t.Errorf("%s was made twice", e.KI)
			}
			seen[e.KI] = true
		}
	}
	if len(seen) < 20 {
		t.Errorf("only %d SAKs made", len(seen))
	}
}

// Clause: 802.1X-2020 12.4, Figure 12-2 (READY): the key server transmits with a SAK and already distributes the next
// Requirement: R70
func TestSAKThatFollowsAnotherAtOnceLeavesNoGap(t *testing.T) {
	w, members := group(t, 3)
	server := members[0]
	was := server.SecY.Tx
	server.MustStep(mka.RekeyRequested{})
	w.until("the key server transmits with the next SAK", time.Second, func() bool { return server.SecY.Tx != was })
	was = server.SecY.Tx
	server.MustStep(mka.RekeyRequested{})
	w.RunUntil(settleTime, func() bool {
		if apart := mkatest.Apart(members); apart != "" {
			t.Errorf("at %d ms: %s", int64(w.Now)/1e6, apart)
		}
		return t.Failed()
	})
	if server.SecY.Tx == was {
		t.Error("the last SAK is not in service")
	}
}

// Clause: 802.1X-2020 9.8: a lifetime that ends in the hold-off makes one SAK after it
// Requirement: R70
func TestSAKLifetimeShorterThanTheHoldOffWaitsForIt(t *testing.T) {
	w, m, _ := serving(t, func(c *mka.Config) { c.SAKLifetime = 1 }) // the shortest
	q := w.peer(3)
	made := m.Count(mka.EventSAKGenerated)
	for range 12 { // always potential
		q.Tell(m, listingNobody)
		w.Run(time.Second) // the LAN panics at a deadline that stays
	}
	if n := m.Count(mka.EventSAKGenerated) - made; n != 2 {
		t.Errorf("%d SAKs in two Life Times, want 2", n)
	}
}

// Clause: 802.1X-2020 Figure 12-2, RETIRE and INIT
// Requirement: R92
func TestEverySAKIsToldToBeRetiredOnce(t *testing.T) {
	w, members := group(t, 2)
	m := members[0]
	m.MustStep(mka.RekeyRequested{})
	w.Run(mka.LifeTime)
	m.MustStep(mka.LinkChanged{})
	retired := map[eapol.KI]int{}
	for _, e := range m.Events {
		if e.Kind == mka.EventSAKRetired {
			retired[e.KI]++
		}
	}
	for _, e := range m.Events {
		if e.Kind == mka.EventSAKInstalled && retired[e.KI] != 1 {
			t.Errorf("%s was installed, and retired %d times", e.KI, retired[e.KI])
		}
	}
}

// Clause: 802.1X-2020 9.8: whoever says at all times that packet numbers run out gets a SAK each Life Time
// Requirement: R69
func TestExhaustionCountsAgainAfterLifeTime(t *testing.T) {
	w, m, p := serving(t, suites(secy.GCMAES128))
	w.Run(10 * time.Second)
	var made []mka.Time
	for range 100 {
		count := m.Count(mka.EventSAKGenerated)
		p.Tell(m, func(u *eapol.MKPDU) {
			u.SAKUse.Latest.LPN, u.SAKUse.Old.LPN = 0xffffffff, 0xffffffff
		})
		if m.Count(mka.EventSAKGenerated) > count {
			made = append(made, w.Now)
		}
		w.Run(200 * time.Millisecond)
	}
	if len(made) != 4 {
		t.Fatalf("%d SAKs in 20 s, want 4", len(made))
	}
	for i := 1; i < len(made); i++ {
		if d := made[i].Sub(made[i-1]); d != mka.LifeTime {
			t.Errorf("SAK %d comes %v after the one before, want %v", i+1, d, mka.LifeTime)
		}
	}
}

// Clause: 802.1X-2020 9.8: a member that does not want MACsec any more has no SAK to take up, and holds the next off no more
// Requirement: R67
func TestMemberThatWantsNoMACsecDoesNotHoldTheNextSAKOff(t *testing.T) {
	w, m, p := serving(t, suites(secy.GCMAES128))
	other := w.peer(3)
	other.Talk()
	w.Run(2 * mka.LifeTime)
	other.Takes = func(secy.CipherSuite) bool { return false }
	m.MustStep(mka.RekeyRequested{})
	w.Run(100 * time.Millisecond)
	first := p.Key.KI
	other.Desired = false
	other.Say()
	m.MustStep(mka.RekeyRequested{})
	if w.Run(200 * time.Millisecond); p.Key.KI == first {
		t.Error("the next SAK waits for who takes none")
	}
}

package mka_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mkad/eapol"
	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

var allSuites = []secy.CipherSuite{secy.GCMAESXPN256, secy.GCMAESXPN128, secy.GCMAES256, secy.GCMAES128}

// only is for Peer.Takes.
func only(list ...secy.CipherSuite) func(secy.CipherSuite) bool {
	return func(c secy.CipherSuite) bool { return slices.Contains(list, c) }
}

// offers are the suites of the SAKs that the peer was distributed, in their order, with the time of the first MKPDU.
func offers(p *mkatest.Peer) (all []secy.CipherSuite, at []mka.Time) {
	last := uint32(0)
	for _, r := range distributed(p) {
		if kn := uint32(r.DistributedSAK.KN); kn != last {
			last, all, at = kn, append(all, r.DistributedSAK.Suite), append(at, r.At)
		}
	}
	return all, at
}

// Clause: 802.1X-2020 11.12.3
// Requirement: R73
func TestKeyServerTakesTheFirstOfItsSuitesThatAllAnnouncersHave(t *testing.T) {
	for _, c := range []struct {
		name string
		own  []secy.CipherSuite
		a, b []secy.CipherSuite
		want secy.CipherSuite
	}{
		{"both have all", allSuites, allSuites, allSuites, secy.GCMAESXPN256},
		{"one has no XPN", allSuites, allSuites, []secy.CipherSuite{secy.GCMAES128, secy.GCMAES256}, secy.GCMAES256},
		{"one common suite", allSuites, []secy.CipherSuite{secy.GCMAES128, secy.GCMAESXPN128},
			[]secy.CipherSuite{secy.GCMAES256, secy.GCMAESXPN128}, secy.GCMAESXPN128},
		{"our order counts, not theirs", []secy.CipherSuite{secy.GCMAES128, secy.GCMAESXPN256}, allSuites, allSuites,
			secy.GCMAES128},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			m, a, b := w.kay(4, suites(c.own...)), w.peer(1), w.peer(2)
			a.Announces, b.Announces = c.a, c.b
			a.Talk()
			b.Talk()
			w.Run(settleTime)
			if a.Key.Suite != c.want || b.Key.Suite != c.want || m.Status().CipherSuite != c.want {
				t.Errorf("peers have %s and %s, the KaY %s; want %s", a.Key.Suite, b.Key.Suite, m.Status().CipherSuite, c.want)
			}
		})
	}
}

// Clause: 802.1X-2020 11.12.3
// Requirement: R73
func TestNoSuiteInCommonMakesNoSAKAndIsToldOnce(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(2, suites(secy.GCMAESXPN256)), w.peer(1)
	p.Announces = []secy.CipherSuite{secy.GCMAES128}
	p.Talk()
	w.Run(time.Minute)
	if n := m.Count(mka.EventNoSuite); n != 1 || m.Count(mka.EventSAKGenerated) != 0 {
		t.Errorf("told %d times, %d SAKs made; want once and none", n, m.Count(mka.EventSAKGenerated))
	}
}

// Clause: 802.1X-2020 11.12.3
// Requirement: R73
func TestSuiteThatIsAnnouncedLaterIsUsed(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(2, suites(secy.GCMAESXPN256)), w.peer(1)
	p.Announces = []secy.CipherSuite{secy.GCMAES128}
	p.Talk()
	w.Run(10 * time.Second)
	p.Announces = []secy.CipherSuite{secy.GCMAESXPN256}
	p.Say()
	w.until("secured", time.Second, m.KaY.Secured)
}

// Clause: 802.1X-2020 11.12.3
// Requirement: R73
func TestOwnSuitesAreAnnouncedInTheOrderOfTheList(t *testing.T) {
	own := []secy.CipherSuite{secy.GCMAES256, secy.GCMAESXPN128, secy.GCMAES128}
	_, _, p := serving(t, suites(own...))
	var got []secy.CipherSuite
	for _, s := range p.Last().Announcement.Suites {
		got = append(got, s.Suite)
	}
	if !slices.Equal(got, own) {
		t.Errorf("announces %v, want %v", got, own)
	}
}

// Clause: 802.1X-2020 11.11.3
// Requirement: R73
func TestFirstOfferToAMutePeerFollowsItsVersion(t *testing.T) {
	for _, c := range []struct {
		name    string
		version uint8
		own     []secy.CipherSuite
		want    secy.CipherSuite
	}{
		{"version 1: GCM-AES-128 before 256", 1, allSuites, secy.GCMAES128},
		{"version 1, without GCM-AES-128: not XPN", 1, []secy.CipherSuite{secy.GCMAESXPN256, secy.GCMAES256}, secy.GCMAES256},
		{"version 2: the first", 2, allSuites, secy.GCMAESXPN256},
		{"version 3: the first", 3, []secy.CipherSuite{secy.GCMAES256, secy.GCMAES128}, secy.GCMAES256},
		{"version 255: the first", 255, allSuites, secy.GCMAESXPN256},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			m, p := w.kay(2, suites(c.own...)), w.peer(1)
			p.Version = c.version
			if !p.Follow(m) {
				t.Fatal("not secured")
			}
			if got, _ := offers(p); got[0] != c.want {
				t.Errorf("offers %s first, want %s", got[0], c.want)
			}
		})
	}
}

// Clause: 802.1X-2020 11.11.3
// Requirement: R73
func TestNextSuiteIsOfferedToAMutePeerEveryThreeSeconds(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(2), w.peer(1)
	p.Takes = only(secy.GCMAES128)
	p.Talk()
	w.until("the peer has taken one", 15*time.Second, func() bool { return p.Key.Suite == secy.GCMAES128 })
	got, at := offers(p)
	if !slices.Equal(got, allSuites) {
		t.Fatalf("offers %v, want %v", got, allSuites)
	}
	for i := 1; i < len(at); i++ {
		if d := at[i].Sub(at[i-1]); d < mka.SuiteTime || d > mka.SuiteTime+mka.MinGap {
			t.Errorf("offer %d comes %v after the one before, want %v", i+1, d, mka.SuiteTime)
		}
	}
	if n := m.Count(mka.EventSuiteRefused); n != 3 {
		t.Errorf("told %d times, want 3", n)
	}
	w.connectedTo(m, p)
}

// connectedTo wants the KaY and the scripted peer to transmit with the same key in the end.
func (w *world) connectedTo(m *mkatest.Member, p *mkatest.Peer) {
	w.t.Helper()
	w.until("both transmit with one key", mka.LifeTime, func() bool {
		u := p.Use.Latest
		if u.KI.IsZero() {
			u = p.Use.Old
		}
		return u.Tx && m.SecY.Tx == u.KI.KeyID() && m.KaY.Secured()
	})
}

// Clause: 802.1X-2020 11.11.3
// Requirement: R73
func TestRefusedSuitesAreRememberedWhileThePeerLives(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(2), w.peer(1)
	p.Takes = only(secy.GCMAES256)
	p.Talk()
	w.until("the peer has taken one", 10*time.Second, func() bool { return p.Key.Suite == secy.GCMAES256 })
	w.Run(time.Minute)
	sent := len(p.Received)
	m.MustStep(mka.RekeyRequested{})
	w.Run(time.Minute)
	for _, r := range p.Received[sent:] {
		if d := r.DistributedSAK; d.Present && d.Suite != secy.GCMAES256 {
			t.Fatalf("%s is offered again", d.Suite)
		}
	}
	w.connectedTo(m, p)
}

// Clause: 802.1X-2020 11.11.3
// Requirement: R73
func TestRefusedSuitesAreForgottenWithThePeer(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(2), w.peer(1)
	p.Takes = only(secy.GCMAES256)
	p.Talk()
	w.until("the peer has taken one", 10*time.Second, func() bool { return p.Key.Suite == secy.GCMAES256 })
	p.Takes = nil
	p.Rejoin()
	p.Talk()
	w.Run(settleTime)
	if p.Key.Suite != secy.GCMAESXPN256 {
		t.Errorf("its next life has %s, want the first of the list", p.Key.Suite)
	}
	w.connectedTo(m, p)
}

// Clause: 802.1X-2020 11.11.3
// Requirement: R73
func TestListOfSuitesStartsOverWhenAPeerHasTakenNone(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(2), w.peer(1)
	p.Takes = only()
	p.Talk()
	w.Run(4*mka.SuiteTime + 2*mka.LifeTime)
	p.Takes = nil
	w.Run(5 * mka.SuiteTime)
	w.connectedTo(m, p)
}

// Clause: 802.1X-2020 9.8
// Requirement: R78
func TestFollowerTakesAnySuiteOfItsList(t *testing.T) {
	for _, suite := range secy.CipherSuites {
		t.Run(suite.String(), func(t *testing.T) {
			_, m, p := following(t, suite)
			tx, _ := m.SecY.Transmitting()
			if s := m.Status(); s.CipherSuite != suite || m.SecY.Settings.CipherSuite != suite || tx.SAK != p.Key.SAK {
				t.Errorf("status %s, SecY %s, the server's SAK %t", s.CipherSuite, m.SecY.Settings.CipherSuite, tx.SAK == p.Key.SAK)
			}
		})
	}
}

// Clause: 802.1X-2020 9.8
// Requirement: R93
func TestFollowerChangesSuiteWithTheKeyServer(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	w.Run(5 * time.Second)
	p.Generate(secy.GCMAESXPN256, secy.Offset0)
	p.Say()
	w.until("the other suite is in use", mka.HelloTime, func() bool {
		return m.SecY.Tx == p.Key.KI.KeyID() && m.Status().CipherSuite == secy.GCMAESXPN256
	})
}

// Clause: 802.1X-2020 11.11
// Requirement: R114
func TestVersionFallsBackForAPeerThatAnswersNoHigherOne(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(2), w.peer(1)
	p.Version = 1
	for range 10 { // it hears, but takes no version above its own
		p.Tell(m, listingNobody)
		w.Run(mka.HelloTime)
	}
	last := p.Last()
	if last.Basic.MKAVersion != 1 || last.Announcement.Present {
		t.Errorf("version %d, announcement %t; want 1 and none", last.Basic.MKAVersion, last.Announcement.Present)
	}
	p.Hush()
	w.Run(settleTime)
	if v := p.Last().Basic.MKAVersion; v != 3 {
		t.Errorf("version %d when nobody is left, want 3", v)
	}
}

// Clause: 802.1X-2020 11.11; it falls with the hello that is Life Time after the first MKPDU of the peer
// Requirement: R114
func TestVersionFallsBackALifeTimeAfterThePeerWasHeard(t *testing.T) {
	w, m, p := alone(t)
	p.Version = 1
	w.Run(5 * mka.HelloTime)
	p.Tell(m, listingNobody) // which is news, and from here on hellos are counted
	for range 3 {
		if w.Run(mka.HelloTime - time.Millisecond); p.Last().Basic.MKAVersion != 3 {
			t.Fatalf("version %d before Life Time is over", p.Last().Basic.MKAVersion)
		}
		p.Tell(m, listingNobody)
		w.Run(time.Millisecond)
	}
	w.Run(time.Millisecond)
	if v := p.Last().Basic.MKAVersion; v != 1 {
		t.Errorf("version %d after Life Time, want 1", v)
	}
}

// Clause: 802.1X-2020 12.4 (retireDelay); decision on suites: 3 s from when a member can take the SAK
// Requirement: R73
func TestPeerThatIsStillToRetireASAKIsNotJudgedToRefuseTheSuiteOfTheNext(t *testing.T) {
	w, m, p := serving(t) // p announces nothing
	w.Run(10 * time.Second)
	was := m.SecY.Tx
	m.MustStep(mka.RekeyRequested{})
	w.until("the next SAK is in use", time.Second, func() bool { return m.SecY.Tx != was })
	p.Takes = func(secy.CipherSuite) bool { return false }
	m.MustStep(mka.RekeyRequested{})
	w.Run(mka.SAKRetireTime + 100*time.Millisecond)
	p.Takes = nil
	w.Run(mka.HelloTime)
	if n := m.Count(mka.EventSuiteRefused); n != 0 {
		t.Errorf("its suite was judged to be refused %d times", n)
	}
	w.connectedTo(m, p)
}

// Clause: 802.1X-2020 11.12.3: each time that no suite is in common is told, and none in between
// Requirement: R73
func TestEachTimeWithoutASuiteInCommonIsTold(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(2, suites(secy.GCMAESXPN256)), w.peer(1)
	p.Talk()
	for round := 1; round <= 3; round++ {
		p.Announces = []secy.CipherSuite{secy.GCMAES128}
		p.Rejoin()
		p.Say()
		w.Run(2 * mka.LifeTime)
		if n := m.Count(mka.EventNoSuite); n != round {
			t.Errorf("told %d times, want %d", n, round)
		}
		p.Announces = []secy.CipherSuite{secy.GCMAESXPN256}
		p.Say()
		w.until("a SAK", mka.HelloTime, func() bool { return m.Count(mka.EventSAKGenerated) == round })
	}
}

// Clause: 802.1X-2020 11.12.3; a refusal names what both sides have
// Requirement: R73
func TestWhyThereIsNoSuiteNamesBothSides(t *testing.T) {
	const want = "we allow GCM-AES-XPN-256, GCM-AES-XPN-128; 0200000000010001 announces GCM-AES-128, GCM-AES-256"
	w := newWorld(t)
	m, p := w.kay(2, suites(secy.GCMAESXPN256, secy.GCMAESXPN128)), w.peer(1)
	p.Announces = []secy.CipherSuite{secy.GCMAES128, secy.GCMAES256}
	p.Talk()
	plain, potential := w.peer(3), w.peer(4) // who has no say in it
	plain.Announces, plain.Desired = p.Announces, false
	plain.Talk()
	potential.Announces = p.Announces
	for range 5 {
		potential.Tell(m, listingNobody)
		w.Run(mka.HelloTime)
	}
	told := slices.ContainsFunc(m.Events, func(e mkatest.Event) bool { return e.Kind == mka.EventNoSuite && e.Reason == want })
	if got := m.Status().NoSuite; got != want || !told {
		t.Errorf("it says %q; told: %t", got, told)
	}
	p.Priority = 0 // the other side of it: a key server that has none of ours
	p.Say()
	w.Run(time.Second)
	if got := m.Status().NoSuite; m.Status().KeyServer || got != want {
		t.Errorf("as follower it says %q", got)
	}
	p.Announces = []secy.CipherSuite{secy.GCMAESXPN128}
	p.Say()
	w.Run(time.Second)
	if got := m.Status().NoSuite; got != "" {
		t.Errorf("it still says %q", got)
	}
}

// Clause: 802.1AE-2018 14.7: XPN suites have no offset 30 and 50
// Requirement: R73
func TestWhyThereIsNoSuiteNamesTheOffset(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(2, suites(secy.GCMAESXPN256, secy.GCMAES256), offset(secy.Offset30)), w.peer(1)
	p.Announces = []secy.CipherSuite{secy.GCMAESXPN256}
	p.Talk()
	w.Run(10 * time.Second)
	if got := m.Status().NoSuite; !strings.Contains(got, "with offset-30") || !strings.Contains(got, "announces GCM-AES-XPN-256") {
		t.Errorf("it says %q", got)
	}
}

// Clause: 802.1X-2020 11.12.3; no more than a few are named
// Requirement: R73
func TestWhyThereIsNoSuiteIsBounded(t *testing.T) {
	w := newWorld(t)
	m := w.kay(20, suites(secy.GCMAES256), priority(0))
	for n := range 7 {
		p := w.peer(n + 1)
		p.Announces = []secy.CipherSuite{secy.GCMAES128}
		p.Talk()
	}
	w.Run(2 * mka.LifeTime)
	got := m.Status().NoSuite
	if n := strings.Count(got, "announces"); n != 4 || !strings.HasSuffix(got, "; and 3 more") {
		t.Errorf("it says %q", got)
	}
}

// Clause: 802.1X-2020 9.8; what is not allowed is named beside what is
// Requirement: R78
func TestForbiddenSAKIsNamedBesideWhatIsAllowed(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(2, suites(secy.GCMAES128), func(c *mka.Config) { c.Capability = secy.CapabilityConfidentiality }), w.peer(1)
	p.Priority = 0
	p.Talk()
	w.until("the peer is live", time.Second, func() bool { return isLive(m, p.SCI) && len(p.Others) == 1 && p.Others[0].Lists })
	p.Generate(secy.GCMAES256, secy.Offset30)
	p.Tell(m)
	const want = "distributes GCM-AES-256 with offset-30; we allow GCM-AES-128 with at most offset-0"
	if e := m.Events[len(m.Events)-1]; e.Discard != eapol.DiscardSAKPolicy || e.Reason != want || e.Suite != secy.GCMAES256 {
		t.Errorf("it says %+v", e)
	}
}

// Clause: 802.1X-2020 11.12.3; a peer that announces nothing is named with what it left unreported
// Requirement: R73
func TestWhyThereIsNoSuiteNamesWhatWasLeftUnreported(t *testing.T) {
	w := newWorld(t)
	m, mute, other := w.kay(3, suites(secy.GCMAES256, secy.GCMAES128)), w.peer(1), w.peer(2)
	mute.Takes = only()
	mute.Talk()
	w.until("a suite is refused", mka.LifeTime, func() bool { return m.Count(mka.EventSuiteRefused) == 1 })
	other.Announces = []secy.CipherSuite{secy.GCMAES256}
	other.Talk()
	const want = "we allow GCM-AES-256, GCM-AES-128; 0200000000010001 left unreported GCM-AES-256; " +
		"0200000000020001 announces GCM-AES-256"
	w.until("no suite suits both", 2*mka.LifeTime, func() bool { return m.Status().NoSuite == want })
}

// Clause: 802.1X-2020 11.11; it falls to the lowest of those who do not answer, and does not rise to another's
// Requirement: R114
func TestVersionFallsToTheLowestOfSeveralPeers(t *testing.T) {
	w, m, p := alone(t)
	other := w.peer(3)
	p.Version, other.Version = 1, 2
	for range 10 {
		p.Tell(m, listingNobody)
		other.Tell(m, listingNobody)
		w.Run(mka.HelloTime)
	}
	if v := p.Last().Basic.MKAVersion; v != 1 {
		t.Errorf("version %d, want 1", v)
	}
}

// Clause: 802.1X-2020 11.11; a peer that lists us hears us, however late it is
// Requirement: R114
func TestVersionDoesNotFallForAPeerThatListsUs(t *testing.T) {
	w, m, p := alone(t)
	p.Version = 1
	w.Run(5 * mka.HelloTime)
	for range 10 {
		p.Tell(m, listing(m.MI(), mnOf(m)-2)) // too old for proof, and not of another life
		w.Run(mka.HelloTime)
	}
	if v := p.Last().Basic.MKAVersion; v != 3 || isLive(m, p.SCI) {
		t.Errorf("version %d, want 3; live %t", v, isLive(m, p.SCI))
	}
}

// Clause: 802.1X-2020 11.12.3; a key server that announces nothing may have any suite
// Requirement: R73
func TestKeyServerThatAnnouncesNothingIsNotSaidToHaveNoSuite(t *testing.T) {
	for _, announces := range [][]secy.CipherSuite{nil, {secy.GCMAES128}, {secy.GCMAES256}, {secy.GCMAESXPN128}, {secy.GCMAESXPN256}} {
		w, m, p := alone(t)
		p.Priority, p.Announces = 0, announces
		p.Talk()
		w.Run(mka.HelloTime)
		if got := m.Status().NoSuite; got != "" || m.Status().KeyServer {
			t.Errorf("announces %v: it says %q", announces, got)
		}
	}
	w := newWorld(t)
	m, p := w.kay(2, suites(secy.GCMAES256)), w.peer(1)
	p.Priority, p.Announces = 0, []secy.CipherSuite{secy.GCMAES128}
	p.Talk()
	w.Run(mka.HelloTime)
	if got := m.Status().NoSuite; got == "" {
		t.Error("it says nothing where there is none")
	}
}

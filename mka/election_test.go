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

// serverOf is the key server that the KaY's first participant has elected.
func serverOf(m *mkatest.Member) secy.SCI { return m.Status().Participants[0].KeyServer }

// Clause: 802.1X-2020 9.5
// Requirement: R54, R55
func TestLowestPriorityThenLowestSCIIsKeyServer(t *testing.T) {
	for _, a := range []uint8{0, 16, 254} {
		for _, b := range []uint8{0, 16, 254} {
			t.Run(fmt.Sprintf("%d and %d", a, b), func(t *testing.T) {
				w := newWorld(t)
				first, second := w.kay(1, priority(a)), w.kay(2, priority(b))
				want := first.SCI()
				if b < a {
					want = second.SCI()
				}
				w.Run(time.Second)
				if serverOf(first) != want || serverOf(second) != want {
					t.Errorf("elected %s and %s, want %s", serverOf(first), serverOf(second), want)
				}
			})
		}
	}
}

// Clause: 802.1X-2020 9.5
// Requirement: R55
func TestPortIdentifierBreaksTheTieOfOneMAC(t *testing.T) {
	w := newWorld(t)
	port := func(n uint16) func(*mka.Config) {
		return func(c *mka.Config) { c.SCI = secy.NewSCI(mkatest.SCI(1).MAC(), n) }
	}
	high, low := w.kay(1, port(2)), w.kay(2, port(1))
	w.Run(time.Second)
	if serverOf(high) != low.SCI() || serverOf(low) != low.SCI() {
		t.Errorf("elected %s and %s, want %s", serverOf(high), serverOf(low), low.SCI())
	}
}

// Clause: 802.1X-2020 9.5
// Requirement: R56
func TestPriority255IsNeverElected(t *testing.T) {
	w := newWorld(t)
	never, worst := w.kay(1, priority(255)), w.kay(2, priority(254))
	w.connected(never, worst)
	if serverOf(never) != worst.SCI() {
		t.Errorf("elected %s, want %s", serverOf(never), worst.SCI())
	}
}

// Clause: 802.1X-2020 9.5
// Requirement: R56
func TestMembersThatAllHavePriority255ElectNobody(t *testing.T) {
	w := newWorld(t)
	a, b := w.kay(1, priority(255)), w.kay(2, priority(255))
	w.Run(time.Minute)
	for _, m := range []*mkatest.Member{a, b} {
		if serverOf(m) != 0 || m.Count(mka.EventSAKGenerated) != 0 || m.Status().Secured {
			t.Errorf("%s elected %s, made %d SAKs", m.Name, serverOf(m), m.Count(mka.EventSAKGenerated))
		}
	}
}

// Clause: 802.1X-2020 9.5
// Requirement: R57
func TestPeerWithoutKeyServerFlagIsNoCandidate(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(2), w.peer(1)
	p.Priority, p.KeyServer = 0, false
	if !p.Follow(m) || serverOf(m) != m.SCI() {
		t.Errorf("elected %s, want itself", serverOf(m))
	}
}

// Clause: 802.1X-2020 9.5
// Requirement: R58
func TestKeyServerFlagIsSetUntilAnotherIsElectedAndAgainWhenThatIsLost(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	if first := p.Received[0].Basic; !first.KeyServer {
		t.Error("no flag before the election")
	}
	w.Run(mka.HelloTime)
	if p.Last().Basic.KeyServer {
		t.Error("the flag is set though another is key server")
	}
	p.Hush()
	w.until("the key server is lost", 2*mka.LifeTime, func() bool { return serverOf(m) == 0 })
	w.Run(mka.MinGap)
	if !p.Last().Basic.KeyServer {
		t.Error("no flag after the loss of the key server")
	}
}

// Clause: 802.1X-2020 9.5
// Requirement: R58
func TestKeyServerKeepsItsFlag(t *testing.T) {
	w, _, p := serving(t)
	w.Run(10 * time.Second)
	for _, r := range p.Received {
		if !r.Basic.KeyServer {
			t.Fatalf("no flag in MN %d", r.Basic.MN)
		}
	}
}

// Clause: 802.1X-2020 9.5, 9.8
// Requirement: R61
func TestDistributedSAKOfALivePeerThatIsNotKeyServerIsDiscarded(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	q := w.peer(3)
	q.Talk()
	w.until("it is live", mka.HelloTime, func() bool { return isLive(m, q.SCI) })
	key := m.SecY.Tx
	q.Generate(secy.GCMAES128, secy.Offset0)
	wantDiscard(t, m, eapol.DiscardNotKeyServer, func() { q.Tell(m) })
	if m.SecY.Tx != key || key != p.Key.KI.KeyID() {
		t.Errorf("transmits with %s, want %s", m.SecY.Tx, key)
	}
}

// Clause: 802.1X-2020 9.5
// Requirement: R61
func TestKeyServerDiscardsTheSAKOfAWorsePeer(t *testing.T) {
	_, m, p := serving(t)
	p.Generate(secy.GCMAES128, secy.Offset0)
	wantDiscard(t, m, eapol.DiscardNotKeyServer, func() { p.Tell(m) })
}

// Clause: 802.1X-2020 9.5
// Requirement: R60
func TestLivePeerThatBettersItsPriorityBecomesKeyServer(t *testing.T) {
	w, m, p := serving(t)
	p.Priority = 0
	p.Tell(m)
	if serverOf(m) != p.SCI {
		t.Fatalf("elected %s, want %s", serverOf(m), p.SCI)
	}
	p.Generate(secy.GCMAES128, secy.Offset0)
	p.Say()
	w.until("the KaY follows", mka.HelloTime, func() bool { return m.SecY.Tx == p.Key.KI.KeyID() })
}

// Clause: 802.1X-2020 9.8: a key server that comes to be one makes a SAK of its own, though the members are the same
// Requirement: R67
func TestFollowerWhoseKeyServerStepsBackMakesASAK(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	w.Run(mka.LifeTime)
	p.Priority, p.Offer = 200, eapol.DistributedSAK{}
	p.Say()
	w.until("it makes a SAK", mka.HelloTime, func() bool { return m.Count(mka.EventSAKGenerated) == 1 })
	w.until("both use it", mka.LifeTime, func() bool { return m.SecY.Tx == p.Key.KI.KeyID() && p.Key.KI.MI == m.MI() })
}

// Clause: 802.1X-2020 9.5; SCI 0 is nobody's
// Requirement: R54
func TestMemberWithoutAnSCIIsNotElectedAndDisplacesNobody(t *testing.T) {
	w := newWorld(t)
	m, p, q := w.kay(3), w.peer(1), w.peer(2)
	p.Priority = 5
	q.SCI, q.Priority = 0, 0
	p.Talk()
	q.Talk()
	w.until("both are live", mka.HelloTime, func() bool { return isLive(m, p.SCI) && isLive(m, 0) })
	if serverOf(m) != p.SCI {
		t.Errorf("the key server is %s, want %s", serverOf(m), p.SCI)
	}
}

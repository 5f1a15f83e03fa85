package mka_test

import (
	"testing"
	"time"

	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// longLife is a Life Time of the port for gear with slow hellos.
const longLife = 15 * time.Second

// Clause: 802.1X-2020 9.8, Table 9-3; design: life_time is MKA Life Time wherever that counts
// Requirement: R67
func TestLifeTimeOfThePortIsTheHoldOff(t *testing.T) {
	w, m, _ := serving(t, lifeTime(longLife))
	first := firstSAKAt(m)
	keepSaying(w, w.peer(8)) // about to be live, as it seems, all the time
	w.Run(time.Second)
	m.MustStep(mka.RekeyRequested{})
	w.until("the next SAK", 2*longLife, func() bool { return m.Count(mka.EventSAKGenerated) == 2 })
	if got := w.Now.Sub(first); got != longLife {
		t.Errorf("the next SAK comes %v after the first, want %v", got, longLife)
	}
}

// firstSAKAt is when the first SAK was distributed.
func firstSAKAt(m *mkatest.Member) (at mka.Time) {
	for _, e := range m.Events {
		if e.Kind == mka.EventSAKGenerated {
			return e.At
		}
	}
	return at
}

// keepSaying has the peer say hello without listing anybody, which keeps it potential.
func keepSaying(w *world, p *mkatest.Peer) {
	p.Say(listingNobody)
	w.After(mka.HelloTime, func() { keepSaying(w, p) })
}

// Clause: 802.1X-2020 12.4 (transmitDelay), Table 9-3; design: life_time
// Requirement: R74
func TestLifeTimeOfThePortIsTheTransmitDelay(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(2, lifeTime(longLife)), w.peer(1)
	p.Announces = allSuites // it is not judged to refuse one
	if !p.Follow(m) {
		t.Fatal("not secured")
	}
	w.Run(longLife)
	p.Takes = func(secy.CipherSuite) bool { return false } // it never reports to receive
	key := m.SecY.Tx
	m.MustStep(mka.RekeyRequested{})
	at := w.Now
	w.until("it transmits nevertheless", 2*longLife, func() bool { return m.SecY.Tx != key })
	if got := w.Now.Sub(at); got != longLife {
		t.Errorf("it transmits %v after it receives, want %v", got, longLife)
	}
}

// Clause: 802.1X-2020 9.4.3, Table 9-3: an MN of ours that is listed proves nothing once it is Life Time old
// Requirement: R46
func TestLifeTimeOfThePortIsTheAgeOfAListedMessageNumber(t *testing.T) {
	w, m, p := serving(t, lifeTime(longLife))
	w.Run(longLife)
	p.Hush()
	stale := p.Heard(m.SCI()).Basic.MN
	at := w.Now
	for isLive(m, p.SCI) && w.Now.Sub(at) < time.Minute {
		w.Run(time.Second)
		p.Say(listing(m.MI(), stale))
	}
	if got := w.Now.Sub(at); got < 2*longLife-4*time.Second || got > 2*longLife+time.Second {
		t.Errorf("a peer that lists us with an old Message Number is lost after %v, want about %v", got, 2*longLife)
	}
}

// Clause: 802.1X-2020 9.3.2, Table 9-3: a successor waits Life Time of the port
// Requirement: R101
func TestLifeTimeOfThePortIsTheWaitOfASuccessor(t *testing.T) {
	w := newWorld(t)
	a, b := w.kay(1, lifeTime(longLife)), w.kay(2, lifeTime(longLife))
	w.Run(longLife)
	for _, m := range []*mkatest.Member{a, b} {
		m.MustStep(mka.ParticipantAdded{CKN: mkatest.CKN("0002"), CAK: mkatest.CAK(2, 16), Rank: 1})
	}
	at := w.Now
	w.until("the successor is principal", 2*longLife, func() bool { return a.Status().PrincipalCKN == mkatest.CKN("0002") })
	if got := w.Now.Sub(at); got < longLife || got > longLife+time.Second {
		t.Errorf("it is after %v, want %v", got, longLife)
	}
}

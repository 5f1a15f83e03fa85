package mka_test

import (
	"slices"
	"testing"
	"time"

	"mkad/eapol"
	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// roles are the two that a scripted peer can have beside a KaY.
var roles = map[string]func(*mkatest.Peer, *mkatest.Member) bool{
	"follower":   (*mkatest.Peer).Follow,
	"key server": func(p *mkatest.Peer, m *mkatest.Member) bool { return p.Serve(m, secy.GCMAES128) },
}

// keeps wants the KaY and the peer to stay secured through re-keys, minutes apart.
func keeps(w *world, m *mkatest.Member, p *mkatest.Peer) {
	w.t.Helper()
	for range 3 {
		w.Run(3 * time.Minute)
		last := m.SecY.Tx
		if m.Status().KeyServer {
			m.MustStep(mka.RekeyRequested{})
		} else {
			p.Generate(p.Key.Suite, secy.Offset0)
			p.Say()
		}
		w.until("both use the next SAK", 2*mka.HelloTime, func() bool { return m.SecY.Tx == p.Key.KI.KeyID() && m.SecY.Tx != last })
	}
	if m.Count(mka.EventUnsecured) != 0 || m.Count(mka.EventPeerLost) != 0 || m.Count(mka.EventNewMI) != 2 || p.Bad != 0 {
		w.t.Errorf("unsecured %d times, lost %d times, %d MIs, %d of our MKPDUs bad; want never, never, 2 and none",
			m.Count(mka.EventUnsecured), m.Count(mka.EventPeerLost), m.Count(mka.EventNewMI), p.Bad)
	}
}

// Clause: 802.1X-2020 11.11.3
// Requirement: R114
func TestPeerWithItsSetsOutOfOrderIsSecuredInBothRoles(t *testing.T) {
	for name, secures := range roles {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			m, p := w.kay(2), w.peer(1)
			p.Announces = allSuites
			p.Shape = func(frame []byte) []byte {
				return p.Rewrite(frame, func(sets [][]byte) [][]byte { slices.Reverse(sets[1:]); return sets })
			}
			if !secures(p, m) {
				t.Fatalf("not secured: %+v", m.Status())
			}
			keeps(w, m, p)
		})
	}
}

// Clause: 802.1X-2020 11.11: some drop every version but 3
// Requirement: R114
func TestPeerOfVersion3OnlyIsSecuredInBothRoles(t *testing.T) {
	for name, secures := range roles {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			m, p := w.kay(2), w.peer(1)
			w.Lose = func(_, to mkatest.Station, frame []byte) bool { return to == p && frame[bodyAt] != 3 }
			if !secures(p, m) {
				t.Fatalf("not secured: %+v", m.Status())
			}
			keeps(w, m, p)
		})
	}
}

// Clause: 802.1X-2020 9.5, Table 9-2: some set the Key Server flag beside 255
// Requirement: R56, R114
func TestPeerOfPriority255FollowsWhateverItsFlag(t *testing.T) {
	for _, flag := range []bool{false, true} {
		w := newWorld(t)
		m, p := w.kay(2, priority(254)), w.peer(1) // whose SCI is the lower
		p.Priority, p.KeyServer = 255, flag
		if !p.Follow(m) || serverOf(m) != m.SCI() {
			t.Fatalf("elected %s: %+v", serverOf(m), m.Status())
		}
		keeps(w, m, p)
	}
}

// Clause: 802.1X-2020 9.3.1: some fill the CKN up with zeros, and it is another then
// Requirement: R114
func TestCKNFilledUpWithZerosIsToldWithIt(t *testing.T) {
	_, m, p := alone(t)
	long := mkatest.CKN(ckn + string(make([]byte, 28)))
	mark := m.Mark()
	drops(t, m, eapol.DiscardUnknownCKN, proof(m, p, func(u *eapol.MKPDU) { u.Basic.CKN = long }))
	if e := m.Since(mark).Events[0]; e.CKN != long || e.MAC != p.SCI.MAC() {
		t.Errorf("told of CKN %s from %s, want %s from %s", e.CKN, e.MAC, long, p.SCI.MAC())
	}
}

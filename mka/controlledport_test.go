package mka_test

import (
	"testing"
	"time"

	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// Clause: 802.1X-2020 12.4, retireDelay
// Requirement: R92
func TestOldReceiveSAStaysForRetireTimeAfterTransmitting(t *testing.T) {
	w, m, p := serving(t)
	w.Run(5 * time.Second)
	old := m.SecY.Tx
	m.MustStep(mka.RekeyRequested{})
	w.until("it transmits with the next", mka.HelloTime, func() bool { return m.SecY.Tx != old })
	from := w.Now
	w.until("the old one is gone", mka.LifeTime, func() bool { _, ok := m.SecY.Find(p.SCI, old); return !ok })
	if d := w.Now.Sub(from); d != mka.SAKRetireTime {
		t.Errorf("gone after %v, want %v", d, mka.SAKRetireTime)
	}
}

// Clause: 802.1X-2020 12.4, retireDelay
// Requirement: R92
func TestFirstSAKHasNothingToRetire(t *testing.T) {
	_, m, _ := serving(t)
	if cp := m.Status().CP; cp != "RETIRE" {
		t.Errorf("CP in %s, want RETIRE at once", cp)
	}
}

// Clause: 802.1X-2020 9.5, 12.4, chgdServer
// Requirement: R93
func TestChangeOfKeyServerKeepsTheOldSAKUntilTheNewOneIsThere(t *testing.T) {
	w, m, p := serving(t)
	w.Run(5 * time.Second)
	old := m.SecY.Tx
	p.Priority = 0
	p.Say()
	w.Run(mka.HelloTime)
	if m.SecY.Tx != old || !m.SecY.Enabled {
		t.Fatal("the old SAK went before there was another")
	}
	p.Generate(secy.GCMAES128, secy.Offset0)
	p.Say()
	w.until("the new server's is in use", mka.HelloTime, func() bool { return m.SecY.Tx == p.Key.KI.KeyID() && m.SecY.Enabled })
	if _, ok := m.SecY.Find(0, old); ok {
		t.Error("the old SA is still there")
	}
}

// Clause: 802.1X-2020 12.4
// Requirement: R104
func TestMustSecureOpensTheControlledPortOnlyForProtectedTraffic(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(2), w.peer(1)
	w.Run(time.Minute)
	if m.SecY.Enabled {
		t.Fatal("open before there is a peer")
	}
	p.Follow(m)
	if s := m.SecY.Settings; !m.SecY.Enabled || !s.ProtectFrames || s.ValidateFrames != secy.ValidateStrict {
		t.Errorf("open %t with %+v when secured", m.SecY.Enabled, s)
	}
	p.Hush()
	w.Run(settleTime)
	if m.SecY.Enabled || len(m.SecY.SAs) != 0 {
		t.Errorf("open %t with %d SAs when all peers are lost", m.SecY.Enabled, len(m.SecY.SAs))
	}
}

// Clause: 802.1X-2020 12.4
// Requirement: R104
func TestControlledPortClosesBeforeItsSAsGo(t *testing.T) {
	w, m, p := serving(t)
	mark := m.Mark()
	p.Hush()
	w.Run(settleTime)
	for _, op := range m.Since(mark).Ops {
		if op.Kind == secy.OpControlledPort && !op.Enabled {
			return
		}
		if op.Kind == secy.OpDeleteSAs {
			break
		}
	}
	t.Errorf("not closed first: %v", m.Since(mark).Ops)
}

// Clause: 802.1X-2020 12.4, 12.5
// Requirement: R105
func TestShouldSecureIsInClearUntilSecuredAndAgainWhenPeersAreLost(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(2, shouldSecure), w.peer(1)
	clear := func(when string, want bool) {
		t.Helper()
		if s := m.SecY.Settings; !m.SecY.Enabled || s.ProtectFrames == want || (s.ValidateFrames == secy.ValidateStrict) == want ||
			m.KaY.InClear() != want || m.Status().Plain != want {
			t.Errorf("%s: open %t with %+v, in clear %t; want it open, in clear %t", when, m.SecY.Enabled, s, m.KaY.InClear(), want)
		}
	}
	clear("at first", true)
	p.Follow(m)
	clear("when secured", false)
	p.Hush()
	w.Run(settleTime)
	clear("when all peers are lost", true)
}

// Clause: 802.1X-2020 12.4
// Requirement: R105
func TestReplayProtectionIsForProtectedTrafficOnly(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(2, shouldSecure), w.peer(1)
	if m.SecY.Settings.ReplayProtect {
		t.Error("on in clear")
	}
	p.Follow(m)
	if s := m.SecY.Settings; !s.ReplayProtect || s.ReplayWindow != 128 || !s.SendSCI {
		t.Errorf("settings when secured: %+v", s)
	}
}

// Clause: 802.1X-2020 12.4, portEnabled
// Requirement: R95
func TestLinkDownDeletesEverythingAndPeersWithIt(t *testing.T) {
	_, m, _ := serving(t)
	m.MustStep(mka.LinkChanged{})
	if n := m.Count(mka.EventPeerLost); n != 1 {
		t.Errorf("the loss of the peer was told %d times", n)
	}
	if len(m.SecY.SAs) != 0 || len(m.SecY.SCs) != 0 || m.SecY.Enabled || len(m.Status().Participants[0].Peers) != 0 {
		t.Errorf("%d SAs, %d SCs, open %t, %d peers", len(m.SecY.SAs), len(m.SecY.SCs), m.SecY.Enabled,
			len(m.Status().Participants[0].Peers))
	}
	if at, ok := m.KaY.Deadline(); ok {
		t.Errorf("waits for %d with the link down", at)
	}
}

// Clause: 802.1X-2020 12.4, 12.5
// Requirement: R95
func TestLinkDownLeavesNoPrincipal(t *testing.T) {
	_, m, _ := serving(t)
	mark := m.Mark()
	m.MustStep(mka.LinkChanged{})
	if principal(m) != "" || m.Status().Participants[0].Principal || !m.Since(mark).Has(mka.EventPrincipal) {
		t.Errorf("principal %q with the link down, told %t", principal(m), m.Since(mark).Has(mka.EventPrincipal))
	}
}

// Clause: 802.1X-2020 12.4, portEnabled
// Requirement: R95
func TestNothingIsSentOrHeardWhileTheLinkIsDown(t *testing.T) {
	w, m, p := serving(t)
	m.MustStep(mka.LinkChanged{})
	mark, received := m.Mark(), m.Status().Received
	w.Run(time.Minute) // the peer talks on
	if did := m.Since(mark); did.Frames != 0 || len(did.Ops) != 0 || m.Status().Received != received {
		t.Errorf("%d frames sent, ops %v, %d MKPDUs received", did.Frames, did.Ops, m.Status().Received-received)
	}
	if p.MN < 20 {
		t.Error("the peer has not talked")
	}
}

// Clause: 802.1X-2020 12.4, portEnabled
// Requirement: R95
func TestLinkThatComesBackStartsCleanUnderANewMI(t *testing.T) {
	w, m, p := serving(t)
	mi := m.MI()
	m.MustStep(mka.LinkChanged{})
	w.Run(time.Second)
	m.MustStep(mka.LinkChanged{Up: true})
	if s := m.Status(); m.MI() == mi || s.Participants[0].MN != 1 || s.CP != "CHANGE" || len(s.Keys) != 0 {
		t.Errorf("MI changed %t, MN %d, CP %s, keys %v", m.MI() != mi, s.Participants[0].MN, s.CP, s.Keys)
	}
	w.Run(mka.LifeTime)
	w.connectedTo(m, p)
}

// Clause: 802.1X-2020 12.4, portEnabled
// Requirement: R95
func TestRepeatedLinkStateChangesNothing(t *testing.T) {
	_, m, _ := serving(t)
	mi, mark := m.MI(), m.Mark()
	m.MustStep(mka.LinkChanged{Up: true})
	if did := m.Since(mark); m.MI() != mi || len(did.Ops)+len(did.Events)+did.Frames != 0 {
		t.Errorf("MI changed %t, %+v", m.MI() != mi, did)
	}
}

// Clause: 802.1X-2020 12.4, portEnabled
// Requirement: R95
func TestLinkMayFlapAtAnyMoment(t *testing.T) {
	w := newWorld(t)
	a, b := w.kay(1), w.kay(2)
	for i := range 200 {
		w.Run(time.Duration(i*i%137) * time.Millisecond)
		m := []*mkatest.Member{a, b}[i%2]
		m.MustStep(mka.LinkChanged{})
		w.Run(time.Duration(i*7%61) * time.Millisecond)
		m.MustStep(mka.LinkChanged{Up: true})
	}
	w.connected(a, b)
}

// Clause: 802.1X-2020 12.4, retireDelay: it is for an old key only, whatever was to retire before
// Requirement: R92
func TestSAKOfAnotherKeyServerHasNothingToRetire(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	w.Run(mka.LifeTime)
	rekey(w, m, p) // the old key is retiring
	q := w.peer(3)
	q.Priority, p.Priority = 0, 1
	p.Hush()
	p.Tell(m)
	q.Tell(m, listing(m.MI(), mnOf(m)))
	w.Run(mka.MinGap + w.Delay)
	q.Generate(secy.GCMAES128, secy.Offset0)
	q.Say()
	w.Run(w.Delay)
	if cp := m.Status().CP; m.SecY.Tx != q.Key.KI.KeyID() || cp != "RETIRE" {
		t.Errorf("transmits with %s in %s, want %s in RETIRE", m.SecY.Tx, cp, q.Key.KI)
	}
}

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

// alone is a KaY that has sent some hellos, and a scripted peer that has not spoken.
func alone(t *testing.T, edit ...func(*mka.Config)) (*world, *mkatest.Member, *mkatest.Peer) {
	w := newWorld(t)
	m, p := w.kay(2, edit...), w.peer(1)
	w.Run(10 * time.Second)
	return w, m, p
}

// Clause: 802.1X-2020 9.4.3
// Requirement: R39, R40
func TestPeerIsLiveOnceItListsOneOfTheLastTwoMessageNumbers(t *testing.T) {
	live := func(mi eapol.MI, mn eapol.MN) func(*eapol.MKPDU) {
		return func(m *eapol.MKPDU) {
			m.Live = eapol.PeerList{Present: true, Peers: []eapol.ListedPeer{{MI: mi, MN: mn}}}
			m.Potential = eapol.PeerList{}
		}
	}
	for _, c := range []struct {
		name string
		list func(eapol.MI, eapol.MN) func(*eapol.MKPDU)
		back eapol.MN
		want bool
	}{
		{"the last in the Potential list", listing, 0, true},
		{"the last in the Live list", live, 0, true},
		{"the last but one in the Potential list", listing, 1, true},
		{"the last but one in the Live list", live, 1, true},
		{"the last but two", listing, 2, false},
		{"the last but two in the Live list", live, 2, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, m, p := alone(t)
			p.Tell(m, c.list(m.MI(), mnOf(m)-c.back))
			if got := isLive(m, p.SCI); got != c.want {
				t.Errorf("live %t, want %t", got, c.want)
			}
		})
	}
}

// Clause: 802.1X-2020 9.4.3
// Requirement: R39
func TestPeerThatListsMessageNumber0ProvesNothing(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(2), w.peer(1) // has sent MN 1: 0 would be the last but one
	p.Tell(m, listing(m.MI(), 0))
	if isLive(m, p.SCI) {
		t.Error("live")
	}
}

// Clause: 802.1X-2020 9.4.2, 9.4.3
// Requirement: R40
func TestListedMessageNumberThatWasNeverSentTakesANewMI(t *testing.T) {
	_, m, p := alone(t)
	mi := m.MI()
	wantDiscard(t, m, eapol.DiscardOwnMI, func() { p.Tell(m, listing(mi, mnOf(m)+1)) })
	if m.MI() == mi || isLive(m, p.SCI) {
		t.Errorf("MI changed %t, live %t; want a new MI and no proof", m.MI() != mi, isLive(m, p.SCI))
	}
}

// Clause: 802.1X-2020 9.4.2
// Requirement: R41
func TestMessageNumberThatDoesNotGrowIsAReplay(t *testing.T) {
	for name, again := range map[string]func(p *mkatest.Peer){
		"equal": func(p *mkatest.Peer) { p.MN-- },
		"lower": func(p *mkatest.Peer) { p.MN -= 3 },
	} {
		t.Run(name, func(t *testing.T) {
			_, m, p := alone(t)
			p.MN = 10
			p.Tell(m, listingNobody)
			again(p)
			wantDiscard(t, m, eapol.DiscardReplay, func() { p.Tell(m, listing(m.MI(), mnOf(m))) })
			if isLive(m, p.SCI) {
				t.Error("a replay has proved liveness")
			}
		})
	}
}

// Clause: 802.1X-2020 9.4.2
// Requirement: R41
func TestKnownMIUnderAnotherSCIIsAReplay(t *testing.T) {
	_, m, p := alone(t)
	p.Tell(m)
	wantDiscard(t, m, eapol.DiscardReplay, func() {
		p.Tell(m, func(m *eapol.MKPDU) { m.Basic.SCI = mkatest.SCI(9) })
	})
}

// Clause: 802.1X-2020 9.4.2
// Requirement: R42
func TestOurMIInAnothersMKPDUTakesANewMI(t *testing.T) {
	w, m, p := alone(t)
	mi := m.MI()
	wantDiscard(t, m, eapol.DiscardOwnMI, func() { p.Tell(m, func(m *eapol.MKPDU) { m.Basic.MI = mi }) })
	w.Run(mka.MinGap)
	if b := p.Last().Basic; b.MI == mi || b.MI != m.MI() || b.MN != 1 {
		t.Errorf("sends MI %s MN %d after a collision of %s, want another from 1", b.MI, b.MN, mi)
	}
}

// Clause: 802.1X-2020 9.4.2
// Requirement: R42
func TestOthersCannotMakeOurMIChangeMoreThanOnceASecond(t *testing.T) {
	w, m, p := alone(t)
	for range 100 {
		p.Tell(m, func(u *eapol.MKPDU) { u.Basic.MI = m.MI() })
		w.Run(50 * time.Millisecond)
	}
	if got := m.Count(mka.EventNewMI); got != 2+5 { // participant added, link up, and 5 s of collisions
		t.Errorf("%d MIs after 5 s of collisions, want one a second", got)
	}
	before := m.Count(mka.EventNewMI)
	for range 5 {
		w.Run(time.Second)
		p.Tell(m, func(u *eapol.MKPDU) { u.Basic.MI = m.MI() })
	}
	if got := m.Count(mka.EventNewMI) - before; got != 5 {
		t.Errorf("%d MIs of 5 collisions a second apart", got)
	}
}

// Clause: 802.1X-2020 9.4.3, 11.11.2
// Requirement: R43
func TestOurSCIInAReceivedMKPDUIsDiscarded(t *testing.T) {
	_, m, p := alone(t)
	wantDiscard(t, m, eapol.DiscardOwnSCI, func() {
		p.Tell(m, func(u *eapol.MKPDU) { u.Basic.SCI = m.SCI() })
	})
	if n := len(m.Status().Participants[0].Peers); n != 0 {
		t.Errorf("%d peers after it, want none", n)
	}
}

// Clause: 802.1X-2020 9.4.3
// Requirement: R44
func TestListsCarryTheLatestMessageNumberOfEachPeer(t *testing.T) {
	w, m, p := serving(t)
	q := w.peer(3)
	p.MN, q.MN = 1000, 2000
	p.Tell(m)
	q.Tell(m)
	w.Run(mka.HelloTime)
	last := p.Last()
	live := eapol.ListedPeer{MI: p.MI, MN: p.MN}
	potential := eapol.ListedPeer{MI: q.MI, MN: 2001}
	if len(last.Live.Peers) != 1 || last.Live.Peers[0].MI != live.MI || last.Live.Peers[0].MN < 1001 ||
		len(last.Potential.Peers) != 1 || last.Potential.Peers[0] != potential {
		t.Errorf("live %v, potential %v; want %v and %v", last.Live.Peers, last.Potential.Peers, live, potential)
	}
}

// lostAfter is how long after its last MKPDU the peer is removed.
func lostAfter(w *world, m *mkatest.Member, sci secy.SCI) time.Duration {
	w.t.Helper()
	from := w.Now
	w.until("the peer is removed", 2*mka.LifeTime, func() bool { _, known := peerOf(m, sci); return !known })
	return w.Now.Sub(from)
}

// Clause: 802.1X-2020 9.4.3
// Requirement: R45
func TestSilentLivePeerIsLostAfterLifeTime(t *testing.T) {
	w, m, p := serving(t)
	p.Tell(m)
	p.Hush()
	if got := lostAfter(w, m, p.SCI); got != mka.LifeTime {
		t.Errorf("removed after %v, want %v", got, mka.LifeTime)
	}
	if m.Count(mka.EventPeerLost) != 1 {
		t.Errorf("the loss was told %d times", m.Count(mka.EventPeerLost))
	}
}

// Clause: 802.1X-2020 9.4.2, 9.4.3
// Requirement: R45
func TestReplayedFramesDoNotProlongALife(t *testing.T) {
	w, m, p := serving(t)
	frame := p.Next()
	w.Inject(m, frame, 0)
	w.Run(0)
	p.Hush()
	for i := range 11 {
		w.Inject(m, frame, time.Duration(i)*500*time.Millisecond)
	}
	if got := lostAfter(w, m, p.SCI); got != mka.LifeTime {
		t.Errorf("removed after %v, want %v", got, mka.LifeTime)
	}
}

// Clause: 802.1X-2020 9.4.3
// Requirement: R46
func TestLivePeerThatStopsListingUsIsLostAfterLifeTime(t *testing.T) {
	w, m, p := serving(t)
	p.Tell(m)
	p.Hush()
	for i := range 5 {
		w.After(time.Duration(i+1)*time.Second, func() { p.Tell(m, listingNobody) })
	}
	if got := lostAfter(w, m, p.SCI); got != mka.LifeTime {
		t.Errorf("removed after %v, want %v", got, mka.LifeTime)
	}
}

// Clause: 802.1X-2020 9.4.3
// Requirement: R46
func TestLivePeerWhoseListIsOlderThanLifeTimeIsLost(t *testing.T) {
	w, m, p := serving(t)
	w.Run(10 * time.Second)
	p.Hush()
	mi, mn := m.MI(), mnOf(m)
	for i := range 20 {
		w.After(time.Duration(i)*time.Second, func() { p.Tell(m, listing(mi, mn)) })
	}
	w.until("the peer is lost", 3*mka.LifeTime, func() bool { return !isLive(m, p.SCI) })
	if w.Now.Sub(0) > 30*time.Second {
		t.Errorf("lost only %v after the start", w.Now.Sub(0))
	}
}

// Clause: 802.1X-2020 9.4.3
// Requirement: R46
func TestLivePeerWhoseListIsAFewHellosOldStaysLive(t *testing.T) {
	for back, stays := range []bool{true, true, true, false} { // the last is Life Time old as it is heard
		t.Run(fmt.Sprintf("%d hellos", back), func(t *testing.T) {
			w, m, p := serving(t)
			w.Run(mka.LifeTime + mka.HelloTime) // hellos come each 2 s
			p.Hush()
			w.until("a hello", mka.HelloTime, func() bool { return p.Last().At == w.Now })
			first := mnOf(m)
			p.Tell(m)
			since := w.Now
			for hello := 1; hello < 20; hello++ {
				w.Run(mka.HelloTime)
				if hello >= back {
					p.Tell(m, listing(m.MI(), first+eapol.MN(hello-back)))
				}
				if !isLive(m, p.SCI) {
					break
				}
			}
			if isLive(m, p.SCI) != stays {
				t.Errorf("live %t after %v", isLive(m, p.SCI), w.Now.Sub(since))
			}
		})
	}
}

// Clause: 802.1X-2020 9.4.3
// Requirement: R47
func TestSilentPotentialPeerIsRemovedAfterLifeTime(t *testing.T) {
	w, m, p := alone(t)
	p.Tell(m, listingNobody)
	if got := lostAfter(w, m, p.SCI); got != mka.LifeTime {
		t.Errorf("removed after %v, want %v", got, mka.LifeTime)
	}
	if m.Count(mka.EventPeerLost) != 0 {
		t.Error("told as the loss of a live peer")
	}
}

// Clause: 802.1X-2020 9.4.3, 9.8
// Requirement: R48
func TestRestartedPeerReplacesItsFormerLifeWithinTwoHellos(t *testing.T) {
	w, m, p := serving(t)
	w.Run(10 * time.Second)
	former, key := p.MI, p.Key
	p.Rejoin()
	p.Talk()
	w.until("the new life is live", 2*mka.HelloTime, func() bool { q, _ := peerOf(m, p.SCI); return q.Live && q.MI == p.MI })
	for _, q := range m.Status().Participants[0].Peers {
		if q.MI == former {
			t.Error("the former life is still listed")
		}
	}
	w.until("it has a SAK", mka.HelloTime, func() bool { return !p.Key.KI.IsZero() })
	if p.Key.KI.KN != key.KI.KN+1 || p.Key.AN == key.AN {
		t.Errorf("new SAK KN %d AN %d after KN %d AN %d", p.Key.KI.KN, p.Key.AN, key.KI.KN, key.AN)
	}
}

// Clause: 802.1X-2020 9.4.3
// Requirement: R48
func TestRestartedPeerDoesNotReplaceItsFormerLifeBeforeProof(t *testing.T) {
	_, m, p := serving(t)
	former := p.MI
	p.Rejoin()
	p.Tell(m)
	live := false
	for _, q := range m.Status().Participants[0].Peers {
		live = live || q.MI == former && q.Live
	}
	if !live {
		t.Error("the live peer is gone, though nothing has been proved")
	}
}

// Clause: 802.1X-2020 9.4.3
// Requirement: R49
func TestNothingIsMadeOfWhatAPotentialPeerSays(t *testing.T) {
	_, m, p := alone(t)
	p.Priority = 0
	before := m.Mark()
	p.Tell(m, listingNobody, func(u *eapol.MKPDU) {
		u.SAKUse.Latest = eapol.KeyUse{KI: eapol.KI{MI: p.MI, KN: 1}, Tx: true, Rx: true, LPN: 0xffffffff}
		u.SAKUse.DelayProtect = true
	})
	if did := m.Since(before); len(did.Ops) != 0 || did.Has(mka.EventKeyServer) || m.Status().PrincipalCKN.Len() != 0 {
		t.Errorf("ops %v, events %v for a potential peer", did.Ops, did.Events)
	}
}

// Clause: 802.1X-2020 9.4.3; nor beside a live peer: it asks for no SAK, no faster hellos, and no other key server
// Requirement: R49, R88
func TestNothingIsMadeOfWhatAPotentialPeerSaysBesideALiveOne(t *testing.T) {
	w, m, p := serving(t)
	w.Run(2 * mka.LifeTime)
	q := w.peer(3)
	q.Priority = 0
	mi, before := m.MI(), m.Mark()
	for range 3 {
		q.Tell(m, listingNobody, func(u *eapol.MKPDU) {
			u.SAKUse.Latest = eapol.KeyUse{KI: p.Key.KI, AN: p.Key.AN, LPN: 0xffffffff} // lost
			u.SAKUse.Old = eapol.KeyUse{KI: eapol.KI{MI: q.MI, KN: 1}, Tx: true, Rx: true, LPN: 1}
			u.SAKUse.DelayProtect = true
			u.XPN = eapol.XPN{Present: true, SuspensionTime: 60}
		})
		w.Run(mka.HelloTime)
	}
	did := m.Since(before)
	if isLive(m, q.SCI) || m.MI() != mi || len(did.Ops) != 0 || m.KaY.DelayProtected() || suspended(m) != 0 || serverOf(m) != m.SCI() {
		t.Errorf("live %t, another MI %t, ops %v, delay protection %t, suspended for %v, key server %s", isLive(m, q.SCI),
			m.MI() != mi, did.Ops, m.KaY.DelayProtected(), suspended(m), serverOf(m))
	}
	if did.Has(mka.EventSAKGenerated) || did.Has(mka.EventKeyServer) {
		t.Errorf("events %v", did.Events)
	}
}

// Clause: 802.1X-2020 9.4.3, 9.8
// Requirement: R49, R61
func TestDistributedSAKOfAPotentialPeerIsDiscarded(t *testing.T) {
	_, m, p := alone(t)
	p.Priority = 0
	p.Generate(secy.GCMAES128, secy.Offset0)
	wantDiscard(t, m, eapol.DiscardNotKeyServer, func() { p.Tell(m, listingNobody) })
	if len(m.SecY.SAs) != 0 {
		t.Error("its SAK was installed")
	}
}

// Clause: 802.1X-2020 9.4.2: what an earlier life of a peer has said is a replay, however recent
// Requirement: R43
func TestLastMKPDUOfAPeerThatRestartedDoesNotBringItBack(t *testing.T) {
	_, m, p := serving(t)
	old := p.Next()
	m.MustStep(mka.FrameReceived{Frame: old})
	p.Rejoin()
	p.Tell(m, listing(m.MI(), mnOf(m)))
	if !isLive(m, p.SCI) {
		t.Fatal("its next life is not live")
	}
	wantDiscard(t, m, eapol.DiscardReplay, func() { m.MustStep(mka.FrameReceived{Frame: old}) })
	if peers := m.Status().Participants[0].Peers; len(peers) != 1 || peers[0].MI != p.MI {
		t.Errorf("peers are %+v, want %s alone", peers, p.MI)
	}
}

// Clause: 802.1X-2020 9.4.2: what the last eight live peers said that went is remembered, whoever came after
// Requirement: R41
func TestWhatEightFormerPeersSaidIsAReplay(t *testing.T) {
	_, m, p := alone(t)
	var last [][]byte
	for range 8 {
		p.Rejoin()
		last = append(last, p.Next(listing(m.MI(), mnOf(m))))
		m.MustStep(mka.FrameReceived{Frame: last[len(last)-1]})
	}
	p.Rejoin()
	accepts(t, m, p, proof(m, p))
	for _, frame := range last {
		drops(t, m, eapol.DiscardReplay, frame)
	}
}

// Clause: 802.1X-2020 9.4.6: a live peer whose MKPDUs were lost may have missed ours too: it is told at once
// Requirement: R123
func TestPeerOfWhichMKPDUsWereLostIsAnsweredAtOnce(t *testing.T) {
	w, m, p := serving(t)
	w.Run(mka.LifeTime)
	p.Hush()
	for _, c := range []struct{ lost, answers int }{{0, 0}, {1, 1}, {2, 1}} {
		w.until("a hello", mka.HelloTime, func() bool { return p.Last().At == w.Now })
		w.Run(mka.MinGap)
		p.MN += eapol.MN(c.lost)
		before := m.Frames
		p.Tell(m)
		if w.Run(mka.MinGap); m.Frames-before != c.answers {
			t.Errorf("%d MKPDUs after %d were lost, want %d", m.Frames-before, c.lost, c.answers)
		}
	}
}

// Clause: 802.1X-2020 9.4.3: what a live peer said is no news after the link was down either
// Requirement: R41
func TestWhatAPeerSaidBeforeTheLinkWentDownIsAReplay(t *testing.T) {
	_, m, p := serving(t)
	said := p.Next()
	m.MustStep(mka.FrameReceived{Frame: said})
	m.MustStep(mka.LinkChanged{})
	m.MustStep(mka.LinkChanged{Up: true})
	wantDiscard(t, m, eapol.DiscardReplay, func() { m.MustStep(mka.FrameReceived{Frame: said}) })
	if n := len(m.Status().Participants[0].Peers); n != 0 {
		t.Errorf("%d peers, want none", n)
	}
	p.Tell(m)
	if _, known := peerOf(m, p.SCI); !known {
		t.Error("what it says next is not heard")
	}
}

// Clause: 802.1X-2020 9.4.3: the first MN is as good as any, as long as it is recent
// Requirement: R46
func TestFirstMessageNumberProlongsALife(t *testing.T) {
	for _, again := range []bool{false, true} {
		w := newWorld(t)
		w.Run(mka.LifeTime) // what has no time is not mistaken for what is recent
		m, p := w.kay(2), w.peer(1)
		if again { // under another MI, right after an MN of the former
			w.Run(mka.LifeTime)
			sent := m.Frames
			w.until("it says hello", mka.HelloTime, func() bool { return m.Frames > sent })
			m.MustStep(mka.LinkChanged{})
			m.MustStep(mka.LinkChanged{Up: true})
			w.Run(mka.MinGap)
		}
		for range 2 {
			p.Tell(m, listing(m.MI(), 1))
			w.Run(5 * time.Second)
		}
		if !isLive(m, p.SCI) || mnOf(m) < 4 {
			t.Errorf("live %t after MN %d", isLive(m, p.SCI), mnOf(m))
		}
		w.Run(time.Second)
		p.Tell(m, listing(m.MI(), 1)) // it is ten seconds old now
		if _, known := peerOf(m, p.SCI); !known || isLive(m, p.SCI) {
			t.Errorf("known %t, live %t", known, isLive(m, p.SCI))
		}
	}
}

// Clause: 802.1X-2020 9.4.6: also one whose second MKPDU was lost
// Requirement: R123
func TestPeerWhoseSecondMKPDUWasLostIsAnsweredAtOnce(t *testing.T) {
	w, m, p := alone(t)
	w.Run(mka.LifeTime) // the first hellos are close together
	p.Tell(m)
	w.Run(2 * mka.MinGap)
	p.MN++
	before := m.Frames
	p.Tell(m)
	if w.Run(mka.MinGap); m.Frames != before+1 {
		t.Errorf("%d MKPDUs, want 1", m.Frames-before)
	}
}

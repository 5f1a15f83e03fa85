package mka_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"mkad/eapol"
	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// Offsets into a frame, for what eapol does not build.
const (
	etherTypeAt  = 12
	versionAt    = 14
	packetAt     = 15
	bodyLengthAt = 16
	bodyAt       = 18
)

// put is the frame with other octets at an offset.
func put(frame []byte, at int, octets ...byte) []byte {
	frame = append([]byte(nil), frame...)
	copy(frame[at:], octets)
	return frame
}

// withBody is the frame with the length of its packet body, and its octets, cut to n.
func withBody(frame []byte, n int) []byte {
	return put(frame[:bodyAt+n], bodyLengthAt, byte(n>>8), byte(n))
}

// withSet is the frame with one more parameter set, of so many octets after a header that says another number.
func withSet(p *mkatest.Peer, frame []byte, kind byte, says, octets int) []byte {
	return p.Rewrite(frame, func(sets [][]byte) [][]byte {
		set := append([]byte{kind, 0, byte(says >> 8), byte(says)}, make([]byte, octets)...)
		return append(sets, set)
	})
}

// discards make a frame for each reason, from a scripted peer of a KaY that has sent hellos for a while.
var discards = []struct {
	reason eapol.Discard
	frame  func(m *mkatest.Member, p *mkatest.Peer) []byte
	newMI  bool // by design, it makes the KaY take another MI
	rest   bool // only the SAK is discarded, not what else the frame says
}{
	{reason: eapol.DiscardShortFrame, frame: func(_ *mkatest.Member, p *mkatest.Peer) []byte { return p.Next()[:17] }},
	{reason: eapol.DiscardEtherType, frame: func(_ *mkatest.Member, p *mkatest.Peer) []byte {
		return p.Resign(put(p.Next(), etherTypeAt, 0x88, 0xe5))
	}},
	{reason: eapol.DiscardDestination, frame: func(m *mkatest.Member, p *mkatest.Peer) []byte {
		return p.Next(func(u *eapol.MKPDU) { u.DA = m.SCI().MAC() })
	}},
	{reason: eapol.DiscardLength, frame: func(_ *mkatest.Member, p *mkatest.Peer) []byte {
		return put(p.Next(), bodyLengthAt, 0x7f, 0xfc)
	}},
	{reason: eapol.DiscardNotMKA, frame: func(_ *mkatest.Member, p *mkatest.Peer) []byte {
		return p.Resign(put(p.Next(), packetAt, eapol.PacketStart))
	}},
	{reason: eapol.DiscardEAPOLVersion, frame: func(_ *mkatest.Member, p *mkatest.Peer) []byte {
		return p.Resign(put(p.Next(), versionAt, 2))
	}},
	{reason: eapol.DiscardBodyTooShort, frame: func(_ *mkatest.Member, p *mkatest.Peer) []byte {
		return withBody(p.Next(), 28)
	}},
	{reason: eapol.DiscardBodyNotMultipleOf4, frame: func(_ *mkatest.Member, p *mkatest.Peer) []byte {
		return withBody(p.Next(), 51)
	}},
	{reason: eapol.DiscardBasicLength, frame: func(_ *mkatest.Member, p *mkatest.Peer) []byte {
		return p.Resign(put(p.Next(), bodyAt+2, 0x0f, 0xff))
	}},
	{reason: eapol.DiscardCKNLength, frame: func(_ *mkatest.Member, p *mkatest.Peer) []byte {
		return p.Resign(put(p.Next(), bodyAt+2, 0, 28))
	}},
	{reason: eapol.DiscardUnknownCKN, frame: func(_ *mkatest.Member, p *mkatest.Peer) []byte {
		return p.Next(func(u *eapol.MKPDU) { u.Basic.CKN = mkatest.CKN(ckn + "\x00") })
	}},
	{reason: eapol.DiscardAlgorithmAgility, frame: func(_ *mkatest.Member, p *mkatest.Peer) []byte {
		return p.Next(func(u *eapol.MKPDU) { u.Basic.AlgorithmAgility++ })
	}},
	{reason: eapol.DiscardICV, frame: func(_ *mkatest.Member, p *mkatest.Peer) []byte {
		f := p.Next()
		f[len(f)-1] ^= 1
		return f
	}},
	{reason: eapol.DiscardSetLength, frame: func(_ *mkatest.Member, p *mkatest.Peer) []byte {
		return withSet(p, p.Next(), 9, 64, 4)
	}},
	{reason: eapol.DiscardPeerListLength, frame: func(_ *mkatest.Member, p *mkatest.Peer) []byte {
		return withSet(p, p.Next(listingNobody), 2, 12, 12)
	}},
	{reason: eapol.DiscardDistributedSAKLength, frame: func(_ *mkatest.Member, p *mkatest.Peer) []byte {
		return withSet(p, p.Next(), 4, 40, 40)
	}},
	{reason: eapol.DiscardDistributedSAKSuite, frame: func(_ *mkatest.Member, p *mkatest.Peer) []byte {
		return withSet(p, p.Next(), 4, 36, 36)
	}},
	{reason: eapol.DiscardOwnSCI, frame: func(m *mkatest.Member, p *mkatest.Peer) []byte {
		return p.Next(func(u *eapol.MKPDU) { u.Basic.SCI = m.SCI() })
	}},
	{reason: eapol.DiscardOwnMI, newMI: true, frame: func(m *mkatest.Member, p *mkatest.Peer) []byte {
		return p.Next(func(u *eapol.MKPDU) { u.Basic.MI = m.MI() })
	}},
	{reason: eapol.DiscardReplay, frame: func(m *mkatest.Member, p *mkatest.Peer) []byte {
		f := p.Next()
		m.MustStep(mka.FrameReceived{Frame: f})
		return f
	}},
	{reason: eapol.DiscardTooManyPeers, frame: func(m *mkatest.Member, p *mkatest.Peer) []byte {
		// Live peers all: a potential one would make room.
		for n := 100; n < 250 && m.Discards(eapol.DiscardTooManyPeers) == 0; n++ {
			p.Rejoin()
			frame := p.Next(listing(m.MI(), mnOf(m)), func(u *eapol.MKPDU) { u.Basic.SCI = mkatest.SCI(n) })
			m.MustStep(mka.FrameReceived{Frame: frame})
		}
		return p.Next()
	}},
	{reason: eapol.DiscardNotKeyServer, rest: true, frame: func(_ *mkatest.Member, p *mkatest.Peer) []byte {
		p.Generate(secy.GCMAES128, secy.Offset0)
		return p.Next(listingNobody)
	}},
	{reason: eapol.DiscardSAKPolicy, frame: func(m *mkatest.Member, p *mkatest.Peer) []byte {
		p.Priority = 0
		p.Generate(secy.GCMAESXPN128, secy.Offset50)
		return p.Next(listingLive(m.MI(), mnOf(m)))
	}},
	{reason: eapol.DiscardSAKUnwrap, frame: func(m *mkatest.Member, p *mkatest.Peer) []byte {
		p.Priority = 0
		p.Generate(secy.GCMAES128, secy.Offset0)
		return p.Next(listingLive(m.MI(), mnOf(m)), func(u *eapol.MKPDU) { u.DistributedSAK.Wrapped = make([]byte, 24) })
	}},
	{reason: eapol.DiscardSAKReuse, newMI: true, frame: func(m *mkatest.Member, p *mkatest.Peer) []byte {
		p.Serve(m, secy.GCMAES128)
		p.Hush()
		return p.Next(func(u *eapol.MKPDU) {
			u.DistributedSAK = eapol.DistributedSAK{Present: true, Suite: secy.GCMAES128, Offset: secy.Offset0, Wrapped: make([]byte, 24)}
		})
	}},
}

// stateOf is what a discarded frame must not change.
func stateOf(m *mkatest.Member) mka.Status {
	s := m.Status()
	s.Discards = [eapol.NumDiscards]uint64{}
	return s
}

// Clause: 802.1X-2020 11.4, 11.11.2, 9.4, 9.8
// Requirement: R41, R43, R61, R77, R78
func TestDiscardedFrameChangesNothing(t *testing.T) {
	for _, c := range discards {
		t.Run(c.reason.String(), func(t *testing.T) {
			_, m, p := alone(t)
			frame := c.frame(m, p)
			before, mark := stateOf(m), m.Mark()
			wantDiscard(t, m, c.reason, func() { m.MustStep(mka.FrameReceived{Frame: frame}) })
			did := m.Since(mark)
			if c.newMI {
				if m.MI() == before.Participants[0].MI || !did.Has(mka.EventNewMI) {
					t.Error("the MI has not changed")
				}
				return
			}
			if c.rest {
				if len(m.SecY.SAs) != 0 || m.Status().Participants[0].Peers == nil {
					t.Errorf("SAs %v, peers %v", m.SecY.SAs, m.Status().Participants[0].Peers)
				}
				return
			}
			if after := stateOf(m); !reflect.DeepEqual(after, before) {
				t.Errorf("status before %+v\nafter %+v", before, after)
			}
			if len(did.Events) != 1 || did.Events[0].Kind != mka.EventDiscarded || did.Events[0].Discard != c.reason ||
				len(did.Ops) != 0 || did.Frames != 0 {
				t.Errorf("it did %+v", did)
			}
		})
	}
}

// Clause: none; the list above is to be whole.
func TestEveryDiscardReasonIsProvoked(t *testing.T) {
	provoked := map[eapol.Discard]bool{}
	for _, c := range discards {
		provoked[c.reason] = true
	}
	for reason := eapol.Accepted + 1; int(reason) < eapol.NumDiscards; reason++ {
		if !provoked[reason] {
			t.Errorf("no frame is discarded for %q", reason)
		}
	}
}

// Clause: 802.1X-2020 9.4.2
// Requirement: R41
func TestReplayOfAllCapturedFramesChangesNothing(t *testing.T) {
	w := newWorld(t)
	var captured [][]byte
	tap := w.Tap
	w.Tap = func(from mkatest.Station, frame []byte) {
		tap(from, frame)
		captured = append(captured, append([]byte(nil), frame...))
	}
	for n := range 3 {
		w.kay(n + 1)
	}
	w.connected(w.Members...)
	w.Members[0].MustStep(mka.RekeyRequested{})
	w.Run(mka.LifeTime)
	for _, m := range w.Members {
		before, mark := stateOf(m), m.Mark()
		for _, frame := range captured {
			m.MustStep(mka.FrameReceived{Frame: frame})
		}
		if after := stateOf(m); !reflect.DeepEqual(after, before) {
			t.Errorf("%s: status before %+v\nafter %+v", m.Name, before, after)
		}
		did := m.Since(mark)
		for _, e := range did.Events {
			if e.Kind != mka.EventDiscarded {
				t.Errorf("%s: event %s", m.Name, e.Kind)
			}
		}
		if len(did.Ops) != 0 || did.Frames != 0 || len(did.Events) != len(captured) {
			t.Errorf("%s: %d ops, %d frames, %d of %d frames discarded", m.Name, len(did.Ops), did.Frames, len(did.Events),
				len(captured))
		}
	}
}

// Clause: 802.1X-2020 9.4.3, 11.11.3
// Requirement: R36, R117
func TestPeersAreBoundedSoThatEveryMKPDUFitsTheMTU(t *testing.T) {
	for _, mtu := range []int{500, 1500, 9000} {
		t.Run(fmt.Sprintf("MTU %d", mtu), func(t *testing.T) {
			w := newWorld(t)
			longest := 0
			tap := w.Tap
			w.Tap = func(from mkatest.Station, frame []byte) {
				tap(from, frame)
				longest = max(longest, len(frame))
			}
			m := w.kay(1, func(c *mka.Config) { c.MTU = mtu })
			for n := range 120 {
				p := w.peer(n + 2)
				p.Tell(m, listing(m.MI(), mnOf(m)))
			}
			w.Run(mka.MinGap)
			peers := m.Status().Participants[0].Peers
			if len(peers) > mka.MaxPeers || m.Discards(eapol.DiscardTooManyPeers) != uint64(120-len(peers)) {
				t.Errorf("%d peers, %d too many of 120; at most %d", len(peers), m.Discards(eapol.DiscardTooManyPeers), mka.MaxPeers)
			}
			if room := mtu + 14 - longest; room < 0 || len(peers) < mka.MaxPeers && room > 250 {
				t.Errorf("the longest of %d octets leaves %d of the MTU, with %d peers", longest, room, len(peers))
			}
		})
	}
}

// Clause: 802.1X-2020 9.4.3, 11.11.3
// Requirement: R117
func TestPeersFollowTheMTU(t *testing.T) {
	w := newWorld(t)
	m := w.kay(1, func(c *mka.Config) { c.MTU = 500 })
	meet := func(from, to int) int {
		for n := from; n < to; n++ {
			w.peer(n).Tell(m, listing(m.MI(), mnOf(m)))
		}
		return len(m.Status().Participants[0].Peers)
	}
	few := meet(2, 60)
	m.MustStep(mka.MTUChanged{MTU: 1500})
	many := meet(60, 200)
	longest := 0
	tap := w.Tap
	w.Tap = func(from mkatest.Station, frame []byte) {
		tap(from, frame)
		longest = max(longest, len(frame))
	}
	m.MustStep(mka.MTUChanged{MTU: 500})
	w.Run(mka.HelloTime)
	if fewer := len(m.Status().Participants[0].Peers); many <= few || fewer != few || longest == 0 || longest > 514 {
		t.Errorf("%d peers, with a greater MTU %d, then %d; MKPDUs of up to %d octets", few, many, fewer, longest)
	}
}

// Clause: 802.1X-2020 9.4.3; of live peers that do not fit any more those go that came last
// Requirement: R117
func TestMTUThatFallsCostsTheLivePeersThatCameLast(t *testing.T) {
	w := newWorld(t)
	m := w.kay(1)
	var came []secy.SCI
	for n := range 3 {
		p := w.peer(4 - n)
		p.Tell(m, listing(m.MI(), mnOf(m)))
		came = append(came, p.SCI)
	}
	for mtu := 1400; mtu >= 272; mtu -= 8 { // at last there is room for one
		m.MustStep(mka.MTUChanged{MTU: mtu})
		peers := m.Status().Participants[0].Peers
		for i, q := range peers {
			if q.SCI != came[i] {
				t.Fatalf("MTU %d: peer %d of %d is %s, want %s", mtu, i, len(peers), q.SCI, came[i])
			}
		}
	}
	if n := len(m.Status().Participants[0].Peers); n != 1 {
		t.Errorf("%d peers at last, want 1", n)
	}
}

// Clause: 802.1X-2020 9.4.3; those that are not live go before, wherever they stand
// Requirement: R117
func TestMTUThatFallsCostsPotentialPeersFirst(t *testing.T) {
	for first := range 3 {
		w := newWorld(t)
		m := w.kay(1)
		for n := range 3 {
			if n == first {
				w.peer(9).Tell(m, listingNobody)
			}
			w.peer(2+n).Tell(m, listing(m.MI(), mnOf(m)))
		}
		m.MustStep(mka.MTUChanged{MTU: 304}) // room for three
		peers := m.Status().Participants[0].Peers
		if len(peers) != 3 || slices.ContainsFunc(peers, func(q mka.PeerStatus) bool { return !q.Live }) {
			t.Errorf("of three live peers and one that came before peer %d these are left: %+v", first, peers)
		}
	}
}

// Clause: 802.1X-2020 9.4.3; of potential peers that were heard at one time the first goes
// Requirement: R117
func TestMTUThatFallsCostsTheFirstOfThoseHeardAtOneTime(t *testing.T) {
	w := newWorld(t)
	m := w.kay(1)
	first, second := w.peer(2), w.peer(3)
	first.Tell(m, listingNobody)
	second.Tell(m, listingNobody)
	m.MustStep(mka.MTUChanged{MTU: 272}) // room for one
	if peers := m.Status().Participants[0].Peers; len(peers) != 1 || peers[0].SCI != second.SCI {
		t.Errorf("%+v, want the second alone", peers)
	}
}

// full is a KaY that has as many peers as it may have, all live or all potential, of which the first was heard first.
func full(t *testing.T, live bool) (w *world, m *mkatest.Member, first *mkatest.Peer) {
	w = newWorld(t)
	m = w.kay(1, func(c *mka.Config) { c.MTU = 9000 })
	for n := range mka.MaxPeers {
		p := w.peer(n + 2)
		if first == nil {
			first = p
		}
		if live {
			p.Tell(m, listing(m.MI(), mnOf(m)))
		} else {
			p.Tell(m, listingNobody)
		}
		w.Run(time.Millisecond)
	}
	if n := len(m.Status().Participants[0].Peers); n != mka.MaxPeers {
		t.Fatalf("%d peers, want %d", n, mka.MaxPeers)
	}
	return w, m, first
}

// Clause: 802.1X-2020 9.4.3
// Requirement: R36
func TestNewPeerDisplacesThePotentialPeerHeardLongestAgo(t *testing.T) {
	w, m, first := full(t, false)
	p := w.peer(200)
	p.Tell(m, listingNobody)
	_, old := peerOf(m, first.SCI)
	_, known := peerOf(m, p.SCI)
	if n := len(m.Status().Participants[0].Peers); old || !known || n != mka.MaxPeers {
		t.Errorf("the first is there %t, the new one %t, of %d", old, known, n)
	}
}

// Clause: 802.1X-2020 9.4.3
// Requirement: R36
func TestNewPeerDisplacesNoLivePeer(t *testing.T) {
	w, m, first := full(t, true)
	wantDiscard(t, m, eapol.DiscardTooManyPeers, func() { w.peer(200).Tell(m) })
	if !isLive(m, first.SCI) || m.Count(mka.EventPeerLost) != 0 {
		t.Error("a live peer is gone")
	}
}

// Clause: 802.1X-2020 9.4.3
// Requirement: R117
func TestPlaceOfALivePeerThatExpiresIsFreeAgain(t *testing.T) {
	w, m, _ := full(t, true)
	w.Run(mka.LifeTime)
	if p := w.peer(200); !p.Follow(m) {
		t.Error("not secured with a newcomer after the rest has expired")
	}
}

// Clause: 802.1X-2020 9.4.3: a full list is full for those who are not on it
// Requirement: R117
func TestPeersOfAFullListAreHeard(t *testing.T) {
	w, m, first := full(t, true)
	if p := first; p.MN == 0 {
		t.Fatal("the first has not spoken")
	}
	received := m.Status().Received
	wantDiscards(t, m, eapol.DiscardTooManyPeers, 0, func() { first.Tell(m, listing(m.MI(), mnOf(m))) })
	if m.Status().Received != received+1 {
		t.Error("not received")
	}
	w.Run(time.Millisecond)
}

// Clause: 802.1X-2020 11.4, 11.11.2: what is told of a discarded frame is what was read of it
// Requirement: R114
func TestDiscardedFrameIsToldAsFarAsItWasRead(t *testing.T) {
	for _, c := range discards {
		t.Run(c.reason.String(), func(t *testing.T) {
			_, m, p := alone(t)
			frame := c.frame(m, p)
			mark := m.Mark()
			m.MustStep(mka.FrameReceived{Frame: frame})
			e := m.Since(mark).Events[0]
			want := mka.Event{Kind: mka.EventDiscarded, Discard: c.reason}
			if c.reason >= eapol.DiscardDestination {
				want.MAC = p.SCI.MAC()
			}
			if c.reason == eapol.DiscardDestination {
				want.DA = m.SCI().MAC()
			}
			if c.reason >= eapol.DiscardUnknownCKN {
				want.CKN, want.Peer, want.MI = mkatest.CKN(ckn), p.SCI, p.MI
				switch c.reason {
				case eapol.DiscardUnknownCKN:
					want.CKN = mkatest.CKN(ckn + "\x00")
				case eapol.DiscardOwnSCI:
					want.Peer = m.SCI()
				case eapol.DiscardOwnMI:
					want.MI = e.MI // it is ours no more
				case eapol.DiscardSAKPolicy:
					want.Suite, want.Offset = secy.GCMAESXPN128, secy.Offset50
					want.Reason = e.Reason // TestForbiddenSAKIsNamedBesideWhatIsAllowed
				}
			}
			if e.Event != want {
				t.Errorf("told %+v, want %+v", e.Event, want)
			}
		})
	}
}

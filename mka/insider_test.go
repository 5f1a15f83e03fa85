package mka_test

import (
	"bytes"
	"runtime"
	"testing"
	"time"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// A besieged is an honest pair with an insider on its LAN, who has the CAK and lies. See
// docs/notes/0005-what-an-insider-can-do.md.
type besieged struct {
	*world
	a, b *mkatest.Member // a is key server
	x    *mkatest.Peer
}

// siegeTime is how long an insider lies.
const siegeTime = 30 * time.Second

func newBesieged(t *testing.T) *besieged {
	w, members := group(t, 2)
	w.check.Pretended = 2 * mka.MaxPeers
	s := &besieged{world: w, a: members[0], b: members[1], x: w.peer(9)}
	if !s.a.Status().KeyServer {
		s.a, s.b = s.b, s.a
	}
	return s
}

// tellBoth lets both have the insider's next MKPDU, which lists whom it hears.
func (s *besieged) tellBoth(edit ...func(*eapol.MKPDU)) { s.x.Say(edit...) }

// A harm is what an insider can do to the traffic of others, and nothing in the protocol prevents.
type harm uint8

const (
	unharmed    harm = iota
	interrupted      // for moments: the SAK's cipher suite changes, for the insider reports none of them
	cut              // as long as it goes on
)

// lies are what an insider does, once every 100 ms.
var lies = []struct {
	name string
	lie  func(s *besieged, n int)
	harm harm
}{
	{name: "message numbers that jump", lie: func(s *besieged, _ int) {
		s.x.MN += 1 << 27
		s.tellBoth()
	}},
	{name: "the last message number of all", lie: func(s *besieged, n int) {
		s.x.MN = ^eapol.MN(0) - 1
		s.tellBoth()
	}},
	{name: "SAK Use for keys that nobody knows", lie: func(s *besieged, n int) {
		s.tellBoth(func(u *eapol.MKPDU) {
			u.SAKUse.Latest = eapol.KeyUse{KI: eapol.KI{MI: s.x.MI, KN: eapol.KN(n)}, Tx: true, Rx: true, LPN: 1}
			u.SAKUse.Old = eapol.KeyUse{KI: eapol.KI{MI: s.a.MI(), KN: eapol.KN(1000 + n)}, Tx: true, Rx: true, LPN: ^uint32(0)}
		})
	}},
	{name: "packet numbers that run out", lie: func(s *besieged, n int) {
		s.tellBoth(func(u *eapol.MKPDU) { u.SAKUse.Latest.LPN, u.XPN.LatestHigh = ^uint32(0), ^uint32(0) })
	}},
	{name: "lists that are empty", lie: func(s *besieged, n int) {
		s.tellBoth(func(u *eapol.MKPDU) {
			u.Live, u.Potential = eapol.PeerList{Present: true}, eapol.PeerList{Present: true}
		})
	}},
	{name: "lists that come and go", lie: func(s *besieged, n int) {
		if n%2 == 0 {
			s.tellBoth(listingNobody)
		} else {
			s.tellBoth()
		}
	}},
	{name: "priority that flaps below and above", harm: cut, lie: func(s *besieged, n int) {
		s.x.Priority = uint8(n%2) * 255
		s.tellBoth()
	}},
	{name: "the best priority, and never a SAK", lie: func(s *besieged, n int) {
		s.x.Priority = 0
		s.tellBoth()
	}},
	{name: "another life each time", lie: func(s *besieged, n int) {
		others := s.x.Others
		s.x.Rejoin()
		s.x.Others = others
		s.tellBoth()
	}},
	{name: "a Distributed SAK without being key server", lie: func(s *besieged, n int) {
		s.x.Generate(secy.GCMAES128, secy.Offset0)
		s.tellBoth()
	}},
	{name: "MACsec that is not wanted, by a key server", harm: cut, lie: func(s *besieged, n int) {
		s.x.Priority, s.x.Desired = 0, false
		s.x.Offer = eapol.DistributedSAK{Present: true, Empty: true}
		s.tellBoth()
	}},
	{name: "one KI with another SAK each time", lie: func(s *besieged, n int) {
		s.x.Priority = 0
		s.x.Generate(secy.GCMAES128, secy.Offset0)
		s.x.KN = 0
		s.tellBoth()
	}},
	{name: "another SAK each time", lie: func(s *besieged, n int) {
		s.x.Priority = 0
		s.x.Generate(secy.GCMAES128, secy.Offset0)
		s.tellBoth()
	}},
	{name: "a's SCI", harm: cut, lie: func(s *besieged, n int) {
		s.x.SCI = s.a.SCI()
		s.tellBoth()
	}},
	{name: "a's MI", lie: func(s *besieged, n int) {
		mi := s.a.MI()
		s.tellBoth(func(u *eapol.MKPDU) { u.Basic.MI = mi })
	}},
	{name: "message numbers of a that a has not sent", lie: func(s *besieged, n int) {
		s.tellBoth(listing(s.a.MI(), ^eapol.MN(0)))
	}},
	{name: "MKA that is suspended by a member", lie: func(s *besieged, n int) { s.tellBoth(suspends(255)) }},
	{name: "MKA that is suspended by the best priority", lie: func(s *besieged, n int) {
		s.x.Priority = 0
		s.tellBoth(suspends(255))
	}},
	{name: "MKA that is suspended and resumed", lie: func(s *besieged, n int) {
		s.x.Priority = 0
		s.tellBoth(suspends(uint8(n%2) * 255))
	}},
	{name: "no cipher suite is taken", harm: interrupted, lie: func(s *besieged, n int) {
		s.x.Takes = func(secy.CipherSuite) bool { return false }
		s.tellBoth()
	}},
	{name: "reports of the SAK that come and go", lie: func(s *besieged, n int) {
		s.tellBoth()
		for range 3 {
			s.tellBoth(withoutSAKUse)
		}
	}},
	{name: "no report of the SAK", harm: interrupted, lie: func(s *besieged, n int) { s.tellBoth(withoutSAKUse) }},
	{name: "delay protection that nobody asked for", lie: func(s *besieged, n int) {
		s.tellBoth(func(u *eapol.MKPDU) { u.SAKUse.DelayProtect = true })
	}},
}

// withoutSAKUse takes from an MKPDU what it reports of keys, as of a member that has lost them.
func withoutSAKUse(u *eapol.MKPDU) { u.SAKUse.Present = false }

// lieTime is the distance of two lies.
const lieTime = 100 * time.Millisecond

// Clause: 802.1X-2020 9.4, 9.5, 9.8: an insider costs bounded work, and the honest are well when it has gone
// Requirement: R36
func TestInsiderWhoLiesCostsLittleAndLeavesNoTrace(t *testing.T) {
	for _, c := range lies {
		t.Run(c.name, func(t *testing.T) {
			s := newBesieged(t)
			sent, keys, lapse := s.a.Frames, s.a.Status().Rekeys, time.Duration(0)
			const most = int(siegeTime / lieTime)
			for n := range most {
				c.lie(s, n)
				lapse += s.lapse(lieTime)
			}
			if got := harmOf(lapse); got != c.harm {
				t.Errorf("no traffic for %v of %v: harm %d, want %d", lapse, siegeTime, got, c.harm)
			}
			t.Logf("%d new SAKs; no traffic for %v of %v", s.a.Status().Rekeys-keys, lapse, siegeTime)
			s.cheap(s.a.Frames-sent, int(s.a.Status().Rekeys-keys), most)
			s.x.Hush()
			s.connected(s.a, s.b)
		})
	}
}

// lapse lets d pass, and tells for how long of it the pair had no traffic.
func (s *besieged) lapse(d time.Duration) (lapse time.Duration) {
	last, was := s.Now, carries(s.a, s.b)
	look := func() bool {
		if !was {
			lapse += s.Now.Sub(last)
		}
		last, was = s.Now, carries(s.a, s.b)
		return false
	}
	s.RunUntil(d, look)
	look()
	return lapse
}

func harmOf(lapse time.Duration) harm {
	switch {
	case lapse == 0:
		return unharmed
	case lapse < siegeTime/10:
		return interrupted
	}
	return cut
}

// cheap wants what a did to be in proportion to the lies: one SAK and two MKPDUs for each at most.
func (s *besieged) cheap(sent, keys, lies int) {
	s.t.Helper()
	hellos := int(siegeTime / mka.BoundedHelloTime)
	if sent > 2*lies+hellos || keys > lies+1 {
		s.t.Errorf("%d MKPDUs sent and %d SAKs used for %d lies", sent, keys, lies)
	}
	status := s.a.Status()
	if n := len(status.Participants[0].Peers); n > mka.MaxPeers || len(status.Keys) > 2 || len(s.a.SecY.SCs) > 2*mka.MaxPeers {
		s.t.Errorf("%d peers, %d keys, %d receive SCs", n, len(status.Keys), len(s.a.SecY.SCs))
	}
}

// spoofed is the frame of a member that does not exist, each time another. With proves, it proves to hear the honest. All
// announce their suites: who does not, and takes none, has the key server try the next.
func (s *besieged) spoofed(n int, proves bool) []byte {
	others := s.x.Others
	s.x.Rejoin()
	s.x.SCI, s.x.Announces = mkatest.SCI(100+n), allSuites
	if proves {
		s.x.Others = others
	}
	return s.x.Next()
}

// spoofs is how many members an insider invents; fewer while the race detector slows all down.
func spoofs() int {
	if raceEnabled {
		return 2_000
	}
	return 10_000
}

// Clause: 802.1X-2020 9.4.3: members that do not exist displace none that does
func TestTenThousandSpoofedMembersLeaveTheHonestPairAlone(t *testing.T) {
	for name, proves := range map[string]bool{"that never prove to be live": false, "that do": true} {
		t.Run(name, func(t *testing.T) {
			s := newBesieged(t)
			mark := s.b.Mark()
			for n := range spoofs() {
				frame := s.spoofed(n, proves)
				s.Inject(s.a, frame, 0)
				s.Inject(s.b, frame, 0)
				if s.Run(5 * time.Millisecond); !carries(s.a, s.b) {
					t.Fatalf("no traffic after %d", n)
				}
			}
			if full := len(s.a.Status().Participants[0].Peers); full < mka.MaxPeers/2 || full > mka.MaxPeers {
				t.Errorf("%d peers, at most %d", full, mka.MaxPeers)
			}
			for _, e := range s.b.Since(mark).Events {
				if e.Kind == mka.EventPeerLost && e.Peer == s.a.SCI() {
					t.Error("an honest peer was lost")
				}
			}
			s.connected(s.a, s.b)
		})
	}
}

// Clause: none; a received frame never makes memory grow without bound
// Requirement: R36
func TestTenThousandSpoofedMembersLeaveNoMemoryBehind(t *testing.T) {
	for name, proves := range map[string]bool{"that never prove to be live": false, "that do": true} {
		t.Run(name, func(t *testing.T) {
			s := newBesieged(t)
			var out mka.Output
			now := s.Now
			flood := func(from, to int) {
				for n := from; n < to; n++ {
					out.Reset()
					now = now.Add(5 * time.Millisecond)
					if err := s.a.KaY.Step(now, mka.FrameReceived{Frame: s.spoofed(n, proves)}, &out); err != nil {
						t.Fatal(err)
					}
					for _, frame := range out.Frames {
						s.hear(frame)
					}
				}
			}
			flood(0, 1000)
			before := heap()
			flood(1000, spoofs())
			if grown := int64(heap()) - int64(before); grown > 64<<10 {
				t.Errorf("the heap has grown by %d octets in %d frames", grown, spoofs()-1000)
			}
			runtime.KeepAlive(s.a.KaY)
		})
	}
}

// hear lets the insider know whom it has to list, and nothing else.
func (s *besieged) hear(frame []byte) {
	m := new(eapol.MKPDU)
	if eapol.ParseMKPDU(frame, eapol.Acceptance{}, m) == eapol.Accepted {
		s.x.Others = []*mkatest.Other{{Last: m, Lists: true}}
	}
}

// heap is what is in use, in octets.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// lastKN is the greatest Key Number of all.
const lastKN = ^eapol.KN(0)

// forged is a Distributed SAK for m, as of the key server: with its SCI, this KI, and the Message Number after mn.
func forged(w *world, m, server *mkatest.Member, ckn string, cak keyderive.CAK, ki eapol.KI, mn eapol.MN) []byte {
	x := w.AddPeer(9, ckn, cak)
	x.SCI, x.MI, x.MN, x.Priority, x.KN = server.SCI(), ki.MI, mn, 16, ki.KN-1
	x.Key.AN = secy.AN(ki.KN % 4)
	x.Generate(secy.GCMAES128, secy.Offset0)
	p := participantOf(m, ckn)
	return x.Next(listingNobody, listingLive(p.MI, p.MN))
}

// participantOf is how a member stands in a CA; zero: it is not there.
func participantOf(m *mkatest.Member, ckn string) (p mka.ParticipantStatus) {
	for _, q := range m.Status().Participants {
		if q.CKN == mkatest.CKN(ckn) {
			p = q
		}
	}
	return p
}

// serverFirst puts the key server of a pair first.
func serverFirst(pair []*mkatest.Member) (server, other *mkatest.Member) {
	if pair[1].Status().KeyServer {
		return pair[1], pair[0]
	}
	return pair[0], pair[1]
}

// Clause: 802.1X-2020 9.8, 9.4.2: of whose MI a SAK is reported that it has not made takes another: the Key Numbers of the
// former are used up for who has that SAK
// Requirement: R77
func TestForgedKeyNumberIsLivedDown(t *testing.T) {
	w, members := group(t, 2)
	a, b := serverFirst(members)
	w.Run(mka.LifeTime)
	w.Sever(b, a) // until a has sent the Message Number that was forged, or it would notice that
	p := participantOf(a, ckn)
	w.Inject(b, forged(w, b, a, ckn, cak(), eapol.KI{MI: p.MI, KN: lastKN}, p.MN), 0)
	w.Run(mka.HelloTime + 100*time.Millisecond)
	if participantOf(a, ckn).MI != p.MI {
		t.Fatal("the key server has noticed something else")
	}
	w.Join(b, a)
	w.Run(2 * (mka.LifeTime + mka.HelloTime))
	w.connected(a, b)
	for range 3 {
		was := a.SecY.Tx
		a.MustStep(mka.RekeyRequested{})
		w.until("the re-key is over", mka.LifeTime, func() bool {
			return a.SecY.Tx != was && b.SecY.Tx == a.SecY.Tx && a.Status().CP == "RETIRE" && b.Status().CP == "RETIRE"
		})
		w.connected(a, b)
	}
}

// Clause: 802.1X-2020 9.10.1: what a peer once reports of a SAK that is unknown is ignored: it may be late
// Requirement: R88
func TestSAKOfOursThatWeHaveNotMadeCountsOnceItIsUsedForAWhile(t *testing.T) {
	w, m, p := serving(t)
	reports := func(rx bool) func(*eapol.MKPDU) {
		ki := eapol.KI{MI: m.MI(), KN: 99}
		return func(u *eapol.MKPDU) { u.SAKUse.Old = eapol.KeyUse{KI: ki, AN: 3, Rx: rx, LPN: 1} }
	}
	mi := m.MI()
	for _, edit := range []func(*eapol.MKPDU){reports(true), func(*eapol.MKPDU) {}, reports(false), reports(true), reports(false)} {
		p.Say(edit)
		w.Run(1100 * time.Millisecond)
	}
	if m.MI() != mi {
		t.Fatal("the MI changes for a key that is not used, or no more")
	}
	p.Hush()
	p.Say(reports(true))
	w.Run(900 * time.Millisecond)
	p.Say(reports(true))
	w.Run(100 * time.Millisecond)
	if m.MI() != mi {
		t.Fatal("the MI changes within a second")
	}
	p.Say(reports(true))
	w.Run(20 * time.Millisecond)
	if m.MI() == mi {
		t.Error("the MI stays")
	}
}

// Clause: 802.1X-2020 9.14, 9.8: who has the key of one CA uses up no Key Numbers of another's
// Requirement: R77, R100
func TestForgedKeyNumberOfAnotherCACountsOnlyThere(t *testing.T) {
	w, a, b := fallenBack(t)
	mi := participantOf(a, ckn).MI
	w.Inject(b, forged(w, b, a, ckn2, cak2(), eapol.KI{MI: mi, KN: lastKN}, 0), 0)
	w.Run(4 * time.Second)
	w.Lose = nil
	w.until("the primary is principal again", 4*mka.LifeTime, func() bool {
		return principal(a) == ckn && principal(b) == ckn && a.SecY.Tx == b.SecY.Tx
	})
	w.Run(mka.LifeTime)
	w.connected(a, b)
	wantPrincipal(t, ckn, a, b)
}

// fallenBack is a pair, its key server first, that uses its fallback, as no MKPDU of the primary's CA passes.
func fallenBack(t *testing.T) (w *world, a, b *mkatest.Member) {
	t.Helper()
	w, members := pairWithFallback(t, 2)
	a, b = serverFirst(members)
	w.Run(mka.LifeTime)
	w.Lose = func(_, _ mkatest.Station, frame []byte) bool { return bytes.Contains(frame, []byte(ckn)) }
	w.until("the fallback is principal", 3*mka.LifeTime, func() bool { return principal(a) == ckn2 && principal(b) == ckn2 })
	w.Run(mka.LifeTime)
	return w, a, b
}

// Clause: 802.1X-2020 9.14, 9.8: a SAK under the KI of one that another CA has brought is another SAK, and is refused
// Requirement: R77, R100
func TestSAKUnderTheKIOfAnotherCAsIsRefused(t *testing.T) {
	w, a, b := fallenBack(t)
	ki := func(n int) eapol.KI { return eapol.KI{MI: participantOf(a, ckn).MI, KN: eapol.KN(n)} }
	for n := range 2 {
		b.MustStep(mka.FrameReceived{Frame: forged(w, b, a, ckn2, cak2(), ki(7+n), eapol.MN(n))})
		w.Run(0)
	}
	mi := participantOf(b, ckn).MI
	for n := range 2 {
		wantDiscard(t, b, eapol.DiscardSAKReuse, func() {
			b.MustStep(mka.FrameReceived{Frame: forged(w, b, a, ckn, cak(), ki(7+n), eapol.MN(100+n))})
		})
		w.Run(time.Second)
	}
	if participantOf(b, ckn).MI == mi {
		t.Error("it remains a member to whom that SAK is distributed")
	}
}

// Clause: 802.1X-2020 9.4.2, 9.14: an MI of ours is nobody else's, in whichever CA it is used: its KIs would be ours
// Requirement: R42, R100
func TestMIOfOurOtherParticipantIsDiscarded(t *testing.T) {
	w, a, b := fallenBack(t)
	before := a.Status().Participants
	wantDiscard(t, a, eapol.DiscardOwnMI, func() {
		a.MustStep(mka.FrameReceived{Frame: forged(w, a, b, ckn2, cak2(), eapol.KI{MI: participantOf(a, ckn).MI, KN: 7}, 0)})
	})
	for i, p := range a.Status().Participants {
		if p.MI != before[i].MI {
			t.Errorf("the MI in CA %s changes", p.CKN)
		}
	}
}

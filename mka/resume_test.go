package mka_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"mkad/eapol"
	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// theKey is the one participant's of most tests.
func theKey() mka.ParticipantAdded { return mka.ParticipantAdded{CKN: mkatest.CKN(ckn), CAK: cak()} }

// flowing has all Controlled Ports send all the time, whether or not their processes live, and wants every frame to be
// received by all others.
func (w *world) flowing() {
	w.t.Helper()
	var beat func()
	beat = func() {
		for _, m := range w.Members {
			m.SendData()
			for _, to := range w.Members {
				if to != m && !to.Hears(m) {
					w.t.Errorf("at %d ms: %s does not receive %s of %s", int64(w.Now)/1e6, to.Name, m.SecY.Tx, m.Name)
				}
			}
		}
		if !w.t.Failed() {
			w.After(time.Millisecond, beat)
		}
	}
	beat()
}

// steps is how many things a member does to the world in the time that a re-key takes, with room.
const steps = 26

// stride is how many steps lie between two that are tried. The race detector has nothing to find in one goroutine.
func stride() int {
	if raceEnabled {
		return 5
	}
	return 1
}

// Clause: 802.1X-2020 9.4.2, 12.4; design: a restart loses nothing, whatever a process was about when it ended.
// Requirement: R37, R116
func TestRestartInEveryStepOfARekeyLosesNothing(t *testing.T) {
	for _, n := range []int{2, 3} {
		for who := range n {
			for _, away := range []time.Duration{0, 2 * time.Second} {
				for step := 1; step <= steps; step += stride() {
					for _, again := range []bool{false, true} { // while the key before the last retires
						t.Run(fmt.Sprintf("%d members/member %d/away %v/again %t/step %d", n, who, away, again, step), func(t *testing.T) {
							restartInRekey(t, n, who, away, again, step)
						})
					}
				}
			}
		}
	}
}

func restartInRekey(t *testing.T, n, who int, away time.Duration, again bool, step int) {
	w, members := group(t, n)
	w.Delay = 3 * time.Millisecond
	m := members[who]
	before := m.MI()
	w.flowing()
	if again {
		members[0].MustStep(mka.RekeyRequested{})
		w.Run(time.Second)
	}
	m.Crash(step)
	members[0].MustStep(mka.RekeyRequested{})
	w.until("the crash", time.Minute, m.Dead)
	w.Run(away)
	if err := m.Resume(true, theKey()); err != nil {
		t.Fatal(err)
	}
	if m.MI() != before || !m.KaY.Secured() {
		t.Errorf("MI was %s and is %s; secured %t", before, m.MI(), m.KaY.Secured())
	}
	w.connected(members...)
	if m.MI() != before {
		t.Error("it has become a new member")
	}
}

// resumesLate has the peer fall silent, kills the KaY at one of its hellos, and resumes it shortly before Life Time.
func (w *world) resumesLate(m *mkatest.Member, p *mkatest.Peer) {
	w.t.Helper()
	p.Hush()
	w.Run(mka.HelloTime)
	hellos := m.Frames
	w.until("a hello", mka.HelloTime, func() bool { return m.Frames > hellos })
	m.Kill()
	w.Run(mka.LifeTime - 500*time.Millisecond)
	if err := m.Resume(true, theKey()); err != nil {
		w.t.Fatal(err)
	}
}

// Clause: 802.1X-2020 9.4.3; a peer whose life has run out while we were away gets the time to be heard.
// Requirement: R116
func TestPeersOfAResumedParticipantHaveTimeToAnswer(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	before := m.MI()
	w.resumesLate(m, p)
	w.Run(2 * time.Second)
	p.Period = mka.HelloTime
	p.Say()
	w.Run(20 * time.Second)
	if m.MI() != before || !m.KaY.Secured() || !isLive(m, p.SCI) {
		t.Errorf("MI was %s, is %s: %+v", before, m.MI(), m.Status())
	}
}

// Clause: 802.1X-2020 9.4.2; a restart during a restart.
// Requirement: R37, R116
func TestRestartsInARowLoseNothing(t *testing.T) {
	for who := range 2 {
		for step := 1; step <= steps; step += stride() {
			t.Run(fmt.Sprintf("member %d/step %d", who, step), func(t *testing.T) {
				w, members := group(t, 2)
				m := members[who]
				before := m.MI()
				w.flowing()
				m.Kill()
				for range 3 {
					w.Run(300 * time.Millisecond)
					if err := m.Resume(true, theKey()); err != nil {
						t.Fatal(err)
					}
					m.Crash(step)
					w.until("the crash", time.Minute, m.Dead)
				}
				w.Run(300 * time.Millisecond)
				if err := m.Resume(true, theKey()); err != nil {
					t.Fatal(err)
				}
				w.connected(members...)
				if m.MI() != before {
					t.Error("it has become a new member")
				}
			})
		}
	}
}

// Clause: 802.1X-2020 9.8; a SecY in user space has lost its keys: another one comes within a hello, for the MI is known.
// Requirement: R48, R116
func TestRestartWithoutTheSecYIsSecuredAgainAtOnce(t *testing.T) {
	for who := range 2 {
		for step := 1; step <= steps; step += stride() {
			t.Run(fmt.Sprintf("member %d/step %d", who, step), func(t *testing.T) {
				w, members := group(t, 2)
				m := members[who]
				before := m.MI()
				m.Crash(step)
				members[0].MustStep(mka.RekeyRequested{})
				w.until("the crash", time.Minute, m.Dead)
				w.Run(time.Second)
				if err := m.Resume(false, theKey()); err != nil {
					t.Fatal(err)
				}
				w.until("secured", mka.HelloTime+100*time.Millisecond, func() bool {
					return mkatest.Apart(members) == ""
				})
				if m.MI() != before {
					t.Error("it has become a new member")
				}
				w.connected(members...)
			})
		}
	}
}

// Clause: 802.1X-2020 Figure 12-2, 9.8; the same again, while the others still retire the key before the last: they take the
// next at once, for the one that was restarted sends with it already, and could not be heard.
// Requirement: R48
func TestSecondRestartWithoutTheSecYIsOverAsSoonAsTheFirst(t *testing.T) {
	for _, n := range []int{2, 3} {
		for who := range n {
			for apart := 400 * time.Millisecond; apart < mka.SAKRetireTime; apart += 400 * time.Millisecond {
				t.Run(fmt.Sprintf("%d members/member %d/after %v", n, who, apart), func(t *testing.T) {
					w, members := group(t, n)
					m := members[who]
					for range 3 {
						m.Kill()
						w.Run(50 * time.Millisecond)
						if err := m.Resume(false, theKey()); err != nil {
							t.Fatal(err)
						}
						at := w.Now
						w.until("each hears all others", mka.SAKRetireTime, func() bool { return mkatest.Apart(members) == "" })
						soon := max(time.Second-apart, 0) + 5*mka.MinGap // one SAK a second is made for who says that it lost the last
						if took := w.Now.Sub(at); took > soon {
							t.Errorf("after %v each hears all others", took)
						}
						w.Run(apart)
					}
					w.connected(members...)
				})
			}
		}
	}
}

// Clause: 802.1X-2020 9.8; however often a member says that it has lost its SAK, there is not more than one a second.
// Requirement: R69
func TestMemberThatLosesEverySAKGetsOneASecond(t *testing.T) {
	w, m, p := serving(t, suites(secy.GCMAES128))
	w.Run(mka.LifeTime)
	lost := func() (at []mka.Time) {
		made := m.Count(mka.EventSAKGenerated)
		for end := w.Now.Add(5 * time.Second); w.Now < end; w.Run(50 * time.Millisecond) {
			p.Tell(m, func(f *eapol.MKPDU) {
				f.SAKUse = eapol.SAKUse{Present: true, Latest: eapol.KeyUse{KI: p.Key.KI, AN: p.Key.AN, LPN: ^uint32(0)}}
			})
			if n := m.Count(mka.EventSAKGenerated); n > made {
				made, at = n, append(at, w.Now)
			}
		}
		return at
	}
	if at := lost(); len(at) < 4 || len(at) > 6 {
		t.Errorf("%d SAKs in 5 s: %v", len(at), at)
	}
}

// Clause: 802.1X-2020 9.8; the same while the key is so young that another has to wait: it is not given again to whoever
// has lost it.
// Requirement: R48, R116
func TestFollowerThatHasLostAYoungKeyGetsAnother(t *testing.T) {
	w := newWorld(t)
	members := []*mkatest.Member{w.kay(1), w.kay(2)}
	w.until("secured", time.Second, func() bool { return mkatest.Apart(members) == "" })
	w.Run(100 * time.Millisecond)
	m := members[1]
	before := m.MI()
	m.Kill()
	w.Run(100 * time.Millisecond)
	if err := m.Resume(false, theKey()); err != nil {
		t.Fatal(err)
	}
	w.until("secured", 200*time.Millisecond, func() bool { return mkatest.Apart(members) == "" })
	if m.MI() != before {
		t.Error("it has become a new member")
	}
	w.connected(members...)
}

// Clause: 802.1X-2020 9.4.2; who cannot have been taken for alive any more comes as a new member.
// Requirement: R37, R116
func TestStaleStateIsNotResumed(t *testing.T) {
	for name, spoil := range map[string]func(w *world, s *mka.State){
		"after Life Time":    func(w *world, s *mka.State) { s.Participants[0].SentAt = w.Now.Add(-mka.LifeTime) },
		"of another SCI":     func(w *world, s *mka.State) { s.SCI++ },
		"of another CAK":     func(w *world, s *mka.State) { s.Participants[0].Proof[0]++ },
		"of another MI":      func(w *world, s *mka.State) { s.Participants[0].MI[0]++ },
		"of another CKN":     func(w *world, s *mka.State) { s.Participants[0].CKN = mkatest.CKN("other") },
		"from the future":    func(w *world, s *mka.State) { s.Participants[0].SentAt = w.Now + 1 },
		"without live peers": func(w *world, s *mka.State) { s.Participants[0].Peers[0].Live = false },
		"with a peer that was silent for two Life Times": func(w *world, s *mka.State) {
			s.Participants[0].Peers[0].HeardAt = w.Now.Add(-2 * mka.LifeTime)
		},
		"empty": func(w *world, s *mka.State) { *s = mka.State{} },
	} {
		t.Run(name, func(t *testing.T) {
			w, members := group(t, 2)
			m := members[1]
			m.Kill()
			before, s := m.MI(), m.Kept()
			spoil(w, &s)
			m.Restart()
			m.MustStep(theKey())
			mark := m.Mark()
			err := m.Step(mka.Resumed{State: s})
			if _, claims := m.KaY.Claims(w.Now, &s); !errors.Is(err, mka.ErrNotResumable) || !errors.Is(claims, mka.ErrNotResumable) {
				t.Errorf("resumed: %v, claims: %v", err, claims)
			}
			if did := m.Since(mark); len(did.Ops)+did.Frames+len(did.Events) != 0 {
				t.Errorf("it has done %+v", did)
			}
			m.MustStep(mka.LinkChanged{Up: true})
			if m.MI() == before {
				t.Error("its MI is the old one")
			}
		})
	}
}

// Clause: 802.1X-2020 9.8; keys that the configuration does not allow any more do not stay in service, though the MI does.
// Requirement: R78, R116
func TestKeysThatTheConfigurationForbidsAreNotClaimed(t *testing.T) {
	w, m, _ := following(t, secy.GCMAES128)
	s := m.Kept()
	for name, edit := range map[string]func(*mka.Config){
		"another suite": suites(secy.GCMAES256),
		"capability":    func(c *mka.Config) { c.Capability = secy.CapabilityIntegrity },
	} {
		if claims, err := other(t, edit).Claims(w.Now, &s); len(claims) != 0 || err != nil {
			t.Errorf("%s: claims %v, %v", name, claims, err)
		}
	}
}

// Clause: 802.1AE-2018 10.7.11; a member whose SCI has not been heard has no receive SC.
// Requirement: R116
func TestReceiveSAsOfMembersThatAreNotKnownAreNotClaimed(t *testing.T) {
	w, _, _ := following(t, secy.GCMAES128)
	s := w.Members[0].Kept()
	s.Keys[0].Members = append(s.Keys[0].Members, mka.MemberState{MI: eapol.MI{9}}, mka.MemberState{MI: eapol.MI{10}, SCI: 1})
	claims, err := other(t).Claims(w.Now, &s)
	if err != nil || len(claims) != 1 {
		t.Fatalf("claims %v, %v", claims, err)
	}
	var got []secy.SCI
	for _, c := range claims[0].Receive {
		got = append(got, c.SCI)
	}
	if n := len(got); n != len(s.Keys[0].Members)-1 || slices.Contains(got, 0) || got[n-1] != 1 {
		t.Errorf("of %+v those of %v are claimed", s.Keys[0].Members, got)
	}
}

// Clause: 802.1X-2020 9.8; a key server that does what exhausted packet numbers ask for is asked by them; one that does
// not gets a new member.
// Requirement: R48, R116
func TestFollowerWithoutItsKeyAsksAndThenBecomesANewMember(t *testing.T) {
	w, m, p := following(t, secy.GCMAESXPN128)
	w.Run(mka.HelloTime) // its SAK is not distributed any more
	before, ki := m.MI(), m.Status().Tx.KI
	m.Kill()
	p.Hush()
	if err := m.Resume(false, theKey()); err != nil {
		t.Fatal(err)
	}
	at := w.Now
	w.Run(10 * time.Millisecond)
	said := p.Heard(m.SCI())
	if u, known := mkatest.UseOf(said, ki); said == nil || !known || u.Tx || u.Rx || u.LPN != ^uint32(0) || said.XPN.LatestHigh|said.XPN.OldHigh != ^uint32(0) {
		t.Errorf("it says %+v, %+v", said.SAKUse, said.XPN)
	}
	if said.SAKUse.Latest != (eapol.KeyUse{}) && said.SAKUse.Old != (eapol.KeyUse{}) {
		t.Errorf("of a key that there was not it says something: %+v", said.SAKUse)
	}
	p.Period = mka.HelloTime
	p.Say()
	const enough = 2*mka.HelloTime + 500*time.Millisecond
	w.Run(at.Add(enough).Sub(w.Now) - time.Millisecond)
	if m.MI() != before {
		t.Errorf("it has another MI %v after the restart", w.Now.Sub(at))
	}
	if w.Run(2 * time.Millisecond); m.MI() == before {
		t.Errorf("no SAK came, and its MI is the old one %v after the restart", w.Now.Sub(at))
	}
}

// Clause: 802.1X-2020 9.4.2; who has become a new member meanwhile, for whatever reason, has nothing left to ask for.
// Requirement: R48, R116
func TestFollowerWithoutItsKeyBecomesANewMemberOnce(t *testing.T) {
	w, m, p := following(t, secy.GCMAESXPN128)
	w.Run(mka.HelloTime)
	m.Kill()
	p.Hush()
	if err := m.Resume(false, theKey()); err != nil {
		t.Fatal(err)
	}
	w.Run(mka.HelloTime)
	mark := m.Mark()
	m.MustStep(mka.LinkChanged{})
	m.MustStep(mka.LinkChanged{Up: true})
	p.Rejoin()
	p.Talk()
	w.Run(time.Second)
	if u := p.Heard(m.SCI()).SAKUse; !u.Latest.KI.IsZero() || !u.Old.KI.IsZero() {
		t.Errorf("it says %+v of keys that it had before", u)
	}
	w.Run(mka.LifeTime)
	var made int
	for _, e := range m.Since(mark).Events {
		if e.Kind == mka.EventNewMI {
			made++
		}
	}
	if made != 1 {
		t.Errorf("it has taken %d MIs since the link was lost, want 1", made)
	}
}

// Clause: 802.1X-2020 9.4.2; Message Numbers and Key Numbers go on beyond all that may have been used.
// Requirement: R37, R116
func TestResumedNumbersAreBeyondTheReserve(t *testing.T) {
	w, members := group(t, 2)
	m := members[0]
	m.MustStep(mka.RekeyRequested{})
	w.Run(5 * time.Second)
	tx, mn := m.Status().Tx, mnOf(m)
	m.Kill()
	if err := m.Resume(true, theKey()); err != nil {
		t.Fatal(err)
	}
	w.Run(time.Second)
	s := m.Status()
	if s.Tx.KI.MI != tx.KI.MI || s.Tx.KI.KN != tx.KI.KN+32_769 || mnOf(m) < mn+32_769 || s.Tx.AN != (tx.AN+1)%4 {
		t.Errorf("%+v after %+v, MN %d after %d", s.Tx, tx, mnOf(m), mn)
	}
}

// FuzzResume gives a KaY any state: it is refused or gone on with, and then the KaY does what any other does.
func FuzzResume(f *testing.F) {
	w := mkatest.New(1)
	a, b := w.Add("a", mkatest.Config(1)), w.Add("b", mkatest.Config(2))
	a.Up(ckn, cak())
	b.Up(ckn, cak())
	w.Run(10 * time.Second)
	f.Add(uint16(0), uint16(0), uint64(0), false)
	f.Add(uint16(3), uint16(7), uint64(1), true)
	f.Add(uint16(24), uint16(60_000), uint64(1e9), true)
	f.Fuzz(func(t *testing.T, what, which uint16, value uint64, complete bool) {
		lan := mkatest.New(1)
		m := lan.Add("b", mkatest.Config(2))
		lan.Now = w.Now
		s := b.Kept()
		spoilState(&s, what, which, value)
		m.MustStep(theKey())
		claims, err := m.KaY.Claims(lan.Now, &s)
		var held []secy.Holding
		for i, c := range claims {
			held = append(held, secy.Holding{Key: c.Key, Complete: complete, Receiving: complete, Transmitting: complete && i == len(claims)-1})
		}
		if got := m.Step(mka.Resumed{State: s, Held: held}); (got == nil) != (err == nil) {
			t.Fatalf("resumed: %v, claims: %v", got, err)
		}
		if err == nil && m.MI() != s.Participants[0].MI {
			t.Error("it does not go on with the MI")
		}
		lan.Run(20*time.Second + m.Status().Participants[0].Suspended)
		if now := m.Status(); now.Secured || len(now.Participants[0].Peers) != 0 {
			t.Errorf("alone for long, it is %+v", now)
		}
	})
}

// spoilState changes one thing of a state.
func spoilState(s *mka.State, what, which uint16, value uint64) {
	p := &s.Participants[0]
	q := &p.Peers[int(which)%len(p.Peers)]
	y := &s.Keys[int(which)%len(s.Keys)]
	switch what % 25 {
	case 1:
		q.HeardAt = mka.Time(value)
	case 2:
		q.ExpiresAt = mka.Time(value)
	case 3:
		q.SCI = secy.SCI(value)
	case 4:
		q.MN = eapol.MN(value)
	case 5:
		p.SentAt = mka.Time(value)
	case 6:
		p.MN = eapol.MN(value)
	case 7:
		p.KN = eapol.KN(value)
	case 8:
		p.Version = uint8(value)
	case 9:
		y.AN = secy.AN(value)
	case 10:
		y.Suite = secy.CipherSuite(value)
	case 11:
		y.Offset = secy.ConfidentialityOffset(value)
	case 12:
		y.LowestPN = secy.PN(value)
	case 13:
		y.BornAt = mka.Time(value)
	case 14:
		y.Members = append(y.Members, mka.MemberState{SCI: secy.SCI(value)})
	case 15:
		y.Old = !y.Old
	case 16:
		s.Keys = append(s.Keys, *y)
	case 17:
		s.Keys = nil
	case 18:
		s.LastAN = secy.AN(value)
	case 19:
		p.Peers = append(p.Peers, *q)
	case 20:
		q.Version, q.Priority = uint8(value), uint8(value>>8)
	case 21:
		y.KI.KN = eapol.KN(value)
	case 22:
		s.Used = append(s.Used, eapol.KI{MI: p.MI, KN: eapol.KN(value)})
	case 23:
		s.Participants = append(s.Participants, *p)
	case 24:
		p.Suspended = mka.SuspensionState{By: q.SCI, From: p.SentAt - mka.Time(value), Until: p.SentAt.Add(time.Duration(which) * time.Millisecond)}
		q.ExpiresAt = p.Suspended.Until.Add(mka.LifeTime)
	}
}

// Clause: 802.1X-2020 9.4.3; the time that a peer has to answer is that of a hello, and no more.
// Requirement: R116
func TestPeerOfAResumedParticipantThatDoesNotAnswerIsLost(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	w.resumesLate(m, p)
	if got, want := lostAfter(w, m, p.SCI), mka.HelloTime+500*time.Millisecond; got != want {
		t.Errorf("lost after %v, want %v", got, want)
	}
}

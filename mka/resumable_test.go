package mka_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// These tests alter what an earlier process has left.

// resumed is a member whose process has ended, and whose next one goes on from what edit makes of the State that was
// left. Without keep the SecY has lost its SAs.
func (w *world) resumed(m *mkatest.Member, keep bool, edit func(*mka.State)) {
	w.t.Helper()
	m.Kill()
	m.Alter(edit)
	if err := m.Resume(keep, theKey()); err != nil {
		w.t.Fatal(err)
	}
}

// Clause: 802.1X-2020 9.8, 9.9; what cannot have been the two keys of one SecY does not stay in service
// Requirement: R116
func TestKeysThatCannotBeTogetherAreNotClaimed(t *testing.T) {
	w, m, _ := following(t, secy.GCMAESXPN128)
	for name, c := range map[string]struct {
		edit func(latest, old *mka.KeyState)
		want int
	}{
		"the latest and the old": {func(latest, old *mka.KeyState) {}, 2},
		"an AN of 3":             {func(latest, old *mka.KeyState) { latest.AN = 3 }, 2},
		"an AN of 4":             {func(latest, old *mka.KeyState) { latest.AN = 4 }, 0},
		"no KI":                  {func(latest, old *mka.KeyState) { old.KI = eapol.KI{} }, 0},
		"no key server":          {func(latest, old *mka.KeyState) { old.Server = 0 }, 0},
		"no SSCI":                {func(latest, old *mka.KeyState) { latest.SSCI = 0 }, 0},
		"an offset with XPN": {func(latest, old *mka.KeyState) {
			latest.Offset, old.Offset = secy.Offset30, secy.Offset30
		}, 0},
		"an unknown suite": {func(latest, old *mka.KeyState) { latest.Suite, old.Suite = 1, 1 }, 0},
		"two latest":       {func(latest, old *mka.KeyState) { old.Old = false }, 0},
		"two old":          {func(latest, old *mka.KeyState) { latest.Old = true }, 0},
		"one AN":           {func(latest, old *mka.KeyState) { old.AN = latest.AN }, 0},
		"one KI":           {func(latest, old *mka.KeyState) { old.KI = latest.KI }, 0},
		"two suites":       {func(latest, old *mka.KeyState) { old.Suite = secy.GCMAESXPN256 }, 0},
		"two suites, one without offset": {func(latest, old *mka.KeyState) {
			old.Suite, old.Offset = secy.GCMAES128, secy.IntegrityOnly
		}, 0},
		"two offsets": {func(latest, old *mka.KeyState) { old.Offset = secy.IntegrityOnly }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := m.Kept()
			latest := s.Keys[0]
			latest.Old = false
			old := latest
			old.Old, old.AN, old.KI.KN = true, (latest.AN+1)%3, latest.KI.KN+1
			c.edit(&latest, &old)
			s.Keys = []mka.KeyState{latest, old}
			k := other(t)
			if claims, err := k.Claims(w.Now, &s); len(claims) != c.want || err != nil {
				t.Errorf("%d claims, %v; want %d", len(claims), err, c.want)
			}
		})
	}
}

// other is a KaY like that of following, in another process.
func other(t *testing.T, edit ...func(*mka.Config)) *mka.KaY {
	t.Helper()
	cfg := mkatest.Config(2)
	cfg.Rand = zeros{}
	for _, f := range edit {
		f(&cfg)
	}
	k, err := mka.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var out mka.Output
	if err := k.Step(0, theKey(), &out); err != nil {
		t.Fatal(err)
	}
	return k
}

// Clause: 802.1X-2020 9.4.2; a KaY at work goes on as who it is
// Requirement: R37, R116, R122
func TestKaYAtWorkIsNotResumed(t *testing.T) {
	w, m, _ := following(t, secy.GCMAES128)
	s := m.Kept()
	m.Restart()
	m.MustStep(theKey())
	m.MustStep(mka.LinkChanged{Up: true})
	before := m.MI()
	err := m.Step(mka.Resumed{State: s})
	if !errors.Is(err, mka.ErrNotResumable) || !strings.Contains(err.Error(), "at work") || m.MI() != before {
		t.Errorf("%v; its MI was %s and is %s", err, before, m.MI())
	}
	w.Run(time.Second)
}

// Clause: 802.1X-2020 9.4.2; who begins afresh is told why
// Requirement: R116
func TestWhyNothingIsResumedIsTold(t *testing.T) {
	w, m, _ := following(t, secy.GCMAES128)
	for want, edit := range map[string]func(*mka.State){
		"its CAK is another":               func(s *mka.State) { s.Participants[0].Proof[0]++ },
		"is not younger than 6s":           func(s *mka.State) { s.Participants[0].SentAt -= mka.Time(mka.LifeTime) },
		"CKN " + mkatest.CKN(ckn).String(): func(s *mka.State) { s.Participants[0].SentAt = w.Now + 1 },
		"the SCI was":                      func(s *mka.State) { s.SCI++ },
		"no participant with live":         func(s *mka.State) { s.Participants[0].Peers = nil },
	} {
		s := m.Kept()
		s.Participants = slices.Clone(s.Participants)
		edit(&s)
		if _, err := other(t).Claims(w.Now, &s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}

// Clause: 802.1X-2020 9.3.1, 9.4.2; each participant goes on as who it was, once
// Requirement: R37, R116
func TestEveryParticipantIsResumedOnce(t *testing.T) {
	w, members := group(t, 2)
	for _, m := range members {
		m.MustStep(second(false))
	}
	w.Run(2 * mka.LifeTime)
	m := members[0]
	var before []eapol.MI
	for _, p := range m.Status().Participants {
		before = append(before, p.MI)
	}
	m.Kill()
	m.Alter(func(s *mka.State) { s.Participants = append(s.Participants, s.Participants[0]) })
	events := len(m.Events)
	if err := m.Resume(true, theKey(), second(false)); err != nil {
		t.Fatal(err)
	}
	told := map[string]int{}
	inUse := m.Status().Tx.KI
	for _, e := range m.Events[events:] {
		if e.Kind != mka.EventResumed {
			continue
		}
		told[e.CKN.String()]++
		if uses := e.CKN == mkatest.CKN(ckn2); uses != (e.KI == inUse) || uses != (e.Suite != 0) {
			t.Errorf("CKN %s goes on with key %s, suite %s; in use is %s of CKN %s", e.CKN, e.KI, e.Suite, inUse, ckn2)
		}
	}
	if len(told) != 2 || told[mkatest.CKN(ckn).String()] != 1 {
		t.Errorf("resumed are %v", told)
	}
	for i, p := range m.Status().Participants {
		if p.MI != before[i] {
			t.Errorf("MI of participant %d was %s and is %s", i, before[i], p.MI)
		}
	}
	wantPrincipal(t, ckn2, members...)
	w.connected(members...)
}

// Clause: 802.1X-2020 12.4, 9.4.6; the SecY of the next process has its settings and its open port from it, and peers who hear
// that it is there hear no more of it than before
// Requirement: R116
func TestResumedPortIsConfiguredAndOpenedOnceAndSaysHelloAtItsPace(t *testing.T) {
	w, m, _ := following(t, secy.GCMAESXPN128)
	w.Run(2 * mka.LifeTime)
	mark, frames := m.Mark(), m.Frames
	w.resumed(m, true, func(*mka.State) {})
	w.Run(mka.HelloTime - time.Millisecond)
	if n := m.Frames - frames; n != 1 {
		t.Errorf("%d MKPDUs in less than a Hello Time, want 1", n)
	}
	var configured, opened int
	for _, op := range m.Since(mark).Ops {
		switch {
		case op.Kind == secy.OpConfigure && op.Settings.ProtectFrames && op.Settings.CipherSuite == secy.GCMAESXPN128:
			configured++
		case op.Kind == secy.OpControlledPort && op.Enabled:
			opened++
		default:
			t.Errorf("%s", op)
		}
	}
	if configured != 1 || opened != 1 {
		t.Errorf("configured %d times, opened %d times; want once each", configured, opened)
	}
}

// Clause: 802.1X-2020 9.10.1, Figure 12-2 TRANSMITTING; the old SAK goes on to receive for SAK Retire Time, if the SecY has it
// Requirement: R116
func TestOldSAKIsResumedBesideTheLatestIfTheSecYHasIt(t *testing.T) {
	for _, has := range []bool{true, false} {
		w, m, p := following(t, secy.GCMAES128)
		w.Run(2 * mka.LifeTime)
		old := m.Status().Tx.KI
		p.Generate(secy.GCMAES128, secy.Offset0)
		p.Say()
		w.until("it transmits with the next", mka.HelloTime, func() bool { return m.Status().Tx.KI == p.Key.KI })
		if !has {
			m.SecY.SAs = slices.DeleteFunc(m.SecY.SAs, func(a mkatest.SA) bool { return a.Key == old.KeyID() })
		}
		w.resumed(m, true, func(*mka.State) {})
		p.Hush()
		w.Run(10 * time.Millisecond)
		said := p.Heard(m.SCI())
		latest, _ := mkatest.UseOf(said, p.Key.KI)
		former, _ := mkatest.UseOf(said, old)
		if !latest.Tx || !latest.Rx || former.Rx != has || former.Tx {
			t.Errorf("the SecY has the old SAK: %t; told of the latest: %+v, of the old: %+v", has, latest, former)
		}
		w.Run(mka.SAKRetireTime)
		if _, kept := m.SecY.Find(m.SCI(), old.KeyID()); kept || m.Status().Tx.KI != p.Key.KI {
			t.Errorf("after SAK Retire Time the old SAK is there: %t", kept)
		}
	}
}

// Clause: 802.1X-2020 9.10.1; design: in_service_slot. Peers have seen the SAK as Latest before the restart
// Requirement: R116
func TestResumedSAKIsReportedInTheSlotWhereItWas(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128, func(c *mka.Config) { c.InServiceOld = true })
	w.Run(2 * mka.LifeTime)
	before := p.Heard(m.SCI()).SAKUse
	w.resumed(m, true, func(*mka.State) {})
	p.Hush()
	w.Run(10 * time.Millisecond)
	if u := p.Heard(m.SCI()).SAKUse; u.Old.KI != p.Key.KI || u.Old.KI != before.Old.KI || u.Latest.KI != before.Latest.KI {
		t.Errorf("it was %+v before the restart, and is %+v", before, u)
	}
}

// Clause: 802.1X-2020 9.8, 9.14; what the SecY has lost is missed by who is principal now, whoever was
// Requirement: R116
func TestParticipantThatWasNotPrincipalMissesItsKey(t *testing.T) {
	w, m, p := following(t, secy.GCMAESXPN128)
	w.Run(mka.HelloTime) // the SAK is not distributed any more
	ki := m.Status().Tx.KI
	p.Hush()
	w.resumed(m, false, func(s *mka.State) { s.Participants[0].Principal = false })
	w.Run(10 * time.Millisecond)
	said := p.Heard(m.SCI())
	if u, known := mkatest.UseOf(said, ki); !known || u.Tx || u.Rx || u.LPN != ^uint32(0) {
		t.Errorf("it says %+v", said.SAKUse)
	}
}

// Clause: 802.1X-2020 9.4.3; a peer whose last words are old gets no more time than two lives from then on
// Requirement: R116
func TestPeerThatWasSilentBeforeTheRestartHasNoMoreThanTwoLives(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	w.Run(2 * mka.LifeTime)
	p.Hush()
	w.resumed(m, true, func(s *mka.State) {
		q := &s.Participants[0].Peers[0]
		q.HeardAt, q.ExpiresAt, s.Participants[0].SentAt = w.Now.Add(500*time.Millisecond-2*mka.LifeTime), w.Now-1, w.Now-2
	})
	if w.Run(499 * time.Millisecond); !isLive(m, p.SCI) {
		t.Error("it is lost before")
	}
	if w.Run(2 * time.Millisecond); isLive(m, p.SCI) {
		t.Error("it is still live")
	}
}

// Clause: 802.1X-2020 9.4.3; an SCI has one MI, and an MI one SCI; none is our own
// Requirement: R37, R116
func TestPeersThatCannotBeTogetherAreNotResumed(t *testing.T) {
	for name, edit := range map[string]func(now mka.Time, q *mka.PeerState, s *mka.State){
		"one SCI":     func(_ mka.Time, q *mka.PeerState, _ *mka.State) { q.MI[0]++ },
		"one MI":      func(_ mka.Time, q *mka.PeerState, _ *mka.State) { q.SCI++ },
		"our own MI":  func(_ mka.Time, q *mka.PeerState, s *mka.State) { q.MI, q.SCI = s.Participants[0].MI, q.SCI+1 },
		"our own SCI": func(_ mka.Time, q *mka.PeerState, s *mka.State) { q.MI[0]++; q.SCI = s.SCI },
		"no SCI":      func(_ mka.Time, q *mka.PeerState, _ *mka.State) { q.MI[0]++; q.SCI = 0 },
		"heard from the future": func(now mka.Time, q *mka.PeerState, _ *mka.State) {
			q.MI[0]++
			q.SCI++
			q.HeardAt = now + 1
		},
		"lost when the last MKPDU was sent": func(_ mka.Time, q *mka.PeerState, s *mka.State) {
			q.MI[0]++
			q.SCI++
			q.ExpiresAt = s.Participants[0].SentAt
		},
		"of more than two lives": func(_ mka.Time, q *mka.PeerState, _ *mka.State) {
			q.MI[0]++
			q.SCI++
			q.ExpiresAt = q.HeardAt.Add(2*mka.LifeTime) + 1
		},
		"silent for two lives meanwhile": func(now mka.Time, q *mka.PeerState, s *mka.State) {
			q.MI[0]++
			q.SCI++
			s.Participants[0].SentAt, q.HeardAt, q.ExpiresAt = now-2, now.Add(-2*mka.LifeTime), now-1
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, m, p := following(t, secy.GCMAES128)
			w.Run(2 * mka.LifeTime)
			lost := m.Count(mka.EventPeerLost)
			w.resumed(m, true, func(s *mka.State) {
				q := s.Participants[0].Peers[0]
				edit(w.Now, &q, s)
				s.Participants[0].Peers = append(s.Participants[0].Peers, q)
			})
			if got := m.Status().Participants[0].Peers; len(got) != 1 || got[0].SCI != p.SCI || got[0].MI != p.MI {
				t.Errorf("its peers are %+v", got)
			}
			if n := m.Count(mka.EventPeerLost) - lost; n != 0 {
				t.Errorf("%d peers lost that it never had", n)
			}
		})
	}
}

// Clause: 802.1X-2020 9.8; a key server that has lost its SAK makes another, and has nobody to say it to
// Requirement: R116
func TestKeyServerThatHasLostItsSAKDoesNotSaySo(t *testing.T) {
	w, m, p := serving(t, suites(secy.GCMAESXPN128))
	lost := m.Status().Tx.KI
	p.Hush()
	w.resumed(m, false, func(*mka.State) {})
	w.Run(10 * time.Millisecond)
	said := p.Heard(m.SCI())
	if u, known := mkatest.UseOf(said, lost); known || said.Basic.MI != m.MI() {
		t.Errorf("it says %+v of the SAK that it has lost", u)
	}
	if !said.DistributedSAK.Present {
		t.Error("it distributes no other")
	}
}

// Clause: 802.1X-2020 9.3.2; of a key that is on standby nothing is in service, so nothing is missing
// Requirement: R116
func TestParticipantThatIsResumedOnStandbyMissesNothing(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	before := m.MI()
	m.Kill()
	p.Hush()
	standby := theKey()
	standby.Standby = true
	if err := m.Resume(false, standby); err != nil {
		t.Fatal(err)
	}
	w.Run(mka.HelloTime)
	if u, known := mkatest.UseOf(p.Heard(m.SCI()), p.Key.KI); known || m.MI() != before {
		t.Errorf("it says %+v; its MI was %s and is %s", u, before, m.MI())
	}
}

// Clause: 802.1X-2020 11.11; the MKA version goes on, unless the configuration says which
// Requirement: R116
func TestResumedParticipantGoesOnInItsMKAVersion(t *testing.T) {
	for _, c := range []struct{ configured, was, want uint8 }{{0, 2, 2}, {0, 1, 1}, {0, 0, 1}, {0, 9, 3}, {3, 2, 3}, {2, 3, 2}} {
		w, m, p := following(t, secy.GCMAES128, func(cfg *mka.Config) { cfg.Version = c.configured })
		p.Hush()
		w.resumed(m, true, func(s *mka.State) { s.Participants[0].Version, s.Participants[0].Peers[0].Version = c.was, 1 })
		w.Run(10 * time.Millisecond)
		if got := p.Heard(m.SCI()).Basic.MKAVersion; got != c.want {
			t.Errorf("configured %d, was %d: goes on with %d, want %d", c.configured, c.was, got, c.want)
		}
	}
}

// Clause: 802.1X-2020 9.4.2, 9.8; a member that was heard only after the SAK had gone with an earlier process cannot be
// received: another SAK is made for a follower that becomes a new member
// Requirement: R116
func TestFollowerThatCannotReceiveAMemberBecomesANewOne(t *testing.T) {
	for name, edit := range map[string]func(*mka.State){
		"in the latest key": func(*mka.State) {},
		"in the old key":    func(s *mka.State) { s.Keys[0].Old = true },
	} {
		t.Run(name, func(t *testing.T) {
			w, m, p := following(t, secy.GCMAES128)
			late, stranger := w.peer(3), w.peer(4)
			w.resumed(m, true, func(s *mka.State) {
				s.Keys[0].Members = append(s.Keys[0].Members, mka.MemberState{MI: late.MI})
				edit(s)
			})
			before := m.MI()
			w.Run(mka.HelloTime) // changes of the MI that others provoke have a distance
			stranger.Say()
			w.Run(time.Millisecond)
			if m.MI() != before || !m.KaY.Secured() {
				t.Fatalf("for somebody who is no member of the key it takes another MI; secured %t", m.KaY.Secured())
			}
			late.Say()
			w.Run(time.Millisecond)
			if m.MI() == before {
				t.Error("it cannot receive a member and keeps its MI")
			}
			if !isLive(m, p.SCI) {
				t.Error("its key server is lost")
			}
		})
	}
}

// Clause: 802.1X-2020 9.4.2; the same of a key server, which makes another SAK anyhow
// Requirement: R116
func TestKeyServerThatCannotReceiveAMemberKeepsItsMI(t *testing.T) {
	w, m, _ := serving(t, suites(secy.GCMAES128))
	late := w.peer(3)
	w.resumed(m, true, func(s *mka.State) {
		s.Keys[0].Members = append(s.Keys[0].Members, mka.MemberState{MI: late.MI})
	})
	before := m.MI()
	w.Run(mka.HelloTime)
	late.Say()
	w.Run(time.Millisecond)
	if m.MI() != before {
		t.Error("it has another MI")
	}
}

// Clause: 802.1X-2020 9.4.2; a SAK that is distributed again to a resumed follower, which holds it without its octets, makes
// no SA: what is in service stays
// Requirement: R116
func TestSAOfAResumedKeyIsMadeOnce(t *testing.T) {
	w, m, p := following(t, secy.GCMAESXPN128)
	w.resumed(m, true, func(*mka.State) {})
	mark := m.Mark()
	p.Say()
	w.Run(mka.HelloTime)
	for _, op := range m.Since(mark).Ops {
		if op.Kind == secy.OpCreateReceiveSA || op.Kind == secy.OpCreateTransmitSA {
			t.Errorf("%s", op)
		}
	}
	if m.SecY.Tx != p.Key.KI.KeyID() || !m.KaY.Secured() {
		t.Errorf("in service is %s, secured %t", m.SecY.Tx, m.KaY.Secured())
	}
}

// Clause: 802.1X-2020 9.4.3; of the peers that went the last eight are remembered, here and by the next process
// Requirement: R116
func TestLastEightPeersThatWentAreRemembered(t *testing.T) {
	w, m, p := serving(t)
	var said [][]byte // the last MKPDU of each life
	for range 9 {
		p.Say()
		said = append(said, p.Next())
		p.Send(said[len(said)-1])
		p.Rejoin()
		p.Say()
		w.until("its next life is live", mka.LifeTime, func() bool { q, _ := peerOf(m, p.SCI); return q.Live && q.MI == p.MI })
	}
	w.Run(mka.HelloTime)
	p.Hush()
	if past := m.Kept().Participants[0].Past; len(past) != 8 {
		t.Errorf("%d are remembered", len(past))
	}
	w.resumed(m, true, func(*mka.State) {})
	for i, frame := range said {
		want := uint64(1)
		if i == 0 {
			want = 0
		}
		wantDiscards(t, m, eapol.DiscardReplay, want, func() { p.Send(frame); w.Run(time.Millisecond) })
	}
}

// Clause: 802.1X-2020 9.4.3; a life of two Life Times is the longest, and more peers than fit into an MKPDU there are not
// Requirement: R116
func TestPeersAreResumedUpToTheirBounds(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128, func(c *mka.Config) { c.MTU = 280 }) // room for one peer
	w.Run(2 * mka.LifeTime)
	w.resumed(m, true, func(s *mka.State) {
		q := &s.Participants[0].Peers[0]
		q.ExpiresAt = q.HeardAt.Add(2 * mka.LifeTime)
		more := *q
		more.MI[0]++
		more.SCI++
		s.Participants[0].Peers = append(s.Participants[0].Peers, more)
	})
	if got := m.Status().Participants[0].Peers; len(got) != 1 || got[0].SCI != p.SCI {
		t.Errorf("its peers are %+v, want one", got)
	}
}

// Clause: 802.1X-2020 12.4, chgdServer; who distributed the SAK in service is known, so that another is noticed
// Requirement: R93, R116
func TestKeyServerOfTheKeysIsResumed(t *testing.T) {
	for _, c := range []struct{ was, want secy.SCI }{{0, mkatest.SCI(1)}, {77, 77}} {
		w, m, _ := following(t, secy.GCMAES128)
		w.resumed(m, true, func(s *mka.State) { s.Server = c.was })
		if got := m.KaY.State().Server; got != c.want {
			t.Errorf("the last key server was %s, is %s, want %s", c.was, got, c.want)
		}
	}
}

// Clause: 802.1X-2020 9.8; SAKs that were used go with the State, and are not taken again
// Requirement: R77, R116
func TestUsedSAKsGoWithTheState(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	w.Run(mka.HelloTime)
	if s := m.KaY.State(); len(s.Used) != 1 || len(s.UsedSAKs) != 1 {
		t.Errorf("%d KIs and %d SAKs are remembered, want 1 and 1", len(s.Used), len(s.UsedSAKs))
	}
	p.Generate(secy.GCMAES128, secy.Offset0)
	p.Say()
	w.Run(mka.HelloTime)
	if s := m.KaY.State(); len(s.Used) != 1 || len(s.UsedSAKs) != 2 || s.Used[0].KN != 2 {
		t.Errorf("KIs %v and %d SAKs are remembered, want the last and 2", s.Used, len(s.UsedSAKs))
	}
	p.Hush()
	w.resumed(m, true, func(*mka.State) {})
	if s := m.KaY.State(); !slices.Equal(s.UsedIn, []keyderive.CKN{mkatest.CKN(ckn)}) {
		t.Errorf("they are remembered for the CAs %v", s.UsedIn)
	}
}

// Clause: 802.1X-2020 9.10.1; of a key whose AN cannot be nothing is said
// Requirement: R116
func TestKeyOfNoANIsNotMissed(t *testing.T) {
	for an, want := range map[secy.AN]bool{3: true, 4: false} {
		w, m, p := following(t, secy.GCMAES128)
		w.Run(mka.HelloTime)
		lost := m.Status().Tx.KI
		p.Hush()
		w.resumed(m, false, func(s *mka.State) { s.Keys[0].AN = an })
		w.Run(10 * time.Millisecond)
		if _, said := mkatest.UseOf(p.Heard(m.SCI()), lost); said != want {
			t.Errorf("AN %d: said %t, want %t", an, said, want)
		}
	}
}

// Clause: 802.1X-2020 9.10.1; two keys at most are missed, however many an earlier process claims to have had
// Requirement: R116
func TestOfThreeLostKeysTwoAreMissed(t *testing.T) {
	w, m, p := following(t, secy.GCMAES128)
	w.Run(mka.HelloTime)
	p.Hush()
	w.resumed(m, false, func(s *mka.State) {
		for range 2 {
			y := s.Keys[0]
			y.KI.KN += eapol.KN(len(s.Keys))
			s.Keys = append(s.Keys, y)
		}
	})
	w.Run(10 * time.Millisecond)
	if u := p.Heard(m.SCI()).SAKUse; u.Latest.KI.KN != p.KN || u.Old.KI.KN != p.KN+1 {
		t.Errorf("it misses %s and %s", u.Latest.KI, u.Old.KI)
	}
}

// Clause: 802.1X-2020 9.3.2; the principal goes on as such, and no other in between
// Requirement: R116
func TestPrincipalIsResumedAsPrincipal(t *testing.T) {
	_, members := pairWithFallback(t, 2)
	m := members[1]
	m.Kill()
	events := len(m.Events)
	fallback := mka.ParticipantAdded{CKN: mkatest.CKN(ckn2), CAK: cak2(), Role: mka.Fallback}
	if err := m.Resume(true, theKey(), fallback); err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, e := range m.Events[events:] {
		if e.Kind == mka.EventPrincipal {
			told = append(told, string(e.CKN.AppendTo(nil)))
		}
	}
	if !slices.Equal(told, []string{ckn}) {
		t.Errorf("principals since the restart are %q, want %q", told, ckn)
	}
	wantPrincipal(t, ckn, members...)
}

// Clause: 802.1X-2020 9.3.2; a restart does not shorten the time that others have to become live in the successor
// Requirement: R101, R116
func TestRestartDoesNotShortenTheWaitOfASuccessor(t *testing.T) {
	for who, name := range []string{"key server", "follower"} {
		t.Run(name, func(t *testing.T) {
			w, members := group(t, 2)
			for _, m := range members {
				m.MustStep(second(false))
			}
			w.Run(mka.LifeTime / 2)
			members[who].Kill()
			if err := members[who].Resume(true, theKey(), second(false)); err != nil {
				t.Fatal(err)
			}
			w.stays(mka.LifeTime/2-time.Second, members...)
			wantPrincipal(t, ckn, members...)
			w.stays(2*time.Second, members...)
			wantPrincipal(t, ckn2, members...)
		})
	}
}

// Clause: 802.1X-2020 9.8; for a member that was never heard there is no receive SC, before a restart and after it
// Requirement: R116
func TestMemberThatWasNotHeardHasNoReceiveSCAfterARestart(t *testing.T) {
	w, m, _ := following(t, secy.GCMAES128)
	w.resumed(m, true, func(s *mka.State) {
		s.Keys[0].Members = append(s.Keys[0].Members, mka.MemberState{MI: eapol.MI{9}})
		s.Keys[0].LowestPN = 0
	})
	if s := m.Status(); !s.Secured || s.Tx.NextPN != 1 {
		t.Fatalf("secured %t, next PN %d before the SecY has told one", s.Secured, s.Tx.NextPN)
	}
	mark := m.Mark()
	m.MustStep(mka.LinkChanged{}) // everything is deleted
	gone := 0
	for _, op := range m.Since(mark).Ops {
		if op.Kind == secy.OpDeleteReceiveSC {
			gone++
			if op.SCI == 0 {
				t.Errorf("%s", op)
			}
		}
	}
	if gone != 1 {
		t.Errorf("%d receive SCs are deleted, want 1", gone)
	}
}

package mka_test

import (
	"errors"
	"testing"
	"time"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// ckn2 and cak2 name and make the key of a second CA.
const ckn2 = "0002"

func cak2() keyderive.CAK { return mkatest.CAK(2, 16) }

// addSecond gives the KaY a participant in the second CA.
func addSecond(m *mkatest.Member, role mka.Role) {
	m.MustStep(mka.ParticipantAdded{CKN: mkatest.CKN(ckn2), CAK: cak2(), Role: role})
}

// Clause: 802.1X-2020 9.14
// Requirement: R100
func TestParticipantsHoldTheirStateApart(t *testing.T) {
	w, m, p := serving(t)
	addSecond(m, mka.Primary)
	q := w.AddPeer(3, ckn2, cak2())
	q.Tell(m, listingNobody)
	first, second := m.Status().Participants[0], m.Status().Participants[1]
	if len(first.Peers) != 1 || first.Peers[0].MI != p.MI || !first.Peers[0].Live {
		t.Errorf("the first has peers %+v", first.Peers)
	}
	if len(second.Peers) != 1 || second.Peers[0].MI != q.MI || second.Peers[0].Live {
		t.Errorf("the second has peers %+v", second.Peers)
	}
	if first.MI == second.MI {
		t.Error("both have one MI")
	}
}

// Clause: 802.1X-2020 9.14, 11.11.2
// Requirement: R100
func TestMKPDUOfOneCAThatIsSignedWithTheKeyOfTheOtherIsDiscarded(t *testing.T) {
	w, m, p := serving(t)
	addSecond(m, mka.Primary)
	q := w.AddPeer(3, ckn2, cak2())
	frame := p.Next()
	wantDiscard(t, m, eapol.DiscardICV, func() { m.MustStep(mka.FrameReceived{Frame: q.Resign(frame)}) })
}

// principal is the CKN of the principal participant.
func principal(m *mkatest.Member) string { return string(m.Status().PrincipalCKN.AppendTo(nil)) }

// Clause: 802.1X-2020 9.3.2, 12.5
// Requirement: R100
func TestPrincipalIsTheParticipantWithTheBestKeyServer(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(4), w.peer(1)
	addSecond(m, mka.Primary)
	q := w.AddPeer(2, ckn2, cak2())
	p.Talk()
	w.Run(time.Second)
	if principal(m) != ckn {
		t.Fatalf("principal %q while only the first has live peers", principal(m))
	}
	q.Priority = 3
	q.Talk()
	w.Run(time.Second)
	if principal(m) != ckn2 {
		t.Errorf("principal %q, want the second, whose key server has priority 3", principal(m))
	}
	p.Priority = 2
	p.Say()
	w.Run(time.Second)
	if principal(m) != ckn {
		t.Errorf("principal %q, want the first, whose key server has priority 2", principal(m))
	}
}

// Clause: 802.1X-2020 9.3.2, 12.5: one station may be key server of several participants
// Requirement: R100
func TestMembersThatGotTheirKeysInAnotherOrderAgreeOnThePrincipal(t *testing.T) {
	w := newWorld(t)
	a, b := w.kay(1), w.Add("kay 2", mkatest.Config(2))
	addSecond(a, mka.Primary)
	b.Up(ckn2, cak2())
	b.MustStep(mka.ParticipantAdded{CKN: mkatest.CKN(ckn), CAK: cak()})
	w.connected(a, b)
}

// Clause: 802.1X-2020 9.3.2, 12.5
// Requirement: R100
func TestKeyThatNotEverybodyHasYetCutsNobodyOff(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.kay(1), w.kay(2), w.kay(3)
	w.connected(a, b, c)
	early := func(m *mkatest.Member) { m.MustStep(mka.ParticipantAdded{CKN: mkatest.CKN("0000"), CAK: cak2()}) }
	early(a)
	early(b)
	w.connected(a, b, c)
	if n := c.Count(mka.EventUnsecured); n != 0 {
		t.Errorf("%s lost its peers %d times while they had a key more", c.Name, n)
	}
}

// Clause: 802.1X-2020 12.5
// Requirement: R100, R102
func TestFallbackIsPrincipalOnlyWhileNoPrimaryHasLivePeers(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(4), w.peer(1)
	addSecond(m, mka.Fallback)
	q := w.AddPeer(2, ckn2, cak2())
	q.Priority = 0 // that it is the better key server does not count
	q.Talk()
	w.Run(time.Second)
	if principal(m) != ckn2 {
		t.Fatalf("principal %q while only the fallback has live peers", principal(m))
	}
	p.Talk()
	w.Run(time.Second)
	if principal(m) != ckn {
		t.Fatalf("principal %q when the primary has live peers", principal(m))
	}
	p.Hush()
	w.Run(mka.LifeTime + time.Second)
	if principal(m) != ckn2 {
		t.Errorf("principal %q when the primary has lost its peers", principal(m))
	}
}

// Clause: 802.1X-2020 9.10.1
// Requirement: R100
func TestOtherParticipantsReportNoKeyButTheTruthOfTheControlledPort(t *testing.T) {
	w, m, _ := serving(t)
	addSecond(m, mka.Fallback)
	q := w.AddPeer(3, ckn2, cak2())
	q.Talk()
	w.Run(10 * time.Second)
	u := q.Last().SAKUse
	if !u.Present || u.Empty || !u.Latest.KI.IsZero() || !u.Old.KI.IsZero() || u.PlainTx || u.PlainRx {
		t.Errorf("reports %+v", u)
	}
	if q.Last().DistributedSAK.Present {
		t.Error("it distributes a SAK")
	}
}

// Clause: 802.1X-2020 9.14
// Requirement: R100, R101
func TestPairWithTwoKeysStaysSecuredThroughTheLossOfEither(t *testing.T) {
	for name, gone := range map[string]string{"the first": ckn, "the second": ckn2} {
		t.Run(name, func(t *testing.T) {
			w, members := group(t, 2)
			for _, m := range members {
				addSecond(m, mka.Primary)
			}
			w.connected(members...)
			mark := []mkatest.Mark{members[0].Mark(), members[1].Mark()}
			for _, m := range members {
				m.MustStep(mka.ParticipantRemoved{CKN: mkatest.CKN(gone)})
				w.Run(100 * time.Millisecond)
			}
			w.connected(members...)
			for i, m := range members {
				if m.Since(mark[i]).Has(mka.EventUnsecured) {
					t.Errorf("%s was unsecured", m.Name)
				}
			}
		})
	}
}

// Clause: 802.1X-2020 9.3.1
// Requirement: R51
func TestParticipantThatIsAddedSpeaksAtOnce(t *testing.T) {
	w, m, _ := serving(t)
	q := w.AddPeer(3, ckn2, cak2())
	w.Run(10 * time.Second)
	addSecond(m, mka.Primary)
	w.Run(w.Delay)
	if len(q.Received) != 1 {
		t.Errorf("%d MKPDUs at once, want 1", len(q.Received))
	}
}

// Clause: 802.1X-2020 9.3.1
// Requirement: R103
func TestParticipantThatIsRemovedIsSilentAndDeaf(t *testing.T) {
	w, m, p := serving(t)
	m.MustStep(mka.ParticipantRemoved{CKN: mkatest.CKN(ckn)})
	w.Run(w.Delay)
	mark, received := m.Mark(), m.Status().Received
	unknown := m.Discards(eapol.DiscardUnknownCKN)
	w.Run(2*mka.LifeTime + time.Second)
	if m.Since(mark).Frames != 0 || m.Status().Received != received {
		t.Errorf("%d frames sent, %d MKPDUs taken", m.Since(mark).Frames, m.Status().Received-received)
	}
	if m.Discards(eapol.DiscardUnknownCKN) == unknown || p.MN == 0 {
		t.Error("no MKPDU was discarded for its unknown CKN")
	}
}

// Clause: 802.1X-2020 9.3.1, 12.4
// Requirement: R103
func TestRemovalOfThePrincipalClosesTheControlledPort(t *testing.T) {
	_, m, _ := serving(t)
	m.MustStep(mka.ParticipantRemoved{CKN: mkatest.CKN(ckn)})
	if m.SecY.Enabled || len(m.SecY.SAs) != 0 || len(m.SecY.SCs) != 0 || principal(m) != "" {
		t.Errorf("open %t, %d SAs, %d SCs, principal %q", m.SecY.Enabled, len(m.SecY.SAs), len(m.SecY.SCs), principal(m))
	}
}

// Clause: 802.1X-2020 9.3.1
// Requirement: R37
func TestParticipantThatIsAddedAgainIsANewMember(t *testing.T) {
	w, m, p := serving(t)
	mi := m.MI()
	m.MustStep(mka.ParticipantRemoved{CKN: mkatest.CKN(ckn)})
	m.MustStep(mka.ParticipantAdded{CKN: mkatest.CKN(ckn), CAK: cak()})
	if m.MI() == mi {
		t.Error("the MI is that of before")
	}
	w.Run(settleTime)
	w.connectedTo(m, p)
}

// Clause: 802.1X-2020 9.14
// Requirement: R122
func TestParticipantsThatCannotBeAreRefused(t *testing.T) {
	w := newWorld(t)
	m := w.kay(1)
	if err := m.Step(mka.ParticipantAdded{CKN: mkatest.CKN(ckn), CAK: cak()}); !errors.Is(err, mka.ErrParticipantExists) {
		t.Errorf("a second with one CKN: %v", err)
	}
	if err := m.Step(mka.ParticipantRemoved{CKN: mkatest.CKN("none")}); !errors.Is(err, mka.ErrNoParticipant) {
		t.Errorf("removal of none: %v", err)
	}
	if err := m.Step(mka.ParticipantAdded{CKN: mkatest.CKN("new")}); err == nil {
		t.Error("one without CAK was taken")
	}
	if err := m.Step(mka.ParticipantAdded{CAK: cak()}); err == nil {
		t.Error("one without CKN was taken")
	}
	if mka.MaxParticipants != 64 || mka.MaxPeers != 100 {
		t.Errorf("%d participants and %d peers at most, want 64 and 100", mka.MaxParticipants, mka.MaxPeers)
	}
	for i := 1; i < mka.MaxParticipants; i++ {
		m.MustStep(mka.ParticipantAdded{CKN: mkatest.CKN(string(rune('a'-1+i)) + "x"), CAK: cak()})
	}
	if err := m.Step(mka.ParticipantAdded{CKN: mkatest.CKN("last"), CAK: cak()}); !errors.Is(err, mka.ErrTooManyParticipant) {
		t.Errorf("one more than %d: %v", mka.MaxParticipants, err)
	}
	if n := len(m.Status().Participants); n != mka.MaxParticipants {
		t.Errorf("%d participants, want %d", n, mka.MaxParticipants)
	}
}

// Clause: none; a KaY that cannot work is refused when it is made.
// Requirement: R122
func TestConfigThatCannotBeIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(*mka.Config){
		"no SCI":               func(c *mka.Config) { c.SCI = 0 },
		"no cipher suite":      func(c *mka.Config) { c.CipherSuites = nil },
		"unknown cipher suite": func(c *mka.Config) { c.CipherSuites = []secy.CipherSuite{1} },
		"no randomness":        func(c *mka.Config) { c.Rand = nil },
	} {
		cfg := mkatest.Config(1)
		cfg.Rand = zeros{}
		if _, err := mka.New(cfg); err != nil {
			t.Fatalf("good configuration: %v", err)
		}
		spoil(&cfg)
		if _, err := mka.New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

package mka_test

import (
	"testing"
	"time"

	"mkad/eapol"
	"mkad/mka"
	"mkad/mka/mkatest"
)

// gaps are the distances of the MKPDUs that the peer has received.
func gaps(p *mkatest.Peer) (all []time.Duration) {
	for i := 1; i < len(p.Received); i++ {
		all = append(all, p.Received[i].At.Sub(p.Received[i-1].At))
	}
	return all
}

// Clause: 802.1X-2020 Table 9-3, 12.4, 9.18
// Requirement: R45, R51, R92, R115
func TestTimesAreThoseOfTheStandard(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want time.Duration
	}{
		{"MKA Hello Time", mka.HelloTime, 2 * time.Second},
		{"MKA Bounded Hello Time", mka.BoundedHelloTime, 500 * time.Millisecond},
		{"MKA Life Time", mka.LifeTime, 6 * time.Second},
		{"SAK Retire Time", mka.SAKRetireTime, 3 * time.Second},
		{"MinGap", mka.MinGap, 20 * time.Millisecond},
		{"SuiteTime", mka.SuiteTime, 3 * time.Second},
		{"InstallRetryTime", mka.InstallRetryTime, 2 * time.Second},
		{"InstallRetryMax", mka.InstallRetryMax, 64 * time.Second},
		{"PleaTime", mka.PleaTime, 8 * time.Second},
		{"PleaGap", mka.PleaGap, 30 * time.Second},
		{"the longest suspension", mka.SuspensionLimit, 120 * time.Second},
	} {
		if c.got != c.want {
			t.Errorf("%s is %v, want %v", c.name, c.got, c.want)
		}
	}
}

// Clause: 802.1X-2020 9.4.2
// Requirement: R37
func TestFirstMessageNumberIs1AndEachMKPDUHasTheNext(t *testing.T) {
	w := newWorld(t)
	p := w.peer(1)
	w.kay(2)
	w.Run(time.Minute)
	for i, r := range p.Received {
		if r.Basic.MN != eapol.MN(i+1) {
			t.Fatalf("MKPDU %d has MN %d", i+1, r.Basic.MN)
		}
	}
	if len(p.Received) == 0 {
		t.Fatal("nothing was sent")
	}
}

// Clause: 802.1X-2020 9.4.2
// Requirement: R37
func TestEveryParticipantHasAnMIOfItsOwn(t *testing.T) {
	w := newWorld(t)
	seen := map[eapol.MI]bool{}
	for n := 1; n <= 3; n++ {
		m := w.kay(n)
		m.MustStep(mka.ParticipantAdded{CKN: mkatest.CKN("0002"), CAK: cak()})
		for _, p := range m.Status().Participants {
			seen[p.MI] = true
		}
	}
	if len(seen) != 6 || seen[eapol.MI{}] {
		t.Errorf("6 participants have %d different MIs, the zero one among them: %t", len(seen), seen[eapol.MI{}])
	}
}

// Clause: 802.1X-2020 9.4.2
// Requirement: R50
func TestMessageNumberWrapTakesANewMIThatStartsAt1(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(2), w.peer(1)
	mi := m.MI()
	m.KaY.SetMN(^eapol.MN(0) - 1)
	w.until("the last MN goes out", mka.HelloTime, func() bool { return p.Last().MKPDU != nil })
	if b := p.Last().Basic; b.MI != mi || b.MN != ^eapol.MN(0) {
		t.Fatalf("MI %s MN %d before the wrap, want %s and the last", b.MI, b.MN, mi)
	}
	sent := len(p.Received)
	w.until("one more", mka.HelloTime, func() bool { return len(p.Received) > sent })
	if b := p.Last().Basic; b.MI == mi || b.MN != 1 {
		t.Errorf("MI %s (was %s) MN %d after the wrap, want another MI and 1", b.MI, mi, b.MN)
	}
}

// Clause: 802.1X-2020 9.4.2
// Requirement: R50
func TestSecuredPairSurvivesMessageNumberWrap(t *testing.T) {
	w, m, p := serving(t)
	m.KaY.SetMN(^eapol.MN(0) - 1)
	w.Run(settleTime)
	if m.Count(mka.EventUnsecured) != 0 || m.SecY.Tx != p.Key.KI.KeyID() || p.Key.KI.MI != m.MI() {
		t.Errorf("unsecured %d times, transmits with %s, peer has %s; want never, and a SAK of the new MI on both",
			m.Count(mka.EventUnsecured), m.SecY.Tx, p.Key.KI)
	}
}

// Clause: 802.1X-2020 9.4.3
// Requirement: R38
func TestNewPeerIsListedAsPotentialWithinMinGap(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(2), w.peer(1)
	w.Run(10 * time.Second)
	sent := len(p.Received)
	p.MN = 41
	p.Tell(m, listingNobody)
	w.until("an answer", mka.MinGap+w.Delay, func() bool { return len(p.Received) > sent })
	list := p.Last().Potential.Peers
	if len(list) != 1 || list[0] != (eapol.ListedPeer{MI: p.MI, MN: 42}) || p.Last().Live.Present {
		t.Errorf("potential list %v, live list present %t; want {%s 42} alone", list, p.Last().Live.Present, p.MI)
	}
}

// Clause: 802.1X-2020 9.4.6
// Requirement: R51
func TestFirstHelloGoesOutAsTheLinkComesUp(t *testing.T) {
	w := newWorld(t)
	p := w.peer(1)
	w.kay(2)
	w.Run(w.Delay)
	if len(p.Received) != 1 {
		t.Errorf("%d MKPDUs as the link comes up, want 1", len(p.Received))
	}
}

// Clause: 802.1X-2020 9.4.6
// Requirement: R51
func TestFirstHellosRampUpToHelloTime(t *testing.T) {
	w := newWorld(t)
	p := w.peer(1)
	w.kay(2)
	w.Run(time.Minute)
	ramp := []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond}
	for i, gap := range gaps(p) {
		want := mka.HelloTime
		if i < len(ramp) {
			want = ramp[i]
		}
		if gap != want {
			t.Errorf("gap %d is %v, want %v", i+1, gap, want)
		}
	}
}

// Clause: 802.1X-2020 9.4.6, 9.10
// Requirement: R51
func TestDelayProtectionBoundsTheHelloTime(t *testing.T) {
	for name, start := range map[string]func(*testing.T) (*world, *mkatest.Peer){
		"our own": func(t *testing.T) (*world, *mkatest.Peer) {
			w, _, p := serving(t, delayProtect)
			return w, p
		},
		"a live peer's": func(t *testing.T) (*world, *mkatest.Peer) {
			w, _, p := serving(t)
			p.Use.DelayProtect = true
			p.Say()
			w.Run(mka.HelloTime)
			return w, p
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, p := start(t)
			w.Run(2 * time.Second)
			sent := len(p.Received)
			w.Run(10 * time.Second)
			if got := len(p.Received) - sent; got < 19 || got > 21 {
				t.Errorf("%d MKPDUs in 10 s, want 20", got)
			}
		})
	}
}

// Clause: 802.1X-2020 9.4.6
// Requirement: R52
func TestManyNewsGoOutInOneMKPDUPerMinGap(t *testing.T) {
	w := newWorld(t)
	m := w.kay(1)
	listener := w.peer(2)
	for n := 3; n < 40; n++ {
		w.After(time.Duration(n)*3*time.Millisecond, func() { w.peer(n).Tell(m) })
	}
	w.Run(time.Second)
	for i, gap := range gaps(listener) {
		if gap < mka.MinGap {
			t.Errorf("gap %d is %v, want %v at least", i+1, gap, mka.MinGap)
		}
	}
	if got := len(listener.Last().Potential.Peers); got != 37 {
		t.Errorf("the last MKPDU lists %d peers, want 37", got)
	}
}

// Clause: 802.1X-2020 9.4.6, 9.16
// Requirement: R53
func TestPreSharedParticipantSpeaksForEverToNobody(t *testing.T) {
	w := newWorld(t)
	p := w.peer(1)
	w.kay(2)
	w.Run(time.Hour)
	if got := len(p.Received); got < 1800 || got > 1805 {
		t.Errorf("%d MKPDUs in an hour alone, want one every 2 s", got)
	}
}

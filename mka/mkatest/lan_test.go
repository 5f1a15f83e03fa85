package mkatest_test

import (
	"testing"
	"time"

	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// pair is two scripted peers on a LAN.
func pair() (lan *mkatest.LAN, from, to *mkatest.Peer) {
	lan = mkatest.New(1)
	return lan, lan.AddPeer(1, "ca", mkatest.CAK(1, 16)), lan.AddPeer(2, "ca", mkatest.CAK(1, 16))
}

// Clause: none; a fault that does nothing proves nothing.
func TestFaultsMeetTheirShareOfTheFrames(t *testing.T) {
	for name, c := range map[string]struct {
		faults    mkatest.Faults
		good, bad int // of 1000, about
	}{
		"none":        {mkatest.Faults{}, 1000, 0},
		"loss":        {mkatest.Faults{Loss: 0.5}, 500, 0},
		"duplication": {mkatest.Faults{Duplication: 0.5}, 1500, 0},
		"corruption":  {mkatest.Faults{Corruption: 0.5}, 500, 500},
		"echo":        {mkatest.Faults{Echo: 0.5, EchoDelay: time.Second}, 1500, 0},
	} {
		t.Run(name, func(t *testing.T) {
			lan, from, to := pair()
			lan.Faults = c.faults
			for range 1000 {
				from.Say()
			}
			lan.Run(10 * time.Second)
			// A frame whose header was hit is not one of the CA, and is not counted as bad.
			if near := func(n, want int) bool { return n > want-70 && n < want+70 }; !near(len(to.Received), c.good) ||
				to.Bad > c.bad || to.Bad < c.bad/2 {
				t.Errorf("%d good and %d bad, want about %d and %d", len(to.Received), to.Bad, c.good, c.bad)
			}
		})
	}
}

// Clause: none; a fault that does nothing proves nothing.
func TestEchoesComeUpToEchoDelayLater(t *testing.T) {
	lan, from, to := pair()
	lan.Faults = mkatest.Faults{Echo: 1, EchoDelay: 10 * time.Second}
	for range 100 {
		from.Say()
	}
	lan.Run(lan.Delay)
	first := len(to.Received)
	lan.Run(5 * time.Second)
	middle := len(to.Received)
	lan.Run(5 * time.Second)
	if first != 100 || middle < 130 || middle > 170 || len(to.Received) != 200 {
		t.Errorf("%d at once, %d after 5 s, %d after 10; want 100, about 150, 200", first, middle, len(to.Received))
	}
}

// Clause: none; one-way links and overlapping faults.
func TestSeveredDirectionCarriesNothingUntilItIsJoinedAsOften(t *testing.T) {
	lan, a, b := pair()
	hear := func() (atA, atB int) {
		atA, atB = len(a.Received), len(b.Received)
		a.Say()
		b.Say()
		lan.Run(time.Second)
		return len(a.Received) - atA, len(b.Received) - atB
	}
	lan.Sever(a, b)
	lan.Sever(a, b)
	for _, join := range []bool{false, true} {
		if join {
			lan.Join(a, b)
		}
		if atA, atB := hear(); atA != 1 || atB != 0 {
			t.Errorf("from b %d arrived, from a %d; want 1 and 0", atA, atB)
		}
	}
	lan.Join(a, b)
	if atA, atB := hear(); atA != 1 || atB != 1 {
		t.Errorf("joined: from b %d arrived, from a %d; want 1 and 1", atA, atB)
	}
}

// hellos are how many MKPDUs a lone member sends in so much time of the LAN.
func hellos(d time.Duration, befall func(m *mkatest.Member)) int {
	lan := mkatest.New(1)
	m := lan.Add("a", mkatest.Config(1))
	m.Up("ca", mkatest.CAK(1, 16))
	lan.Run(10 * time.Second)
	befall(m)
	before := m.Frames
	lan.Run(d)
	return m.Frames - before
}

// Clause: 802.1X-2020 Table 9-3 (MKA Hello Time), by the member's own clock
func TestSkewedClockSendsItsHellosAtItsOwnPace(t *testing.T) {
	for ppm, want := range map[int64]int{0: 1000, 100_000: 1100, -100_000: 900, 1: 1000} {
		got := hellos(2000*time.Second, func(m *mkatest.Member) { m.Skew(ppm) })
		if got < want-1 || got > want+1 {
			t.Errorf("%d parts in a million too fast it sends %d hellos in 2000 s, want %d", ppm, got, want)
		}
	}
}

// Clause: none; a member's time never goes backwards (mka.Time)
func TestChangeOfSkewDoesNotMoveTheClock(t *testing.T) {
	got := hellos(100*time.Second, func(m *mkatest.Member) {
		m.Skew(100_000)
		m.Skew(0)
	})
	if got != 50 {
		t.Errorf("%d hellos in 100 s, want 50", got)
	}
}

// Clause: none; a process that does not get the processor.
func TestStalledMemberDoesNothingUntilItWakesAndThenTakesWhatHasCome(t *testing.T) {
	lan := mkatest.New(1)
	m, p := lan.Add("a", mkatest.Config(1)), lan.AddPeer(2, "ca", mkatest.CAK(1, 16))
	m.Up("ca", mkatest.CAK(1, 16))
	lan.Run(time.Second)
	m.Stall(3 * time.Second)
	before := m.Status().Received
	p.Say()
	p.Say()
	mark := m.Mark()
	lan.Run(2999 * time.Millisecond)
	if did := m.Since(mark); did.Frames != 0 || m.Status().Received != before {
		t.Errorf("stalled it sent %d frames and took %d", did.Frames, m.Status().Received-before)
	}
	lan.Run(10 * time.Millisecond)
	if m.Status().Received != before+2 || m.Since(mark).Frames == 0 {
		t.Errorf("awake it took %d frames, want the 2 that had come", m.Status().Received-before)
	}
}

// Clause: none; what was said to a process that is no more is lost with it.
func TestFramesThatWaitForAStalledMemberGoWithItsLife(t *testing.T) {
	lan := mkatest.New(1)
	m, p := lan.Add("a", mkatest.Config(1)), lan.AddPeer(2, "ca", mkatest.CAK(1, 16))
	m.Up("ca", mkatest.CAK(1, 16))
	m.Stall(3 * time.Second)
	p.Say()
	lan.Run(time.Second)
	m.Restart()
	m.Up("ca", mkatest.CAK(1, 16))
	lan.Run(5 * time.Second)
	if n := m.Status().Received; n != 0 {
		t.Errorf("took %d frames of its last life", n)
	}
}

// Clause: 802.1AE-2018 10.7.22: the last packet number of a SAK is the last frame
func TestSecYStopsAfterTheLastPacketNumber(t *testing.T) {
	for _, suite := range secy.CipherSuites {
		s := mkatest.SecY{Enabled: true, Settings: secy.Settings{ProtectFrames: true}, Tx: secy.KeyID{1},
			SAs: []mkatest.SA{{Key: secy.KeyID{1}, On: true, Suite: suite}},
			PNs: map[secy.KeyID]secy.PN{{1}: suite.MaxPN() - 1}}
		for n, want := range []struct{ last, sent bool }{{false, true}, {true, true}, {false, false}} {
			if d, last, sent := s.Send(); last != want.last || sent != want.sent || sent && d.PN != suite.MaxPN()-1+secy.PN(n) {
				t.Errorf("%s: frame %d: PN %d, last %t, sent %t, want %+v", suite, n, d.PN, last, sent, want)
			}
		}
	}
}

// Clause: 802.1X-2020 9.8: packet numbers that run out ask for the next SAK
func TestMemberWithTrafficTellsItsPacketNumbers(t *testing.T) {
	s := newScene(&recorder{TB: t})
	was := s.a.SecY.Tx
	s.a.SamplePN(was, secy.GCMAESXPN256.MaxPN()-3)
	s.Run(mka.LifeTime)
	if s.a.SecY.Tx == was || s.a.SecY.PNs[s.a.SecY.Tx] < 2 {
		t.Errorf("transmits with %s, next PN %d", s.a.SecY.Tx, s.a.SecY.PNs[s.a.SecY.Tx])
	}
}

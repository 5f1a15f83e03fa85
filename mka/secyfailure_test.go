package mka_test

import (
	"strings"
	"testing"
	"time"

	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// failing makes the SecY refuse an order of the kind so many times.
func failing(kind secy.OpKind, times int) func(secy.Op) string {
	return func(op secy.Op) string {
		if op.Kind != kind || times == 0 {
			return ""
		}
		times--
		return "no memory"
	}
}

// Clause: 802.1X-2020 12.4
// Requirement: R94
func TestRefusedOrderIsToldWithItsReason(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(2), w.peer(1)
	m.SecY.Fail = failing(secy.OpEnableTransmit, 1)
	p.Talk()
	w.Run(time.Second)
	for _, e := range m.Events {
		if e.Kind == mka.EventSecYFailed {
			if !strings.Contains(e.Reason, "EnableTransmit") || !strings.Contains(e.Reason, "no memory") || e.KI != p.Key.KI {
				t.Errorf("told %q of %s", e.Reason, e.KI)
			}
			return
		}
	}
	t.Error("not told")
}

// Clause: 802.1X-2020 12.4
// Requirement: R94
func TestKeyServerRecoversFromASecYThatRefuses(t *testing.T) {
	for _, kind := range []secy.OpKind{secy.OpConfigure, secy.OpCreateTransmitSA, secy.OpEnableReceive,
		secy.OpEnableTransmit} {
		t.Run(kind.String(), func(t *testing.T) {
			w := newWorld(t)
			m, p := w.kay(2), w.peer(1)
			m.SecY.Fail = failing(kind, 1)
			p.Talk()
			w.Run(mka.InstallRetryTime + 2*mka.HelloTime)
			w.connectedTo(m, p)
		})
	}
}

// Clause: 802.1X-2020 12.4
// Requirement: R94
func TestFollowerRecoversFromASecYThatRefusesByBecomingANewMember(t *testing.T) {
	for _, kind := range []secy.OpKind{secy.OpConfigure, secy.OpCreateTransmitSA, secy.OpEnableReceive,
		secy.OpEnableTransmit} {
		t.Run(kind.String(), func(t *testing.T) {
			w := newWorld(t)
			server, m := w.kay(1), w.kay(2)
			m.SecY.Fail = failing(kind, 1)
			w.connected(server, m)
			if m.Count(mka.EventSecYFailed) == 0 {
				t.Error("nothing has failed")
			}
		})
	}
}

// Clause: 802.1X-2020 12.4, 9.14: who asked for the key that was refused may have gone when it is time to ask for another
// Requirement: R94
func TestKeyThatTheSecYRefusesOutlivesItsPrincipal(t *testing.T) {
	for name, leave := range map[string]func(*world, *mkatest.Member){
		"its participant is removed": func(_ *world, m *mkatest.Member) { m.MustStep(mka.ParticipantRemoved{CKN: mkatest.CKN(ckn)}) },
		"its peer is lost":           func(w *world, _ *mkatest.Member) { w.Members[0].Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, m := w.kay(1), w.kay(2)
			m.SecY.Fail = failing(secy.OpEnableTransmit, 1000)
			w.until("a key is refused", 5*time.Second, func() bool { return m.Count(mka.EventSecYFailed) > 0 })
			leave(w, m)
			w.Run(mka.InstallRetryMax + mka.LifeTime)
			if principal(m) != "" {
				t.Errorf("the principal is %s", principal(m))
			}
		})
	}
}

// Clause: 802.1X-2020 12.4
// Requirement: R94
func TestSettingsInClearThatTheSecYRefusedAreGivenAgain(t *testing.T) {
	for _, alone := range []bool{true, false} {
		w := newWorld(t)
		m, p := w.Add("kay 1", func() mka.Config { c := mkatest.Config(1); shouldSecure(&c); return c }()), w.peer(2)
		m.SecY.Fail = failing(secy.OpConfigure, 1)
		m.Up(ckn, cak())
		if p.Desired = false; !alone {
			p.Talk()
		}
		w.Run(mka.InstallRetryTime)
		if m.SecY.Settings.ProtectFrames || !m.SecY.Enabled || isLive(m, p.SCI) == alone {
			t.Errorf("alone %t under should-secure: it has %+v, Controlled Port %t", alone, m.SecY.Settings, m.SecY.Enabled)
		}
	}
}

// Clause: 802.1X-2020 12.4
// Requirement: R94
func TestRekeyThatTheSecYRefusesLeavesTheOldSAKInServiceUntilTheNextOne(t *testing.T) {
	for _, kind := range []secy.OpKind{secy.OpCreateTransmitSA, secy.OpEnableReceive, secy.OpEnableTransmit} {
		t.Run(kind.String(), func(t *testing.T) {
			w, members := group(t, 2)
			m := members[0]
			m.SecY.Fail = failing(kind, 1)
			m.MustStep(mka.RekeyRequested{})
			w.connected(members...)
			if m.Count(mka.EventUnsecured) != 0 || m.Count(mka.EventSecYFailed) == 0 {
				t.Errorf("unsecured %d times, failed %d times; want never and at least once", m.Count(mka.EventUnsecured),
					m.Count(mka.EventSecYFailed))
			}
		})
	}
}

// Clause: 802.1X-2020 12.4
// Requirement: R94
func TestSecYThatRefusesForEverIsAskedLessAndLess(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(2), w.peer(1)
	m.SecY.Fail = failing(secy.OpEnableReceive, -1)
	p.Talk()
	w.Run(10 * time.Minute)
	var gaps []time.Duration
	var last mka.Time
	for _, e := range m.Events {
		if e.Kind == mka.EventSAKGenerated {
			if last != 0 {
				gaps = append(gaps, e.At.Sub(last))
			}
			last = e.At
		}
	}
	// The third is due after 4 s, and waits until the second is taken up, for Life Time at most.
	want := []time.Duration{2, 6, 8, 16, 32, 64, 64, 64, 64, 64, 64, 64, 64}
	if len(gaps) < len(want)-2 {
		t.Fatalf("%d SAKs made in 10 minutes", len(gaps)+1)
	}
	for i, gap := range gaps { // and what it takes to send the MKPDU
		if d := gap - want[i]*time.Second; d < 0 || d > mka.MinGap {
			t.Errorf("SAK %d comes %v after the one before, want %v s", i+2, gap, int64(want[i]))
		}
	}
}

// Clause: 802.1X-2020 12.4
// Requirement: R75
func TestReceivingWaitsForTheSecYsReport(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(2), w.peer(1)
	m.ReportDelay = 300 * time.Millisecond
	p.Talk()
	w.until("the SAK is ordered", time.Second, func() bool { return m.Count(mka.EventSAKGenerated) == 1 })
	w.Run(299 * time.Millisecond)
	if cp := m.Status().CP; cp != "RECEIVE" || !m.SecY.Tx.IsZero() {
		t.Errorf("CP in %s, transmits with %s before the SecY has reported", cp, m.SecY.Tx)
	}
	w.Run(time.Second)
	w.connectedTo(m, p)
}

// Clause: 802.1X-2020 12.4
// Requirement: R94
func TestReportOfAKeyThatIsGoneIsIgnored(t *testing.T) {
	w, m, _ := serving(t)
	w.Run(5 * time.Second)
	mark := m.Mark()
	for kind := secy.ReportReceiving; kind <= secy.ReportExhausted; kind++ {
		if kind != secy.ReportFailed {
			m.MustStep(mka.SecYReported{Report: secy.Report{Kind: kind, Key: secy.KeyID{1, 2, 3}, PN: 1 << 63}})
		}
	}
	if did := m.Since(mark); len(did.Ops)+len(did.Events) != 0 {
		t.Errorf("it did %+v", did)
	}
}

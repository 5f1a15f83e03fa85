package mka_test

import (
	"fmt"
	"testing"
	"time"

	"mkad/mka"
	"mkad/mka/mkatest"
)

// securedPair is a LAN with two members that have been secured for a while.
func securedPair(tb testing.TB) (*mkatest.LAN, *mkatest.Member, *mkatest.Member) {
	tb.Helper()
	lan := mkatest.New(1)
	a, b := lan.Add("a", mkatest.Config(1)), lan.Add("b", mkatest.Config(2))
	a.Up("0001", mkatest.CAK(1, 16))
	b.Up("0001", mkatest.CAK(1, 16))
	if !lan.RunUntil(time.Second, func() bool { return a.KaY.Secured() && b.KaY.Secured() }) {
		tb.Fatalf("not secured within a second: %+v", a.Status())
	}
	lan.Run(10 * time.Second)
	return lan, a, b
}

// hellos lets two secured KaYs talk without a LAN between them, so that nothing but the machine is measured.
type hellos struct {
	a, b *mka.KaY
	now  mka.Time
	out  mka.Output
	fed  mka.Output
}

func newHellos(tb testing.TB) *hellos {
	lan, a, b := securedPair(tb)
	return &hellos{a: a.KaY, b: b.KaY, now: lan.Now}
}

// next lets time pass to the next hello and delivers it.
func (h *hellos) next() error {
	from, to := h.a, h.b
	at, _ := from.Deadline()
	if other, _ := to.Deadline(); other < at {
		from, to, at = to, from, other
	}
	h.now = at
	h.out.Reset()
	h.fed.Reset()
	from.Tick(at, &h.out)
	if err := deliver(at, &h.out, to, &h.fed); err != nil {
		return err
	}
	return deliver(at, &h.fed, from, &h.out) // both may have been due
}

func deliver(at mka.Time, from *mka.Output, to *mka.KaY, out *mka.Output) error {
	if len(from.Frames) == 0 {
		return nil
	}
	out.Reset()
	return to.Step(at, mka.FrameReceived{Frame: from.Frames[0]}, out)
}

// Clause: none; 802.1X asks every 2 s of a device for hellos, and a switch has hundreds of ports.
func TestSteadyHellosAllocateNothing(t *testing.T) {
	h := newHellos(t)
	var err error
	if n := testing.AllocsPerRun(100, func() { err = h.next() }); n != 0 || err != nil {
		t.Errorf("a hello, sent and received, allocates %v times (error %v); want 0", n, err)
	}
	if s := h.a.Status(h.now); !s.Secured {
		t.Errorf("not secured after the hellos: %+v", s)
	}
}

func BenchmarkHello(b *testing.B) {
	h := newHellos(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := h.next(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTick(b *testing.B) {
	for _, participants := range []int{1, 10, mka.MaxParticipants} {
		b.Run(fmt.Sprintf("participants=%d", participants), func(b *testing.B) {
			lan := mkatest.New(1)
			m := lan.Add("a", mkatest.Config(1))
			for i := range participants {
				m.MustStep(mka.ParticipantAdded{CKN: mkatest.CKN(fmt.Sprint(i)), CAK: mkatest.CAK(byte(i), 16)})
			}
			m.MustStep(mka.LinkChanged{Up: true})
			var out mka.Output
			b.ReportAllocs()
			for b.Loop() {
				at, _ := m.KaY.Deadline()
				out.Reset()
				m.KaY.Tick(at, &out)
			}
		})
	}
}

package mka_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// transcribe writes down every frame and order of the KaYs of the LAN, with its time.
func transcribe(lan *mkatest.LAN, to io.Writer) {
	tap, order := lan.Tap, lan.Order
	lan.Tap = func(from mkatest.Station, frame []byte) {
		fmt.Fprintf(to, "%d %s frame %x\n", lan.Now, from.(*mkatest.Member).Name, frame)
		tap(from, frame)
	}
	lan.Order = func(m *mkatest.Member, op secy.Op) {
		var key mkatest.Fingerprint
		if !op.SAK.IsZero() {
			key = mkatest.FingerprintOf(op.SAK)
		}
		fmt.Fprintf(to, "%d %s op %s %x %x\n", lan.Now, m.Name, op, op.Salt, key)
		order(m, op)
	}
}

// trouble lets five KaYs live through d of loss, disorder, restarts, link flaps, rekeys and a SecY that fails, all by
// the seed.
func trouble(w *world, seed uint64, d time.Duration) {
	rng := rand.New(rand.NewPCG(seed, 1))
	w.Loss, w.Jitter = 0.2, 400*time.Millisecond
	for n := range 5 {
		m := w.kay(n + 1)
		m.ReportDelay = time.Duration(n) * 10 * time.Millisecond
		m.SecY.Fail = func(op secy.Op) string {
			if op.Kind == secy.OpEnableTransmit && rng.IntN(10) == 0 {
				return "by the seed"
			}
			return ""
		}
	}
	for end := w.Now.Add(d); w.Now < end; {
		w.Run(time.Duration(rng.IntN(5000)) * time.Millisecond)
		m := w.Members[rng.IntN(len(w.Members))]
		switch rng.IntN(4) {
		case 0:
			m.Restart()
			m.Up(ckn, cak())
		case 1:
			m.MustStep(mka.LinkChanged{})
			w.Run(time.Duration(rng.IntN(100)) * time.Millisecond)
			m.MustStep(mka.LinkChanged{Up: true})
		default:
			if err := m.Step(mka.RekeyRequested{}); err != nil && err != mka.ErrNotKeyServer {
				w.t.Errorf("%s: %v", m.Name, err)
			}
		}
	}
	w.Loss, w.Jitter = 0, 0
}

// rekeyed asks the key server for another SAK.
func (w *world) rekeyed() {
	for _, m := range w.Members {
		if m.Status().KeyServer {
			m.MustStep(mka.RekeyRequested{})
		}
	}
}

func troubleOf(t *testing.T, seed uint64) *world {
	lan := mkatest.New(seed)
	return &world{LAN: lan, t: t, check: mkatest.Check(lan, t)}
}

// Clause: none; the contract of the package: same inputs and same randomness, same outputs.
func TestOneSeedGivesTheSameOctetsTwice(t *testing.T) {
	run := func(seed uint64) (sum [sha256.Size]byte) {
		w := troubleOf(t, seed)
		h := sha256.New()
		transcribe(w.LAN, h)
		trouble(w, seed, 2*time.Minute)
		for _, m := range w.Members {
			fmt.Fprintf(h, "%s events %+v\n", m.Name, m.Events)
		}
		return [sha256.Size]byte(h.Sum(sum[:0]))
	}
	first := run(1)
	if again := run(1); again != first {
		t.Errorf("seed 1 gives %x, and then %x", first, again)
	}
	if other := run(2); other == first {
		t.Error("seed 2 gives the same as seed 1: the seed does nothing")
	}
}

// Clause: 802.1X-2020 9.4.3, 9.5, 9.8
func TestGroupIsConnectedAfterTrouble(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			w := troubleOf(t, seed)
			trouble(w, seed, 2*time.Minute)
			for _, m := range w.Members {
				m.SecY.Fail = nil
			}
			w.Run(mka.InstallRetryMax)
			w.rekeyed()
			w.connected(w.Members...)
		})
	}
}

// Clause: none; ten thousand KaYs are ten thousand structs and one heap of deadlines. The race detector has nothing to
// see in one goroutine and costs its tenfold, so under it there are a tenth of them.
func TestTenThousandParticipantsSecureAndStaySecured(t *testing.T) {
	pairs := 5000
	if raceEnabled {
		pairs /= 10
	}
	lan := mkatest.New(1)
	for n := range pairs {
		lan.Segment = n
		for i := range 2 {
			m := lan.Add("kay", mkatest.Config(2*n+i+1))
			m.Up(ckn, cak())
		}
	}
	start := time.Now()
	lan.Run(time.Minute)
	took := time.Since(start)
	frames := 0
	for _, m := range lan.Members {
		frames += m.Frames
		if !m.KaY.Secured() || m.Count(mka.EventUnsecured) != 0 {
			t.Fatalf("%+v is not secured, or was not all the time", m.Status())
		}
	}
	t.Logf("%d participants, %d MKPDUs sent and received, 60 s of their time in %v of ours", len(lan.Members), frames,
		took.Round(time.Millisecond))
}

// Clause: none; without order in the world there is none in its tests.
func TestLANDeliversInOrderToEverybodyElseOnTheSegment(t *testing.T) {
	lan := mkatest.New(1)
	a, b := lan.AddPeer(1, ckn, cak()), lan.AddPeer(2, ckn, cak())
	lan.Segment = 1
	c, d := lan.AddPeer(3, ckn, cak()), lan.AddPeer(4, ckn, cak())
	for range 5 {
		a.Say()
	}
	d.Say()
	lan.Run(lan.Delay)
	var mns []int
	for _, r := range b.Received {
		mns = append(mns, int(r.Basic.MN))
	}
	if !slices.Equal(mns, []int{1, 2, 3, 4, 5}) || len(a.Received) != 0 || len(c.Received) != 1 {
		t.Errorf("b received %v, a %d, c %d; want 1 to 5, none and one", mns, len(a.Received), len(c.Received))
	}
}

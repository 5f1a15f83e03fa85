package mka_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"mkad/mka"
	"mkad/mka/mkatest"
)

// joins is how many groups of three start, each in an order and at times of its own.
const joins = 500

// Clause: 802.1X-2020 9.4.3, 9.8, 11.11.3 (R59, R61, R67): whoever starts first and distributes a SAK to whom it has
// heard is not deaf to the better key server that comes meanwhile, and distributes too
func TestThreeThatStartAtAboutOneTimeAreSoonConnected(t *testing.T) {
	var worst time.Duration
	for seed := range uint64(joins) {
		rng := rand.New(rand.NewPCG(seed, 3))
		lan := mkatest.New(seed)
		w := &world{LAN: lan, t: t, check: mkatest.Check(lan, t)}
		w.Delay, w.Jitter = 50*time.Microsecond, 2*time.Millisecond
		for n := range 3 {
			m := w.Add("kay", mkatest.Config(n+1))
			m.ReportDelay = time.Duration(rng.IntN(20)) * time.Millisecond
			w.After(time.Duration(rng.IntN(60))*time.Millisecond, func() { m.Up(ckn, cak()) })
		}
		start := w.Now
		if !w.RunUntil(settleTime, func() bool { return mkatest.Apart(w.Members) == "" && w.Now > start.Add(60*time.Millisecond) }) {
			t.Fatalf("seed %d: after %s: %s", seed, settleTime, mkatest.Apart(w.Members))
		}
		worst = max(worst, time.Duration(w.Now-start))
	}
	// A SAK for the third may have to wait for Life Time (R67), and for a hello that tells of it.
	if bound := mka.LifeTime + mka.HelloTime; worst > bound {
		t.Errorf("connected after %s, want %s at most", worst, bound)
	}
	t.Logf("%d groups, connected within %s", joins, worst)
}

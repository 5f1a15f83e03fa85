package mka_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"mkad/mka"
	"mkad/mka/mkatest"
)

// joins is how many groups of three start, each in an order and at times of its own.
const joins = 500

// Clause: 802.1X-2020 9.4.3, 9.8, 11.11.3: whoever starts first and distributes a SAK to whom it has
// heard is not deaf to the better key server that comes meanwhile, and distributes too
// Requirement: R59, R61, R67
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

// Clause: 802.1X-2020 9.8; wpa_supplicant makes no receive SA of a SAK for whom it hears only after it
// Requirement: R66
func TestMembersThatHearEachOtherOnlyAfterASAKGetAnother(t *testing.T) {
	for _, version := range []uint8{1, 2, 3} {
		t.Run(fmt.Sprintf("MKA version %d", version), func(t *testing.T) {
			w := newWorld(t)
			m, p, q := w.kay(1), w.peer(2), w.peer(3)
			apart := true
			w.Lose = func(from, to mkatest.Station, _ []byte) bool {
				return apart && (from == p && to == q || from == q && to == p)
			}
			for _, x := range []*mkatest.Peer{p, q} {
				x.Version = version
				x.Talk()
			}
			w.until("the KaY hears both", mka.HelloTime, func() bool { return isLive(m, p.SCI) && isLive(m, q.SCI) })
			w.Run(2 * mka.LifeTime) // whatever else makes a SAK has had its time
			made := m.Count(mka.EventSAKGenerated)
			apart = false
			w.Run(2 * mka.LifeTime)
			want := map[uint8]int{1: 1, 2: 0, 3: 0}[version]
			if got := m.Count(mka.EventSAKGenerated) - made; got != want {
				t.Errorf("%d SAKs since they hear each other, want %d", got, want)
			}
		})
	}
}

// Clause: 802.1X-2020 9.8; a member that was there before has not heard a newcomer until it says so
// Requirement: R66
func TestMemberThatHearsANewcomerOnlyAfterTheSAKGetsAnother(t *testing.T) {
	w := newWorld(t)
	m, p, q := w.kay(1), w.peer(2), w.peer(3)
	apart := true
	w.Lose = func(from, to mkatest.Station, _ []byte) bool { return apart && from == q && to == p }
	p.Version, q.Version = 1, 1
	if !p.Follow(m) {
		t.Fatal("not secured")
	}
	w.Run(2 * mka.LifeTime)
	p.Hush() // it says nothing between the newcomer's coming and the SAK that is made for it
	q.Talk()
	made := m.Count(mka.EventSAKGenerated)
	w.until("there is a SAK for the newcomer", mka.HelloTime, func() bool { return m.Count(mka.EventSAKGenerated) > made })
	p.Talk()
	w.Run(mka.LifeTime)
	made, apart = m.Count(mka.EventSAKGenerated), false
	w.Run(2 * mka.LifeTime)
	if got := m.Count(mka.EventSAKGenerated) - made; got != 1 {
		t.Errorf("%d SAKs since it hears the newcomer, want 1", got)
	}
}

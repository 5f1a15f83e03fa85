package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// digestEvery is how many seeds share one that is played twice and must give the same octets.
const digestEvery = 16

// A Summary is what came of many seeds.
type Summary struct {
	Seeds, Events int
	Virtual, Took time.Duration
	Failed        []uint64
	// The longest healing, where all SecYs obeyed and where some refused, and whose it was.
	Healed, HealedFailing time.Duration
	Worst, WorstFailing   uint64
}

// Check plays one seed, some of them twice.
func Check(seed uint64) Result {
	s := Generate(seed)
	if seed%digestEvery != 0 {
		return Play(s, nil)
	}
	return twice(func() ([sha256.Size]byte, Result) { return Digest(s) })
}

// twice wants two plays to give the same octets.
func twice(play func() ([sha256.Size]byte, Result)) Result {
	first, r := play()
	if again, _ := play(); again != first {
		r.Violations = append(r.Violations, fmt.Sprintf("the same script gives %x, and then %x", first, again))
	}
	return r
}

// enough failed seeds show that something is wrong: what follows costs time only.
const enough = 5

// Run plays seeds on so many processors, each by play, and tells of progress every tick. It stops early when enough have
// failed.
func Run(from, seeds uint64, processors int, play func(seed uint64) Result, progress <-chan time.Time,
	say io.Writer) (s Summary) {
	var next atomic.Uint64
	var failures atomic.Int64
	type outcome struct {
		seed uint64
		Result
	}
	outcomes := make(chan outcome)
	var workers sync.WaitGroup
	for range processors {
		workers.Go(func() {
			for n := next.Add(1) - 1; n < seeds && failures.Load() < enough; n = next.Add(1) - 1 {
				outcomes <- outcome{from + n, play(from + n)}
			}
		})
	}
	go func() { workers.Wait(); close(outcomes) }()
	start := time.Now()
	for {
		select {
		case o, more := <-outcomes:
			if !more {
				s.Took = time.Since(start)
				return s
			}
			if s.add(o.seed, o.Result); len(o.Violations) > 0 {
				failures.Add(1)
				fmt.Fprintf(say, "seed %d: %s\n", o.seed, o.Violations[0])
			}
		case <-progress:
			s.Took = time.Since(start)
			fmt.Fprintln(say, s)
		}
	}
}

// add counts one seed's result.
func (s *Summary) add(seed uint64, r Result) {
	s.Seeds++
	s.Events += r.Events
	s.Virtual += r.Time
	switch {
	case len(r.Violations) > 0:
		s.Failed = append(s.Failed, seed)
	case r.Failing && r.Healed > s.HealedFailing:
		s.HealedFailing, s.WorstFailing = r.Healed, seed
	case !r.Failing && r.Healed > s.Healed:
		s.Healed, s.Worst = r.Healed, seed
	}
}

// String is one line.
func (s Summary) String() string {
	return fmt.Sprintf("%d seeds, %d violated; %d events, %.0f a second; %v of virtual time in %v; longest healing %v (seed %d), "+
		"with SecYs that refused %v (seed %d)", s.Seeds, len(s.Failed), s.Events, float64(s.Events)/s.Took.Seconds(),
		s.Virtual.Round(time.Second), s.Took.Round(time.Second/10), s.Healed.Round(time.Millisecond), s.Worst,
		s.HealedFailing.Round(time.Millisecond), s.WorstFailing)
}

package daemon

import (
	"fmt"
	"math"
	"slices"
	"time"

	"mkad/internal/config"
	"mkad/mka"
)

// This chapter is the arithmetic of a key chain: which keys of a CAK file count at a time, and when the chain has ended.
// It has no clock of its own.

// keyTolerance is how far the clocks of members may be apart without their cutting each other off: for so long before it
// starts and after it ends, a key has a participant that speaks, and goes with its key server. Which of the keys is used
// changes at start and end themselves. It is not less than MKA Life Time, within which members have to become live in the
// successor, and for which the predecessor is kept (802.1X-2020 9.3.2).
const keyTolerance = time.Minute

// A phase is where a key is in its life.
type phase uint8

const (
	away  phase = iota // it has no participant
	near               // about to start, or just ended: on standby
	valid              // from its start to its end
)

func phaseAt(k *config.Key, t time.Time) phase {
	switch {
	case validAt(k, t):
		return valid
	case t.Before(k.Start.Add(-keyTolerance)), !k.End.IsZero() && !t.Before(k.End.Add(keyTolerance)):
		return away
	}
	return near
}

func validAt(k *config.Key, t time.Time) bool {
	return !t.Before(k.Start) && (k.End.IsZero() || t.Before(k.End))
}

// boundaries are the moments, some of them after t, at which something about the keys changes.
func boundaries(keys []config.Key, t time.Time) (all []time.Time) {
	for i := range keys {
		if k := &keys[i]; !k.Start.IsZero() {
			all = append(all, k.Start.Add(-keyTolerance), k.Start)
		}
		if k := &keys[i]; !k.End.IsZero() {
			all = append(all, k.End, k.End.Add(keyTolerance))
		}
	}
	if until := chainEnd(keys, t); !until.IsZero() {
		for _, before := range warnings {
			all = append(all, until.Add(-before))
		}
	}
	return all
}

// chainEnd is when the chain that holds at t has ended: the keys that are valid then and those that follow without a gap.
// Zero: never, or no key is valid at t. Fallback keys count only where there is no
// other: as long as they serve, something is amiss.
func chainEnd(keys []config.Key, t time.Time) time.Time {
	role := config.Fallback
	if slices.ContainsFunc(keys, func(k config.Key) bool { return k.Role == config.Primary }) {
		role = config.Primary
	}
	until := t
	for {
		next := until
		for i := range keys {
			k := &keys[i]
			switch {
			case k.Role != role || k.Start.After(until):
			case k.End.IsZero():
				return time.Time{}
			case k.End.After(next):
				next = k.End
			}
		}
		if next.Equal(until) {
			break
		}
		until = next
	}
	if until.Equal(t) {
		return time.Time{}
	}
	return until
}

// warnings are how long before the end of a chain somebody is told.
var warnings = [...]time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour}

// urgency is how many of the warnings are due when so long is left.
func urgency(left time.Duration) (n int) {
	for _, before := range warnings {
		if left <= before {
			n++
		}
	}
	return n
}

// roundly is a duration for people.
func roundly(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d minutes", d/time.Minute)
	}
	return fmt.Sprintf("%d seconds", d/time.Second)
}

// rankOf orders the keys of a chain: the one that starts last is the one to use.
func rankOf(k *config.Key) int64 {
	if k.Start.IsZero() {
		return math.MinInt64
	}
	return k.Start.Unix()
}

func roleOf(k *config.Key) mka.Role {
	if k.Role == config.Fallback {
		return mka.Fallback
	}
	return mka.Primary
}

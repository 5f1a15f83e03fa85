package mkatest

import (
	"bytes"
	"time"
)

// Faults are what a LAN does to frames, each by the seed. The shares are of the frames on their way to one station, from
// 0 to 1.
type Faults struct {
	// Jitter is how much later a frame may arrive: frames overtake each other.
	Jitter time.Duration
	// Loss is the share that does not arrive.
	Loss float64
	// Duplication is the share that arrives twice, each copy with a delay of its own.
	Duplication float64
	// Corruption is the share that arrives with one bit turned over.
	Corruption float64
	// Echo is the share that arrives once more, up to EchoDelay later: somebody keeps frames and sends them again.
	Echo      float64
	EchoDelay time.Duration
}

// Sever lets nothing from one station reach the other any more; the way back stays as it is. Calls add up: it takes as
// many Joins to undo them.
func (l *LAN) Sever(from, to Station) { l.severed[[2]Station{from, to}]++ }

// Join undoes one Sever.
func (l *LAN) Join(from, to Station) { l.severed[[2]Station{from, to}]-- }

// deliver carries a frame to one station, as far as the faults let it.
func (l *LAN) deliver(from, to Station, frame []byte) {
	if l.severed[[2]Station{from, to}] > 0 || l.loses(from, to, frame) {
		return
	}
	l.arrive(to, frame, 0)
	if l.happens(l.Duplication) {
		l.arrive(to, frame, 0)
	}
	if l.happens(l.Echo) {
		l.arrive(to, frame, time.Duration(l.rng.Int64N(int64(l.EchoDelay)+1)))
	}
}

// arrive lets a copy of the frame arrive, perhaps spoilt, at its own time but late by more.
func (l *LAN) arrive(to Station, frame []byte, late time.Duration) {
	delay := l.Delay + late
	if l.Jitter > 0 {
		delay += time.Duration(l.rng.Int64N(int64(l.Jitter)))
	}
	if l.happens(l.Corruption) {
		frame = bytes.Clone(frame)
		frame[l.rng.IntN(len(frame))] ^= 1 << l.rng.IntN(8)
	}
	l.Inject(to, frame, delay)
}

// happens draws from the seed only where there is something to decide: a LAN without faults draws nothing.
func (l *LAN) happens(share float64) bool { return share > 0 && l.rng.Float64() < share }

func (l *LAN) loses(from, to Station, frame []byte) bool {
	return l.happens(l.Loss) || l.Lose != nil && l.Lose(from, to, frame)
}

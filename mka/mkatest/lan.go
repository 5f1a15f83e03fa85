// Package mkatest is a world for KaYs to be tested in: simulated LANs in virtual time, with a SecY of its own for each
// member that obeys, records, and can be told to fail; scripted peers that say what a test makes them say; and a checker
// that watches all of them for what must never be.
//
// Everything that happens follows from the seed: two runs from one seed give the same octets.
package mkatest

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"time"

	"mkad/mka"
	"mkad/secy"
)

// A LAN is one or more segments, each of which carries every frame to every other station on it. Without faults each
// frame arrives after Delay, once, in order.
type LAN struct {
	Now     mka.Time
	Members []*Member
	Segment int // where Add and AddPeer put the next station
	Delay   time.Duration
	Faults
	// Lose, if set, decides which frames do not arrive.
	Lose func(from, to Station, frame []byte) bool
	// Tap, if set, sees every frame that is sent.
	Tap func(from Station, frame []byte)
	// Order, if set, sees every order of a KaY, before its SecY obeys.
	Order func(m *Member, op secy.Op)
	// Data, if set, sees every frame of a Controlled Port that a member with traffic sends. It goes nowhere.
	Data func(m *Member, d Data)
	// Done, if set, is called when a member has carried out what its KaY ordered at one input or deadline.
	Done func(m *Member)

	rng      *rand.Rand
	agenda   agenda
	alarms   alarms
	serial   uint64
	segments map[int][]Station
	severed  map[[2]Station]int
}

// New makes an empty LAN.
func New(seed uint64) *LAN {
	return &LAN{Delay: 100 * time.Microsecond, rng: rand.New(rand.NewPCG(seed, 0)), segments: map[int][]Station{},
		severed: map[[2]Station]int{}}
}

// A Station is a Member or a Peer.
type Station interface {
	deadline() (mka.Time, bool)
	wake()
	receive(frame []byte)
}

// A port is where a station is on the LAN.
type port struct {
	lan     *LAN
	station Station
	segment int
	order   int // of its making: who comes first when several wake at one time
	alarm   alarm
}

// attach puts the station on the current segment.
func (l *LAN) attach(s Station) port {
	l.segments[l.Segment] = append(l.segments[l.Segment], s)
	l.serial++
	return port{lan: l, station: s, segment: l.Segment, order: int(l.serial), alarm: alarm{index: -1}}
}

// rearm follows a station's deadline. It is called after everything that may change it.
func (p *port) rearm() {
	at, ok := p.station.deadline()
	if !ok {
		at = never
	}
	p.lan.alarms.set(p, at)
}

const never mka.Time = math.MaxInt64

// Run lets d pass.
func (l *LAN) Run(d time.Duration) { l.RunUntil(d, func() bool { return false }) }

// RunUntil lets time pass until done reports true, for d at most, and tells whether it did. done is asked after each
// thing that happens.
func (l *LAN) RunUntil(d time.Duration, done func() bool) bool {
	end := l.Now.Add(d)
	for !done() {
		if !l.step(end) {
			return false
		}
	}
	return true
}

// step does what happens next; false: nothing does before end, and it is end now.
func (l *LAN) step(end mka.Time) bool {
	next, wake := l.agenda.at(), l.alarms.at()
	if min(next, wake) > end {
		l.Now = end
		return false
	}
	l.Now = max(l.Now, min(next, wake))
	if next <= wake {
		heap.Pop(&l.agenda).(appointment).do()
		return true
	}
	l.alarms[0].station.wake()
	return true
}

// After lets f happen when d has passed.
func (l *LAN) After(d time.Duration, f func()) {
	l.serial++
	heap.Push(&l.agenda, appointment{l.Now.Add(d), l.serial, f})
}

// Inject lets the station receive a frame after d, whatever the LAN's faults.
func (l *LAN) Inject(to Station, frame []byte, d time.Duration) {
	frame = append([]byte(nil), frame...)
	l.After(d, func() { to.receive(frame) })
}

// send carries a frame to everybody else on the sender's segment.
func (p *port) send(frame []byte) {
	l := p.lan
	if l.Tap != nil {
		l.Tap(p.station, frame)
	}
	for _, to := range l.segments[p.segment] {
		if to != p.station {
			l.deliver(p.station, to, frame)
		}
	}
}

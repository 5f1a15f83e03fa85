package main

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"mkad/keyderive"
	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

const (
	lanDelay = 100 * time.Microsecond
	// echoDelay is how much later a frame that somebody has kept may be sent again.
	echoDelay = 10 * time.Second
	// HealTime is within which a group is one again after the last fault: a Life Time until the last who lists us from
	// before forgets us, one for which a SAK may have to wait while others are about to become live (9.4.3, 9.8), and
	// hellos that tell of it.
	HealTime = 2*mka.LifeTime + 2*mka.HelloTime
)

// A Result is what came of a world.
type Result struct {
	Violations []string
	Kind       string        // of the first violation: its text without what differs from world to world
	Events     int           // frames that arrived, deadlines, reports
	Healed     time.Duration // from the last fault until the group was one for good
	Failing    bool          // SecYs refused orders, so the bound was HealTime + mka.InstallRetryMax
	Time       time.Duration // virtual
}

// A world is a script at work.
type world struct {
	script       Script
	lan          *mkatest.LAN
	rng          *rand.Rand // for what the LAN does not decide
	all          []*station
	stations     map[string]*station
	result       Result
	failures     bool
	did          int    // events and orders of all when it last looked
	apart        string // what it saw
	healed       bool
	together     []*mkatest.Member // who must be one
	awaited      *mkatest.Member   // who is to be one of them again; nil: nobody
	awaitedUntil mka.Time

	loss, duplication, corruption, echo, jitter, delay measure
}

// A station is a member with what has befallen it.
type station struct {
	*mkatest.Member
	w       *world
	spec    Spec
	up      bool // its KaY has its keys
	downs   int  // restarts that go on
	flaps   int  // link failures that go on
	refusal float64
	keys    [10]int // how often it is to hold each CAK
}

// Play lets the script happen and checks all that must hold. Who, if not nil, watches.
func Play(s Script, watch func(*mkatest.LAN)) (r Result) {
	w := &world{script: s, lan: mkatest.New(s.Seed), rng: rand.New(rand.NewPCG(s.Seed, 3)), stations: map[string]*station{}}
	defer func() {
		if p := recover(); p != nil {
			w.Errorf("at %d ms: panic: %v\n%s", int64(w.lan.Now)/1e6, p, origin())
		}
		r = w.result
	}()
	if watch != nil {
		watch(w.lan)
	}
	mkatest.Check(w.lan, w)
	w.setFaults()
	for _, spec := range s.Members {
		w.add(spec)
	}
	for _, f := range s.Faults {
		w.schedule(f)
	}
	w.run(s.Length)
	w.heal()
	return w.result
}

// origin is where a panic came from, without what lies outside this module.
func origin() string {
	var lines []string
	for _, line := range strings.Split(string(debug.Stack()), "\n") {
		if strings.HasPrefix(line, "mkad/mka") || strings.Contains(line, "/mka/") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[:min(len(lines), 12)], "\n")
}

// Helper and Errorf make a world the one to whom a checker complains.
func (w *world) Helper() {}

// Errorf takes a violation.
func (w *world) Errorf(format string, args ...any) {
	if w.result.Kind == "" {
		w.result.Kind = format
	}
	w.result.Violations = append(w.result.Violations, fmt.Sprintf(format, args...))
}

func (w *world) add(spec Spec) {
	cfg := mkatest.Config(spec.SCI)
	cfg.KeyServerPriority, cfg.CipherSuites, cfg.Offset = spec.Priority, spec.Suites, spec.Offset
	cfg.Policy, cfg.DelayProtect, cfg.SAKLifetime, cfg.MTU = spec.Policy, spec.DelayProtect, spec.Lifetime, spec.MTU
	s := &station{Member: w.lan.Add(spec.Name, cfg), w: w, spec: spec}
	s.ReportDelay, s.Traffic = spec.Report, true
	s.Skew(spec.PPM)
	for _, k := range spec.Keys {
		s.keys[k.N]++
	}
	w.all = append(w.all, s)
	w.stations[spec.Name] = s
	s.start()
}

// start brings a member up that has neither keys nor link.
func (s *station) start() {
	if s.Dead() {
		s.Restart()
	}
	s.SecY.Fail = s.refuse
	s.up = true
	for _, n := range s.held() {
		s.addKey(n)
	}
	s.MustStep(mka.LinkChanged{Up: s.flaps == 0})
}

// goOn is start in the place of a process that has ended. A link that is down ends what it had.
func (s *station) goOn(keep bool) {
	if s.flaps != 0 {
		s.Restart()
		s.start()
		return
	}
	var keys []mka.ParticipantAdded
	for _, n := range s.held() {
		keys = append(keys, s.key(n))
	}
	_ = s.Resume(keep, keys...) // what cannot be resumed begins afresh
	s.SecY.Fail = s.refuse
	s.up = true
}

// held are the CAKs that the member is to hold, those of its configuration first and in their order.
func (s *station) held() (numbers []int) {
	for _, k := range s.spec.Keys {
		numbers = append(numbers, k.N)
	}
	for n := range s.keys {
		if !slices.Contains(numbers, n) {
			numbers = append(numbers, n)
		}
	}
	return slices.DeleteFunc(numbers, func(n int) bool { return s.keys[n] <= 0 })
}

// refuse decides whether the SecY obeys an order.
func (s *station) refuse(op secy.Op) string {
	if s.refusal > 0 && s.w.rng.Float64() < s.refusal {
		return "the script says so"
	}
	return ""
}

func (s *station) link(by int) {
	s.flaps -= by
	if s.up {
		s.MustStep(mka.LinkChanged{Up: s.flaps == 0})
	}
}

// hold changes how often the member is to hold a CAK, and adds or removes it where that makes a difference.
func (s *station) hold(n, by int) {
	held := s.keys[n] > 0
	s.keys[n] += by
	if holds := s.keys[n] > 0; !s.up || holds == held {
		return
	}
	if !held {
		s.addKey(n)
		return
	}
	s.MustStep(mka.ParticipantRemoved{CKN: mkatest.CKN(keyName(n))})
}

func (s *station) addKey(n int) { s.MustStep(s.key(n)) }

func (s *station) key(n int) mka.ParticipantAdded {
	in := mka.ParticipantAdded{CKN: mkatest.CKN(keyName(n)), CAK: cak(n)}
	for _, k := range s.spec.Keys {
		if k.N == n {
			in.Role = k.Role
		}
	}
	return in
}

func keyName(n int) string { return fmt.Sprintf("key %d", n) }

// cak is the n-th of the world; those with an even number are long.
func cak(n int) keyderive.CAK { return mkatest.CAK(byte(n), 32-n%2*16) }

// try gives the member an input that may be out of place for one reason.
func (w *world) try(s *station, in mka.Input, but error) {
	if err := s.Step(in); err != nil && err != but {
		w.Errorf("%s: %T: %v", s.Name, in, err)
	}
}

// schedule makes an appointment with a fault and with its end, which is that of the time of faults at the latest.
func (w *world) schedule(f Fault) {
	if f.At >= w.script.Length {
		return
	}
	w.lan.After(f.At, func() { w.begin(f, min(f.For, w.script.Length-f.At)) })
}

// begin lets a fault happen for d.
func (w *world) begin(f Fault, d time.Duration) {
	if undo := kinds[f.Kind](w, f); undo != nil {
		w.lan.After(d, undo)
	}
}

// run lets d pass, or the time to the first violation.
func (w *world) run(d time.Duration) {
	w.until(d, func() bool { return false })
}

// until is run that ends when enough, which is asked after each event.
func (w *world) until(d time.Duration, enough func() bool) {
	start := w.lan.Now
	w.lan.RunUntil(d, func() bool {
		w.result.Events++
		return enough() || len(w.result.Violations) > 0
	})
	w.result.Time += w.lan.Now.Sub(start)
}

// heal wants the group to become one within the bound, and to stay one.
func (w *world) heal() {
	w.run(w.script.onTheWay())
	start, whole := w.lan.Now, w.lan.Now
	w.did, w.together = -1, w.lan.Members
	w.until(w.bound()+w.script.Hold, func() bool {
		if before := w.apart; w.look() != "" || before != "" {
			whole = w.lan.Now
		}
		late := w.lan.Now > start.Add(w.bound())
		if w.apart != "" && late {
			w.Errorf("at %d ms: %v after the last fault: %s", int64(w.lan.Now)/1e6, w.bound(), w.apart)
		}
		return w.apart == "" && w.lan.Now >= whole.Add(w.script.Hold)
	})
	w.result.Healed, w.result.Failing = whole.Sub(start), w.failures
	w.calm()
}

// look tells what keeps the group apart. It looks again only when somebody has told or ordered something.
func (w *world) look() string {
	did := 0
	for _, m := range w.together {
		did += len(m.Events) + len(m.SecY.Ops)
	}
	if did != w.did {
		w.did, w.apart = did, mkatest.Apart(w.together)
	}
	return w.apart
}

// bound is how long healing may take in this world.
func (w *world) bound() time.Duration {
	bound := HealTime
	if w.failures {
		bound += mka.InstallRetryMax
	}
	slowest := int64(0)
	for _, m := range w.script.Members {
		slowest = min(slowest, m.PPM)
	}
	return bound - bound/1_000_000*time.Duration(slowest)
}

// calm wants the group to stay one through what it must bear. Whoever restarts, or comes from another time, is no part of
// it until it has returned, which is to be soon.
func (w *world) calm() {
	w.healed = true
	for _, f := range w.script.Calm {
		w.lan.After(f.At, func() { w.begin(f, f.For) })
	}
	w.until(w.script.Hold+mka.LifeTime, func() bool {
		if apart := w.look(); apart != "" {
			w.Errorf("at %d ms: without a fault that excuses it: %s", int64(w.lan.Now)/1e6, apart)
		}
		w.receiveBack()
		return false
	})
}

// receiveBack takes who is awaited back into the group once it is one with it.
func (w *world) receiveBack() {
	if w.awaited == nil {
		return
	}
	all := append(slices.Clone(w.together), w.awaited)
	switch apart := mkatest.Apart(all); {
	case apart == "":
		w.together, w.awaited, w.did = all, nil, -1
	case w.lan.Now > w.awaitedUntil:
		w.Errorf("at %d ms: %v after its return: %s", int64(w.lan.Now)/1e6, w.returnTime(), apart)
	}
}

// returnTime is how soon who was away is one of the group again: in a pair when the key server makes another SAK, which it
// does as soon as the last is taken up. Others that are potential meanwhile, members or strangers who hold the CAK, may hold
// it off for Life Time (9.8).
func (w *world) returnTime() time.Duration {
	if len(w.all) > 2 || slices.ContainsFunc(w.script.Calm, func(f Fault) bool { return f.Kind == "flood" }) {
		return mka.LifeTime + mka.HelloTime
	}
	return mka.SuiteTime + mka.HelloTime
}

// onTheWay is how long frames from the time of faults may still arrive.
func (s Script) onTheWay() (longest time.Duration) {
	for _, f := range s.Faults {
		switch f.Kind {
		case "echo":
			longest = max(longest, echoDelay)
		case "delay", "jitter":
			longest = max(longest, time.Duration(f.X*float64(time.Millisecond)))
		}
	}
	return longest
}

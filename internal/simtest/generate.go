package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"mkad/mka"
	"mkad/secy"
)

// How long the time of faults is.
const (
	minLength = 15 * time.Second
	maxLength = 40 * time.Second
)

// How long a group must stay one: a Life Time and more; in some worlds longer than anything is put off.
const (
	minHold = mka.LifeTime + mka.HelloTime
	maxHold = mka.InstallRetryMax + mka.LifeTime
)

// Generate makes the script of a seed.
func Generate(seed uint64) Script {
	g := generator{rand.New(rand.NewPCG(seed, 2))}
	s := Script{Seed: seed, Length: g.between(minLength, maxLength), Hold: minHold}
	if g.one(16) {
		s.Hold = maxHold
	}
	g.members(&s)
	for range 1 + g.IntN(12) {
		s.Faults = append(s.Faults, g.fault(&s))
	}
	if g.one(8) {
		g.rollOver(&s)
	}
	for range 1 + g.IntN(4) {
		g.calm(&s)
	}
	byTime := func(a, b Fault) int { return int(a.At - b.At) }
	slices.SortStableFunc(s.Faults, byTime)
	slices.SortStableFunc(s.Calm, byTime)
	return s
}

type generator struct{ *rand.Rand }

func (g generator) one(in int) bool { return g.IntN(in) == 0 }

// between is a duration of whole milliseconds.
func (g generator) between(least, most time.Duration) time.Duration {
	return least + time.Duration(g.Int64N(int64((most-least)/time.Millisecond)+1))*time.Millisecond
}

func pick[T any](g generator, of ...T) T { return of[g.IntN(len(of))] }

// members makes two to eight members, fewer more often, who can agree: on a cipher suite, and on somebody who may be key
// server.
func (g generator) members(s *Script) {
	xpn := g.one(4) // all have an XPN suite in common, and nothing else
	keys := pick(g, []Key{{1, mka.Primary}}, []Key{{1, mka.Primary}}, []Key{{1, mka.Primary}, {2, mka.Fallback}},
		[]Key{{1, mka.Primary}, {2, mka.Primary}})
	scis := g.Perm(20)
	for n := range 2 + min(g.IntN(7), g.IntN(7)) {
		m := Spec{Name: string(rune('a' + n)), SCI: scis[n] + 1, Priority: pick[uint8](g, 0, 16, 16, 16, 200, 255),
			Keys: slices.Clone(keys), Suites: g.suites(xpn), Offset: secy.Offset0, MTU: pick(g, 1500, 1500, 1500, 9000, 576),
			Report: pick(g, 0, 0, time.Millisecond, 20*time.Millisecond)}
		if g.one(3) && !xpn {
			m.Offset = pick(g, secy.IntegrityOnly, secy.Offset30, secy.Offset50)
		}
		if g.one(4) {
			m.Policy = mka.ShouldSecure
		}
		m.DelayProtect = g.one(6)
		if g.one(8) {
			m.Lifetime = g.between(4*time.Second, 20*time.Second)
		}
		if g.one(3) {
			m.PPM = g.Int64N(40_001) - 20_000
		}
		if g.one(2) {
			g.Shuffle(len(m.Keys), func(i, j int) { m.Keys[i], m.Keys[j] = m.Keys[j], m.Keys[i] })
		}
		s.Members = append(s.Members, m)
	}
	if !slices.ContainsFunc(s.Members, func(m Spec) bool { return m.Priority != 255 }) {
		s.Members[0].Priority = 16
	}
}

// suites is some suites in some order, among them the one that all have.
func (g generator) suites(xpn bool) (suites []secy.CipherSuite) {
	all := secy.GCMAES128
	if xpn {
		all = secy.GCMAESXPN128
	}
	for _, c := range secy.CipherSuites {
		if c == all || !xpn && g.one(2) || xpn && c.XPN() && g.one(2) {
			suites = append(suites, c)
		}
	}
	g.Shuffle(len(suites), func(i, j int) { suites[i], suites[j] = suites[j], suites[i] })
	return suites
}

// fault is any fault, at any time.
func (g generator) fault(s *Script) Fault {
	f := Fault{At: g.between(0, s.Length), Kind: pick(g, faultKinds...), Who: "-", For: g.between(0, 12*time.Second)}
	switch f.Kind {
	case "loss", "duplicate", "echo", "corrupt":
		f.X = share(g.Float64())
	case "jitter":
		f.X = pick[float64](g, 1, 30, 400, 2500)
	case "delay":
		f.X = pick[float64](g, 1, 30, 400, 1500)
	case "flood":
		f.X = pick[float64](g, 1, 5, 40, 150)
	case "cut":
		f.Who = g.some(s, 2)
	case "split":
		f.Who = g.some(s, 1+g.IntN(len(s.Members)-1))
	default:
		g.befall(s, &f)
	}
	return f
}

// calm adds what a group must bear without being apart for a moment. Nobody is away twice: together that could be for Life
// Time.
func (g generator) calm(s *Script) {
	f := Fault{At: g.between(0, minHold), Kind: pick(g, "rekey", "rekey", "exhaust", "restart", "resume", "jump", "stall", "duplicate", "echo",
		"flood", "jitter", "skew", "slow", "roll"), Who: g.some(s, 1), For: g.between(0, mka.LifeTime/2)}
	switch f.Kind {
	case "rekey":
		f.Who = g.some(s, len(s.Members)) // one of them is key server
	case "exhaust":
		f.X = 0
	case "duplicate", "echo":
		f.Who, f.X = "-", share(g.Float64())
	case "flood":
		f.Who, f.X = "-", pick[float64](g, 1, 5, 40)
	case "jitter":
		f.Who, f.X = "-", pick[float64](g, 1, 30, 400)
	case "skew":
		f.X = float64(g.Int64N(40_001) - 20_000)
	case "slow":
		f.X = pick[float64](g, 5, 100, 1000)
	case "resume": // so soon that nobody has retired the old key meanwhile
		f.For = g.between(0, time.Second)
	case "stall": // who hears for SAK Retire Time nothing of a new key is left with the old one alone, as 802.1X has it
		f.For = min(f.For, mka.SAKRetireTime-mka.HelloTime/4)
	case "jump":
		f.X = float64(g.between(mka.LifeTime, 10*mka.LifeTime).Milliseconds())
		if g.one(2) { // while a SAK is distributed
			s.Calm = append(s.Calm, Fault{f.At, "rekey", g.some(s, len(s.Members)), 0, 0})
			f.At += g.between(0, 60*time.Millisecond)
		}
	case "roll":
		s.Calm = append(s.Calm, g.newKey(s)...)
		return
	}
	away := func(f Fault) bool {
		return f.Kind == "restart" || f.Kind == "resume" || f.Kind == "jump" || f.Kind == "stall"
	}
	if !away(f) || !slices.ContainsFunc(s.Calm, away) {
		s.Calm = append(s.Calm, f)
	}
}

// newKey gives everybody a third CAK and then takes the others from them, at each member when its operator comes to it,
// but never so soon that the new one cannot have found its peers: two hellos.
func (g generator) newKey(s *Script) (orders []Fault) {
	for _, m := range s.Members {
		orders = append(orders, Fault{g.between(0, minHold-3*mka.HelloTime), "key", m.Name, time.Hour, 3})
		for _, k := range m.Keys {
			orders = append(orders, Fault{minHold - g.between(0, mka.HelloTime), "nokey", m.Name, time.Hour, float64(k.N)})
		}
	}
	return orders
}

// befall chooses whom a fault of members meets, and how hard.
func (g generator) befall(s *Script, f *Fault) {
	f.Who = g.some(s, 1)
	if g.one(6) {
		f.Who = g.some(s, 1+g.IntN(len(s.Members)))
	}
	switch f.Kind {
	case "restart", "flap":
		f.For = pick(g, 0, g.between(0, time.Second), g.between(0, 12*time.Second))
	case "resume":
		f.For = pick(g, 0, g.between(0, time.Second), g.between(0, 12*time.Second))
		f.X = pick[float64](g, 0, 0, 1)
	case "stall":
		f.For = pick(g, g.between(0, time.Second), g.between(0, 8*time.Second))
	case "skew":
		f.X = float64(g.Int64N(200_001) - 100_000)
	case "jump":
		f.X = float64(g.between(0, 2*mka.LifeTime).Milliseconds())
	case "fail":
		f.X = pick(g, 0.05, 0.3, 1)
	case "slow":
		f.X = pick[float64](g, 5, 100, 1000, 4000)
	case "exhaust":
		f.X = pick[float64](g, 0, 0, 1, 100)
	case "key", "nokey":
		f.X = float64(1 + g.IntN(2))
	}
}

// share rounds, so that scripts are short.
func share(x float64) float64 { return math.Round(x*90) / 100 }

var faultKinds = []string{"loss", "loss", "duplicate", "corrupt", "echo", "jitter", "delay", "cut", "cut", "split", "flood",
	"restart", "restart", "restart", "resume", "resume", "resume", "flap", "stall", "skew", "jump", "fail", "slow", "rekey", "rekey", "exhaust", "key", "nokey"}

// some are the names of so many members.
func (g generator) some(s *Script, n int) (names string) {
	for _, i := range g.Perm(len(s.Members))[:n] {
		names += s.Members[i].Name
	}
	return names
}

// rollOver lets the second CAK take the place of the first, at each member when its operator comes to it.
func (g generator) rollOver(s *Script) {
	for _, m := range s.Members {
		at := g.between(0, s.Length/2)
		s.Faults = append(s.Faults, Fault{at, "key", m.Name, s.Length, 2},
			Fault{at + g.between(0, s.Length/2), "nokey", m.Name, s.Length, 1})
	}
}

package main

import (
	"slices"
	"time"

	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// kinds are the faults: each begins, and returns what undoes it, nil if nothing does.
var kinds = map[string]func(w *world, f Fault) (undo func()){
	// Of the LAN. X is a share, or milliseconds.
	"loss":      func(w *world, f Fault) func() { return w.share(&w.loss, f.X) },
	"duplicate": func(w *world, f Fault) func() { return w.share(&w.duplication, f.X) },
	"corrupt":   func(w *world, f Fault) func() { return w.share(&w.corruption, f.X) },
	"echo":      func(w *world, f Fault) func() { return w.share(&w.echo, f.X) },
	"jitter":    func(w *world, f Fault) func() { return w.share(&w.jitter, f.X) },
	"delay":     func(w *world, f Fault) func() { return w.share(&w.delay, f.X) },
	"cut":       (*world).cut,   // nothing passes from the first to the second
	"split":     (*world).split, // those and the others do not hear each other
	"flood":     (*world).flood, // X new members that hold the CAK say one thing and go

	// Of members.
	"restart": (*world).restart,
	"resume":  (*world).resume, // X is 1 where the SecY ends with the process
	"flap":    (*world).flap,
	"stall":   (*world).stall,
	"skew":    (*world).skew,      // X parts in a million
	"jump":    (*world).jump,      // X milliseconds: the clock goes on, and no timer has
	"fail":    (*world).fail,      // X is the share of refused orders
	"slow":    (*world).slow,      // X milliseconds until the SecY reports
	"rekey":   (*world).rekey,     // as an operator asks for it
	"exhaust": (*world).exhaust,   // X packet numbers are left; 0: a quarter of all
	"key":     (*world).addKey,    // the X-th CAK is added, and removed later
	"nokey":   (*world).removeKey, // the X-th CAK is removed, and added later
}

// A measure is what several faults at one time may ask for: the most counts.
type measure []float64

// share lets one more fault ask for x.
func (w *world) share(m *measure, x float64) func() {
	*m = append(*m, x)
	w.setFaults()
	return func() {
		for i, y := range *m {
			if y == x {
				*m = append((*m)[:i], (*m)[i+1:]...)
				break
			}
		}
		w.setFaults()
	}
}

func (m measure) most() (most float64) {
	for _, x := range m {
		most = max(most, x)
	}
	return most
}

func (w *world) setFaults() {
	milliseconds := func(m measure) time.Duration { return time.Duration(m.most() * float64(time.Millisecond)) }
	w.lan.Faults = mkatest.Faults{Jitter: milliseconds(w.jitter), Loss: w.loss.most(), Duplication: w.duplication.most(),
		Corruption: w.corruption.most(), Echo: w.echo.most(), EchoDelay: echoDelay}
	w.lan.Delay = lanDelay + milliseconds(w.delay)
}

// named are the members of the fault that are in the world.
func (w *world) named(f Fault) (members []*station) {
	for _, name := range f.Who {
		if s := w.stations[string(name)]; s != nil {
			members = append(members, s)
		}
	}
	return members
}

// each lets one thing happen to each named member, and undoes all of it.
func (w *world) each(f Fault, do func(s *station) (undo func())) func() {
	var undo []func()
	for _, s := range w.named(f) {
		if u := do(s); u != nil {
			undo = append(undo, u)
		}
	}
	return func() {
		for _, u := range undo {
			u()
		}
	}
}

func (w *world) cut(f Fault) func() {
	m := w.named(f)
	if len(m) != 2 {
		return nil
	}
	w.lan.Sever(m[0].Member, m[1].Member)
	return func() { w.lan.Join(m[0].Member, m[1].Member) }
}

func (w *world) split(f Fault) func() {
	inside := map[*station]bool{}
	for _, s := range w.named(f) {
		inside[s] = true
	}
	across := func(do func(from, to mkatest.Station)) {
		for _, a := range w.all {
			for _, b := range w.all {
				if inside[a] != inside[b] {
					do(a.Member, b.Member)
				}
			}
		}
	}
	across(w.lan.Sever)
	return func() { across(w.lan.Join) }
}

// flood lets strangers who hold the first CAK speak once. They are on no segment, so they hear nothing.
func (w *world) flood(f Fault) func() {
	w.lan.Segment = 1
	p := w.lan.AddPeer(200, keyName(1), cak(1))
	for range int(f.X) {
		p.Rejoin()
		frame := p.Next()
		for _, s := range w.all {
			w.lan.Inject(s.Member, frame, w.lan.Delay)
		}
	}
	w.lan.Segment = 0
	return nil
}

// restart lets processes end and begin again. In a group that has healed it meets followers only: another key server is
// a gap that CP has (Figure 12-2, chgdServer).
func (w *world) restart(f Fault) func() {
	return w.each(f, func(s *station) func() {
		if w.healed {
			if s.Status().KeyServer {
				return nil
			}
			w.excuse(s)
		}
		s.Restart()
		s.downs++
		s.up = false
		return func() {
			if s.downs--; s.downs == 0 {
				s.start()
				w.expect(s)
			}
		}
	})
}

// resume lets processes end, and others go on in their place.
func (w *world) resume(f Fault) func() {
	return w.each(f, func(s *station) func() {
		if w.healed && f.X != 0 {
			w.excuse(s)
		}
		s.Kill()
		s.downs++
		s.up = false
		return func() {
			if s.downs--; s.downs == 0 {
				s.goOn(f.X == 0)
				w.expect(s)
			}
		}
	})
}

func (w *world) flap(f Fault) func() {
	return w.each(f, func(s *station) func() {
		s.link(-1)
		return func() { s.link(1) }
	})
}

func (w *world) stall(f Fault) func() {
	return w.each(f, func(s *station) func() {
		s.Stall(f.For)
		return nil
	})
}

func (w *world) skew(f Fault) func() {
	return w.each(f, func(s *station) func() {
		s.Skew(int64(f.X))
		return func() { s.Skew(s.spec.PPM) }
	})
}

// jump is a resume from suspend, or a process that the host has not let run. In a group that has healed, too, it meets
// followers only.
func (w *world) jump(f Fault) func() {
	return w.each(f, func(s *station) func() {
		if w.healed {
			if s.Status().KeyServer {
				return nil
			}
			w.excuse(s)
			w.lan.After(mka.HelloTime, func() { w.expect(s) }) // when it has surely seen what time it is
		}
		s.Jump(time.Duration(f.X * float64(time.Millisecond)))
		return nil
	})
}

func (w *world) fail(f Fault) func() {
	w.failures = true
	return w.each(f, func(s *station) func() {
		s.refusal = f.X
		return func() { s.refusal = 0 }
	})
}

func (w *world) slow(f Fault) func() {
	return w.each(f, func(s *station) func() {
		s.ReportDelay = time.Duration(f.X * float64(time.Millisecond))
		return func() { s.ReportDelay = s.spec.Report }
	})
}

func (w *world) rekey(f Fault) func() {
	return w.each(f, func(s *station) func() {
		w.try(s, mka.RekeyRequested{}, mka.ErrNotKeyServer)
		return nil
	})
}

// exhaust moves the packet numbers of the key in service ahead.
func (w *world) exhaust(f Fault) func() {
	return w.each(f, func(s *station) func() {
		sa, ok := s.SecY.Transmitting()
		if !ok {
			return nil
		}
		last := sa.Suite.MaxPN()
		pn := last - last/4 + 2
		if f.X > 0 {
			pn = last - secy.PN(f.X)
		}
		if pn > s.SecY.PNs[sa.Key] && s.SecY.PNs[sa.Key] != 0 {
			s.SamplePN(sa.Key, pn)
		}
		return nil
	})
}

func (w *world) addKey(f Fault) func() {
	return w.each(f, func(s *station) func() {
		s.hold(int(f.X), 1)
		return func() { s.hold(int(f.X), -1) }
	})
}

func (w *world) removeKey(f Fault) func() {
	return w.each(f, func(s *station) func() {
		s.hold(int(f.X), -1)
		return func() { s.hold(int(f.X), 1) }
	})
}

// excuse takes a member out of those who must stay together, if two are left.
func (w *world) excuse(s *station) {
	w.together = slices.DeleteFunc(slices.Clone(w.together), func(m *mkatest.Member) bool { return m == s.Member })
	w.did = -1
}

// expect wants a member that was excused back among those who stay together, soon.
func (w *world) expect(s *station) {
	if w.healed && !slices.Contains(w.together, s.Member) {
		w.awaited, w.awaitedUntil = s.Member, w.lan.Now.Add(w.returnTime())
	}
}

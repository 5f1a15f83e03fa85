package optiontest

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// Run takes the combinations with one SecY, "userspace" (all of them) or "kernel" (the few that have every pair), through all
// states, and compares what passes with the model. programs is the directory of mkad and mkactl. It takes half a minute, most of it waiting.
func Run(t *testing.T, programs, backend string) {
	l := newLab(t, programs, backend)
	must(t, l.west.StartDaemon(t.Context()))
	l.show(t, unsecured)
	must(t, l.east.StartDaemon(t.Context()))
	l.show(t, secured)
	l.east.Daemon().Kill()
	l.show(t, peerLost)
	must(t, l.east.StartDaemon(t.Context()))
	l.await(t, secured)
	l.end(t)
	l.show(t, ended)
	must(t, l.west.StartDaemon(t.Context()))
	l.await(t, secured)
	l.west.Daemon().Kill()
	l.show(t, killed)
	t.Logf("%d combinations in %d states: %d frames and answers passed as promised", len(l.models), numStates, l.shown)
}

// end asks the west's mkad to end.
func (l *lab) end(t *testing.T) {
	t.Helper()
	l.west.Daemon().Signal(syscall.SIGTERM)
	if err := l.west.Daemon().Err(); err != nil {
		t.Errorf("mkad ended with %v", err)
	}
}

// show waits for a state, and until all that is to pass in it has passed, in one round of probes; in no round may anything
// pass that is to be stopped.
func (l *lab) show(t *testing.T, s state) {
	t.Helper()
	if s < ended {
		l.await(t, s)
	}
	l.eventually(t, fmt.Sprintf("all to pass that is to pass %s", s), func() []string { return l.look(t, s) })
	l.eventually(t, fmt.Sprintf("Controlled Ports to look as they are to %s", s), func() (wrong []string) {
		for port, m := range l.models {
			if got, want := l.lookOf(port), m.look(s); want != "any" && got != want {
				wrong = append(wrong, fmt.Sprintf("%s looks %q, want %q", m, got, want))
			}
		}
		return wrong
	})
}

// lookOf is how the west's Controlled Port looks, in the model's words.
func (l *lab) lookOf(port int) string {
	d := find(l.west.Namespace, controlled.of(port))
	switch {
	case !d.there:
		return ""
	case d.Up:
		return d.OperState + "+"
	}
	return d.OperState
}

// Bounds of one round of probes: how long what has to come is waited for, and after it what must not come.
const (
	roundTime = time.Second
	quietTime = 100 * time.Millisecond
)

// look makes one round of probes at all ports. What passes and must not is an error of the test; what is missing is returned.
func (l *lab) look(t *testing.T, s state) (missing []string) {
	t.Helper()
	l.round++
	l.address()
	var probes []*probe
	for port := range l.models {
		p := l.probeOf(port, l.round)
		defer p.close()
		must(t, p.listen(l))
		must(t, p.speak(l))
		probes = append(probes, p)
	}
	l.hear(probes, s)
	for port, m := range l.models {
		faults, lacks := m.judge(s, probes[port])
		for _, fault := range faults {
			t.Errorf("%s, %s: %s", m, s, fault)
		}
		for _, lack := range lacks {
			missing = append(missing, fmt.Sprintf("%s: %s", m, lack))
		}
		l.shown += len(probes[port].seen)
	}
	if t.Failed() {
		t.FailNow()
	}
	return missing
}

// hear listens until nothing is missing, roundTime at most, and then for quietTime.
func (l *lab) hear(probes []*probe, s state) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	quiet := time.Now()
	for end := time.Now().Add(roundTime); time.Now().Before(quiet.Add(quietTime)); <-tick.C {
		complete := true
		for port, m := range l.models {
			probes[port].hear(l)
			_, missing := m.judge(s, probes[port])
			complete = complete && len(missing) == 0
		}
		if !complete && time.Now().Before(end) {
			quiet = time.Now()
		}
	}
}

package interop

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mkad/internal/control"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// long has more faults run than there is time for in every run.
var long = flag.Bool("long", false, "run the faults that last for a minute too, and all with wpa_supplicant as key server")

// A path is what lies between the two members: a relay that does to their frames what a fault asks for.
type path struct {
	mu   sync.Mutex
	does func(frame []byte, back bool) netlab.Fate // nil: nothing
}

func (p *path) set(does func([]byte, bool) netlab.Fate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.does = does
}

// fate decides about one frame at a time.
func (p *path) fate(frame []byte, back bool) netlab.Fate {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.does == nil {
		return carried
	}
	return p.does(frame, back)
}

var carried = netlab.Fate{Copies: 1}

// A fault befalls a link of mkad, member 0, and a peer, member 1.
type fault struct {
	name  string
	lasts time.Duration
	// cause has the fault begin, and returns what ends it.
	cause func(g *group, p *path) (end func())
	// noticed is the state of mkad when the fault ends.
	noticed control.State
	// kept says that nothing is lost, and that there is no other SAK.
	kept bool
	// keepsMI says that the peer has no reason to change its MI.
	keepsMI bool
	// breaks is how often a peer loses its link beyond once, if it then takes another MI: mkad does.
	breaks map[string]int
	// within is how long after its end the link must be back; 0 for what patience allows.
	within time.Duration
}

// plugged takes the link down.
func plugged(g *group, _ *path) func() {
	for i := range g.hosts {
		must(g.t, g.segment.Plug(i, false))
	}
	return func() {
		for i := range g.hosts {
			must(g.t, g.segment.Plug(i, true))
		}
	}
}

// flaps takes the link down and up in turn, each for half a second, until it ends.
func flaps(g *group, p *path) func() {
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			up := plugged(g, p)
			wait(time.Second / 2)
			up()
			select {
			case <-quit:
				return
			case <-time.After(time.Second / 2):
			}
		}
	}()
	return func() { close(quit); <-ended }
}

// toMKPDUs does something to three of ten MKPDUs, and nothing to other frames.
func toMKPDUs(what netlab.Fate) func(*group, *path) func() {
	return func(_ *group, p *path) func() {
		rng := rand.New(rand.NewPCG(30, 0))
		p.set(func(frame []byte, _ bool) netlab.Fate {
			if netlab.EtherTypeOf(frame) == netlab.EtherTypeEAPOL && rng.IntN(10) < 3 {
				return what
			}
			return carried
		})
		return func() { p.set(nil) }
	}
}

// oneWay loses all that the peer sends, or else all that is sent to it.
func oneWay(fromPeer bool) func(*group, *path) func() {
	return func(_ *group, p *path) func() {
		p.set(func(_ []byte, back bool) netlab.Fate {
			if back == fromPeer {
				return netlab.Fate{}
			}
			return carried
		})
		return func() { p.set(nil) }
	}
}

// hangs stops the daemon of a member.
func hangs(who int) func(*group, *path) func() {
	return func(g *group, _ *path) func() {
		g.process(who).Signal(syscall.SIGSTOP)
		return func() { g.process(who).Signal(syscall.SIGCONT) }
	}
}

// restarts ends the daemon of a member and starts another in its place. wpa_supplicant does not take the device that a killed
// one has left, so whoever starts it again has to remove that; mkad does.
func restarts(who int, how syscall.Signal) func(*group, *path) func() {
	return func(g *group, _ *path) func() {
		g.process(who).Signal(how)
		<-g.process(who).Ended()
		return func() {
			if g.members[who].program == wpa && how == syscall.SIGKILL {
				must(g.t, g.hosts[who].Remove(mkadlab.Controlled))
			}
			g.start(who)
		}
	}
}

// restartTime is how soon after a restart of either side the link is back (R111).
const restartTime = 12 * time.Second

var faults = []fault{
	{name: "link down for 1 s", lasts: time.Second, cause: plugged}, // the kernel tells of carriers at most once a second
	{name: "link down for 7 s", lasts: 7 * time.Second, cause: plugged, noticed: control.Down},
	{name: "link down for 60 s", lasts: time.Minute, cause: plugged, noticed: control.Down},
	{name: "ten flaps in ten seconds", lasts: 9500 * time.Millisecond, cause: flaps, breaks: map[string]int{mkad: 9}},
	{name: "30 % of MKPDUs lost, for 20 s", lasts: 20 * time.Second, cause: toMKPDUs(netlab.Fate{})},
	{name: "30 % of MKPDUs doubled, for 20 s", lasts: 20 * time.Second, cause: toMKPDUs(netlab.Fate{Copies: 2}), noticed: control.Secured,
		kept: true, keepsMI: true},
	{name: "30 % of MKPDUs late by 2.5 s, out of order, for 20 s", lasts: 20 * time.Second,
		cause: toMKPDUs(netlab.Fate{Copies: 1, Late: 2500 * time.Millisecond}), noticed: control.Secured},
	{name: "nothing from the peer for 20 s", lasts: 20 * time.Second, cause: oneWay(true), noticed: control.Blocked},
	{name: "nothing to the peer for 20 s", lasts: 20 * time.Second, cause: oneWay(false), noticed: control.Blocked},
	{name: "peer hangs for 3 s", lasts: 3 * time.Second, cause: hangs(1), noticed: control.Secured, kept: true, keepsMI: true},
	{name: "peer hangs for 5 s", lasts: 5 * time.Second, cause: hangs(1)},
	{name: "peer hangs for 8 s", lasts: 8 * time.Second, cause: hangs(1), noticed: control.Blocked},
	{name: "peer hangs for 60 s", lasts: time.Minute, cause: hangs(1), noticed: control.Blocked},
	{name: "mkad hangs for 3 s", lasts: 3 * time.Second, cause: hangs(0), kept: true, keepsMI: true},
	{name: "mkad hangs for 8 s", lasts: 8 * time.Second, cause: hangs(0)},
	{name: "mkad hangs for 60 s", lasts: time.Minute, cause: hangs(0)},
	{name: "peer ends, another starts", cause: restarts(1, syscall.SIGTERM), within: restartTime},
	{name: "peer is killed, another starts", cause: restarts(1, syscall.SIGKILL), within: restartTime},
	{name: "mkad ends, another starts", cause: restarts(0, syscall.SIGTERM), within: restartTime},
	{name: "mkad is killed, another starts", cause: restarts(0, syscall.SIGKILL), within: restartTime},
}

// maxMIs is how many MIs a peer may have had after one fault: the first, one for what it has forgotten, and one for what we
// have. More would be a loop.
const maxMIs = 3

// Clause: 802.1X-2020 9.4, 9.8, 12.4; after whatever fault of the path or of those on it the link is secured again, by
// itself, and a peer is not driven into a loop.
// Requirement: R111
func TestGuestFaults(t *testing.T) {
	for i, f := range faults {
		for j, l := range faultyLinks {
			row := Row{Table: "faults", Order: len(faultyLinks)*i + j + 1}
			if (f.lasts >= time.Minute || l.serves && f.within == 0) && !*long {
				continue
			}
			t.Run(f.name+"/"+l.name(), func(t *testing.T) {
				t.Parallel()
				row.leave(t, f.befall(t, l)...)
			})
		}
	}
}

// Clause: 802.1X-2020 9.4; design decision 6: timers are none of the wall clock's business. It is the machine's, so nothing
// runs beside this: wpa_supplicant has its peers expire by it.
func TestGuestClockSteps(t *testing.T) {
	for i, f := range []fault{
		{name: "clock set an hour ahead, for 10 s", lasts: 10 * time.Second, cause: clockSet(time.Hour)},
		{name: "clock set an hour back, for 10 s", lasts: 10 * time.Second, cause: clockSet(-time.Hour)},
	} {
		for j, l := range faultyLinks {
			if l.serves && !*long {
				continue
			}
			f.kept, f.keepsMI = l.peer == mkad, l.peer == mkad
			if f.kept {
				f.noticed = control.Secured
			}
			t.Run(f.name+"/"+l.name(), func(t *testing.T) {
				Row{Table: "faults", Order: len(faultyLinks)*(len(faults)+i) + j + 1}.leave(t, f.befall(t, l)...)
			})
			f.noticed = ""
		}
	}
}

// clockSet sets the machine's clock, and then back.
func clockSet(by time.Duration) func(*group, *path) func() {
	set := func(g *group, by time.Duration) {
		var now unix.Timespec
		must(g.t, unix.ClockGettime(unix.CLOCK_REALTIME, &now))
		then := unix.NsecToTimespec(now.Nano() + int64(by))
		must(g.t, unix.ClockSettime(unix.CLOCK_REALTIME, &then))
	}
	return func(g *group, _ *path) func() {
		set(g, by)
		return func() { set(g, -by) }
	}
}

// A faultyLink is what a fault befalls: mkad and a peer, which of two mkads is not key server.
type faultyLink struct {
	peer   string
	serves bool // the peer is key server
}

var faultyLinks = [...]faultyLink{{mkad, false}, {wpa, false}, {wpa, true}}

func (l faultyLink) name() string {
	if l.serves {
		return l.peer + " serves"
	}
	return l.peer
}

func (l faultyLink) members() []member {
	if l.serves {
		return []member{{program: mkad, lines: []string{"key_server_priority = 200"}}, {program: l.peer, lines: []string{"mka_priority=0"}}}
	}
	return []member{{program: mkad}, {program: l.peer}}
}

// aftermath is how long after a fault something may still come of it.
const aftermath = 3 * time.Second

// befall has the fault befall a fresh link, and tells what came of it.
func (f fault) befall(t *testing.T, l faultyLink) (cells []string) {
	g := newGroup(t, overBridge, "", l.members())
	peer := l.name()
	var p path
	relay, err := g.segment.Relay(p.fate)
	must(t, err)
	defer func() { must(t, relay.Stop()) }()
	wire, err := netlab.StartCapture(g.hosts[0].Namespace, mkadlab.Lower)
	must(t, err)
	g.start()
	g.secured()
	waitFor(t, "traffic both ways", g.flows)
	before, already := g.port(0), wire.Heard(netlab.EtherTypeEAPOL)
	device, err := g.hosts[1].Device(mkadlab.Controlled)
	must(t, err)
	out, in := g.flow(0, 1), g.flow(1, 0)
	end := f.cause(g, &p)
	wait(f.lasts)
	noticed := control.State("–")
	if !strings.HasPrefix(f.name, "mkad ") {
		noticed = g.port(0).State
	}
	end()
	ended := time.Now()
	waitFor(t, "a link", func() bool { return g.connected() == "" && g.flows() })
	back := time.Since(ended)
	if f.within != 0 && back > f.within {
		t.Errorf("the link was back after %s, want at most %s", seconds(back), f.within)
	}
	wait(aftermath) // for what was to be no longer taken for what is
	waitFor(t, "a link as before", func() bool { return g.connected() == "" && g.flows() })
	wait(aftermath)
	lossless := f.kept || f.within != 0 && (l.peer == mkad || strings.HasPrefix(f.name, mkad)) // an mkad that restarts
	lostOut, backOut := out.stop(lossless, ended)
	lostIn, backIn := in.stop(lossless, ended)
	took, lost := max(backOut, backIn), fmt.Sprintf("%s out, %s in", lostOut, lostIn)
	if now, err := g.hosts[1].Device(mkadlab.Controlled); err != nil || now.Index != device.Index {
		took, lost = back, "unknown: the peer's device is another"
	}
	capture, err := wire.Stop()
	must(t, err)
	mis := misOf(capture, g.hosts[1], already)
	t.Logf("%s, peer %s: noticed as %s, secured again after %s, lost %s, %d MIs of the peer", f.name, peer, noticed, seconds(took),
		lost, mis)
	if f.noticed != "" && noticed != f.noticed {
		t.Errorf("mkad was %s when the fault ended", noticed)
	}
	if bound := maxMIs + f.breaks[l.peer]; mis > bound || f.keepsMI && mis != 1 {
		t.Errorf("the peer has had %d MIs", mis)
	}
	if now := g.port(0); f.kept && now.Tx.KI != before.Tx.KI {
		t.Errorf("the key was %s and is %s", before.Tx.KI, now.Tx.KI)
	}
	g.carries()
	return []string{f.name, peer, string(noticed), seconds(took), lost, fmt.Sprint(mis - 1)}
}

// A flow is a stream under way, and when it began.
type flow struct {
	g      *group
	stream *netlab.Stream
	begun  time.Time
}

func (g *group) flow(from, to int) flow {
	g.t.Helper()
	return flow{g: g, begun: time.Now(), stream: g.stream(from, to)}
}

// stop ends it, and tells how many frames were lost, with those that the device refused, and how long after the end of a
// fault the last of them was due. A device that went away with the stream cannot tell.
func (f flow) stop(lossless bool, ended time.Time) (lost string, back time.Duration) {
	f.g.t.Helper()
	r, err := f.stream.Stop()
	missing := r.Lost() + r.Refused
	if lossless && (err != nil || missing != 0) {
		f.g.t.Error(r, err)
	}
	switch {
	case err != nil:
		return "unknown", time.Since(ended)
	case missing == 0:
		return "0", 0
	}
	due := f.begun.Add(time.Duration(r.LastMissing+1) * time.Second / frameRate)
	return fmt.Sprint(missing), max(0, due.Sub(ended))
}

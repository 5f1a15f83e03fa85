package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"mkad/internal/control"
	"mkad/internal/control/controltest"
)

// A person sits at a pseudo-terminal: sees what is drawn, and types.
type person struct {
	t        *testing.T
	keyboard *os.File // the other side of the terminal
	slave    *os.File

	mu   sync.Mutex
	seen bytes.Buffer
	more chan struct{} // holds a token when more was seen
}

func sitDown(t *testing.T, columns, rows uint16) *person {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
		t.Fatal(err)
	}
	p := &person{t: t, keyboard: master, slave: slave, more: make(chan struct{}, 1)}
	t.Cleanup(func() { slave.Close(); master.Close() })
	go func() {
		_, _ = io.Copy(writer(func(b []byte) (int, error) {
			p.mu.Lock()
			p.seen.Write(b)
			p.mu.Unlock()
			select {
			case p.more <- struct{}{}:
			default:
			}
			return len(b), nil
		}), master)
	}()
	return p
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

func (p *person) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen.String()
}

func (p *person) sees(what string) {
	p.t.Helper()
	for patience := time.After(10 * time.Second); !strings.Contains(p.text(), what); {
		select {
		case <-p.more:
		case <-patience:
			p.t.Fatalf("not seen: %q in\n%q", what, p.text())
		}
	}
}

// runs runs the tool on the terminal, with what the environment says.
func (p *person) runs(environment map[string]string, args ...string) (exit <-chan int, stderr *bytes.Buffer) {
	stderr = &bytes.Buffer{}
	tool := tool{stdout: p.slave, stderr: stderr, now: time.Now}
	tool.terminal = terminalOf(p.slave, p.slave, func(name string) string { return environment[name] })
	done := make(chan int, 1)
	go func() { done <- tool.run(args) }()
	return done, stderr
}

func TestWatchOnATerminalDrawsPortsAndEventsUntilQ(t *testing.T) {
	d := &controltest.Daemon{}
	d.SetPorts(securedPort(), blockedPort())
	socket, _ := controltest.Serve(t, subscribed{d, control.Event{Time: noon, Port: "eth2", Event: "peer-lost", Reason: "restarted"}})
	p := sitDown(t, 80, 30)
	before, err := unix.IoctlGetTermios(int(p.slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	exit, stderr := p.runs(nil, "watch", "--socket", socket)
	p.sees(enterScreen)
	p.sees("eth1       macsec0     " + paint(control.Secured))
	p.sees("frames are heard, but their integrity check fails")
	p.sees("q ends")
	p.sees(`12:00:00.000 eth2 peer-lost reason="restarted"`)
	changed := blockedPort()
	changed.State, changed.Reason = control.Secured, ""
	d.SetPorts(securedPort(), changed)
	p.sees("eth2       macsec1     " + paint(control.Secured))
	if _, err := p.keyboard.WriteString("xq"); err != nil {
		t.Fatal(err)
	}
	if got := <-exit; got != exitDone || stderr.Len() > 0 {
		t.Errorf("exit status %d: %s", got, stderr)
	}
	p.sees(leaveScreen)
	after, err := unix.IoctlGetTermios(int(p.slave.Fd()), unix.TCGETS)
	if err != nil || after.Lflag != before.Lflag {
		t.Errorf("the terminal is left with %#x (%v), was %#x", after.Lflag, err, before.Lflag)
	}
}

func TestWatchOnATerminalSurvivesTheDaemon(t *testing.T) {
	d := &controltest.Daemon{}
	d.SetPorts(securedPort())
	socket, stop := controltest.Serve(t, d)
	p := sitDown(t, 80, 30)
	exit, _ := p.runs(nil, "watch", "--socket", socket)
	p.sees("eth1")
	stop()
	p.sees("trying again")
	if _, err := p.keyboard.WriteString("q"); err != nil {
		t.Fatal(err)
	}
	if got := <-exit; got != exitDone {
		t.Errorf("exit status %d", got)
	}
}

func TestWatchOnATerminalThatIsInterruptedHasNotFailed(t *testing.T) {
	for _, flags := range [][]string{nil, {"--lines"}} {
		for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			d := &controltest.Daemon{}
			d.SetPorts(securedPort())
			socket, _ := controltest.Serve(t, subscribed{d, control.Event{Time: noon, Port: "eth1", Event: "peer-heard"}})
			p := sitDown(t, 80, 30)
			exit, stderr := p.runs(nil, with(flags, "watch", "--socket", socket)...)
			p.sees("peer-heard")
			interrupt(t, s)
			if got := <-exit; got != exitDone || stderr.Len() > 0 {
				t.Errorf("%v, %v: exit status %d: %s", flags, s, got, stderr)
			}
		}
	}
}

func TestWatchOnATerminalWantsADaemonAtTheBeginning(t *testing.T) {
	p := sitDown(t, 80, 30)
	exit, stderr := p.runs(nil, "watch", "--socket", t.TempDir()+"/none.sock")
	if got := <-exit; got != exitUnreachable || !strings.Contains(stderr.String(), "does not answer") {
		t.Errorf("exit status %d: %s", got, stderr)
	}
	if text := p.text(); text != "" {
		t.Errorf("it has drawn %q", text)
	}
}

func TestColourIsForTerminalsOfThoseWhoWantIt(t *testing.T) {
	_, socket := serve(t, securedPort(), blockedPort())
	for name, c := range map[string]struct {
		environment map[string]string
		want        bool
	}{
		"usual":    {nil, true},
		"NO_COLOR": {map[string]string{"NO_COLOR": "1"}, false},
		"dumb":     {map[string]string{"TERM": "dumb"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := sitDown(t, 80, 30)
			exit, _ := p.runs(c.environment, with(socket, "status")...)
			if got := <-exit; got != exitDone {
				t.Fatalf("exit status %d", got)
			}
			p.sees("MN 1\r\n")
			if got := strings.Contains(p.text(), "\x1b["); got != c.want {
				t.Errorf("coloured %t: %q", got, p.text())
			}
			uncoloured := strings.NewReplacer("\r\n", "\n", plain, "", colours[control.Secured], "", colours[control.Blocked], "").Replace(p.text())
			if c.want && (strings.Count(p.text(), plain) != 2 || !strings.Contains(uncoloured, "eth2       macsec1     blocked  -  ")) {
				t.Errorf("coloured is %q", p.text())
			}
		})
	}
}

// A view never draws more than there is room for.
func TestViewFitsTheTerminal(t *testing.T) {
	v := view{status: control.Document{Ports: []control.Port{securedPort(), blockedPort()}}}
	for i := range 2 * keptEvents {
		v.happened(control.Event{Time: noon, Port: "eth1", Event: "sak-installed", KI: strings.Repeat("ab", 16), Detail: fmt.Sprint(i)})
	}
	if len(v.events) != keptEvents {
		t.Errorf("%d events are kept, want %d", len(v.events), keptEvents)
	}
	for _, size := range [][2]int{{80, 24}, {40, 10}, {20, 3}, {1, 1}, {200, 60}} {
		lines := v.lines(noon, size[0], size[1], false)
		if len(lines) != size[1] {
			t.Errorf("%d x %d: %d lines", size[0], size[1], len(lines))
		}
		for _, line := range lines {
			if n := utf8.RuneCountInString(line); n > size[0] {
				t.Errorf("%d x %d: a line of %d columns: %s", size[0], size[1], n, line)
			}
		}
	}
	if last := v.lines(noon, 120, 24, false)[22]; !strings.Contains(last, fmt.Sprintf("detail=%q", fmt.Sprint(2*keptEvents-1))) {
		t.Errorf("the last event is not at the end: %s", last)
	}
	if empty := (&view{}).lines(noon, 80, 24, true); !strings.HasPrefix(empty[0], "mkad has no port") {
		t.Errorf("without a port it says %q", empty[0])
	}
}

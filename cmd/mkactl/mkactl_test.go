package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mkad/internal/control"
	"mkad/internal/control/controltest"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// An outcome is what a run of the tool leaves.
type outcome struct {
	exit           int
	stdout, stderr string
}

// runTool runs the tool at noon on a host without filters.
func runTool(t *testing.T, args ...string) outcome {
	t.Helper()
	return runToolOn(&filters{}, args...)
}

// filters are those of a host.
type filters struct {
	closed  []string // devices
	listErr error
	openErr error
	opened  []string // devices that were asked for
	served  []string // devices that a running mkad has
	removed []string // Controlled Ports that were asked for
	hidden  bool     // whether the memory of the tool is
	hideErr error
}

func (f *filters) list() ([]string, error) { return f.closed, f.listErr }

func (f *filters) open(device string) error {
	f.opened = append(f.opened, device)
	return f.openErr
}

func (f *filters) remove(device string) (bool, error) {
	f.removed = append(f.removed, device)
	return device != "macsec9", nil
}

func runToolOn(f *filters, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	zeros := bytes.NewReader(make([]byte, 1024)) // a key made of them is no secret
	tool := tool{stdout: &stdout, stderr: &stderr, now: func() time.Time { return noon }, random: zeros,
		closedDevices: f.list, openDevice: f.open,
		served:       func(device string) bool { return slices.Contains(f.served, device) },
		removeDevice: f.remove, hideMemory: func() error { f.hidden = true; return f.hideErr }}
	exit := tool.run(args)
	return outcome{exit, stdout.String(), stderr.String()}
}

// serve serves ports and gives the arguments that lead there.
func serve(t *testing.T, ports ...control.Port) (*controltest.Daemon, []string) {
	t.Helper()
	d := &controltest.Daemon{}
	d.SetPorts(ports...)
	socket, _ := controltest.Serve(t, d)
	return d, []string{"--socket", socket}
}

func with(args []string, more ...string) []string { return slices.Concat(more, args) }

func wantOutcome(t *testing.T, got, want outcome) {
	t.Helper()
	if got != want {
		t.Errorf("exit status %d, standard output\n%s\nstandard error\n%s\nwant exit status %d, standard output\n%s\n"+
			"standard error\n%s", got.exit, got.stdout, got.stderr, want.exit, want.stdout, want.stderr)
	}
}

func TestCountersAreListedByName(t *testing.T) {
	d, socket := serve(t)
	d.SetCounters(
		control.PortCounters{Interface: "eth1", Controlled: "macsec0",
			SecY: map[string]uint64{"OutPktsEncrypted": 1<<64 - 1, "InPktsOK": 7},
			MKA:  map[string]uint64{control.LengthErrorFramesRx: 1}},
		control.PortCounters{Interface: "eth2", Controlled: "macsec1", SecY: map[string]uint64{"InPktsOK": 0},
			MKA: map[string]uint64{"discard-a-reason-longer-than-others": 2}})
	wantOutcome(t, runTool(t, with(socket, "counters")...), outcome{stdout: `eth1 (controlled macsec0)
  InPktsOK                                               7
  OutPktsEncrypted                    18446744073709551615
  eap-length-error-frames-rx                             1

eth2 (controlled macsec1)
  InPktsOK                                               0
  discard-a-reason-longer-than-others                    2
`})
}

func TestNonzeroLeavesOutCountersThatAreZero(t *testing.T) {
	counters := func() control.PortCounters {
		return control.PortCounters{Interface: "eth1", Controlled: "macsec0",
			SecY: map[string]uint64{"InPktsOK": 7, "InPktsLate": 0}, MKA: map[string]uint64{control.MKNoCKN: 0}}
	}
	for _, test := range []struct{ flag, want string }{
		{"--json=false", "eth1 (controlled macsec0)\n  InPktsOK                    7\n"},
		{"--json", `{"version":1,"ports":[{"interface":"eth1","controlled":"macsec0","secy":{"InPktsOK":7},"mka":{}}]}`},
	} {
		t.Run(test.flag, func(t *testing.T) {
			d, socket := serve(t)
			d.SetCounters(counters())
			got := runTool(t, with(socket, "counters", "--nonzero", test.flag)...).stdout
			if compact := new(bytes.Buffer); json.Compact(compact, []byte(got)) == nil {
				got = compact.String()
			}
			if got != test.want {
				t.Errorf("output is\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestCountersInJSONAreTheDocument(t *testing.T) {
	d, socket := serve(t)
	d.SetCounters(control.PortCounters{Interface: "eth1", SecY: map[string]uint64{"InPktsOK": 7}})
	const want = `{"version":1,"ports":[{"interface":"eth1","controlled":"","secy":{"InPktsOK":7},"mka":{}}]}`
	got := runTool(t, with(socket, "counters", "eth1", "--json")...)
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(got.stdout)); err != nil || compact.String() != want {
		t.Errorf("document is %s (%v), want %s", got.stdout, err, want)
	}
}

func TestRekeyOrdersThatPort(t *testing.T) {
	d, socket := serve(t, securedPort(), blockedPort())
	wantOutcome(t, runTool(t, with(socket, "rekey", "eth2")...), outcome{stdout: "eth2: a new SAK is on its way\n"})
	if got := d.Rekeyed(); !slices.Equal(got, []string{"eth2"}) {
		t.Errorf("rekeyed are %v, want eth2", got)
	}
}

func TestPortsCanBeNamedByTheirControlledPort(t *testing.T) {
	d, socket := serve(t, securedPort(), blockedPort())
	d.SetCounters(control.PortCounters{Interface: "eth1", Controlled: "macsec0"},
		control.PortCounters{Interface: "eth2", Controlled: "macsec1"})
	for _, command := range []string{"status macsec0", "status macsec0 --wait secured", "counters macsec0"} {
		got := runTool(t, with(socket, strings.Fields(command)...)...)
		if got.exit != exitDone || !strings.Contains(got.stdout, "eth1 (controlled macsec0)") ||
			strings.Contains(got.stdout, "eth2") {
			t.Errorf("%s: outcome is %+v, want eth1 alone", command, got)
		}
	}
	wantOutcome(t, runTool(t, with(socket, "rekey", "macsec0")...), outcome{stdout: "macsec0: a new SAK is on its way\n"})
}

func TestHelpSaysHowPortsAreNamed(t *testing.T) {
	if got := runTool(t, "--help").stdout; !strings.Contains(got, "by its lower device (eth1) or\nby its Controlled Port (macsec0)") {
		t.Errorf("help is\n%s", got)
	}
}

func TestVersionIsPrinted(t *testing.T) {
	wantOutcome(t, runTool(t, "--version"), outcome{stdout: "mkactl version " + version() + "\n"})
}

func TestReloadSaysWhatTheDaemonFound(t *testing.T) {
	d, socket := serve(t)
	d.ReloadErr = &control.Error{Text: "mkad.toml:3: polcy: no such key\nmkad.toml:9: port_id: 0", Remedy: "mkad --check"}
	wantOutcome(t, runTool(t, with(socket, "reload")...), outcome{exitFailed, "",
		"mkactl: mkad.toml:3: polcy: no such key\nmkad.toml:9: port_id: 0\ntry: mkad --check\n"})
}

func TestReloadSaysWhatWasDone(t *testing.T) {
	for _, test := range []struct {
		done control.PlanDocument
		want string
	}{
		{control.PlanDocument{}, "nothing changed\n"},
		{control.PlanDocument{Ports: []control.PortPlan{{Interface: "eth1", Action: control.KeepPort}}}, "nothing changed\n"},
		{control.PlanDocument{Daemon: []string{"log_level: info -> debug"}, Ports: []control.PortPlan{
			{Interface: "eth1", Action: control.KeepPort},
			{Interface: "eth2", Action: control.AdjustPort, Changes: []string{"key 0001: added"}},
			{Interface: "eth3", Action: control.RestartPort, Cut: true, Losses: []string{"device mv0"}},
			{Interface: "eth4", Action: control.RemovePort, Cut: true},
		}}, "eth2: adjust, cuts nothing\n  key 0001: added\n" +
			"eth3: restart, cuts its traffic until its peers have agreed again\n  loses device mv0\n" +
			"eth4: remove, cuts its traffic\n[daemon]: takes effect when mkad starts again\n  log_level: info -> debug\n"},
	} {
		d, socket := serve(t)
		d.Reloaded = test.done
		d.Reloaded.Version = control.Version
		wantOutcome(t, runTool(t, with(socket, "reload")...), outcome{stdout: test.want})
		var document control.PlanDocument
		if err := json.Unmarshal([]byte(runTool(t, with(socket, "reload", "--json")...).stdout), &document); err != nil || document.Done() != test.want {
			t.Errorf("--json: %v, %+v", err, document)
		}
	}
}

func TestBackendOrdersWhatIsNamed(t *testing.T) {
	d, socket := serve(t, securedPort())
	wantOutcome(t, runTool(t, with(socket, "backend", "eth1", "userspace", "--force")...),
		outcome{stdout: "eth1: backend is userspace until mkad starts again\n"})
	if got := d.Backends(); !slices.Equal(got, []string{"eth1 userspace"}) || !d.Forced() {
		t.Errorf("ordered was %v, forced is %t", got, d.Forced())
	}
	wantOutcome(t, runTool(t, with(socket, "reload", "--force")...), outcome{stdout: "reloaded\n"}) // of a daemon that does not say more
	if !d.Forced() || d.Reloads() != 1 {
		t.Errorf("%d reloads, forced is %t", d.Reloads(), d.Forced())
	}
	got := runTool(t, "__complete", "backend", "eth1", "").stdout
	if want := "auto\noffload-mac\noffload-phy\nkernel\nuserspace\n"; !strings.HasPrefix(got, want) {
		t.Errorf("completions are %q", got)
	}
}

// Clause: none; design: --json of what was ordered.
func TestOrdersAreToldInJSON(t *testing.T) {
	_, socket := serve(t, securedPort())
	dir := t.TempDir()
	file := filepath.Join(dir, "mkad.toml")
	if err := os.WriteFile(file, []byte("[[port]]\ninterface = \"eth1\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "key.toml")
	for _, test := range []struct {
		args []string
		want string
	}{
		{with(socket, "rekey", "macsec0"), `{"version":1,"port":"macsec0"}`},
		{with(socket, "backend", "eth1", "kernel"), `{"version":1,"port":"eth1","backend":"kernel"}`},
		{[]string{"unlock", "eth1"}, `{"version":1,"opened":["eth1"],"removed":[]}`},
		{[]string{"cleanup", "--config", file}, `{"version":1,"opened":["eth1"],"removed":["macsec0"]}`},
		{[]string{"keygen", "-o", key, "--cak-bits", "128"}, `{"version":1,"file":"` + key + `","cak_bits":128}`},
	} {
		got := runToolOn(&filters{closed: []string{"eth1"}}, append(test.args, "--json")...)
		var line bytes.Buffer
		if err := json.Compact(&line, []byte(got.stdout)); err != nil || got.exit != exitDone || line.String() != test.want {
			t.Errorf("%v: %+v (%v), want %s", test.args, got, err, test.want)
		}
	}
}

func TestKeygenTellsNothingBesideAKeyThatItPrints(t *testing.T) {
	if got := runTool(t, "keygen", "--json"); got.exit != exitUsage || got.stdout != "" || !strings.Contains(got.stderr, "give --output FILE") {
		t.Errorf("%+v", got)
	}
}

func TestUnknownPortFailsWithThoseThereAre(t *testing.T) {
	_, socket := serve(t, securedPort())
	want := outcome{exitFailed, "", "mkactl: no port is called \"eth9\"\ntry: name one of: eth1\n"}
	for _, command := range [][]string{{"status", "eth9"}, {"status", "eth9", "--wait", "secured"}, {"rekey", "eth9"}} {
		t.Run(strings.Join(command, " "), func(t *testing.T) {
			wantOutcome(t, runTool(t, with(socket, command...)...), want)
		})
	}
}

func TestDaemonThatIsNotThereIsItsOwnExitStatus(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "none.sock")
	for _, command := range [][]string{
		{"status"}, {"counters"}, {"watch"}, {"rekey", "eth1"}, {"reload"}, {"backend", "eth1", "kernel"},
	} {
		t.Run(strings.Join(command, " "), func(t *testing.T) {
			wantOutcome(t, runTool(t, with([]string{"--socket", socket}, command...)...), outcome{exitUnreachable, "",
				"mkactl: mkad does not answer at " + socket + ": connect: no such file or directory\n" +
					"try: start mkad, or name its socket (control in mkad.toml) with --socket\n"})
		})
	}
}

func TestWrongCommandLineIsAUsageError(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"", "which command?"},
		{"frobnicate", "unknown command"},
		{"statsu", "Did you mean this?\n status\n"},
		{"status --frobnicate", "unknown flag"},
		{"status --wait green", "give one of: down, pending, secured"},
		{"status --wait secured --timeout soon", "invalid argument"},
		{"status --wait secured --timeout 0s", "--timeout must be longer"},
		{"watch eth1", "watch wants no argument: \"eth1\" is too much"},
		{"rekey", "rekey wants PORT: PORT is missing"},
		{"rekey eth1 eth2", "rekey wants PORT: \"eth2\" is too much"},
		{"reload now", "reload wants no argument: \"now\" is too much"},
		{"backend", "backend wants PORT NAME: PORT is missing"},
		{"backend eth1", "backend wants PORT NAME: NAME is missing"},
		{"backend eth1 foo", "there is no backend \"foo\": give one of: auto, offload-mac, offload-phy, kernel, userspace"},
		{"backend eth1 kernel now", "backend wants PORT NAME: \"now\" is too much"},
		{"unlock", "unlock wants PORT: PORT is missing"},
		{"cleanup eth1", "cleanup wants no argument"},
		{"decode", "decode wants FILE: FILE is missing"},
		{"import", "import wants FILE: FILE is missing"},
		{"keygen 256", "keygen wants no argument"},
		{"completion nosuch", "unknown command"},
		{"completion", "which shell"},
		{"help nosuch", "unknown command"},
		{"keygen --cak-bits 192", "give one of: 128, 256"},
	} {
		t.Run(test.args, func(t *testing.T) {
			got := runTool(t, strings.Fields(test.args)...)
			if got.exit != exitUsage || got.stdout != "" {
				t.Errorf("exit status %d with output %q, want %d without", got.exit, got.stdout, exitUsage)
			}
			if !strings.Contains(got.stderr, test.want) || !strings.Contains(got.stderr, "\ntry: mkactl") || !strings.HasSuffix(got.stderr, " --help\n") {
				t.Errorf("standard error is %q, want %q and the way to the help", got.stderr, test.want)
			}
		})
	}
}

func TestHelpIsNoFailure(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"status", "--help"}, {"completion", "bash"}} {
		if got := runTool(t, args...); got.exit != exitDone || got.stdout == "" || got.stderr != "" {
			t.Errorf("%v: exit status %d, standard error %q", args, got.exit, got.stderr)
		}
	}
}

func TestWordsAreCompleted(t *testing.T) {
	_, socket := serve(t, securedPort(), blockedPort())
	for _, c := range []struct {
		line []string
		want string // a line each
	}{
		{[]string{"status", ""}, "eth1 macsec0 eth2 macsec1"},
		{[]string{"status", "eth1", ""}, "eth2 macsec1"},
		{[]string{"explain", "macsec0", ""}, "eth2 macsec1"},
		{[]string{"rekey", ""}, "eth1 macsec0 eth2 macsec1"},
		{[]string{"rekey", "eth1", ""}, ""},
		{[]string{"backend", ""}, "eth1 macsec0 eth2 macsec1"},
		{[]string{"backend", "eth1", "kernel", ""}, ""},
		{[]string{"status", "--wait", ""}, strings.Join(states(), " ")},
		{[]string{"keygen", "--cak-bits", ""}, "128 256"},
	} {
		got := runTool(t, append(with(socket, "__complete"), c.line...)...)
		words, _, _ := strings.Cut(got.stdout, ":4\n") // then files are not completed
		if strings.Join(strings.Fields(words), " ") != c.want || words == got.stdout {
			t.Errorf("%v: completions are %q, want %s", c.line, got.stdout, c.want)
		}
	}
}

func TestCompletionShowsTextsWithoutMarks(t *testing.T) {
	for _, command := range []string{"decode", "import", "cleanup"} {
		if got := runTool(t, "__complete", command, "--"); !strings.Contains(got.stdout, "--") || strings.Contains(got.stdout, "`") {
			t.Errorf("%s: %+v", command, got)
		}
	}
}

// A lineSink is standard output that ends the daemon when so many lines have come.
type lineSink struct {
	text  bytes.Buffer
	lines int
	full  func()
}

func (s *lineSink) Write(b []byte) (int, error) {
	n, err := s.text.Write(b)
	if s.lines -= bytes.Count(b, []byte("\n")); s.lines == 0 {
		go s.full()
	}
	return n, err
}

// subscribed is a daemon that has an event as soon as somebody watches.
type subscribed struct {
	*controltest.Daemon
	event control.Event
}

func (d subscribed) Subscribe() *control.Subscription {
	s := d.Daemon.Subscribe()
	d.Publish(d.event)
	return s
}

func TestWatchPrintsALineForEachEventUntilTheDaemonStops(t *testing.T) {
	event := control.Event{Time: noon, Port: "eth1", Event: "secured", CKN: "0001"}
	for _, test := range []struct{ flag, want string }{
		{"--json=false", "2026-12-01T12:00:00.000Z eth1 secured ckn=0001\n"},
		{"--json", `{"time":"2026-12-01T12:00:00Z","port":"eth1","event":"secured","ckn":"0001"}` + "\n"},
	} {
		t.Run(test.flag, func(t *testing.T) {
			socket, stop := controltest.Serve(t, subscribed{&controltest.Daemon{}, event})
			stdout, stderr := &lineSink{lines: 1, full: stop}, &bytes.Buffer{}
			tool := tool{stdout: stdout, stderr: stderr}
			exit := tool.run([]string{"watch", test.flag, "--socket", socket})
			if got := stdout.text.String(); got != test.want {
				t.Errorf("line is %q, want %q", got, test.want)
			}
			if exit != exitUnreachable || !strings.Contains(stderr.String(), "it has closed the connection") {
				t.Errorf("exit status %d, standard error %q", exit, stderr.String())
			}
		})
	}
}

func interrupt(t *testing.T, s syscall.Signal) {
	if err := syscall.Kill(os.Getpid(), s); err != nil {
		t.Error(err)
	}
}

func TestWatchThatIsInterruptedHasNotFailed(t *testing.T) {
	for _, flag := range []string{"--lines", "--json"} {
		for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			socket, _ := controltest.Serve(t, subscribed{&controltest.Daemon{}, control.Event{Time: noon, Event: "secured"}})
			stdout, stderr := &lineSink{lines: 1, full: func() { interrupt(t, s) }}, &bytes.Buffer{}
			tool := tool{stdout: stdout, stderr: stderr}
			if exit := tool.run([]string{"watch", flag, "--socket", socket}); exit != exitDone || stderr.Len() > 0 {
				t.Errorf("%s, %v: exit status %d, standard error %q", flag, s, exit, stderr)
			}
		}
	}
}

func TestKeygenMakesAKeyOfThatLength(t *testing.T) {
	for _, test := range []struct {
		args   []string
		digits int
	}{
		{[]string{"keygen"}, 64},
		{[]string{"keygen", "--cak-bits", "128"}, 32},
		{[]string{"keygen", "--cak-bits", "256"}, 64},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			got := runTool(t, test.args...)
			if got.exit != exitDone || !strings.Contains(got.stdout, `"`+strings.Repeat("0", test.digits)+`"`) {
				t.Errorf("outcome is %+v, want a CAK of %d digits", got, test.digits)
			}
		})
	}
}

func TestKeygenHidesItsMemory(t *testing.T) {
	var host filters
	if got := runToolOn(&host, "keygen"); got.exit != exitDone || !host.hidden {
		t.Errorf("%+v, memory hidden: %t", got, host.hidden)
	}
	host.hideErr = errors.New("not permitted")
	wantOutcome(t, runToolOn(&host, "keygen"), outcome{exitFailed, "", "mkactl: not permitted\n"})
}

func TestKeygenWritesAFileOfItsOwnersAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "eth1.toml")
	wantOutcome(t, runTool(t, "keygen", "-o", file), outcome{stdout: file + ": written with mode 0600, a CAK of 256 bits\n"})
	info, err := os.Stat(file)
	if err != nil || info.Mode() != 0o600 {
		t.Fatalf("file is %v (%v), want mode 600", info, err)
	}
	written, err := os.ReadFile(file)
	if err != nil || string(written) != runTool(t, "keygen").stdout {
		t.Errorf("file differs from what standard output gets: %v", err)
	}
}

func TestKeygenKeepsAFileThatExists(t *testing.T) {
	file := filepath.Join(t.TempDir(), "eth1.toml")
	if err := os.WriteFile(file, []byte("in use"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := runTool(t, "keygen", "-o", file); got.exit != exitFailed || !strings.Contains(got.stderr, file) {
		t.Errorf("outcome is %+v, want a failure that names the file", got)
	}
	if kept, err := os.ReadFile(file); string(kept) != "in use" {
		t.Errorf("file holds %q (%v)", kept, err)
	}
}

func TestKeygenSaysHowToMakeTheDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "etc", "keys")
	file := filepath.Join(dir, "eth1.toml")
	wantOutcome(t, runTool(t, "keygen", "-o", file), outcome{exitFailed, "", "mkactl: write CAK file: open " + file +
		": no such file or directory\ntry: mkdir -p -m 0700 " + dir + "\n"})
}

func TestUnlockNeedsNoDaemon(t *testing.T) {
	host := filters{closed: []string{"eth1", "eth2"}}
	socket := filepath.Join(t.TempDir(), "none.sock")
	wantOutcome(t, runToolOn(&host, "unlock", "eth1", "--socket", socket), outcome{stdout: "eth1 is open now, in clear\n"})
	if !slices.Equal(host.opened, []string{"eth1"}) {
		t.Errorf("opened are %v, want eth1", host.opened)
	}
}

func TestUnlockOpensWhatTheDaemonDoesNotServe(t *testing.T) {
	host := filters{closed: []string{"eth1", "eth2"}, served: []string{"eth1"}}
	wantOutcome(t, runToolOn(&host, "unlock", "eth2"), outcome{stdout: "eth2 is open now, in clear\n"})
}

func TestUnlockByForceOpensWhatADaemonHas(t *testing.T) {
	host := filters{closed: []string{"eth1"}, served: []string{"eth1"}}
	wantOutcome(t, runToolOn(&host, "unlock", "--force", "eth1"), outcome{stdout: "eth1 is open now, in clear\n"})
}

func TestUnlockRefusesWhatItCannotOpenForLong(t *testing.T) {
	for _, test := range []struct {
		name, port string
		closed     []string
		want       string
	}{
		{"served", "eth1", []string{"eth1"},
			"mkactl: eth1 stays closed: a running mkad serves it and would close it again within seconds\n" +
				"try: stop mkad first, or set uncontrolled = \"open\" in mkad.toml, then: mkactl reload\n"},
		{"nothing closed", "eth9", nil, "mkactl: eth9 was not closed by mkad\n"},
		{"another closed", "macsec0", []string{"eth1", "eth2"},
			"mkactl: macsec0 was not closed by mkad\ntry: name one that was: eth1, eth2\n"},
		{"served, not closed", "eth1", nil, "mkactl: eth1 was not closed by mkad\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			host := filters{closed: test.closed, served: []string{"eth1"}}
			wantOutcome(t, runToolOn(&host, "unlock", test.port), outcome{exitFailed, "", test.want})
			if host.opened != nil {
				t.Errorf("opened are %v, want none", host.opened)
			}
		})
	}
}

func TestUnlockFailsWithItsReason(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none.sock")
	denied := errors.New("operation not permitted")
	for _, host := range []filters{{listErr: denied}, {closed: []string{"eth1"}, openErr: denied}} {
		wantOutcome(t, runToolOn(&host, "unlock", "eth1", "--socket", none),
			outcome{exitFailed, "", "mkactl: unlock eth1: operation not permitted\n"})
	}
}

func TestUnlockCompletesWhatIsClosed(t *testing.T) {
	host := filters{closed: []string{"eth1", "eth2"}}
	if got := runToolOn(&host, "__complete", "unlock", ""); !strings.HasPrefix(got.stdout, "eth1\neth2\n") {
		t.Errorf("completions are %q, want eth1 and eth2", got.stdout)
	}
}

func TestOutputThatCannotBeWrittenIsAFailure(t *testing.T) {
	_, socket := serve(t, securedPort())
	var stderr bytes.Buffer
	tool := tool{stdout: fullDisk{}, stderr: &stderr, now: time.Now}
	if exit := tool.run(with(socket, "status")); exit != exitFailed || !strings.Contains(stderr.String(), "disk full") {
		t.Errorf("exit status %d, standard error %q", exit, stderr.String())
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, fmt.Errorf("write: disk full") }

func TestCleanupTakesAwayWhatNobodyServes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mkad.toml")
	text := "[[port]]\ninterface = \"eth1\"\n[[port]]\ninterface = \"eth2\"\ncontrolled = \"macsec9\"\n" +
		"[[port]]\ninterface = \"eth3\"\ncontrolled = \"macsec3\"\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f := &filters{closed: []string{"eth1", "eth3"}, served: []string{"eth3"}}
	wantOutcome(t, runToolOn(f, "cleanup", "--config", path), outcome{exit: exitFailed,
		stdout: "eth1 is open now, in clear\nmacsec0 is removed\n",
		stderr: "mkactl: eth3 stays closed: a running mkad serves it; stop it first\n"})
	if !slices.Equal(f.opened, []string{"eth1"}) || !slices.Equal(f.removed, []string{"macsec0", "macsec9"}) {
		t.Errorf("opened %v, removed %v", f.opened, f.removed)
	}
}

// Clause: none; design: what was not done is said.
func TestCleanupWithoutAConfigurationSaysWhatItDidNotLookFor(t *testing.T) {
	f := &filters{closed: []string{"eth1"}}
	path := filepath.Join(t.TempDir(), "none.toml")
	wantOutcome(t, runToolOn(f, "cleanup", "--config", path), outcome{exit: exitFailed, stdout: "eth1 is open now, in clear\n",
		stderr: "mkactl: " + path + " cannot be read, so that no Controlled Port was looked for: mkactl cleanup --config FILE, " +
			"or ip link del NAME\n"})
}

func TestCleanupThatFindsNothingSaysSo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mkad.toml")
	if err := os.WriteFile(path, []byte("[[port]]\ninterface = \"eth2\"\ncontrolled = \"macsec9\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, runToolOn(&filters{}, "cleanup", "--config", path), outcome{stdout: "nothing was left\n"})
}

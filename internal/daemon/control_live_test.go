package daemon_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"mkad/internal/control"
	"mkad/internal/filter"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// These tests drive whole daemons as an administrator does: by mkactl, files, and signals.

// patience bounds the wait for what a daemon has to do by itself: three times MKA Life Time.
const patience = 18 * time.Second

// mkactl runs a command that must succeed.
func mkactl(t *testing.T, h *mkadlab.Host, args ...string) string {
	t.Helper()
	out, err := h.Mkactl(t.Context(), args...)
	must(t, err)
	return out
}

// mkad runs mkad for something that ends by itself.
func mkad(t *testing.T, h *mkadlab.Host, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return h.Run(ctx, filepath.Join(released, "mkad"), append(args, "--config", h.ConfigFile())...)
}

// refused wants a command to end with an exit status, and to say each of these.
func refused(t *testing.T, out string, err error, status int, say ...string) {
	t.Helper()
	exit, failed := errors.AsType[*exec.ExitError](err)
	if !failed || exit.ExitCode() != status {
		t.Errorf("ended with %v, want exit status %d: %s", err, status, out)
	}
	for _, s := range say {
		if !strings.Contains(out, s) {
			t.Errorf("does not say %q: %s", s, out)
		}
	}
}

// keyServer tells the two hosts apart.
func keyServer(t *testing.T, l *mkadlab.Link) (server, follower *mkadlab.Host) {
	t.Helper()
	p, err := l.West.Port(t.Context())
	must(t, err)
	if p.KeyServer {
		return l.West, l.East
	}
	return l.East, l.West
}

// An eventStream is what a daemon tells from now on.
type eventStream struct{ *control.EventStream }

func follow(t *testing.T, h *mkadlab.Host) eventStream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	events, err := h.Control.Events(ctx)
	must(t, err)
	t.Cleanup(func() { events.Close(); cancel() })
	return eventStream{events}
}

// next waits for an event of that name.
func (s eventStream) next(t *testing.T, name string) control.Event {
	t.Helper()
	for {
		e, err := s.Next()
		if err != nil {
			t.Fatalf("wait for %s: %v", name, err)
		}
		if e.Event == name {
			return e
		}
	}
}

// edit replaces a part of a host's configuration.
func edit(t *testing.T, h *mkadlab.Host, old, new string) {
	t.Helper()
	text, err := os.ReadFile(h.ConfigFile())
	must(t, err)
	if !bytes.Contains(text, []byte(old)) {
		t.Fatalf("%s has no %q", h.ConfigFile(), old)
	}
	must(t, os.WriteFile(h.ConfigFile(), bytes.Replace(text, []byte(old), []byte(new), 1), 0o644))
}

func isClosed(t *testing.T, h *mkadlab.Host, device string) (closed bool) {
	t.Helper()
	must(t, h.Do(func() (err error) {
		closed, err = filter.Closed(device)
		return err
	}))
	return closed
}

func exists(t *testing.T, h *mkadlab.Host, device string) bool {
	t.Helper()
	_, err := h.Device(device)
	if _, missing := errors.AsType[netlink.LinkNotFoundError](err); missing {
		return false
	}
	must(t, err)
	return true
}

// terminate ends a host's daemon as a service manager does.
func terminate(t *testing.T, h *mkadlab.Host) {
	t.Helper()
	h.Daemon().Signal(syscall.SIGTERM)
	if err := h.Daemon().Err(); err != nil {
		t.Errorf("%s: after SIGTERM: %v", h.Name, err)
	}
}

// untouched wants the link to lose nothing and to keep its SAK while something is done to it.
func untouched(t *testing.T, l *mkadlab.Link, do func()) {
	t.Helper()
	before, err := l.West.Port(t.Context())
	must(t, err)
	r := stream(t, l.East, l.West, 300, 1000, do)
	after, err := l.West.Port(t.Context())
	must(t, err)
	if r.Lost() != 0 || r.Refused != 0 || r.Received == 0 {
		t.Error(r)
	}
	if after.State != control.Secured || !after.Since.Equal(before.Since) || after.Tx.KI != before.Tx.KI ||
		after.Participants[0].MI != before.Participants[0].MI {
		t.Errorf("before %+v\nafter %+v", before, after)
	}
}

// statusFields are all fields of the status document.
const statusFields = `version ports ports.interface ports.controlled ports.backend ports.backend_reason ports.state ports.cause
ports.reason ports.warnings ports.since ports.sci ports.cipher_suite ports.confidentiality ports.key_server
ports.principal_ckn ports.participants ports.participants.ckn ports.participants.role ports.participants.state
ports.participants.start ports.participants.end ports.participants.mi ports.participants.mn
ports.participants.mka_version ports.participants.suspended_ms ports.participants.peers.mka_version
ports.participants.peers.cipher_suites ports.participants.peers.suspend_for_ms ports.participants.peers
ports.participants.peers.sci ports.participants.peers.mi ports.participants.peers.mn ports.participants.peers.state
ports.participants.peers.key_server_priority ports.participants.peers.last_seen_ms ports.next_keys ports.tx ports.tx.an
ports.tx.next_pn ports.tx.ki ports.tx.headroom ports.tx.exhausted_in_s ports.rx ports.rx.sci ports.rx.an
ports.rx.lowest_pn ports.rekeys ports.counters`

// secyCounters are the counters of 802.1AE-2018 10.7, as of its editions of 2006 and 2018.
const secyCounters = `InPktsUntagged InPktsNoTag InPktsBadTag InPktsNoSA InPktsNoSAError InPktsOverrun InPktsUnchecked
InPktsDelayed InPktsLate InPktsOK InPktsInvalid InPktsNotValid InOctetsValidated InOctetsDecrypted OutPktsUntagged
OutPktsTooLong OutPktsProtected OutPktsEncrypted OutOctetsProtected OutOctetsEncrypted`

// fields lists the names in a JSON document; below a map of counters they are no fields of the document.
func fields(at string, v any) (names []string) {
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			names = append(names, fields(at, element)...)
		}
	case map[string]any:
		for name, value := range v {
			names = append(names, at+name)
			if name != "counters" && name != "secy" && name != "mka" {
				names = append(names, fields(at+name+".", value)...)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func sameWords(t *testing.T, what string, got []string, want string) {
	t.Helper()
	if want := slices.Sorted(slices.Values(strings.Fields(want))); !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// Clause: none; design: the status document.
func TestJSONDocumentsHaveTheirFields(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	must(t, l.Secure(t.Context()))
	var status, counters any
	must(t, json.Unmarshal([]byte(mkactl(t, l.West, "status", "--json")), &status))
	must(t, json.Unmarshal([]byte(mkactl(t, l.West, "counters", mkadlab.Lower, "--json")), &counters))
	sameWords(t, "status", fields("", status), statusFields)
	sameWords(t, "counters", fields("", counters), "version ports ports.interface ports.controlled ports.secy ports.mka")
	p, err := l.West.Port(t.Context())
	must(t, err)
	sameWords(t, "counters of status", slices.Sorted(maps.Keys(p.Counters)), secyCounters)
}

// Clause: none; design: status --wait and exit statuses of mkactl.
func TestStatusWaitsForAState(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	must(t, l.West.StartDaemon(t.Context()))
	waited := make(chan error, 1)
	go func() {
		_, err := l.West.Mkactl(t.Context(), "status", mkadlab.Lower, "--wait", "secured", "--timeout", patience.String())
		waited <- err
	}()
	must(t, l.East.StartDaemon(t.Context()))
	must(t, <-waited)
	p, err := l.West.Port(t.Context())
	must(t, err)
	if p.State != control.Secured {
		t.Errorf("status --wait returned, and the port is %s", p.State)
	}
	for _, c := range []struct {
		args   []string
		status int
		say    string
	}{
		{[]string{"status", "--wait", "blocked", "--timeout", "50ms"}, 1, "not blocked: eth1 is secured"},
		{[]string{"status", "eth7"}, 1, "try: name one of: eth1"},
		{[]string{"status", "--wait", "happy"}, 2, "give one of: down, pending, secured, unsecured, blocked, failed"},
		{[]string{"--socket", l.Dir() + "/nobody.sock", "status"}, 3, "mkad does not answer at"},
	} {
		out, err := l.West.Mkactl(t.Context(), c.args...)
		refused(t, out, err, c.status, c.say)
	}
}

// lines lets a program's output be read while it runs.
type lines struct {
	buf  []byte
	full chan string
}

func (l *lines) Write(b []byte) (int, error) {
	l.buf = append(l.buf, b...)
	for {
		line, rest, whole := bytes.Cut(l.buf, []byte("\n"))
		if !whole {
			return len(b), nil
		}
		l.buf = rest
		l.full <- string(line)
	}
}

// maxWatched is more lines than mkactl watch prints in any test.
const maxWatched = 1000

// watch runs mkactl watch, and returns once it has begun to show events: the wire's other end comes and goes till then.
func watch(t *testing.T, h, other *mkadlab.Host, args ...string) *lines {
	t.Helper()
	out := &lines{full: make(chan string, maxWatched)}
	args = append([]string{"--socket", h.Socket(), "watch"}, args...)
	watcher, err := h.Start(out, filepath.Join(released, "mkactl"), args...)
	must(t, err)
	for len(out.full) == 0 {
		select {
		case <-watcher.Ended():
			t.Fatalf("mkactl watch has ended: %v", watcher.Err())
		default:
		}
		must(t, other.SetUp(mkadlab.Lower))
		must(t, h.WaitFor(t.Context(), control.Pending))
		must(t, other.SetDown(mkadlab.Lower))
		must(t, h.WaitFor(t.Context(), control.Down))
	}
	return out
}

// Clause: none; design: watch shows what a person looks for.
func TestWatchShowsTheWayToASecuredLink(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	must(t, l.West.StartDaemon(t.Context()))
	out, asJSON := watch(t, l.West, l.East), watch(t, l.West, l.East, "--json")
	must(t, l.East.StartDaemon(t.Context()))
	must(t, l.WaitFor(t.Context(), control.Secured))
	east, err := l.East.Port(t.Context())
	must(t, err)
	for _, event := range []string{"peer-heard", "peer-live", "sak-installed", "secured"} {
		for !strings.Contains(await(t, out), " eth1 "+event+" ") {
		}
		var e control.Event
		for e.Event != event {
			must(t, json.Unmarshal([]byte(await(t, asJSON)), &e))
		}
		switch {
		case e.Port != mkadlab.Lower || time.Since(e.Time) > patience:
			t.Errorf("event %+v", e)
		case strings.HasPrefix(event, "peer") && (e.Peer != east.SCI || e.CKN != east.PrincipalCKN):
			t.Errorf("event %+v of peer %s, CKN %s", e, east.SCI, east.PrincipalCKN)
		case event == "sak-installed" && e.KI != east.Tx.KI:
			t.Errorf("event %+v of key %s", e, east.Tx.KI)
		}
	}
}

func await(t *testing.T, l *lines) string {
	t.Helper()
	select {
	case line := <-l.full:
		return line
	case <-time.After(patience):
		t.Fatal("mkactl watch shows no more")
		return ""
	}
}

// Clause: 802.1X-2020 9.8
// Requirement: R70
func TestRekeyIsTheKeyServers(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	must(t, l.Secure(t.Context()))
	server, follower := keyServer(t, l)
	untouched(t, l, func() {
		p, err := server.Port(t.Context())
		must(t, err)
		out, err := follower.Mkactl(t.Context(), "rekey", mkadlab.Lower)
		refused(t, out, err, 1, "try: ask for it at the key server, "+p.SCI)
	})
	r := stream(t, l.West, l.East, 500, 1000, func() { rekey(t, l) })
	if r.Lost() != 0 || r.Refused != 0 {
		t.Errorf("during the rekey: %s", r)
	}
	for _, h := range l.Hosts() {
		if p, err := h.Port(t.Context()); err != nil || p.Rekeys != 1 || p.Tx.AN != 1 || p.Tx.KI[24:] != "00000002" {
			t.Errorf("%s: %d rekeys, %+v (%v)", h.Name, p.Rekeys, p.Tx, err)
		}
	}
}

// Clause: none; design: bad input leaves what was running untouched.
func TestReloadOfBadFilesChangesNothing(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, keyText(16, 16), "policy = \"must-secure\"")
	must(t, l.Secure(t.Context()))
	bad := func(say ...string) {
		t.Helper()
		out, err := l.West.Mkactl(t.Context(), "reload")
		refused(t, out, err, 1, append(say, "nothing was changed")...)
	}
	untouched(t, l, func() {
		edit(t, l.West, `policy = "must-secure"`, `policy = "may-secure"`)
		bad("mkad.toml:10: port.policy")
		edit(t, l.West, `policy = "may-secure"`, `cypher_suites = []`)
		bad("mkad.toml:10: port.cypher_suites", "cipher_suites")
		edit(t, l.West, `cypher_suites = []`, "cypher_suites = []\npolicy = 1")
		bad("port.cypher_suites", "mkad.toml:11: port.policy", "mkad --check --config "+l.West.ConfigFile())
		edit(t, l.West, "cypher_suites = []\npolicy = 1", `policy = "must-secure"`)
		writeKey(t, l.KeyFile, keyText(16, 15))
		bad("key.toml:3: key.cak", "keygen")
		writeKey(t, l.KeyFile, keyText(16, 16))
		must(t, os.Chmod(l.KeyFile, 0o644))
		bad("key.toml: ", "chmod 0600")
		must(t, os.Remove(l.KeyFile))
		bad("key.toml: does not exist")
		writeKey(t, l.KeyFile, keyText(16, 16))
		mkactl(t, l.West, "reload")
	})
}

// Clause: 802.1X-2020 9.3.1
func TestReloadTakesAnotherCAK(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, keyText(16, 16), "")
	must(t, l.Secure(t.Context()))
	var events []eventStream
	for _, h := range l.Hosts() {
		events = append(events, follow(t, h))
	}
	writeKey(t, l.KeyFile, keyText(5, 32))
	for _, h := range l.Hosts() {
		mkactl(t, h, "reload")
	}
	for i, h := range l.Hosts() {
		events[i].next(t, "sak-transmitting")
		must(t, h.WaitFor(t.Context(), control.Secured))
		p, err := h.Port(t.Context())
		must(t, err)
		if p.PrincipalCKN != "31383f464d" || len(p.Participants) != 1 {
			t.Errorf("%s: %+v", h.Name, p)
		}
	}
	crossing(t, l, nil)
}

// Clause: none; design: a reload touches no other port.
func TestPortsComeAndGoByReload(t *testing.T) {
	t.Parallel()
	const second = "[[port]]\ninterface = \"eth2\"\ncontrolled = \"sec2\"\nkeys = \"../key.toml\"\n"
	l := newLink(t, released, "", "# more ports\n")
	must(t, netlab.Join(l.West.Namespace, "eth2", l.East.Namespace, "eth2"))
	must(t, l.Secure(t.Context()))
	untouched(t, l, func() {
		for _, h := range l.Hosts() {
			edit(t, h, "# more ports\n", second)
			mkactl(t, h, "reload")
		}
		for _, h := range l.Hosts() {
			mkactl(t, h, "status", "eth2", "--wait", "secured")
		}
	})
	untouched(t, l, func() {
		for _, h := range l.Hosts() {
			edit(t, h, second, "")
			mkactl(t, h, "reload")
			out, err := h.Mkactl(t.Context(), "status", "eth2")
			refused(t, out, err, 1, "eth2")
			if !isClosed(t, h, "eth2") || exists(t, h, "sec2") {
				t.Errorf("%s: eth2 is open, or sec2 exists, after the port was removed", h.Name)
			}
			mkactl(t, h, "unlock", "eth2")
		}
	})
}

// Clause: none; design: what a removal leaves behind is told as it is.
func TestRemovedPortIsSaidToStayClosedOnlyWhereItIs(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "# more ports\n")
	must(t, netlab.Join(l.West.Namespace, "eth2", l.East.Namespace, "eth2"))
	must(t, netlab.Join(l.West.Namespace, "eth3", l.East.Namespace, "eth3"))
	const more = "[[port]]\ninterface = \"eth2\"\ncontrolled = \"sec2\"\nkeys = \"../key.toml\"\nuncontrolled = \"open\"\n" +
		"[[port]]\ninterface = \"eth3\"\ncontrolled = \"sec3\"\nkeys = \"../key.toml\"\n"
	edit(t, l.West, "# more ports\n", more)
	must(t, l.West.StartDaemon(t.Context()))
	edit(t, l.West, more, "")
	mkactl(t, l.West, "reload")
	for port, want := range map[string]bool{"eth2": false, "eth3": true} {
		line := lineOf(l.West.Log(), "no longer in the configuration", "port="+port+" ")
		if said := strings.Contains(line, "stays closed"); said != want || isClosed(t, l.West, port) != want || strings.Contains(line, "is opened") {
			t.Errorf("%s: closed is %t, want %t; it is said: %s", port, isClosed(t, l.West, port), want, line)
		}
	}
	if line := lineOf(l.West.Log(), "msg=state"); line == "" || strings.Contains(line, "=\"\"") {
		t.Errorf("the state is told with names that have no value: %s", line)
	}
}

// lineOf is the first line of a log that has all the texts, "" if there is none.
func lineOf(log string, texts ...string) string {
	for line := range strings.Lines(log) {
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
			return line
		}
	}
	return ""
}

// Clause: none; design: a link that carries nothing is not said to be well. A key server that has no suite in common with its
// follower any more gives it no other key.
func TestPeerThatDoesNotReceiveIsWarnedOf(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "cipher_suites = [\"GCM-AES-128\"]")
	must(t, l.Secure(t.Context()))
	server, follower := l.West, l.East
	if !portOf(t, server).KeyServer {
		server, follower = follower, server
	}
	if w := portOf(t, follower).Warnings; len(w) != 0 {
		t.Errorf("warnings of a good link: %q", w)
	}
	edit(t, server, "GCM-AES-128", "GCM-AES-256")
	mkactl(t, server, "reload")
	const warning = "that it does not receive with the key in use"
	waitLong(t, "a warning", 2*patience, func() bool {
		return slices.ContainsFunc(portOf(t, follower).Warnings, func(w string) bool { return strings.Contains(w, warning) })
	})
	if out := strings.Join(strings.Fields(mkactl(t, follower, "explain", mkadlab.Lower)), " "); !strings.Contains(out, warning) {
		t.Errorf("mkactl explain says\n%s", out)
	}
}

// Clause: none; design: who has a key server that encrypts nothing is told
func TestKeyServerThatEncryptsNothingIsWarnedOf(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "# port")
	edit(t, l.East, "# port", "key_server_priority = 1\nconfidentiality = \"integrity-only\"")
	must(t, l.Secure(t.Context()))
	if w := portOf(t, l.East).Warnings; len(w) != 0 {
		t.Errorf("who has it configured is warned: %q", w)
	}
	const warning = "confidentiality is integrity-only where offset-0 is configured, so nothing is encrypted"
	for _, command := range []string{"status", "explain"} {
		if out := strings.Join(strings.Fields(mkactl(t, l.West, command, mkadlab.Lower)), " "); !strings.Contains(out, warning) {
			t.Errorf("mkactl %s says\n%s", command, out)
		}
	}
}

// plainStream sends frames from a device in the west to the bare wire in the east.
func plainStream(t *testing.T, l *mkadlab.Link, from string) netlab.StreamReport {
	t.Helper()
	s, err := netlab.StartStream(netlab.StreamConfig{FromNamespace: l.West.Namespace, ToNamespace: l.East.Namespace,
		From: from, To: mkadlab.Lower, Rate: 1000})
	must(t, err)
	end := time.NewTimer(100 * time.Millisecond)
	<-end.C
	r, err := s.Stop()
	must(t, err)
	return r
}

// Clause: none; design decision 4
func TestUnlockOpensWhatAKilledDaemonLeftClosed(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	must(t, l.Secure(t.Context()))
	for _, h := range l.Hosts() {
		h.Daemon().Kill()
	}
	r := plainStream(t, l, mkadlab.Lower)
	if r.Received != 0 || r.Sent+r.Refused == 0 || !isClosed(t, l.West, mkadlab.Lower) {
		t.Errorf("after kill -9 the lower device is open: %s", r)
	}
	for _, h := range l.Hosts() {
		mkactl(t, h, "unlock", mkadlab.Lower)
	}
	if r := plainStream(t, l, mkadlab.Lower); r.Received == 0 || r.Lost() != 0 || isClosed(t, l.West, mkadlab.Lower) {
		t.Errorf("after unlock the lower device is closed: %s", r)
	}
}

// Clause: none; design: on_exit
func TestOnExitRemoveLeavesNothing(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", `on_exit = "remove"`)
	must(t, l.Secure(t.Context()))
	for _, h := range l.Hosts() {
		if !isClosed(t, h, mkadlab.Lower) || !exists(t, h, mkadlab.Controlled) {
			t.Errorf("%s: not closed, or no Controlled Port, while mkad runs", h.Name)
		}
		terminate(t, h)
		if isClosed(t, h, mkadlab.Lower) || exists(t, h, mkadlab.Controlled) || fileExists(h.Socket()) {
			t.Errorf("%s: filter, Controlled Port or socket stays", h.Name)
		}
	}
	if r := plainStream(t, l, mkadlab.Lower); r.Received == 0 || r.Lost() != 0 {
		t.Errorf("the lower device is not as before: %s", r)
	}
}

func fileExists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Clause: none; design: on_exit, decision 3
func TestOnExitKeepIsTakenUpByTheNextDaemon(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", `on_exit = "keep"`)
	wires := capture(t, l)
	must(t, l.Secure(t.Context()))
	must(t, l.Address())
	before, err := l.West.Device(mkadlab.Controlled)
	must(t, err)
	terminate(t, l.West)
	kept, err := l.West.Device(mkadlab.Controlled)
	must(t, err)
	if kept.Index != before.Index || kept.Carrier || !isClosed(t, l.West, mkadlab.Lower) {
		t.Errorf("after the end: %+v, closed %t", kept, isClosed(t, l.West, mkadlab.Lower))
	}
	must(t, l.West.StartDaemon(t.Context()))
	must(t, l.WaitFor(t.Context(), control.Secured))
	after, err := l.West.Device(mkadlab.Controlled)
	must(t, err)
	if after.Index != before.Index || !bytes.Equal(after.MAC, before.MAC) || after.MTU != before.MTU || !after.Carrier {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}
	for _, address := range []string{mkadlab.EastAddress, mkadlab.EastAddress6} { // its own addresses have stayed
		if out, err := l.West.Run(t.Context(), "ping", "-c1", "-w5", address); err != nil {
			t.Error(out, err)
		}
	}
	onlySecured(t, wires())
}

// onlySecured wants MACsec and nothing in clear on both ends of the wire.
func onlySecured(t *testing.T, wires []netlab.Capture) {
	t.Helper()
	for _, w := range wires {
		if clear := w.Except(netlab.EtherTypeEAPOL, netlab.EtherTypeMACsec); len(clear) > 0 {
			t.Errorf("%d frames in clear, the first %x", len(clear), clear[0].Data)
		}
		if w.Count(netlab.EtherTypeMACsec) == 0 {
			t.Error("no MACsec frame was captured")
		}
	}
}

// Clause: none; design: one daemon has the control socket.
func TestSecondDaemonOnOneSocketIsRefused(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	must(t, l.Secure(t.Context()))
	untouched(t, l, func() {
		out, err := mkad(t, l.West)
		refused(t, out, err, 1, l.West.Socket())
	})
}

// Clause: none; design: CAK files readable by group or others are refused.
func TestDaemonRefusesACAKFileThatOthersCanRead(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	must(t, os.Chmod(l.KeyFile, 0o644))
	out, err := mkad(t, l.West)
	refused(t, out, err, 2, l.KeyFile+": ", "0644", "chmod 0600")
	if isClosed(t, l.West, mkadlab.Lower) || exists(t, l.West, mkadlab.Controlled) || fileExists(l.West.Socket()) {
		t.Error("a daemon that was not started has left something")
	}
}

// Clause: none; design: --check
func TestCheckListsEveryProblemWithItsLine(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, keyText(16, 16), "")
	if out, err := mkad(t, l.West, "--check"); err != nil || !strings.Contains(out, l.West.ConfigFile()+": good") {
		t.Errorf("a good configuration: %v: %s", err, out)
	}
	writeKey(t, l.KeyFile, keyText(16, 16)+keyText(33, 16))
	out, err := mkad(t, l.West, "--check")
	refused(t, out, err, 2, l.KeyFile+":5: key.ckn")
	edit(t, l.West, "[[port]]", "[[port]]\nreplay_window = \"wide\"\ncontroled = \"x\"")
	out, err = mkad(t, l.West, "--check")
	file := l.West.ConfigFile()
	refused(t, out, err, 2, file+":7: port.replay_window", file+":8: port.controled", "controlled")
	if exists(t, l.West, mkadlab.Controlled) || fileExists(l.West.Socket()) {
		t.Error("--check has left something")
	}
}

// Clause: 802.1X-2020 12.4 (connect of Figure 12-2)
// Requirement: R105
func TestShouldSecureIsInClearUntilThereIsAPeer(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "policy = \"should-secure\"\non_exit = \"remove\"")
	must(t, l.West.StartDaemon(t.Context()))
	must(t, l.East.SetUp(mkadlab.Lower))
	must(t, l.West.WaitFor(t.Context(), control.Unsecured))
	if r := plainStream(t, l, mkadlab.Controlled); r.Received == 0 || r.Lost() != 0 {
		t.Errorf("before there is a peer: %s", r)
	}
	must(t, l.East.StartDaemon(t.Context()))
	must(t, l.WaitFor(t.Context(), control.Secured))
	wires := capture(t, l)
	crossing(t, l, nil)
	onlySecured(t, wires())
	terminate(t, l.East)
	must(t, l.West.WaitFor(t.Context(), control.Unsecured))
	if r := plainStream(t, l, mkadlab.Controlled); r.Received == 0 || r.Lost() != 0 {
		t.Errorf("after the peer is gone: %s", r)
	}
}

// Clause: none; design: logs say what a person looks for; SIGTERM is no fault of a port.
func TestEndIsNoError(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	must(t, l.Secure(t.Context()))
	for _, h := range l.Hosts() {
		terminate(t, h)
		if log := h.Log(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "state=failed") {
			t.Errorf("%s ends with an error:\n%s", h.Name, log)
		}
	}
}

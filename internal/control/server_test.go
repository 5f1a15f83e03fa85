package control_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mkad/internal/control"
	"mkad/internal/control/controltest"
)

func port(name string, s control.State) control.Port {
	return control.Port{Interface: name, Controlled: "macsec-" + name, State: s}
}

// served gives a client of a daemon with the ports eth1 (secured) and eth2 (pending).
func served(t *testing.T) (*controltest.Daemon, *control.Client) {
	t.Helper()
	d := &controltest.Daemon{}
	d.SetPorts(port("eth1", control.Secured), port("eth2", control.Pending))
	d.SetCounters(
		control.PortCounters{Interface: "eth1", Controlled: "macsec-eth1", SecY: map[string]uint64{"InPktsOK": 7}},
		control.PortCounters{Interface: "eth2", Controlled: "macsec-eth2"})
	socket, _ := controltest.Serve(t, d)
	c := control.NewClient(socket)
	t.Cleanup(c.Close)
	return d, c
}

func interfaces(d control.Document) (names []string) {
	for _, p := range d.Ports {
		names = append(names, p.Interface)
	}
	return names
}

func TestStatusShowsTheNamedPorts(t *testing.T) {
	_, c := served(t)
	for _, test := range []struct{ ask, want []string }{
		{nil, []string{"eth1", "eth2"}},
		{[]string{"eth2"}, []string{"eth2"}},
		{[]string{"eth2", "eth1", "eth2"}, []string{"eth1", "eth2"}},
		{[]string{"macsec-eth2"}, []string{"eth2"}},
		{[]string{"macsec-eth2", "eth2"}, []string{"eth2"}},
	} {
		d, err := c.Status(t.Context(), test.ask...)
		if err != nil || !slices.Equal(interfaces(d), test.want) {
			t.Errorf("status of %v has %v (%v), want %v", test.ask, interfaces(d), err, test.want)
		}
	}
}

func TestCountersShowTheNamedPort(t *testing.T) {
	_, c := served(t)
	for _, name := range []string{"eth1", "macsec-eth1"} {
		d, err := c.Counters(t.Context(), name)
		if err != nil || len(d.Ports) != 1 || d.Ports[0].SecY["InPktsOK"] != 7 {
			t.Errorf("counters of %s are %+v (%v)", name, d, err)
		}
	}
}

func TestNameOfTwoPortsMeansBoth(t *testing.T) {
	d, c := served(t)
	outer := port("eth1", control.Secured)
	d.SetPorts(outer, port(outer.Controlled, control.Pending))
	got, err := c.Status(t.Context(), outer.Controlled)
	if want := []string{"eth1", outer.Controlled}; err != nil || !slices.Equal(interfaces(got), want) {
		t.Errorf("status of %s has %v (%v), want %v", outer.Controlled, interfaces(got), err, want)
	}
}

func TestRekeyReachesThePort(t *testing.T) {
	d, c := served(t)
	if err := c.Rekey(t.Context(), "eth2"); err != nil {
		t.Fatal(err)
	}
	if got := d.Rekeyed(); !slices.Equal(got, []string{"eth2"}) {
		t.Errorf("rekeyed are %v, want eth2", got)
	}
}

func TestReloadReachesTheDaemon(t *testing.T) {
	d, c := served(t)
	d.Reloaded = control.PlanDocument{Version: control.Version, Ports: []control.PortPlan{{Interface: "eth1", Action: control.RemovePort}}}
	done, err := c.Reload(t.Context(), false)
	if err != nil || d.Reloads() != 1 || len(done.Ports) != 1 || done.Ports[0].Interface != "eth1" {
		t.Errorf("%d reloads, %+v (%v), want 1", d.Reloads(), done, err)
	}
}

func TestBackendReachesTheDaemon(t *testing.T) {
	d, c := served(t)
	for _, force := range []bool{true, false} {
		if err := c.ChangeBackend(t.Context(), "eth2", "userspace", force); err != nil || d.Forced() != force {
			t.Errorf("forced is %t (%v), want %t", d.Forced(), err, force)
		}
	}
	if got := d.Backends(); !slices.Equal(got, []string{"eth2 userspace", "eth2 userspace"}) {
		t.Errorf("ordered was %v", got)
	}
	if _, err := c.Reload(t.Context(), true); err != nil || !d.Forced() {
		t.Errorf("the reload was not forced (%v)", err)
	}
}

func TestUnknownPortIsAnsweredWithThoseThereAre(t *testing.T) {
	_, c := served(t)
	for name, ask := range map[string]func() error{
		"status":   func() error { _, err := c.Status(t.Context(), "eth9"); return err },
		"counters": func() error { _, err := c.Counters(t.Context(), "eth9"); return err },
		"rekey":    func() error { return c.Rekey(t.Context(), "eth9") },
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, ask(), control.Error{Status: http.StatusNotFound, Text: `no port is called "eth9"`,
				Remedy: "name one of: eth1, eth2"})
		})
	}
}

func TestRefusalOfTheDaemonReachesTheClient(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want control.Error
	}{
		{"plain", errors.New("the peer is key server"),
			control.Error{Status: http.StatusConflict, Text: "the peer is key server"}},
		{"with remedy", &control.Error{Text: "mkad.toml:3: no such key", Remedy: "mkad --check"},
			control.Error{Status: http.StatusConflict, Text: "mkad.toml:3: no such key", Remedy: "mkad --check"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, c := served(t)
			d.ReloadErr = test.err
			_, err := c.Reload(t.Context(), false)
			wantError(t, err, test.want)
		})
	}
}

func wantError(t *testing.T, err error, want control.Error) {
	t.Helper()
	var got *control.Error
	if !errors.As(err, &got) {
		t.Fatalf("error is %v, want %+v", err, want)
	}
	if *got != want {
		t.Errorf("error is %+v, want %+v", *got, want)
	}
}

func TestRequestThatMakesNoSenseIsAnsweredInJSON(t *testing.T) {
	for _, test := range []struct {
		method, path string
		body         io.Reader
		status       int
		text, remedy string
	}{
		{"GET", "/", nil, 404, "there is no /", "/v1/status"},
		{"GET", "/v1/ports/eth1", nil, 404, "there is no /v1/ports/eth1", "/v1/status"},
		{"POST", "/v1/status", nil, 405, "/v1/status is not for POST", "use GET"},
		{"GET", "/v1/reload", nil, 405, "/v1/reload is not for GET", "use POST"},
		{"POST", "/v1/reload?force=yes", nil, 400, `force is \"yes\"`, "say force=true or force=false"},
		{"POST", "/v1/ports/eth1/backend?name=kernel&force=1", nil, 400, `force is \"1\"`, "say force=true or force=false"},
		{"POST", "/v1/reload", bytes.NewReader(make([]byte, control.MaxBody+1)), 413,
			"longer than 4096 octets", "send no body"},
	} {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			d := &controltest.Daemon{}
			answer := request(control.HandlerFor(d, 0), test.method, test.path, test.body)
			if answer.Code != test.status {
				t.Errorf("status is %d, want %d", answer.Code, test.status)
			}
			if body := answer.Body.String(); !strings.Contains(body, test.text) || !strings.Contains(body, test.remedy) {
				t.Errorf("answer is %s, want %q and %q", body, test.text, test.remedy)
			}
			if d.Reloads() != 0 {
				t.Error("the daemon was reloaded")
			}
		})
	}
}

func request(h http.Handler, method, path string, body io.Reader) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, httptest.NewRequest(method, path, body))
	return answer
}

func TestOversizedBodyOverTheSocketIsRefused(t *testing.T) {
	d := &controltest.Daemon{}
	socket, _ := controltest.Serve(t, d)
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const body = 1000000
	header := fmt.Sprintf("POST /v1/reload HTTP/1.1\r\nHost: mkad\r\nContent-Length: %d\r\n\r\n", body)
	go io.WriteString(c, header+strings.Repeat("x", body))
	answer := make([]byte, len("HTTP/1.1 413"))
	if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "HTTP/1.1 413" {
		t.Errorf("answer is %q (%v), want 413", answer, err)
	}
	if d.Reloads() != 0 {
		t.Error("the daemon was reloaded")
	}
}

func TestOnlyThoseWithTheRightChangeSomething(t *testing.T) {
	for _, test := range []struct {
		name   string
		uid    uint32
		groups []uint32
		want   int
	}{
		{"root", 0, nil, 200},
		{"the daemon's user", 100, []uint32{1}, 200},
		{"group", 1000, []uint32{1, 200}, 200},
		{"anybody else", 1000, []uint32{1, 2}, 403},
		{"group with the number of the user", 1000, []uint32{100}, 403},
		{"user with the number of the group", 200, []uint32{1}, 403},
	} {
		for _, path := range []string{"/v1/reload", "/v1/ports/eth1/rekey", "/v1/ports/eth1/backend?name=kernel"} {
			t.Run(test.name+" "+path, func(t *testing.T) {
				d := &controltest.Daemon{}
				d.SetPorts(port("eth1", control.Secured))
				answer := request(control.HandlerFor(d, test.uid, test.groups...), "POST", path, nil)
				if answer.Code != test.want {
					t.Errorf("status is %d, want %d: %s", answer.Code, test.want, answer.Body)
				}
				if done := d.Reloads()+len(d.Rekeyed())+len(d.Backends()) > 0; done != (test.want == 200) {
					t.Errorf("done is %t", done)
				}
			})
		}
	}
}

func TestAnybodyWhoGotInMayLook(t *testing.T) {
	answer := request(control.HandlerFor(&controltest.Daemon{}, 1000), "GET", "/v1/status", nil)
	if answer.Code != http.StatusOK {
		t.Errorf("status is %d, want 200", answer.Code)
	}
}

func TestWithoutGroupNoGroupNumberHelps(t *testing.T) {
	if control.PermitsWithoutGroup(100, 1000, 0) {
		t.Error("a member of group 0 may change something")
	}
}

func TestEventsComeAsTheyHappen(t *testing.T) {
	d, c := served(t)
	events, err := c.Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	want := control.Event{Time: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), Port: "eth1", Event: "peer-live",
		CKN: "0001", Peer: "525400ddeeff0001", KI: "0a", Reason: "r", Detail: "d"}
	d.Publish(want)
	if got, err := events.Next(); err != nil || got != want {
		t.Errorf("event is %+v (%v), want %+v", got, err, want)
	}
}

// stall begins to watch, and publishes more than queue and socket hold before the watcher reads the first.
func stall(t *testing.T, d *controltest.Daemon, c *control.Client, events int) *control.EventStream {
	t.Helper()
	stream, err := c.Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stream.Close)
	bulk := strings.Repeat("x", 32<<10)
	for i := range events {
		d.Publish(control.Event{Event: strconv.Itoa(i), Detail: bulk})
	}
	return stream
}

func TestSlowWatcherIsToldHowManyItMissedAndGoesOn(t *testing.T) {
	const events = 4 * control.QueueLen
	d, c := served(t)
	stream := stall(t, d, c, events)
	seen, missed := 0, 0
	for last := ""; last != strconv.Itoa(events-1); {
		e, err := stream.Next()
		if err != nil {
			t.Fatal(err)
		}
		if e.Event == control.EventMissed {
			missed += int(e.Missed)
			continue
		}
		seen++
		last = e.Event
	}
	if missed == 0 || seen+missed != events {
		t.Errorf("%d events seen and %d missed of %d", seen, missed, events)
	}
}

func TestStuckWatcherDoesNotHoldUpShutdown(t *testing.T) {
	d := &controltest.Daemon{}
	socket, stop := controltest.Serve(t, d)
	c := control.NewClient(socket)
	defer c.Close()
	stall(t, d, c, control.QueueLen)
	stop() // hangs, or fails the test, when the watcher holds it up
}

func TestWatcherIsToldWhenTheDaemonStops(t *testing.T) {
	socket, stop := controltest.Serve(t, &controltest.Daemon{})
	c := control.NewClient(socket)
	defer c.Close()
	stream, err := c.Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	stop()
	var gone *control.UnreachableError
	if _, err := stream.Next(); !errors.As(err, &gone) {
		t.Errorf("Next gives %v, want UnreachableError", err)
	}
}

func TestTooManyWatchersLeaveRoomForRequests(t *testing.T) {
	_, c := served(t)
	for i := range control.MaxWatchers {
		stream, err := c.Events(t.Context())
		if err != nil {
			t.Fatalf("watcher %d: %v", i, err)
		}
		defer stream.Close()
	}
	var refused *control.Error
	if _, err := c.Events(t.Context()); !errors.As(err, &refused) || refused.Status != http.StatusServiceUnavailable {
		t.Errorf("one watcher more gives %v, want 503", err)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("status beside the watchers: %v", err)
	}
}

// reloadLog is what a server logs of a reload.
func reloadLog(t *testing.T, d *controltest.Daemon) string {
	t.Helper()
	var log bytes.Buffer
	socket := filepath.Join(t.TempDir(), "control.sock")
	listener := mustListen(t, socket)
	server := control.NewServer(d, slog.New(slog.NewTextHandler(&log, nil)))
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	c := control.NewClient(socket)
	defer c.Close()
	if _, err := c.Reload(t.Context(), false); (err != nil) != (d.ReloadErr != nil) {
		t.Fatal(err)
	}
	if err := errors.Join(server.Shutdown(context.Background()), <-ended); err != nil {
		t.Fatal(err)
	}
	return log.String()
}

func TestServerLogsWhoChangedWhat(t *testing.T) {
	if log := reloadLog(t, &controltest.Daemon{}); !strings.Contains(log, "request=reload uid=") || strings.Contains(log, "failed") {
		t.Errorf("log is %q, without request and user", log)
	}
}

func TestServerLogsWhyNothingWasChanged(t *testing.T) {
	log := reloadLog(t, &controltest.Daemon{ReloadErr: &control.Error{Text: "line 3 is bad", Remedy: "mend it"}})
	if !strings.Contains(log, "msg=\"control request failed\" request=reload uid=") || !strings.Contains(log, "error=\"line 3 is bad\"") {
		t.Errorf("log is %q, without the refusal", log)
	}
}

// Clause: none; design: whatever is asked on the socket, the answer is a document.
func TestOddRequestsAreAnsweredWithADocument(t *testing.T) {
	socket, _ := controltest.Serve(t, &controltest.Daemon{})
	for _, request := range []string{"OPTIONS *", "CONNECT v1:80", "GET //v1/status", "GET /v1/../v1/status", "BREW /v1/x"} {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: mkad\r\nConnection: close\r\n\r\n", request)
		answer, err := io.ReadAll(conn)
		if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 404 ")) || !bytes.Contains(answer, []byte(`{"error":"there is no `)) {
			t.Errorf("%s: %v\n%s", request, err, answer)
		}
	}
}

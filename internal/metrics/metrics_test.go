package metrics

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mkad/internal/control"
)

type source struct{}

func (source) Status() control.Document {
	return control.Document{Ports: []control.Port{{
		Interface: "eth1", State: control.Secured, Since: time.UnixMilli(1_500_000_250_000), Rekeys: 3,
		Tx: control.Tx{NextPN: 77},
		Participants: []control.Participant{{CKN: "0001", Peers: []control.Peer{{State: control.PeerLive}, {State: "potential"},
			{State: control.PeerLive}}}},
	}}}
}

func (source) Counters() control.CountersDocument {
	return control.CountersDocument{Ports: []control.PortCounters{{Interface: "eth1",
		SecY: map[string]uint64{"InPktsOK": 12}, MKA: map[string]uint64{control.MKInvalid: 4}}}}
}

func TestScrapeTellsStatesPeersAndCounters(t *testing.T) {
	answer := httptest.NewRecorder()
	Handler(source{}).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK {
		t.Fatalf("status %d: %s", answer.Code, answer.Body)
	}
	for _, want := range []string{
		`mkad_port_state{port="eth1",state="secured"} 1`,
		`mkad_port_state{port="eth1",state="down"} 0`,
		`mkad_port_state_since_seconds{port="eth1"} 1.50000025e+09`,
		`mkad_peers{ckn="0001",port="eth1",state="live"} 2`,
		`mkad_peers{ckn="0001",port="eth1",state="potential"} 1`,
		`mkad_rekeys_total{port="eth1"} 3`,
		`mkad_transmit_next_pn{port="eth1"} 77`,
		`mkad_secy_counter_total{counter="InPktsOK",port="eth1"} 12`,
		`mkad_mka_counter_total{counter="eapol-mk-invalid",port="eth1"} 4`,
	} {
		if !strings.Contains(answer.Body.String(), want+"\n") {
			t.Errorf("no line %q in\n%s", want, answer.Body)
		}
	}
}

func TestServeAnswersAndEndsWithItsContext(t *testing.T) {
	address := freeAddress(t)
	if err := Serve(t.Context(), address, source{}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	answer, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || !strings.Contains(string(body), "mkad_port_state") {
		t.Errorf("%v: %s", err, body)
	}
}

func TestServeRefusesAnAddressThatIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	err = Serve(t.Context(), taken.Addr().String(), source{}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "choose another address") {
		t.Errorf("error %v", err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Clause: none; who only connects holds no more than a bounded number of connections.
func TestConnectionsAreBounded(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	if err := Serve(t.Context(), address, source{}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	for range maxConnections {
		idle, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer idle.Close()
	}
	client := http.Client{Timeout: headerTimeout / 4}
	if answer, err := client.Get("http://" + address + "/metrics"); err == nil {
		t.Errorf("one more was answered: %s", answer.Status)
	}
	client.Timeout = 4 * headerTimeout
	if _, err := client.Get("http://" + address + "/metrics"); err != nil {
		t.Errorf("when the idle ones were hung up on: %v", err)
	}
}

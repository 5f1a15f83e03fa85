// Package metrics serves the state and the counters of every port to Prometheus.
package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"

	"mkad/internal/control"
)

// A Source knows how the ports stand; a control.Daemon is one.
type Source interface {
	Status() control.Document
	Counters() control.CountersDocument
}

// The limits of the listener, whose address may be reachable by others.
const (
	maxScrapes     = 4 // at once; later ones are refused
	requestTimeout = 10 * time.Second
	// maxConnections, headerTimeout and idleTimeout keep those who only connect from holding memory and descriptors.
	maxConnections = 16
	headerTimeout  = 2 * time.Second
	idleTimeout    = 30 * time.Second
	maxHeader      = 8 << 10
)

// Names of what is served. Tests and dashboards rely on them.
const (
	NameState      = "mkad_port_state"               // 1 for the state that the port is in, 0 for the others
	NamePeers      = "mkad_peers"                    // by participant and state (live, potential)
	NameRekeys     = "mkad_rekeys_total"             // SAKs put to use after the first
	NameNextPN     = "mkad_transmit_next_pn"         // packet number of the next frame; 0: no SA
	NameSecY       = "mkad_secy_counter_total"       // by the names of 802.1AE-2018 10.7
	NameMKA        = "mkad_mka_counter_total"        // by the names of 802.1X-2020 12.8
	NameStateSince = "mkad_port_state_since_seconds" // Unix time
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, append([]string{"port"}, labels...), nil)
}

var (
	stateDesc  = describe(NameState, "Whether the port is in the state.", "state")
	sinceDesc  = describe(NameStateSince, "Unix time at which the port entered its state.")
	peersDesc  = describe(NamePeers, "Peers of a participant.", "ckn", "state")
	rekeysDesc = describe(NameRekeys, "SAKs put to use after the first.")
	nextPNDesc = describe(NameNextPN, "Packet number of the next frame.")
	secyDesc   = describe(NameSecY, "Counters of the SecY by the names of IEEE 802.1AE.", "counter")
	mkaDesc    = describe(NameMKA, "Counters of MKA by the names of IEEE 802.1X.", "counter")
)

// A collector asks the source at each scrape, so there is nothing to keep up to date between them.
type collector struct{ source Source }

// Describe names every metric.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{stateDesc, sinceDesc, peersDesc, rekeysDesc, nextPNDesc, secyDesc, mkaDesc} {
		out <- d
	}
}

// Collect reads every metric.
func (c collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	for _, p := range c.source.Status().Ports {
		for _, s := range control.States {
			gauge(stateDesc, truth(p.State == s), p.Interface, string(s))
		}
		gauge(sinceDesc, float64(p.Since.UnixMilli())/1000, p.Interface)
		gauge(nextPNDesc, float64(p.Tx.NextPN), p.Interface)
		count(rekeysDesc, p.Rekeys, p.Interface)
		for _, part := range p.Participants {
			live, potential := peers(part)
			gauge(peersDesc, live, p.Interface, part.CKN, "live")
			gauge(peersDesc, potential, p.Interface, part.CKN, "potential")
		}
	}
	for _, p := range c.source.Counters().Ports {
		for name, n := range p.SecY {
			count(secyDesc, n, p.Interface, name)
		}
		for name, n := range p.MKA {
			count(mkaDesc, n, p.Interface, name)
		}
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func peers(p control.Participant) (live, potential float64) {
	for _, q := range p.Peers {
		if q.State == control.PeerLive {
			live++
		} else {
			potential++
		}
	}
	return live, potential
}

// Handler answers scrapes.
func Handler(s Source) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{s})
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes, Timeout: requestTimeout})
}

// Serve listens at address (host:port) and answers GET /metrics until ctx ends. An address that cannot be had is an
// error at once.
func Serve(ctx context.Context, address string, s Source, log *slog.Logger) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("serve metrics: %w; choose another address for metrics, or leave it out", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", Handler(s))
	listener = netutil.LimitListener(listener, maxConnections)
	server := &http.Server{Handler: mux, ReadTimeout: requestTimeout, WriteTimeout: 2 * requestTimeout,
		ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics are no longer served", "error", err)
		}
	}()
	return nil
}

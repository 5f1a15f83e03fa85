// Package controltest has a daemon for tests of what talks to one.
package controltest

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"mkad/internal/control"
)

// A Daemon answers from what it was given. The zero value has no ports. Set the fields before it is served, and use
// its methods afterwards.
type Daemon struct {
	control.Feed
	RekeyErr  error                // of Rekey for a port that there is
	ReloadErr error                // of Plan and ChangeBackend, too
	Reloaded  control.PlanDocument // what Reload says that it has done

	mu       sync.Mutex
	status   control.Document
	counters control.CountersDocument
	explain  control.ExplainDocument
	rekeyed  []string
	reloads  int
	forced   bool // the last order that can be forced
	backends []string
}

// SetPorts replaces the ports of the status document.
func (d *Daemon) SetPorts(ports ...control.Port) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status = control.Document{Version: control.Version, Ports: ports}
}

// SetCounters replaces the ports of the counters document.
func (d *Daemon) SetCounters(ports ...control.PortCounters) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counters = control.CountersDocument{Version: control.Version, Ports: ports}
}

// SetExplanations replaces the ports of the explain document.
func (d *Daemon) SetExplanations(ports ...control.Explanation) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.explain = control.ExplainDocument{Version: control.Version, Ports: ports}
}

// Explain gives what SetExplanations was given.
func (d *Daemon) Explain() control.ExplainDocument {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.explain
}

// Status gives what SetPorts was given.
func (d *Daemon) Status() control.Document {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.status
}

// Counters gives what SetCounters was given.
func (d *Daemon) Counters() control.CountersDocument {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.counters
}

// Rekey notes the name under which it was asked for a port that there is.
func (d *Daemon) Rekey(port string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var known []string
	for _, p := range d.status.Ports {
		known = append(known, p.Interface)
	}
	if !slices.ContainsFunc(d.status.Ports, func(p control.Port) bool { return p.Named(port) }) {
		return &control.UnknownPortError{Port: port, Known: known}
	}
	d.rekeyed = append(d.rekeyed, port)
	return d.RekeyErr
}

// Plan is an empty one, or fails as Reload does.
func (d *Daemon) Plan() (control.PlanDocument, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return control.PlanDocument{Version: control.Version}, d.ReloadErr
}

// ChangeBackend notes the port and the backend.
func (d *Daemon) ChangeBackend(port, backend string, force bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.backends, d.forced = append(d.backends, port+" "+backend), force
	return d.ReloadErr
}

// Backends lists the ports and backends that ChangeBackend was called with.
func (d *Daemon) Backends() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.backends)
}

// Forced tells whether the last Reload or ChangeBackend was forced.
func (d *Daemon) Forced() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.forced
}

// Reload counts.
func (d *Daemon) Reload(force bool) (control.PlanDocument, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forced = force
	d.reloads++
	return d.Reloaded, d.ReloadErr
}

// Rekeyed lists the ports that Rekey was called for.
func (d *Daemon) Rekeyed() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.rekeyed)
}

// Reloads tells how often Reload was called.
func (d *Daemon) Reloads() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.reloads
}

// Serve serves d on a socket of its own until the test ends, or until stop is called, and gives the socket's path.
func Serve(t testing.TB, d control.Daemon) (socket string, stop func()) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "control.sock")
	l, err := control.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	server := control.NewServer(d, slog.New(slog.DiscardHandler))
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	stop = sync.OnceFunc(func() {
		if err := server.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(stop)
	return socket, stop
}

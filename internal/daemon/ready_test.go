package daemon

import (
	"context"
	"strings"
	"testing"
	"time"

	"mkad/internal/config"
)

// goroutine is a port of which nothing but the goroutine is there, which answers as long as it is not stuck.
func goroutine(t *testing.T, name string) (p *port, stuck chan struct{}) {
	t.Helper()
	p = &port{cfg: config.Port{Interface: name}, asked: make(chan func()), done: make(chan struct{})}
	stuck = make(chan struct{})
	go func() {
		for {
			select {
			case f := <-p.asked:
				f()
			case <-stuck:
				<-t.Context().Done()
				close(p.done)
				return
			}
		}
	}()
	return p, stuck
}

// Clause: none; design: the watchdog is fed while every port's goroutine is alive.
func TestAliveNamesThePortThatIsStuck(t *testing.T) {
	good, _ := goroutine(t, "eth1")
	bad, stick := goroutine(t, "eth2")
	d := &Daemon{}
	d.setPorts([]*port{good, bad})
	if err := d.Alive(t.Context()); err != nil {
		t.Fatalf("both answer: %v", err)
	}
	stick <- struct{}{} // it is, once that is taken
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if err := d.Alive(ctx); err == nil || !strings.Contains(err.Error(), "eth2") || strings.Contains(err.Error(), "eth1") {
		t.Errorf("eth2 is stuck: %v", err)
	}
}

// Clause: none; design: the watchdog ends nobody who is busy with a reload.
func TestAliveDoesNotWaitForAReload(t *testing.T) {
	good, _ := goroutine(t, "eth1")
	d := &Daemon{}
	d.setPorts([]*port{good})
	d.mu.Lock()
	defer d.mu.Unlock()
	alive := make(chan error, 1)
	go func() { alive <- d.Alive(t.Context()) }()
	select {
	case err := <-alive:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits")
	}
}

package daemon

import (
	"context"
	"errors"
	"fmt"

	"mkad/internal/config"
	"mkad/internal/control"
)

// ready calls Ready when the configuration says that mkad is: never before each port has closed its lower device, so that
// what a service manager starts next finds it closed.
func (d *Daemon) ready(ctx context.Context) {
	for _, p := range d.all() {
		p.do(func() {}) // it answers from then on
	}
	if d.opts.Config.Daemon.Ready == config.ReadySecured {
		d.awaitSecured(ctx)
	}
	if ctx.Err() == nil {
		d.opts.Ready()
	}
}

// awaitSecured returns when all ports are secured at one time.
func (d *Daemon) awaitSecured(ctx context.Context) {
	events := d.Subscribe()
	defer events.Close()
	for !d.allSecured() {
		if _, err := events.Next(ctx); err != nil {
			return
		}
	}
}

func (d *Daemon) allSecured() bool {
	for _, p := range d.all() {
		secured := false
		p.do(func() { secured = p.state == control.Secured })
		if !secured {
			return false
		}
	}
	return true
}

// Alive reports whether every port's goroutine answers before ctx ends; the error names those that do not. While a reload is
// under way these are the ports from before it, of which those that have ended count as alive.
func (d *Daemon) Alive(ctx context.Context) error {
	ports := d.watched.Load()
	if ports == nil {
		return nil // none has been started
	}
	var stuck []error
	answers := map[*port]chan struct{}{}
	for _, p := range *ports {
		answered := make(chan struct{})
		answers[p] = answered
		go func() { p.do(func() {}); close(answered) }()
	}
	for p, answered := range answers {
		select {
		case <-answered:
		case <-ctx.Done():
			select {
			case <-answered: // in time, while another was waited for
			default:
				stuck = append(stuck, fmt.Errorf("port %s does not answer", p.cfg.Interface))
			}
		}
	}
	return errors.Join(stuck...)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mkad/internal/control"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// secureLimit is how long both ports may take to be secured once both daemons are up.
const secureLimit = time.Second

// A demo is one run of the demonstration.
type demo struct {
	options
	out   io.Writer
	began time.Time
	link  *mkadlab.Link
	wire  []*netlab.Wire // the captures at both ends, west first
	up    time.Time      // when both daemons were up
}

// say prints a line with the time since the beginning.
func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.out, "%8.3f s  %s\n", time.Since(d.began).Seconds(), fmt.Sprintf(format, args...))
}

// show prints what a program has said, set in.
func (d *demo) show(text string) {
	for line := range strings.Lines(strings.TrimRight(text, "\n")) {
		fmt.Fprintf(d.out, "            %s\n", strings.TrimRight(line, "\n"))
	}
}

// steps is the story. Nobody but mkad brings the wire up, as on a host whose mkad starts before its network: until mkad
// has closed a device, the host itself would use it in clear.
func (d *demo) steps(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		d.build, d.capture, d.start, d.secure, d.ping, d.lease, d.rotate, d.status, d.stop, d.verdict,
	} {
		if err := step(ctx); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted: %w", context.Cause(ctx))
		}
	}
	return nil
}

func (d *demo) build(ctx context.Context) (err error) {
	d.link, err = mkadlab.New(ctx, mkadlab.Options{Programs: d.programs})
	if err != nil {
		return err
	}
	d.say("two hosts, west and east, one wire between them (down), a fresh CAK file")
	return d.keepKey()
}

func (d *demo) keepKey() error {
	if d.keys == "" {
		return nil
	}
	text, err := os.ReadFile(d.link.KeyFile)
	if err != nil {
		return fmt.Errorf("keep CAK file: %w", err)
	}
	defer clear(text)
	if err := os.MkdirAll(d.keys, 0o700); err != nil {
		return fmt.Errorf("keep CAK file: %w", err)
	}
	if err := os.WriteFile(filepath.Join(d.keys, "key.toml"), text, 0o600); err != nil {
		return fmt.Errorf("keep CAK file: %w", err)
	}
	return nil
}

func (d *demo) capture(context.Context) error {
	for _, h := range d.link.Hosts() {
		w, err := netlab.StartCapture(h.Namespace, mkadlab.Lower)
		if err != nil {
			return err
		}
		d.wire = append(d.wire, w)
	}
	d.say("capturing at both ends of the wire")
	return nil
}

func (d *demo) start(ctx context.Context) error {
	if err := d.link.StartDaemons(ctx); err != nil {
		return err
	}
	d.up = time.Now()
	d.say("both mkads are up")
	return nil
}

func (d *demo) secure(ctx context.Context) error {
	err := d.link.Both(func(h *mkadlab.Host) error {
		_, err := h.Mkactl(ctx, "status", mkadlab.Lower, "--wait", "secured", "--timeout", "10s")
		return err
	})
	took := time.Since(d.up)
	if err != nil {
		return err
	}
	if took > secureLimit {
		return fmt.Errorf("secure the link: took %s from both daemons up to both secured, limit %s",
			took.Round(time.Millisecond), secureLimit)
	}
	d.say("both ports secured, %d ms after both daemons were up (limit %s)", took.Milliseconds(), secureLimit)
	return d.link.Address()
}

func (d *demo) ping(ctx context.Context) error {
	for _, address := range []string{mkadlab.EastAddress, mkadlab.EastAddress6} {
		const count = 5
		out, err := d.link.West.Run(ctx, "ping", "-n", "-q", "-c", fmt.Sprint(count), "-i", "0.05", "-w", "5", address)
		if err != nil {
			return err
		}
		if err := allAnswered(out, count); err != nil {
			return err
		}
		d.say("west pings %s across the link: %d of %d answered", address, count, count)
	}
	return nil
}

// status shows both sides as a user sees them.
func (d *demo) status(ctx context.Context) error {
	for _, h := range d.link.Hosts() {
		out, err := h.Mkactl(ctx, "status")
		if err != nil {
			return err
		}
		d.say("%s: mkactl status", h.Name)
		d.show(out)
	}
	return nil
}

// stop ends the daemons while the capture still runs: the end of mkad opens nothing.
func (d *demo) stop(context.Context) error {
	err := d.link.Both(func(h *mkadlab.Host) error {
		h.Daemon().Stop()
		return h.Daemon().Err()
	})
	if err != nil {
		return fmt.Errorf("end mkad: %w", err)
	}
	d.say("both mkads have ended")
	return nil
}

func (d *demo) showLogs() {
	if d.link == nil {
		return
	}
	for _, h := range d.link.Hosts() {
		d.say("%s: log of mkad", h.Name)
		d.show(h.Log())
	}
}

func (d *demo) close() error {
	if d.link == nil {
		return nil
	}
	return d.link.Close()
}

// keyServer finds the host that makes the SAKs.
func (d *demo) keyServer(ctx context.Context) (*mkadlab.Host, control.Port, error) {
	for _, h := range d.link.Hosts() {
		p, err := h.Port(ctx)
		if err != nil {
			return nil, control.Port{}, err
		}
		if p.KeyServer {
			return h, p, nil
		}
	}
	return nil, control.Port{}, errors.New("find key server: neither side says that it is")
}

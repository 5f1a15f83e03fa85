package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// The ping under which a SAK is rotated: 2 seconds of traffic, the new SAK asked for after a quarter of it.
const (
	fastPings    = 1000
	fastInterval = 2 * time.Millisecond
	rotateAfter  = 500 * time.Millisecond
)

// rotationLimit bounds one rotation with its ping.
const rotationLimit = 15 * time.Second

// lookInterval is how often the daemons are asked whether the new SAK is in use.
const lookInterval = 20 * time.Millisecond

var summary = regexp.MustCompile(`(\d+) packets transmitted, (\d+) received`)

// allAnswered reads the summary of ping(8).
func allAnswered(output string, count int) error {
	found := summary.FindStringSubmatch(output)
	if found == nil {
		return fmt.Errorf("ping printed no summary: %q", output)
	}
	if want := fmt.Sprint(count); found[1] != want || found[2] != want {
		return fmt.Errorf("ping lost frames: %s, want %d of %d", found[0], count, count)
	}
	return nil
}

func (d *demo) rotate(ctx context.Context) error {
	for range d.rotations {
		if err := d.rotateOnce(ctx); err != nil {
			return fmt.Errorf("rotate the SAK: %w", err)
		}
	}
	return nil
}

// rotateOnce is a rotation under a fast ping. It counts only if the new SAK is in use on both sides while the ping still
// runs, for else there was no traffic to lose.
func (d *demo) rotateOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, rotationLimit, fmt.Errorf("not done within %s", rotationLimit))
	defer cancel()
	server, before, err := d.keyServer(ctx)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	ping, err := d.startFastPing(&out)
	if err != nil {
		return err
	}
	defer ping.Stop()
	if err := pause(ctx, rotateAfter); err != nil {
		return err
	}
	asked := time.Now()
	if _, err := server.Mkactl(ctx, "rekey", mkadlab.Lower); err != nil {
		return err
	}
	ki, err := d.newKey(ctx, before.Tx.KI)
	if err != nil {
		return err
	}
	took := time.Since(asked)
	if err := stillRuns(ping); err != nil {
		return err
	}
	if err := answersOf(ctx, ping, &out); err != nil {
		return err
	}
	d.say("SAK rotated by mkactl rekey in %d ms, now %s; %d of %d fast pings meanwhile answered, none lost", took.Milliseconds(), ki,
		fastPings, fastPings)
	return nil
}

func (d *demo) startFastPing(out *bytes.Buffer) (*netlab.Process, error) {
	return d.link.West.Start(out, "ping", "-n", "-q", "-c", fmt.Sprint(fastPings), "-i",
		fmt.Sprint(fastInterval.Seconds()), "-W", "1", mkadlab.EastAddress)
}

// newKey waits until both sides transmit with one SAK, another than before, and returns its Key Identifier.
func (d *demo) newKey(ctx context.Context, before string) (string, error) {
	for {
		west, err := d.link.West.Port(ctx)
		if err != nil {
			return "", err
		}
		east, err := d.link.East.Port(ctx)
		if err != nil {
			return "", err
		}
		if west.Tx.KI == east.Tx.KI && west.Tx.KI != before && west.Tx.KI != "" {
			return west.Tx.KI, nil
		}
		if err := pause(ctx, lookInterval); err != nil {
			return "", fmt.Errorf("%w: west transmits with %s, east with %s, both with %s before", err, west.Tx.KI,
				east.Tx.KI, before)
		}
	}
}

func stillRuns(ping *netlab.Process) error {
	select {
	case <-ping.Ended():
		return errors.New("the ping was over before both sides used the new SAK")
	default:
		return nil
	}
}

func answersOf(ctx context.Context, ping *netlab.Process, out *bytes.Buffer) error {
	select {
	case <-ping.Ended():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := allAnswered(out.String(), fastPings); err != nil {
		return err
	}
	return ping.Err()
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

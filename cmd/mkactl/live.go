package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"mkad/internal/control"
)

const (
	// drawTime is the least distance of two pictures: many events make one.
	drawTime = 250 * time.Millisecond
	// refreshTime is the greatest: packet numbers and ages move without events.
	refreshTime = time.Second
	// viewTime is how long mkad may take to answer while somebody looks on, who may press q.
	viewTime = 2 * time.Second
	// keptEvents bounds the events that are remembered: more than a terminal has rows.
	keptEvents = 200
)

// A view is what the live watch shows.
type view struct {
	status  control.Document
	trouble error // why the status is not the present one; nil: it is
	events  []control.Event
}

// happened takes an event.
func (v *view) happened(e control.Event) {
	if len(v.events) == keptEvents {
		v.events = slices.Delete(v.events, 0, 1)
	}
	v.events = append(v.events, e)
}

// lines are the picture for so many columns and rows: the table of ports, why those are not secured that are not, and
// below as many of the last events as there is room for.
func (v *view) lines(now time.Time, columns, rows int, colour bool) []string {
	lines := v.above(now, columns, colour)
	room := max(rows-len(lines)-3, 0) // an empty line, a heading, and the last line
	lines = lines[:min(len(lines), max(rows-1, 0))]
	if room > 0 && len(v.events) > 0 {
		lines = append(lines, "", "EVENTS")
		for _, e := range v.events[max(0, len(v.events)-room):] {
			lines = append(lines, cut(printable(shortEvent(e)), columns))
		}
	}
	for len(lines) < rows-1 {
		lines = append(lines, "")
	}
	return append(lines, cut(now.UTC().Format("15:04:05 UTC")+"  q ends", columns))
}

func (v *view) above(now time.Time, columns int, colour bool) []string {
	if len(v.status.Ports) == 0 && v.trouble == nil {
		return splitLines(noPort, columns)
	}
	lines := splitLines(portTable(v.status.Ports, now), columns)
	if colour {
		paintTable(lines, v.status.Ports)
	}
	var b strings.Builder
	for _, p := range v.status.Ports {
		if p.Reason != "" {
			writeField(&b, p.Interface, p.Reason)
		}
		for _, w := range p.Warnings {
			writeField(&b, p.Interface, w)
		}
	}
	if v.trouble != nil {
		writeField(&b, "mkad", v.trouble.Error()+"; this is the state before; trying again")
	}
	if b.Len() > 0 {
		lines = append(append(lines, ""), splitLines(b.String(), columns)...)
	}
	return lines
}

// splitLines cuts a text into lines that fit.
func splitLines(text string, columns int) (lines []string) {
	for line := range strings.SplitSeq(strings.TrimSuffix(printable(text), "\n"), "\n") {
		lines = append(lines, cut(line, columns))
	}
	return lines
}

// shortEvent is an event without its date.
func shortEvent(e control.Event) string {
	_, what, _ := strings.Cut(e.String(), " ")
	return e.Time.UTC().Format("15:04:05.000 ") + what
}

// watchLive draws the view until q is pressed or a signal comes. mkad has to be there at the beginning; while it starts
// again, the view stays.
func (t *tool) watchLive() (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	client := control.NewClient(t.socket)
	defer client.Close()
	var v view
	if v.status, err = status(ctx, client, answerTime); err != nil {
		return err
	}
	keys, leave, err := t.terminal.enter()
	if err != nil {
		return fmt.Errorf("take the terminal: %w", err)
	}
	defer leave()
	ctx, end := context.WithCancel(ctx)
	defer end()
	events := make(chan control.Event)
	go follow(ctx, client, events)
	tick := time.NewTicker(drawTime)
	defer tick.Stop()
	news, drawn := true, time.Time{}
	for {
		if now := t.now(); news || now.Sub(drawn) >= refreshTime {
			if d, err := status(ctx, client, viewTime); err != nil {
				v.trouble = err
			} else {
				v.status, v.trouble = d, nil
			}
			if err := t.terminal.draw(&v, now); err != nil {
				return err
			}
			news, drawn = false, now
		}
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return nil
			case key := <-keys:
				if key == 'q' || key == 'Q' {
					return nil
				}
			case e := <-events:
				v.happened(e)
				news = true
			case <-tick.C:
				waiting = false
			}
		}
	}
}

func status(ctx context.Context, c *control.Client, limit time.Duration) (control.Document, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return c.Status(ctx)
}

// follow passes events on, from whichever mkad is there.
func follow(ctx context.Context, c *control.Client, events chan<- control.Event) {
	for ctx.Err() == nil {
		stream, err := c.Events(ctx)
		for err == nil {
			var e control.Event
			if e, err = stream.Next(); err == nil {
				select {
				case events <- e:
				case <-ctx.Done():
				}
			}
		}
		if stream != nil {
			stream.Close()
		}
		select {
		case <-ctx.Done():
		case <-time.After(refreshTime):
		}
	}
}

// draw puts the view in the place of the one before.
func (t *terminal) draw(v *view, now time.Time) error {
	columns, rows := t.size()
	text := home + strings.Join(v.lines(now, columns, rows, t.colour), endOfLine) + endOfScreen
	if _, err := io.WriteString(t.out, text); err != nil && !errors.Is(err, syscall.EINTR) {
		return fmt.Errorf("draw: %w", err)
	}
	return nil
}

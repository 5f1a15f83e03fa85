package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"
)

// While waiting, Wait looks at each event, and without one every pollInterval: an event may have been missed, or the
// daemon may have begun anew. A daemon that is not there yet is tried again after retryInterval.
const (
	pollInterval  = time.Second
	retryInterval = 100 * time.Millisecond
)

// Wait blocks until every named port (without names: every port, and at least one) is in the state, and returns how they
// stand then. A daemon that is not there yet is waited for as well. When ctx ends first, the error says which port is
// not there and why, or is an *UnreachableError. A port that the daemon does not have is an error at once.
func (c *Client) Wait(ctx context.Context, want State, ports ...string) (Document, error) {
	changed, stop := c.changes(ctx)
	defer stop()
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	verdict := errors.New("wait for mkad: no answer")
	for {
		d, err := c.Status(ctx, ports...)
		if err == nil {
			err = d.missing(want)
		}
		switch {
		case err == nil:
			return d, nil
		case ctx.Err() == nil:
			verdict = err
		}
		if hopeless(err) {
			return Document{}, err
		}
		select {
		case <-changed:
		case <-poll.C:
		case <-ctx.Done():
			return Document{}, verdict
		}
	}
}

// missing says which ports are not in the state.
func (d Document) missing(want State) error {
	if len(d.Ports) == 0 {
		return errors.New("mkad has no port")
	}
	var missing []string
	for _, p := range d.Ports {
		if p.State != want {
			missing = append(missing, p.standing())
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("not %s: %s", want, strings.Join(missing, "; "))
}

func (p Port) standing() string {
	if p.Reason == "" {
		return fmt.Sprintf("%s is %s", p.Interface, p.State)
	}
	return fmt.Sprintf("%s is %s (%s)", p.Interface, p.State, p.Reason)
}

// hopeless reports whether waiting longer cannot help: the daemon refuses, or its socket is not for us.
func hopeless(err error) bool {
	var refused *Error
	return errors.As(err, &refused) || errors.Is(err, fs.ErrPermission)
}

// changes gives a token when something has happened since the last one was taken.
func (c *Client) changes(ctx context.Context) (changed <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	tokens := make(chan struct{}, 1)
	var following sync.WaitGroup
	following.Go(func() {
		for ctx.Err() == nil {
			c.follow(ctx, tokens)
			pause(ctx, retryInterval)
		}
	})
	return tokens, func() { cancel(); following.Wait() }
}

// follow gives a token for the beginning of a stream of events and for each event in it.
func (c *Client) follow(ctx context.Context, tokens chan<- struct{}) {
	events, err := c.Events(ctx)
	if err != nil {
		return
	}
	defer events.Close()
	for err == nil {
		select {
		case tokens <- struct{}{}:
		default:
		}
		_, err = events.Next()
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

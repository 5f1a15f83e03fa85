package control_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mkad/internal/control"
)

func publish(f *control.Feed, n int) {
	for i := range n {
		f.Publish(control.Event{Event: strconv.Itoa(i)})
	}
}

func next(t *testing.T, s *control.Subscription) control.Event {
	t.Helper()
	e, err := s.Next(t.Context())
	if err != nil {
		t.Fatalf("Next: %v", err)
	}
	return e
}

func TestSubscriptionsSeeEveryEventInOrder(t *testing.T) {
	var f control.Feed
	a, b := f.Subscribe(), f.Subscribe()
	publish(&f, control.QueueLen)
	for _, s := range []*control.Subscription{a, b} {
		for i := range control.QueueLen {
			if e := next(t, s); e.Event != strconv.Itoa(i) {
				t.Fatalf("event %d is %q", i, e.Event)
			}
		}
	}
}

func TestSlowSubscriptionIsToldHowManyItMissedAndGoesOn(t *testing.T) {
	const lost = 7
	var f control.Feed
	s := f.Subscribe()
	publish(&f, control.QueueLen+lost)
	if e := next(t, s); e.Event != control.EventMissed || e.Missed != lost {
		t.Errorf("first is %q with %d missed, want %q with %d", e.Event, e.Missed, control.EventMissed, lost)
	}
	for i := lost; i < control.QueueLen+lost; i++ {
		if e := next(t, s); e.Event != strconv.Itoa(i) {
			t.Fatalf("then event %q, want %d", e.Event, i)
		}
	}
}

func TestClosedSubscriptionHearsNoMore(t *testing.T) {
	var f control.Feed
	s := f.Subscribe()
	s.Close()
	publish(&f, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if e, err := s.Next(ctx); err == nil {
		t.Errorf("got %q after Close", e.Event)
	}
}

func TestNextEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := new(control.Feed).Subscribe().Next(ctx)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Next gives %v, want the context's end", err)
		}
	})
}

func TestFeedServesManyAtOnce(t *testing.T) {
	const events = 5 * control.QueueLen
	var f control.Feed
	var watchers sync.WaitGroup
	for range 8 {
		s := f.Subscribe()
		watchers.Go(func() {
			defer s.Close()
			if n := countUntilLast(t, s, events); n != events {
				t.Errorf("%d events seen or missed, want %d", n, events)
			}
		})
	}
	publish(&f, events)
	watchers.Wait()
}

// countUntilLast counts events, those missed included, until the last one has come.
func countUntilLast(t *testing.T, s *control.Subscription, events int) (n int) {
	for {
		e, err := s.Next(t.Context())
		switch {
		case err != nil:
			t.Errorf("Next: %v", err)
			return n
		case e.Event == control.EventMissed:
			n += int(e.Missed)
			continue
		}
		n++
		if e.Event == strconv.Itoa(events-1) {
			return n
		}
	}
}

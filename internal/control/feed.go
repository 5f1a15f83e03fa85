package control

import (
	"context"
	"sync"
	"time"
)

// queueLen is how many events wait for one watcher. It covers a burst of every port of a large switch at once; beyond
// it the oldest go, because whoever watches wants to know how things stand now.
const queueLen = 256

// A Feed hands events to all who watch. Publishing never waits for a watcher. The zero value is ready; all methods may
// be called from any goroutine.
type Feed struct {
	mu       sync.Mutex
	watchers map[*Subscription]struct{}
}

// Publish gives e to every subscription.
func (f *Feed) Publish(e Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.watchers {
		s.put(e)
	}
}

// Subscribe begins to collect events. The caller ends the subscription by Close.
func (f *Feed) Subscribe() *Subscription {
	s := &Subscription{feed: f, wake: make(chan struct{}, 1)}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watchers == nil {
		f.watchers = make(map[*Subscription]struct{})
	}
	f.watchers[s] = struct{}{}
	return s
}

// A Subscription is one watcher's queue of events. One goroutine at a time may call Next.
type Subscription struct {
	feed *Feed
	wake chan struct{} // holds a token when Next has something to look for

	mu     sync.Mutex // guards what follows
	queue  [queueLen]Event
	head   int // index of the oldest
	held   int
	missed uint64    // dropped before head, not yet told
	lost   time.Time // when the last of them was dropped
}

// Next waits for the oldest event. After a loss it first gives an EventMissed, then what is left. It fails only when
// ctx ends.
func (s *Subscription) Next(ctx context.Context) (Event, error) {
	for {
		if e, ok := s.take(); ok {
			return e, nil
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return Event{}, context.Cause(ctx)
		}
	}
}

// Close ends the subscription; the feed forgets it.
func (s *Subscription) Close() {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	delete(s.feed.watchers, s)
}

func (s *Subscription) put(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == queueLen {
		s.drop(e.Time)
	}
	s.queue[(s.head+s.held)%queueLen] = e
	s.held++
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Subscription) drop(now time.Time) {
	s.head = (s.head + 1) % queueLen
	s.held--
	s.missed++
	s.lost = now
}

func (s *Subscription) take() (Event, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.missed > 0 {
		e := Event{Time: s.lost, Event: EventMissed, Missed: s.missed}
		s.missed = 0
		return e, true
	}
	if s.held == 0 {
		return Event{}, false
	}
	e := s.queue[s.head]
	s.queue[s.head] = Event{} // let go of its strings
	s.head = (s.head + 1) % queueLen
	s.held--
	return e, true
}

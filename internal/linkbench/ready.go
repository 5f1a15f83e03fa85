package main

import (
	"bytes"
	"sync"
)

// A readiness is the output of a program that says when it is ready. It keeps no more than it needs to see that.
type readiness struct {
	mark  []byte
	ready chan struct{} // closed when the mark was written

	mu   sync.Mutex
	tail []byte
	seen bool
}

func newReady(mark string) *readiness {
	return &readiness{mark: []byte(mark), ready: make(chan struct{})}
}

// Write looks for the mark, also across the border of two writes; it never fails.
func (r *readiness) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen {
		return len(b), nil
	}
	r.tail = append(r.tail, b...)
	if r.seen = bytes.Contains(r.tail, r.mark); r.seen {
		close(r.ready)
		r.tail = nil
	}
	r.tail = r.tail[max(0, len(r.tail)-len(r.mark)):]
	return len(b), nil
}

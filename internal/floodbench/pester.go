package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"mkad/internal/control"
)

const (
	requestRate = 1000 // requests a second
	askers      = 4    // connections that they come by
	watchers    = 100  // connections that ask for events, and read none
)

// A pest is an attack by the control socket.
type pest struct {
	stop    context.CancelFunc
	done    atomic.Uint64 // requests that were answered
	asking  sync.WaitGroup
	mu      sync.Mutex
	failure error
	idle    []io.Closer
}

// pester begins to ask for the status, requestRate times a second, beside watchers that do not read.
func pester(socket string) (*pest, error) {
	ctx, stop := context.WithCancel(context.Background())
	p := &pest{stop: stop}
	for range watchers {
		c, err := net.Dial("unix", socket)
		if err == nil {
			p.idle = append(p.idle, c)
			_, err = io.WriteString(c, "GET /v1/events HTTP/1.1\r\nHost: mkad\r\n\r\n")
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("watch: %w", err), p.close())
		}
	}
	for range askers {
		p.asking.Go(func() {
			if err := p.ask(ctx, socket); err != nil {
				p.mu.Lock()
				p.failure = errors.Join(p.failure, err)
				p.mu.Unlock()
			}
		})
	}
	return p, nil
}

// ask is one connection's share of the requests. One that is late is made up for.
func (p *pest) ask(ctx context.Context, socket string) error {
	c := control.NewClient(socket)
	defer c.Close()
	begin := time.Now()
	for n := 0; ; n++ {
		due := time.NewTimer(time.Until(begin.Add(time.Duration(n) * askers * time.Second / requestRate)))
		select {
		case <-due.C:
		case <-ctx.Done():
			due.Stop()
			return nil
		}
		if _, err := c.Status(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("status: %w", err)
		}
		p.done.Add(1)
	}
}

func (p *pest) close() (err error) {
	for _, c := range p.idle {
		err = errors.Join(err, c.Close())
	}
	return err
}

// end ends the attack and tells how many requests were answered.
func (p *pest) end() (uint64, error) {
	p.stop()
	p.asking.Wait()
	return p.done.Load(), errors.Join(p.failure, p.close())
}

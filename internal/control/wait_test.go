package control_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"mkad/internal/control"
	"mkad/internal/control/controltest"
)

// A wire joins client and server by pipes, so that both live on the test's clock.
type wire struct {
	conns  chan net.Conn
	closed chan struct{}

	mu   sync.Mutex // guards what follows
	down bool       // nobody listens
	open []net.Conn // ends of the server
}

func (w *wire) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w *wire) Close() error   { close(w.closed); return nil }
func (w *wire) Addr() net.Addr { return &net.UnixAddr{} }

func (w *wire) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	if !w.keep(far) {
		return nil, syscall.ECONNREFUSED
	}
	select {
	case w.conns <- far:
		return near, nil
	case <-w.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// keep notes a connection, if somebody listens.
func (w *wire) keep(far net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open = append(w.open, far)
	return !w.down
}

// cut takes the daemon away, with every connection to it.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = true
	for _, c := range w.open {
		c.Close()
	}
}

// mend brings it back.
func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = false
}

// A world is a daemon and its client on the test's clock.
type world struct {
	*controltest.Daemon
	wire   *wire
	client *control.Client
}

func inWorld(t *testing.T, test func(t *testing.T, w world)) {
	synctest.Test(t, func(t *testing.T) {
		pipes := &wire{conns: make(chan net.Conn), closed: make(chan struct{})}
		w := world{&controltest.Daemon{}, pipes, control.NewClientDialing(pipes.dial)}
		w.SetPorts(port("eth1", control.Pending))
		server := http.Server{Handler: control.HandlerFor(w.Daemon, 0)}
		go server.Serve(pipes)
		defer server.Close()
		defer synctest.Wait() // for what is still being dialled
		defer w.client.Close()
		test(t, w)
	})
}

// wait waits for the ports to be secured, at most 10 s, and tells how long it took.
func (w world) wait(t *testing.T, ports ...string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	begin := time.Now()
	_, err := w.client.Wait(ctx, control.Secured, ports...)
	return time.Since(begin), err
}

func TestWaitEndsAtOnceWhenAllIsThere(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		w.SetPorts(port("eth1", control.Secured))
		if took, err := w.wait(t); err != nil || took != 0 {
			t.Errorf("waited %v (%v), want not at all", took, err)
		}
	})
}

func TestWaitEndsWithTheEvent(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		const later = 300 * time.Millisecond
		time.AfterFunc(later, func() {
			w.SetPorts(port("eth1", control.Secured))
			w.Publish(control.Event{Port: "eth1", Event: "secured"})
		})
		if took, err := w.wait(t); err != nil || took != later {
			t.Errorf("waited %v (%v), want %v", took, err, later)
		}
	})
}

func TestWaitFindsOutWithoutAnEvent(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		time.AfterFunc(300*time.Millisecond, func() { w.SetPorts(port("eth1", control.Secured)) })
		if took, err := w.wait(t); err != nil || took != control.PollInterval {
			t.Errorf("waited %v (%v), want %v", took, err, control.PollInterval)
		}
	})
}

func TestWaitIsForEveryNamedPort(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		w.SetPorts(port("eth1", control.Secured), port("eth2", control.Pending), port("eth3", control.Down))
		time.AfterFunc(2500*time.Millisecond, func() {
			w.SetPorts(port("eth1", control.Secured), port("eth2", control.Secured), port("eth3", control.Down))
			w.Publish(control.Event{Port: "eth2", Event: "secured"})
		})
		if took, err := w.wait(t, "eth1", "eth2"); err != nil || took != 2500*time.Millisecond {
			t.Errorf("waited %v (%v), want 2.5s", took, err)
		}
	})
}

func TestWaitTakesTheNameOfAControlledPort(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		w.SetPorts(port("eth1", control.Pending), port("eth2", control.Secured))
		if took, err := w.wait(t, "macsec-eth2"); err != nil || took != 0 {
			t.Errorf("waited %v (%v), want not at all", took, err)
		}
	})
}

func TestWaitSaysWhatIsMissingWhenTimeIsUp(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		silent := port("eth2", control.Blocked)
		silent.Reason = "nothing heard"
		w.SetPorts(port("eth1", control.Pending), silent, port("eth3", control.Secured))
		const want = "not secured: eth1 is pending; eth2 is blocked (nothing heard)"
		if took, err := w.wait(t); err == nil || err.Error() != want || took != 10*time.Second {
			t.Errorf("after %v: %v, want %s", took, err, want)
		}
	})
}

func TestWaitIsAlsoForTheDaemon(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		w.wire.cut()
		w.SetPorts(port("eth1", control.Secured))
		time.AfterFunc(3*time.Second, w.wire.mend)
		if took, err := w.wait(t); err != nil || took > 3100*time.Millisecond {
			t.Errorf("waited %v (%v), want at most 3.1s", took, err)
		}
	})
}

func TestWaitSurvivesARestartOfTheDaemon(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		time.AfterFunc(time.Second, w.wire.cut)
		time.AfterFunc(4*time.Second, func() { w.SetPorts(port("eth1", control.Secured)); w.wire.mend() })
		if took, err := w.wait(t); err != nil || took < 4*time.Second || took > 4100*time.Millisecond {
			t.Errorf("waited %v (%v), want 4s to 4.1s", took, err)
		}
	})
}

func TestWaitForADaemonThatNeverComesSaysSo(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		w.wire.cut()
		took, err := w.wait(t)
		var unreachable *control.UnreachableError
		if !errors.As(err, &unreachable) || took != 10*time.Second {
			t.Errorf("after %v: %v, want unreachable after 10s", took, err)
		}
	})
}

func TestWaitForAnUnknownPortEndsAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		took, err := w.wait(t, "eth9")
		wantError(t, err, control.Error{Status: http.StatusNotFound, Text: `no port is called "eth9"`,
			Remedy: "name one of: eth1"})
		if took != 0 {
			t.Errorf("waited %v, want not at all", took)
		}
	})
}

func TestNoPortIsNotSecured(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		w.SetPorts()
		if _, err := w.wait(t); err == nil || err.Error() != "mkad has no port" {
			t.Errorf("error is %v, want that there is no port", err)
		}
	})
}

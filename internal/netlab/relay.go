package netlab

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A Fate is what a Relay does with a frame.
type Fate struct {
	Copies int // 0: it is lost; 2: it comes twice
	Behind int // how many later frames overtake it; 0: none
	// Late is after how long it goes on, whatever overtakes it meanwhile; 0: at once. Behind has no meaning then.
	Late time.Duration
}

// holdTime is how long a frame waits for others to overtake it before it goes on all the same.
const holdTime = 20 * time.Millisecond

// A Relay is a wire that loses, repeats and reorders: it carries frames between two devices of a namespace, each the near end
// of a wire, in both directions.
type Relay struct {
	ways [2]*relayWay
	wait sync.WaitGroup
}

// A relayWay is one direction. Its goroutine owns what follows stopped.
type relayWay struct {
	receiver receiver
	out      *os.File
	fate     func([]byte) Fate
	stopped  atomic.Bool
	held     []heldFrame
	failed   error
}

type heldFrame struct {
	data   []byte
	copies int
	behind int
}

// StartRelay begins to carry. fate decides for each frame; it is called by one goroutine for each direction, back telling
// those that go from b to a, and must not keep the frame. The caller stops the Relay.
func StartRelay(n *Namespace, a, b string, fate func(frame []byte, back bool) Fate) (*Relay, error) {
	r := &Relay{}
	for i, way := range [2][2]string{{a, b}, {b, a}} {
		w := &relayWay{fate: func(frame []byte) Fate { return fate(frame, i == 1) }}
		var err error
		if w.receiver.file, err = n.openSocket(way[0], unix.ETH_P_ALL); err == nil {
			w.out, err = n.openSocket(way[1], 0)
		}
		if err != nil {
			return nil, fmt.Errorf("start relay: %w", err)
		}
		r.ways[i] = w
	}
	for _, w := range r.ways {
		r.wait.Go(w.run)
	}
	return r, nil
}

// Stop ends the Relay. An error says that it has not done all that it was to do.
func (r *Relay) Stop() error {
	var failed []error
	for _, w := range r.ways {
		w.stopped.Store(true)
		failed = append(failed, w.receiver.file.Close())
	}
	r.wait.Wait()
	for _, w := range r.ways {
		failed = append(failed, w.failed, w.out.Close())
	}
	return errors.Join(failed...)
}

func (w *relayWay) run() {
	for {
		deadline := time.Time{}
		if len(w.held) > 0 {
			deadline = time.Now().Add(holdTime)
		}
		if err := w.receiver.file.SetReadDeadline(deadline); err != nil {
			return // stopped
		}
		frame, _, err := w.receiver.read()
		switch {
		case w.stopped.Load():
			return
		case errors.Is(err, os.ErrDeadlineExceeded):
			w.release(maxBehind)
		case errors.Is(err, unix.ENETDOWN):
		case err != nil:
			w.failed = fmt.Errorf("relay: %w", err)
			return
		default:
			w.carry(frame)
		}
	}
}

// maxBehind lets every frame go that is held.
const maxBehind = 1 << 30

func (w *relayWay) carry(frame []byte) {
	fate := w.fate(frame)
	switch {
	case fate.Copies == 0:
		return // lost, and so overtakes none
	case fate.Late > 0:
		w.delay(append([]byte(nil), frame...), fate)
		return
	case fate.Behind > 0:
		w.held = append(w.held, heldFrame{append([]byte(nil), frame...), fate.Copies, fate.Behind})
		return
	}
	w.send(frame, fate.Copies)
	w.release(1)
}

// delay has a frame go on later; when the Relay has ended by then it is lost.
func (w *relayWay) delay(frame []byte, fate Fate) {
	time.AfterFunc(fate.Late, func() {
		for range fate.Copies {
			_, _ = w.out.Write(frame)
		}
	})
}

// release lets those go that so many frames have overtaken.
func (w *relayWay) release(passed int) {
	kept := w.held[:0]
	for _, h := range w.held {
		if h.behind -= passed; h.behind > 0 {
			kept = append(kept, h)
			continue
		}
		w.send(h.data, h.copies)
	}
	w.held = kept
}

// send sends copies of a frame. What a device that is down does not take is lost, as on any wire.
func (w *relayWay) send(frame []byte, copies int) {
	for range copies {
		_, err := w.out.Write(frame)
		if err != nil && !errors.Is(err, unix.ENETDOWN) && !errors.Is(err, unix.ENOBUFS) {
			w.failed = fmt.Errorf("relay: %w", err)
		}
	}
}

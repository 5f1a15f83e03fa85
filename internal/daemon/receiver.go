package daemon

import (
	"errors"
	"sync"
	"time"

	linkwatch "mkad/internal/port"
)

// maxFrame is the longest EAPOL frame that is received: a jumbo frame full of peers.
const maxFrame = 9216

// receiverBuffers is how many received frames may wait for the port's goroutine; more wait in the kernel, which drops
// what does not fit.
const receiverBuffers = 8

// Of frames that do not seem to come from live peers, othersBurst are read in othersTime; more wait in the kernel, which drops
// what does not fit. It is 5000 a second: little work, and a newcomer whose hello is one of ten times as many is heard after
// some hellos.
const (
	othersBurst = 500
	othersTime  = 100 * time.Millisecond
)

// A receiver reads EAPOL frames for a port's goroutine, by two sockets, so that a flood neither takes the room of the peers'
// hellos nor makes more work than is bearable. All methods but run belong to that goroutine; a nil receiver has no frames.
type receiver struct {
	peers  *linkwatch.Socket // what seems to come from live peers; also sends
	others *linkwatch.Socket
	sift   linkwatch.Sift // what divides them
	full   chan []byte
	free   chan []byte
	quit   chan struct{}
	ended  sync.WaitGroup
}

func receive(ifindex int, etherType uint16, groups [][6]byte) (*receiver, error) {
	peers, err := linkwatch.Open(ifindex, etherType, groups...)
	if err != nil {
		return nil, err
	}
	others, err := linkwatch.Open(ifindex, etherType, groups...)
	if err == nil {
		err = peers.Keep(linkwatch.Sift{}, false)
	}
	if err != nil {
		return nil, errors.Join(err, peers.Close())
	}
	r := &receiver{peers: peers, others: others, full: make(chan []byte), free: make(chan []byte, receiverBuffers),
		quit: make(chan struct{})}
	for range receiverBuffers {
		r.free <- make([]byte, maxFrame)
	}
	r.ended.Go(func() { r.run(peers, func() bool { return true }) })
	r.ended.Go(func() { r.run(others, r.pace()) })
	return r, nil
}

// divide has frames of these senders and CAs read first. In between a frame may be read twice, which MKA takes for a replay.
func (r *receiver) divide(sift linkwatch.Sift) error {
	if r == nil || r.sift.Equal(sift) {
		return nil
	}
	r.sift = sift
	return errors.Join(r.peers.Keep(sift, false), r.others.Keep(sift, true))
}

// run reads frames from a socket; after each it waits for next, and ends when that is false.
func (r *receiver) run(socket *linkwatch.Socket, next func() bool) {
	for {
		var buf []byte
		select {
		case buf = <-r.free:
		case <-r.quit:
			return
		}
		n, err := socket.ReadFrame(buf[:maxFrame])
		if err != nil {
			return // closed; a device that is gone is told by the link watch
		}
		select {
		case r.full <- buf[:n]:
		case <-r.quit:
			return
		}
		if !next() {
			return
		}
	}
}

// pace makes the wait of a reader that takes othersBurst frames in othersTime at most.
func (r *receiver) pace() (next func() bool) {
	begin, n := time.Now(), 0
	return func() bool {
		if n++; n < othersBurst {
			return true
		}
		rest := time.NewTimer(time.Until(begin.Add(othersTime)))
		defer rest.Stop()
		select {
		case <-rest.C:
		case <-r.quit:
			return false
		}
		begin, n = time.Now(), 0
		return true
	}
}

func (r *receiver) frames() <-chan []byte {
	if r == nil {
		return nil
	}
	return r.full
}

// done gives a frame's memory back.
func (r *receiver) done(frame []byte) {
	if r != nil {
		r.free <- frame
	}
}

var errNoSocket = errors.New("the device is not served")

func (r *receiver) write(frame []byte) error {
	if r == nil {
		return errNoSocket
	}
	return r.peers.WriteFrame(frame)
}

func (r *receiver) close() {
	if r == nil {
		return
	}
	close(r.quit)
	_, _ = r.peers.Close(), r.others.Close() // nothing is lost with them
	r.ended.Wait()
}

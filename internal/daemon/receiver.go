package daemon

import (
	"errors"

	"mkad/eapol"
	linkwatch "mkad/internal/port"
)

// maxFrame is the longest EAPOL frame that is received: a jumbo frame full of peers.
const maxFrame = 9216

// receiverBuffers is how many received frames may wait for the port's goroutine; more wait in the kernel, which drops
// what does not fit.
const receiverBuffers = 8

// A receiver reads EAPOL frames for a port's goroutine. All methods but run belong to that goroutine; a nil receiver
// has no frames.
type receiver struct {
	socket *linkwatch.Socket
	full   chan []byte
	free   chan []byte
	quit   chan struct{}
	ended  chan struct{}
}

func receive(ifindex int, group eapol.MAC) (*receiver, error) {
	socket, err := linkwatch.Open(ifindex, eapol.EtherType, group)
	if err != nil {
		return nil, err
	}
	r := &receiver{socket: socket, full: make(chan []byte), free: make(chan []byte, receiverBuffers),
		quit: make(chan struct{}), ended: make(chan struct{})}
	for range receiverBuffers {
		r.free <- make([]byte, maxFrame)
	}
	go r.run()
	return r, nil
}

func (r *receiver) run() {
	defer close(r.ended)
	for {
		var buf []byte
		select {
		case buf = <-r.free:
		case <-r.quit:
			return
		}
		n, err := r.socket.ReadFrame(buf[:maxFrame])
		if err != nil {
			return // closed; a device that is gone is told by the link watch
		}
		select {
		case r.full <- buf[:n]:
		case <-r.quit:
			return
		}
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
	return r.socket.WriteFrame(frame)
}

func (r *receiver) close() {
	if r == nil {
		return
	}
	close(r.quit)
	_ = r.socket.Close() // nothing is lost with it
	<-r.ended
}

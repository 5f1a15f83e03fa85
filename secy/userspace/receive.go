package userspace

import (
	"bytes"
	"sync"

	"golang.org/x/sys/unix"

	"mkad/secy"
)

// receiveTries is how often in a row an error is taken off a socket before the poller is asked to wait for the next
// frame: one error is reported once, and one that stays must not keep a CPU busy.
const receiveTries = 2

// An inlet is the end of both receive paths: the SecY, which one at a time may verify with, and the TAP. mu is held from
// the first frame of a batch to the last: whoever takes it knows that what was verified before has been delivered.
type inlet struct {
	secy  *secy.SecY
	drops *drops

	mu  sync.Mutex
	tap *tapWriter
	mac [6]byte // of the lower device
}

// pause returns when every frame that was verified before is delivered.
func (in *inlet) pause() {
	in.mu.Lock()
	defer in.mu.Unlock()
}

// follow takes a new address of the lower device.
func (in *inlet) follow(mac [6]byte) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.mac = mac
}

// deliver writes a frame to the TAP. The error says that the TAP is closed.
func (in *inlet) deliver(h vnetHeader, pieces [][]byte) error {
	taken, err := in.tap.frame(h, pieces)
	if !taken {
		in.drops.controlledPort.Add(1)
	}
	return err
}

// A receiver carries MACsec frames from the lower device to the TAP.
type receiver struct {
	*inlet
	socket    *socket
	coalescer *coalescer
	pieces    [][]byte
	read      func(fd uintptr) bool // turn, made once

	batch *batch // guarded by mu
	err   error
}

func newReceiver(in *inlet, s *socket, udp bool, lowerMTU int) *receiver {
	r := &receiver{
		inlet:     in,
		socket:    s,
		coalescer: newCoalescer(batchSize, udp),
		pieces:    make([][]byte, 0, maxSegments),
		batch:     newBatch(batchSize, slotLen(lowerMTU), 0),
	}
	r.read = r.turn
	return r
}

// run carries frames until the socket or the TAP is closed or gone, and returns why.
func (r *receiver) run() error {
	for r.err == nil {
		if err := r.socket.raw.Read(r.read); err != nil {
			return err
		}
	}
	return r.err
}

// turn takes one batch, verifies it and delivers what is left of it. false: there was none, wait.
func (r *receiver) turn(fd uintptr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, ready := receiveBatch(fd, r.batch, r.drops)
	if !ready {
		return false
	}
	r.coalescer.reset()
	for i := range n {
		r.verify(i)
	}
	r.err = r.deliverAll()
	return true
}

func (r *receiver) deliverAll() error {
	for i := range r.coalescer.groups {
		h, pieces := r.coalescer.gather(i, r.pieces[:0])
		if err := r.deliver(h, pieces); err != nil {
			return err
		}
	}
	return nil
}

func (r *receiver) verify(i int) {
	frame, whole := r.batch.frame(i)
	switch {
	case !whole:
		r.drops.truncated.Add(1)
	case r.batch.otherHost(i) && r.forUs(frame):
		r.drops.foreignVLAN.Add(1)
	default:
		if user, ok := r.secy.Verify(frame); ok {
			r.coalescer.add(user)
		}
	}
}

// resize makes room for the frames of a lower device of this MTU.
func (r *receiver) resize(lowerMTU int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batch = newBatch(batchSize, slotLen(lowerMTU), 0)
}

// receiveBatch fills a batch; false: there is nothing, wait.
func receiveBatch(fd uintptr, b *batch, d *drops) (int, bool) {
	for range receiveTries {
		n, errno := b.receive(fd)
		switch errno {
		case 0:
			return n, true
		case unix.EAGAIN:
			return 0, false
		case unix.EINTR:
		default:
			d.receiveErrors.Add(1)
		}
	}
	return 0, false
}

// forUs reports whether a frame goes to the lower device's address or to a group. The kernel says "other host" of such
// a frame only if it came with a VLAN tag of an ID that no device here has; of the tag itself nothing is left to see.
func (in *inlet) forUs(frame []byte) bool {
	return len(frame) >= len(in.mac) && (isGroup(frame) || bytes.Equal(frame[:len(in.mac)], in.mac[:]))
}

package userspace

import (
	"golang.org/x/sys/unix"
)

// sendWait is how long a sender waits, in milliseconds, for room in a socket whose frames the device has not yet sent.
// Meanwhile the TAP's queue fills and drops, as the queue of any device does that is slower than its users.
const sendWait = 20

// A sender collects protected frames and sends them in batches. It is not for concurrent use.
type sender struct {
	socket *socket
	drops  *drops
	batch  *batch
	queued int
	write  func(fd uintptr) bool // send, made once
}

func newSender(s *socket, d *drops, lowerMTU int) *sender {
	w := &sender{socket: s, drops: d, batch: newBatch(batchSize, slotLen(lowerMTU), 0)}
	w.write = w.send
	return w
}

// slot is the memory for the next frame: of length 0, with the capacity for the longest.
func (w *sender) slot() []byte { return w.batch.slots[w.queued][:0] }

// queue takes the first length octets of slot as a frame to be sent, and sends the batch when it is full.
func (w *sender) queue(length int) {
	w.batch.iovecs[w.queued].SetLen(length)
	w.queued++
	if w.queued == len(w.batch.messages) {
		w.flush()
	}
}

// flush sends what is queued. What the device does not take is dropped and counted, never tried again.
func (w *sender) flush() {
	if w.queued == 0 {
		return
	}
	if w.socket.raw.Write(w.write) != nil { // closed
		w.drops.sendErrors.Add(uint64(w.queued))
	}
	w.queued = 0
}

// send sends the queue. Every turn of its loop takes a frame off it or, once for each of those, waits.
func (w *sender) send(fd uintptr) bool {
	waited := false
	for first := 0; first < w.queued; {
		n, errno := w.batch.send(fd, first, w.queued)
		switch {
		case errno == 0:
			first += n
			waited = false
		case errno == unix.EINTR:
		case errno == unix.EAGAIN && !waited:
			awaitRoom(fd)
			waited = true
		case errno == unix.EAGAIN:
			w.drops.sendErrors.Add(uint64(w.queued - first))
			return true
		default:
			w.drop(errno)
			first++
		}
	}
	return true
}

// drop counts a frame by the error that it met.
func (w *sender) drop(errno unix.Errno) {
	if errno == unix.EMSGSIZE {
		w.drops.tooLong.Add(1)
		return
	}
	w.drops.sendErrors.Add(1)
}

// awaitRoom waits until the socket has room, for sendWait at most. That it has none is rare, so the thread this blocks
// is no matter.
func awaitRoom(fd uintptr) {
	_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, sendWait)
}

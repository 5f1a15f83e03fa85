package userspace

import (
	"testing"

	"golang.org/x/sys/unix"
)

// newTestSender makes a sender whose frames go to the socket that is returned too.
func newTestSender(t *testing.T) (w *sender, d *drops, peer int) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := adoptSocket(pair[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	d = new(drops)
	return newSender(s, d, 1500), d, pair[1]
}

// received counts the frames that wait at the peer.
func received(t *testing.T, peer int) (n uint64) {
	t.Helper()
	b := make([]byte, 2048)
	for {
		if _, err := unix.Read(peer, b); err != nil {
			return n
		}
		n++
	}
}

func TestSenderSendsWholeBatchesByItself(t *testing.T) {
	w, d, peer := newTestSender(t)
	defer unix.Close(peer)
	for range 3 {
		w.queue(100)
	}
	if n := received(t, peer); n != 0 {
		t.Errorf("%d frames sent before the end of the turn", n)
	}
	w.flush()
	if n := received(t, peer); n != 3 || d.read() != (Drops{}) {
		t.Errorf("%d frames sent, want 3; drops %+v", n, d.read())
	}
	w.flush()
	if n := received(t, peer); n != 0 {
		t.Errorf("%d frames sent twice", n)
	}
}

// A receiver that takes nothing must cost a bounded time, and every frame is either sent or counted.
func TestSenderGivesUpOnAFullDevice(t *testing.T) {
	w, d, peer := newTestSender(t)
	defer unix.Close(peer)
	err := w.socket.control(func(fd int) error {
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 1) // the least there is: a few frames
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 * batchSize {
		w.queue(100)
	}
	sent, dropped := received(t, peer), d.read().SendErrors
	if sent == 0 || dropped == 0 || sent+dropped != 3*batchSize {
		t.Errorf("%d frames sent and %d counted as dropped, want all %d", sent, dropped, 3*batchSize)
	}
}

func TestSenderCountsEveryFrameThatFails(t *testing.T) {
	w, d, peer := newTestSender(t)
	_ = unix.Close(peer)
	for range batchSize {
		w.queue(100)
	}
	if n := d.read().SendErrors; n != batchSize {
		t.Errorf("%d frames counted, want %d", n, batchSize)
	}
}

func TestSenderCountsFramesAfterTheSocketIsClosed(t *testing.T) {
	w, d, peer := newTestSender(t)
	defer unix.Close(peer)
	w.socket.close()
	w.queue(100)
	w.flush()
	if n := d.read().SendErrors; n != 1 {
		t.Errorf("%d frames counted, want 1", n)
	}
}

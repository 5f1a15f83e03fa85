package userspace

import (
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"mkad/secy"
)

// tapBufferLen holds what one read of the TAP gives: a virtio-net header and a frame, at most 64 KiB behind the link
// layer header and VLAN tags.
const tapBufferLen = vnetHeaderLen + 65600

// maxReads bounds the frames that are read in one turn, so that an order never waits longer for its end than it takes to
// send so many; with segmentation offload each may fill a batch of its own.
const maxReads = batchSize

// maxStale bounds the frames that are discarded: four times what the TAP's queue holds by default. The stack stops
// filling it soon after the carrier has gone.
const maxStale = 4000

// A transmitter carries frames from the TAP to the lower device. Its goroutine alone takes packet numbers, protects and
// sends, in this order, so the order on the wire is that of the packet numbers.
type transmitter struct {
	secy  *secy.SecY
	drops *drops
	tap   syscall.RawConn
	turn  func(fd uintptr) bool // read, made once
	// exhausted is told of a key that has used its last packet number.
	exhausted func(secy.KeyID)

	// A turn holds mu from its first frame to the end of its batch: whoever takes it knows that what was read before
	// has left.
	mu       sync.Mutex
	sender   *sender
	splitter splitter
	buf      []byte
	failed   unix.Errno
}

// run carries frames until the TAP is closed or gone, and returns why.
func (t *transmitter) run() error {
	t.turn = t.read
	for {
		if err := t.tap.Read(t.turn); err != nil {
			return err
		}
		if t.failed != 0 {
			return t.failed
		}
	}
}

// read is one turn: it carries what the TAP has, up to a bound. false: it has no more, wait.
func (t *transmitter) read(fd uintptr) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.finish()
	for range maxReads {
		n, err := unix.Read(int(fd), t.buf)
		switch err {
		case nil:
			t.carry(t.buf[:n])
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		default:
			t.failed, _ = err.(unix.Errno)
			return true
		}
	}
	return true
}

// finish ends a turn: nothing is held back for the next.
func (t *transmitter) finish() {
	t.sender.flush()
	if key, ok := t.secy.Exhausted(); ok {
		t.exhausted(key)
	}
}

// carry protects one frame as the TAP gave it, or each of the segments that it stands for.
func (t *transmitter) carry(b []byte) {
	if len(b) < vnetHeaderLen+ethernetLen {
		t.drops.malformed.Add(1)
		return
	}
	h, frame := parseVNetHeader(b), b[vnetHeaderLen:]
	switch {
	case h.gsoType != gsoNone:
		t.carrySegments(h, frame)
	case h.flags&vnetNeedsChecksum == 0 || completeChecksum(frame, int(h.checksumStart), int(h.checksumOffset)):
		t.protect(frame)
	default:
		t.drops.malformed.Add(1)
	}
}

func (t *transmitter) carrySegments(h vnetHeader, frame []byte) {
	if !t.splitter.start(h, frame) {
		t.drops.malformed.Add(1)
		return
	}
	for segment, ok := t.splitter.next(); ok; segment, ok = t.splitter.next() {
		t.protect(segment)
	}
}

// protect puts the protected form of frame into the batch. A frame that no slot can hold is longer than the lower
// device could send, and is dropped before it costs a packet number.
func (t *transmitter) protect(frame []byte) {
	slot := t.sender.slot()
	if len(frame)+secy.Overhead > cap(slot) {
		t.drops.tooLong.Add(1)
		return
	}
	if protected, ok := t.secy.Protect(slot, frame); ok {
		t.sender.queue(len(protected))
	}
}

// resize makes room for the frames of a lower device of this MTU.
func (t *transmitter) resize(lowerMTU int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sender.batch = newBatch(batchSize, slotLen(lowerMTU), 0)
}

// discard drops what the TAP holds. It is called before the port is enabled: what the host sent while it was not must
// not be sent now.
func (t *transmitter) discard() {
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.tap.Control(func(fd uintptr) { // not Read, which waits for the goroutine that waits in it
		for range maxStale {
			if _, err := unix.Read(int(fd), t.buf); err != nil && err != unix.EINTR {
				return
			}
		}
	})
}

// pause returns when every frame that was read from the TAP before has left or been dropped.
func (t *transmitter) pause() {
	t.mu.Lock()
	defer t.mu.Unlock()
}

// slotLen is the length of the longest frame, protected, that a lower device of this MTU can have anything to do with:
// Ethernet header and two VLAN tags, which do not count as payload, and the overhead of MACsec in case they do.
func slotLen(lowerMTU int) int {
	const alignment = 64 // a cache line: two slots share none
	n := ethernetLen + 2*vlanTagLen + lowerMTU + secy.Overhead
	return (n + alignment - 1) / alignment * alignment
}

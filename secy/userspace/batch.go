package userspace

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// batchSize is how many frames one system call takes or gives: twice as many measured no better.
const batchSize = 64

// mmsghdr is struct mmsghdr of recvmmsg(2): a message, and the octets that the kernel moved.
type mmsghdr struct {
	unix.Msghdr
	length uint32
}

// A batch is the memory behind one recvmmsg or sendmmsg call: slots for frames, and the structures that point to them.
// It is made once and reused; growing it makes a new one.
type batch struct {
	messages []mmsghdr
	iovecs   []unix.Iovec
	names    []unix.RawSockaddrLinklayer
	controls [][]byte
	slots    [][]byte
}

// newBatch makes a batch of n slots of slotLen octets each. With controlLen above zero every message also has room for
// so many octets of control data.
func newBatch(n, slotLen, controlLen int) *batch {
	b := &batch{
		messages: make([]mmsghdr, n),
		iovecs:   make([]unix.Iovec, n),
		names:    make([]unix.RawSockaddrLinklayer, n),
		controls: pieces(n, controlLen),
		slots:    pieces(n, slotLen),
	}
	for i := range b.messages {
		b.iovecs[i].Base = &b.slots[i][0]
		b.messages[i].Iov = &b.iovecs[i]
		b.messages[i].SetIovlen(1)
	}
	return b
}

// pieces cuts one allocation into n slices of length octets that cannot grow into each other.
func pieces(n, length int) [][]byte {
	memory := make([]byte, n*length)
	list := make([][]byte, n)
	for i := range list {
		list[i] = memory[i*length : (i+1)*length : (i+1)*length]
	}
	return list
}

// receive takes as many frames as there are and as fit, without waiting: EAGAIN when there is none. MSG_TRUNC in a
// message's flags says that its slot was too short.
func (b *batch) receive(fd uintptr) (int, unix.Errno) {
	for i := range b.messages {
		m := &b.messages[i]
		b.iovecs[i].SetLen(len(b.slots[i]))
		m.Name = (*byte)(unsafe.Pointer(&b.names[i]))
		m.Namelen = unix.SizeofSockaddrLinklayer
		m.Flags = 0
		if len(b.controls[i]) > 0 {
			m.Control = &b.controls[i][0]
			m.SetControllen(len(b.controls[i]))
		}
	}
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&b.messages[0])),
		uintptr(len(b.messages)), unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

// frame is what message i brought; false when the slot was too short for all of it.
func (b *batch) frame(i int) ([]byte, bool) {
	m := &b.messages[i]
	return b.slots[i][:min(int(m.length), len(b.slots[i]))], m.Flags&unix.MSG_TRUNC == 0
}

// control is the control data that came with message i.
func (b *batch) control(i int) []byte { return b.controls[i][:b.messages[i].Controllen] }

// otherHost reports whether the kernel took the frame of message i for somebody else's.
func (b *batch) otherHost(i int) bool { return b.names[i].Pkttype == unix.PACKET_OTHERHOST }

// send hands messages from first to before end to the kernel without waiting, and returns how many it took. An error
// is about message first.
func (b *batch) send(fd uintptr, first, end int) (int, unix.Errno) {
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&b.messages[first])),
		uintptr(end-first), unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

package userspace

import (
	"encoding/binary"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"mkad/secy"
)

// How much a socket may hold. These are limits, not reservations: they let a burst of a few milliseconds at 10 Gbit/s
// through, and the sender has a queue of its own before it, the TAP's.
const (
	receiveBuffer = 8 << 20
	sendBuffer    = 4 << 20
)

// A socket is a packet socket on the lower device, on Go's network poller.
type socket struct {
	file *os.File
	raw  syscall.RawConn
}

// newSocket makes a packet socket that is bound to nothing and receives nothing: options are set before it is bound, so
// that no frame of another device slips in.
func newSocket() (*socket, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open packet socket (needs root or CAP_NET_RAW): %w", err)
	}
	return adoptSocket(fd)
}

// adoptSocket puts a non-blocking descriptor on the poller and owns it from then on.
func adoptSocket(fd int) (*socket, error) {
	file := os.NewFile(uintptr(fd), "packet socket")
	raw, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("poll packet socket: %w", err)
	}
	return &socket{file: file, raw: raw}, nil
}

// newSendSocket makes a socket that only sends, with a mark on its frames unless mark is 0.
func newSendSocket(ifindex int, mark uint32) (*socket, error) {
	return openSocket(ifindex, 0, func(fd int) error {
		limitBuffer(fd, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, sendBuffer)
		if mark == 0 {
			return nil
		}
		return os.NewSyscallError("set SO_MARK", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(mark)))
	})
}

// newReceiveSocket makes a socket for the MACsec frames of a device.
func newReceiveSocket(ifindex int) (*socket, error) {
	return openSocket(ifindex, secy.EtherType, func(fd int) error {
		limitBuffer(fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, receiveBuffer)
		return joinAllMulticast(fd, ifindex)
	})
}

// newClearSocket makes a socket for every frame that a device receives, each with a virtio-net header before it and
// control data that tell of a VLAN tag. Such a socket sees frames before they are checksummed and segmented, and
// without the tag that they came with.
func newClearSocket(ifindex int) (*socket, error) {
	return openSocket(ifindex, unix.ETH_P_ALL, func(fd int) error {
		limitBuffer(fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, receiveBuffer)
		for _, option := range []int{unix.PACKET_VNET_HDR, unix.PACKET_AUXDATA, unix.PACKET_IGNORE_OUTGOING} {
			if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, option, 1); err != nil {
				return fmt.Errorf("set packet socket option %d (needs Linux 4.20): %w", option, err)
			}
		}
		return joinAllMulticast(fd, ifindex)
	})
}

// openSocket makes a socket, lets configure set its options, and binds it.
func openSocket(ifindex int, etherType uint16, configure func(fd int) error) (*socket, error) {
	s, err := newSocket()
	if err != nil {
		return nil, err
	}
	if err = s.control(configure); err == nil {
		err = s.bind(ifindex, etherType)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// limitBuffer sets a buffer limit beyond what the system allows everyone, or as far as that goes: in a user namespace
// the first is refused.
func limitBuffer(fd, force, plain, octets int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, octets) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, plain, octets)
	}
}

// joinAllMulticast has the device take in every group address while the socket is open. Which groups the stack above
// the TAP has joined is not known here; what it has not joined it drops.
func joinAllMulticast(fd, ifindex int) error {
	membership := &unix.PacketMreq{Ifindex: int32(ifindex), Type: unix.PACKET_MR_ALLMULTI}
	err := unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, membership)
	return os.NewSyscallError("receive all multicast", err)
}

// rejoinAllMulticast does so again for a device that may be another one under the same number: the kernel has forgotten
// the membership with the old one, or else counts it once.
func rejoinAllMulticast(fd, ifindex int) error {
	membership := &unix.PacketMreq{Ifindex: int32(ifindex), Type: unix.PACKET_MR_ALLMULTI}
	_ = unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_DROP_MEMBERSHIP, membership) // there may be none
	return joinAllMulticast(fd, ifindex)
}

// bind binds the socket to a device, and again to another. EtherType 0 receives nothing; once it has been another, 0
// leaves it as it is.
func (s *socket) bind(ifindex int, etherType uint16) error {
	address := &unix.SockaddrLinklayer{Ifindex: ifindex, Protocol: networkOrder(etherType)}
	err := s.control(func(fd int) error { return unix.Bind(fd, address) })
	if err != nil {
		return fmt.Errorf("bind packet socket to interface %d: %w", ifindex, err)
	}
	return nil
}

// networkOrder is v as sockaddr_ll holds it: big-endian in memory.
func networkOrder(v uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}

// overruns returns how many frames the kernel has dropped since the last call because the socket was full.
func (s *socket) overruns() (n uint64) {
	_ = s.control(func(fd int) error {
		stats, err := unix.GetsockoptTpacketStats(fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
		if err == nil {
			n = uint64(stats.Drops)
		}
		return err
	})
	return n
}

// control runs f on the descriptor, which stays open meanwhile.
func (s *socket) control(f func(fd int) error) error {
	var err error
	if closed := s.raw.Control(func(fd uintptr) { err = f(int(fd)) }); closed != nil {
		return closed
	}
	return err
}

// close closes the socket; who waits on it is told.
func (s *socket) close() { _ = s.file.Close() }

package netlab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxFrame is the longest frame that a packet socket hands over: a GSO frame of 64 KiB with its headers.
	maxFrame = 1<<16 + 256
	// receiveBuffer is asked for each receiving socket, in octets, so that nothing is lost while the reader sleeps. It
	// is a limit, not a reservation.
	receiveBuffer = 64 << 20
	// tpacketVLANValid is TP_STATUS_VLAN_VALID of linux/if_packet.h, and tpacketTPIDValid TP_STATUS_VLAN_TPID_VALID.
	tpacketVLANValid, tpacketTPIDValid = 1 << 4, 1 << 6
	// defaultTPID is the EtherType of a stripped tag whose own is not told.
	defaultTPID = 0x8100
)

// openSocket opens a packet socket on a device of the namespace for one EtherType, or for all of them
// (unix.ETH_P_ALL). Frames of other devices, and frames that the device sends, never turn up.
func (n *Namespace) openSocket(device string, etherType uint16) (file *os.File, err error) {
	d, err := n.Device(device)
	if err != nil {
		return nil, err
	}
	err = n.Do(func() error {
		file, err = openBound(d.Index, etherType)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open packet socket on %s: %w", device, err)
	}
	return file, nil
}

// Send sends frames from a device, each from its destination address on, without FCS. It returns once the kernel has
// taken them; a device that refuses one is an error.
func (n *Namespace) Send(device string, frames ...[]byte) error {
	file, err := n.openSocket(device, 0)
	if err != nil {
		return err
	}
	for _, frame := range frames {
		if _, sent := file.Write(frame); sent != nil {
			err = fmt.Errorf("send on %s: %w", device, sent)
			break
		}
	}
	return errors.Join(err, file.Close())
}

// openBound binds last: a socket made with a protocol hears every device until it is bound.
func openBound(index int, etherType uint16) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if err := prepare(fd); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(etherType), Ifindex: index}); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "packet socket"), nil
}

func prepare(fd int) error {
	return errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS_NEW, 1),
		enlarge(fd))
}

// enlarge goes past the administrator's limit where it may, which root of a user namespace may not.
func enlarge(fd int) error {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) == nil {
		return nil
	}
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
}

func networkOrder(v uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}

// A receiver reads frames from a packet socket, one goroutine at a time.
type receiver struct {
	file    *os.File
	frame   [maxFrame]byte
	control [256]byte
}

// read waits for a frame and returns it with the kernel's time of it, its VLAN tag put back where the kernel took it
// out. The frame is good until the next read. The error is os.ErrDeadlineExceeded or os.ErrClosed when the file's
// deadline or life is over.
func (r *receiver) read() ([]byte, time.Time, error) { return r.readBy(syscall.RawConn.Read) }

// poll is read without waiting: the error is unix.EAGAIN when there is no frame.
func (r *receiver) poll() ([]byte, time.Time, error) {
	return r.readBy(func(c syscall.RawConn, f func(uintptr) bool) error {
		return c.Control(func(fd uintptr) { f(fd) })
	})
}

func (r *receiver) readBy(call func(syscall.RawConn, func(uintptr) bool) error) ([]byte, time.Time, error) {
	raw, err := r.file.SyscallConn()
	if err != nil {
		return nil, time.Time{}, err
	}
	var n, controls int
	var failed error
	err = call(raw, func(fd uintptr) bool {
		n, controls, _, _, failed = unix.Recvmsg(int(fd), r.frame[tagRoom:], r.control[:], unix.MSG_DONTWAIT)
		return failed != unix.EAGAIN && failed != unix.EINTR
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	if failed != nil {
		return nil, time.Time{}, failed
	}
	frame, at := r.complete(n, r.control[:controls])
	return frame, at, nil
}

// tagRoom is the room before a frame into which its addresses move when a VLAN tag is put back.
const tagRoom = 4

func (r *receiver) complete(n int, control []byte) (frame []byte, at time.Time) {
	frame, at = r.frame[tagRoom:tagRoom+n], time.Now()
	messages, _ := unix.ParseSocketControlMessage(control) // ours alone: the kernel wrote it
	for _, m := range messages {
		switch {
		case m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS_NEW && len(m.Data) >= 16:
			at = timespec(m.Data)
		case m.Header.Level == unix.SOL_PACKET && m.Header.Type == unix.PACKET_AUXDATA && len(m.Data) >= 20:
			frame = r.retag(n, m.Data)
		}
	}
	return frame, at
}

func timespec(b []byte) time.Time {
	return time.Unix(int64(binary.NativeEndian.Uint64(b)), int64(binary.NativeEndian.Uint64(b[8:])))
}

// retag reads a struct tpacket_auxdata: status u32 at 0, tag control information u16 at 16, TPID u16 at 18.
func (r *receiver) retag(n int, aux []byte) []byte {
	status := binary.NativeEndian.Uint32(aux)
	if status&tpacketVLANValid == 0 || n < addresses {
		return r.frame[tagRoom : tagRoom+n]
	}
	tpid := uint16(defaultTPID)
	if status&tpacketTPIDValid != 0 {
		tpid = binary.NativeEndian.Uint16(aux[18:])
	}
	copy(r.frame[:], r.frame[tagRoom:tagRoom+addresses])
	binary.BigEndian.PutUint16(r.frame[addresses:], tpid)
	binary.BigEndian.PutUint16(r.frame[addresses+2:], binary.NativeEndian.Uint16(aux[16:]))
	return r.frame[:tagRoom+n]
}

// overruns returns how many frames the socket had no room for, since it was last asked.
func overruns(file *os.File) (uint64, error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return 0, err
	}
	var stats *unix.TpacketStats
	var failed error
	err = raw.Control(func(fd uintptr) {
		stats, failed = unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS)
	})
	if err = errors.Join(err, failed); err != nil {
		return 0, fmt.Errorf("read packet socket's statistics: %w", err)
	}
	return uint64(stats.Drops), nil
}

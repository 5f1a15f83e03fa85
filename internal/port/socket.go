package port

import (
	"errors"
	"fmt"
	"math"
	"net"
	"sync/atomic"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// PAEGroup is the PAE group address, the default destination of MKPDUs (802.1X-2020 Table 11-1).
var PAEGroup = [6]byte{0x01, 0x80, 0xc2, 0x00, 0x00, 0x03}

// writeTimeout bounds WriteFrame. A send waits only when some hundred frames are stuck in the device's queue, and a
// hello that is a second late is worth less than the port's goroutine.
const writeTimeout = time.Second

// headerLen is the length of an Ethernet header without tags.
const headerLen = 14

// A Socket sends and receives frames of one EtherType on one network device, the Uncontrolled Port. One goroutine may
// read while others write; Close may be called from any.
type Socket struct {
	conn   *packet.Conn
	closed atomic.Bool
}

// Open makes a Socket on the device and joins the group addresses, none meaning PAEGroup, so that the network card lets
// them in. The device may be down. A Socket is of use as long as the device exists, through its going up and down; one
// with the same name later needs another Socket.
func Open(ifindex int, etherType uint16, groups ...[6]byte) (*Socket, error) {
	conn, err := packet.Listen(&net.Interface{Index: ifindex}, packet.Raw, int(etherType), &packet.Config{Filter: ours})
	if err != nil {
		return nil, fmt.Errorf("open packet socket on device %d: %w%s", ifindex, err, remedy(err))
	}
	s := &Socket{conn: conn}
	if len(groups) == 0 {
		groups = [][6]byte{PAEGroup}
	}
	if err := s.join(groups); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func remedy(err error) string {
	if errors.Is(err, unix.EPERM) {
		return " (CAP_NET_RAW is needed)"
	}
	return ""
}

// ours passes what the device received for this host: not what the host sent itself, and not PACKET_OTHERHOST, which is
// also what the kernel calls a frame of a VLAN after it has taken the tag away. It is in force before the socket is
// bound, and until then the socket has no protocol, so nothing slips in.
var ours = mustAssemble(
	bpf.LoadExtension{Num: bpf.ExtType},
	bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: unix.PACKET_MULTICAST, SkipTrue: 1},
	bpf.RetConstant{Val: math.MaxUint32},
	bpf.RetConstant{Val: 0},
)

func mustAssemble(program ...bpf.Instruction) []bpf.RawInstruction {
	raw, err := bpf.Assemble(program)
	if err != nil {
		panic("port: internal error: " + err.Error())
	}
	return raw
}

func (s *Socket) join(groups [][6]byte) error {
	for _, g := range groups {
		if err := s.conn.JoinGroup(g[:]); err != nil {
			return fmt.Errorf("join group %s: %w", net.HardwareAddr(g[:]), err)
		}
	}
	return nil
}

// ReadFrame waits for a frame, copies it to buf with its Ethernet header and without FCS, and returns its length. What
// does not fit in buf is lost. It waits on while the device is down, and after it has been removed; only Close ends the
// wait, with an error that wraps net.ErrClosed.
func (s *Socket) ReadFrame(buf []byte) (int, error) {
	for {
		n, _, err := s.conn.ReadFrom(buf)
		switch {
		case err == nil:
			return n, nil
		case errors.Is(err, unix.ENETDOWN): // said once each time the device goes down
		default:
			return 0, s.failed("receive", err)
		}
	}
}

// WriteFrame sends a frame that begins with its Ethernet header and has no FCS. An error (the device is down, has no
// carrier, or its queue is full) means that this frame is lost and says nothing of the next.
func (s *Socket) WriteFrame(frame []byte) error {
	if len(frame) < headerLen {
		return fmt.Errorf("send frame of %d octets: shorter than an Ethernet header", len(frame))
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return s.failed("send", err)
	}
	if _, err := s.conn.WriteTo(frame, &packet.Addr{HardwareAddr: frame[:6]}); err != nil {
		return s.failed("send", err)
	}
	return nil
}

// failed puts one error in place of the several that a closed socket may give.
func (s *Socket) failed(verb string, err error) error {
	if s.closed.Load() {
		err = net.ErrClosed
	}
	return fmt.Errorf("%s frame: %w", verb, err)
}

// Close ends a ReadFrame that waits and leaves the groups. Everything after it fails with net.ErrClosed.
func (s *Socket) Close() error {
	if s.closed.Swap(true) {
		return net.ErrClosed
	}
	return s.conn.Close()
}

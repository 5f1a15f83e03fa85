package kernel

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// An Exchange is the kernel: one netlink request in, the bodies of its replies out. protocol is unix.NETLINK_ROUTE or
// unix.NETLINK_GENERIC; kind, flags (beside NLM_F_REQUEST) and body are those of the message. A request that is no dump
// and has no reply but the acknowledgement returns none. The error of the kernel is a unix.Errno, with the kernel's own
// words wrapped around it where it has any; a dump that was disturbed is unix.EINTR, with what there is.
//
// It is called by one goroutine at a time, and keeps neither body nor what it returned.
type Exchange func(protocol int, kind, flags uint16, body []byte) (replies [][]byte, err error)

const (
	// replyTimeout bounds how long the kernel may think: it may be loading modules meanwhile.
	replyTimeout = 20 * time.Second
	// maxReplies bounds the messages of one dump: links, addresses or routes of a very large host.
	maxReplies = 1 << 20
)

// sockets are the two long-lived sockets by which a process speaks to the kernel. They belong to the network namespace
// of the thread that opened them, whoever uses them. One that has received once with a large buffer is given dumps of
// 32 KiB by the kernel; a fresh one gets 4 KiB, into which no SecY with ten peers fits.
type sockets struct {
	mu       sync.Mutex
	sequence uint32
	open     map[int]*nl.NetlinkSocket
}

// dial opens the sockets.
func dial() (*sockets, error) {
	s := &sockets{open: map[int]*nl.NetlinkSocket{}}
	for _, protocol := range []int{unix.NETLINK_ROUTE, unix.NETLINK_GENERIC} {
		socket, err := nl.GetNetlinkSocketAt(-1, -1, protocol)
		if err != nil {
			s.close()
			return nil, fmt.Errorf("open netlink socket: %w", err)
		}
		s.open[protocol] = socket
		timeout := unix.NsecToTimeval(replyTimeout.Nanoseconds())
		_ = socket.SetReceiveTimeout(&timeout)
		_ = socket.SetExtAck(true) // the kernel's words beside its error; a kernel before 4.12 has none
	}
	return s, nil
}

func (s *sockets) close() {
	for _, socket := range s.open {
		socket.Close()
	}
}

// exchange is the Exchange of this machine's kernel.
func (s *sockets) exchange(protocol int, kind, flags uint16, body []byte) ([][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	socket := s.open[protocol]
	s.sequence++
	if err := s.send(socket, kind, flags, body); err != nil {
		return nil, err
	}
	return s.receive(socket)
}

// send writes the message itself, because nl would leave copies of the keys in it.
func (s *sockets) send(socket *nl.NetlinkSocket, kind, flags uint16, body []byte) error {
	length := unix.SizeofNlMsghdr + len(body)
	b := make([]byte, 0, length)
	defer func() { clear(b) }()
	b = native.AppendUint32(b, uint32(length))
	b = native.AppendUint16(b, kind)
	b = native.AppendUint16(b, flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	b = native.AppendUint32(b, s.sequence)
	b = native.AppendUint32(b, 0)
	b = append(b, body...)
	err := unix.Sendto(socket.GetFd(), b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	if err != nil {
		return fmt.Errorf("send netlink request: %w", err)
	}
	return nil
}

// receive collects the replies up to the acknowledgement or the end of the dump.
func (s *sockets) receive(socket *nl.NetlinkSocket) (replies [][]byte, err error) {
	disturbed := false
	for {
		messages, from, err := socket.Receive()
		if err != nil {
			return nil, fmt.Errorf("receive netlink reply: %w", err)
		}
		if from.Pid != nl.PidKernel {
			continue
		}
		for _, m := range messages {
			if m.Header.Seq != s.sequence {
				continue // the rest of an answer that was given up
			}
			disturbed = disturbed || m.Header.Flags&unix.NLM_F_DUMP_INTR != 0
			switch {
			case m.Header.Type == unix.NLMSG_ERROR || m.Header.Type == unix.NLMSG_DONE:
				return ended(replies, m.Data, m.Header.Flags, disturbed)
			case len(replies) == maxReplies:
				return nil, errors.New("receive netlink reply: it does not end")
			}
			replies = append(replies, m.Data)
		}
	}
}

// ended is what an exchange returns once the kernel has said that it is over, and how.
func ended(replies [][]byte, b []byte, flags uint16, disturbed bool) ([][]byte, error) {
	if err := parseVerdict(b, flags); err != nil {
		return nil, err
	}
	if disturbed {
		return replies, unix.EINTR
	}
	return replies, nil
}

// parseVerdict reads the body of an NLMSG_ERROR or NLMSG_DONE: an error number, of an error then the request's header
// (and, unless flags say that it is capped, the request), and attributes with the kernel's words.
func parseVerdict(b []byte, flags uint16) error {
	if len(b) < 4 {
		return nil // NLMSG_DONE of an old kernel
	}
	errno := unix.Errno(-int32(native.Uint32(b)))
	if errno == 0 {
		return nil
	}
	if words := verdictWords(b[4:], flags); words != "" {
		return fmt.Errorf("%w (the kernel says: %s)", errno, words)
	}
	return errno
}

func verdictWords(b []byte, flags uint16) string {
	if flags&unix.NLM_F_ACK_TLVS == 0 || len(b) < unix.SizeofNlMsghdr {
		return ""
	}
	skip := unix.SizeofNlMsghdr
	if flags&unix.NLM_F_CAPPED == 0 {
		skip = align(int(min(native.Uint32(b), uint32(len(b)))))
	}
	words := find(b[min(max(skip, unix.SizeofNlMsghdr), len(b)):], nl.NLMSGERR_ATTR_MSG)
	return attribute{value: words}.text()
}

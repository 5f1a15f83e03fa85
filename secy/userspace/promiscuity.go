package userspace

import (
	"errors"
	"fmt"
	"os"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A lookout hears of every change of a network device, and has the Port look whether its TAP is to take in every frame:
// a bridge wants that of its ports, and so does whoever gives the TAP more than one address. The kernel announces neither
// by itself; it always announces the device on whose behalf it happens.
type lookout struct{ socket *nl.NetlinkSocket }

// newLookout subscribes in the network namespace of the calling thread.
func newLookout() (*lookout, error) {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK)
	if err != nil {
		return nil, fmt.Errorf("watch devices: open netlink socket: %w", err)
	}
	return &lookout{socket}, nil
}

// run calls look after each change, until the lookout is closed.
func (l *lookout) run(look func()) {
	for {
		look()
		_, _, err := l.socket.Receive()
		switch {
		case err == nil, errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.EINTR): // whatever has changed, look
		default:
			return
		}
	}
}

func (l *lookout) close() { l.socket.Close() }

// followPromiscuity has the lower device take in every frame while the TAP does.
func (p *Port) followPromiscuity() {
	promiscuous, err := p.tap.promiscuous()
	if err != nil {
		return // it is gone: the data path says so
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if promiscuous == p.promiscuous || p.closing.Load() {
		return
	}
	if err := p.setPromiscuous(promiscuous); err != nil {
		p.log.Warn("lower device does not take in the frames that the Controlled Port asks for", "err", err)
		return
	}
	p.promiscuous = promiscuous
}

// setPromiscuous joins or leaves the promiscuous mode of the lower device. It needs p.mu.
func (p *Port) setPromiscuous(on bool) error {
	option := unix.PACKET_DROP_MEMBERSHIP
	if on {
		option = unix.PACKET_ADD_MEMBERSHIP
	}
	membership := &unix.PacketMreq{Ifindex: int32(p.lower), Type: unix.PACKET_MR_PROMISC}
	return p.receiver.socket.control(func(fd int) error {
		return os.NewSyscallError("set promiscuous mode", unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, option, membership))
	})
}

// promiscuous reports whether the host wants every frame from the TAP.
func (t *tap) promiscuous() (bool, error) {
	link, err := t.find()
	if err != nil {
		return false, err
	}
	return link.Attrs().Promisc > 0, nil
}

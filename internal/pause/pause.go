package pause

import (
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// mark is on the frames that the chain has sent to the TAP, so that the TAP refuses what the host sends by itself, and
// on those that we send in their place, so that the chain lets them pass: "mkap" in ASCII.
const mark = 0x6d6b6170

// A Pause is a device whose frames are held back. It is for one goroutine.
type Pause struct {
	device string
	held   *tap
	out    int // packet socket on the device
	chain  *chain
	frame  []byte // for release
}

// Egress begins a pause of a device without a queueing discipline: when it returns, no processor is in the device's
// transmit function, and none enters it but for frames that are sent by the caller. The caller ends it, soon: what can be held is bounded (maxHeld frames). The error
// says what keeps the device from pausing; it goes on sending then.
func Egress(device string) (*Pause, error) {
	p := &Pause{device: device, out: -1, frame: make([]byte, maxFrame)}
	if err := p.begin(); err != nil {
		return nil, errors.Join(fmt.Errorf("pause %s: %w", device, err), p.close())
	}
	return p, nil
}

func (p *Pause) begin() error {
	link, err := net.InterfaceByName(p.device)
	if err != nil {
		return err
	}
	if p.held, err = openTAP(); err != nil {
		return err
	}
	if p.out, err = openSender(link.Index); err != nil {
		return err
	}
	if p.chain, err = forward(p.device, p.held.index); err != nil {
		return err
	}
	return quiesce()
}

// catchUp bounds how long End sends what was held back while more of it comes: a host that sends faster than we do would
// keep us at it. What then is left goes out among what the host sends again by itself.
const catchUp = 5 * time.Millisecond

// End sends what was held back and ends the pause. It takes some ten milliseconds, in which the host sends again.
// Frames that could not be sent are lost, and are the error.
func (p *Pause) End() error {
	err := p.release(time.Now().Add(catchUp))
	gone := make(chan error, 1)
	go func() {
		p.chain.close()
		gone <- quiesce() // whoever saw the chain has done with the TAP
	}()
	for {
		select {
		case quiet := <-gone:
			p.chain = nil
			return errors.Join(err, quiet, p.release(time.Time{}), p.close())
		default: // the kernel takes its time to remove the chain; what it still forwards is not to wait so long
			p.held.wait()
			if more := p.release(time.Now().Add(catchUp)); err == nil { // the first is enough to know
				err = more
			}
		}
	}
}

// release sends what the TAP holds, in order, until it is empty or it is time; with the zero time, as much as can be held.
func (p *Pause) release(until time.Time) error {
	var lost int
	var last error
	for range maxHeld {
		n, err := p.held.read(p.frame)
		if err != nil || n == 0 {
			return errors.Join(err, loss(p.device, lost, last))
		}
		if err := send(p.out, p.frame[:n]); err != nil {
			lost, last = lost+1, err
		}
		if !until.IsZero() && time.Now().After(until) {
			break
		}
	}
	return loss(p.device, lost, last)
}

func loss(device string, frames int, err error) error {
	if frames == 0 {
		return nil
	}
	return fmt.Errorf("resume %s: %d frames lost, the last for: %w", device, frames, err)
}

// close lets everything go, also what was only begun.
func (p *Pause) close() (err error) {
	if p.chain != nil {
		p.chain.close()
	}
	if p.out >= 0 {
		err = unix.Close(p.out)
	}
	if p.held != nil {
		err = errors.Join(err, p.held.close())
	}
	return err
}

// openSender opens a packet socket whose frames begin with a virtio_net_hdr, as the TAP's do.
func openSender(ifindex int) (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open packet socket: %w", err)
	}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, mark),
		unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: ifindex}))
	if err != nil {
		return -1, errors.Join(fmt.Errorf("set up packet socket: %w", err), unix.Close(fd))
	}
	return fd, nil
}

// send waits while the socket's buffer is full.
func send(fd int, frame []byte) error {
	for {
		_, err := unix.Write(fd, frame)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

package port

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"mkad/internal/config"
)

// ErrClaimed is the error of ClaimDevice for a device that another mkad has.
var ErrClaimed = errors.New("another mkad works on")

// A Claim marks a lower device as ours, so that a second mkad leaves it alone: two would share an SCI and fight. It is
// an abstract socket, which belongs to the network namespace as the device does and goes with the process.
type Claim struct{ socket *net.UnixListener }

// ClaimDevice claims the device of that name in the network namespace of the calling thread; the error is ErrClaimed if
// another mkad has it. The name of the socket is anybody's to take: one that is held by a user who could not run an mkad
// is no claim, and does not keep us off.
func ClaimDevice(name string) (*Claim, error) {
	address := &net.UnixAddr{Name: "@mkad/" + name, Net: "unix"}
	socket, err := net.ListenUnix("unix", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && !heldByOurs(address):
		return &Claim{}, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%w %s; stop it, or take %s out of one configuration", ErrClaimed, name, name)
	case err != nil:
		return nil, fmt.Errorf("claim %s: %w", name, err)
	}
	go answer(socket)
	return &Claim{socket}, nil
}

// answer hangs up on everybody until the claim is released: a queue that nobody empties would be full one day.
func answer(socket *net.UnixListener) {
	for {
		conn, err := socket.AcceptUnix()
		if err != nil {
			return
		}
		_ = conn.Close()
	}
}

// heldByOurs reports whether somebody holds the socket who may run an mkad, root, our own user, or the service's, or nobody
// can tell.
func heldByOurs(address *net.UnixAddr) bool {
	conn, err := net.DialUnix("unix", nil, address)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EAGAIN) {
		return false // ours listens always, and has room
	}
	if err != nil {
		return true
	}
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		return true
	}
	ours := true
	_ = raw.Control(func(fd uintptr) {
		if peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			ours = peer.Uid == 0 || int(peer.Uid) == os.Getuid() || config.IsServiceUser(peer.Uid)
		}
	})
	return ours
}

// Release gives the device up. Nil is no claim.
func (c *Claim) Release() {
	if c != nil && c.socket != nil {
		_ = c.socket.Close()
	}
}

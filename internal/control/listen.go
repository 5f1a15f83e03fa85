package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrRunning says that another daemon answers at the socket.
var ErrRunning = errors.New("another mkad is running")

// probeTime bounds the look whether somebody listens on a socket that was found; connecting to a unix socket needs no
// answer of the other process, only room in its queue.
const probeTime = time.Second

// Listen makes the control socket. It makes the directories above it (0755), takes the place of a socket on which
// nobody listens, and opens it to the group mkad (0660); where there is no such group, or it may not be given away, the
// socket is its owner's alone (0600). At no moment is it open to anyone else. The file goes when the listener is closed.
//
// It fails with ErrRunning when somebody listens there, and leaves anything alone that is not a socket.
func Listen(path string) (*net.UnixListener, error) {
	unlock, err := lock(path)
	if err != nil {
		return nil, fmt.Errorf("make control socket %s: %w; set another control path", path, err)
	}
	defer unlock()
	if err := clearStale(path); err != nil {
		return nil, fmt.Errorf("make control socket %s: %w", path, err)
	}
	l, err := listenPrivate(path)
	if err != nil {
		return nil, fmt.Errorf("make control socket: %w", err) // names the path
	}
	if err := share(path, Group); err != nil {
		l.Close()
		return nil, fmt.Errorf("make control socket: %w", err)
	}
	return l, nil
}

// lockTime bounds the wait for another mkad that makes its socket at this moment.
const lockTime = 2 * time.Second

// lock makes the directory and keeps another mkad from making its socket: two that start at once would both find a stale one,
// and the later would remove the earlier one's live one. The lock is a file that nobody else can open: whoever may open a file
// can hold a lock on it, and would keep mkad from starting. It stays; one that is removed could be locked by two.
func lock(path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	path += ".lock"
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	if err := file.Chmod(0o600); err != nil {
		file.Close()
		return nil, err
	}
	for end := time.Now().Add(lockTime); ; {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { file.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(end) {
			file.Close()
			return nil, fmt.Errorf("lock %s: %w: another mkad is starting, or hangs (fuser %s)", path, err, path)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func clearStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("a file that is not a socket is in its place; move it away, or set another control path")
	}
	if err := probe(path); !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

// probe is ErrRunning, or why nobody could be reached. EAGAIN is a listener with a full queue.
func probe(path string) error {
	c, err := net.DialTimeout("unix", path, probeTime)
	if err != nil && !errors.Is(err, syscall.EAGAIN) {
		return fmt.Errorf("see whether it is in use: %w", err)
	}
	if err == nil {
		c.Close()
	}
	return fmt.Errorf("%w; stop it, or set another control path", ErrRunning)
}

// listenPrivate binds a socket of mode 0600. The mode is set before the bind, which takes it over, so there is no
// moment at which the umask decides.
func listenPrivate(path string) (*net.UnixListener, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) { failed = unix.Fchmod(int(fd), 0o600) })
		return errors.Join(err, failed)
	}}
	l, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	return l.(*net.UnixListener), nil
}

// share opens the socket to the group. An unprivileged daemon outside the group, or a user namespace without it, has
// nothing to give: then the socket stays its owner's.
func share(path, group string) error {
	gid, ok := groupID(group)
	if !ok {
		return nil
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if int(info.Sys().(*syscall.Stat_t).Gid) == gid { // it is ours to open, also where a sandbox forbids to give files away
		return os.Chmod(path, 0o660)
	}
	if err := os.Chown(path, -1, gid); errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EINVAL) {
		return nil
	} else if err != nil {
		return err
	}
	return os.Chmod(path, 0o660)
}

// A gate is a listener that lets at most maxClients in at a time; the rest wait in the kernel's queue. It asks each who
// it is.
type gate struct {
	*net.UnixListener
	slots  chan struct{} // holds a token for each client inside
	closed chan struct{}
	once   sync.Once
}

func newGate(l *net.UnixListener, clients int) *gate {
	return &gate{UnixListener: l, slots: make(chan struct{}, clients), closed: make(chan struct{})}
}

// Accept waits for a free slot and a client.
func (g *gate) Accept() (net.Conn, error) {
	select {
	case g.slots <- struct{}{}:
	case <-g.closed:
		return nil, net.ErrClosed
	}
	for {
		conn, err := g.AcceptUnix()
		if err != nil {
			<-g.slots
			return nil, err
		}
		if p, err := peerOf(conn); err == nil {
			return &client{UnixConn: conn, peer: p, leave: func() { <-g.slots }}, nil
		}
		conn.Close() // unknown, so not served
	}
}

// Close stops listening and ends a waiting Accept.
func (g *gate) Close() error {
	g.once.Do(func() { close(g.closed) })
	return g.UnixListener.Close()
}

// A client is a connection that holds a slot of a gate.
type client struct {
	*net.UnixConn
	peer  peer
	leave func()
	once  sync.Once
}

// Close hangs up and gives the slot back.
func (c *client) Close() error {
	c.once.Do(c.leave)
	return c.UnixConn.Close()
}

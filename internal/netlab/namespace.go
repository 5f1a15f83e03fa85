package netlab

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ErrClosed is the error of everything that is asked of a Namespace after Close.
var ErrClosed = errors.New("network namespace is closed")

// A Namespace is a network namespace without a name, and the one thread that lives in it. It may be used by several
// goroutines; what they ask of the thread is done one after the other.
type Namespace struct {
	file *os.File // keeps the namespace, and names it to the kernel
	work chan func()
	done chan struct{} // closed by Close

	mu        sync.Mutex
	processes []*Process
	closed    bool
}

// NewNamespace makes an empty namespace with its loopback device up. The caller closes it.
func NewNamespace() (*Namespace, error) {
	n := &Namespace{work: make(chan func()), done: make(chan struct{})}
	ready := make(chan error)
	go n.live(ready)
	if err := <-ready; err != nil {
		return nil, fmt.Errorf("make network namespace: %w (root is needed, or a user namespace: unshare -Ur)", err)
	}
	if err := n.SetUp("lo"); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// live is the life of the namespace's thread. The thread is never unlocked, so it ends with this function and no other
// goroutine ever runs inside the namespace by accident. Programs started from it die with it.
func (n *Namespace) live(ready chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() { // this thread lasts as long as the program, and so would the namespace
		other := make(chan error)
		go n.live(other)
		ready <- <-other
		runtime.UnlockOSThread()
		return
	}
	err := n.enter()
	ready <- err
	if err != nil {
		return
	}
	for {
		select {
		case f := <-n.work:
			f()
		case <-n.done:
			return
		}
	}
}

func (n *Namespace) enter() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	file, err := os.Open("/proc/thread-self/ns/net")
	n.file = file
	return err
}

// Do calls f on the thread of the namespace and returns its error. Sockets and devices that f opens belong to the
// namespace for good and may be used from anywhere. f must not call Do of the same Namespace, nor wait for long.
func (n *Namespace) Do(f func() error) error {
	result := make(chan error, 1)
	select {
	case n.work <- func() { result <- f() }:
		return <-result
	case <-n.done:
		return ErrClosed
	}
}

// links calls f with a netlink handle of the namespace, whose requests are errors when they find nothing.
func (n *Namespace) links(f func(*netlink.Handle) error) error {
	return n.Do(func() error {
		h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return fmt.Errorf("open netlink socket: %w", err)
		}
		defer h.Close()
		return f(h)
	})
}

// Close stops the programs that still run in the namespace, asking first and killing later, and lets the namespace go.
// Its devices disappear when the last of its sockets and programs has. Further calls do nothing.
func (n *Namespace) Close() error {
	n.mu.Lock()
	processes, closed := n.processes, n.closed
	n.processes, n.closed = nil, true
	n.mu.Unlock()
	if closed {
		return nil
	}
	stopAll(processes)
	close(n.done)
	return n.file.Close()
}

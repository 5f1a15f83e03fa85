package port

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// receiveBuffer is how many octets of link messages the kernel may keep for the watcher: about a thousand messages, as
// a host that starts many containers at once makes them. What is lost beyond costs a fresh list, not a wrong state.
const receiveBuffer = 2 << 20

// A Watcher knows every network device of the network namespace in which it was made, from one netlink subscription.
// Its methods may be called from any goroutine.
type Watcher struct {
	socket *nl.NetlinkSocket

	mu        sync.Mutex
	table     *table
	dumping   bool // a list of all devices is on its way
	again     bool // and will have holes
	followers map[*follower]struct{}
	err       error // why it ended
}

// Watch starts a Watcher, which knows all devices when Watch returns and ends with ctx.
func Watch(ctx context.Context) (*Watcher, error) {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK)
	if err != nil {
		return nil, fmt.Errorf("watch links: open netlink socket: %w", err)
	}
	w := &Watcher{socket: socket, table: newTable(), followers: map[*follower]struct{}{}}
	stop := context.AfterFunc(ctx, socket.Close)
	if err := w.start(); err != nil {
		stop()
		socket.Close()
		return nil, fmt.Errorf("watch links: %w", errors.Join(ctx.Err(), err))
	}
	go w.run(ctx)
	return w, nil
}

// start makes room for messages, which needs CAP_NET_ADMIN and is no loss without, and waits for the first list. Nobody
// else knows the Watcher yet.
func (w *Watcher) start() error {
	_ = w.socket.SetReceiveBufferSize(receiveBuffer, true)
	err := w.resync()
	for err == nil && w.dumping {
		err = w.receive()
	}
	return err
}

func (w *Watcher) run(ctx context.Context) {
	var err error
	for err == nil {
		err = w.receive()
	}
	w.socket.Close()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	w.end(fmt.Errorf("watch links: %w", err))
}

// receive takes one batch of messages. When the kernel had to drop some it asks for the whole list again.
func (w *Watcher) receive() error {
	messages, from, err := w.socket.Receive()
	switch {
	case errors.Is(err, unix.ENOBUFS):
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.resync()
	case errors.Is(err, unix.EINTR):
		return nil
	case err != nil:
		return fmt.Errorf("receive: %w", err)
	case from.Pid != nl.PidKernel: // any local process may send to a netlink socket
		return nil
	}
	return w.take(messages)
}

// resync asks for a list of all devices, on the same socket, so that it and the changes around it come in order. It
// needs w.mu, or a Watcher that nobody else knows.
func (w *Watcher) resync() error {
	if w.dumping { // the kernel does one at a time
		w.again = true
		return nil
	}
	request := nl.NewNetlinkRequest(unix.RTM_GETLINK, unix.NLM_F_DUMP)
	request.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	if err := w.socket.Send(request); err != nil {
		return fmt.Errorf("ask for all links: %w", err)
	}
	w.dumping, w.again = true, false
	w.table.startDump()
	return nil
}

func (w *Watcher) take(messages []syscall.NetlinkMessage) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range messages {
		if err := w.takeOne(m); err != nil {
			return err
		}
	}
	w.publish()
	if w.again && !w.dumping {
		return w.resync()
	}
	return nil
}

func (w *Watcher) takeOne(m syscall.NetlinkMessage) error {
	w.again = w.again || m.Header.Flags&unix.NLM_F_DUMP_INTR != 0
	switch m.Header.Type {
	case unix.NLMSG_ERROR:
		return fmt.Errorf("list links: %w", errno(m.Data))
	case unix.NLMSG_DONE:
		w.dumping = false
		w.table.endDump(!w.again)
	case unix.RTM_NEWLINK:
		if d, ok := parse(m); ok {
			w.table.put(d)
		}
	case unix.RTM_DELLINK:
		if d, ok := parse(m); ok {
			w.table.remove(d.index)
		}
	}
	return nil
}

func errno(b []byte) error {
	if len(b) < 4 {
		return unix.EINVAL
	}
	return syscall.Errno(-int32(binary.NativeEndian.Uint32(b)))
}

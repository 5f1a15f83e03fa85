package filter

import (
	"context"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Notice calls changed after each change of an nftables ruleset in the network namespace of the calling thread, until ctx
// ends: whoever flushes all rules flushes those that close a device, too. changed is called from one goroutine, ours
// included in what it is told of; it must not wait. When the kernel had to drop notices it is called as well.
func Notice(ctx context.Context, changed func()) error {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{Groups: 1 << (unix.NFNLGRP_NFTABLES - 1)})
	if err != nil {
		return fmt.Errorf("watch nftables: %w", err)
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	go func() {
		for {
			_, err := conn.Receive()
			if ctx.Err() != nil {
				return
			}
			changed()
			if err != nil && !lossy(err) {
				return // whoever relies on it looks by itself now and then
			}
		}
	}()
	return nil
}

// lossy reports whether the error only says that notices were dropped.
func lossy(err error) bool { return errors.Is(err, unix.ENOBUFS) }

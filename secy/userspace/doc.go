// Package userspace is a SecY in user space: a TAP device (the Controlled Port) joined to packet sockets on the lower
// device (the Common Port) by a [secy.SecY].
//
//	  the host's stack                                             the wire
//	        │                                                          │
//	   TAP device ── read ──▶ split ──▶ Protect ──▶ sendmmsg ──▶ lower device
//	(Controlled Port)                                           (Common Port)
//	        ▲                                                          │
//	        └─ writev ◀── coalesce ◀── Verify ◀── recvmmsg 0x88E5 ◀────┤
//	        └──────────── write ◀───── Verify ◀── recvmmsg (clear) ◀───┘
//
// One goroutine owns each direction, so frames leave in the order of their packet numbers and arrive in order, with no
// lock and no allocation per frame. Both wait on Go's network poller. The stack hands over and takes frames of up to
// 64 KiB with a virtio-net header: a segmentation offload frame is split on its way out (gso.go), and the segments of a
// flow that arrive together go to the stack as one (gro.go). Nothing is held back to wait for more: what has been read
// is sent at the end of the same turn.
//
// The package decides nothing: it obeys the [secy.Op] values of a KaY. It runs on Linux only.
//
// Clauses are those of 802.1AE-2018 unless said otherwise.
package userspace

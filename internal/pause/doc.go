// Package pause holds back what a host sends through a device, for some milliseconds, and then sends it.
//
//	p, err := pause.Egress("macsec0")
//	…                             // nobody is sending through macsec0 now
//	err = p.End()                 // what was held back goes out, then what comes after it
//
// The kernel's macsec reads the AN to send with twice for each frame: first to find the SA, then to write the SecTAG.
// A frame that another processor sends while the AN changes is protected with one key and names the other, and its
// receiver can only drop it. So a key is switched while the device pauses.
//
//	host ─► device's egress hook ─┬─ no pause, or sent by us ─► device
//	                              └─ pause: fwd ─► TAP ─► this package ─┘
//
// A chain of nf_tables at the device's egress hook forwards every frame into a TAP device of our own. Then we wait until
// whatever passed the hook before has left the device's transmit function. Frames keep what the device still has to do,
// checksums and segments, and their order, but for those that meet the end of the pause. The chain's table belongs to our socket: it and the TAP vanish with the
// process, so that a pause that is never ended does not last.
//
// What waits in a queueing discipline of the device has passed the hook, and does not pause; macsec devices have none by
// themselves.
//
// It needs CAP_NET_ADMIN, /dev/net/tun, and a kernel with the egress hook (Linux 5.16) and nft_fwd_netdev.
package pause

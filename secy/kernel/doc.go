// Package kernel is the SecY of the Linux kernel: a macsec device (drivers/net/macsec.c) on the lower device, made or
// adopted, and driven through netlink.
//
//	[secy.Op] ──▶ Device.Apply ──▶ rtnetlink (the device)     ──▶ macsec device = Controlled Port
//	                           ──▶ generic netlink (SCs, SAs) ──▶       │
//	[secy.Report] ◀── read back, compare, repair ◀── dump ◀─────        ▼
//	                                                              lower device = Common Port
//
// The kernel announces nothing: neither that a packet number has run out nor that somebody has taken an SA away. A
// Device therefore reads the SecY back after each change, and every one to four seconds while it lives; what differs from what was
// ordered is repaired once, and reported if it does not stay so.
//
// The kernel guards no nonce either. It is here that a key gets one transmit SA in its life, that this is put to use
// once, and that its packet number is never set.
//
// The files: uapi.go and attribute.go are the kernel's numbers and the shape of its messages, link.go, command.go and
// dump.go the messages, exchange.go the sockets. apply.go obeys orders, compare.go finds what the kernel holds otherwise
// than ordered, poll.go watches. identity.go and recreate.go make another device in the place of one.
//
// It runs on Linux only. Clauses are those of 802.1AE-2018 unless said otherwise.
package kernel

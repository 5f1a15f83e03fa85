// Package filter closes a lower device: it lets the frames of EAPOL, of MACsec and of a few named protocols through and
// drops everything else that the host would send or receive on it in clear. A packet socket takes no frame away from the
// host's own stack, so without the filter a SecY adds a protected port and leaves the plain one open.
//
// It is made of nftables, one table of the netdev family for each lower device, named after it:
//
//	table netdev mkad-eth1 {
//		chain ingress {
//			type filter hook ingress device "eth1" priority -2147483648; policy drop;
//			meta protocol 0x888e accept
//			meta protocol 0x88e5 accept
//		}
//		chain egress {
//			type filter hook egress device "eth1" priority 2147483647; policy drop;
//			ether type 0x888e accept
//			ether type 0x88e5 accept
//		}
//	}
//
// The table belongs to no process: it stays when mkad dies. Tables of others are never touched.
//
// The hooks lie between the stack and the driver. Not held up are frames that were handed to the queueing discipline
// before the device was closed, and what a privileged program does below the hooks (XDP and AF_XDP). Packet sockets for
// all protocols read received frames before the ingress hook; those for one protocol after it.
//
// The functions work on the network namespace of the calling thread and may be called from several goroutines, but not
// for the same device at the same time. They need CAP_NET_ADMIN in the user namespace that owns the network namespace.
package filter

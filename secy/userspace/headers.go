package userspace

import "encoding/binary"

// Lengths, EtherTypes and offsets of the headers that segmentation and coalescing touch.
const (
	ethernetLen = 14
	vlanTagLen  = 4
	ipv4Len     = 20 // without options
	ipv6Len     = 40 // without extension headers
	tcpLen      = 20 // without options
	udpLen      = 8

	// maxVLANTags bounds the walk over tags: two are in use (802.1ad), and twice that leaves room.
	maxVLANTags = 4

	etherIPv4  = 0x0800
	etherIPv6  = 0x86dd
	etherCTag  = 0x8100
	etherSTag  = 0x88a8
	etherEAPOL = 0x888e

	protocolTCP = 6
	protocolUDP = 17

	tcpFlagsAt    = 13 // octet of the TCP header
	tcpChecksumAt = 16
	udpChecksumAt = 6
	tcpFIN        = 0x01
	tcpPSH        = 0x08
	tcpACK        = 0x10
	tcpCWR        = 0x80
)

// maxIPLen is the largest value of an IP length field.
const maxIPLen = 65535

// networkLayer walks the VLAN tags of a frame: the EtherType behind them, and where what it announces begins. false:
// the frame ends first, or has more tags than maxVLANTags.
func networkLayer(frame []byte) (etherType uint16, offset int, ok bool) {
	offset = ethernetLen
	for range maxVLANTags + 1 {
		if len(frame) < offset {
			return 0, 0, false
		}
		etherType = binary.BigEndian.Uint16(frame[offset-2:])
		if etherType != etherCTag && etherType != etherSTag {
			return etherType, offset, true
		}
		offset += vlanTagLen
	}
	return 0, 0, false
}

// pseudoSum sums the pseudo-header of TCP and UDP without its length: both addresses of the IP header at the start of
// ip, and the protocol (RFC 9293 3.1, RFC 8200 8.1).
func pseudoSum(ip []byte, v6 bool, protocol uint8) uint64 {
	if v6 {
		return sum(uint64(protocol), ip[8:40])
	}
	return sum(uint64(protocol), ip[12:20])
}

// isGroup reports whether the frame goes to a group address. The frame has a destination address.
func isGroup(frame []byte) bool { return frame[0]&1 != 0 }

package userspace

import "encoding/binary"

// maxHeaderLen bounds the headers of a segmentation offload frame, Ethernet to TCP options: 14 + 4 tags + 60 + 60 is
// 150 with IPv4, and an IPv6 header leaves some 110 octets for extension headers.
const maxHeaderLen = 256

// A splitter cuts one segmentation offload frame into the frames that go on the wire, each with headers and checksums
// of its own. It works within the memory of that frame: the header slides down over payload that has been dealt with,
// so that a segment is valid only until the next is asked for, and nothing is copied but headers.
//
//	for seg, ok := s.next(); ok; seg, ok = s.next() { … }
//
// It is reused from frame to frame, allocates nothing, and is not for concurrent use.
type splitter struct {
	frame []byte
	at    int // payload octets already dealt with
	size  int // payload octets of every segment but the last

	l3, l4, headerLen int
	v6, udp           bool

	// The header, with what differs between segments set to zero, and sums over it so that a segment's checksums cost
	// a few additions.
	header       [maxHeaderLen]byte
	networkSum   uint64 // the IPv4 header
	transportSum uint64 // pseudo-header without length, and the TCP or UDP header

	id    uint16
	seq   uint32
	flags uint8
}

// start prepares to split frame as its virtio-net header says. It reports false when the two do not agree; then there
// is nothing to split. The kernel's header length is not looked at: it is a hint that is wrong for some frames.
func (s *splitter) start(h vnetHeader, frame []byte) bool {
	s.frame, s.at, s.size = frame, 0, int(h.gsoSize)
	s.l4 = int(h.checksumStart)
	if !s.locate(h.gsoType&^gsoECN) || !s.measure() {
		s.frame = nil
		s.headerLen = 0
		return false
	}
	s.template()
	return true
}

// locate finds the network header and checks that it is what the type of segmentation says.
func (s *splitter) locate(gsoType uint8) bool {
	etherType, l3, ok := networkLayer(s.frame)
	if !ok || len(s.frame) < s.l4 {
		return false
	}
	s.l3, s.v6, s.udp = l3, etherType == etherIPv6, gsoType == gsoUDP
	switch {
	case etherType == etherIPv4 && (gsoType == gsoTCPv4 || gsoType == gsoUDP):
		return s.l4 >= l3+ipv4Len && s.frame[l3]>>4 == 4 && s.l4 == l3+int(s.frame[l3]&0x0f)*4
	case etherType == etherIPv6 && (gsoType == gsoTCPv6 || gsoType == gsoUDP):
		return s.l4 >= l3+ipv6Len && s.frame[l3]>>4 == 6
	}
	return false
}

// measure finds the length of all headers and checks that there is payload, and that every segment has a length that
// an IP header can tell.
func (s *splitter) measure() bool {
	transport := udpLen
	if !s.udp {
		if len(s.frame) < s.l4+tcpLen {
			return false
		}
		transport = int(s.frame[s.l4+12]>>4) * 4
		if transport < tcpLen {
			return false
		}
	}
	s.headerLen = s.l4 + transport
	payload := len(s.frame) - s.headerLen
	return s.headerLen <= maxHeaderLen && payload > 0 && s.size > 0 &&
		s.headerLen-s.l3+min(s.size, payload) <= maxIPLen
}

// template copies the header, clears what each segment sets, and sums the rest.
func (s *splitter) template() {
	copy(s.header[:], s.frame[:s.headerLen])
	ip, transport := s.header[s.l3:s.l4], s.header[s.l4:s.headerLen]
	protocol := uint8(protocolTCP)
	if s.udp {
		protocol = protocolUDP
		clear(transport[4:8]) // length, checksum
	} else {
		s.seq = binary.BigEndian.Uint32(transport[4:])
		s.flags = transport[tcpFlagsAt]
		clear(transport[4:8])
		transport[tcpFlagsAt] = 0
		clear(transport[tcpChecksumAt : tcpChecksumAt+2])
	}
	if s.v6 {
		clear(ip[4:6]) // payload length
	} else {
		s.id = binary.BigEndian.Uint16(ip[4:])
		clear(ip[2:6])   // total length, identification
		clear(ip[10:12]) // header checksum
		s.networkSum = sum(0, ip)
	}
	s.transportSum = sum(pseudoSum(ip, s.v6, protocol), transport)
}

// next returns the next segment, a whole frame; false when there is none left.
func (s *splitter) next() ([]byte, bool) {
	n := min(s.size, len(s.frame)-s.headerLen-s.at)
	if n <= 0 {
		return nil, false
	}
	segment := s.frame[s.at : s.at+s.headerLen+n]
	copy(segment, s.header[:s.headerLen])
	last := s.at+s.headerLen+n == len(s.frame)
	s.writeNetwork(segment)
	if s.udp {
		s.writeUDP(segment)
	} else {
		s.writeTCP(segment, last)
	}
	s.at += n
	return segment, true
}

// writeNetwork sets lengths and, with IPv4, identification and checksum: identifications count up (RFC 791).
func (s *splitter) writeNetwork(segment []byte) {
	ip := segment[s.l3:]
	if s.v6 {
		binary.BigEndian.PutUint16(ip[4:], uint16(len(ip)-ipv6Len))
		return
	}
	length := uint16(len(ip))
	binary.BigEndian.PutUint16(ip[2:], length)
	binary.BigEndian.PutUint16(ip[4:], s.id)
	binary.BigEndian.PutUint16(ip[10:], checksum(s.networkSum+uint64(length)+uint64(s.id)))
	s.id++
}

// writeTCP sets sequence number, flags and checksum. FIN and PSH belong to the last segment, CWR to the first, for it
// tells the receiver once (RFC 3168 6.1.2).
func (s *splitter) writeTCP(segment []byte, last bool) {
	tcp := segment[s.l4:]
	flags := s.flags
	if !last {
		flags &^= tcpFIN | tcpPSH
	}
	if s.at > 0 {
		flags &^= tcpCWR
	}
	seq := s.seq + uint32(s.at)
	binary.BigEndian.PutUint32(tcp[4:], seq)
	tcp[tcpFlagsAt] = flags
	acc := s.transportSum + uint64(len(tcp)) + uint64(seq>>16) + uint64(seq&0xffff) + uint64(flags)
	binary.BigEndian.PutUint16(tcp[tcpChecksumAt:], transportChecksum(sum(acc, segment[s.headerLen:])))
}

// writeUDP sets length and checksum; the length counts twice, in the pseudo-header and in the header.
func (s *splitter) writeUDP(segment []byte) {
	udp := segment[s.l4:]
	length := uint16(len(udp))
	binary.BigEndian.PutUint16(udp[4:], length)
	acc := s.transportSum + 2*uint64(length)
	binary.BigEndian.PutUint16(udp[udpChecksumAt:], transportChecksum(sum(acc, segment[s.headerLen:])))
}

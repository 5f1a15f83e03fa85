package userspace

import (
	"bytes"
	"encoding/binary"
)

// maxSegments bounds how many frames the coalescer makes one of: the kernel takes no more UDP datagrams at once
// (UDP_MAX_SEGMENTS of kernels before 6.9), and a batch holds no more frames.
const maxSegments = 64

// A packet is a frame with what the coalescer needs to know of it.
type packet struct {
	frame     []byte // up to the length that its IP header tells, without the padding of short frames
	l3, l4    int    // where the IP and the TCP or UDP header begin
	payload   int    // where the payload begins
	v6, udp   bool
	hash      uint32 // of the flow
	mergeable bool   // may be part of a larger frame: not padded, checksums right, nothing out of the ordinary
}

// parsePacket takes a frame apart; false: it belongs to no TCP or UDP flow that can be followed. Frames with VLAN tags
// are left as they are: the kernel is picky about segmentation behind tags.
func parsePacket(frame []byte) (p packet, ok bool) {
	if len(frame) < ethernetLen {
		return packet{}, false
	}
	p.l3 = ethernetLen
	switch binary.BigEndian.Uint16(frame[12:]) {
	case etherIPv4:
		ok = p.parseIPv4(frame)
	case etherIPv6:
		ok = p.parseIPv6(frame)
	}
	if !ok {
		return packet{}, false
	}
	return p, p.parseTransport()
}

// parseIPv4 accepts unfragmented packets. One with options is of the flow but stays alone.
func (p *packet) parseIPv4(frame []byte) bool {
	const moreFragmentsAndOffset = 0x3fff
	ip := frame[p.l3:]
	if len(ip) < ipv4Len || ip[0]>>4 != 4 {
		return false
	}
	header, length := int(ip[0]&0x0f)*4, int(binary.BigEndian.Uint16(ip[2:]))
	if header < ipv4Len || length < header || length > len(ip) ||
		binary.BigEndian.Uint16(ip[6:])&moreFragmentsAndOffset != 0 {
		return false
	}
	p.frame, p.l4 = frame[:p.l3+length], p.l3+header
	p.mergeable = header == ipv4Len && length == len(ip) && checksum(sum(0, ip[:header])) == 0
	return p.protocol(ip[9])
}

// parseIPv6 accepts packets without extension headers.
func (p *packet) parseIPv6(frame []byte) bool {
	ip := frame[p.l3:]
	if len(ip) < ipv6Len || ip[0]>>4 != 6 {
		return false
	}
	length := ipv6Len + int(binary.BigEndian.Uint16(ip[4:]))
	if length > len(ip) {
		return false
	}
	p.frame, p.l4, p.v6 = frame[:p.l3+length], p.l3+ipv6Len, true
	p.mergeable = length == len(ip)
	return p.protocol(ip[6])
}

func (p *packet) protocol(protocol uint8) bool {
	p.udp = protocol == protocolUDP
	return p.udp || protocol == protocolTCP
}

func (p *packet) parseTransport() bool {
	if p.udp {
		return p.parseUDP()
	}
	return p.parseTCP()
}

// parseTCP lets segments with payload and no flag but ACK and PSH be merged.
func (p *packet) parseTCP() bool {
	tcp := p.frame[p.l4:]
	if len(tcp) < tcpLen {
		return false
	}
	header := int(tcp[12]>>4) * 4
	if header < tcpLen || header > len(tcp) {
		return false
	}
	p.payload = p.l4 + header
	p.hash = p.flowHash()
	p.mergeable = p.mergeable && len(p.frame) > p.payload && tcp[12]&0x0f == 0 &&
		tcp[tcpFlagsAt]&^tcpPSH == tcpACK && p.intact(protocolTCP)
	return true
}

// parseUDP lets datagrams with payload and a checksum be merged.
func (p *packet) parseUDP() bool {
	udp := p.frame[p.l4:]
	if len(udp) < udpLen {
		return false
	}
	p.payload = p.l4 + udpLen
	p.hash = p.flowHash()
	p.mergeable = p.mergeable && len(p.frame) > p.payload && int(binary.BigEndian.Uint16(udp[4:])) == len(udp) &&
		binary.BigEndian.Uint16(udp[udpChecksumAt:]) != 0 && p.intact(protocolUDP)
	return true
}

// intact verifies the transport checksum. A merged frame goes up with the stack told that it is right, so a wrong one
// must never be merged.
func (p *packet) intact(protocol uint8) bool {
	transport := p.frame[p.l4:]
	acc := pseudoSum(p.frame[p.l3:], p.v6, protocol) + uint64(len(transport))
	return checksum(sum(acc, transport)) == 0
}

// flowHash spreads flows; two with one hash cost a comparison and nothing else.
func (p *packet) flowHash() uint32 {
	order := binary.NativeEndian
	return order.Uint32(p.frame[p.l4:]) ^ order.Uint32(p.frame[p.l4-4:])*31 ^ order.Uint32(p.frame[p.l4-8:])*131
}

// addresses are the source and destination address of the IP header.
func (p *packet) addresses() []byte {
	if p.v6 {
		return p.frame[p.l3+8 : p.l3+40]
	}
	return p.frame[p.l3+12 : p.l3+20]
}

// sameFlow reports whether two packets belong to one flow: addresses of both layers, protocol, ports.
func (p *packet) sameFlow(q *packet) bool {
	return p.hash == q.hash && p.udp == q.udp && p.v6 == q.v6 &&
		bytes.Equal(p.frame[:ethernetLen], q.frame[:ethernetLen]) &&
		bytes.Equal(p.addresses(), q.addresses()) &&
		bytes.Equal(p.frame[p.l4:p.l4+4], q.frame[q.l4:q.l4+4])
}

// A group is a run of packets of one flow that goes up as one frame.
type group struct {
	packet      // the first; its header becomes that of all
	open   bool // more may follow
	count  int  // packets
	length int  // payload octets of all
	last   int  // index of the last one's payload in the coalescer's tails; none while count is 1
	first  int  // index of the second packet's payload
}

// A coalescer makes large frames of the segments that a batch brings. A frame that cannot join the group of its flow
// ends that group and begins another, and groups are handed over in the order in which they began, so the order within
// a flow stands. Frames given to it must keep until reset; their headers are written to.
//
//	c.reset()
//	for … { c.add(frame) }
//	for i := range c.groups { h, pieces := c.gather(i, pieces[:0]); … }
//
// It allocates nothing once it has grown to the size of a batch, and is not for concurrent use.
type coalescer struct {
	udp    bool // the kernel can segment UDP
	groups []group
	tails  []tailPiece
}

// A tailPiece is the payload of a packet after the first of its group.
type tailPiece struct {
	payload []byte
	next    int // index of the group's next one
}

// newCoalescer makes a coalescer for batches of n frames.
func newCoalescer(n int, udp bool) *coalescer {
	return &coalescer{udp: udp, groups: make([]group, 0, n), tails: make([]tailPiece, 0, n)}
}

// reset forgets all frames.
func (c *coalescer) reset() { c.groups, c.tails = c.groups[:0], c.tails[:0] }

// add takes the next frame of the batch.
func (c *coalescer) add(frame []byte) {
	p, ok := parsePacket(frame)
	if !ok {
		c.groups = append(c.groups, group{packet: packet{frame: frame}, count: 1})
		return
	}
	if p.udp && !c.udp {
		p.mergeable = false
	}
	if g := c.find(&p); g != nil {
		if g.accepts(&p) {
			c.join(g, &p)
			return
		}
		g.open = false
	}
	c.begin(p, frame)
}

// find returns the open group of the packet's flow; there is at most one.
func (c *coalescer) find(p *packet) *group {
	for i := len(c.groups) - 1; i >= 0; i-- {
		if g := &c.groups[i]; g.open && g.sameFlow(p) {
			return g
		}
	}
	return nil
}

// begin opens a group. A packet that stays alone is handed over as it came, padding included.
func (c *coalescer) begin(p packet, frame []byte) {
	g := group{packet: p, count: 1, length: len(p.frame) - p.payload}
	g.frame = frame
	g.open = p.mergeable && !g.pushed()
	c.groups = append(c.groups, g)
}

// join adds the packet's payload to the group. Behind a shorter one, or one that asks to be delivered, nothing more
// may follow: the split of the whole would put it elsewhere.
func (c *coalescer) join(g *group, p *packet) {
	payload := p.frame[p.payload:]
	i := len(c.tails)
	c.tails = append(c.tails, tailPiece{payload: payload})
	if g.count == 1 {
		g.first = i
	} else {
		c.tails[g.last].next = i
	}
	g.last = i
	g.count++
	g.length += len(payload)
	if !g.udp {
		g.frame[g.l4+tcpFlagsAt] |= p.frame[p.l4+tcpFlagsAt] & tcpPSH
	}
	g.open = len(payload) == g.size() && !g.pushed() && g.count < maxSegments
}

// size is the payload length of every packet of the group but the last.
func (g *group) size() int { return len(g.frame) - g.payload }

func (g *group) pushed() bool { return !g.udp && g.frame[g.l4+tcpFlagsAt]&tcpPSH != 0 }

// accepts reports whether the packet continues the group: the split of the merged frame gives it back octet for octet,
// except for the identification of IPv4 packets that must not be fragmented, where it means nothing (RFC 6864 4.1).
func (g *group) accepts(p *packet) bool {
	n := len(p.frame) - p.payload
	return p.mergeable && p.payload == g.payload && n <= g.size() && g.payload-g.l3+g.length+n <= maxIPLen &&
		g.continuesNetwork(p) && (g.udp || g.continuesTCP(p))
}

// continuesNetwork compares traffic class, hop limit, and the flow label or the fragmentation fields.
func (g *group) continuesNetwork(p *packet) bool {
	const dontFragment = 0x40
	a, b := g.frame[g.l3:], p.frame[p.l3:]
	if g.v6 {
		return bytes.Equal(a[0:4], b[0:4]) && a[7] == b[7]
	}
	id := binary.BigEndian.Uint16(a[4:]) + uint16(g.count)
	return a[1] == b[1] && a[6] == b[6] && a[8] == b[8] &&
		(a[6]&dontFragment != 0 || id == binary.BigEndian.Uint16(b[4:]))
}

// continuesTCP compares acknowledgement, window, urgent pointer and options, and wants the next sequence number.
func (g *group) continuesTCP(p *packet) bool {
	a, b := g.frame[g.l4:g.payload], p.frame[p.l4:p.payload]
	seq := binary.BigEndian.Uint32(a[4:]) + uint32(g.length)
	return seq == binary.BigEndian.Uint32(b[4:]) && bytes.Equal(a[8:12], b[8:12]) &&
		bytes.Equal(a[14:16], b[14:16]) && bytes.Equal(a[18:], b[18:])
}

// gather finishes group i and appends its octets to pieces, in order: the first frame, then payloads. What it appends
// points into the frames that were added. It is called once for each group.
func (c *coalescer) gather(i int, pieces [][]byte) (vnetHeader, [][]byte) {
	g := &c.groups[i]
	pieces = append(pieces, g.frame)
	if g.count == 1 {
		return vnetHeader{}, pieces
	}
	for n, at := 1, g.first; n < g.count; n++ {
		pieces = append(pieces, c.tails[at].payload)
		at = c.tails[at].next
	}
	return g.finish(), pieces
}

// finish makes the first packet's header that of the whole, its transport checksum left to whoever segments it again,
// and says so in the virtio-net header.
func (g *group) finish() vnetHeader {
	h := vnetHeader{
		flags:         vnetNeedsChecksum,
		headerLen:     uint16(g.payload),
		gsoSize:       uint16(g.size()),
		checksumStart: uint16(g.l4),
	}
	g.finishNetwork()
	ip, transport := g.frame[g.l3:], g.frame[g.l4:]
	length := g.payload - g.l4 + g.length
	switch {
	case g.udp:
		h.gsoType, h.checksumOffset = gsoUDP, udpChecksumAt
		binary.BigEndian.PutUint16(transport[4:], uint16(length))
		binary.BigEndian.PutUint16(transport[udpChecksumAt:], fold(pseudoSum(ip, g.v6, protocolUDP)+uint64(length)))
	default:
		h.gsoType, h.checksumOffset = gsoTCPv4, tcpChecksumAt
		if g.v6 {
			h.gsoType = gsoTCPv6
		}
		binary.BigEndian.PutUint16(transport[tcpChecksumAt:], fold(pseudoSum(ip, g.v6, protocolTCP)+uint64(length)))
	}
	return h
}

func (g *group) finishNetwork() {
	ip := g.frame[g.l3:g.l4]
	length := g.payload - g.l3 + g.length
	if g.v6 {
		binary.BigEndian.PutUint16(ip[4:], uint16(length-ipv6Len))
		return
	}
	binary.BigEndian.PutUint16(ip[2:], uint16(length))
	clear(ip[10:12])
	binary.BigEndian.PutUint16(ip[10:], checksum(sum(0, ip)))
}

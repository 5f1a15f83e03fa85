package userspace

import (
	"bytes"
	"encoding/binary"

	"pgregory.net/rapid"
)

// A flow describes frames so that they can be built from nothing, one field after the other and with slow checksums:
// the twin of the code that edits headers.
type flow struct {
	v6, udp      bool
	tags         int // VLAN tags
	ipOptions    int // words of IPv4 options, or units of 8 octets of IPv6 destination options
	tcpOptions   int // words
	trafficClass uint8
	hopLimit     uint8
	dontFragment bool
	id           uint16
	ports        [4]byte
	seq, ack     uint32
	flags        uint8
	window       uint16
}

// drawFlow draws any flow.
func drawFlow(t *rapid.T) flow {
	return flow{
		v6:           rapid.Bool().Draw(t, "v6"),
		udp:          rapid.Bool().Draw(t, "udp"),
		tags:         rapid.IntRange(0, 2).Draw(t, "tags"),
		ipOptions:    rapid.IntRange(0, 3).Draw(t, "ipOptions"),
		tcpOptions:   rapid.IntRange(0, 10).Draw(t, "tcpOptions"),
		trafficClass: rapid.Byte().Draw(t, "class"),
		hopLimit:     rapid.Byte().Draw(t, "hops"),
		dontFragment: rapid.Bool().Draw(t, "df"),
		id:           rapid.Uint16().Draw(t, "id"),
		ports:        [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "ports")),
		seq:          rapid.Uint32().Draw(t, "seq"),
		ack:          rapid.Uint32().Draw(t, "ack"),
		flags:        rapid.Byte().Draw(t, "flags"),
		window:       rapid.Uint16().Draw(t, "window"),
	}
}

// frame builds a frame of the flow.
func (f flow) frame(payload []byte) []byte {
	b := []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}
	for i := range f.tags {
		b = binary.BigEndian.AppendUint16(b, []uint16{etherSTag, etherCTag}[(i+f.tags)%2])
		b = binary.BigEndian.AppendUint16(b, uint16(100+i))
	}
	if f.v6 {
		return append(b, f.ipv6(payload)...)
	}
	return append(b, f.ipv4(payload)...)
}

func (f flow) protocol() uint8 {
	if f.udp {
		return 17
	}
	return 6
}

func (f flow) ipv4(payload []byte) []byte {
	source, destination := []byte{192, 0, 2, 1}, []byte{192, 0, 2, 2}
	transport := f.transport(append(append([]byte{}, source...), destination...), payload)
	header := 20 + 4*f.ipOptions
	ip := []byte{0x08, 0x00, 0x40 | uint8(header/4), f.trafficClass}
	ip = binary.BigEndian.AppendUint16(ip, uint16(header+len(transport)))
	ip = binary.BigEndian.AppendUint16(ip, f.id)
	if f.dontFragment {
		ip = append(ip, 0x40, 0)
	} else {
		ip = append(ip, 0, 0)
	}
	ip = append(ip, f.hopLimit, f.protocol(), 0, 0)
	ip = append(append(ip, source...), destination...)
	ip = append(ip, bytes.Repeat([]byte{1}, 4*f.ipOptions)...)
	binary.BigEndian.PutUint16(ip[2+10:], slowChecksum(ip[2:]))
	return append(ip, transport...)
}

func (f flow) ipv6(payload []byte) []byte {
	source := []byte{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}
	destination := []byte{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}
	transport := f.transport(append(append([]byte{}, source...), destination...), payload)
	ip := []byte{0x86, 0xdd, 0x60 | f.trafficClass>>4, f.trafficClass << 4, 0, 7}
	ip = binary.BigEndian.AppendUint16(ip, uint16(8*f.ipOptions+len(transport)))
	if f.ipOptions == 0 {
		ip = append(ip, f.protocol(), f.hopLimit)
	} else {
		ip = append(ip, 60, f.hopLimit)
	}
	ip = append(append(ip, source...), destination...)
	if f.ipOptions > 0 { // destination options, nothing but padding
		ip = append(ip, f.protocol(), uint8(f.ipOptions-1))
		ip = append(ip, make([]byte, 8*f.ipOptions-2)...)
	}
	return append(ip, transport...)
}

// transport builds the TCP segment or UDP datagram.
func (f flow) transport(addresses, payload []byte) []byte {
	b := append([]byte{}, f.ports[:]...)
	at := 6
	if f.udp {
		b = binary.BigEndian.AppendUint16(b, uint16(8+len(payload)))
		b = append(b, 0, 0)
	} else {
		at = 16
		b = binary.BigEndian.AppendUint32(b, f.seq)
		b = binary.BigEndian.AppendUint32(b, f.ack)
		b = append(b, uint8(5+f.tcpOptions)<<4, f.flags)
		b = binary.BigEndian.AppendUint16(b, f.window)
		b = append(b, 0, 0, 0, 0)
		b = append(b, bytes.Repeat([]byte{1}, 4*f.tcpOptions)...)
	}
	b = append(b, payload...)
	pseudo := append([]byte{}, addresses...)
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(b)))
	pseudo = append(pseudo, 0, 0, 0, f.protocol())
	v := slowChecksum(append(pseudo, b...))
	if v == 0 {
		v = 0xffff
	}
	binary.BigEndian.PutUint16(b[at:], v)
	return b
}

// l4 is where the transport header of the flow's frames begins.
func (f flow) l4() int {
	if f.v6 {
		return 14 + 4*f.tags + 40 + 8*f.ipOptions
	}
	return 14 + 4*f.tags + 20 + 4*f.ipOptions
}

// headerLen is where the payload of the flow's frames begins.
func (f flow) headerLen() int {
	if f.udp {
		return f.l4() + 8
	}
	return f.l4() + 20 + 4*f.tcpOptions
}

// offload builds the one frame that stands for all segments of size octets, with its virtio-net header.
func (f flow) offload(payload []byte, size int) (vnetHeader, []byte) {
	h := vnetHeader{
		flags:         vnetNeedsChecksum,
		gsoSize:       uint16(size),
		checksumStart: uint16(f.l4()),
	}
	switch {
	case f.udp:
		h.gsoType, h.checksumOffset = gsoUDP, 6
	case f.v6:
		h.gsoType, h.checksumOffset = gsoTCPv6, 16
	default:
		h.gsoType, h.checksumOffset = gsoTCPv4, 16
	}
	frame := f.frame(payload)
	binary.BigEndian.PutUint16(frame[f.l4()+int(h.checksumOffset):], 0xbeef) // still to be filled in
	return h, frame
}

// segments builds what offload stands for.
func (f flow) segments(payload []byte, size int) (frames [][]byte) {
	for at := 0; at < len(payload); at += size {
		n := min(size, len(payload)-at)
		s := f
		s.seq += uint32(at)
		s.id += uint16(at / size)
		if at+n < len(payload) {
			s.flags &^= 0x01 | 0x08 // FIN, PSH
		}
		if at > 0 {
			s.flags &^= 0x80 // CWR
		}
		frames = append(frames, s.frame(payload[at:at+n]))
	}
	return frames
}

// slowChecksum is RFC 1071, read aloud.
func slowChecksum(b []byte) uint16 {
	var acc uint32
	for i, octet := range b {
		if i%2 == 0 {
			acc += uint32(octet) << 8
		} else {
			acc += uint32(octet)
		}
		acc = acc&0xffff + acc>>16
	}
	return ^uint16(acc)
}

// octets makes a payload that differs at every place.
func octets(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

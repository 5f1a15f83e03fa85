package userspace

import (
	"encoding/binary"
	"math/bits"
)

// sum adds the octets of b, as 16-bit words in network order, to a ones' complement sum (RFC 1071) whose carries are
// still to be folded in. b begins at an even offset of what is summed; an odd last octet counts as followed by zero.
//
// The sum of RFC 1071 does not depend on the byte order in which it is taken, so the words are added as they lie in
// memory on most machines, 64 bits at a time, and the result is swapped once.
func sum(acc uint64, b []byte) uint64 {
	var s, c uint64
	for len(b) >= 64 {
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(b[0:8]), c)
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(b[8:16]), c)
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(b[16:24]), c)
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(b[24:32]), c)
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(b[32:40]), c)
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(b[40:48]), c)
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(b[48:56]), c)
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(b[56:64]), c)
		b = b[64:]
	}
	for len(b) >= 8 {
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(b), c)
		b = b[8:]
	}
	s, c = bits.Add64(s, tail(b), c)
	s += c // without another carry: a sum that has carried is never all ones
	return acc + uint64(bits.ReverseBytes16(fold(s)))
}

// tail is b, shorter than 8 octets, as a little-endian number.
func tail(b []byte) (v uint64) {
	for i, octet := range b {
		v |= uint64(octet) << (8 * i)
	}
	return v
}

// fold adds the carries of a sum back in until 16 bits are left.
func fold(acc uint64) uint16 {
	acc = acc>>32 + acc&0xffffffff
	acc = acc>>16 + acc&0xffff
	acc = acc>>16 + acc&0xffff
	acc = acc>>16 + acc&0xffff
	return uint16(acc)
}

// checksum is the value of a checksum field for a sum.
func checksum(acc uint64) uint16 { return ^fold(acc) }

// transportChecksum is the value of a TCP or UDP checksum field: zero, which in UDP says that there is no checksum,
// gives way to the other zero of ones' complement (RFC 768).
func transportChecksum(acc uint64) uint16 {
	if v := checksum(acc); v != 0 {
		return v
	}
	return 0xffff
}

// completeChecksum does what the stack left to the device: it sums frame from start on, where the field holds the sum
// of the pseudo-header, and fills the field in, which lies offset octets behind start. It reports false, and leaves
// the frame alone, when the field is not within the frame.
func completeChecksum(frame []byte, start, offset int) bool {
	if start+offset+2 > len(frame) {
		return false
	}
	v := transportChecksum(sum(0, frame[start:]))
	binary.BigEndian.PutUint16(frame[start+offset:], v)
	return true
}

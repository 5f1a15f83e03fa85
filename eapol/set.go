package eapol

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// The types of the parameter sets, octet 1 of every one but the first (11.11.1).
const (
	setLivePeerList      uint8 = 1
	setPotentialPeerList uint8 = 2
	setSAKUse            uint8 = 3
	setDistributedSAK    uint8 = 4
	setDistributedCAK    uint8 = 5
	setKMD               uint8 = 6
	setAnnouncement      uint8 = 7
	setXPN               uint8 = 8
	setICVIndicator      uint8 = 255
)

const (
	setHeaderLen = 4
	maxSetBody   = 1<<12 - 1 // the length field has 12 bits
)

// A setHeader is the four octets before the body of a parameter set (11.11.1).
//
//	octet 1 | 2      | 3, upper half | 3, lower half, and 4
//	kind    | detail | flags         | body length, octets
type setHeader struct {
	kind   uint8 // of the Basic Parameter Set: the MKA version
	detail uint8 // what it means is the set's affair
	flags  uint8 // octet 3, whose lower half is the length's
	length int   // neither header nor padding
}

// readSet takes one set off s: its header, its body without the padding. false: it does not fit.
func readSet(s *cryptobyte.String) (h setHeader, body cryptobyte.String, ok bool) {
	ok = h.read(s) && s.ReadBytes((*[]byte)(&body), h.length) && s.Skip(paddingLen(h.length))
	return h, body, ok
}

func (h *setHeader) read(s *cryptobyte.String) bool {
	var flagsAndLength uint16
	ok := s.ReadUint8(&h.kind) && s.ReadUint8(&h.detail) && s.ReadUint16(&flagsAndLength)
	h.flags = uint8(flagsAndLength >> 8)
	h.length = int(flagsAndLength & maxSetBody)
	return ok
}

// isICVIndicator reports whether s is all that an ICV Indicator has before the ICV: its header (11.11.3). A set of
// its type that stands elsewhere, or says another length, indicates no ICV that the algorithm agility knows.
func isICVIndicator(s cryptobyte.String) bool {
	var h setHeader
	return h.read(&s) && h.kind == setICVIndicator && h.length == ICVLen && s.Empty()
}

func appendSetHeader(b []byte, h setHeader) []byte {
	if h.length > maxSetBody {
		panic(fmt.Sprintf("eapol: parameter set %d of %d octets, beyond %d", h.kind, h.length, maxSetBody))
	}
	b = append(b, h.kind, h.detail)
	return binary.BigEndian.AppendUint16(b, uint16(h.flags)<<8|uint16(h.length))
}

// appendOctets appends a set whose body is nothing but octets.
func appendOctets(b []byte, kind uint8, body []byte) []byte {
	b = appendSetHeader(b, setHeader{kind: kind, length: len(body)})
	b = append(b, body...)
	return appendPadding(b, len(body))
}

// appendPadding pads a body of the given length, which ends b.
func appendPadding(b []byte, length int) []byte {
	var zero [bodyMultiple - 1]byte
	return append(b, zero[:paddingLen(length)]...)
}

// paddingLen is how many octets bring length to a multiple of 4.
func paddingLen(length int) int { return -length & (bodyMultiple - 1) }

// setLen is what a set takes in the frame, 0 if it is not present.
func setLen(present bool, body int) int {
	if !present {
		return 0
	}
	return setHeaderLen + body + paddingLen(body)
}

// bit is mask if set, else no bit.
func bit(set bool, mask uint8) uint8 {
	if set {
		return mask
	}
	return 0
}

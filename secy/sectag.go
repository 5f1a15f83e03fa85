package secy

import "encoding/binary"

// EtherType is the EtherType with which a SecTAG begins (9.4).
const EtherType = 0x88e5

// Overhead is how many octets a protected frame is longer than the user's, at most: a SecTAG with an explicit SCI, and
// the ICV. The MTU of a Controlled Port is that of its Common Port less Overhead.
const Overhead = longTagLen + icvLen

// The parts of a protected frame, in octets: DA and SA, SecTAG, Secure Data, ICV (8.3).
const (
	addressesLen = 12
	etherTypeLen = 2
	shortTagLen  = 8  // EtherType, TCI and AN, SL, PN
	longTagLen   = 16 // the same and an SCI
	icvLen       = 16 // with every suite of clause 14

	// minFrameLen is to what Ethernet pads a frame, without its FCS: a shorter one may have grown on the way.
	minFrameLen = 60

	// shortLimit is the length of Secure Data from which on SL is 0 (9.7): no such frame can have been padded.
	shortLimit = 48
)

// The bits of the third octet of a SecTAG (9.5); its lowest two are the AN (9.6).
const (
	tciVersion = 0x80 // V: must be 0
	tciES      = 0x40 // end station: the SCI is the source address and port 1
	tciSC      = 0x20 // an SCI follows the PN
	tciSCB     = 0x10 // single copy broadcast: the SCI is the source address and port 0
	tciE       = 0x08 // the user data is encrypted
	tciC       = 0x04 // the Secure Data differs from the user data
	tciAN      = 0x03
)

// A secTAG is the tag of a protected frame (Figure 9-2), as it stands on the wire.
type secTAG struct {
	tci uint8 // V ES SC SCB E C, and the AN
	sl  uint8
	pn  uint32 // the low half with an XPN suite
	sci SCI    // only with tciSC
}

func (t *secTAG) has(bits uint8) bool { return t.tci&bits == bits }

func (t *secTAG) an() AN { return AN(t.tci & tciAN) }

// len is the length of the tag, its EtherType included.
func (t *secTAG) len() int {
	if t.has(tciSC) {
		return longTagLen
	}
	return shortTagLen
}

// appendTo appends the tag, from its EtherType on.
func (t *secTAG) appendTo(b []byte) []byte {
	b = append(b, EtherType>>8, EtherType&0xff, t.tci, t.sl)
	b = binary.BigEndian.AppendUint32(b, t.pn)
	if t.has(tciSC) {
		b = binary.BigEndian.AppendUint64(b, uint64(t.sci))
	}
	return b
}

// parseSecTAG reads the tag at the start of b, whose EtherType the caller has seen. It reports false for what can be no
// tag of this version (9.12 a to d): too short, V set, SC beside ES or SCB, SL of 48 or more.
func parseSecTAG(b []byte) (t secTAG, ok bool) {
	if len(b) < shortTagLen {
		return t, false
	}
	t = secTAG{tci: b[2], sl: b[3], pn: binary.BigEndian.Uint32(b[4:])}
	if t.has(tciVersion) || t.sl >= shortLimit {
		return t, false
	}
	if !t.has(tciSC) {
		return t, true
	}
	if t.has(tciES) || t.has(tciSCB) || len(b) < longTagLen {
		return t, false
	}
	t.sci = SCI(binary.BigEndian.Uint64(b[shortTagLen:]))
	return t, true
}

// shortLength is the SL for n octets of Secure Data (9.7).
func shortLength(n int) uint8 {
	if n < shortLimit {
		return uint8(n)
	}
	return 0
}

// cutPadding returns the frame whose tag this is without what Ethernet may have added behind a short one. It reports
// false when the length of the frame contradicts SL (9.12 e and f).
func (t *secTAG) cutPadding(frame []byte) ([]byte, bool) {
	around := addressesLen + t.len() + icvLen
	if t.sl == 0 {
		return frame, len(frame) >= around+shortLimit
	}
	whole := around + int(t.sl)
	if len(frame) < whole || len(frame) > max(whole, minFrameLen) {
		return nil, false
	}
	return frame[:whole], true
}

// impliedSCI is the SCI that a tag without one gives to a frame from source (9.9); false when the tag implies none.
func (t *secTAG) impliedSCI(source [6]byte) (SCI, bool) {
	switch {
	case t.has(tciSCB):
		return NewSCI(source, 0), true
	case t.has(tciES):
		return NewSCI(source, endStationPort), true
	}
	return 0, false
}

// endStationPort is the port identifier of an SCI that ES stands for (9.5).
const endStationPort = 1

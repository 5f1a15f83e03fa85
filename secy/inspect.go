package secy

import "encoding/binary"

// A Tag is what the SecTAG of a frame says, for those who look at frames without a SecY (9.3).
type Tag struct {
	ES, SC, SCB, E, C bool
	AN                AN
	SL                uint8
	PN                uint32 // the low half with an XPN suite
	SCI               SCI    // the explicit one, or that which ES or SCB imply; 0: the tag names none
	Len               int    // of the tag in octets, its EtherType included
	Octets            int    // of Secure Data
}

// A TagFault is the reason for which a SecY counts a frame under InPktsBadTag, whatever its suite (9.12).
type TagFault uint8

// The faults, in the order in which they are looked for.
const (
	TagSound        TagFault = iota
	TagShort                 // the frame ends within the tag
	TagVersion               // V is set: another version of the protocol
	TagSL                    // SL is 48 or more
	TagSCI                   // SC beside ES or SCB
	TagEncryptsOnly          // E without C: for those who manage keys, not for the Controlled Port (9.5)
	TagLength                // the length of the frame contradicts SL

	tagFaultEnd
)

var tagFaultNames = [tagFaultEnd]string{"sound", "short-tag", "version", "short-length", "sc-beside-es-or-scb", "e-without-c",
	"length"}

// String is the fault in one word.
func (f TagFault) String() string {
	if f < tagFaultEnd {
		return tagFaultNames[f]
	}
	return "unknown"
}

// Offset is where in a frame of n octets the fault is, in octets from its DA on.
func (f TagFault) Offset(n int) int {
	switch f {
	case TagShort:
		return n
	case TagSL, TagLength:
		return addressesLen + 3
	}
	return addressesLen + etherTypeLen
}

// Inspect reads the SecTAG of a frame (DA, SA, EtherType 88E5), and says why a SecY would call it bad. It finds TagSound
// exactly where Verify counts no InPktsBadTag, but for PN 0, which only the suites of 32-bit packet numbers forbid. Of a
// tag that is too short nothing is read.
func Inspect(frame []byte) (Tag, TagFault) {
	if !tagged(frame) || len(frame) < addressesLen+shortTagLen {
		return Tag{}, TagShort
	}
	b := frame[addressesLen:]
	tag := secTAG{tci: b[2], sl: b[3], pn: binary.BigEndian.Uint32(b[4:])}
	if tag.has(tciSC) && len(b) >= longTagLen {
		tag.sci = SCI(binary.BigEndian.Uint64(b[shortTagLen:]))
	}
	return tag.inspected(frame), tag.fault(frame)
}

func (t *secTAG) fault(frame []byte) TagFault {
	switch _, whole := t.cutPadding(frame); {
	case t.has(tciVersion):
		return TagVersion
	case t.sl >= shortLimit:
		return TagSL
	case t.has(tciSC | tciES), t.has(tciSC | tciSCB):
		return TagSCI
	case len(frame) < addressesLen+t.len():
		return TagShort
	case t.has(tciE) && !t.has(tciC):
		return TagEncryptsOnly
	case !whole:
		return TagLength
	}
	return TagSound
}

func (t *secTAG) inspected(frame []byte) Tag {
	sci := t.sci
	if implied, ok := t.impliedSCI([6]byte(frame[6:])); ok && !t.has(tciSC) {
		sci = implied
	}
	octets := int(t.sl)
	if octets == 0 {
		octets = max(len(frame)-addressesLen-t.len()-icvLen, 0)
	}
	return Tag{ES: t.has(tciES), SC: t.has(tciSC), SCB: t.has(tciSCB), E: t.has(tciE), C: t.has(tciC), AN: t.an(), SL: t.sl,
		PN: t.pn, SCI: sci, Len: t.len(), Octets: octets}
}

// RecoverPN is the packet number that the receive SA of key in the SC of sci would find for a frame whose SecTAG has low
// (10.6.2); false when there is no such SA. It belongs to the goroutine that verifies.
func (s *SecY) RecoverPN(sci SCI, key KeyID, low uint32) (PN, bool) {
	sa, _ := s.table.Load().receiveSA(sci, key)
	if sa == nil {
		return 0, false
	}
	return sa.recover(low), true
}

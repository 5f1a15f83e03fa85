package eapol

import (
	"cmp"
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// EtherType is that of EAPOL, the PAE Ethernet Type (11.1).
const EtherType uint16 = 0x888E

// Version is the EAPOL protocol version of 802.1X-2010 and since, in which MKPDUs are sent (11.3.1).
const Version uint8 = 3

// The EAPOL packet types (11.3.2). Only PacketMKA is of interest here.
const (
	PacketEAP                  uint8 = 0
	PacketStart                uint8 = 1
	PacketLogoff               uint8 = 2
	PacketKey                  uint8 = 3
	PacketASFAlert             uint8 = 4
	PacketMKA                  uint8 = 5
	PacketAnnouncementGeneric  uint8 = 6
	PacketAnnouncementSpecific uint8 = 7
	PacketAnnouncementReq      uint8 = 8
)

// The group addresses that a PAE may use (11.1), by how far a frame to them goes. They are never assigned to.
var (
	// PAEGroup is the Nearest non-TPMR Bridge group address: the default, which only a two-port MAC relay lets through.
	PAEGroup = MAC{0x01, 0x80, 0xC2, 0x00, 0x00, 0x03}
	// NearestBridge stays on the individual LAN: every kind of bridge stops it.
	NearestBridge = MAC{0x01, 0x80, 0xC2, 0x00, 0x00, 0x0E}
	// NearestCustomerBridge passes provider bridges.
	NearestCustomerBridge = MAC{0x01, 0x80, 0xC2, 0x00, 0x00, 0x00}
)

// ICVLen is the length of an ICV in octets, whatever the length of its key (9.4.1).
const ICVLen = 16

// Sizes of what stands before the packet body.
const (
	ethernetLen = 14
	eapolLen    = 4
	headerLen   = ethernetLen + eapolLen
)

// A MAC is an Ethernet address.
type MAC [6]byte

// String prints the address with colons.
func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// IsGroup reports whether the address is a group address.
func (m MAC) IsGroup() bool { return m[0]&1 != 0 }

// ParseEnvelope reads what may be read of a frame before its ICV is checked: the headers, the Basic Parameter Set and
// where the ICV stands. It makes the checks of 11.4 and the first five of 11.11.2, in their order, and returns the
// reason of the first that fails; frame then deserves no further look, and m holds what was read until there (DA, SA and
// EtherType except after DiscardShortFrame). Octets after the packet body are ignored.
//
// m is overwritten, all parameter sets of an earlier frame included, but the memory of its lists is kept for reuse. It
// goes on pointing into frame, which is not changed and must not change as long as m is used.
func ParseEnvelope(frame []byte, a Acceptance, m *MKPDU) Discard {
	m.reset()
	body, d := m.parseHeader(frame, a)
	if d != Accepted {
		return d
	}
	if d := checkBody(body); d != Accepted {
		return d
	}
	return m.parseBody(frame[: headerLen+len(body) : headerLen+len(body)])
}

// parseHeader checks everything in front of the packet body (11.4) and cuts the body out.
func (m *MKPDU) parseHeader(frame []byte, a Acceptance) (cryptobyte.String, Discard) {
	s := cryptobyte.String(frame)
	var version, packet uint8
	var length uint16
	whole := s.CopyBytes(m.DA[:]) && s.CopyBytes(m.SA[:]) && s.ReadUint16(&m.EtherType) &&
		s.ReadUint8(&version) && s.ReadUint8(&packet) && s.ReadUint16(&length)
	switch {
	case !whole:
		return nil, DiscardShortFrame
	case m.EtherType != a.etherType():
		return nil, DiscardEtherType
	case !a.destination(m.DA):
		return nil, DiscardDestination
	case int(length) > len(s):
		return nil, DiscardLength
	case packet != PacketMKA:
		return nil, DiscardNotMKA
	case version < Version:
		return nil, DiscardEAPOLVersion
	}
	m.EAPOLVersion = version
	return s[:length], Accepted
}

// parseBody reads the first and the last part of the packet body that ends frame, and remembers what lies between.
func (m *MKPDU) parseBody(frame []byte) Discard {
	covered := frame[:len(frame)-ICVLen]
	s := cryptobyte.String(covered[headerLen:])
	h, body, ok := readSet(&s)
	if !ok {
		return DiscardBasicLength
	}
	if d := m.Basic.parse(h, body); d != Accepted {
		return d
	}
	m.covered, m.sets = covered, s
	copy(m.ICV[:], frame[len(covered):])
	return Accepted
}

// Authenticated returns the octets that the ICV covers: the frame from its DA up to the ICV, the header of an ICV
// Indicator included (9.4.1). They are lent from the frame that ParseEnvelope accepted; nil if it accepted none.
func (m *MKPDU) Authenticated() []byte { return m.covered }

// appendHeader appends everything in front of a packet body of length octets.
func (m *MKPDU) appendHeader(b []byte, length int) []byte {
	b = append(b, m.DA[:]...)
	b = append(b, m.SA[:]...)
	b = binary.BigEndian.AppendUint16(b, cmp.Or(m.EtherType, EtherType))
	b = append(b, cmp.Or(m.EAPOLVersion, Version), PacketMKA)
	return binary.BigEndian.AppendUint16(b, uint16(length))
}

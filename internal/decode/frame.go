package decode

import (
	"encoding/binary"
	"fmt"

	"mkad/eapol"
	"mkad/secy"
)

// The layout of an Ethernet frame, in octets.
const (
	addressesLen = 12
	headerLen    = addressesLen + 2
	vlanTagLen   = 4
	// maxVLANTags bounds how many tags are looked behind: two are usual.
	maxVLANTags = 4
)

// isVLAN reports whether an EtherType begins a VLAN tag (802.1Q C-TAG and S-TAG, and what was used before there was one).
func isVLAN(etherType uint16) bool {
	return etherType == 0x8100 || etherType == 0x88a8 || etherType == 0x9100
}

// An etherFrame is a frame with its VLAN tags found.
type etherFrame struct {
	data      []byte // as captured
	tags      int    // octets of VLAN tags behind the addresses
	vlans     []uint16
	etherType uint16 // behind the tags; 0: the frame is too short for one
}

func takeApart(data []byte) (f etherFrame) {
	f.data = data
	for len(data) >= addressesLen+f.tags+2 {
		etherType := binary.BigEndian.Uint16(data[addressesLen+f.tags:])
		whole := len(data) >= addressesLen+f.tags+vlanTagLen
		if !isVLAN(etherType) || !whole || len(f.vlans) == maxVLANTags {
			f.etherType = etherType
			return f
		}
		f.vlans = append(f.vlans, binary.BigEndian.Uint16(data[addressesLen+f.tags+2:])&0x0fff)
		f.tags += vlanTagLen
	}
	return f
}

// appendUntagged appends the frame without its VLAN tags: those are outside of what an ICV covers (802.1X-2020 9.4.1).
func (f *etherFrame) appendUntagged(b []byte) []byte {
	b = append(b, f.data[:addressesLen]...)
	return append(b, f.data[addressesLen+f.tags:]...)
}

// appendTagged appends a frame with the VLAN tags of this one put behind its addresses.
func (f *etherFrame) appendTagged(b, untagged []byte) []byte {
	b = append(b, untagged[:addressesLen]...)
	b = append(b, f.data[addressesLen:addressesLen+f.tags]...)
	return append(b, untagged[addressesLen:]...)
}

// kindOf says what a frame is, by its EtherType and, with EAPOL, by its packet type. mka is a second EtherType of EAPOL, 0 for
// none.
func (f *etherFrame) kindOf(mka uint16) Kind {
	switch {
	case f.etherType == secy.EtherType:
		return KindMACsec
	case f.etherType != eapol.EtherType && (f.etherType != mka || mka == 0):
		return KindOther
	}
	if at := headerLen + f.tags + 1; len(f.data) > at && f.data[at] == eapol.PacketMKA {
		return KindMKA
	}
	return KindEAPOL
}

// eapolTypes are the EAPOL packet types by name (802.1X-2020 Table 11-3).
var eapolTypes = map[uint8]string{
	eapol.PacketEAP:                  "EAPOL-EAP",
	eapol.PacketStart:                "EAPOL-Start",
	eapol.PacketLogoff:               "EAPOL-Logoff",
	eapol.PacketKey:                  "EAPOL-Key",
	eapol.PacketASFAlert:             "EAPOL-Encapsulated-ASF-Alert",
	eapol.PacketMKA:                  "EAPOL-MKA",
	eapol.PacketAnnouncementGeneric:  "EAPOL-Announcement (Generic)",
	eapol.PacketAnnouncementSpecific: "EAPOL-Announcement (Specific)",
	eapol.PacketAnnouncementReq:      "EAPOL-Announcement-Req",
}

func eapolTypeName(t uint8) string {
	if name, known := eapolTypes[t]; known {
		return name
	}
	return fmt.Sprintf("EAPOL type %d", t)
}

// eapolHeader reads the header of an EAPOL packet in an untagged frame; nil if the frame ends before it does.
func eapolHeader(frame []byte) *EAPOL {
	if len(frame) < headerLen+4 {
		return nil
	}
	b := frame[headerLen:]
	return &EAPOL{Version: b[0], Type: b[1], TypeName: eapolTypeName(b[1]), Length: int(binary.BigEndian.Uint16(b[2:]))}
}

// etherTypeNames are those of frames that are usual beside a secured link.
var etherTypeNames = map[uint16]string{0x0800: "IPv4", 0x0806: "ARP", 0x86dd: "IPv6", 0x88cc: "LLDP", 0x8809: "slow protocols",
	0x8863: "PPPoE discovery", 0x8864: "PPPoE", 0x8847: "MPLS", 0x8100: "VLAN", 0x88a8: "VLAN", 0x9100: "VLAN"}

// minEtherType is the least EtherType; below it the field is a length (802.3 3.2.6).
const minEtherType = 0x0600

// etherTypeText is an EtherType with its name.
func etherTypeText(t uint16) string {
	switch name := etherTypeNames[t]; {
	case t == 0:
		return "too short"
	case t < minEtherType:
		return "802.3 length"
	case name != "":
		return fmt.Sprintf("%04x %s", t, name)
	}
	return fmt.Sprintf("%04x", t)
}

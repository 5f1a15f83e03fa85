package eapol

import (
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"

	"mkad/keyderive"
	"mkad/secy"
)

// basicLen is the length of the body before the CKN: SCI, MI, MN and algorithm agility.
const basicLen = 8 + 12 + 4 + 4

// Flags of the Basic Parameter Set.
const (
	basicKeyServer       = 0x80
	basicMACsecDesired   = 0x40
	basicCapability      = 0x30
	basicCapabilityShift = 4
)

// Basic is the Basic Parameter Set (Figure 11-8), the first of every MKPDU.
//
//	MKA version | priority | KS MD CC | length      CC: MACsec capability
//	SCI (8)
//	MI (12)
//	MN (4)
//	algorithm agility (4)
//	CKN (1 to 32), padding
type Basic struct {
	MKAVersion        uint8 // sent as it stands; no check and no parsing depends on it but that of KeyServerSSCI
	KeyServerPriority uint8 // 0 is most wanted, 255 is never
	KeyServer         bool  // the sender is key server, or has not accepted another
	MACsecDesired     bool
	Capability        secy.Capability
	SCI               secy.SCI
	MI                MI
	MN                MN
	AlgorithmAgility  uint32
	CKN               keyderive.CKN
}

// parse reads the set; the padding of its CKN is gone already, so that no zero octet is taken for part of it.
func (p *Basic) parse(h setHeader, body cryptobyte.String) Discard {
	*p = Basic{
		MKAVersion:        h.kind,
		KeyServerPriority: h.detail,
		KeyServer:         h.flags&basicKeyServer != 0,
		MACsecDesired:     h.flags&basicMACsecDesired != 0,
		Capability:        secy.Capability(h.flags & basicCapability >> basicCapabilityShift),
	}
	ok := body.ReadUint64((*uint64)(&p.SCI)) && body.CopyBytes(p.MI[:]) && body.ReadUint32((*uint32)(&p.MN)) &&
		body.ReadUint32(&p.AlgorithmAgility)
	if !ok {
		return DiscardCKNLength // so short that the CKN's length is below 0
	}
	var err error
	if p.CKN, err = keyderive.NewCKN(body); err != nil {
		return DiscardCKNLength
	}
	return Accepted
}

func (p *Basic) bodyLen() int { return basicLen + p.CKN.Len() }

func (p *Basic) appendTo(b []byte) []byte {
	b = appendSetHeader(b, setHeader{
		kind:   p.MKAVersion,
		detail: p.KeyServerPriority,
		flags: bit(p.KeyServer, basicKeyServer) | bit(p.MACsecDesired, basicMACsecDesired) |
			uint8(p.Capability)<<basicCapabilityShift&basicCapability,
		length: p.bodyLen(),
	})
	b = binary.BigEndian.AppendUint64(b, uint64(p.SCI))
	b = append(b, p.MI[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(p.MN))
	b = binary.BigEndian.AppendUint32(b, p.AlgorithmAgility)
	b = p.CKN.AppendTo(b)
	return appendPadding(b, p.bodyLen())
}

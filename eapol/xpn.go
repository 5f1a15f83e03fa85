package eapol

import (
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"
)

// xpnLen is the length of the body: two halves of a PN.
const xpnLen = 4 + 4

// XPN is the XPN parameter set (Figure 11-16): what SAKUse has no room for. It is accepted beside every MKA version and
// every suite, as some send it always; one of another length than 8 is ignored as if it were absent.
//
//	8 | suspension time | length
//	latest key: bits 63 to 32 of its LPN (4)
//	old key:    bits 63 to 32 of its LPN (4)
type XPN struct {
	Present        bool
	SuspensionTime uint8 // seconds
	LatestHigh     uint32
	OldHigh        uint32
}

func (p *XPN) parse(h setHeader, body cryptobyte.String) {
	var latest, old uint32
	if body.ReadUint32(&latest) && body.ReadUint32(&old) && body.Empty() {
		*p = XPN{Present: true, SuspensionTime: h.detail, LatestHigh: latest, OldHigh: old}
	}
}

func (p *XPN) appendTo(b []byte) []byte {
	if !p.Present {
		return b
	}
	b = appendSetHeader(b, setHeader{kind: setXPN, detail: p.SuspensionTime, length: xpnLen})
	b = binary.BigEndian.AppendUint32(b, p.LatestHigh)
	return binary.BigEndian.AppendUint32(b, p.OldHigh)
}

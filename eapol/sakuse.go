package eapol

import (
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"

	"mkad/secy"
)

// sakUseLen is the length of the body, unless it is 0: two keys of KI and LPN.
const sakUseLen = 2 * (12 + 4 + 4)

// Flags of the MACsec SAK Use parameter set. Those of a key stand four bits higher for the latest than for the old one.
const (
	sakUseANShift   = 2
	sakUseANMask    = 0x03 // once shifted
	sakUseTx        = 0x02
	sakUseRx        = 0x01
	sakUseLatestUp  = 4
	sakUsePlainTx   = 0x80
	sakUsePlainRx   = 0x40
	sakUseDelayProt = 0x10
)

// SAKUse is the MACsec SAK Use parameter set (Figure 11-10): how its sender uses the latest and the old key.
//
//	3 | LAN LTx LRx OAN OTx ORx | PTx PRx - DP | length
//	latest key: MI (12), KN (4), LPN (4)
//	old key:    MI (12), KN (4), LPN (4)
//
// A set whose length is neither 0 nor at least 40 is ignored as if it were absent; of a longer one the rest is ignored.
type SAKUse struct {
	Present      bool
	Empty        bool // body length 0: MACsec is not supported or not going to be used
	Latest, Old  KeyUse
	PlainTx      bool // the sender transmits frames in clear
	PlainRx      bool // the sender accepts frames in clear
	DelayProtect bool
}

// A KeyUse is one half of SAKUse: how its sender uses one key. Zero is no key.
type KeyUse struct {
	KI  KI
	AN  secy.AN
	Tx  bool
	Rx  bool
	LPN uint32 // lowest acceptable PN; the low half with an XPN suite
}

func (p *SAKUse) parse(h setHeader, body cryptobyte.String) {
	if len(body) > 0 && len(body) < sakUseLen {
		return
	}
	*p = SAKUse{
		Present:      true,
		Empty:        len(body) == 0,
		PlainTx:      h.flags&sakUsePlainTx != 0,
		PlainRx:      h.flags&sakUsePlainRx != 0,
		DelayProtect: h.flags&sakUseDelayProt != 0,
	}
	if !p.Empty {
		p.Latest.parse(h.detail>>sakUseLatestUp, &body)
		p.Old.parse(h.detail, &body)
	}
}

// parse takes one key off a body that is known to be long enough.
func (k *KeyUse) parse(flags uint8, body *cryptobyte.String) {
	k.AN = secy.AN(flags >> sakUseANShift & sakUseANMask)
	k.Tx = flags&sakUseTx != 0
	k.Rx = flags&sakUseRx != 0
	_ = body.CopyBytes(k.KI.MI[:]) && body.ReadUint32((*uint32)(&k.KI.KN)) && body.ReadUint32(&k.LPN)
}

func (p *SAKUse) bodyLen() int {
	if p.Empty {
		return 0
	}
	return sakUseLen
}

func (p *SAKUse) appendTo(b []byte) []byte {
	if !p.Present {
		return b
	}
	h := setHeader{
		kind: setSAKUse,
		flags: bit(p.PlainTx, sakUsePlainTx) | bit(p.PlainRx, sakUsePlainRx) |
			bit(p.DelayProtect, sakUseDelayProt),
		length: p.bodyLen(),
	}
	if p.Empty {
		return appendSetHeader(b, h)
	}
	h.detail = p.Latest.flags()<<sakUseLatestUp | p.Old.flags()
	b = appendSetHeader(b, h)
	b = p.Latest.appendTo(b)
	return p.Old.appendTo(b)
}

func (k *KeyUse) flags() uint8 {
	return uint8(k.AN)&sakUseANMask<<sakUseANShift | bit(k.Tx, sakUseTx) | bit(k.Rx, sakUseRx)
}

func (k *KeyUse) appendTo(b []byte) []byte {
	b = append(b, k.KI.MI[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(k.KI.KN))
	return binary.BigEndian.AppendUint32(b, k.LPN)
}

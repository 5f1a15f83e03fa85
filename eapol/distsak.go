package eapol

import (
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"

	"mkad/secy"
)

// wrapLen is what AES key wrap adds to a key (RFC 3394).
const wrapLen = 8

// Lengths of the body, unless it is 0.
const (
	distributedSAKShort = 4 + 16 + wrapLen     // KN, SAK of the default suite
	distributedSAK128   = 4 + 8 + 16 + wrapLen // KN, suite, SAK
	distributedSAK256   = 4 + 8 + 32 + wrapLen
)

// Octet 2 of the Distributed SAK parameter set.
const (
	distributedSAKANShift     = 6
	distributedSAKOffsetShift = 4
	distributedSAKOffsetMask  = 0x03 // once shifted
)

// DistributedSAK is the Distributed SAK parameter set (Figures 11-11 and 11-12), by which a key server hands out a key,
// or says that there will be none.
//
//	4 | AN CO - | length          CO: confidentiality offset
//	KN (4)
//	cipher suite (8)              left out for GCM-AES-128
//	wrapped SAK (24 or 40)
type DistributedSAK struct {
	Present bool
	Empty   bool // body length 0: the key server has decided that MACsec is not used
	AN      secy.AN
	Offset  secy.ConfidentialityOffset
	KN      KN
	Suite   secy.CipherSuite // as on the wire, with the alias replaced; GCMAES128 in the 28-octet form
	LongID  bool             // GCM-AES-128 stood in the 36-octet form, suite identifier included
	Wrapped []byte           // 24 or 40 octets
}

// parse accepts the lengths of Figures 11-11 and 11-12 only, and only the suites whose SAK, once wrapped, has the length
// that is there: what does not fit together cannot be unwrapped and installed.
func (p *DistributedSAK) parse(h setHeader, body cryptobyte.String) Discard {
	switch len(body) {
	case 0:
		*p = DistributedSAK{Present: true, Empty: true}
		return Accepted
	case distributedSAKShort, distributedSAK128, distributedSAK256:
		return p.parseKey(h, body)
	}
	return DiscardDistributedSAKLength
}

func (p *DistributedSAK) parseKey(h setHeader, body cryptobyte.String) Discard {
	*p = DistributedSAK{
		Present: true,
		AN:      secy.AN(h.detail >> distributedSAKANShift),
		Offset:  secy.ConfidentialityOffset(h.detail >> distributedSAKOffsetShift & distributedSAKOffsetMask),
		Suite:   secy.GCMAES128,
	}
	ok := body.ReadUint32((*uint32)(&p.KN))
	if h.length != distributedSAKShort {
		ok = ok && readSuite(&body, &p.Suite)
		p.LongID = p.Suite == secy.GCMAES128
	}
	if !ok || len(body) != p.Suite.KeyLen()+wrapLen { // an unknown suite has no key length
		return DiscardDistributedSAKSuite
	}
	p.Wrapped = body
	return Accepted
}

// readSuite takes a cipher suite identifier off s and replaces the alias by what it stands for.
func readSuite(s *cryptobyte.String, suite *secy.CipherSuite) bool {
	ok := s.ReadUint64((*uint64)(suite))
	if *suite == secy.GCMAES128Alias {
		*suite = secy.GCMAES128
	}
	return ok
}

// named reports whether the suite identifier goes out.
func (p *DistributedSAK) named() bool { return p.Suite != secy.GCMAES128 || p.LongID }

func (p *DistributedSAK) bodyLen() int {
	switch {
	case p.Empty:
		return 0
	case p.named():
		return 4 + 8 + len(p.Wrapped)
	}
	return 4 + len(p.Wrapped)
}

func (p *DistributedSAK) appendTo(b []byte) []byte {
	if !p.Present {
		return b
	}
	h := setHeader{kind: setDistributedSAK, length: p.bodyLen()}
	if p.Empty {
		return appendSetHeader(b, h)
	}
	h.detail = uint8(p.AN)<<distributedSAKANShift | uint8(p.Offset)&distributedSAKOffsetMask<<distributedSAKOffsetShift
	b = appendSetHeader(b, h)
	b = binary.BigEndian.AppendUint32(b, uint32(p.KN))
	if p.named() {
		b = binary.BigEndian.AppendUint64(b, uint64(p.Suite))
	}
	b = append(b, p.Wrapped...)
	return appendPadding(b, h.length)
}

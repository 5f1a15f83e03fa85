package eapol

import (
	"encoding/binary"
	"encoding/hex"

	"golang.org/x/crypto/cryptobyte"

	"mkad/secy"
)

// AlgorithmAgility is the only value defined for the field of that name: an ICV of 16 octets by AES-CMAC, AES key wrap,
// and the KDF of 6.2.1 (Table 9-1). Of any other it is not known where the ICV stands, so such a frame is discarded.
const AlgorithmAgility uint32 = 0x0080C201

// An MI is a Member Identifier, 96 random bits that name one life of one participant (9.4.2). Zero is none.
type MI [12]byte

// IsZero reports whether the MI names nobody.
func (m MI) IsZero() bool { return m == MI{} }

// String prints the MI as 24 hexadecimal digits.
func (m MI) String() string { return hex.EncodeToString(m[:]) }

// An MN is a Message Number, counted by a participant from 1 for each MI (9.4.2).
type MN uint32

// A KN is a Key Number, counted by a key server from 1 for each MI (9.8).
type KN uint32

// A KI is a Key Identifier: the key server's MI and KN (9.8). Zero is none.
type KI struct {
	MI MI
	KN KN
}

// IsZero reports whether the KI names no key.
func (k KI) IsZero() bool { return k == KI{} }

// KeyID gives the opaque 128 bits by which a SecY knows the key: MI, then KN big endian.
func (k KI) KeyID() (id secy.KeyID) {
	copy(id[:], k.MI[:])
	binary.BigEndian.PutUint32(id[12:], uint32(k.KN))
	return id
}

// String prints the KI as 32 hexadecimal digits.
func (k KI) String() string { return k.KeyID().String() }

// An MKPDU is one EAPOL-MKA frame with its Ethernet header, taken apart (Figure 11-6).
//
// The octet slices of a parsed one point into the frame that was parsed and live as long as that; its lists (Peers,
// Suites) are its own memory, overwritten by the next parse into the same MKPDU. Those of one that is built belong to
// whoever builds it. An MKPDU is used by one goroutine at a time.
type MKPDU struct {
	DA, SA       MAC
	EtherType    uint16 // 0x888E unless configured otherwise; 0 is sent as 0x888E
	EAPOLVersion uint8  // 3; 0 is sent as 3

	Basic     Basic
	Live      PeerList // type 1
	Potential PeerList // type 2

	SAKUse         SAKUse         // type 3
	DistributedSAK DistributedSAK // type 4
	DistributedCAK DistributedCAK // type 5
	KMD            KMD            // type 6
	Announcement   Announcement   // type 7
	XPN            XPN            // type 8

	ICVIndicator bool         // type 255 stood, or is to stand, before the ICV
	ICV          [ICVLen]byte // as received; AppendTo leaves it to the caller

	covered []byte            // by the ICV; nil until an envelope is accepted
	sets    cryptobyte.String // what stands between Basic and the ICV
}

// reset forgets a whole frame, not the memory of the lists.
func (m *MKPDU) reset() {
	m.forgetSets()
	m.DA, m.SA, m.EtherType, m.EAPOLVersion = MAC{}, MAC{}, 0, 0
	m.Basic, m.ICV = Basic{}, [ICVLen]byte{}
	m.covered, m.sets = nil, nil
}

// forgetSets forgets what ParseSets gave, not the memory of the lists.
func (m *MKPDU) forgetSets() {
	m.Live = PeerList{Peers: m.Live.Peers[:0]}
	m.Potential = PeerList{Peers: m.Potential.Peers[:0]}
	m.SAKUse = SAKUse{}
	m.DistributedSAK = DistributedSAK{}
	m.DistributedCAK = DistributedCAK{}
	m.KMD = KMD{}
	m.Announcement = Announcement{Suites: m.Announcement.Suites[:0]}
	m.XPN = XPN{}
	m.ICVIndicator = false
}

// ParseSets reads the parameter sets after Basic of the frame that ParseEnvelope accepted. It is to be called once the
// ICV has been found right. The sets may come in any order; of two of one type the first counts; unknown types, reserved
// bits and padding are ignored. Either all sets are read, or a reason is returned and m holds none of them, only what the
// envelope gave.
func (m *MKPDU) ParseSets() Discard {
	d := m.parseSets()
	if d != Accepted {
		m.forgetSets()
	}
	return d
}

func (m *MKPDU) parseSets() Discard {
	if d := checkSets(m.sets); d != Accepted {
		return d
	}
	s := m.sets
	for len(s) > 0 && !isICVIndicator(s) {
		h, body, _ := readSet(&s)
		if d := m.parseSet(h, body); d != Accepted {
			return d
		}
	}
	m.ICVIndicator = isICVIndicator(s)
	m.Live.limitSSCI(m.Basic.MKAVersion, m.DistributedSAK.Suite)
	return Accepted
}

// parseSet reads one set. What is not one of these cases is skipped: a type not known, or one that stood before.
func (m *MKPDU) parseSet(h setHeader, body cryptobyte.String) Discard {
	switch {
	case h.kind == setLivePeerList && !m.Live.Present:
		return m.Live.parse(h, body)
	case h.kind == setPotentialPeerList && !m.Potential.Present:
		return m.Potential.parse(h, body)
	case h.kind == setSAKUse && !m.SAKUse.Present:
		m.SAKUse.parse(h, body)
	case h.kind == setDistributedSAK && !m.DistributedSAK.Present:
		return m.DistributedSAK.parse(h, body)
	case h.kind == setDistributedCAK && !m.DistributedCAK.Present:
		m.DistributedCAK = DistributedCAK{Present: true, Body: body}
	case h.kind == setKMD && !m.KMD.Present:
		m.KMD = KMD{Present: true, Domain: body}
	case h.kind == setAnnouncement && !m.Announcement.Present:
		m.Announcement.parse(body)
	case h.kind == setXPN && !m.XPN.Present:
		m.XPN.parse(h, body)
	}
	return Accepted
}

// ParseMKPDU is ParseEnvelope and ParseSets in one, for tools and tests: nobody has checked the ICV, the CKN and the
// algorithm agility of what it returns, so none of it may be believed.
func ParseMKPDU(frame []byte, a Acceptance, m *MKPDU) Discard {
	if d := ParseEnvelope(frame, a, m); d != Accepted {
		return d
	}
	return m.ParseSets()
}

// AppendTo appends to b the whole frame up to but excluding the ICV, which the caller computes over exactly these octets
// and appends: the body length counts it already. The sets that are present go out in ascending order of their types, and
// the header of an ICV Indicator last. It panics when a set is longer than the 4095 octets that its length field can say;
// whoever builds an MKPDU bounds its lists (MaxListedPeers, Len).
func (m *MKPDU) AppendTo(b []byte) []byte {
	b = m.appendHeader(b, m.Len()-headerLen)
	b = m.Basic.appendTo(b)
	b = m.Live.appendTo(b, setLivePeerList)
	b = m.Potential.appendTo(b, setPotentialPeerList)
	b = m.SAKUse.appendTo(b)
	b = m.DistributedSAK.appendTo(b)
	b = m.DistributedCAK.appendTo(b)
	b = m.KMD.appendTo(b)
	b = m.Announcement.appendTo(b)
	b = m.XPN.appendTo(b)
	if m.ICVIndicator {
		b = appendSetHeader(b, setHeader{kind: setICVIndicator, length: ICVLen})
	}
	return b
}

// Len returns the length in octets of the frame that AppendTo and an ICV would give, so that a caller can keep within
// the MTU of its port (which does not count the 14 octets of the Ethernet header).
func (m *MKPDU) Len() int {
	n := headerLen + setLen(true, m.Basic.bodyLen()) + ICVLen
	n += setLen(m.Live.Present, m.Live.bodyLen())
	n += setLen(m.Potential.Present, m.Potential.bodyLen())
	n += setLen(m.SAKUse.Present, m.SAKUse.bodyLen())
	n += setLen(m.DistributedSAK.Present, m.DistributedSAK.bodyLen())
	n += setLen(m.DistributedCAK.Present, len(m.DistributedCAK.Body))
	n += setLen(m.KMD.Present, len(m.KMD.Domain))
	n += setLen(m.Announcement.Present, m.Announcement.bodyLen())
	n += setLen(m.XPN.Present, xpnLen)
	return n + setLen(m.ICVIndicator, 0)
}

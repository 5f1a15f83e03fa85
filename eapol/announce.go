package eapol

import (
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"

	"mkad/secy"
)

// MaxAnnouncedSuites bounds Announcement.Suites: what is listed beyond is ignored, and not sent. There are four suites,
// so the bound leaves room for suites to come.
const MaxAnnouncedSuites = 16

// The TLVs of an announcement (11.12): a type of 7 bits, a length of 9 bits, the value.
const (
	tlvHeaderLen       = 2
	tlvLengthBits      = 9
	tlvMaxValue        = 1<<tlvLengthBits - 1
	tlvMACsecSuites    = 112
	announcedSuiteLen  = 2 + 8
	announcedSuiteMask = 0x0003 // of the capability
)

// Announcement is the Announcement parameter set (Figure 11-15), with the one TLV that MKA acts on taken out.
//
//	7 | - | length
//	type (7 bits) and length (9 bits), value      for each TLV; padding
//
// Unknown TLVs are skipped, of two MACsec Cipher Suites TLVs the first counts, and a TLV that goes past the end of the
// set ends it.
type Announcement struct {
	Present bool
	Body    []byte           // all TLVs as received; when Body is nil AppendTo encodes Suites
	Suites  []AnnouncedSuite // of the MACsec Cipher Suites TLV, known suites only; at most MaxAnnouncedSuites
}

// An AnnouncedSuite is one entry of the MACsec Cipher Suites TLV (Figure 11-22).
type AnnouncedSuite struct {
	Capability secy.Capability
	Suite      secy.CipherSuite
}

func (p *Announcement) parse(body cryptobyte.String) {
	p.Present, p.Body, p.Suites = true, body, p.Suites[:0]
	for {
		kind, value, ok := readTLV(&body)
		switch {
		case !ok:
			return
		case kind == tlvMACsecSuites:
			p.parseSuites(value)
			return
		}
	}
}

// readTLV takes one TLV off s; false at the end of s, and when the TLV goes past it.
func readTLV(s *cryptobyte.String) (kind uint8, value cryptobyte.String, ok bool) {
	var header uint16
	ok = s.ReadUint16(&header) && s.ReadBytes((*[]byte)(&value), int(header&tlvMaxValue))
	return uint8(header >> tlvLengthBits), value, ok
}

// parseSuites reads the entries of the TLV, in the order of the sender's preference; part of one at the end is ignored.
func (p *Announcement) parseSuites(value cryptobyte.String) {
	var capability uint16
	var suite secy.CipherSuite
	for len(p.Suites) < MaxAnnouncedSuites && value.ReadUint16(&capability) && readSuite(&value, &suite) {
		if suite.Known() {
			p.Suites = append(p.Suites, AnnouncedSuite{secy.Capability(capability & announcedSuiteMask), suite})
		}
	}
}

// sent is what goes out of Suites.
func (p *Announcement) sent() []AnnouncedSuite {
	return p.Suites[:min(len(p.Suites), MaxAnnouncedSuites)]
}

func (p *Announcement) bodyLen() int {
	if p.Body != nil {
		return len(p.Body)
	}
	return tlvHeaderLen + len(p.sent())*announcedSuiteLen
}

func (p *Announcement) appendTo(b []byte) []byte {
	switch {
	case !p.Present:
		return b
	case p.Body != nil:
		return appendOctets(b, setAnnouncement, p.Body)
	}
	b = appendSetHeader(b, setHeader{kind: setAnnouncement, length: p.bodyLen()})
	b = p.appendSuites(b)
	return appendPadding(b, p.bodyLen())
}

func (p *Announcement) appendSuites(b []byte) []byte {
	suites := p.sent()
	b = binary.BigEndian.AppendUint16(b, tlvMACsecSuites<<tlvLengthBits|uint16(len(suites)*announcedSuiteLen))
	for _, s := range suites {
		b = binary.BigEndian.AppendUint16(b, uint16(s.Capability)&announcedSuiteMask)
		b = binary.BigEndian.AppendUint64(b, uint64(s.Suite))
	}
	return b
}

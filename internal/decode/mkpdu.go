package decode

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"

	"mkad/eapol"
	"mkad/secy"
)

// The layout of an MKPDU in a frame without VLAN tags, in octets from the destination address on (802.1X-2020 11.3, 11.11).
const (
	eapolHeaderLen     = 4
	offsetEAPOLVersion = headerLen
	offsetEAPOLLength  = headerLen + 2
	offsetBasic        = headerLen + eapolHeaderLen
	offsetBasicLength  = offsetBasic + 2
	offsetAgility      = offsetBasic + setHeaderLen + 8 + 12 + 4

	setHeaderLen  = 4
	setLengthMask = 0x0fff
	peerLen       = 16
	sakUseLen     = 40
	xpnLen        = 8
)

// The types of the parameter sets that are known (11.11.1).
const (
	typeLive           = 1
	typePotential      = 2
	typeSAKUse         = 3
	typeDistributedSAK = 4
	typeXPN            = 8
	lastKnownType      = typeXPN
	typeICVIndicator   = 255
)

var (
	eapolShort  = eapol.DiscardShortFrame.String()
	eapolLength = eapol.DiscardLength.String()
)

// An mkaReader reads MKPDUs; it keeps its memory from one to the next.
type mkaReader struct{ m eapol.MKPDU }

// read reads the MKPDU in a frame without VLAN tags, in the order of 11.11.2, but goes on where a participant stops for want of a
// key.
func (x *mkaReader) read(frame []byte, keys *keyring, r *Record) {
	r.EAPOL = eapolHeader(frame)
	m := &x.m
	if d := eapol.ParseEnvelope(frame, acceptanceOf(frame), m); d != eapol.Accepted {
		r.Malformed = faultOf(d, frame)
		return
	}
	if !m.DA.IsGroup() {
		r.Remarks = append(r.Remarks, "to an individual address: most receivers discard it")
	}
	r.MKA = basicOf(m)
	if m.Basic.AlgorithmAgility != eapol.AlgorithmAgility {
		r.Malformed = faultOf(eapol.DiscardAlgorithmAgility, frame)
		return // where its ICV stands is not known
	}
	ca := x.check(keys, r.MKA)
	if d := m.ParseSets(); d != eapol.Accepted {
		r.Malformed = faultOf(d, frame)
		return
	}
	x.readSets(frame, r.MKA)
	if ca == nil {
		return
	}
	state, remarks := keys.learn(ca, m)
	r.Remarks = append(r.Remarks, remarks...)
	if set := r.MKA.DistributedSAK; set != nil && !m.DistributedSAK.Empty {
		set.State = state
	}
}

// acceptanceOf accepts whatever address and EtherType the frame has.
func acceptanceOf(frame []byte) (a eapol.Acceptance) {
	a.AnyGroup = true
	copy(a.Station[:], frame)
	a.EtherType = binary.BigEndian.Uint16(frame[addressesLen:])
	return a
}

// check verifies the ICV, and gives the CA if it is valid.
func (x *mkaReader) check(keys *keyring, mka *MKA) *association {
	if keys == nil {
		return nil
	}
	ca, known := keys.associations[x.m.Basic.CKN]
	switch {
	case !known:
		mka.ICVState = ICVNoKey
		return nil
	case !ca.ick.Verify(x.m.Authenticated(), x.m.ICV[:]):
		mka.ICVState = ICVInvalid
		return nil
	}
	mka.ICVState = ICVValid
	return ca
}

func basicOf(m *eapol.MKPDU) *MKA {
	b := &m.Basic
	return &MKA{Version: b.MKAVersion, KeyServerPriority: b.KeyServerPriority, KeyServer: b.KeyServer, MACsecDesired: b.MACsecDesired,
		Capability: uint8(b.Capability), SCI: b.SCI.String(), MI: b.MI.String(), MN: uint32(b.MN),
		AlgorithmAgility: fmt.Sprintf("%08x", b.AlgorithmAgility), CKN: b.CKN.String(), ICV: hex.EncodeToString(m.ICV[:]),
		ICVState: ICVUnchecked}
}

func (x *mkaReader) readSets(frame []byte, mka *MKA) {
	m := &x.m
	mka.Live, mka.Potential = peersOf(&m.Live), peersOf(&m.Potential)
	mka.SAKUse = sakUseOf(m)
	mka.DistributedSAK = distributedSAKOf(m)
	if m.DistributedCAK.Present {
		mka.DistributedCAK = &Opaque{len(m.DistributedCAK.Body)}
	}
	if m.KMD.Present {
		domain := strconv.Quote(string(m.KMD.Domain))
		domain = domain[1 : len(domain)-1]
		mka.KMD = &domain
	}
	if m.Announcement.Present {
		mka.Announcement = announcementOf(&m.Announcement)
	}
	if m.XPN.Present {
		mka.XPN = &XPN{m.XPN.SuspensionTime, m.XPN.LatestHigh, m.XPN.OldHigh}
	}
	mka.ICVIndicator = m.ICVIndicator
	mka.Skipped = skippedSets(frame)
}

func peersOf(list *eapol.PeerList) *PeerList {
	if !list.Present {
		return nil
	}
	p := &PeerList{KeyServerSSCI: list.KeyServerSSCI, Peers: make([]Peer, len(list.Peers))}
	for i, peer := range list.Peers {
		p.Peers[i] = Peer{peer.MI.String(), uint32(peer.MN)}
	}
	return p
}

func sakUseOf(m *eapol.MKPDU) *SAKUse {
	u := &m.SAKUse
	if !u.Present {
		return nil
	}
	return &SAKUse{Latest: keyUseOf(u.Latest, m.XPN.LatestHigh), Old: keyUseOf(u.Old, m.XPN.OldHigh), PlainTx: u.PlainTx,
		PlainRx: u.PlainRx, DelayProtect: u.DelayProtect}
}

func keyUseOf(u eapol.KeyUse, high uint32) *KeyUse {
	if u.KI.IsZero() {
		return nil
	}
	return &KeyUse{KI: u.KI.String(), AN: uint8(u.AN), Tx: u.Tx, Rx: u.Rx, LPN: uint64(high)<<32 | uint64(u.LPN)}
}

func distributedSAKOf(m *eapol.MKPDU) *DistributedSAK {
	d := &m.DistributedSAK
	switch {
	case !d.Present:
		return nil
	case d.Empty:
		return &DistributedSAK{State: SAKNone}
	}
	return &DistributedSAK{KI: eapol.KI{MI: m.Basic.MI, KN: d.KN}.String(), KN: uint32(d.KN), AN: uint8(d.AN),
		Confidentiality: d.Offset.String(), CipherSuite: d.Suite.String(), State: SAKWrapped}
}

func announcementOf(a *eapol.Announcement) *Announcement {
	out := &Announcement{Length: len(a.Body), Suites: []AnnouncedSuite{}}
	for _, s := range a.Suites {
		out.Suites = append(out.Suites, AnnouncedSuite{s.Suite.String(), uint8(s.Capability)})
	}
	return out
}

// A foundSet is a parameter set as it lies in a frame.
type foundSet struct {
	kind           uint8
	offset, length int
	whole          bool // it ends before the ICV does
}

// sets gives the parameter sets behind Basic, of a frame whose envelope was accepted, up to the ICV Indicator or the first that
// does not fit.
func sets(frame []byte) func(yield func(foundSet) bool) {
	return func(yield func(foundSet) bool) {
		end := offsetBasic + int(binary.BigEndian.Uint16(frame[offsetEAPOLLength:])) - eapol.ICVLen
		at := offsetBasic + setLen(frame[offsetBasic:])
		for at+setHeaderLen <= end {
			s := foundSet{kind: frame[at], offset: at, length: int(binary.BigEndian.Uint16(frame[at+2:]) & setLengthMask)}
			if s.kind == typeICVIndicator && s.length == eapol.ICVLen && at+setHeaderLen == end {
				return
			}
			at += setLen(frame[at:])
			s.whole = at <= end
			if !yield(s) || !s.whole {
				return
			}
		}
	}
}

// setLen is what the set at the start of b takes: header, body and padding.
func setLen(b []byte) int {
	length := int(binary.BigEndian.Uint16(b[2:]) & setLengthMask)
	return setHeaderLen + (length+3)&^3
}

// skippedSets are those that were stepped over.
func skippedSets(frame []byte) (skipped []SkippedSet) {
	var read [lastKnownType + 1]bool
	for s := range sets(frame) {
		reason := ""
		switch {
		case s.kind < typeLive || s.kind > lastKnownType:
			reason = "unknown"
		case read[s.kind]:
			reason = "repeated"
		case s.kind == typeSAKUse && s.length > 0 && s.length < sakUseLen, s.kind == typeXPN && s.length != xpnLen:
			reason = "length"
		default:
			read[s.kind] = true
			continue
		}
		skipped = append(skipped, SkippedSet{s.kind, s.length, s.offset, reason})
	}
	return skipped
}

// faultOf says for what a participant discards a frame without VLAN tags, and where.
func faultOf(d eapol.Discard, frame []byte) *Fault {
	return &Fault{Reason: d.String(), Offset: offsetOf(d, frame)}
}

func offsetOf(d eapol.Discard, frame []byte) int {
	switch d {
	case eapol.DiscardShortFrame:
		return len(frame)
	case eapol.DiscardEAPOLVersion:
		return offsetEAPOLVersion
	case eapol.DiscardLength, eapol.DiscardBodyTooShort, eapol.DiscardBodyNotMultipleOf4:
		return offsetEAPOLLength
	case eapol.DiscardBasicLength, eapol.DiscardCKNLength:
		return offsetBasicLength
	case eapol.DiscardAlgorithmAgility:
		return offsetAgility
	case eapol.DiscardSetLength:
		return offsetOfSet(frame, func(s foundSet) bool { return !s.whole })
	case eapol.DiscardPeerListLength:
		return offsetOfSet(frame, func(s foundSet) bool {
			return (s.kind == typeLive || s.kind == typePotential) && s.length%peerLen != 0
		})
	case eapol.DiscardDistributedSAKLength, eapol.DiscardDistributedSAKSuite:
		return offsetOfSet(frame, func(s foundSet) bool { return s.kind == typeDistributedSAK })
	}
	return 0
}

// offsetOfSet is where the first set stands that is meant; of what is left before the ICV and is no header, where it begins.
func offsetOfSet(frame []byte, meant func(foundSet) bool) int {
	at := offsetBasic + setLen(frame[offsetBasic:])
	for s := range sets(frame) {
		if meant(s) {
			return s.offset
		}
		at = s.offset + setLen(frame[s.offset:])
	}
	return at
}

// macText is an address with colons.
func macText(b []byte) string { return eapol.MAC(b[:6]).String() }

// capabilityText is a MACsec Capability in words (802.1X-2020 Table 11-6).
func capabilityText(c uint8) string {
	switch secy.Capability(c) {
	case secy.CapabilityNone:
		return "not implemented"
	case secy.CapabilityIntegrity:
		return "integrity only"
	case secy.CapabilityConfidentiality:
		return "confidentiality, offset 0"
	}
	return "confidentiality, offset 0, 30 or 50"
}

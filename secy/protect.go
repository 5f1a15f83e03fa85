package secy

import "slices"

// Protect appends to dst the protected form of frame (DA, SA, user data; no FCS), and reports whether there is one:
// false when the Controlled Port is not enabled, no transmit SA is in use, its packet numbers are used up (Exhausted
// tells), or frame is too short to have an EtherType; dst is then returned as it was. frame is not changed and must not
// overlap dst. In clear (protectFrames off) the frame is appended unchanged.
//
// At most Overhead octets are added; with so much room in dst nothing is allocated. Only one goroutine at a time
// protects. Clause 10.5.
func (s *SecY) Protect(dst, frame []byte) ([]byte, bool) {
	t := s.table.Load()
	if !t.enabled || len(frame) < addressesLen+etherTypeLen {
		return dst, false
	}
	if !t.settings.ProtectFrames {
		s.out.untagged.Add(1)
		return append(dst, frame...), true
	}
	sa := t.transmitting
	if sa == nil {
		return dst, false
	}
	pn, ok := sa.take()
	if !ok {
		return dst, false
	}
	return s.protect(dst, frame, sa, pn, t.settings.SendSCI), true
}

// protect appends a frame protected by sa with pn.
func (s *SecY) protect(dst, frame []byte, sa *transmitSA, pn PN, sendSCI bool) []byte {
	addresses, user := frame[:addressesLen], frame[addressesLen:]
	tag := s.tag(addresses, len(user), sa, pn, sendSCI)
	start := len(dst)
	dst = slices.Grow(dst, len(frame)+Overhead)
	dst = append(dst, addresses...)
	dst = tag.appendTo(dst)
	dst = sa.seal(dst, start, user, sa.readable(len(user)), pn)
	s.out.count(tag.has(tciE), len(user))
	return dst
}

// tag makes the SecTAG (9.3). Without an explicit SCI the frame says ES where that is true; where it is not, as for the
// frames of others that we bridge, the receiver must know that we are the only peer.
func (s *SecY) tag(addresses []byte, octets int, sa *transmitSA, pn PN, sendSCI bool) secTAG {
	tag := secTAG{tci: uint8(sa.an), sl: shortLength(octets), pn: uint32(pn), sci: s.sci}
	if sa.offset != IntegrityOnly {
		tag.tci |= tciE | tciC
	}
	switch {
	case sendSCI:
		tag.tci |= tciSC
	case s.sci == NewSCI([6]byte(addresses[6:]), endStationPort):
		tag.tci |= tciES
	}
	return tag
}

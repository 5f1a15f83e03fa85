package secy

import "encoding/binary"

// Verify checks a frame as it came from the Common Port (DA, SA, EtherType; no FCS) and returns the user's frame (DA, SA,
// user data), which lies within the memory of frame; frame's contents are gone afterwards. false: the frame is not for
// the Controlled Port, and a counter says why; none does while the port is not enabled.
//
// A frame without SecTAG is returned as it is unless validateFrames is strict: which of those are for someone else, such
// as EAPOL, is for the caller to know. Nothing is allocated. Only one goroutine at a time verifies. Clause 10.6.
func (s *SecY) Verify(frame []byte) ([]byte, bool) {
	t := s.table.Load()
	if !t.enabled {
		return nil, false
	}
	if !tagged(frame) {
		return s.verifyUntagged(t, frame)
	}
	r, ok := takeApart(frame)
	if !ok || r.tag.pn == 0 && !t.settings.CipherSuite.XPN() {
		s.in.badTag.Add(1)
		return nil, false
	}
	sc := t.find(&r.tag, [6]byte(frame[6:]))
	slot := sc.sas[r.tag.an()]
	if !slot.inUse {
		return s.verifyWithoutSA(t, &r)
	}
	return verify(&t.settings, &r, slot.sa, sc.counts)
}

func tagged(frame []byte) bool {
	return len(frame) >= addressesLen+etherTypeLen && binary.BigEndian.Uint16(frame[addressesLen:]) == EtherType
}

// verifyUntagged decides on a frame without SecTAG (10.6 a). What is too short for an EtherType never gets through.
func (s *SecY) verifyUntagged(t *table, frame []byte) ([]byte, bool) {
	if t.settings.ValidateFrames == ValidateStrict || len(frame) < addressesLen+etherTypeLen {
		s.in.noTag.Add(1)
		return nil, false
	}
	s.in.untagged.Add(1)
	return frame, true
}

// verifyWithoutSA decides on a frame for which no SA is in use (10.6.1).
func (s *SecY) verifyWithoutSA(t *table, r *received) ([]byte, bool) {
	if t.settings.ValidateFrames == ValidateStrict || r.tag.has(tciC) {
		s.in.noSAError.Add(1)
		return nil, false
	}
	s.in.noSA.Add(1)
	return r.strip(), true
}

// verify decides on a frame with its SA (10.6.2 to 10.6.5). The standard checks for replay a second time after the ICV,
// for SecYs that check several frames at once; here none comes in between.
func verify(set *Settings, r *received, sa *receiveSA, counts *receiveCounts) ([]byte, bool) {
	pn := sa.recover(r.tag.pn)
	if set.ReplayProtect && sa.spent(pn) {
		counts.late.Add(1)
		return nil, false
	}
	delayed := pn < sa.lowestPN()
	if set.ValidateFrames == ValidateDisabled && !r.tag.has(tciC) {
		counts.pass(delayed, &counts.unchecked)
		return r.strip(), true
	}
	if !r.open(sa, pn) {
		return verifyInvalid(set, r, counts)
	}
	sa.validated(pn, set.ReplayWindow)
	counts.octets(r.tag.has(tciE), r.octets())
	counts.pass(delayed, &counts.ok)
	return r.strip(), true
}

// verifyInvalid decides on a frame with a bad ICV (10.6.5). Only one whose user data was left as it is can be used.
func verifyInvalid(set *Settings, r *received, counts *receiveCounts) ([]byte, bool) {
	if set.ValidateFrames == ValidateStrict || r.tag.has(tciC) {
		counts.notValid.Add(1)
		return nil, false
	}
	counts.invalid.Add(1)
	return r.strip(), true
}

// A received is a protected frame whose SecTAG and length make sense.
type received struct {
	tag   secTAG
	frame []byte // from DA to ICV, without padding
}

// takeApart reads the SecTAG of a frame; false when it is to be discarded as badly tagged (9.12). A frame with E and not
// C is none of a user's: it is meant for whoever manages keys (9.5), and this SecY has no such client.
func takeApart(frame []byte) (r received, ok bool) {
	tag, ok := parseSecTAG(frame[addressesLen:])
	if !ok || tag.has(tciE) && !tag.has(tciC) {
		return r, false
	}
	frame, ok = tag.cutPadding(frame)
	return received{tag, frame}, ok
}

// data is where the Secure Data begins.
func (r *received) data() int { return addressesLen + r.tag.len() }

// octets is the length of the user data.
func (r *received) octets() int { return len(r.frame) - icvLen - r.data() }

// open decrypts the frame in place, and reports whether it is authentic.
func (r *received) open(sa *receiveSA, pn PN) bool {
	return sa.open(r.frame, r.data()+sa.readable(r.octets(), r.tag.has(tciE)), pn)
}

// strip takes SecTAG and ICV away: it moves DA and SA up to the user data.
func (r *received) strip() []byte {
	user := r.frame[r.tag.len() : len(r.frame)-icvLen]
	copy(user, r.frame[:addressesLen])
	return user
}

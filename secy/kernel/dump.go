package kernel

import (
	"mkad/secy"
)

// A state is what the kernel says of one macsec device (one message of GET_TXSC).
type state struct {
	index       int
	fixed       fixedAttributes
	encodingSA  secy.AN
	operational bool // frames can be sent: the encoding SA is active
	controls    controls
	transmit    [numANs]*securityAssociation
	receive     map[secy.SCI]*receiveChannel
	counters    secy.Counters // but those of the receive SCs
}

// A securityAssociation is one SA as the kernel holds it. For a transmit SA pn is the number of the next frame, 0 when
// the last is spent; for a receive SA it is one more than the highest validated.
type securityAssociation struct {
	an     secy.AN
	key    secy.KeyID
	ssci   secy.SSCI
	pn     secy.PN
	active bool
}

// A receiveChannel is a receive SC as the kernel holds it.
type receiveChannel struct {
	sas      [numANs]*securityAssociation
	counters secy.Counters // of the SC
}

// parseState reads one message of a dump. What it does not know, it leaves out.
func parseState(b []byte) (*state, error) {
	if len(b) < genericHeaderLen {
		return nil, errShort("SecY", b)
	}
	s := &state{receive: map[secy.SCI]*receiveChannel{}}
	for a := range attributes(b[genericHeaderLen:]) {
		switch a.kind {
		case attrIfindex:
			s.index = int(int32(a.uint32()))
		case attrOffload:
			s.fixed.offload = Offload(attribute{value: find(a.value, offloadType)}.uint8())
		case attrSecY:
			s.parseSecY(a.value)
		case attrTxSAs:
			parseSAs(a.value, &s.transmit)
		case attrRxSCs:
			s.parseReceiveSCs(a.value)
		case attrTxSCStats:
			s.parseTransmitStatistics(a.value)
		case attrSecYStats:
			s.parseSecYStatistics(a.value)
		}
	}
	return s, nil
}

func (s *state) parseSecY(b []byte) {
	c := &s.controls
	for a := range attributes(b) {
		switch a.kind {
		case secySCI:
			s.fixed.sci = secy.SCI(a.network())
		case secyEncodingSA:
			s.encodingSA = secy.AN(a.uint8())
		case secyCipherSuite:
			s.fixed.suite = canonical(secy.CipherSuite(a.uint()))
		case secyICVLen:
			s.fixed.icvLen = a.uint8()
		case secyOperational:
			s.operational = a.bool()
		case secyProtect:
			c.protect = a.bool()
		case secyValidate:
			c.validation = a.uint8()
		case secyReplayProtect:
			c.replay = a.bool()
		case secyWindow:
			c.window = a.uint32()
		case secyEncrypt:
			c.encrypt = a.bool()
		case secyIncludeSCI:
			c.includeSCI = a.bool()
		case secyEndStation:
			c.endStation = a.bool()
		}
	}
}

// parseSAs reads a list of SAs. The types of its entries only count them; the AN is inside.
func parseSAs(b []byte, sas *[numANs]*securityAssociation) {
	for entry := range attributes(b) {
		if sa, ok := parseSA(entry.value); ok {
			sas[sa.an] = sa
		}
	}
}

// parseSA reads one SA. It reports false for an AN that there is not.
func parseSA(b []byte) (*securityAssociation, bool) {
	sa := new(securityAssociation)
	for a := range attributes(b) {
		switch a.kind {
		case saAN:
			sa.an = secy.AN(a.uint8())
		case saActive:
			sa.active = a.bool()
		case saPN:
			sa.pn = secy.PN(a.uint())
		case saKeyID:
			copy(sa.key[:], a.value)
		case saSSCI:
			sa.ssci = secy.SSCI(a.network())
		}
	}
	return sa, sa.an < numANs
}

func (s *state) parseReceiveSCs(b []byte) {
	for entry := range attributes(b) {
		sci := secy.SCI(attribute{value: find(entry.value, rxSCSCI)}.network())
		sc := new(receiveChannel)
		parseSAs(find(entry.value, rxSCSAs), &sc.sas)
		sc.parseStatistics(find(entry.value, rxSCStats))
		s.receive[sci] = sc
	}
}

// transmitSA returns the transmit SA of a key, nil when there is none.
func (s *state) transmitSA(key secy.KeyID) *securityAssociation { return saOf(&s.transmit, key) }

// receiveSA returns the receive SA of a key in an SC, nil when there is none.
func (s *state) receiveSA(sci secy.SCI, key secy.KeyID) *securityAssociation {
	if sc := s.receive[sci]; sc != nil {
		return saOf(&sc.sas, key)
	}
	return nil
}

// holds reports whether any SA has a key.
func (s *state) holds(key secy.KeyID) bool {
	for sci := range s.receive {
		if s.receiveSA(sci, key) != nil {
			return true
		}
	}
	return s.transmitSA(key) != nil
}

// receives reports whether any receive SA is in use.
func (s *state) receives() bool {
	for _, sc := range s.receive {
		for _, sa := range sc.sas {
			if sa != nil && sa.active {
				return true
			}
		}
	}
	return false
}

func saOf(sas *[numANs]*securityAssociation, key secy.KeyID) *securityAssociation {
	for _, sa := range sas {
		if sa != nil && sa.key == key {
			return sa
		}
	}
	return nil
}

// lowest is the lowest packet number that a receive SA of the SecY accepts (10.6).
func (s *state) lowest(sa *securityAssociation) secy.PN {
	if window := secy.PN(s.controls.window); sa.pn > window {
		return max(sa.pn-window, 1)
	}
	return 1
}

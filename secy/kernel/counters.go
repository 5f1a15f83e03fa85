package kernel

import "mkad/secy"

// The statistics of SCs and of the SecY are 64 bits wide and are all that is read here. Those of the SAs are 32 bits,
// wrap, and miss what came late.

func (s *state) parseTransmitStatistics(b []byte) {
	c := &s.counters
	for a := range attributes(b) {
		switch a.kind {
		case txSCOutPktsProtected:
			c.OutPktsProtected = a.uint()
		case txSCOutPktsEncrypted:
			c.OutPktsEncrypted = a.uint()
		case txSCOutOctetsProtected:
			c.OutOctetsProtected = a.uint()
		case txSCOutOctetsEncrypted:
			c.OutOctetsEncrypted = a.uint()
		}
	}
}

// parseSecYStatistics reads what belongs to no SC. The kernel has the names of 802.1AE-2006 for two of them: frames of an
// unknown SCI were passed (NoSA of today) or dropped (NoSAError).
func (s *state) parseSecYStatistics(b []byte) {
	c := &s.counters
	for a := range attributes(b) {
		switch a.kind {
		case secyOutPktsUntagged:
			c.OutPktsUntagged = a.uint()
		case secyInPktsUntagged:
			c.InPktsUntagged = a.uint()
		case secyOutPktsTooLong:
			c.OutPktsTooLong = a.uint()
		case secyInPktsNoTag:
			c.InPktsNoTag = a.uint()
		case secyInPktsBadTag:
			c.InPktsBadTag = a.uint()
		case secyInPktsUnknownSCI:
			c.InPktsNoSA = a.uint()
		case secyInPktsNoSCI:
			c.InPktsNoSAError = a.uint()
		case secyInPktsOverrun:
			c.InPktsOverrun = a.uint()
		}
	}
}

func (sc *receiveChannel) parseStatistics(b []byte) {
	c := &sc.counters
	for a := range attributes(b) {
		switch a.kind {
		case rxSCInOctetsValidated:
			c.InOctetsValidated = a.uint()
		case rxSCInOctetsDecrypted:
			c.InOctetsDecrypted = a.uint()
		case rxSCInPktsUnchecked:
			c.InPktsUnchecked = a.uint()
		case rxSCInPktsDelayed:
			c.InPktsDelayed = a.uint()
		case rxSCInPktsOK:
			c.InPktsOK = a.uint()
		case rxSCInPktsInvalid:
			c.InPktsInvalid = a.uint()
		case rxSCInPktsLate:
			c.InPktsLate = a.uint()
		case rxSCInPktsNotValid:
			c.InPktsNotValid = a.uint()
		case rxSCInPktsUnusedSA:
			c.InPktsNoSA = a.uint()
		case rxSCInPktsNotUsingSA:
			c.InPktsNoSAError = a.uint()
		}
	}
}

// total sums up what the SecY and its receive SCs have counted.
func (s *state) total() secy.Counters {
	sum := s.counters
	for _, sc := range s.receive {
		add(&sum, sc.counters)
	}
	return sum
}

// departed sums up what the receive SCs have counted that next has no more.
func (s *state) departed(next *state) (sum secy.Counters) {
	for sci, sc := range s.receive {
		if next.receive[sci] == nil {
			add(&sum, sc.counters)
		}
	}
	return sum
}

func add(c *secy.Counters, o secy.Counters) {
	c.InPktsUntagged += o.InPktsUntagged
	c.InPktsNoTag += o.InPktsNoTag
	c.InPktsBadTag += o.InPktsBadTag
	c.InPktsNoSA += o.InPktsNoSA
	c.InPktsNoSAError += o.InPktsNoSAError
	c.InPktsOverrun += o.InPktsOverrun
	c.InPktsUnchecked += o.InPktsUnchecked
	c.InPktsDelayed += o.InPktsDelayed
	c.InPktsLate += o.InPktsLate
	c.InPktsOK += o.InPktsOK
	c.InPktsInvalid += o.InPktsInvalid
	c.InPktsNotValid += o.InPktsNotValid
	c.InOctetsValidated += o.InOctetsValidated
	c.InOctetsDecrypted += o.InOctetsDecrypted
	c.OutPktsUntagged += o.OutPktsUntagged
	c.OutPktsTooLong += o.OutPktsTooLong
	c.OutPktsProtected += o.OutPktsProtected
	c.OutPktsEncrypted += o.OutPktsEncrypted
	c.OutOctetsProtected += o.OutOctetsProtected
	c.OutOctetsEncrypted += o.OutOctetsEncrypted
}

package secy

import "sync/atomic"

// Counters are the statistics of a SecY, in frames and octets of user data, by the names of 802.1AE-2018 10.7.9 and
// 10.7.18. Those that the standard keeps for each SC are sums here.
//
// InPktsOverrun and OutPktsTooLong belong to who owns the Common Port and knows what it lost and how long its frames may
// be: a SecY leaves them at zero, to be filled in there.
type Counters struct {
	InPktsUntagged, InPktsNoTag, InPktsBadTag, InPktsNoSA, InPktsNoSAError, InPktsOverrun uint64
	InPktsUnchecked, InPktsDelayed, InPktsLate, InPktsOK, InPktsInvalid, InPktsNotValid   uint64
	InOctetsValidated, InOctetsDecrypted                                                  uint64
	OutPktsUntagged, OutPktsTooLong, OutPktsProtected, OutPktsEncrypted                   uint64
	OutOctetsProtected, OutOctetsEncrypted                                                uint64
}

// SCCounters are the statistics of one receive SC, in frames and octets of user data, by the names of 10.7.9. A frame
// refused because it was received before, inside the replay window, counts as InPktsLate.
type SCCounters struct {
	InPktsUnchecked, InPktsDelayed, InPktsLate, InPktsOK, InPktsInvalid, InPktsNotValid uint64
	InOctetsValidated, InOctetsDecrypted                                                uint64
}

func (c *SCCounters) add(o SCCounters) {
	c.InPktsUnchecked += o.InPktsUnchecked
	c.InPktsDelayed += o.InPktsDelayed
	c.InPktsLate += o.InPktsLate
	c.InPktsOK += o.InPktsOK
	c.InPktsInvalid += o.InPktsInvalid
	c.InPktsNotValid += o.InPktsNotValid
	c.InOctetsValidated += o.InOctetsValidated
	c.InOctetsDecrypted += o.InOctetsDecrypted
}

// receiveCounts is the live form of SCCounters: the verifying goroutine writes, anyone reads.
type receiveCounts struct {
	unchecked, delayed, late, ok, invalid, notValid atomic.Uint64
	octetsValidated, octetsDecrypted                atomic.Uint64
}

// pass counts a frame that is delivered: as delayed, or in the counter given.
func (c *receiveCounts) pass(delayed bool, counter *atomic.Uint64) {
	if delayed {
		counter = &c.delayed
	}
	counter.Add(1)
}

// octets counts the user data of an authentic frame.
func (c *receiveCounts) octets(decrypted bool, n int) {
	if decrypted {
		c.octetsDecrypted.Add(uint64(n))
		return
	}
	c.octetsValidated.Add(uint64(n))
}

func (c *receiveCounts) read() SCCounters {
	return SCCounters{
		InPktsUnchecked:   c.unchecked.Load(),
		InPktsDelayed:     c.delayed.Load(),
		InPktsLate:        c.late.Load(),
		InPktsOK:          c.ok.Load(),
		InPktsInvalid:     c.invalid.Load(),
		InPktsNotValid:    c.notValid.Load(),
		InOctetsValidated: c.octetsValidated.Load(),
		InOctetsDecrypted: c.octetsDecrypted.Load(),
	}
}

// portCounts counts what is received and belongs to no SC. The verifying goroutine writes, anyone reads.
type portCounts struct {
	untagged, noTag, badTag, noSA, noSAError atomic.Uint64
}

// transmitCounts counts what is transmitted. The protecting goroutine writes, anyone reads.
type transmitCounts struct {
	untagged, protected, encrypted   atomic.Uint64
	octetsProtected, octetsEncrypted atomic.Uint64
}

// count notes a frame with octets of user data.
func (c *transmitCounts) count(encrypted bool, octets int) {
	if encrypted {
		c.encrypted.Add(1)
		c.octetsEncrypted.Add(uint64(octets))
		return
	}
	c.protected.Add(1)
	c.octetsProtected.Add(uint64(octets))
}

// Counters returns the statistics as they stand; each one only ever grows. Any goroutine may call it. A frame under way
// while its receive SC is deleted may go uncounted.
func (s *SecY) Counters() Counters {
	t := s.table.Load()
	in := t.departed
	for _, sc := range t.receive {
		in.add(sc.counts.read())
	}
	return Counters{
		InPktsUntagged:     s.in.untagged.Load(),
		InPktsNoTag:        s.in.noTag.Load(),
		InPktsBadTag:       s.in.badTag.Load(),
		InPktsNoSA:         s.in.noSA.Load(),
		InPktsNoSAError:    s.in.noSAError.Load(),
		InPktsUnchecked:    in.InPktsUnchecked,
		InPktsDelayed:      in.InPktsDelayed,
		InPktsLate:         in.InPktsLate,
		InPktsOK:           in.InPktsOK,
		InPktsInvalid:      in.InPktsInvalid,
		InPktsNotValid:     in.InPktsNotValid,
		InOctetsValidated:  in.InOctetsValidated,
		InOctetsDecrypted:  in.InOctetsDecrypted,
		OutPktsUntagged:    s.out.untagged.Load(),
		OutPktsProtected:   s.out.protected.Load(),
		OutPktsEncrypted:   s.out.encrypted.Load(),
		OutOctetsProtected: s.out.octetsProtected.Load(),
		OutOctetsEncrypted: s.out.octetsEncrypted.Load(),
	}
}

// SCCounters returns the statistics of the receive SC of sci, from when it was made; false when there is none. Any
// goroutine may call it.
func (s *SecY) SCCounters(sci SCI) (SCCounters, bool) {
	sc, ok := s.table.Load().receive[sci]
	if !ok {
		return SCCounters{}, false
	}
	return sc.counts.read(), true
}

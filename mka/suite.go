package mka

import (
	"fmt"
	"strings"

	"mkad/eapol"
	"mkad/secy"
)

// A suiteSet is a set of cipher suites.
type suiteSet uint8

func suiteBit(c secy.CipherSuite) suiteSet {
	for i, known := range secy.CipherSuites {
		if c == known {
			return 1 << i
		}
	}
	return 0
}

func (s suiteSet) has(c secy.CipherSuite) bool { return s&suiteBit(c) != 0 }

// announcedSuites is the set of the MACsec Cipher Suites TLV (11.12.3).
func announcedSuites(a *eapol.Announcement) (s suiteSet) {
	for _, e := range a.Suites {
		s |= suiteBit(e.Suite)
	}
	return s
}

// takes reports whether the peer may be offered the suite: not one that it left unreported; one of those that it
// announced; or, if it announced nothing, any.
func (q *peer) takes(c secy.CipherSuite) bool {
	switch {
	case q.refused.has(c):
		return false
	case q.announced != 0:
		return q.announced.has(c)
	}
	return true
}

// mute reports whether the peer's version of MKA lets it say nothing of its suites.
func (q *peer) mute() bool { return q.announced == 0 && q.version <= 1 }

// chooseSuite picks the cipher suite and the confidentiality offset of the next SAK: the first suite of our list that
// every live peer that secures takes, and the configured offset as far as every live peer is capable of it (9.8, 11.11.3).
// A peer that has announced nothing and speaks version 1 is offered GCM-AES-128 first, the one that all of its kind have,
// and the XPN suites, which came with version 2, last: some have them all the same.
func (p *participant) chooseSuite() (secy.CipherSuite, secy.ConfidentialityOffset, bool) {
	offset := p.kay.cfg.Capability.Limit(p.kay.cfg.Offset)
	mute := false
	for i := range p.peers {
		if q := &p.peers[i]; q.live && q.secures() {
			mute = mute || q.mute()
			offset = q.capability.Limit(offset)
		}
	}
	if mute && p.suits(secy.GCMAES128, offset) {
		return secy.GCMAES128, offset, true
	}
	var last secy.CipherSuite
	for _, c := range p.kay.cfg.CipherSuites {
		switch {
		case !p.suits(c, offset):
		case !mute || !c.XPN():
			return c, offset, true
		case last == 0:
			last = c
		}
	}
	return last, offset, last != 0
}

// suits reports whether the suite is in our list, goes with the offset, and is taken by every live peer that secures.
func (p *participant) suits(c secy.CipherSuite, offset secy.ConfidentialityOffset) bool {
	if !p.kay.allows(c) || !c.Allows(offset) {
		return false
	}
	for i := range p.peers {
		if q := &p.peers[i]; q.live && q.secures() && !q.takes(c) {
			return false
		}
	}
	return true
}

// allows reports whether local policy lists the suite.
func (k *KaY) allows(c secy.CipherSuite) bool {
	for _, own := range k.cfg.CipherSuites {
		if own == c {
			return true
		}
	}
	return false
}

// maxNamed bounds the peers that an explanation names.
const maxNamed = 4

// noSuite says why there can be no SAK, with what each side has: no cipher suite suits all live peers that want MACsec, or
// the key server announces none of ours. Empty: there may be one.
func (p *participant) noSuite() string {
	if p.electedSelf() {
		if !p.refusal {
			return ""
		}
		return p.sides(func(*peer) bool { return true })
	}
	for i := range p.peers {
		if q := &p.peers[i]; q.live && q.sci == p.server.sci && q.announced != 0 && q.announced&p.kay.own() == 0 {
			return p.sides(func(o *peer) bool { return o == q })
		}
	}
	return ""
}

// sides names our cipher suites, and those of the live peers that count: announced, or left unreported.
func (p *participant) sides(counts func(*peer) bool) string {
	s := "we allow " + named(p.kay.cfg.CipherSuites)
	if offset := p.kay.cfg.Capability.Limit(p.kay.cfg.Offset); offset == secy.Offset30 || offset == secy.Offset50 {
		s += " with " + offset.String() + ", which the XPN suites do not have"
	}
	shown, more := 0, 0
	for i := range p.peers {
		q := &p.peers[i]
		if !q.live || !q.secures() || q.announced|q.refused == 0 || !counts(q) {
			continue
		}
		if shown++; shown > maxNamed {
			more++
			continue
		}
		s += "; " + q.sci.String()
		if q.announced != 0 {
			s += " announces " + named(q.announced.list())
		}
		if q.refused != 0 {
			s += " left unreported " + named(q.refused.list())
		}
	}
	if more > 0 {
		s += fmt.Sprintf("; and %d more", more)
	}
	return s
}

// notAllowed says what the key server distributes, and what would be allowed.
func (k *KaY) notAllowed(d *eapol.DistributedSAK) string {
	return fmt.Sprintf("distributes %s with %s; we allow %s with at most %s", d.Suite, d.Offset, named(k.cfg.CipherSuites),
		k.cfg.Capability.Limit(secy.Offset50))
}

// own is the set of our cipher suites.
func (k *KaY) own() (s suiteSet) {
	for _, c := range k.cfg.CipherSuites {
		s |= suiteBit(c)
	}
	return s
}

// named are the names of cipher suites, as a person reads them.
func named(suites []secy.CipherSuite) string {
	names := make([]string, len(suites))
	for i, c := range suites {
		names[i] = c.String()
	}
	return strings.Join(names, ", ")
}

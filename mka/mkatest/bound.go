package mkatest

import (
	"slices"

	"mkad/eapol"
	"mkad/mka"
	"mkad/secy"
)

// A nonceSpace is what a packet number must be new in: a SAK and the number or name of who sends with it.
type nonceSpace struct {
	sak    Fingerprint
	sender uint64 // the SSCI with an XPN suite, else the SCI (802.1AE-2018 14.4.1, 10.7)
}

// data checks a frame that leaves a Controlled Port: not in clear where that may not be, and with a packet number that
// is above all that went before with this SAK from this sender, in whichever of the sender's lives.
func (c *Checker) data(m *Member, d Data) {
	if d.Clear {
		if m.cfg.Policy == mka.MustSecure {
			c.errorf("%s sends a frame in clear", m.Name)
		}
		return
	}
	space := nonceSpace{d.SA.SAK, uint64(m.cfg.SCI)}
	if d.SA.Suite.XPN() {
		space.sender = uint64(d.SA.SSCI)
	}
	if last, used := c.pns[space]; used && d.PN <= last {
		c.errorf("%s sends PN %d with %s, SSCI %d, after %d", m.Name, d.PN, d.SA.Key, d.SA.SSCI, last)
	}
	c.pns[space] = d.PN
}

// done checks what a member has come to.
func (c *Checker) done(m *Member) {
	s := &m.SecY
	if s.Enabled && m.cfg.Policy == mka.MustSecure && !s.protects() {
		c.errorf("%s has its Controlled Port open in clear", m.Name)
	}
	if tx, ok := s.Transmitting(); m.KaY.Secured() && !c.Lying && !s.failed && !(s.Enabled && s.protects() && ok && tx.On) {
		c.errorf("%s says that it is secured; Controlled Port %t, transmits with %s", m.Name, s.Enabled, s.Tx)
	}
	if did := len(m.Events) + len(s.Ops); did != m.did {
		m.did = did
		c.bounded(m) // what it keeps has not changed without any
	}
}

// protects reports whether nothing passes in clear, either way.
func (s *SecY) protects() bool {
	return s.Settings.ProtectFrames && s.Settings.ValidateFrames == secy.ValidateStrict
}

// bounded checks what a member keeps: of keys, the latest and the old of CP; of receive SCs and SAs, one for each other
// station of the segment; of peers, what an MKPDU holds.
func (c *Checker) bounded(m *Member) {
	others := max(len(c.lan.segments[m.segment])-1, c.Pretended)
	s := &m.SecY
	if len(s.SCs) > others {
		c.errorf("%s keeps %d receive SCs for %d others", m.Name, len(s.SCs), others)
	}
	if keys := m.KaY.Keys(c.keys[:0]); !s.failed && len(s.SAs) > len(keys)*(others+1) {
		c.errorf("%s keeps %d SAs for %d keys and %d others", m.Name, len(s.SAs), len(keys), others)
	}
	for _, p := range m.Status().Participants {
		if len(p.Peers) > c.MaxPeers {
			c.errorf("%s keeps %d peers", m.Name, len(p.Peers))
		}
	}
}

// claims checks what an MKPDU says of its sender's use of a key.
func (c *Checker) claims(m *Member, u *eapol.KeyUse) {
	key, s := u.KI.KeyID(), &m.SecY
	if u.KI.IsZero() || s.failed || c.Lying {
		return
	}
	if u.Rx && !slices.Contains(s.receiving, key) {
		c.errorf("%s says that it receives with %s", m.Name, key)
	}
	if tx, ok := s.Find(0, key); u.Tx && (!ok || !tx.On) {
		c.errorf("%s says that it transmits with %s", m.Name, key)
	}
}

// fits checks that an MKPDU fits into a frame of the Common Port, with the peers of both lists.
func (c *Checker) fits(m *Member, frame []byte, p *eapol.MKPDU) {
	if m.cfg.MTU != 0 && len(frame) > headerLen-4+m.cfg.MTU {
		c.errorf("%s sends an MKPDU of %d octets with %d and %d peers; the MTU is %d", m.Name, len(frame),
			len(p.Live.Peers), len(p.Potential.Peers), m.cfg.MTU)
	}
}

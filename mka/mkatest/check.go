package mkatest

import (
	"fmt"

	"mkad/eapol"
	"mkad/mka"
	"mkad/secy"
)

// A Checker watches a LAN for what may never be, whatever frames are lost and whoever restarts:
//
//   - no packet number is used twice with one SAK and one SSCI or SCI;
//   - one KI names one SAK and one SAK has one KI, and beside an XPN SAK stands always the same Live list;
//   - no two SCIs have one SSCI of a key, and a receive SA agrees with the transmit SA of its sender;
//   - where traffic flows already, a key server transmits with a new key when all its live peers for whom it is can receive
//     it or Life Time has passed, and a follower when its key server has begun to;
//   - nobody says that it receives or transmits with a key with which its SecY does not, for others go by it;
//   - no Message Number is sent twice under one MI, nobody is listed twice, and nobody lists itself;
//   - the Message Number that is heard of a live peer only grows;
//   - a lowest acceptable PN is never 0, never above the true one, never lower than before;
//   - a Controlled Port that must be secure is never open in clear, and sends nothing in clear;
//   - who says that it is secured is;
//   - what is kept is bounded: keys, SAs, receive SCs, peers, the length of an MKPDU.
type Checker struct {
	// MaxPeers is how many peers a participant may keep, whoever asks: 100, for SSCIs are meant for groups of that size.
	MaxPeers int
	// Pretended is how many others there may seem to be on a segment, where one station speaks as many members.
	Pretended int
	// Lying says that SecYs tell what is not so: then nothing is wanted of what members say of their keys.
	Lying bool

	lan     *LAN
	tb      TB
	pns     map[nonceSpace]secy.PN
	saks    map[secy.KeyID]Fingerprint
	kis     map[Fingerprint]secy.KeyID
	members map[secy.KeyID]string // the Live list of an XPN SAK
	sscis   map[nonce]secy.SCI
	mns     map[eapol.MI]eapol.MN
	heard   map[eapol.MI][]eapol.ListedPeer // the Live list that was last sent under an MI
	lpns    map[lpn]secy.PN
	since   map[receiving]mka.Time // by the member's clock
	dropped map[receiving]mka.Time // when it ended what since tells, by the LAN's clock
	owners  map[secy.KeyID]*Member // the key server that made it
	holders map[holder]bool        // for whom it was made, as that has receive SAs for them
	begun   map[secy.KeyID]bool    // it transmits with it, or has
	parsed  eapol.MKPDU
	keys    []secy.KeyID // scratch
}

// TB is what a Checker needs of a testing.TB.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

type nonce struct {
	key  secy.KeyID
	ssci secy.SSCI
}

type lpn struct {
	mi  eapol.MI
	key secy.KeyID
}

type holder struct {
	key secy.KeyID
	sci secy.SCI
}

type receiving struct {
	m   *Member
	key secy.KeyID
}

// Check watches the LAN from now on. It takes the places of Tap, Order, Data and Done, and calls the Tap and the Order
// that were there.
func Check(l *LAN, tb TB) *Checker {
	c := &Checker{MaxPeers: 100, lan: l, tb: tb, pns: map[nonceSpace]secy.PN{}, saks: map[secy.KeyID]Fingerprint{},
		kis: map[Fingerprint]secy.KeyID{}, members: map[secy.KeyID]string{},
		sscis: map[nonce]secy.SCI{}, mns: map[eapol.MI]eapol.MN{},
		heard: map[eapol.MI][]eapol.ListedPeer{}, lpns: map[lpn]secy.PN{},
		since: map[receiving]mka.Time{}, dropped: map[receiving]mka.Time{}, owners: map[secy.KeyID]*Member{},
		holders: map[holder]bool{}, begun: map[secy.KeyID]bool{}}
	tap, order := l.Tap, l.Order
	l.Data, l.Done = c.data, c.done
	l.Tap = func(from Station, frame []byte) {
		c.frame(from, frame)
		if tap != nil {
			tap(from, frame)
		}
	}
	l.Order = func(m *Member, op secy.Op) {
		c.order(m, op)
		if order != nil {
			order(m, op)
		}
	}
	return c
}

func (c *Checker) errorf(format string, args ...any) {
	c.tb.Helper()
	c.tb.Errorf("at %d ms: "+format, append([]any{int64(c.lan.Now) / 1e6}, args...)...)
}

// order checks what a KaY orders, before the SecY obeys.
func (c *Checker) order(m *Member, op secy.Op) {
	switch op.Kind {
	case secy.OpCreateReceiveSA, secy.OpCreateTransmitSA:
		c.created(m, op)
	case secy.OpEnableReceive:
		c.Agree(c.lan.Members...)
		c.since[receiving{m, op.Key}] = m.now()
	case secy.OpDeleteSAs:
		c.dropped[receiving{m, op.Key}] = c.lan.Now
	case secy.OpEnableTransmit:
		c.exchanged(m, op.Key)
	case secy.OpControlledPort:
		if op.Enabled && !m.SecY.protects() && m.cfg.Policy == mka.MustSecure {
			c.errorf("%s opens its Controlled Port in clear", m.Name)
		}
	}
}

// created checks a new SA against all that were.
func (c *Checker) created(m *Member, op secy.Op) {
	f := FingerprintOf(op.SAK)
	if was, known := c.saks[op.Key]; known && was != f {
		c.errorf("%s installs another SAK as %s than was", m.Name, op.Key)
	}
	if was, known := c.kis[f]; known && was != op.Key {
		c.errorf("%s installs as %s the SAK that was %s", m.Name, op.Key, was)
	}
	c.saks[op.Key], c.kis[f] = f, op.Key
	sci, own := op.SCI, m.is(eapol.MI(op.Key[:len(eapol.MI{})]))
	if op.Kind == secy.OpCreateTransmitSA {
		sci = m.cfg.SCI
		if own {
			c.owners[op.Key] = m
		}
	} else if own {
		c.holders[holder{op.Key, sci}] = true
	}
	if op.SSCI == 0 {
		return
	}
	if was, known := c.sscis[nonce{op.Key, op.SSCI}]; known && was != sci {
		c.errorf("%s gives SSCI %d of %s to %s: it is that of %s", m.Name, op.SSCI, op.Key, sci, was)
	}
	c.sscis[nonce{op.Key, op.SSCI}] = sci
}

// exchanged checks the moment at which m begins to transmit with the key.
func (c *Checker) exchanged(m *Member, key secy.KeyID) {
	owner := c.owners[key]
	early := m.SecY.open && m.now() < c.since[receiving{m, key}].Add(mka.LifeTime)
	switch {
	case owner == m:
		c.begun[key] = true
		for _, q := range c.livePeers(m) {
			a, ok := q.SecY.Find(m.cfg.SCI, key)
			if early && c.holders[holder{key, q.cfg.SCI}] && (!ok || !a.On) && !c.justDropped(q, key) {
				c.errorf("%s transmits with %s, which %s cannot receive", m.Name, key, q.Name)
			}
		}
	case owner != nil && m.SecY.open && !c.begun[key]:
		c.errorf("%s transmits with %s before its key server %s does", m.Name, key, owner.Name)
	}
}

// justDropped reports whether the member has ended the key so lately that others may not have heard of it: whoever has
// not heard from it for Life Time, by a clock that may be slow, no longer has it for a live peer.
func (c *Checker) justDropped(m *Member, key secy.KeyID) bool {
	at, dropped := c.dropped[receiving{m, key}]
	return dropped && c.lan.Now < at.Add(2*mka.LifeTime)
}

// livePeers are the members that are live peers of m in the lives they have now, and know m in the life that it has.
func (c *Checker) livePeers(m *Member) (live []*Member) {
	for _, p := range m.Status().Participants {
		for _, q := range p.Peers {
			if other := c.member(q.SCI); q.Live && p.Principal && other != nil && other.knows(p.MI) && other.is(q.MI) {
				live = append(live, other)
			}
		}
	}
	return live
}

func (c *Checker) member(sci secy.SCI) *Member {
	for _, m := range c.lan.Members {
		if m.cfg.SCI == sci {
			return m
		}
	}
	return nil
}

func (m *Member) is(mi eapol.MI) bool {
	for _, p := range m.Status().Participants {
		if p.MI == mi {
			return true
		}
	}
	return false
}

func (m *Member) knows(mi eapol.MI) bool {
	for _, p := range m.Status().Participants {
		for _, q := range p.Peers {
			if q.MI == mi && q.Live {
				return true
			}
		}
	}
	return false
}

// frame checks what a KaY sends.
func (c *Checker) frame(from Station, frame []byte) {
	m, ok := from.(*Member)
	if !ok {
		return
	}
	p := &c.parsed
	if d := eapol.ParseMKPDU(frame, eapol.Acceptance{EtherType: m.cfg.Acceptance.EtherType, AnyGroup: true}, p); d != eapol.Accepted {
		c.errorf("%s sends a frame that is no MKPDU: %s", m.Name, d)
		return
	}
	b := &p.Basic
	if last := c.mns[b.MI]; b.MN <= last {
		c.errorf("%s sends MN %d of %s after %d", m.Name, b.MN, b.MI, last)
	}
	c.mns[b.MI] = b.MN
	c.fits(m, frame, p)
	c.claims(m, &p.SAKUse.Latest)
	c.claims(m, &p.SAKUse.Old)
	c.lists(m, p)
	c.distributed(m, p)
	c.lowestPN(m, b.MI, p.SAKUse.Latest, p.XPN.LatestHigh)
	c.lowestPN(m, b.MI, p.SAKUse.Old, p.XPN.OldHigh)
}

func (c *Checker) lists(m *Member, p *eapol.MKPDU) {
	seen := map[eapol.MI]bool{p.Basic.MI: true}
	for _, list := range [...]*eapol.PeerList{&p.Live, &p.Potential} {
		for _, q := range list.Peers {
			if seen[q.MI] {
				c.errorf("%s lists %s twice, or itself", m.Name, q.MI)
			}
			seen[q.MI] = true
		}
	}
	c.forwards(m, p)
}

// forwards checks that the Message Number heard of a live peer does not go back: then a replay was accepted (9.4.2).
func (c *Checker) forwards(m *Member, p *eapol.MKPDU) {
	before := c.heard[p.Basic.MI]
	for _, q := range p.Live.Peers {
		for _, was := range before {
			if was.MI == q.MI && was.MN > q.MN {
				c.errorf("%s has heard MN %d of %s after %d", m.Name, q.MN, q.MI, was.MN)
			}
		}
	}
	c.heard[p.Basic.MI] = append(before[:0], p.Live.Peers...)
}

// distributed checks that an XPN SAK travels beside one Live list: its SSCIs follow from that.
func (c *Checker) distributed(m *Member, p *eapol.MKPDU) {
	if !p.DistributedSAK.Suite.XPN() {
		return
	}
	key := eapol.KI{MI: p.Basic.MI, KN: p.DistributedSAK.KN}.KeyID()
	list := ""
	for _, q := range p.Live.Peers {
		list += q.MI.String() + " "
	}
	if was, known := c.members[key]; known && was != list {
		c.errorf("%s distributes %s beside another Live list than before: %snot %s", m.Name, key, list, was)
	}
	c.members[key] = list
}

func (c *Checker) lowestPN(m *Member, mi eapol.MI, u eapol.KeyUse, high uint32) {
	if u.KI.IsZero() || !u.Tx && !u.Rx && u.LPN == ^uint32(0) { // the latter: lost, and so used up
		return
	}
	key, pn := u.KI.KeyID(), secy.PN(high)<<32|secy.PN(u.LPN)
	next, known := m.SecY.PNs[key]
	if !known {
		next = 1
	}
	if pn == 0 || pn-1 > next-1 || // 0 follows the last of an XPN suite
		pn < c.lpns[lpn{mi, key}] {
		c.errorf("%s sends the lowest PN %d for %s after %d; its next PN is %d", m.Name, pn, key, c.lpns[lpn{mi, key}],
			next)
	}
	c.lpns[lpn{mi, key}] = pn
}

// Agree checks the SAs of the members against each other: where a receive SA has the key of its sender, it has the same
// SAK, AN, SSCI and salt.
func (c *Checker) Agree(members ...*Member) {
	c.tb.Helper()
	c.pairs(members, func(from, to *Member, sent SA) {
		got, ok := to.SecY.Find(from.cfg.SCI, sent.Key)
		if ok && (got.SAK != sent.SAK || got.AN != sent.AN || got.SSCI != sent.SSCI || got.Salt != sent.Salt) {
			c.errorf("%s receives %s from %s as %+v, it is %+v", to.Name, sent.Key, from.Name, got, sent)
		}
	})
}

// Connected checks that every member is secured, that all transmit with one key, and that each receives all others: no
// direction is dead.
func (c *Checker) Connected(members ...*Member) {
	c.tb.Helper()
	c.Agree(members...)
	for _, m := range members {
		if sa, ok := m.SecY.Transmitting(); !ok || sa.Key != members[0].SecY.Tx || !m.KaY.Secured() || !m.SecY.Enabled {
			c.errorf("%s transmits with %s, secured %t, Controlled Port %t; %s with %s", m.Name, m.SecY.Tx, m.KaY.Secured(),
				m.SecY.Enabled, members[0].Name, members[0].SecY.Tx)
		}
	}
	c.pairs(members, func(from, to *Member, sent SA) {
		if got, ok := to.SecY.Find(from.cfg.SCI, sent.Key); !ok || !got.On {
			c.errorf("%s cannot receive %s from %s", to.Name, sent.Key, from.Name)
		}
	})
}

// Apart tells what keeps the members from being one secured group under one key server, "" if nothing does. A SAK may be
// on its way in while another is in service: as long as each receives what the others transmit, they are one.
func Apart(members []*Member) string {
	servers := 0
	for _, m := range members {
		sa, ok := m.SecY.Transmitting()
		if !m.KaY.Secured() || !m.SecY.Enabled || !ok || !sa.On {
			return fmt.Sprintf("%s is not secured: CP %s", m.Name, m.Status().CP)
		}
		if m.Status().KeyServer {
			servers++
		}
		for _, to := range members {
			got, ok := to.SecY.Find(m.cfg.SCI, sa.Key)
			if to != m && (!ok || !got.On || got.SAK != sa.SAK || got.AN != sa.AN || got.SSCI != sa.SSCI ||
				got.Salt != sa.Salt) {
				return fmt.Sprintf("%s cannot receive %s from %s", to.Name, sa.Key, m.Name)
			}
		}
	}
	if servers != 1 {
		return fmt.Sprintf("%d key servers", servers)
	}
	return ""
}

// pairs calls f for each ordered pair of which the first transmits.
func (c *Checker) pairs(members []*Member, f func(from, to *Member, sent SA)) {
	for _, from := range members {
		sent, ok := from.SecY.Transmitting()
		for _, to := range members {
			if ok && to != from {
				f(from, to, sent)
			}
		}
	}
}

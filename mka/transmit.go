package mka

import (
	"cmp"
	"time"

	"mkad/eapol"
	"mkad/secy"
)

// The versions of what we send (11.3.1, 11.11).
const (
	eapolVersion = 3
	mkaVersion   = 3
)

// sendAt is when the next MKPDU is due: at its hello, or at once if others wait for news, but never less than MinGap
// after the last.
func (p *participant) sendAt() Time {
	at := p.helloAt
	if p.newInfo {
		at = 0
	}
	if p.sent {
		at = max(at, p.sentAt.Add(MinGap))
	}
	return at
}

// transmit sends the participant's MKPDU if it is due (9.4.6).
func (p *participant) transmit(now Time, out *Output) {
	if now < p.sendAt() {
		return
	}
	if p.mn == ^eapol.MN(0) {
		p.newMI(now, "Message Numbers used up", out)
	}
	p.mn++
	p.remember(now)
	p.chooseVersion(now)
	p.append(now, out)
	p.newInfo, p.sent, p.sentAt = false, true, now
	p.helloAt = now.Add(p.interval())
	p.kay.sent++
}

// interval is the time to the next hello.
func (p *participant) interval() time.Duration {
	steady := p.kay.helloTime()
	if p.bounded() {
		steady = min(steady, BoundedHelloTime)
	}
	if p.ramped == len(ramp) {
		return steady
	}
	p.ramped++
	return min(steady, ramp[p.ramped-1])
}

// bounded reports whether delay protection is in use (9.10).
func (p *participant) bounded() bool {
	if p.kay.cfg.DelayProtect {
		return true
	}
	for i := range p.peers {
		if p.peers[i].live && p.peers[i].delayProtect {
			return true
		}
	}
	return false
}

// remember keeps when the MN was sent, at a distance of ageGap.
func (p *participant) remember(now Time) {
	last := &p.ages[(p.agesNext+len(p.ages)-1)%len(p.ages)]
	if last.mn != 0 && now < last.at.Add(p.ageGap()) {
		return
	}
	p.ages[p.agesNext] = age{p.mn, now}
	p.agesNext = (p.agesNext + 1) % len(p.ages)
}

// chooseVersion falls back to the MKA version of a peer that seems to drop ours: some accept no other. Live peers have
// shown what they accept: while there are any nobody else lowers the version, or somebody who sends old MKPDUs again could.
func (p *participant) chooseVersion(now Time) {
	if p.kay.cfg.Version != 0 {
		return
	}
	if len(p.peers) == 0 {
		p.version = mkaVersion
	}
	if lowest := p.lowestLiveVersion(); lowest != 0 {
		p.version = max(p.version, min(lowest, mkaVersion))
		return
	}
	for i := range p.peers {
		q := &p.peers[i]
		if q.live || q.version == 0 || q.version >= p.version {
			continue
		}
		if now >= q.answeredAt.Add(p.kay.lifeTime()) { // three of our hellos
			p.version = q.version
		}
	}
}

// highestVersion is the MKA version in which a participant begins to speak.
func (k *KaY) highestVersion() uint8 { return cmp.Or(k.cfg.Version, mkaVersion) }

// lowestLiveVersion is the lowest MKA version that a live peer speaks; 0: there is no live peer.
func (p *participant) lowestLiveVersion() (lowest uint8) {
	for i := range p.peers {
		if q := &p.peers[i]; q.live && (lowest == 0 || q.version < lowest) {
			lowest = q.version
		}
	}
	return lowest
}

// append builds the MKPDU with its ICV into out.
func (p *participant) append(now Time, out *Output) {
	k, m := p.kay, &p.kay.tx
	m.DA, m.SA, m.EtherType, m.EAPOLVersion = k.cfg.Destination, k.mac, k.etherType(), eapolVersion
	m.Basic = eapol.Basic{
		MKAVersion:        p.version,
		KeyServerPriority: k.cfg.KeyServerPriority,
		KeyServer:         p.server.sci == 0 || p.electedSelf(),
		MACsecDesired:     k.cfg.Capability != secy.CapabilityNone,
		Capability:        k.cfg.Capability,
		SCI:               k.cfg.SCI,
		MI:                p.mi,
		MN:                p.mn,
		AlgorithmAgility:  eapol.AlgorithmAgility,
		CKN:               p.ckn,
	}
	p.fillLists(m)
	p.fillSAKUse(now, m)
	p.fillDistributedSAK(now, m)
	p.fillAnnouncement(m)
	m.ICVIndicator = k.cfg.ICVIndicator
	start := len(out.arena)
	out.arena = m.AppendTo(out.arena)
	icv := p.ick.Sum(out.arena[start:])
	out.arena = append(out.arena, icv[:]...)
	out.Frames = append(out.Frames, out.arena[start:len(out.arena):len(out.arena)])
}

func (k *KaY) etherType() uint16 {
	if k.cfg.Acceptance.EtherType != 0 {
		return k.cfg.Acceptance.EtherType
	}
	return eapol.EtherType
}

// fillLists lists every peer with the last MN received from it, each in one list (9.4.3).
func (p *participant) fillLists(m *eapol.MKPDU) {
	m.Live.Peers, m.Potential.Peers = m.Live.Peers[:0], m.Potential.Peers[:0]
	m.Live.KeyServerSSCI = 0
	for i := range p.peers {
		q := &p.peers[i]
		list := &m.Potential
		if q.live {
			list = &m.Live
		}
		list.Peers = append(list.Peers, eapol.ListedPeer{MI: q.mi, MN: q.mn})
	}
	m.Live.Present, m.Potential.Present = len(m.Live.Peers) > 0, len(m.Potential.Peers) > 0
}

// fillSAKUse reports how we use the keys (9.10.1): from the first live peer on in every MKPDU, in participants other
// than the principal without keys. A body of length 0 says that MACsec is not used.
//
// CP moves a key from Latest to Old as soon as the key before it has retired, but some receivers look only at Latest,
// and none minds to find the key in service there: so it stays there while CP has no latest key. Where InServiceOld wants
// it as Old it has been Latest in one MKPDU at least.
func (p *participant) fillSAKUse(now Time, m *eapol.MKPDU) {
	k := p.kay
	c := &k.cp
	m.SAKUse = eapol.SAKUse{}
	m.XPN = eapol.XPN{}
	if p.liveCount() == 0 {
		return
	}
	m.SAKUse = eapol.SAKUse{
		Present:      true,
		Empty:        k.principal == p && p.plain || k.cfg.Capability == secy.CapabilityNone,
		PlainTx:      !c.protect,
		PlainRx:      c.validate != secy.ValidateStrict,
		DelayProtect: k.cfg.DelayProtect,
	}
	if k.principal == p {
		latest, ltx, lrx, old, otx, orx := c.latest, c.ltx, c.lrx, c.old, c.otx, c.orx
		if latest == nil && old != nil && !(k.cfg.InServiceOld && old.shown) {
			latest, ltx, lrx, old, otx, orx = old, otx, orx, nil, false, false
		}
		if latest != nil && lrx {
			latest.shown = true
		}
		m.SAKUse.Latest, m.XPN.LatestHigh = keyUseOf(now, latest, ltx, lrx)
		m.SAKUse.Old, m.XPN.OldHigh = keyUseOf(now, old, otx, orx)
		m.XPN.Present = c.currentSuite.XPN() // whatever the version: who does not know the set skips it
		if latest == nil {
			p.missing.say(m)
		}
	}
	if k.cfg.DelayProtect { // a zero here, for a key that is not, makes some peers refuse the set
		m.SAKUse.Latest.LPN = max(m.SAKUse.Latest.LPN, 1)
		m.SAKUse.Old.LPN = max(m.SAKUse.Old.LPN, 1)
	}
}

// keyUseOf is one half of SAK Use, with the upper half of the packet number.
func keyUseOf(now Time, y *key, tx, rx bool) (u eapol.KeyUse, high uint32) {
	if y == nil {
		return u, 0
	}
	lpn := y.lowestPN(now)
	u = eapol.KeyUse{KI: y.ki, AN: y.an, Tx: tx, Rx: rx, LPN: uint32(lpn)}
	if y.suite.XPN() {
		return u, uint32(lpn >> 32)
	}
	return u, 0
}

// fillDistributedSAK distributes what there is (9.8). Beside an XPN SAK a Live list of MKA version 3 is in the order of
// the SSCIs and carries our own.
func (p *participant) fillDistributedSAK(now Time, m *eapol.MKPDU) {
	m.DistributedSAK = eapol.DistributedSAK{}
	if p.kay.principal == p && p.electedSelf() && p.plain {
		m.DistributedSAK = eapol.DistributedSAK{Present: true, Empty: true}
	}
	if !p.offering() {
		return
	}
	o := p.offer
	y := o.key
	m.DistributedSAK = eapol.DistributedSAK{Present: true, AN: y.an, Offset: y.offset, KN: y.ki.KN, Suite: y.suite,
		Wrapped: o.wrapped}
	if !o.sent {
		o.sent, o.mn = true, p.mn
		p.offered, p.offeredAt = true, now
	}
	if !o.judged && y != p.kay.cp.next { // else we too are still to retire another first
		o.judged, o.judgeAt = true, now.Add(SuiteTime)
	}
	if !y.suite.XPN() {
		return
	}
	m.XPN.Present = true
	if p.version >= 3 {
		m.Live.KeyServerSSCI = uint8(y.ssci)
		for i := range m.Live.Peers {
			q := p.find(y.members[i].mi)
			m.Live.Peers[i] = eapol.ListedPeer{MI: p.peers[q].mi, MN: p.peers[q].mn}
		}
	}
}

// fillAnnouncement announces our cipher suites (11.12.3), unless we speak version 1 for a peer that knows no better.
func (p *participant) fillAnnouncement(m *eapol.MKPDU) {
	a := &m.Announcement
	a.Present, a.Body, a.Suites = p.version >= 2, nil, a.Suites[:0]
	if !a.Present {
		return
	}
	for _, c := range p.kay.cfg.CipherSuites {
		capability := p.kay.cfg.Capability
		if c.XPN() {
			capability = min(capability, secy.CapabilityConfidentiality)
		}
		a.Suites = append(a.Suites, eapol.AnnouncedSuite{Capability: capability, Suite: c})
	}
}

// noteUse keeps how a live peer uses the keys (9.10.1). A set that names keys we do not know is merely early, or late.
func (p *participant) noteUse(q *peer, m *eapol.MKPDU, out *Output) {
	if !m.SAKUse.Present {
		q.forget()
		return
	}
	q.silences = 0
	q.delayProtect = m.SAKUse.DelayProtect
	q.use[0] = p.useOf(&m.SAKUse.Latest, m.XPN.LatestHigh)
	q.use[1] = p.useOf(&m.SAKUse.Old, m.XPN.OldHigh)
	if q.delayProtect && p.kay.principal == p {
		p.raise(q.sci, &m.SAKUse.Latest, m, m.XPN.LatestHigh, out)
		p.raise(q.sci, &m.SAKUse.Old, m, m.XPN.OldHigh, out)
	}
}

func (p *participant) useOf(u *eapol.KeyUse, high uint32) keyUse {
	pn := secy.PN(u.LPN)
	if y := p.kay.keyOf(u.KI.KeyID()); y != nil && y.suite.XPN() {
		pn |= secy.PN(high) << 32
	}
	return keyUse{ki: u.KI, tx: u.Tx, rx: u.Rx, pn: pn}
}

// raise enforces a peer's lowest acceptable PN, as its Delay Protect bit asks (9.10). Without the upper half of an XPN
// there is nothing to enforce, and nothing to enforce it on where we do not receive the peer with this key: the key may
// be another CA's, or have gone to a life of the peer that we never heard.
func (p *participant) raise(sci secy.SCI, u *eapol.KeyUse, m *eapol.MKPDU, high uint32, out *Output) {
	y := p.kay.keyOf(u.KI.KeyID())
	if y == nil || y == p.kay.cp.next || !y.has(sci) || y.suite.XPN() && !m.XPN.Present {
		return
	}
	pn := secy.PN(u.LPN)
	if y.suite.XPN() {
		pn |= secy.PN(high) << 32
	}
	if m := y.member(sci); pn > m.raised { // a peer that sends nothing, or no more with this key, tells the same again
		m.raised = pn
		out.op(secy.Op{Kind: secy.OpRaiseLowestPN, SCI: sci, Key: y.ki.KeyID(), PN: pn})
	}
}

// peersFor is how many peers fit into an MKPDU with everything in it (9.4.3, 11.11.3).
func peersFor(mtu int) int {
	const (
		// EAPOL, sets, of which the announcement ends with two octets of padding, ICV and its indicator
		fixed = 4 + 32 + 32 + 2*4 + 44 + 56 + 4 + 2 + 10*len(secy.CipherSuites) + 2 + 12 + 20
	)
	if mtu == 0 {
		mtu = 1500
	}
	return max(1, min((mtu-fixed)/16, maxPeers))
}

// maxPeers is the most peers that a participant keeps: the SSCIs of a group are meant for a hundred or fewer.
const maxPeers = 100

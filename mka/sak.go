package mka

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/secy"
)

// A key is a SAK with all that belongs to it.
type key struct {
	owner   *participant // in whose CA it was distributed
	ki      eapol.KI
	an      secy.AN
	suite   secy.CipherSuite
	offset  secy.ConfidentialityOffset
	sak     keyderive.SAK
	name    keyderive.Fingerprint // of sak
	salt    secy.Salt
	server  secy.SCI // who distributed it
	ssci    secy.SSCI
	members []member // all others that hold it
	nextPN  secy.PN  // of our transmit SA, as last reported
	lpn     secy.PN  // what we tell to be the lowest acceptable PN
	samples [8]pnSample
	sampled int // index of the newest
	bornAt  Time
	resumed bool // in service since an earlier process, which has taken the SAK with it
	failed  bool // the SecY did not obey an Op for it
	counted bool // exhaustion has already asked for its successor
	shown   bool // an MKPDU has reported it as Latest, receiving
}

// A pnSample is what nextPN was at a time.
type pnSample struct {
	pn secy.PN // 0: there is no sample
	at Time
}

// sampleGap is the least distance of samples that are kept: with it they reach back beyond a Bounded Hello Time.
const sampleGap = BoundedHelloTime / 5

// sample keeps nextPN as what it is now.
func (y *key) sample(now Time) {
	if last := &y.samples[y.sampled]; last.pn != 0 {
		if now < last.at.Add(sampleGap) {
			return
		}
		y.sampled = (y.sampled + 1) % len(y.samples)
	}
	y.samples[y.sampled] = pnSample{y.nextPN, now}
}

// A member is another holder of a key.
type member struct {
	mi   eapol.MI
	sci  secy.SCI // 0: not heard yet
	ssci secy.SSCI
	// raised is the lowest acceptable PN of its receive SA that was last ordered for delay protection.
	raised secy.PN
}

// wipe forgets the key's SAK.
func (y *key) wipe() {
	if y != nil {
		y.sak.Wipe()
	}
}

// An offer is a SAK that we distribute as key server, beside the very Live list for which it was made: it is withdrawn
// when that list changes. A newcomer must not get a key whose SSCIs do not provide for it: with an XPN suite it would
// take another member's, and nonces would repeat.
type offer struct {
	key     *key
	wrapped []byte
	sent    bool
	judged  bool     // judgeAt counts
	judgeAt Time     // when peers that do not report it are judged to refuse its suite
	mn      eapol.MN // of the first MKPDU with it
	again   bool     // nothing else could be offered: start over when judged
	early   bool     // it was made while some members did not hear each other
}

// wantSAK asks for a new SAK; the first reason is kept until it is made (9.8: triggers are postponed, never lost).
func (p *participant) wantSAK(why string) {
	if p.electedSelf() && p.sakWanted == "" {
		p.sakWanted = why
	}
}

// serve does the key server's work in the principal participant.
func (k *KaY) serve(now Time, out *Output) {
	p := k.principal
	if p == nil || !p.electedSelf() {
		return
	}
	if plain := !p.advised(); plain != p.plain {
		p.plain, p.newInfo = plain, true
		p.wantSAK("MACsec wanted")
	}
	if p.plain {
		return
	}
	p.judgeOffer(now, out)
	k.watchKeys(now)
	if p.sakWanted != "" && now >= p.holdOff() {
		p.generate(now, out)
	}
}

// advised reports whether MACsec makes sense: we and a live peer want it and can do it (9.6.1).
func (p *participant) advised() bool {
	if p.kay.cfg.Capability == secy.CapabilityNone {
		return false
	}
	for i := range p.peers {
		if q := &p.peers[i]; q.live && q.secures() {
			return true
		}
	}
	return false
}

// holdOff is the time before which no new SAK is made: while others are about to become live, Life Time after the last
// was first distributed, so that one SAK serves them all (9.8). And not before it can be distributed at once: nothing is
// to be sent with a SAK that the others do not have yet. And not before the last one that we have made is taken up.
func (p *participant) holdOff() Time {
	var at Time
	if p.sent {
		at = p.sentAt.Add(MinGap)
	}
	if p.offered && p.potentialCount() > 0 {
		at = max(at, p.offeredAt.Add(p.kay.lifeTime()))
	}
	if y := p.kay.newest(); y != nil && y.ki.MI == p.mi {
		at = max(at, p.takenUpAt(y))
	}
	return at
}

// takenUpAt is when a key is taken up at the latest: everybody for whom it was made transmits with it, or does not even
// report it within SuiteTime, or does not get further within Life Time; a station that has taken another MI since may have
// it, too. A wpa_supplicant (2.10) that learns in one MKPDU that its key server transmits with a key, and of the next key,
// dies.
func (p *participant) takenUpAt(y *key) (at Time) {
	for i := range p.peers {
		q := &p.peers[i]
		if !q.live || !q.secures() || !slices.ContainsFunc(y.members, func(m member) bool { return m.mi == q.mi || m.sci == q.sci }) {
			continue
		}
		switch u, _ := q.uses(y.ki); {
		case u.tx, u.lost():
		case u.rx:
			at = max(at, y.bornAt.Add(p.kay.lifeTime()))
		default:
			at = max(at, y.bornAt.Add(SuiteTime))
		}
	}
	return at
}

// watchKeys asks for a successor of the SAK in service when its packet numbers or its time run out (9.8).
func (k *KaY) watchKeys(now Time) {
	p, y := k.principal, k.newest()
	if y == nil || y.counted {
		return
	}
	switch why := p.spent(now, y); {
	case why != "":
		y.counted = true
		p.replacedAt, p.exhaustedAt = now.Add(newMIGap), now.Add(k.lifeTime())
		p.wantSAK(why)
	case k.cfg.SAKLifetime > 0 && now >= y.bornAt.Add(k.cfg.SAKLifetime):
		y.counted = true
		p.wantSAK("SAK lifetime")
	}
}

// spent says why a member can use the SAK no more, or soon; empty: all can. However often a member says so, it does not
// always count.
func (p *participant) spent(now Time, y *key) string {
	switch {
	case now >= p.replacedAt && p.anyPeer(y.ki, keyUse.lost):
		return "a member has lost the SAK"
	case now >= p.exhaustedAt && p.exhausted(y):
		return "packet numbers run out"
	}
	return ""
}

// The lowest acceptable PN above which the key server makes a new SAK (9.8).
const (
	pnExhaustion    secy.PN = 0xc0000000
	xpnPNExhaustion secy.PN = 0xc000000000000000
)

// exhausted reports whether any member's packet numbers of the key come to their end.
func (p *participant) exhausted(y *key) bool {
	limit := pnExhaustion
	if y.suite.XPN() {
		limit = xpnPNExhaustion
	}
	if y.nextPN > limit {
		return true
	}
	return p.anyPeer(y.ki, func(u keyUse) bool { return u.pn > limit })
}

// generate makes a SAK, gives it to our own CP, and begins to distribute it (9.8.1).
func (p *participant) generate(now Time, out *Output) {
	k := p.kay
	suite, offset, ok := p.chooseSuite()
	if !ok {
		if !p.refusal {
			p.refusal = true
			out.event(Event{Kind: EventNoSuite, CKN: p.ckn, Reason: p.noSuite()})
		}
		return
	}
	p.refusal = false
	if p.kn == ^eapol.KN(0) { // a KI must never come twice
		p.newMI(now, "Key Numbers used up", out)
		return
	}
	p.kn++
	y := &key{ki: eapol.KI{MI: p.mi, KN: p.kn}, an: k.freeAN(), suite: suite, offset: offset, server: k.cfg.SCI,
		bornAt: now, nextPN: 1}
	y.members = p.liveMembers()
	y.assignSSCIs(k.cfg.SCI)
	y.sak = p.makeSAK(y)
	y.name = y.sak.Fingerprint()
	p.offer = &offer{key: y, wrapped: p.kek.Wrap(nil, y.sak), early: !p.hearEachOther()}
	out.event(Event{Kind: EventSAKGenerated, CKN: p.ckn, KI: y.ki, AN: y.an, Suite: suite, Reason: p.sakWanted})
	p.sakWanted, p.newInfo = "", true
	k.adopt(p, y)
}

// noteOthers keeps whether a live peer hears all the others. A key server can hear two members before they hear each
// other; some then make no receive SA of its SAK for whom they hear later, and that direction stays dead until the next
// SAK. So there is one as soon as they do.
func (p *participant) noteOthers(q *peer, m *eapol.MKPDU) {
	q.hearsAll = true
	for i := range p.peers {
		if o := &p.peers[i]; o.live && o.mi != q.mi && !lists(&m.Live, o.mi) {
			q.hearsAll = false
		}
	}
	if o := p.offer; o != nil && o.early && p.hearEachOther() {
		o.early = false
		p.wantSAK("members hear each other")
	}
}

// hearEachOther reports whether all live peers do that make no receive SA for somebody heard later: wpa_supplicant is one,
// and known by its MKA version.
func (p *participant) hearEachOther() bool {
	for i := range p.peers {
		if q := &p.peers[i]; q.live && q.version < 2 && !q.hearsAll {
			return false
		}
	}
	return true
}

func lists(list *eapol.PeerList, mi eapol.MI) bool {
	return slices.ContainsFunc(list.Peers, func(l eapol.ListedPeer) bool { return l.MI == mi })
}

// makeSAK derives the SAK from the CAK, a nonce and everybody's MI (9.8.1).
func (p *participant) makeSAK(y *key) keyderive.SAK {
	nonce := make([]byte, y.suite.KeyLen())
	if _, err := io.ReadFull(p.kay.cfg.Rand, nonce); err != nil {
		panic(fmt.Sprintf("mka: reading randomness for a SAK: %v", err))
	}
	mis := append([]byte(nil), p.mi[:]...)
	for i := range y.members {
		mis = append(mis, y.members[i].mi[:]...)
	}
	sak, err := keyderive.DeriveSAK(p.cak, nonce, mis, uint32(p.kn), len(nonce))
	clear(nonce)
	if err != nil {
		panic(fmt.Sprintf("mka: deriving a SAK: %v", err))
	}
	return sak
}

// liveMembers are the live peers, who are to hold a new key.
func (p *participant) liveMembers() (all []member) {
	for i := range p.peers {
		if q := &p.peers[i]; q.live {
			all = append(all, member{mi: q.mi, sci: q.sci})
		}
	}
	return all
}

// assignSSCIs numbers the members of an XPN key by SCI, the greatest first, from 1 (802.1AE-2018 10.7.13), puts them in
// that order, and works out the salt. For other suites it does nothing.
func (y *key) assignSSCIs(own secy.SCI) {
	if !y.suite.XPN() {
		return
	}
	y.salt = secy.SaltOf(y.ki.KeyID())
	slices.SortFunc(y.members, func(a, b member) int { return cmp.Compare(b.sci, a.sci) })
	y.ssci = 1
	for i := range y.members {
		y.members[i].ssci = secy.SSCI(i + 1)
		if y.members[i].sci > own {
			y.ssci++
		} else {
			y.members[i].ssci++
		}
	}
}

// offering reports whether the next MKPDU carries the Distributed SAK: until every live peer reports to receive with it, or
// to have lost it.
func (p *participant) offering() bool {
	return p.kay.principal == p && p.electedSelf() && !p.plain && p.offer != nil &&
		p.wanting(p.offer.key.ki)
}

// wanting reports whether a live peer that secures does not receive with the key yet. One that has lost it does not want
// it: it would refuse it as used before.
func (p *participant) wanting(ki eapol.KI) bool {
	for i := range p.peers {
		q := &p.peers[i]
		if u, _ := q.uses(ki); q.live && q.secures() && !u.rx && !u.lost() {
			return true
		}
	}
	return false
}

// allReceiving of CP: every live peer that secures reports to receive with the key.
func (p *participant) allReceiving(ki eapol.KI) bool {
	for i := range p.peers {
		q := &p.peers[i]
		if u, _ := q.uses(ki); q.live && q.secures() && !u.rx {
			return false
		}
	}
	return true
}

// serverTransmitting of CP: the key server reports to transmit with the key.
func (p *participant) serverTransmitting(ki eapol.KI) bool {
	for i := range p.peers {
		if q := &p.peers[i]; q.live && q.sci == p.server.sci {
			u, _ := q.uses(ki)
			return u.tx
		}
	}
	return false
}

// anyTransmitting reports whether a live peer transmits with the key.
func (p *participant) anyTransmitting(ki eapol.KI) bool {
	return p.anyPeer(ki, func(u keyUse) bool { return u.tx })
}

// anyPeer reports whether a live peer uses the key so.
func (p *participant) anyPeer(ki eapol.KI, so func(keyUse) bool) bool {
	if p == nil {
		return false
	}
	for i := range p.peers {
		if u, known := p.peers[i].uses(ki); known && p.peers[i].live && so(u) {
			return true
		}
	}
	return false
}

// judgeOffer notices peers that do not take the cipher suite of a SAK: they never report to receive with it.
func (p *participant) judgeOffer(now Time, out *Output) {
	o := p.offer
	if o == nil {
		return
	}
	if !p.offering() {
		o.judged = false // all have taken it; who drops it later has time again
	}
	if !o.judged || now < o.judgeAt {
		return
	}
	if o.again {
		p.wantSAK("SAK not taken")
		o.judgeAt = never
		return
	}
	if !p.blame(o, out) {
		o.judgeAt = now.Add(SuiteTime)
		return
	}
	if _, _, more := p.chooseSuite(); more {
		p.wantSAK("cipher suite refused")
		o.judgeAt = never
		return
	}
	for i := range p.peers {
		p.peers[i].refused = 0
	}
	o.again, o.judgeAt = true, now.Add(2*p.kay.lifeTime())
}

// blame notes who leaves the offer unreported and may not know its suite. A peer that has announced the suite knows it:
// MKPDUs were lost, or it is busy with another CA; a worse suite would not help. And one that has not answered since
// the offer, by listing the MN of an MKPDU that had it, may say hello seldom.
func (p *participant) blame(o *offer, out *Output) (any bool) {
	for i := range p.peers {
		q := &p.peers[i]
		u, _ := q.uses(o.key.ki)
		if !q.live || !q.secures() || u.rx || q.announced.has(o.key.suite) || q.listed < o.mn {
			continue
		}
		any = true
		q.refused |= suiteBit(o.key.suite)
		out.event(Event{Kind: EventSuiteRefused, CKN: p.ckn, Peer: q.sci, KI: o.key.ki, Suite: o.key.suite})
	}
	return any
}

// serverDeadline is the earliest time at which serve has something to do.
func (k *KaY) serverDeadline() Time {
	p := k.principal
	if p == nil || !p.electedSelf() || p.plain {
		return never
	}
	at := never
	if p.sakWanted != "" && !p.refusal {
		at = min(at, p.holdOff())
	}
	if p.offer != nil && p.offer.judged && p.offering() {
		at = min(at, p.offer.judgeAt)
	}
	if y := k.newest(); y != nil && !y.counted {
		if k.cfg.SAKLifetime > 0 {
			at = min(at, y.bornAt.Add(k.cfg.SAKLifetime))
		}
		if p.anyPeer(y.ki, keyUse.lost) {
			at = min(at, p.replacedAt)
		}
	}
	return at
}

// decideSAK makes the checks of a Distributed SAK (9.8, 11.11.3) and unwraps one that is new. One from somebody who is not
// the key server is dropped, but not what else the MKPDU says, which the standard leaves open: stations that each take
// themselves for the key server, as when three start together or two halves of a group meet, would be deaf to each
// other until they expire.
func (p *participant) decideSAK(d decision, m *eapol.MKPDU) (decision, eapol.Discard) {
	k, set, b := p.kay, &m.DistributedSAK, &m.Basic
	sender := peer{mi: b.MI, sci: b.SCI, priority: b.KeyServerPriority, keyServer: b.KeyServer}
	live := d.proof || d.at >= 0 && p.peers[d.at].live
	if !live || p.serverWith(&sender) != b.SCI {
		d.ignored = true
		return d, eapol.Accepted
	}
	if set.Empty {
		d.plain = true
		return d, eapol.Accepted
	}
	ki := eapol.KI{MI: b.MI, KN: set.KN}
	if k.holds(ki) {
		return d, eapol.Accepted // the same SAK in each hello is normal
	}
	if !lists(&m.Live, p.mi) {
		return d, eapol.Accepted // it was made before the key server knew us by this MI, and is not for us; all else is
	}
	if k.used.has(ki) {
		if p.unmissed(m) {
			return d, eapol.Accepted // it is heard: it has not forgotten us, but we it
		}
		d.newMI = "the key server distributes a SAK that was used before"
		return d, eapol.DiscardSAKReuse
	}
	if k.cfg.Capability == secy.CapabilityNone || !k.allows(set.Suite) || !set.Suite.Allows(set.Offset) ||
		k.cfg.Capability.Limit(set.Offset) != set.Offset {
		return d, eapol.DiscardSAKPolicy
	}
	sak, err := p.kek.Unwrap(set.Wrapped)
	if err != nil {
		return d, eapol.DiscardSAKUnwrap
	}
	name := sak.Fingerprint()
	if k.used.hasSAK(name) {
		sak.Wipe()
		d.newMI = "the key server gives a SAK that was used before another KI"
		return d, eapol.DiscardSAKReuse
	}
	y := &key{ki: ki, an: set.AN, suite: set.Suite, offset: set.Offset, sak: sak, name: name, server: b.SCI, nextPN: 1}
	if !p.enroll(y, m) {
		y.wipe() // it comes again with the next MKPDU
		return d, eapol.Accepted
	}
	d.key = y
	return d, eapol.Accepted
}

// enroll fills in the members of a key that was distributed beside the Live list of m, with their SSCIs. false: an SSCI
// cannot be told yet.
func (p *participant) enroll(y *key, m *eapol.MKPDU) bool {
	y.members = append(make([]member, 0, len(m.Live.Peers)), member{mi: m.Basic.MI, sci: m.Basic.SCI})
	complete := true
	for i := range m.Live.Peers {
		mi := m.Live.Peers[i].MI
		if mi == p.mi {
			continue
		}
		var sci secy.SCI
		if at := p.find(mi); at >= 0 {
			sci = p.peers[at].sci
		}
		if y.has(sci) { // two lives of one station
			sci = 0
		}
		complete = complete && sci != 0
		y.members = append(y.members, member{mi: mi, sci: sci})
	}
	if !y.suite.XPN() {
		return true
	}
	if m.Basic.MKAVersion >= 3 && m.Live.KeyServerSSCI != 0 {
		p.orderSSCIs(y, m)
		return true
	}
	if complete {
		y.assignSSCIs(p.kay.cfg.SCI)
	}
	return complete
}

// orderSSCIs takes the SSCIs from the order of the Live list: entry i, from 1, has SSCI i, but those from the key
// server's own SSCI on have one more (11.11.3, MKA version 3).
func (p *participant) orderSSCIs(y *key, m *eapol.MKPDU) {
	y.salt = secy.SaltOf(y.ki.KeyID())
	y.members[0].ssci = secy.SSCI(m.Live.KeyServerSSCI)
	at := 1
	for i := range m.Live.Peers {
		ssci := secy.SSCI(i + 1)
		if ssci >= y.members[0].ssci {
			ssci++
		}
		if m.Live.Peers[i].MI == p.mi {
			y.ssci = ssci
			continue
		}
		y.members[at].ssci = ssci
		at++
	}
}

// noteServed keeps since when the key server has us in its Live list and gives us no SAK. wpa_supplicant, which is known
// by its MKA version, loses the reason for one that comes within Life Time of the last: who joins then gets none until
// something else happens.
func (p *participant) noteServed(now Time, q *peer, m *eapol.MKPDU) {
	if q.sci != p.server.sci {
		return
	}
	y := p.kay.newest()
	served := y != nil && y.ki.MI == q.mi
	waits := p.kay.principal == p && !served && !p.plain && q.secures() && q.version < 2 && lists(&m.Live, p.mi)
	if waits && !p.unserved {
		p.unservedAt = now
	}
	p.unserved = waits
}

// plead makes us a new member, for whom the key server makes a SAK.
func (p *participant) plead(now Time, out *Output) {
	if now < p.pleaAt() {
		return
	}
	p.pleaded, p.pleadedAt = true, now
	p.newMI(now, "the key server gives us no SAK", out)
}

func (p *participant) pleaAt() Time {
	switch at := p.unservedAt.Add(PleaTime); {
	case !p.unserved:
		return never
	case p.pleaded:
		return max(at, p.pleadedAt.Add(PleaGap))
	default:
		return at
	}
}

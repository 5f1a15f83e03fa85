package mka

import "mkad/eapol"

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

// offering reports whether the next MKPDU carries the Distributed SAK: until every live peer reports to receive with it, or
// to have lost it.
func (p *participant) offering() bool {
	return p.kay.principal == p && p.electedSelf() && !p.plain && p.offer != nil &&
		p.wanting(p.offer.key.ki)
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

package mka

import (
	"fmt"
	"io"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/secy"
)

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
// report it within SuiteTime, or does not get further within Life Time. A wpa_supplicant (2.10) that learns in one MKPDU
// that its key server transmits with a key, and of the next key, dies.
func (p *participant) takenUpAt(y *key) (at Time) {
	for i := range p.peers {
		q := &p.peers[i]
		if !q.live || !q.secures() || !y.isFor(q) {
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

package mka

import (
	"cmp"
	"slices"
)

// This chapter is the choice of the principal participant: the one that drives the port, of all that have live peers
// (9.3.2, 12.5). Where it moves from one to another while both have live peers, no frame is lost: the SAK in service
// stays until that of the other CA is in use.
//
// All members have to come to the same choice, though they learn of keys and peers in another order and their clocks
// differ. So where one station is key server of both participants, that station decides, and the others go with it when
// it distributes a SAK.

// alive reports whether there is a participant, with live peers and a key server.
func (p *participant) alive() bool { return p != nil && p.server.sci != 0 }

// choosePrincipal picks the principal participant, and notes when there may be another.
func (k *KaY) choosePrincipal(now Time, out *Output) {
	for _, p := range k.participants {
		if p.unsettled {
			p.unsettled, p.settledAt = false, now
		}
	}
	k.principalAt = never
	best := k.best(now)
	if cur := k.principal; best != nil && best != cur && cur.alive() && cur.server.sci == best.server.sci {
		best = k.hold(now, cur, best)
	}
	if best != k.principal {
		k.setPrincipal(best, k.whyPrincipal(best), out)
	}
}

// hold keeps the current principal for a while beside a better one with the same key server. As key server we give the
// other members Life Time to become live in the successor before its SAK is distributed (9.3.2), and we go back and
// forth no faster while members come and go. As another member we wait for its SAK.
func (k *KaY) hold(now Time, cur, best *participant) *participant {
	if !best.electedSelf() {
		return cur
	}
	if at := max(cur.settledAt, best.settledAt).Add(k.lifeTime()); now < at {
		k.principalAt = min(k.principalAt, at)
		return cur
	}
	return best
}

// best is the participant that we would choose ourselves, nil if none has live peers. Those on standby are not chosen. At
// the start a fallback waits until it has become clear whether a primary works.
func (k *KaY) best(now Time) (best *participant) {
	for _, p := range k.participants {
		if p.standby || !p.alive() {
			continue
		}
		if at := p.settledAt.Add(BoundedHelloTime); p.role == Fallback && k.principal == nil && k.hopes() && now < at {
			k.principalAt = min(k.principalAt, at)
			continue
		}
		if best == nil || p.precedes(best) {
			best = p
		}
	}
	return best
}

// hopes reports whether there is a primary participant that may yet find peers.
func (k *KaY) hopes() bool {
	for _, p := range k.participants {
		if p.role == Primary && !p.standby {
			return true
		}
	}
	return false
}

// precedes reports whether p is to be preferred to o: a primary before a fallback, then the one with the better key
// server. The standard leaves open which it is where one station is key server of several: the one with more live peers,
// so that a key which not everybody has yet cuts nobody off, then the one of higher rank, then the lower CKN.
func (p *participant) precedes(o *participant) bool {
	if p.role == o.role && p.server != o.server {
		return p.server.precedes(o.server)
	}
	return cmp.Or(cmp.Compare(p.role, o.role), cmp.Compare(o.liveCount(), p.liveCount()), cmp.Compare(o.rank, p.rank),
		p.ckn.Compare(o.ckn)) < 0
}

// follow makes p, in which its key server distributes a new SAK, the principal, if that key server is the current
// principal's too, or there is no principal: it may have moved before we would. It reports whether p is principal now.
// To one on standby nobody is followed while no other has live peers: without a key that is valid we would throw its SAK away
// at once. And nobody is followed from a primary to a fallback as long as the key server uses the primary: who has the fallback
// key alone could take its SCI. What the key server has sent in the CA that it comes from may have been overtaken: right after
// it was followed it is not followed back.
func (k *KaY) follow(now Time, p *participant, out *Output) bool {
	cur := k.principal
	switch {
	case cur == p:
		return true
	case cur.alive() && cur.server.sci != p.server.sci, p.standby && !k.anyReady(),
		cur.alive() && cur.role < p.role && !cur.abandoned(now),
		cur.alive() && k.followed && now < k.followedAt.Add(graceTime):
		return false
	}
	k.setPrincipal(p, "the key server distributes its SAK", out)
	k.followed, k.followedAt = true, now
	return true
}

// abandoned reports whether the participant's key server, another than ourselves, does not drive its port by it any more:
// it says so by a SAK Use without keys (9.10.1), or does not say its hellos.
func (p *participant) abandoned(now Time) bool {
	hello := max(HelloTime, p.kay.cfg.HelloTime)
	for i := range p.peers {
		if q := &p.peers[i]; q.live && q.sci == p.server.sci {
			return now >= q.heardAt.Add(hello+hello/8) || q.use[0].ki.IsZero() && q.use[1].ki.IsZero()
		}
	}
	return true
}

// anyReady reports whether there is a participant with live peers that is not on standby.
func (k *KaY) anyReady() bool {
	return slices.ContainsFunc(k.participants, func(p *participant) bool { return !p.standby && p.alive() })
}

// whyPrincipal says why we choose p after the current principal.
func (k *KaY) whyPrincipal(p *participant) string {
	cur := k.principal
	switch {
	case p == nil:
		return "no valid key has a live peer"
	case p.role == Fallback:
		return "no primary key has a live peer"
	case cur == nil:
		return ""
	case !cur.alive():
		return "the key before has no live peer any more"
	case cur.standby:
		return "the key before is not valid any more"
	case cur.role == Fallback:
		return "a primary key has live peers"
	}
	return "it is preferred to the key before"
}

func (k *KaY) setPrincipal(p *participant, why string, out *Output) {
	if k.principal != nil {
		k.principal.newInfo = true // it says of no key any more that we use it
	}
	k.principal, k.followed = p, false
	if y := k.cp.next; y != nil && y.owner != p { // CP has not begun with it; its CA no longer drives the port
		k.forget(y)
		k.cp.next, k.cp.chgdServer = nil, false
		if y := k.newest(); y != nil {
			k.cp.server = y.server // the next SAK of who distributed this one is no change
		}
	}
	e := Event{Kind: EventPrincipal, Reason: why}
	if p != nil {
		e.CKN = p.ckn
		p.offer = nil // one from when it was principal before is retired
		p.wantSAK("became principal")
	}
	out.event(e)
}

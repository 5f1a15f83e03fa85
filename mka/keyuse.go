package mka

import (
	"slices"

	"mkad/eapol"
	"mkad/secy"
)

// keyUse is how a peer uses a key.
type keyUse struct {
	ki     eapol.KI
	tx, rx bool
	pn     secy.PN // the lowest acceptable PN, as far as it was told
}

// lost reports whether the peer has said that it has the key no more, as one does that was restarted without its SecY: it
// neither receives nor transmits with it, and none of its packet numbers is left.
func (u keyUse) lost() bool { return !u.tx && !u.rx && u.pn >= lostPN }

const lostPN secy.PN = 1<<32 - 1

// uses reports what the peer does with the key, in whichever slot it names it: implementations disagree on when a key
// moves from Latest to Old, and one stack repeats a key in both.
func (q *peer) uses(ki eapol.KI) (u keyUse, known bool) {
	for _, v := range q.use {
		if v.ki == ki {
			u = keyUse{ki, u.tx || v.tx, u.rx || v.rx, max(u.pn, v.pn)}
			known = true
		}
	}
	return u, known
}

// silenceMax is how many MKPDUs in a row without SAK Use say that a peer that had a key has none: it reports one that it has
// in each. Each time that it counts they have to be twice as many, up to patienceMax: a peer that reports a key once, and not
// in each, is not to be given another for ever.
const (
	silenceMax  = 3
	patienceMax = silenceMax << 6
)

// forget takes note of an MKPDU without SAK Use. A peer may leave it out and stays live, but one that has reported keys and
// does so no more has lost them, as a wpa_supplicant does whose clock was set: it takes us for dead, finds us again, and waits
// for another SAK.
func (q *peer) forget() {
	limit := max(q.patience, silenceMax)
	if q.silences = min(q.silences+1, limit); q.silences < limit {
		return
	}
	for i := range q.use {
		if u := &q.use[i]; u.rx || u.tx {
			*u = keyUse{ki: u.ki, pn: lostPN}
			q.patience = min(2*limit, patienceMax)
		}
	}
}

// noteDeafness keeps since when a peer has reported that it does not receive with the key in service. What we send is lost on
// it, and nothing mends that if the key server wants it so, as one does that has no suite in common with us any more; but we
// can tell.
func (p *participant) noteDeafness(now Time, q *peer, m *eapol.MKPDU) {
	y := p.kay.inService()
	deaf := m.SAKUse.Present && y != nil && p.kay.principal == p && q.secures()
	if deaf {
		u, _ := q.uses(y.ki)
		deaf = !u.rx
	}
	if deaf && !q.deaf {
		q.deafSince = now
	}
	q.deaf = deaf
}

// noteUnmade takes another MI when a peer has used a SAK under ours for a while that we have not made. Somebody else who has
// the CAK has given it to the peer, which takes none of ours with a lesser Key Number any more: of another MI it does.
func (p *participant) noteUnmade(now Time, q *peer, out *Output) {
	unmade := slices.ContainsFunc(q.use[:], func(u keyUse) bool { return u.ki.MI == p.mi && u.ki.KN > p.kn && (u.rx || u.tx) })
	if unmade && !q.unmade {
		q.unmadeSince = now
	}
	if q.unmade = unmade; unmade && now >= q.unmadeSince.Add(newMIGap) {
		p.provokedMI(now, "a peer uses a SAK of ours that we have not made", out)
	}
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

// allReceiving of CP: every live peer that secures, and for whom the key was made, reports to receive with it. Who has become
// live since gets the next, which is not made before this one is taken up.
func (p *participant) allReceiving(y *key) bool {
	for i := range p.peers {
		q := &p.peers[i]
		if u, _ := q.uses(y.ki); q.live && q.secures() && y.isFor(q) && !u.rx {
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

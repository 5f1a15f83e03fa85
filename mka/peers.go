package mka

import (
	"time"

	"mkad/eapol"
	"mkad/secy"
)

// A peer is another member of the CA: potential until it has proved that it hears us, then live (9.4.3).
type peer struct {
	mi        eapol.MI
	mn        eapol.MN // the last received
	sci       secy.SCI
	live      bool
	firstAt   Time // its first MKPDU
	heardAt   Time // its last
	expiresAt Time

	// What its MKPDUs say of it. Nothing is made of it before the peer is live.
	version      uint8
	priority     uint8
	keyServer    bool // the flag: it is, or may become, key server
	desired      bool
	capability   secy.Capability
	delayProtect bool
	use          [2]keyUse // Latest, Old of its last SAK Use
	silences     int       // MKPDUs in a row without one
	patience     int       // how many of them say that it has no key; 0: silenceMax
	deaf         bool      // its keys, as it reports them, do not receive with the one in service
	deafSince    Time      // if it is
	unmade       bool      // it uses a SAK under our MI that we have not made
	unmadeSince  Time      // if it does

	announced  suiteSet      // the suites it announced; empty: none were
	refused    suiteSet      // the suites whose SAKs it has left unreported
	answeredAt Time          // when it last answered by listing us, or was first heard
	listed     eapol.MN      // the last of our MNs that it listed
	hearsAll   bool          // it lists every other live peer as live
	suspendFor time.Duration // it asks the key server to suspend MKA so long; 0: it does not
}

// secures reports whether the peer wants, and can have, MACsec.
func (q *peer) secures() bool { return q.desired && q.capability != secy.CapabilityNone }

// find returns the index of the peer with this MI, or -1.
func (p *participant) find(mi eapol.MI) int {
	for i := range p.peers {
		if p.peers[i].mi == mi {
			return i
		}
	}
	return -1
}

// liveCount and potentialCount are the lengths of the two lists.
func (p *participant) liveCount() (n int) {
	for i := range p.peers {
		if p.peers[i].live {
			n++
		}
	}
	return n
}

func (p *participant) potentialCount() int { return len(p.peers) - p.liveCount() }

// oldestPotential is the potential peer that was heard longest ago, or -1. It makes room for a new one: MKPDUs that
// somebody recorded and sends again must not keep a member out.
func (p *participant) oldestPotential() int {
	oldest := -1
	for i := range p.peers {
		if q := &p.peers[i]; !q.live && (oldest < 0 || q.heardAt < p.peers[oldest].heardAt) {
			oldest = i
		}
	}
	return oldest
}

// expire removes the peers whose life is over (9.4.3).
func (p *participant) expire(now Time, out *Output) {
	if p.suspension.on && now >= p.suspension.until {
		p.unsuspend(now, "the time is over", out)
	}
	server := p.server
	for i := 0; i < len(p.peers); {
		if p.peers[i].expiresAt > now {
			i++
			continue
		}
		p.removePeer(i, ReasonSilent, out)
	}
	// A key server that never noticed our loss would not send again what it has distributed: see unmissed. Before it is heard,
	// another MI would do harm: one that was stopped reads first what we sent until then, and waits for who we were.
	if server.sci != 0 && server.sci != p.kay.cfg.SCI && p.server.sci == 0 {
		p.gone = server.sci
	}
}

// unmissed reports whether the key server that we lost goes on as if we were there: it has us in its Live list, and a SAK of its
// that we have thrown away, perhaps distributed still. With another MI we are a new member to it, who is given one.
func (p *participant) unmissed(m *eapol.MKPDU) bool {
	if m.Basic.SCI != p.gone || !lists(&m.Live, p.mi) {
		return false
	}
	thrownAway := func(ki eapol.KI) bool {
		return ki.MI == m.Basic.MI && p.kay.used.has(p.ckn, ki) && !p.kay.holds(ki)
	}
	if set := &m.DistributedSAK; set.Present && !thrownAway(eapol.KI{MI: m.Basic.MI, KN: set.KN}) {
		return false
	}
	return thrownAway(m.SAKUse.Latest.KI) || thrownAway(m.SAKUse.Old.KI)
}

// removePeer takes a peer off its list; a live one changes the membership.
func (p *participant) removePeer(i int, why string, out *Output) {
	q := p.peers[i]
	p.peers = append(p.peers[:i], p.peers[i+1:]...)
	p.newInfo = true
	if q.live {
		p.bury(&q)
		out.event(Event{Kind: EventPeerLost, CKN: p.ckn, Peer: q.sci, MI: q.mi, Reason: why})
		p.membersChanged("peer lost", out)
	}
}

// A past is what is left of a live peer that went: what it said until then is not to bring it back. When somebody
// replays the last MKPDU of a peer that has restarted, it names an MN of ours that is still recent.
type past struct {
	mi eapol.MI
	mn eapol.MN
}

func (p *participant) bury(q *peer) {
	p.past[p.pastNext] = past{q.mi, q.mn}
	p.pastNext = (p.pastNext + 1) % len(p.past)
}

// saidBefore reports whether an MKPDU is not above what a past peer had said.
func (p *participant) saidBefore(mi eapol.MI, mn eapol.MN) bool {
	for i := range p.past {
		if p.past[i].mi == mi && mn <= p.past[i].mn {
			return true
		}
	}
	return false
}

// dropPeers empties both lists without further ado: the link or the participant is gone.
func (p *participant) dropPeers(why string, out *Output) {
	for i := range p.peers {
		if q := &p.peers[i]; q.live {
			p.bury(q)
			out.event(Event{Kind: EventPeerLost, CKN: p.ckn, Peer: q.sci, MI: q.mi, Reason: why})
		}
	}
	p.peers, p.suspension = p.peers[:0], suspension{}
	p.elect(out)
}

// membersChanged follows a change of the Live Peer List: another election, and another SAK (9.8).
func (p *participant) membersChanged(why string, out *Output) {
	p.offer, p.unsettled = nil, true
	p.elect(out)
	p.wantSAK(why)
}

// elect brings the key server up to date.
func (p *participant) elect(out *Output) {
	if p.holdsElections() {
		return
	}
	server := p.election(nil)
	p.tellNoServer(server, out)
	if server == p.server {
		return
	}
	changed := server.sci != p.server.sci
	p.server = server
	if !changed {
		return
	}
	p.newInfo = true
	p.offer, p.plain = nil, false // what the last has decided ends with it
	p.sakWanted, p.unserved = "", false
	out.event(Event{Kind: EventKeyServer, CKN: p.ckn, Peer: server.sci})
	p.wantSAK("became key server") // if that is us
}

// tellNoServer says once that there are live peers and nobody among them and us may be key server.
func (p *participant) tellNoServer(server candidate, out *Output) {
	none := server.sci == 0 && p.liveCount() > 0
	if none && !p.noServer {
		out.event(Event{Kind: EventNoKeyServer, CKN: p.ckn})
	}
	p.noServer = none
}

// electedSelf reports whether we are the participant's key server.
func (p *participant) electedSelf() bool { return p.server.sci == p.kay.cfg.SCI && p.server.sci != 0 }

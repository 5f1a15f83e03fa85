package mka

import (
	"time"

	"mkad/eapol"
	"mkad/secy"
)

// SuspensionLimit is the longest time for which a key server can suspend MKA (9.18): it is bounded by what 32 bits of
// unobserved packet numbers would take, and whoever asks for more gets so much.
const SuspensionLimit = 120 * time.Second

// This chapter is the suspension of MKA for an upgrade in service (9.18): a key server that announces it may be silent,
// and its members with it, and keeps its SAs. We go on to speak, expect no hellos, hold elections off, and keep our SAs.
//
// A key server has the CAK, and might lie: suspended is only who was live when it began, for SuspensionLimit in all, and
// not again before the participant has been without suspension for Life Time, in which the dead expire.

// suspension is a participant's state of it.
type suspension struct {
	on          bool
	from, until Time
	againAt     Time // before which no other may begin
}

// noteSuspension follows what a live peer says in its XPN parameter set: the key server suspends, or resumes; what
// another member says is a request to it.
func (p *participant) noteSuspension(now Time, q *peer, m *eapol.MKPDU, out *Output) {
	asked := min(time.Duration(m.XPN.SuspensionTime)*time.Second, SuspensionLimit)
	if q.sci != p.server.sci {
		q.suspendFor = asked
		return
	}
	q.suspendFor = 0
	s := &p.suspension
	switch {
	case asked == 0 && s.on:
		p.unsuspend(now, "the key server says so", out)
	case asked == 0:
	case s.on:
		p.suspend(now, min(now.Add(asked), s.from.Add(SuspensionLimit)))
	case now >= s.againAt:
		*s = suspension{on: true, from: now}
		p.suspend(now, now.Add(asked))
		p.newInfo = true // it learns that we have heard it, and our next process that there is a suspension
		out.event(Event{Kind: EventSuspended, CKN: p.ckn, Peer: q.sci, Reason: "for " + asked.String()})
	}
}

// suspend lets the live peers live until Life Time after the end, but those whose life is over already.
func (p *participant) suspend(now, until Time) {
	p.suspension.until = until
	for i := range p.peers {
		if q := &p.peers[i]; q.live && q.expiresAt > now {
			q.expiresAt = p.lifeEnd(until)
		}
	}
}

// unsuspend ends the suspension: everybody has Life Time from now on to be heard, and elections are held again.
func (p *participant) unsuspend(now Time, why string, out *Output) {
	server := p.server.sci
	p.suspension = suspension{againAt: now.Add(p.kay.lifeTime())}
	for i := range p.peers {
		if q := &p.peers[i]; q.live {
			q.expiresAt = p.lifeEnd(now)
		}
	}
	out.event(Event{Kind: EventSuspensionOver, CKN: p.ckn, Peer: server, Reason: why})
	p.elect(out)
}

// resumeSuspension goes on with a suspension that an earlier process was told of, and so with the key server that was elected
// then, as long as that one is live.
func (p *participant) resumeSuspension(now Time, s *SuspensionState, out *Output) {
	for i := range p.peers {
		q := &p.peers[i]
		if q.sci != s.By || s.Until <= now {
			continue
		}
		p.suspension = suspension{on: true, from: s.From, until: s.Until}
		p.server = candidate{q.sci, q.priority}
		out.event(Event{Kind: EventKeyServer, CKN: p.ckn, Peer: q.sci})
		out.event(Event{Kind: EventSuspended, CKN: p.ckn, Peer: q.sci, Reason: "for " + s.Until.Sub(now).String() + " yet"})
		return
	}
	p.unsuspend(now, "it has ended while we were away", out)
}

// loses ends the suspension if the peer, which is about to go, is the key server that has announced it.
func (p *participant) loses(now Time, q *peer, why string, out *Output) {
	if p.suspension.on && q.live && q.sci == p.server.sci {
		p.unsuspend(now, why, out)
	}
}

// lifeEnd is when a peer that was last heard at now is lost, if nobody hears from it again.
func (p *participant) lifeEnd(now Time) Time {
	if s := &p.suspension; s.on {
		now = max(now, s.until)
	}
	return now.Add(p.kay.lifeTime())
}

// serverWith is the key server if sender counts as live, and says what it does: the one that suspends MKA, or the elected.
func (p *participant) serverWith(sender *peer) secy.SCI {
	if p.holdsElections() {
		return p.server.sci
	}
	return p.election(sender).sci
}

// holdsElections reports whether MKA is suspended by a key server that is still live.
func (p *participant) holdsElections() bool {
	if !p.suspension.on {
		return false
	}
	for i := range p.peers {
		if q := &p.peers[i]; q.live && q.sci == p.server.sci {
			return true
		}
	}
	return false
}

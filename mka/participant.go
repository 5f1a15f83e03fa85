package mka

import (
	"fmt"
	"io"
	"slices"
	"time"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/secy"
)

// A participant is our part in one CA, the holders of one CAK (9.3.1). Its actor is ourselves.
type participant struct {
	kay     *KaY
	role    Role
	rank    int64
	standby bool

	ckn keyderive.CKN
	cak keyderive.CAK
	ick keyderive.ICK
	kek keyderive.KEK

	mi      eapol.MI
	mn      eapol.MN // the last sent with mi
	miAt    Time     // when mi was chosen
	version uint8    // MKA version that we send

	peers    []peer  // live and potential; at most kay.maxPeers
	past     [8]past // the last live peers that went
	pastNext int
	server   candidate
	gone     secy.SCI // the key server that was lost last, if it was not ourselves
	noServer bool     // EventNoKeyServer was told and still holds
	suspension

	unserved   bool // unservedAt counts
	unservedAt Time // since when the key server has us for live and gives us no SAK
	pleaded    bool // pleadedAt counts
	pleadedAt  Time // when we last became a new member for it

	unsettled bool // the Live Peer List has changed since settledAt was set
	settledAt Time // when it last changed

	// Transmission.
	helloAt  Time
	sentAt   Time
	sent     bool // sentAt counts
	ramped   int  // how many steps of the ramp are behind us
	newInfo  bool // others wait for what has changed
	ages     [4]age
	agesNext int

	// Key server.
	kn          eapol.KN // the last used with mi
	sakWanted   string   // why a new SAK is due; empty: none is
	offer       *offer   // the SAK that is, or was, distributed
	offered     bool     // offeredAt counts
	offeredAt   Time     // when a SAK was last distributed for the first time
	exhaustedAt Time     // before which exhausted packet numbers do not count again
	replacedAt  Time     // before which a SAK that a member has lost does not
	refusal     bool     // EventNoSuite was told and still holds
	missing     missing  // what the SecY has lost with an earlier process
	plain       bool     // the key server, perhaps ourselves, has decided that MACsec is not used
}

// An age remembers when an MN was sent, so that a listed MN can be told to be older than Life Time.
type age struct {
	mn eapol.MN
	at Time
}

// ageGap is the least distance of two remembered ages; all of them cover Life Time.
func (p *participant) ageGap() time.Duration { return p.kay.lifeTime() / time.Duration(len(p.ages)) }

// newMI takes a fresh Member Identifier: to our peers we are a new member then, with no liveness proved (9.4.2).
func (p *participant) newMI(now Time, why string, out *Output) {
	if _, err := io.ReadFull(p.kay.cfg.Rand, p.mi[:]); err != nil {
		panic(fmt.Sprintf("mka: reading randomness for an MI: %v", err))
	}
	p.mn, p.kn, p.miAt = 0, 0, now
	p.ages = [len(p.ages)]age{}
	p.ramped, p.helloAt = 0, now
	p.offer, p.gone = nil, 0
	p.missing = missing{}
	for i := range p.peers {
		p.peers[i].listed = 0 // they have not listed this one
	}
	if p.electedSelf() {
		p.wantSAK("new MI")
	}
	out.event(Event{Kind: EventNewMI, CKN: p.ckn, MI: p.mi, Reason: why})
}

// provokedMI is newMI for reasons that others can bring about, at a bounded rate.
func (p *participant) provokedMI(now Time, why string, out *Output) {
	if now >= p.miAt.Add(newMIGap) {
		p.newMI(now, why, out)
	}
}

// receive takes one frame: parse all of it, validate it in the order of the standard, decide what follows, and only
// then commit. A frame that is discarded on the way has changed nothing (11.11.2 to 11.11.4).
func (k *KaY) receive(now Time, frame []byte, out *Output) {
	m := &k.rx
	p, reason := k.authenticate(frame, m)
	if reason == eapol.Accepted {
		reason = m.ParseSets()
	}
	var d decision
	if reason == eapol.Accepted {
		d, reason = p.decide(now, m)
	}
	if reason != eapol.Accepted {
		k.discard(p, m, reason, out)
	}
	if d.newMI != "" {
		p.provokedMI(now, d.newMI, out)
	}
	if reason == eapol.Accepted {
		if d.ignored {
			k.discard(p, m, eapol.DiscardNotKeyServer, out)
		}
		p.commit(now, m, &d, out)
		k.received++
	}
	k.forget(d.key)
}

// authenticate makes the checks of 11.4 and 11.11.2 (a) to (g). The participant is returned as soon as it is known.
func (k *KaY) authenticate(frame []byte, m *eapol.MKPDU) (*participant, eapol.Discard) {
	if reason := eapol.ParseEnvelope(frame, k.cfg.Acceptance, m); reason != eapol.Accepted {
		return nil, reason
	}
	p := k.find(m.Basic.CKN)
	if p == nil {
		return nil, eapol.DiscardUnknownCKN
	}
	if m.Basic.AlgorithmAgility != eapol.AlgorithmAgility {
		return p, eapol.DiscardAlgorithmAgility
	}
	if !p.ick.Verify(m.Authenticated(), m.ICV[:]) {
		return p, eapol.DiscardICV
	}
	return p, eapol.Accepted
}

func (k *KaY) discard(p *participant, m *eapol.MKPDU, reason eapol.Discard, out *Output) {
	k.discards[reason]++
	e := Event{Kind: EventDiscarded, Discard: reason}
	if reason >= eapol.DiscardDestination {
		e.MAC = m.SA
	}
	if reason == eapol.DiscardDestination {
		e.DA = m.DA
	}
	if reason >= eapol.DiscardUnknownCKN {
		e.CKN, e.Peer, e.MI = m.Basic.CKN, m.Basic.SCI, m.Basic.MI
	}
	if reason == eapol.DiscardSAKPolicy {
		e.Suite, e.Offset = m.DistributedSAK.Suite, m.DistributedSAK.Offset
		e.Reason = k.notAllowed(&m.DistributedSAK)
	}
	out.event(e)
}

// A decision is what an authentic MKPDU leads to.
type decision struct {
	newMI string   // why our MI must change; empty: it need not
	at    int      // index of the peer, -1 for one that is new
	proof bool     // it has proved liveness
	lists bool     // it lists us with an MN sent within Life Time
	mn    eapol.MN // of ours that it lists; 0: none
	key   *key     // the SAK to use, nil: none is new
	plain bool     // the key server distributes that MACsec is not used
	// ignored says that a SAK was distributed by somebody who is not the key server.
	ignored bool
}

// decide makes the checks of 9.4 and 9.8 on an authentic MKPDU, and changes nothing.
func (p *participant) decide(now Time, m *eapol.MKPDU) (d decision, reason eapol.Discard) {
	b := &m.Basic
	d.at = p.find(b.MI)
	if b.SCI == p.kay.cfg.SCI {
		return d, eapol.DiscardOwnSCI
	}
	if b.MI == p.mi {
		d.newMI = "another station uses our MI"
		return d, eapol.DiscardOwnMI
	}
	if p.kay.isOurs(b.MI) { // that of another CA's participant, and so would be its KIs
		return d, eapol.DiscardOwnMI
	}
	if d.at >= 0 && (b.MN <= p.peers[d.at].mn || b.SCI != p.peers[d.at].sci) || p.saidBefore(b.MI, b.MN) {
		return d, eapol.DiscardReplay
	}
	if d.at < 0 && len(p.peers) >= p.kay.maxPeers && p.oldestPotential() < 0 {
		return d, eapol.DiscardTooManyPeers
	}
	mn, listed := listedMN(m, p.mi)
	if listed && mn > p.mn {
		d.newMI = "a peer lists us with a Message Number that we have not sent"
		return d, eapol.DiscardOwnMI
	}
	d.mn = mn
	if p.deafTo(b.MI) {
		d.newMI = "a peer cannot be received: its SAK has gone with an earlier process"
	}
	if p.unmissed(m) {
		d.newMI = "the key server has not noticed that it was lost"
	}
	// The last two MNs prove liveness, an older one only prolongs it. An MKPDU in flight while we sent is no replay.
	d.proof = listed && mn > 0 && mn+1 >= p.mn
	d.lists = d.proof || listed && mn >= p.oldestRecent(now)
	if m.DistributedSAK.Present {
		return p.decideSAK(d, m)
	}
	return d, eapol.Accepted
}

// isOurs reports whether the MI is that of one of our participants.
func (k *KaY) isOurs(mi eapol.MI) bool {
	return slices.ContainsFunc(k.participants, func(p *participant) bool { return p.mi == mi })
}

// listedMN finds our MI in the peer lists.
func listedMN(m *eapol.MKPDU, mi eapol.MI) (eapol.MN, bool) {
	for _, list := range [...]*eapol.PeerList{&m.Live, &m.Potential} {
		for i := range list.Peers {
			if list.Peers[i].MI == mi {
				return list.Peers[i].MN, true
			}
		}
	}
	return 0, false
}

// oldestRecent is the least MN that is known to have been sent within Life Time.
func (p *participant) oldestRecent(now Time) eapol.MN {
	oldest := p.mn
	for _, a := range p.ages {
		if a.mn != 0 && now < a.at.Add(p.kay.lifeTime()) {
			oldest = min(oldest, a.mn)
		}
	}
	return max(oldest, 1)
}

// commit lets an MKPDU that has passed every check take effect.
func (p *participant) commit(now Time, m *eapol.MKPDU, d *decision, out *Output) {
	q := p.note(now, m, d, out)
	if d.proof && !q.live {
		q = p.promote(now, q.mi, out)
	}
	q.listed = max(q.listed, d.mn)
	if d.lists {
		q.answeredAt = now
	}
	if !q.live {
		return
	}
	if d.lists {
		q.expiresAt = p.lifeEnd(now)
	}
	if m.Announcement.Present {
		q.announced = announcedSuites(&m.Announcement)
	}
	p.elect(out) // its priority or flag may have changed
	p.noteSuspension(now, q, m, out)
	if m.DistributedSAK.Present && !d.ignored {
		p.plain = d.plain
	}
	if p.kay.choosePrincipal(now, out); d.key != nil && p.kay.follow(now, p, out) {
		out.event(Event{Kind: EventSAKReceived, CKN: p.ckn, Peer: q.sci, KI: d.key.ki, AN: d.key.an, Suite: d.key.suite})
		d.key.bornAt = now
		p.kay.adopt(p, d.key)
		d.key = nil
	} else if p.distributesOurs(m, d) {
		p.kay.follow(now, p, out)
	}
	p.noteUse(q, m, out)
	p.noteDeafness(now, q, m)
	p.noteUnmade(now, q, out)
	p.noteOthers(q, m)
	p.noteServed(now, q, m)
}

// distributesOurs reports whether the key server goes on distributing a SAK of this participant that we hold. It drives
// its port by this CA then, whichever we have chosen meanwhile: only here do we hear what becomes of the SAK.
func (p *participant) distributesOurs(m *eapol.MKPDU, d *decision) bool {
	set := &m.DistributedSAK
	if !set.Present || d.ignored {
		return false
	}
	y := p.kay.keyOf(eapol.KI{MI: m.Basic.MI, KN: set.KN}.KeyID())
	return y != nil && y.owner == p
}

// note records what the MKPDU says of its sender, whom it adds to the potential peers if it is new.
func (p *participant) note(now Time, m *eapol.MKPDU, d *decision, out *Output) *peer {
	b := &m.Basic
	if d.at < 0 {
		if len(p.peers) >= p.kay.maxPeers {
			p.removePeer(p.oldestPotential(), "displaced", out)
		}
		d.at = len(p.peers)
		p.peers = append(p.peers, peer{mi: b.MI, sci: b.SCI, firstAt: now, answeredAt: now})
		p.newInfo = true
		out.event(Event{Kind: EventPeerHeard, CKN: p.ckn, Peer: b.SCI, MI: b.MI})
		p.kay.openChannel(p, b.MI, b.SCI, out)
	}
	q := &p.peers[d.at]
	if q.mn != 0 && b.MN-q.mn > 1 { // it was away, or cut off, and does not know what we said meanwhile
		p.newInfo = true
	}
	q.mn, q.heardAt = b.MN, now
	q.version, q.priority, q.keyServer = b.MKAVersion, b.KeyServerPriority, b.KeyServer
	q.desired, q.capability = b.MACsecDesired, b.Capability
	if !q.live {
		q.expiresAt = now.Add(p.kay.lifeTime())
	}
	return q
}

// promote makes a potential peer live. Earlier lives of the same SCI end: this is how a restarted peer comes back
// without waiting for its expiry.
func (p *participant) promote(now Time, mi eapol.MI, out *Output) *peer {
	q := &p.peers[p.find(mi)]
	q.live = true
	sci := q.sci
	out.event(Event{Kind: EventPeerLive, CKN: p.ckn, Peer: sci, MI: mi})
	p.newInfo = true
	for i := range p.peers {
		p.peers[i].hearsAll = false // it has not said of this one yet
	}
	for i := 0; i < len(p.peers); i++ {
		if o := &p.peers[i]; o.sci == sci && o.mi != mi {
			if o.live {
				p.bury(o)
				out.event(Event{Kind: EventPeerLost, CKN: p.ckn, Peer: sci, MI: o.mi, Reason: "restarted"})
				p.loses(now, o, "the key server has restarted", out)
			}
			p.peers = append(p.peers[:i], p.peers[i+1:]...)
			i--
		}
	}
	p.membersChanged("peer live", out)
	return &p.peers[p.find(mi)]
}

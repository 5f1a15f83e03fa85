package mka

import (
	"fmt"
	"slices"
	"time"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/secy"
)

// graceTime is what lies between a hello that is due and its being heard, at most.
const graceTime = 500 * time.Millisecond

// answerTime is how long a peer of a resumed participant has at least to be heard: a hello.
func (k *KaY) answerTime() time.Duration { return k.helloTime() + graceTime }

// missingTime is how long a resumed participant that has lost its SAK waits for another before it becomes a new member:
// a key server that acts on its hellos makes the SAK at the next and sends it at the one after.
func (k *KaY) missingTime() time.Duration { return 2*k.helloTime() + graceTime }

// A missing is what a follower's SecY has lost: its SAKs, the latest and the old. To have another soon, the participant
// says that their packet numbers have come to their end (9.8), which is what it amounts to: none can be used any more.
type missing struct {
	until Time // 0: nothing is missing
	keys  [2]struct {
		ki eapol.KI
		an secy.AN
	}
	xpn bool
}

// say puts what is missing into the MKPDU.
func (y *missing) say(m *eapol.MKPDU) {
	for i, slot := range [...]*eapol.KeyUse{&m.SAKUse.Latest, &m.SAKUse.Old} {
		if y.keys[i].ki.IsZero() {
			continue
		}
		*slot = eapol.KeyUse{KI: y.keys[i].ki, AN: y.keys[i].an, LPN: ^uint32(0)}
		*[...]*uint32{&m.XPN.LatestHigh, &m.XPN.OldHigh}[i] = ^uint32(0)
	}
	m.XPN.Present = m.XPN.Present || y.xpn
}

// giveUpMissing becomes a new member, for whom every key server makes a SAK, where the other way has not led to one.
func (p *participant) giveUpMissing(now Time, out *Output) {
	if p.missing.until == 0 || now < p.missing.until {
		return
	}
	if p.electedSelf() {
		p.missing = missing{}
		return
	}
	p.newMI(now, "no SAK since the restart", out)
}

// Claims are the SAs that the SecY is to be asked for before Resumed: those of the State's keys, if they are to stay in
// service. The error, which wraps ErrNotResumable, says why nothing of the State can be resumed at now.
func (k *KaY) Claims(now Time, s *State) ([]secy.Claim, error) {
	if _, err := k.resumable(now, s); err != nil {
		return nil, err
	}
	if !k.takes(s.Keys) {
		return nil, nil
	}
	return s.claims(), nil
}

// A resumption is a participant and what it is to go on with.
type resumption struct {
	p     *participant
	from  *ParticipantState
	peers []peer
}

// resumable finds the participants that can go on.
func (k *KaY) resumable(now Time, s *State) (found []resumption, err error) {
	switch {
	case k.linkUp:
		return nil, fmt.Errorf("%w: the KaY is at work", ErrNotResumable)
	case s.SCI != k.cfg.SCI:
		return nil, fmt.Errorf("%w: the SCI was %s and is %s", ErrNotResumable, s.SCI, k.cfg.SCI)
	}
	err = fmt.Errorf("%w: it had no participant with live peers", ErrNotResumable)
	for i := range s.Participants {
		from := &s.Participants[i]
		p := k.find(from.CKN)
		if p == nil || slices.ContainsFunc(found, func(r resumption) bool { return r.p == p }) {
			continue
		}
		if why := p.refuses(now, from); why != "" {
			err = fmt.Errorf("%w: CKN %s: %s", ErrNotResumable, from.CKN, why)
			continue
		}
		if peers := p.survivors(now, from); len(peers) > 0 {
			found = append(found, resumption{p, from, peers})
		}
	}
	if len(found) == 0 {
		return nil, err
	}
	return found, nil
}

// refuses says why the participant cannot go on with what another of its CKN has left; empty: it can. After Life Time
// its peers may have forgotten it.
func (p *participant) refuses(now Time, from *ParticipantState) string {
	proof := p.proof(from.MI)
	switch {
	case from.MI == eapol.MI{} || proof != from.Proof:
		return "its CAK is another"
	case from.SentAt > now || now >= from.SentAt.Add(p.kay.lifeTime()):
		return fmt.Sprintf("its last MKPDU is not younger than %v", p.kay.lifeTime())
	}
	return ""
}

// survivors are the peers that were live when the last MKPDU was sent. What they have said since is not known, so each
// gets the time of a hello to be heard; not more than another Life Time though, or a process that ends again and again
// would keep a peer alive that is long gone. Nobody is expected to speak while MKA is suspended.
func (p *participant) survivors(now Time, from *ParticipantState) (peers []peer) {
	k := p.kay
	var suspendedUntil Time
	if from.suspended() {
		suspendedUntil = from.Suspended.Until.Add(k.lifeTime())
	}
	for i := range from.Peers {
		f := &from.Peers[i]
		twoLives := f.HeardAt.Add(2 * k.lifeTime())
		expiresAt := max(f.ExpiresAt, min(now.Add(k.answerTime()), twoLives))
		known := slices.ContainsFunc(peers, func(q peer) bool { return q.mi == f.MI || q.sci == f.SCI })
		own := f.MI == from.MI || f.SCI == k.cfg.SCI
		was := f.Live && f.ExpiresAt > from.SentAt && f.HeardAt <= now && f.ExpiresAt <= max(twoLives, suspendedUntil)
		if known || own || !was || f.SCI == 0 || expiresAt <= now || len(peers) == k.maxPeers {
			continue
		}
		peers = append(peers, peer{mi: f.MI, mn: f.MN, sci: f.SCI, live: true, heardAt: f.HeardAt, expiresAt: expiresAt,
			firstAt: now, answeredAt: now, version: f.Version, priority: f.Priority, keyServer: f.KeyServer, desired: f.Desired, capability: f.Capability,
			announced: suiteSetOf(f.Announced), refused: suiteSetOf(f.Refused), hearsAll: f.HearsAll})
	}
	return peers
}

// suspended reports whether MKA was suspended when the last MKPDU was sent, by a live peer, and no longer than it may be.
func (s *ParticipantState) suspended() bool {
	u := &s.Suspended
	return u.By != 0 && u.From <= s.SentAt && u.Until > s.SentAt && u.Until <= u.From.Add(SuspensionLimit)
}

// takes reports whether keys can stay in service under this configuration: one latest and one old at most.
func (k *KaY) takes(keys []KeyState) bool {
	for i := range keys {
		y := &keys[i]
		if y.KI.IsZero() || y.AN > 3 || y.Server == 0 || k.cfg.Capability == secy.CapabilityNone || !k.allows(y.Suite) || !y.Suite.Allows(y.Offset) ||
			k.cfg.Capability.Limit(y.Offset) != y.Offset || y.Suite.XPN() && y.SSCI == 0 {
			return false
		}
		for j := range keys[:i] {
			if o := &keys[j]; o.Old == y.Old || o.AN == y.AN || o.KI == y.KI || o.Suite != y.Suite || o.Offset != y.Offset {
				return false
			}
		}
	}
	return true
}

// resume goes on where another KaY has ended.
func (k *KaY) resume(now Time, in *Resumed, out *Output) error {
	s := &in.State
	found, err := k.resumable(now, s)
	if err != nil {
		return err
	}
	k.linkUp = true
	for _, r := range found {
		r.p.resume(now, r.from, r.peers, out)
	}
	k.lastAN = s.LastAN
	for i, ki := range s.Used {
		var ckn keyderive.CKN
		if i < len(s.UsedIn) {
			ckn = s.UsedIn[i]
		}
		k.used.add(ckn, ki)
	}
	for _, f := range s.UsedSAKs {
		k.used.addSAK(f)
	}
	for _, r := range found {
		r.p.elect(out) // as key server it wants a SAK then: the one in service cannot be given to anybody any more
		if r.from.Principal && r.p.alive() && !r.p.standby {
			k.setPrincipal(r.p, "it was before the restart", out)
		}
	}
	k.choosePrincipal(now, out)
	y := k.resumeKeys(now, s, in.Held, out)
	for _, r := range found {
		e := Event{Kind: EventResumed, CKN: r.p.ckn, MI: r.p.mi}
		if y != nil && r.p == y.owner {
			e.KI, e.AN, e.Suite = y.ki, y.an, y.suite
		}
		out.event(e)
	}
	return nil
}

// resume takes the MI of an earlier process, beyond all its numbers.
func (p *participant) resume(now Time, from *ParticipantState, peers []peer, out *Output) {
	p.mi, p.mn, p.kn, p.miAt = from.MI, from.MN, from.KN, now
	p.settledAt = from.SettledAt
	if p.kay.cfg.Version == 0 {
		p.version = min(max(from.Version, 1), mkaVersion)
	}
	p.peers = peers
	for _, o := range from.Past {
		p.bury(&peer{mi: o.MI, mn: o.MN})
	}
	p.ramped, p.helloAt = len(ramp), now
	if from.suspended() {
		p.resumeSuspension(now, &from.Suspended, out)
	}
}

// resumeKeys puts CP where the SecY is, and returns the key in service; nil: there is none.
//
//	SecY transmits with   State                              CP goes on in
//	the latest            the key server has begun with it   TRANSMITTING, the old key receiving for SAK Retire Time more
//	the old               no latest, or an incomplete one    RETIRE
//	the old               a complete latest                  RECEIVE, to be abandoned for the next by a key server, who could
//	                                                         give the SAK to nobody any more
//	none of them                                             INIT: the participant asks for another SAK
func (k *KaY) resumeKeys(now Time, s *State, held []secy.Holding, out *Output) *key {
	var latest, old *key
	var latestState *KeyState
	var latestHeld, oldHeld secy.Holding
	for i := range s.Keys {
		f := &s.Keys[i]
		h := holdingOf(held, f.KI.KeyID())
		if f.Old {
			old, oldHeld = k.keyFrom(f), h
		} else {
			latest, latestHeld, latestState = k.keyFrom(f), h, f
		}
	}
	c := &k.cp
	switch {
	case latest != nil && latestHeld.Transmitting:
		c.state, c.latest, c.ltx, c.lrx = cpTransmitting, latest, true, true
		if old != nil && oldHeld.Complete {
			c.old, c.orx, c.retireAt = old, true, now.Add(SAKRetireTime)
		}
	case old != nil && oldHeld.Transmitting:
		c.state, c.old, c.otx, c.orx = cpRetire, old, true, true
		if latest != nil {
			k.resumeLatest(latest, latestState, latestHeld, out)
		}
	default:
		k.miss(now, s)
		return nil
	}
	y := k.inService()
	if c.server = s.Server; c.server == 0 {
		c.server = y.server
	}
	c.currentSuite, c.currentOffset = y.suite, y.offset
	c.protect, c.validate, c.portValid, c.controlledPort = true, secy.ValidateStrict, true, true
	if oldHeld.Complete {
		k.resumeChannels(old)
	}
	if latestHeld.Complete {
		k.resumeChannels(latest)
	}
	k.configure(out)
	k.tellControlledPort(out)
	return y
}

// resumeLatest decides about a key that was on its way in.
func (k *KaY) resumeLatest(y *key, f *KeyState, h secy.Holding, out *Output) {
	switch {
	case h.Complete:
		k.cp.state, k.cp.latest = cpReceive, y
		out.op(secy.Op{Kind: secy.OpEnableReceive, Key: y.ki.KeyID()})
	case !h.Used && !f.Tx:
		k.used.forget(f.CKN, y.ki, y.name) // all its SAs are made before any is put to use
	}
}

func holdingOf(held []secy.Holding, key secy.KeyID) secy.Holding {
	for _, h := range held {
		if h.Key == key {
			return h
		}
	}
	return secy.Holding{}
}

// keyFrom makes a key of its state. It has no SAK: it can stay in service, and neither be given to anybody nor have
// another SA.
func (k *KaY) keyFrom(f *KeyState) *key {
	y := &key{resumed: true, shown: true, owner: k.find(f.CKN), ki: f.KI, an: f.AN, suite: f.Suite, offset: f.Offset, name: f.SAK, server: f.Server,
		ssci: f.SSCI, nextPN: max(f.LowestPN, 1), lpn: f.LowestPN, bornAt: f.BornAt}
	for _, m := range f.Members {
		y.members = append(y.members, member{mi: m.MI, sci: m.SCI, ssci: m.SSCI})
	}
	return y
}

func (k *KaY) resumeChannels(y *key) {
	for i := range y.members {
		if sci := y.members[i].sci; sci != 0 && !k.hasChannel(sci) {
			k.channels = append(k.channels, sci)
		}
	}
}

// deafTo reports whether a member of a key in service cannot be received: it is heard only now, and the SAK has gone with
// an earlier process. A follower becomes a new member then, for whom there is another SAK; a key server makes one anyway.
func (p *participant) deafTo(mi eapol.MI) bool {
	if p.electedSelf() || p.kay.principal != p {
		return false
	}
	for _, y := range [...]*key{p.kay.cp.latest, p.kay.cp.old} {
		if y != nil && y.resumed && slices.ContainsFunc(y.members, func(m member) bool { return m.mi == mi && m.sci == 0 }) {
			return true
		}
	}
	return false
}

// miss notes which SAKs the SecY has lost, for the key server to hear.
func (k *KaY) miss(now Time, s *State) {
	p := k.principal
	if p == nil || p.electedSelf() {
		return
	}
	p.missing.until = now.Add(k.missingTime())
	for i := range s.Keys {
		if y := &s.Keys[i]; y.CKN == p.ckn && y.AN < 4 && i < len(p.missing.keys) {
			p.missing.keys[i].ki, p.missing.keys[i].an = y.KI, y.AN
			p.missing.xpn = y.Suite.XPN()
		}
	}
}

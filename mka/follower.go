package mka

import (
	"slices"

	"mkad/eapol"
	"mkad/secy"
)

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
	if y := k.keyOf(ki.KeyID()); y != nil && y.isOf(p) {
		return d, eapol.Accepted // the same SAK in each hello is normal
	}
	held := k.holds(ki) // of another CA: who has that key has used the KI up
	if !lists(&m.Live, p.mi) {
		return d, eapol.Accepted // it was made before the key server knew us by this MI, and is not for us; all else is
	}
	if held || k.used.has(p.ckn, ki) {
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

func lists(list *eapol.PeerList, mi eapol.MI) bool {
	return slices.ContainsFunc(list.Peers, func(l eapol.ListedPeer) bool { return l.MI == mi })
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

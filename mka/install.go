package mka

import (
	"slices"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/secy"
)

// maxUsedKeys bounds the memory of SAKs that were used before: one entry for each key server's MI in each CA, and one for each
// SAK.
const maxUsedKeys = 64

// usedKeys remembers which SAKs were used on the port, so that none is installed twice: its packet numbers would start
// again. Key Numbers only grow under one MI, so the greatest is enough: of one CA, for who holds the key of another could use
// up the numbers of an MI that it only hears. A key server whose randomness fails, or that lies, may give an old SAK a new KI:
// so the SAKs themselves are remembered too, by what names them. Both stand in the order in which they were last used: the
// first, or a place that is empty, gives way.
type usedKeys struct {
	last [maxUsedKeys]usedKey
	saks [maxUsedKeys]keyderive.Fingerprint
}

type usedKey struct {
	ckn keyderive.CKN // zero: not known, from a State that does not say it
	ki  eapol.KI
}

func (u *usedKeys) hasSAK(f keyderive.Fingerprint) bool { return slices.Contains(u.saks[:], f) }

func (u *usedKeys) addSAK(f keyderive.Fingerprint) {
	copy(u.saks[:], u.saks[1:])
	u.saks[maxUsedKeys-1] = f
}

func (u *usedKeys) has(ckn keyderive.CKN, ki eapol.KI) bool {
	i := u.find(ckn, ki.MI)
	return i >= 0 && u.last[i].ki.KN >= ki.KN || u.hasKI(ki)
}

// hasKI reports whether the KI itself is the last of its MI in some CA: the SecY has known another SAK by it.
func (u *usedKeys) hasKI(ki eapol.KI) bool {
	return slices.ContainsFunc(u.last[:], func(k usedKey) bool { return k.ki == ki })
}

func (u *usedKeys) add(ckn keyderive.CKN, ki eapol.KI) {
	i := u.find(ckn, ki.MI)
	if i >= 0 {
		ki.KN = max(ki.KN, u.last[i].ki.KN)
	}
	i = max(i, 0)
	copy(u.last[i:], u.last[i+1:])
	u.last[maxUsedKeys-1] = usedKey{ckn, ki}
}

// find is where the MI's entry of the CA is, -1 if there is none.
func (u *usedKeys) find(ckn keyderive.CKN, mi eapol.MI) int {
	return slices.IndexFunc(u.last[:], func(k usedKey) bool { return k.ki.MI == mi && (k.ckn == ckn || k.ckn.IsZero()) })
}

// adopt makes the key of the participant the one that CP is to move to (newSAK of 12.4).
func (k *KaY) adopt(p *participant, y *key) {
	k.forget(k.cp.next)
	k.cp.next, y.owner = y, p
	p.missing = missing{}
	if y.server == p.gone { // it has noticed
		p.gone = 0
	}
	k.rekeys++
	k.used.add(p.ckn, y.ki)
	k.used.addSAK(y.name)
	k.lastAN = y.an
	if k.cp.server != 0 && k.cp.server != y.server {
		k.cp.chgdServer = true
	}
	k.cp.server = y.server
}

// forget wipes a key at the beginning of the next call: Ops that carry it may still be on their way to the SecY.
func (k *KaY) forget(y *key) {
	if y != nil {
		k.doomed = append(k.doomed, y)
	}
}

// newest is the key last adopted, nil if there is none.
func (k *KaY) newest() *key {
	for _, y := range [...]*key{k.cp.next, k.cp.latest, k.cp.old} {
		if y != nil {
			return y
		}
	}
	return nil
}

// holds reports whether the key is in service or on its way to it.
func (k *KaY) holds(ki eapol.KI) bool { return k.keyOf(ki.KeyID()) != nil }

func (k *KaY) keyOf(id secy.KeyID) *key {
	for _, y := range [...]*key{k.cp.next, k.cp.latest, k.cp.old} {
		if y != nil && y.ki.KeyID() == id {
			return y
		}
	}
	return nil
}

// freeAN is the AN after the last one used on the port, whoever distributed it, that no key has (9.9).
func (k *KaY) freeAN() secy.AN {
	an := k.lastAN
	for range 4 {
		an = (an + 1) % 4
		if !(k.cp.latest != nil && k.cp.latest.an == an) && !(k.cp.old != nil && k.cp.old.an == an) {
			break
		}
	}
	return an
}

// createSAs of CP: a receive SA for every member that was heard, and the transmit SA (12.4).
func (k *KaY) createSAs(y *key, out *Output) {
	for i := range y.members {
		if m := &y.members[i]; m.sci != 0 {
			k.createReceiveSA(y, m, out)
		}
	}
	out.op(secy.Op{Kind: secy.OpCreateTransmitSA, Key: y.ki.KeyID(), AN: y.an, SSCI: y.ssci, Salt: y.salt, PN: 1,
		SAK: y.sak})
}

func (k *KaY) createReceiveSA(y *key, m *member, out *Output) {
	if !k.hasChannel(m.sci) {
		k.channels = append(k.channels, m.sci)
		out.op(secy.Op{Kind: secy.OpCreateReceiveSC, SCI: m.sci, Key: y.ki.KeyID()})
	}
	out.op(secy.Op{Kind: secy.OpCreateReceiveSA, Key: y.ki.KeyID(), SCI: m.sci, AN: y.an, SSCI: m.ssci, Salt: y.salt,
		PN: 1, SAK: y.sak})
}

// openChannel makes the receive SAs of a member of the keys in service that is heard only now: whom the key server
// knows, we must be able to receive, or one direction of the group stays dead.
func (k *KaY) openChannel(p *participant, mi eapol.MI, sci secy.SCI, out *Output) {
	for _, y := range [...]*key{k.cp.next, k.cp.latest, k.cp.old} {
		if y == nil || y.resumed { // see deafTo
			continue
		}
		for i := range y.members {
			m := &y.members[i]
			if m.mi != mi || m.sci != 0 || y.has(sci) {
				continue
			}
			m.sci = sci
			if y != k.cp.next { // next gets its SAs when CP comes to it
				k.createReceiveSA(y, m, out)
			}
		}
	}
}

// pruneChannels deletes the receive SCs of which no key has a member any more. A peer that is lost keeps its SC as long
// as the key server has not replaced the SAK: if only we have lost it, the other members have not.
func (k *KaY) pruneChannels(out *Output) {
	kept := k.channels[:0]
	for _, sci := range k.channels {
		if k.isMember(sci) {
			kept = append(kept, sci)
			continue
		}
		out.op(secy.Op{Kind: secy.OpDeleteReceiveSC, SCI: sci})
	}
	k.channels = kept
}

// isMember reports whether a key, in service or to be, has a member with the SCI.
func (k *KaY) isMember(sci secy.SCI) bool {
	for _, y := range [...]*key{k.cp.next, k.cp.latest, k.cp.old} {
		if y != nil && y.has(sci) {
			return true
		}
	}
	return false
}

func (k *KaY) hasChannel(sci secy.SCI) bool {
	for _, c := range k.channels {
		if c == sci {
			return true
		}
	}
	return false
}

// report takes what the SecY tells.
func (k *KaY) report(now Time, r secy.Report, out *Output) {
	y := k.keyOf(r.Key)
	if r.Kind == secy.ReportFailed {
		k.failed(now, y, r, out)
		return
	}
	if y == nil {
		return // of a key that is gone meanwhile
	}
	switch r.Kind {
	case secy.ReportReceiving:
		k.cp.usingReceiveSAs = k.cp.usingReceiveSAs || y == k.cp.latest
	case secy.ReportTransmitting:
		k.cp.usingTransmitSA = k.cp.usingTransmitSA || y == k.cp.latest
	case secy.ReportPN:
		y.nextPN = max(y.nextPN, r.PN)
		y.sample(now)
	case secy.ReportExhausted:
		y.nextPN = y.suite.MaxPN()
		y.sample(now)
	}
}

// failed notes that the SecY refused an order. A key that it does not take is given up after a while; it is not tried
// again, for its packet numbers might start again. The Controlled Port and the settings are tried again: these with the
// next key, whose suite they name.
func (k *KaY) failed(now Time, y *key, r secy.Report, out *Output) {
	e := Event{Kind: EventSecYFailed, Reason: r.Op.String() + ": " + r.Err}
	if y != nil {
		e.KI, e.AN = y.ki, y.an
	}
	out.event(e)
	c := &k.cp
	if r.Op == secy.OpCreateReceiveSC {
		k.channels = slices.DeleteFunc(k.channels, func(sci secy.SCI) bool { return sci == r.SCI })
	}
	switch r.Op {
	case secy.OpControlledPort:
		c.unsureOfPort = true
		c.retryAt = min(c.retryAt, now.Add(c.retryGap()))
	case secy.OpConfigure:
		c.misconfigured = true
		c.retryAt = min(c.retryAt, now.Add(c.retryGap()))
	}
	if y != nil && !y.failed {
		y.failed = true
		c.retryAt = min(c.retryAt, now.Add(c.retryGap()))
	}
}

// retry tries again what the SecY has refused. For a key that is another key: as key server by making one, else by
// becoming a new member, for whom the key server makes one.
func (k *KaY) retry(now Time, out *Output) {
	if now < k.cp.retryAt {
		return
	}
	k.cp.retryAt = never
	if k.cp.misconfigured && (!k.cp.protect || k.cp.portValid) { // else SECURED does it
		k.configure(out)
	}
	k.tellControlledPort(out)
	p, y := k.principal, k.newest()
	switch {
	case p == nil || y == nil || !y.failed:
	case p.electedSelf():
		p.wantSAK("SecY refused the last")
	default:
		p.newMI(now, "SecY refused the SAK", out)
	}
}

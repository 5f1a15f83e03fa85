package mka

import (
	"cmp"

	"mkad/secy"
)

// priorityNever is the Key Server Priority of those who cannot be key server (Table 9-2).
const priorityNever = 255

// A candidate is one who may be elected key server.
type candidate struct {
	sci      secy.SCI
	priority uint8
}

// precedes reports whether c is to be preferred as key server: by the lower priority value, then by the lower SCI
// (9.5).
func (c candidate) precedes(d candidate) bool {
	return cmp.Or(cmp.Compare(c.priority, d.priority), cmp.Compare(c.sci, d.sci)) < 0
}

// elect makes c the better of best and c. A candidate without SCI is none, and 255 is elected only where that is
// allowed.
func (k *KaY) elect(best, c candidate) candidate {
	if c.sci == 0 || c.priority == priorityNever && !k.cfg.ElectLast {
		return best
	}
	if best.sci == 0 || c.precedes(best) {
		return c
	}
	return best
}

// election gives the key server of the participant: the best of ourselves and the live peers that say they may be it.
// With as, that peer counts as live too, in the place of whoever has its MI or SCI. Without a live peer there is no CA
// and no key server: the zero candidate.
func (p *participant) election(as *peer) candidate {
	var best candidate
	members := 0
	consider := func(q *peer) {
		members++
		if q.keyServer {
			best = p.kay.elect(best, candidate{q.sci, q.priority})
		}
	}
	for i := range p.peers {
		q := &p.peers[i]
		if q.live && (as == nil || q.mi != as.mi && q.sci != as.sci) {
			consider(q)
		}
	}
	if as != nil {
		consider(as)
	}
	if members == 0 {
		return candidate{}
	}
	return p.kay.elect(best, candidate{p.kay.cfg.SCI, p.kay.cfg.KeyServerPriority})
}

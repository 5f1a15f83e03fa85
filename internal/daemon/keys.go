package daemon

import (
	"time"

	"mkad/internal/config"
	"mkad/keyderive"
	"mkad/mka"
)

// reloadKeys reads the CAK file. Keys that are there as before keep their participants; a bad file changes nothing.
func (p *port) reloadKeys() {
	keys, problems := config.LoadKeys(p.cfg.Keys)
	for _, w := range problems.Warnings() {
		p.log.Warn("CAK file", "problem", w.String())
	}
	if errs := problems.Errors(); len(errs) > 0 {
		for _, e := range errs {
			p.log.Error("CAK file", "problem", e.String())
		}
		p.keyProblem = errs[0].String()
		p.keysAt = p.now().Add(keyCheckTime)
		return
	}
	p.keyProblem = ""
	p.replaceKeys(keys)
	p.scheduleKeys()
}

// replaceKeys takes the new list, and ends the participants of keys that are not in it any more.
func (p *port) replaceKeys(keys []config.Key) {
	active := map[int]bool{}
	for i := range p.active {
		at := indexOf(keys, p.keys[i].CKN)
		if at >= 0 && keys[at].CAK.Equal(p.keys[i].CAK) && keys[at].Role == p.keys[i].Role {
			active[at] = true
			continue
		}
		p.step(mka.ParticipantRemoved{CKN: p.keys[i].CKN})
	}
	for i := range p.keys {
		p.keys[i].CAK.Wipe()
	}
	p.keys, p.active = keys, active
}

func indexOf(keys []config.Key, ckn keyderive.CKN) int {
	for i := range keys {
		if keys[i].CKN == ckn {
			return i
		}
	}
	return -1
}

// scheduleKeys gives a participant to every key that is valid now, and ends those of keys that no longer are.
func (p *port) scheduleKeys() {
	wall := time.Now()
	p.keysAt = p.now().Add(p.untilBoundary(wall))
	if p.kay == nil {
		return
	}
	if p.active == nil {
		p.active = map[int]bool{}
	}
	for i := range p.keys {
		k := &p.keys[i]
		valid := validAt(k, wall)
		switch {
		case valid && !p.active[i]:
			p.step(mka.ParticipantAdded{CKN: k.CKN, CAK: k.CAK.Clone(), Role: roleOf(k)})
			p.active[i] = true
			p.log.Info("key in use", "ckn", k.CKN.String(), "role", k.Role)
		case !valid && p.active[i]:
			p.step(mka.ParticipantRemoved{CKN: k.CKN})
			delete(p.active, i)
			p.log.Warn("key no longer valid", "ckn", k.CKN.String(), "end", k.End)
		}
	}
}

// untilBoundary is the time to the next start or end of a key, keyCheckTime at most: the wall clock may be set meanwhile.
func (p *port) untilBoundary(wall time.Time) time.Duration {
	next := keyCheckTime
	for i := range p.keys {
		for _, at := range [...]time.Time{p.keys[i].Start, p.keys[i].End} {
			if d := at.Sub(wall); d > 0 {
				next = min(next, d)
			}
		}
	}
	return next
}

func validAt(k *config.Key, t time.Time) bool {
	return !t.Before(k.Start) && (k.End.IsZero() || t.Before(k.End))
}

func roleOf(k *config.Key) mka.Role {
	if k.Role == config.Fallback {
		return mka.Fallback
	}
	return mka.Primary
}

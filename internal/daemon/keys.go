package daemon

import (
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"mkad/internal/config"
	"mkad/internal/control"
	"mkad/internal/explain"
	"mkad/keyderive"
	"mkad/mka"
)

// A keyState is what a port knows of its keys. It belongs to the port's goroutine.
type keyState struct {
	keys       []config.Key
	keyFile    fileID
	keyProblem string // why the CAK file, as it is now, cannot be used; "": it is in use
	keysAt     mka.Time
	given      map[keyderive.CKN]mka.ParticipantChanged // of each key that has a participant, what the KaY was told
	givenAt    mka.Time                                 // when the last got one
	lastUsed   keyderive.CKN                            // the last principal; zero: there was none
	clinging   bool                                     // to keys that are not valid, for want of a clock that is right
	chainEnd   time.Time                                // that was last warned of; zero: there is none
	warned     int                                      // how many warnings it has had
}

// A fileID changes when a file, or whatever its name leads to, is replaced or changed.
type fileID struct {
	device, inode uint64
	size          int64
	changed       syscall.Timespec
}

func identify(path string) (id fileID) {
	info, err := os.Stat(path)
	if err != nil {
		return id
	}
	s := info.Sys().(*syscall.Stat_t)
	return fileID{device: s.Dev, inode: s.Ino, size: s.Size, changed: s.Ctim}
}

// lookAtKeys reads the CAK file again if it has changed.
func (p *port) lookAtKeys() {
	switch is := identify(p.cfg.Keys); {
	case is != p.keyFile:
		p.reloadKeys()
	case is == fileID{}: // there is none, but perhaps more of the way there than before
		p.d.keyWatch.follow(p.cfg.Keys)
	}
}

// reloadKeys reads the CAK file. Keys that are there as before keep their participants; a bad file changes nothing.
func (p *port) reloadKeys() {
	p.d.keyWatch.follow(p.cfg.Keys)
	p.keyFile = identify(p.cfg.Keys) // before: what changes meanwhile is read once more
	keys, problems := loadKeys(p.cfg.Keys, p.d.opts.Clock.Now())
	for _, w := range problems.Warnings() {
		p.log.Warn("CAK file", "problem", w.String())
	}
	if errs := problems.Errors(); len(errs) > 0 {
		for _, e := range errs {
			p.log.Error("CAK file", "problem", e.String(), "keys", len(p.keys))
		}
		p.keyProblem = errs[0].String()
		p.tell(control.EventKeyFile, "", "not used: "+p.keyProblem)
	} else {
		if p.keyProblem != "" {
			p.log.Info("CAK file is good again", "keys", len(keys))
		}
		p.keyProblem = ""
		p.replaceKeys(keys)
		p.tell(control.EventKeyFile, "", fmt.Sprintf("%d keys", len(keys)))
	}
	p.scheduleKeys()
}

// tell publishes an event about a key.
func (p *port) tell(event, ckn, reason string) {
	p.d.Publish(control.Event{Time: time.Now(), Port: p.cfg.Interface, Event: event, CKN: ckn, Reason: reason})
}

// replaceKeys takes the new list, and ends the participants of keys that are not in it any more.
func (p *port) replaceKeys(keys []config.Key) {
	for i := range p.keys {
		k := &p.keys[i]
		at := indexOf(keys, k.CKN)
		if at < 0 {
			p.endKey(k, "removed from the CAK file")
		} else if !keys[at].CAK.Equal(k.CAK) {
			p.endKey(k, "has another CAK in the CAK file")
		}
		k.CAK.Wipe()
	}
	p.keys = keys
}

func indexOf(keys []config.Key, ckn keyderive.CKN) int {
	return slices.IndexFunc(keys, func(k config.Key) bool { return k.CKN == ckn })
}

// scheduleKeys brings the participants of the KaY up to what is valid now, and warns of the end of the chain.
func (p *port) scheduleKeys() {
	wall := p.d.opts.Clock.Now()
	p.keysAt = p.now().Add(p.untilBoundary(wall))
	p.warn(wall)
	if p.kay == nil {
		return
	}
	phases := p.phases(wall)
	for i, ph := range phases { // before any is lost
		if ph == valid {
			p.setKey(&p.keys[i], ph)
		}
	}
	for i, ph := range phases {
		switch k := &p.keys[i]; ph {
		case near:
			p.setKey(k, ph)
		case away:
			p.endKey(k, "ended")
		}
	}
}

// untilBoundary is the time to the next change of what is valid, keyCheckTime at most: the wall clock may be set
// meanwhile.
func (p *port) untilBoundary(wall time.Time) time.Duration {
	next := keyCheckTime
	for _, at := range boundaries(p.keys, wall) {
		if at.After(wall) {
			next = min(next, p.d.opts.Clock.Until(at))
		}
	}
	return max(next, 0)
}

// phases are those of the keys, in their order, and tells it when they stay although none is valid.
func (p *port) phases(wall time.Time) []phase {
	phases, clinging := p.phasesOf(p.keys, wall)
	if clinging && !p.clinging {
		p.log.Warn(clingingText)
		p.tell(control.EventKeyClock, "", clingingText)
	}
	p.clinging = clinging
	return phases
}

// phasesOf are those that keys have or would have. While nothing keeps the clock right and no key is valid by it, the
// last key in use stays, or else all of them: a machine without a battery clock needs its key to reach a time server.
func (p *port) phasesOf(keys []config.Key, wall time.Time) (phases []phase, clinging bool) {
	phases = make([]phase, len(keys))
	for i := range keys {
		phases[i] = phaseAt(&keys[i], wall)
	}
	clinging = len(keys) > 0 && !slices.Contains(phases, valid) && !p.d.opts.Clock.Synchronized()
	if clinging {
		last := indexOf(keys, p.lastUsed)
		for i := range phases {
			if last < 0 || i == last {
				phases[i] = valid
			}
		}
	}
	return phases, clinging
}

const clingingText = "no key is valid, but the clock is not synchronised: the last key in use stays in use, or all if none was"

// setKey has the KaY know of a key that is valid or about to be, or has just ended.
func (p *port) setKey(k *config.Key, ph phase) {
	want := mka.ParticipantChanged{CKN: k.CKN, Role: roleOf(k), Rank: rankOf(k), Standby: ph == near}
	is, known := p.given[k.CKN]
	switch {
	case known && is == want:
		return
	case known:
		p.step(want)
	default:
		p.step(mka.ParticipantAdded{CKN: k.CKN, CAK: k.CAK.Clone(), Role: want.Role, Rank: want.Rank, Standby: want.Standby})
		p.givenAt = p.now()
		p.seen.KeysChanged()
	}
	if p.given == nil {
		p.given = map[keyderive.CKN]mka.ParticipantChanged{}
	}
	p.given[k.CKN] = want
	ckn, role, start, end := k.CKN.String(), string(k.Role), instant(k.Start), instant(k.End)
	switch {
	case want.Standby && known && !is.Standby:
		p.log.Info("key has ended", filled("ckn", ckn, "role", role, "end", end)...)
		p.tell(control.EventKeyEnd, ckn, "ended")
	case want.Standby:
		p.log.Info("key is about to begin, or has just ended", filled("ckn", ckn, "role", role, "start", start, "end", end)...)
	case p.clinging && (!known || is.Standby):
		p.log.Info("key is in use", filled("ckn", ckn, "role", role, "start", start, "end", end)...)
		p.tell(control.EventKeyStart, ckn, clingingText)
	case !known || is.Standby:
		p.log.Info("key is valid", filled("ckn", ckn, "role", role, "end", end)...)
		p.tell(control.EventKeyStart, ckn, "")
	}
}

// endKey ends the participant of a key, if it has one.
func (p *port) endKey(k *config.Key, why string) {
	is, known := p.given[k.CKN]
	if !known {
		return
	}
	p.step(mka.ParticipantRemoved{CKN: k.CKN})
	delete(p.given, k.CKN)
	if !is.Standby { // else that was told
		p.log.Warn("key no longer valid", "ckn", k.CKN.String(), "why", why)
		p.tell(control.EventKeyEnd, k.CKN.String(), why)
	}
}

// warn tells that the chain comes to its end: a week, a day and an hour before.
func (p *port) warn(wall time.Time) {
	end := chainEnd(p.keys, wall)
	if !end.Equal(p.chainEnd) {
		p.chainEnd, p.warned = end, 0
	}
	if end.IsZero() {
		return
	}
	due := urgency(end.Sub(wall))
	if due > p.warned {
		text := p.chainWarning(wall)
		p.log.Warn("the key chain ends", "end", end, "problem", text)
		p.tell(control.EventKeyChain, "", text)
	}
	p.warned = due
}

// chainWarning says when the chain ends and what comes then, "" if that is more than a week away.
func (p *port) chainWarning(wall time.Time) string {
	end := chainEnd(p.keys, wall)
	if end.IsZero() || urgency(end.Sub(wall)) == 0 {
		return ""
	}
	text := fmt.Sprintf("the last key ends at %s, in %s", end.UTC().Format(time.RFC3339), roundly(end.Sub(wall)))
	var next time.Time
	for i := range p.keys {
		k := &p.keys[i]
		if validAt(k, end) {
			return text + "; then only a fallback key is left: add a [[key]] to " + p.cfg.Keys
		}
		if k.Start.After(end) && (next.IsZero() || k.Start.Before(next)) {
			next = k.Start
		}
	}
	if !next.IsZero() {
		return fmt.Sprintf("%s; the next starts only at %s: close the gap in %s", text, next.UTC().Format(time.RFC3339), p.cfg.Keys)
	}
	return text + "; add a [[key]] to " + p.cfg.Keys
}

// keyWarnings are what somebody should know of the keys while the port works.
func (p *port) keyWarnings(e *explain.Evidence) (all []string) {
	s := e.MKA
	if p.keyProblem != "" && len(p.keys) > 0 {
		all = append(all, "the keys from before stay in use: "+p.keyProblem)
	}
	if p.clinging {
		all = append(all, clingingText)
	}
	wall := p.d.opts.Clock.Now()
	for _, ckn := range [...]keyderive.CKN{s.TxCKN, p.principal()} { // the SAK in service may be that of the principal before
		if is, ok := p.given[ckn]; ok && is.Role == mka.Fallback {
			all = append(all, fmt.Sprintf("the fallback key %s is in use: %s", is.CKN, p.primaryLack(e, wall)))
			break
		}
	}
	for _, text := range [...]string{p.chainWarning(wall), p.successorWarning(s, wall)} {
		if text != "" {
			all = append(all, text)
		}
	}
	return all
}

// successorWarning says that the key in use ends while peers have not been heard with any that comes after it; "" if it is more
// than a week away.
func (p *port) successorWarning(s mka.Status, wall time.Time) string {
	at := slices.IndexFunc(s.Participants, func(q mka.ParticipantStatus) bool { return q.Principal && q.Role == mka.Primary })
	if at < 0 || p.now() < p.givenAt.Add(p.cfg.LifeTime) {
		return ""
	}
	cur := s.Participants[at]
	end := p.endOf(cur.CKN)
	if !end.After(wall) || urgency(end.Sub(wall)) == 0 {
		return ""
	}
	successors := 0
	for _, q := range s.Participants {
		if until := p.endOf(q.CKN); q.Principal || q.Role != mka.Primary || !until.IsZero() && !until.After(end) {
			continue
		}
		successors++
		if hearsAll(q, cur) {
			return ""
		}
	}
	if successors == 0 { // then the chain ends
		return ""
	}
	return fmt.Sprintf("the key in use, %s, ends at %s, in %s, and with no key after it all of its peers are heard: give them the same keys",
		cur.CKN, end.UTC().Format(time.RFC3339), roundly(end.Sub(wall)))
}

// endOf is when a key ends; zero: never.
func (p *port) endOf(ckn keyderive.CKN) (end time.Time) {
	if i := indexOf(p.keys, ckn); i >= 0 {
		end = p.keys[i].End
	}
	return end
}

// hearsAll reports whether every station that is a live peer in one CA is one in the other.
func hearsAll(in, of mka.ParticipantStatus) bool {
	for _, q := range of.Peers {
		same := func(r mka.PeerStatus) bool { return r.Live && r.SCI == q.SCI }
		if q.Live && !slices.ContainsFunc(in.Peers, same) {
			return false
		}
	}
	return true
}

// primaryLack says what keeps the primary keys from use.
func (p *port) primaryLack(e *explain.Evidence, wall time.Time) string {
	live := func(q mka.PeerStatus) bool { return q.Live }
	for _, q := range e.MKA.Participants {
		if q.Role == mka.Primary && !q.Standby && slices.ContainsFunc(q.Peers, live) {
			return fmt.Sprintf("the primary key %s has live peers, and no SAK of it is in use yet", q.CKN)
		}
	}
	lack := "there is no primary key in " + p.cfg.Keys
	for i := range p.keys {
		k := &p.keys[i]
		switch {
		case k.Role != config.Primary:
		case validAt(k, wall):
			if why := e.Refused(); why != "" {
				return "no primary key has a live peer: " + why
			}
			return "no primary key has a live peer"
		default:
			lack = "no primary key of " + p.cfg.Keys + " is valid now"
		}
	}
	return lack
}

// principal is the CKN of the principal participant; zero: there is none.
func (p *port) principal() (ckn keyderive.CKN) {
	if p.kay != nil {
		ckn = p.kay.PrincipalCKN()
	}
	return ckn
}

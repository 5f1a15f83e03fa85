package daemon

import (
	"time"

	"mkad/internal/control"
	"mkad/internal/explain"
	linkwatch "mkad/internal/port"
	"mkad/mka"
)

// reconsiderTime is the least distance of looks at why a port is not secured, while nobody asks.
const reconsiderTime = time.Second

// evidence is what the port observes now.
func (p *port) evidence() explain.Evidence {
	e := explain.Evidence{
		Interface:   p.cfg.Interface,
		KeyFile:     p.cfg.Keys,
		Destination: p.cfg.EAPOLDestination,
		Configured:  p.cfg.CipherSuites,
		Suites:      p.choice.Suites,
		LifeTime:    p.cfg.LifeTime,
		Started:     p.state != "" || p.known,
		Secured:     p.state == control.Secured,
		Failure:     p.failure,
		Link:        explain.Link{Exists: p.link.Exists, Up: p.link.Up, Carrier: p.link.Carrier, MTU: p.link.MTU},
		Keys:        p.keyEvidence(),
		SendError:   p.sendError,
		StateLost:   p.stateLost,
		StateUnkept: p.file.failure,
		StateStays:  p.file.outdated,
		Late:        p.now() >= p.carrierSince.Add(p.cfg.LifeTime),
		Rekeyed:     len(p.given) > 0 && p.now() < p.givenAt.Add(p.cfg.LifeTime),
		Now:         p.now(),
		Seen:        &p.seen,
	}
	if p.known && !p.link.Exists {
		e.Link.Real = linkwatch.RealName(p.cfg.Interface)
	}
	if p.kay == nil {
		return e
	}
	e.MKA = p.kay.Status(p.now())
	if !e.Secured {
		p.lookAround(&e)
	}
	return e
}

// lookAround adds what costs system calls, and speaks only for a port that is served and not secured.
func (p *port) lookAround(e *explain.Evidence) {
	e.Occupied = linkwatch.Occupied(p.link, p.cfg.EAPOLEtherType)
	traits, err := linkwatch.TraitsOf(p.link.Name, p.link.Index)
	if err != nil {
		return // it has gone
	}
	e.Link.Frames = traits.Received - min(traits.Received, p.framesBefore)
	e.Link.Moved = traits.Moved
	if traits.BehindSwitch() {
		e.Link.Virtual = traits.Driver
	}
}

func (p *port) keyEvidence() explain.Keys {
	k := explain.Keys{Problem: p.keyProblem, Unsynchronised: p.clinging}
	wall := p.d.opts.Clock.Now()
	for i := range p.keys {
		key := &p.keys[i]
		is, known := p.given[key.CKN]
		if known && !is.Standby || p.kay == nil && phaseAt(key, wall) == valid { // of a port that is not served nothing is given
			k.Valid = append(k.Valid, key.CKN)
			continue
		}
		k.Idle = append(k.Idle, key.CKN)
		if key.Start.After(wall) && (k.Next.IsZero() || key.Start.Before(k.Next)) {
			k.Next = key.Start
		}
	}
	return k
}

// reconsider looks why the port is still not secured, and logs another cause once.
func (p *port) reconsider() {
	now := p.now()
	if p.state == control.Secured || now < p.verdictAt.Add(reconsiderTime) {
		return
	}
	p.verdictAt = now
	before := p.verdict.Cause
	p.verdict = explain.Explain(p.evidence())
	if p.state == control.Pending || p.verdict.Cause == before || p.verdict.Cause == explain.Handshake ||
		!p.causes.allow(p.verdict.Cause, now) {
		return
	}
	p.log.Warn("not secured", "state", p.state, "cause", p.verdict.Cause, "reason", p.verdict.Reason())
}

// causesTold remembers when each cause was logged last: a closed list, so it cannot grow.
type causesTold map[explain.Cause]mka.Time

// allow reports whether to log the cause now: others can have them change at will.
func (t *causesTold) allow(cause explain.Cause, now mka.Time) bool {
	if *t == nil {
		*t = causesTold{}
	}
	if at, told := (*t)[cause]; told && now < at.Add(repeatTime) {
		return false
	}
	(*t)[cause] = now
	return true
}

// explanation is the port's part of the explain document.
func (p *port) explanation() control.Explanation {
	e := p.evidence()
	v := explain.Explain(e)
	x := control.Explanation{Interface: p.cfg.Interface, Controlled: p.cfg.Controlled, State: p.state, Since: p.since,
		Cause: string(v.Cause), Reason: v.Why, Remedy: v.Remedy, Warnings: p.warnings(&e), Evidence: explain.Facts(e)}
	if p.state == "" {
		x.State = control.Down
	}
	return x
}

// Explain says of every port why it is not secured.
func (d *Daemon) Explain() control.ExplainDocument {
	doc := control.ExplainDocument{Version: control.Version}
	for _, p := range d.all() {
		var x control.Explanation
		p.do(func() { x = p.explanation() })
		doc.Ports = append(doc.Ports, x)
	}
	return doc
}

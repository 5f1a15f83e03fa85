package daemon

import (
	"reflect"
	"slices"
	"time"

	"mkad/eapol"
	"mkad/internal/config"
	"mkad/internal/control"
	"mkad/internal/explain"
	"mkad/mka"
	"mkad/secy"
)

// updateState notes a change of state, and tells it.
func (p *port) updateState() {
	if !p.known && p.failure == nil {
		return // the device has not been looked up yet
	}
	if p.kay != nil && p.kay.Secured() {
		p.secured, p.stateLost = true, nil
	}
	state := p.currentState()
	if state == p.state {
		p.reconsider()
		return
	}
	before := p.state
	p.state, p.since = state, time.Now()
	p.verdict, p.verdictAt = explain.Explain(p.evidence()), p.now()
	p.causes.allow(p.verdict.Cause, p.now()) // it is told here
	reason := p.verdict.Reason()
	p.log.Info("state", filled("state", string(state), "was", string(before), "cause", string(p.verdict.Cause), "reason", reason)...)
	p.d.Publish(control.Event{Time: p.since, Port: p.cfg.Interface, Event: control.EventState, Reason: reason, State: state,
		Was: before})
}

func (p *port) currentState() control.State {
	switch {
	case p.failure != nil:
		return control.Failed
	case p.kay == nil, !p.link.Carrier:
		return control.Down
	case p.kay.Secured():
		return control.Secured
	case p.kay.InClear():
		return control.Unsecured
	case !p.secured && p.now() < p.carrierSince.Add(p.cfg.LifeTime):
		return control.Pending
	}
	return control.Blocked
}

// document is the port's part of the status document.
func (p *port) document() control.Port {
	e := p.evidence()
	verdict := explain.Explain(e)
	doc := control.Port{Interface: p.cfg.Interface, Controlled: p.cfg.Controlled, State: p.state, Since: p.since,
		Cause: string(verdict.Cause), Reason: verdict.Reason()}
	if p.state == "" { // asked before the device was looked up
		doc.State = control.Down
	}
	if p.secY != nil {
		doc.Backend, doc.BackendReason = p.choice.Backend.String(), p.choice.Reason
		doc.SCI = p.sci.String()
		doc.Counters = counterMap(p.secY.Counters())
	}
	doc.Warnings = p.warnings(&e)
	doc.NextKeys = nextKeys(p.keys, p.d.opts.Clock.Now())
	if p.kay != nil {
		p.describe(&doc, e.MKA)
	}
	return doc
}

// warnings are what somebody should look after though the port works.
func (p *port) warnings(e *explain.Evidence) []string {
	return append(p.keyWarnings(e), explain.Warnings(e, p.cfg.Confidentiality)...)
}

func (p *port) describe(doc *control.Port, s mka.Status) {
	doc.KeyServer = s.KeyServer
	doc.PrincipalCKN = s.PrincipalCKN.String()
	doc.Rekeys = s.Rekeys - min(s.Rekeys, 1)
	if s.Secured {
		doc.CipherSuite, doc.Confidentiality = s.CipherSuite.String(), s.Offset.String()
		doc.Tx = p.txDocument(s)
	}
	for _, rx := range s.Rx {
		lowest, _ := p.secY.LowestPN(rx.SCI, rx.KI.KeyID())
		doc.Rx = append(doc.Rx, control.Rx{SCI: rx.SCI.String(), AN: uint8(rx.AN), LowestPN: uint64(lowest)})
	}
	for _, part := range s.Participants {
		participant := participantDocument(part)
		if at := indexOf(p.keys, part.CKN); at >= 0 {
			participant.Start, participant.End = instant(p.keys[at].Start), instant(p.keys[at].End)
		}
		doc.Participants = append(doc.Participants, participant)
	}
}

// txDocument tells how far the packet numbers of the transmit SA have come.
func (p *port) txDocument(s mka.Status) control.Tx {
	next := p.nextPN(s.Tx)
	left := uint64(s.CipherSuite.MaxPN() - min(next, s.CipherSuite.MaxPN()))
	return control.Tx{AN: uint8(s.Tx.AN), NextPN: uint64(next), KI: s.Tx.KI.String(), Headroom: left,
		ExhaustedInS: p.exhaustedIn(s.Tx.KI.KeyID(), left)}
}

// nextKeys are those that are to start after t and have no participant yet, the next first.
func nextKeys(keys []config.Key, t time.Time) (next []control.Key) {
	var waiting []*config.Key
	for i := range keys {
		if k := &keys[i]; k.Start.After(t) && phaseAt(k, t) == away {
			waiting = append(waiting, k)
		}
	}
	slices.SortStableFunc(waiting, func(a, b *config.Key) int { return a.Start.Compare(b.Start) })
	for _, k := range waiting {
		next = append(next, control.Key{CKN: k.CKN.String(), Role: string(k.Role), Start: instant(k.Start), End: instant(k.End)})
	}
	return next
}

// instant is a start or an end, "" when there is none.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// filled are the pairs of a log line, a name and a value each, without those that have no value.
func filled(pairs ...string) (args []any) {
	for ; len(pairs) > 1; pairs = pairs[2:] {
		if pairs[1] != "" {
			args = append(args, pairs[0], pairs[1])
		}
	}
	return args
}

// nextPN is the packet number of the next frame, fresh from the SecY.
func (p *port) nextPN(k mka.KeyStatus) secy.PN {
	if pn, ok := p.secY.PN(k.KI.KeyID()); ok {
		return pn
	}
	return k.NextPN
}

func participantDocument(s mka.ParticipantStatus) control.Participant {
	doc := control.Participant{CKN: s.CKN.String(), Role: s.Role.String(), State: "pending", MI: s.MI.String(),
		MN: uint32(s.MN), MKAVersion: s.Version, SuspendedMS: s.Suspended.Milliseconds()}
	for _, q := range s.Peers {
		peer := control.Peer{SCI: q.SCI.String(), MI: q.MI.String(), MN: uint32(q.MN), State: "potential",
			KeyServerPriority: q.KeyServerPriority, LastSeenMS: q.LastSeen.Milliseconds(), MKAVersion: q.Version,
			SuspendForMS: q.SuspendFor.Milliseconds()}
		for _, c := range q.Announced {
			peer.CipherSuites = append(peer.CipherSuites, c.String())
		}
		if q.Live {
			peer.State = control.PeerLive
			doc.State = "live"
		}
		doc.Peers = append(doc.Peers, peer)
	}
	switch {
	case s.Principal:
		doc.State = "principal"
	case s.Standby:
		doc.State = "standby"
	}
	return doc
}

// counters are all counters of the port, by their standard names.
func (p *port) counters() control.PortCounters {
	c := control.PortCounters{Interface: p.cfg.Interface, Controlled: p.cfg.Controlled}
	if p.secY != nil {
		c.SecY = counterMap(p.secY.Counters())
	}
	if p.kay != nil {
		c.MKA = mkaCounters(p.kay.Status(p.now()))
	}
	return c
}

func mkaCounters(s mka.Status) map[string]uint64 {
	m := map[string]uint64{
		control.MKAFramesTx:         s.Sent,
		control.MKAFramesRx:         s.Received,
		control.MKNoCKN:             s.Discards[eapol.DiscardUnknownCKN],
		control.MKInvalid:           s.Discards[eapol.DiscardICV],
		control.LengthErrorFramesRx: s.Discards[eapol.DiscardLength],
		control.InvalidEAPOLFrameRx: s.Discards[eapol.DiscardShortFrame] + s.Discards[eapol.DiscardEAPOLVersion] +
			s.Discards[eapol.DiscardDestination],
	}
	for d := eapol.Accepted + 1; int(d) < eapol.NumDiscards; d++ {
		m["discard-"+d.String()] = s.Discards[d]
	}
	return m
}

// counterMap names each counter as its field is named, which is the standard's name.
func counterMap(c secy.Counters) map[string]uint64 {
	m := map[string]uint64{}
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		m[v.Type().Field(i).Name] = v.Field(i).Uint()
	}
	return m
}

package daemon

import (
	"fmt"
	"reflect"
	"time"

	"mkad/eapol"
	"mkad/internal/control"
	"mkad/mka"
	"mkad/secy"
)

// hintTime is how long a suspected reason counts: some hellos.
const hintTime = 15 * time.Second

// updateState notes a change of state, and tells it.
func (p *port) updateState() {
	if !p.known && p.failure == "" {
		return // the device has not been looked up yet
	}
	if p.kay != nil && p.kay.Secured() {
		p.secured = true
	}
	state := p.currentState()
	if state == p.state {
		return
	}
	before := p.state
	p.state, p.since = state, time.Now()
	reason := p.reason()
	p.log.Info("state", "state", state, "was", before, "reason", reason)
	p.d.Publish(control.Event{Time: p.since, Port: p.cfg.Interface, Event: control.EventState, Reason: reason, Detail: string(state),
		Was: before})
}

func (p *port) currentState() control.State {
	switch {
	case p.failure != "":
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

// reason says why the port is not secured, with what to do; empty when it is.
func (p *port) reason() string {
	switch {
	case p.state == control.Secured:
		return ""
	case p.failure != "":
		return p.failure
	case !p.link.Exists:
		return fmt.Sprintf("%s does not exist; it is used as soon as it appears", p.cfg.Interface)
	case !p.link.Up:
		return fmt.Sprintf("%s is down; ip link set %s up", p.cfg.Interface, p.cfg.Interface)
	case !p.link.Carrier:
		return fmt.Sprintf("%s has no carrier; look at the cable and the other side", p.cfg.Interface)
	case p.keyProblem != "" && len(p.keys) == 0:
		return p.keyProblem
	case !p.anyValid():
		return fmt.Sprintf("no key in %s is valid now", p.cfg.Keys)
	case p.hint != "" && p.now() < p.hintAt.Add(hintTime):
		return p.hint
	}
	return p.unheard()
}

// noKeyServer is what to do when all are key server never.
const noKeyServer = "nobody may be key server: all sides have key_server_priority 255; lower it on one, or set " +
	"allow_priority_255 on all"

// noSuite explains that no cipher suite suits all, by what each side has.
func noSuite(sides string) string {
	return "no cipher suite suits all: " + sides + "; change cipher_suites on one side"
}

// unheard tells how far MKA has come when nothing is known to be wrong.
func (p *port) unheard() string {
	heard, live, served := 0, 0, false
	s := p.kay.Status(p.now())
	for _, part := range s.Participants {
		served = served || part.KeyServer != 0
		for _, q := range part.Peers {
			heard++
			if q.Live {
				live++
			}
		}
	}
	switch {
	case heard == 0 && p.state == control.Pending:
		return "no peer has been heard yet"
	case heard == 0:
		return fmt.Sprintf("nothing is heard on %s; is MKA running on the other side, and do all bridges between let %s pass?",
			p.cfg.Interface, p.cfg.EAPOLDestination)
	case live == 0:
		return "a peer is heard that does not list us; it does not hear us, or has not answered yet"
	case !served:
		return noKeyServer
	case s.NoSuite != "":
		return noSuite(s.NoSuite)
	}
	return "a peer is live; the SAK is not in service yet"
}

// document is the port's part of the status document.
func (p *port) document() control.Port {
	doc := control.Port{Interface: p.cfg.Interface, Controlled: p.cfg.Controlled, State: p.state, Since: p.since,
		Reason: p.reason()}
	if p.state == "" { // asked before the device was looked up
		doc.State, doc.Reason = control.Down, "starting"
	}
	if p.secY != nil {
		doc.Backend, doc.BackendReason = p.choice.Backend.String(), p.choice.Reason
		doc.SCI = p.sci.String()
		doc.Counters = counterMap(p.secY.Counters())
	}
	if p.kay != nil {
		p.describe(&doc, p.kay.Status(p.now()))
	}
	doc.Warnings = p.keyWarnings()
	return doc
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

// instant is a start or an end, "" when there is none.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
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

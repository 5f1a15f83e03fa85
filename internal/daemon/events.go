package daemon

import (
	"context"
	"log/slog"
	"time"

	"mkad/eapol"
	"mkad/internal/control"
	"mkad/internal/explain"
	"mkad/mka"
)

// repeatTime is how long a line of log that others can provoke is not repeated.
const repeatTime = time.Minute

// throttle counts what was not logged because the same was logged within repeatTime: by reason of discard, a closed
// list, so it cannot grow.
type throttle struct {
	at         [eapol.NumDiscards]mka.Time
	said       [eapol.NumDiscards]bool
	suppressed [eapol.NumDiscards]uint64
}

// allow reports whether to log now, and how many were held back since the last time.
func (t *throttle) allow(d eapol.Discard, now mka.Time) (suppressed uint64, ok bool) {
	if t.said[d] && now < t.at[d].Add(repeatTime) {
		t.suppressed[d]++
		return 0, false
	}
	suppressed = t.suppressed[d]
	t.said[d], t.at[d], t.suppressed[d] = true, now, 0
	return suppressed, true
}

// maxRepeats is how many lines of one kind of event are logged before it is throttled: a group that forms has as many.
const maxRepeats = 20

// rate throttles the lines of each kind of event, a closed list: a member that lies cannot fill the disk.
type rate [mka.NumEvents]struct {
	at         mka.Time // of the last, logged or not
	saidAt     mka.Time // of the last that was logged
	said       int      // since the kind was last quiet for repeatTime
	suppressed uint64
}

// allow reports whether to log one more, and how many were held back since the last: after maxRepeats of a kind it is one
// in repeatTime, until the kind has been quiet for as long.
func (r *rate) allow(kind mka.EventKind, now mka.Time) (suppressed uint64, ok bool) {
	k := &r[kind]
	if now >= k.at.Add(repeatTime) {
		k.said = 0
	}
	k.at = now
	if k.said >= maxRepeats && now < k.saidAt.Add(repeatTime) {
		k.suppressed++
		return 0, false
	}
	suppressed = k.suppressed
	k.said, k.saidAt, k.suppressed = k.said+1, now, 0
	return suppressed, true
}

// publish logs an event and hands it to whoever watches.
func (p *port) publish(e mka.Event) {
	if e.Kind == mka.EventDiscarded {
		p.publishDiscard(e)
		return
	}
	p.seen.Note(e, p.now())
	p.learn(e)
	level := slog.LevelDebug
	switch e.Kind {
	case mka.EventPeerHeard, mka.EventPeerLive, mka.EventSAKInstalled, mka.EventSecured, mka.EventResumed:
		level = slog.LevelInfo // those that a person looks for
	case mka.EventSuspended, mka.EventSuspensionOver:
		level = slog.LevelInfo
	case mka.EventPrincipal:
		level = p.principalLevel(e)
	case mka.EventPeerLost:
		level = p.lossLevel(e)
	case mka.EventUnsecured, mka.EventSuiteRefused, mka.EventNoSuite, mka.EventNoKeyServer,
		mka.EventSecYFailed:
		level = slog.LevelWarn
	}
	if suppressed, ok := p.often.allow(e.Kind, p.now()); ok {
		p.log.LogAttrs(context.Background(), level, e.Kind.String(), more(attrs(e), suppressed)...)
	}
	p.emit(e, e.Reason)
}

// principalLevel is loud about a fallback key: it is never used silently.
func (p *port) principalLevel(e mka.Event) slog.Level {
	if p.given[e.CKN].Role == mka.Fallback {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// lossLevel is not loud about what each roll-over brings about: the peers of a key that has ended go with it.
func (p *port) lossLevel(e mka.Event) slog.Level {
	if e.Reason == mka.ReasonRemoved || p.given[e.CKN].Standby {
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

// attrs are the fields of an event that say something, by fixed names.
func attrs(e mka.Event) (a []slog.Attr) {
	add := func(say bool, name string, value any) {
		if say {
			a = append(a, slog.Any(name, value))
		}
	}
	add(!e.CKN.IsZero(), "ckn", e.CKN.String())
	add(e.Peer != 0, "peer", e.Peer.String())
	add(!e.KI.IsZero(), "ki", e.KI.String())
	add(!e.KI.IsZero(), "an", e.AN)
	add(e.Suite != 0, "suite", e.Suite.String())
	add(e.Reason != "", "reason", e.Reason)
	return a
}

// more adds how many lines were held back.
func more(a []slog.Attr, suppressed uint64) []slog.Attr {
	if suppressed > 0 {
		a = append(a, slog.Uint64("more", suppressed))
	}
	return a
}

func (p *port) emit(e mka.Event, reason string) {
	ce := control.Event{Time: time.Now(), Port: p.cfg.Interface, Event: e.Kind.String(), Reason: reason}
	if !e.CKN.IsZero() {
		ce.CKN = e.CKN.String()
	}
	if e.Peer != 0 {
		ce.Peer = e.Peer.String()
	}
	if !e.KI.IsZero() {
		ce.KI = e.KI.String()
	}
	p.d.Publish(ce)
}

// learn keeps what an event changes for the port itself.
func (p *port) learn(e mka.Event) {
	switch e.Kind {
	case mka.EventSAKTransmitting:
		p.sampleAt = 0 // nothing is known of its pace
	case mka.EventPrincipal:
		if !e.CKN.IsZero() {
			p.lastUsed = e.CKN
		}
	case mka.EventPeerLive, mka.EventPeerLost:
		p.resift = true
	}
}

// publishDiscard logs a discarded frame with its likely cause, once a minute for each reason.
func (p *port) publishDiscard(e mka.Event) {
	p.seen.Note(e, p.now())
	if e.Discard == eapol.DiscardNotMKA {
		return // EAP and announcements are for others
	}
	suppressed, ok := p.told.allow(e.Discard, p.now())
	if !ok {
		return
	}
	level := slog.LevelWarn
	switch e.Discard {
	case eapol.DiscardReplay, eapol.DiscardDestination: // what networks do; another CA may reach further, or less far, than ours
		level = slog.LevelDebug
	}
	a := []slog.Attr{slog.String("reason", e.Discard.String()), slog.String("from", e.MAC.String())}
	if !e.CKN.IsZero() {
		a = append(a, slog.String("ckn", e.CKN.String()))
	}
	if cause := explain.Discarded(e, p.evidence()).Reason(); cause != "" {
		a = append(a, slog.String("why", cause))
	}
	p.log.LogAttrs(context.Background(), level, "MKPDU discarded", more(a, suppressed)...)
	p.emit(e, e.Discard.String())
}

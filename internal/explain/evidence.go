package explain

import (
	"slices"
	"time"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/mka"
	"mkad/secy"
)

// Evidence is what a port observes of itself, of its lower device, and of the wire: plain data. A field that was not
// looked at is zero and speaks for nothing.
type Evidence struct {
	Interface   string             // the lower device
	KeyFile     string             // path of the CAK file
	Destination eapol.MAC          // to which MKPDUs go
	Configured  []secy.CipherSuite // cipher_suites
	Suites      []secy.CipherSuite // those of them that the SecY has with the configured offset
	LifeTime    time.Duration      // of a peer that is not heard
	Started     bool               // the device has been looked up
	Secured     bool
	Failure     error // why the port cannot be served; it names the remedy itself
	Link        Link
	Keys        Keys
	SendError   error // of the last MKPDU; nil: it was sent
	StateLost   error // why what the mkad before has kept cannot be read; nil: it could, or there was nothing
	StateUnkept error // why what the next mkad needs cannot be kept now
	StateStays  bool  // what was kept before cannot be removed either: the next mkad would go on from that
	Occupied    error // another program speaks EAPOL on the device now
	Late        bool  // the carrier has been there for longer than LifeTime
	Rekeyed     bool  // a key of the CAK file has been in use for less than LifeTime
	Now         mka.Time
	MKA         mka.Status
	Seen        *Seen // nil: nothing
}

// Link is the lower device.
type Link struct {
	Exists  bool
	Up      bool // administratively
	Carrier bool
	MTU     int    // octets
	Frames  uint64 // received since the carrier came, of whatever kind
	Virtual string // what the device is when a virtual switch may be behind it, for instance "virtio_net"
	Moved   bool   // its MAC address is not the one that it was born with
	Real    string // the device that has the interface's name as an alternative one, "" if none has
}

// Keys are those of the CAK file.
type Keys struct {
	Problem        string // why the file cannot be read, with the remedy
	Idle           []keyderive.CKN
	Valid          []keyderive.CKN
	Next           time.Time // when one of the idle begins; zero: never
	Unsynchronised bool      // keys are valid only because nothing keeps the clock right
}

// recentTime is how long something that was seen speaks for what is now: some hellos.
const recentTime = 15 * time.Second

// relapseTime is how long it is remembered that a peer that was lost is heard again.
const relapseTime = time.Minute

// Seen keeps what MKA has told of a port: the last of each kind, so it cannot grow. Its zero value is empty. It belongs to
// the port's goroutine.
type Seen struct {
	discards [eapol.NumDiscards]sighting
	events   [mka.NumEvents]sighting
	silent   bool        // the last peer that was lost had been silent
	relapses [2]mka.Time // when one that had been silent was heard again; the last first
	again    int         // how many of them count
}

type sighting struct {
	seen  bool
	at    mka.Time
	event mka.Event
}

// Note keeps an event.
func (s *Seen) Note(e mka.Event, at mka.Time) {
	if e.Kind == mka.EventDiscarded {
		s.discards[e.Discard] = sighting{true, at, e}
		return
	}
	switch e.Kind {
	case mka.EventSecYFailed: // the first at about one time: the others may need what it did not make
		if last := s.events[e.Kind]; last.seen && at < last.at.Add(time.Second) {
			return
		}
	case mka.EventSecured: // what was wrong until then is not what will be
		s.discards = [len(s.discards)]sighting{}
	case mka.EventSAKReceived: // they are not all refused
		s.discards[eapol.DiscardSAKReuse] = sighting{}
	case mka.EventPeerLost:
		s.silent = e.Reason == mka.ReasonSilent
	case mka.EventPeerHeard:
		if s.silent {
			s.relapses, s.again = [...]mka.Time{at, s.relapses[0]}, min(s.again+1, len(s.relapses))
		}
		s.silent = false
	}
	s.events[e.Kind] = sighting{true, at, e}
}

// KeysChanged forgets who has spoken with other keys: it may have been with those that we have now.
func (s *Seen) KeysChanged() {
	s.discards[eapol.DiscardUnknownCKN], s.discards[eapol.DiscardICV] = sighting{}, sighting{}
}

// discarded is the last frame that was discarded for that reason, if that was a moment ago.
func (e *Evidence) discarded(d eapol.Discard) (mka.Event, bool) {
	if e.Seen == nil {
		return mka.Event{}, false
	}
	return e.Seen.discards[d].recent(e.Now)
}

// rejected is discarded while no peer is live: a stranger beside one is not why the port is not secured.
func (e *Evidence) rejected(d eapol.Discard) (mka.Event, bool) {
	if e.live() > 0 {
		return mka.Event{}, false
	}
	return e.discarded(d)
}

// happened is the last event of that kind, if that was a moment ago.
func (e *Evidence) happened(k mka.EventKind) (mka.Event, bool) {
	if e.Seen == nil {
		return mka.Event{}, false
	}
	return e.Seen.events[k].recent(e.Now)
}

func (s sighting) recent(now mka.Time) (mka.Event, bool) {
	return s.event, s.seen && now < s.at.Add(recentTime)
}

// relapsing reports whether peers come and go: they are heard too rarely.
func (e *Evidence) relapsing() bool {
	return e.Seen != nil && e.Seen.again == len(e.Seen.relapses) &&
		e.Now < e.Seen.relapses[len(e.Seen.relapses)-1].Add(relapseTime)
}

// lost is the last peer, if it fell silent and nobody was heard since.
func (e *Evidence) lost() (mka.Event, bool) {
	if e.Seen == nil || !e.Seen.silent {
		return mka.Event{}, false
	}
	return e.Seen.events[mka.EventPeerLost].event, true
}

// otherKey reports whether the last peer, which fell silent, goes on with another key.
func (e *Evidence) otherKey() bool {
	lost, silent := e.lost()
	for _, d := range [...]eapol.Discard{eapol.DiscardUnknownCKN, eapol.DiscardICV} {
		if theirs, seen := e.rejected(d); silent && seen && theirs.MAC == eapol.MAC(lost.Peer.MAC()) {
			return true
		}
	}
	return false
}

// live and potential count peers of all participants.
func (e *Evidence) live() int      { return e.count(true) }
func (e *Evidence) potential() int { return e.count(false) }

func (e *Evidence) count(live bool) (n int) {
	for _, p := range e.MKA.Participants {
		for _, q := range p.Peers {
			if q.Live == live {
				n++
			}
		}
	}
	return n
}

// peer finds a peer of which something holds.
func (e *Evidence) peer(holds func(mka.ParticipantStatus, mka.PeerStatus) bool) (mka.PeerStatus, bool) {
	for _, p := range e.MKA.Participants {
		for _, q := range p.Peers {
			if holds(p, q) {
				return q, true
			}
		}
	}
	return mka.PeerStatus{}, false
}

// onlyIdle finds a peer that is live with a key that is about to begin or has just ended, if none is with one that is valid.
func (e *Evidence) onlyIdle() (in mka.ParticipantStatus, q mka.PeerStatus, found bool) {
	valid := false
	for _, p := range e.MKA.Participants {
		for _, r := range p.Peers {
			if r.Live && p.Standby {
				in, q, found = p, r, true
			}
			valid = valid || r.Live && !p.Standby
		}
	}
	return in, q, found && !valid
}

// participant reports whether something holds of a participant.
func (e *Evidence) participant(holds func(mka.ParticipantStatus) bool) bool {
	for _, p := range e.MKA.Participants {
		if holds(p) {
			return true
		}
	}
	return false
}

// Refused says of a frame that was discarded a moment ago for its CKN or its ICV what keeps its sender from being a peer; "" if
// there is none.
func (e *Evidence) Refused() string {
	for _, d := range [...]eapol.Discard{eapol.DiscardICV, eapol.DiscardUnknownCKN} {
		if event, seen := e.discarded(d); seen {
			return Discarded(event, *e).Reason()
		}
	}
	return ""
}

// apart finds a live peer that has announced suites, and none of these.
func (e *Evidence) apart(suites []secy.CipherSuite) (mka.PeerStatus, bool) {
	return e.peer(func(_ mka.ParticipantStatus, q mka.PeerStatus) bool {
		ours := func(c secy.CipherSuite) bool { return slices.Contains(suites, c) }
		return q.Live && len(q.Announced) > 0 && !slices.ContainsFunc(q.Announced, ours)
	})
}

// heard reports whether any MKPDU has arrived since MKA runs on the device.
func (e *Evidence) heard() bool {
	n := e.MKA.Received
	for d, count := range e.MKA.Discards {
		if eapol.Discard(d) != eapol.DiscardNotMKA {
			n += count
		}
	}
	return n > 0
}

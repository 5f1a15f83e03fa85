package mka

import (
	"fmt"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/secy"
)

// An EventKind names one thing that happened.
type EventKind uint8

// What happens in a KaY that logs, metrics and tests want to know.
const (
	// EventDiscarded: a frame was dropped for the reason Discard; of a SAK that policy forbids, Reason names what each side
	// has, and Suite and Offset are set. Peer, MAC and CKN are, as far as they were read.
	EventDiscarded EventKind = iota + 1
	// EventPeerHeard: a potential peer was added (9.4.3).
	EventPeerHeard
	// EventPeerLive: a peer has proved that it hears us, and is live.
	EventPeerLive
	// EventPeerLost: a live peer expired, was replaced by its own next life, or went with its participant.
	EventPeerLost
	// EventKeyServer: another key server was elected in the participant (Peer; 0: none).
	EventKeyServer
	// EventPrincipal: another participant is principal (CKN; zero: none).
	EventPrincipal
	// EventSAKGenerated: as key server we made the SAK KI, because of Reason.
	EventSAKGenerated
	// EventSAKReceived: the key server Peer distributed the SAK KI.
	EventSAKReceived
	// EventSAKInstalled: the SecY receives with the SAK KI.
	EventSAKInstalled
	// EventSAKTransmitting: the SecY transmits with the SAK KI.
	EventSAKTransmitting
	// EventSAKRetired: the SAs of KI are gone.
	EventSAKRetired
	// EventSecured: the Controlled Port began to carry protected traffic.
	EventSecured
	// EventUnsecured: the Controlled Port ceased to carry protected traffic.
	EventUnsecured
	// EventNewMI: the participant took another MI, because of Reason.
	EventNewMI
	// EventSuiteRefused: Peer did not report the SAK KI in time; the next cipher suite will be offered.
	EventSuiteRefused
	// EventNoSuite: no cipher suite of ours suits every live peer; Reason names what each side has.
	EventNoSuite
	// EventNoKeyServer: there are live peers, but nobody may be key server (all have priority 255).
	EventNoKeyServer
	// EventSecYFailed: the SecY did not obey an Op for KI, because of Reason.
	EventSecYFailed
	// EventResumed: the participant goes on with the MI of an earlier process, and, if it is told, with the SAK KI.
	EventResumed
	// EventSuspended: the key server Peer has suspended MKA; peers are not lost, and elections not held, meanwhile (9.18).
	EventSuspended
	// EventSuspensionOver: the suspension is over, because of Reason.
	EventSuspensionOver
)

// Reasons of an EventPeerLost.
const (
	ReasonSilent  = "silent for Life Time" // the peer has not been heard for so long
	ReasonRemoved = "participant removed"  // by whoever drives the KaY
)

// NumEvents is the number of values of EventKind, for arrays of counters.
const NumEvents = int(EventSuspensionOver) + 1

var eventNames = [...]string{"", "discarded", "peer-heard", "peer-live", "peer-lost", "key-server", "principal",
	"sak-generated", "sak-received", "sak-installed", "sak-transmitting", "sak-retired", "secured", "not-secured", "new-mi",
	"suite-refused", "no-suite", "no-key-server", "secy-failed", "resumed", "suspended", "suspension-over"}

// String is the event's name in one word, as in logs.
func (k EventKind) String() string {
	if int(k) < len(eventNames) && k > 0 {
		return eventNames[k]
	}
	return fmt.Sprintf("EventKind(%d)", uint8(k))
}

// An Event is something that happened: plain comparable data. Which fields count depends on Kind.
type Event struct {
	Kind    EventKind
	CKN     keyderive.CKN
	Peer    secy.SCI
	MAC     eapol.MAC // EventDiscarded: the frame's source address
	DA      eapol.MAC // EventDiscarded: its destination address, if it was dropped for that
	MI      eapol.MI
	KI      eapol.KI
	AN      secy.AN
	Suite   secy.CipherSuite
	Offset  secy.ConfidentialityOffset
	Discard eapol.Discard
	Reason  string
}

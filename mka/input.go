package mka

import (
	"mkad/keyderive"
	"mkad/secy"
)

// An Input is something that happened to the port; one of the types below.
type Input interface{ input() }

// FrameReceived is an EAPOL frame from the Uncontrolled Port, whole, from the destination address on, without FCS. The
// KaY reads Frame during Step only.
type FrameReceived struct{ Frame []byte }

// LinkChanged says whether the Common Port is operational (portEnabled of 12.3). A KaY starts with the link down.
type LinkChanged struct{ Up bool }

// ParticipantAdded starts a Participant for a pre-shared (CKN, CAK) pair (9.3.1). The KaY owns the CAK from then on and
// wipes it in the end. A CKN that is there already is an error.
type ParticipantAdded struct {
	CKN  keyderive.CKN
	CAK  keyderive.CAK
	Role Role
	// Rank orders keys of one role and one key server: the greatest is preferred, where all members have it.
	Rank int64
	// Standby: it speaks, so that the others have a live peer in it, and goes with its key server, but is not chosen. Such
	// is a key shortly before it begins and after it has ended, for others whose clocks are not ours.
	Standby bool
}

// ParticipantChanged gives a Participant, which goes on, another Role, Rank and Standby.
type ParticipantChanged struct {
	CKN     keyderive.CKN
	Role    Role
	Rank    int64
	Standby bool
}

// ParticipantRemoved ends a Participant at once; no MKPDU with its CKN is sent or accepted any more.
type ParticipantRemoved struct{ CKN keyderive.CKN }

// SecYReported is what the SecY had to tell.
type SecYReported struct{ Report secy.Report }

// Resumed says that the KaY goes on in the place of one whose process has ended, with what its State says and what the
// SecY, asked for Claims, holds of it. The link was up meanwhile, and is. It comes after the participants were added and
// before anything else; an error says why nothing is resumed, and leaves the KaY as it was: fresh.
type Resumed struct {
	State State
	Held  []secy.Holding
}

// MTUChanged tells the MTU of the Common Port, on which depends how many peers an MKPDU can list (9.4.3).
type MTUChanged struct{ MTU int }

// SettingsChanged gives the KaY other Settings. The receiver of frames and the SecY's filter are the driver's to change.
type SettingsChanged struct{ Settings Settings }

// RekeyRequested asks for a new SAK. Only the key server can make one: elsewhere Step returns ErrNotKeyServer.
type RekeyRequested struct{}

func (FrameReceived) input()      {}
func (LinkChanged) input()        {}
func (ParticipantAdded) input()   {}
func (ParticipantRemoved) input() {}
func (ParticipantChanged) input() {}
func (SecYReported) input()       {}
func (MTUChanged) input()         {}
func (RekeyRequested) input()     {}
func (SettingsChanged) input()    {}
func (Resumed) input()            {}

// A Role says what a Participant's key is for.
type Role uint8

// The roles of a key.
const (
	Primary  Role = iota // principal whenever it has live peers
	Fallback             // principal while no primary has live peers
)

// String is the configuration's name of the role.
func (r Role) String() string {
	if r == Fallback {
		return "fallback"
	}
	return "primary"
}

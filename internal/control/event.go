package control

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// An Event is something that happened to a port, or to the daemon when Port is empty. Fields that do not apply are
// empty and left out in JSON.
type Event struct {
	Time   time.Time `json:"time"`             // when it happened
	Port   string    `json:"port,omitempty"`   // its lower device
	Event  string    `json:"event"`            // its kind, in one word
	CKN    string    `json:"ckn,omitempty"`    // of the participant that it concerns, in hexadecimal digits
	Peer   string    `json:"peer,omitempty"`   // SCI of the peer that it concerns, 16 hexadecimal digits
	KI     string    `json:"ki,omitempty"`     // of the SAK that it concerns, 32 hexadecimal digits
	Reason string    `json:"reason,omitempty"` // why it happened, for people
	Detail string    `json:"detail,omitempty"` // more, for people
	State  State     `json:"state,omitempty"`  // of state: the State that the port is in now
	Was    State     `json:"was,omitempty"`    // of state: the State before it; "" for the first
	Missed uint64    `json:"missed,omitempty"` // of missed: how many
}

// The events that have fields of their own, and those that no KaY tells.
const (
	EventState    = "state"     // a port has entered another State
	EventMissed   = "missed"    // a watcher that reads too slowly has lost events, here
	EventKeyFile  = "key-file"  // a CAK file was read: how many keys it has, or why it is not used
	EventKeyStart = "key-start" // the key of a CKN is valid from now on
	EventKeyEnd   = "key-end"   // the key of a CKN has ended, or is in its CAK file no more
	EventKeyChain = "key-chain" // the last key will end soon: told a week, a day and an hour before
	EventKeyClock = "key-clock" // a key is used though it is not valid, for want of a clock that is right
)

// MarshalJSON keeps the time in UTC.
func (e Event) MarshalJSON() ([]byte, error) {
	type plain Event
	e.Time = wireTime(e.Time)
	return json.Marshal(plain(e))
}

// String is the event as one line for people, without its end; that of EventState has state=… and was=…. Text that came
// from elsewhere is quoted, so that no control character reaches a terminal.
func (e Event) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s", wireTime(e.Time).Format("2006-01-02T15:04:05.000Z07:00"), dash(e.Port), e.Event)
	for _, f := range [...]struct{ name, value string }{
		{"state", string(e.State)}, {"was", string(e.Was)}, {"ckn", e.CKN}, {"peer", e.Peer}, {"ki", e.KI},
	} {
		if f.value != "" {
			fmt.Fprintf(&b, " %s=%s", f.name, f.value)
		}
	}
	for _, f := range [...]struct{ name, value string }{{"reason", e.Reason}, {"detail", e.Detail}} {
		if f.value != "" {
			fmt.Fprintf(&b, " %s=%q", f.name, f.value)
		}
	}
	if e.Missed > 0 {
		fmt.Fprintf(&b, " missed=%d", e.Missed)
	}
	return b.String()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

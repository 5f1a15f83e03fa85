package control

import (
	"encoding/json"
	"time"
)

// An ExplainDocument says of every port why it is not secured.
type ExplainDocument struct {
	Version int           `json:"version"` // of the documents
	Ports   []Explanation `json:"ports"`   // in the order of the configuration
}

// An Explanation is why one port is not secured, by what it observes.
type Explanation struct {
	Interface  string    `json:"interface"`  // lower device
	Controlled string    `json:"controlled"` // Controlled Port
	State      State     `json:"state"`      // as in the status document
	Since      time.Time `json:"since"`      // the port is in this state
	Cause      string    `json:"cause"`      // one word of those in docs/troubleshooting.md; "" when the port is secured
	Reason     string    `json:"reason"`     // what is the matter, for people
	Remedy     string    `json:"remedy"`     // what to do; "" when the reason says it, or there is nothing to do
	Warnings   []string  `json:"warnings"`   // what somebody should look after though the port works, for people
	Evidence   []string  `json:"evidence"`   // what was observed, a line each
}

func (x Explanation) names() (lower, controlled string) { return x.Interface, x.Controlled }

// MarshalJSON keeps an empty list of ports a list.
func (d ExplainDocument) MarshalJSON() ([]byte, error) {
	type plain ExplainDocument
	d.Ports = listed(d.Ports)
	return json.Marshal(plain(d))
}

// MarshalJSON keeps empty lists lists and the time in UTC.
func (x Explanation) MarshalJSON() ([]byte, error) {
	type plain Explanation
	x.Since, x.Warnings, x.Evidence = wireTime(x.Since), listed(x.Warnings), listed(x.Evidence)
	return json.Marshal(plain(x))
}

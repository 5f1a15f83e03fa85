package control

import (
	"encoding/json"
	"time"
)

// Version is the version of the documents. It grows only when a reader of an older one would be misled.
const Version = 1

// A Document says how every port stands.
//
// In JSON a list is [] when it is empty and an object is always there, so that a script may go down any path: a port
// without a key has a tx with ki "" and next_pn 0, neither of which a key ever has. Times are RFC 3339 in UTC, to the
// millisecond. Identifiers are lower-case hexadecimal digits without separators.
type Document struct {
	Version int    `json:"version"` // of the documents
	Ports   []Port `json:"ports"`   // in the order of the configuration
}

// A State says what a port does with traffic.
type State string

// The states of a port.
const (
	Down      State = "down"      // no carrier
	Pending   State = "pending"   // not secured, carrier since less than MKA Life Time
	Secured   State = "secured"   // traffic is protected
	Unsecured State = "unsecured" // should-secure: traffic passes in clear
	Blocked   State = "blocked"   // must-secure: not secured for longer, or all peers lost; no traffic passes
	Failed    State = "failed"    // mkad cannot serve the port; the reason says why
)

// States lists every state that there is.
var States = [...]State{Down, Pending, Secured, Unsecured, Blocked, Failed}

// A Port is one port of mkad: a lower device (Common Port), and the device that carries its traffic.
type Port struct {
	Interface       string            `json:"interface"`       // lower device
	Controlled      string            `json:"controlled"`      // Controlled Port
	Backend         string            `json:"backend"`         // userspace, kernel, offload-mac or offload-phy; "" before there is one
	BackendReason   string            `json:"backend_reason"`  // why that one
	State           State             `json:"state"`           // one of those below
	Cause           string            `json:"cause"`           // why the state is not secured, in one word of docs/troubleshooting.md
	Reason          string            `json:"reason"`          // the same for people, with what to do
	Warnings        []string          `json:"warnings"`        // what somebody should look after though the port works, for people
	Since           time.Time         `json:"since"`           // the port is in this state
	SCI             string            `json:"sci"`             // this side's
	CipherSuite     string            `json:"cipher_suite"`    // in use; "" while there is no key
	Confidentiality string            `json:"confidentiality"` // in use; "" while there is no key
	KeyServer       bool              `json:"key_server"`      // this side is the key server
	PrincipalCKN    string            `json:"principal_ckn"`   // of the participant that drives the port; "": none does
	Participants    []Participant     `json:"participants"`    // one for each key that is valid, about to be, or just ended
	NextKeys        []Key             `json:"next_keys"`       // keys of the CAK file that are to start, the next first
	Tx              Tx                `json:"tx"`              // the transmit SA
	Rx              []Rx              `json:"rx"`              // the receive SAs
	Rekeys          uint64            `json:"rekeys"`          // SAKs put to use after the first
	Counters        map[string]uint64 `json:"counters"`        // of the SecY, by the names of 802.1AE-2018 10.7
}

func (p Port) names() (lower, controlled string) { return p.Interface, p.Controlled }

// Named reports whether people may call the port by that name: that of its lower device or of its Controlled Port.
func (p Port) Named(name string) bool { return isNamed(p, name) }

// A Participant is one CAK of a port and what MKA does with it (802.1X-2020 9.3).
type Participant struct {
	CKN   string `json:"ckn"`   // the key's name
	Role  string `json:"role"`  // primary or fallback
	State string `json:"state"` // principal, live (has a live peer), pending, or standby (not begun yet, or just ended)
	Start string `json:"start"` // when the key starts, RFC 3339; "": it always has
	End   string `json:"end"`   // when it ends; "": never
	MI    string `json:"mi"`    // Member Identifier of this side
	MN    uint32 `json:"mn"`    // of the last MKPDU sent
	// MKAVersion is the MKA version that is sent.
	MKAVersion uint8 `json:"mka_version"`
	// SuspendedMS is for how many milliseconds yet the key server has suspended MKA (802.1X-2020 9.18); 0: it has not.
	SuspendedMS int64  `json:"suspended_ms"`
	Peers       []Peer `json:"peers"` // all that are heard
}

// A Key is one of a CAK file that has no participant yet.
type Key struct {
	CKN   string `json:"ckn"`   // its name
	Role  string `json:"role"`  // primary or fallback
	Start string `json:"start"` // when it starts, RFC 3339; its participant speaks a minute before
	End   string `json:"end"`   // when it ends; "": never
}

// A Peer is another member of the CA, as one participant knows it (802.1X-2020 9.4).
type Peer struct {
	SCI               string `json:"sci"`                 // the peer's
	MI                string `json:"mi"`                  // its Member Identifier
	MN                uint32 `json:"mn"`                  // of the last MKPDU accepted
	State             string `json:"state"`               // live or potential
	KeyServerPriority uint8  `json:"key_server_priority"` // the lowest is elected key server
	LastSeenMS        int64  `json:"last_seen_ms"`        // milliseconds since that MKPDU
	MKAVersion        uint8  `json:"mka_version"`         // that it sends
	// CipherSuites are those that it has announced; none: it announces nothing.
	CipherSuites []string `json:"cipher_suites"`
	// SuspendForMS is for how many milliseconds it asks to suspend MKA; 0: it does not.
	SuspendForMS int64 `json:"suspend_for_ms"`
}

// PeerLive is the State of a Peer that has proved that it hears us; any other peer is potential.
const PeerLive = "live"

// Tx is the transmit SA in use.
type Tx struct {
	AN     uint8  `json:"an"`      // Association Number
	NextPN uint64 `json:"next_pn"` // 0: no SA
	KI     string `json:"ki"`      // Key Identifier of the SAK, 32 digits; "": no SA
	// Headroom is how many packet numbers the SAK has left; there is another before three quarters are used.
	Headroom uint64 `json:"headroom"`
	// ExhaustedInS is in how many seconds they would all be used at the present pace; 0: none is used, or not known yet.
	ExhaustedInS uint64 `json:"exhausted_in_s"`
}

// Rx is one receive SA in use.
type Rx struct {
	SCI      string `json:"sci"`       // of who sends
	AN       uint8  `json:"an"`        // Association Number
	LowestPN uint64 `json:"lowest_pn"` // the lowest that is still accepted
}

// MarshalJSON keeps an empty list of ports a list.
func (d Document) MarshalJSON() ([]byte, error) {
	type plain Document
	d.Ports = listed(d.Ports)
	return json.Marshal(plain(d))
}

// MarshalJSON keeps empty lists lists and the time in UTC.
func (p Port) MarshalJSON() ([]byte, error) {
	type plain Port
	p.Since = wireTime(p.Since)
	p.Warnings, p.Participants, p.NextKeys, p.Rx = listed(p.Warnings), listed(p.Participants), listed(p.NextKeys), listed(p.Rx)
	p.Counters = counted(p.Counters)
	return json.Marshal(plain(p))
}

// MarshalJSON keeps an empty list of peers a list.
func (p Participant) MarshalJSON() ([]byte, error) {
	type plain Participant
	p.Peers = listed(p.Peers)
	return json.Marshal(plain(p))
}

// MarshalJSON keeps an empty list of cipher suites a list.
func (p Peer) MarshalJSON() ([]byte, error) {
	type plain Peer
	p.CipherSuites = listed(p.CipherSuites)
	return json.Marshal(plain(p))
}

func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func counted(counts map[string]uint64) map[string]uint64 {
	if counts == nil {
		return map[string]uint64{}
	}
	return counts
}

func wireTime(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

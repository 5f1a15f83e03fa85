package control

import "encoding/json"

// A PlanDocument says what a reload would do now.
type PlanDocument struct {
	Version int        `json:"version"`
	Config  string     `json:"config"` // path of the configuration that would be read
	Daemon  []string   `json:"daemon"` // settings of [daemon] that wait for the next start of mkad
	Ports   []PortPlan `json:"ports"`
}

// An Action is what a reload does to a port.
type Action string

// The actions.
const (
	KeepPort    Action = "keep"    // nothing of it changes
	AdjustPort  Action = "adjust"  // it goes on with other settings or keys
	RestartPort Action = "restart" // it ends and begins anew, and keeps its Controlled Port
	AddPort     Action = "add"
	RemovePort  Action = "remove"
)

// A PortPlan is what a reload would do to one port.
type PortPlan struct {
	Interface  string   `json:"interface"`
	Controlled string   `json:"controlled"`
	Action     Action   `json:"action"`
	Changes    []string `json:"changes"` // of settings and keys, for people
	Cut        bool     `json:"cut"`     // traffic that passes now is interrupted
	Losses     []string `json:"losses"`  // what the Controlled Port, made anew, cannot be given back, for people
}

// MarshalJSON keeps empty lists lists.
func (d PlanDocument) MarshalJSON() ([]byte, error) {
	type plain PlanDocument
	d.Daemon, d.Ports = listed(d.Daemon), listed(d.Ports)
	return json.Marshal(plain(d))
}

// MarshalJSON keeps empty lists lists.
func (p PortPlan) MarshalJSON() ([]byte, error) {
	type plain PortPlan
	p.Changes, p.Losses = listed(p.Changes), listed(p.Losses)
	return json.Marshal(plain(p))
}

package control

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A PlanDocument says what a reload would do now, or has done.
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

// Text says for people what a reload would do, a line for each port, and what changes below it.
func (d PlanDocument) Text() string {
	var b strings.Builder
	for _, p := range d.Ports {
		p.write(&b, " (refused without mkactl reload --force)")
	}
	d.writeDaemon(&b)
	return b.String()
}

// Done says for people, in the same words, what a reload has done. Of ports that were kept as they are it says nothing.
func (d PlanDocument) Done() string {
	var b strings.Builder
	for _, p := range d.Ports {
		if p.Action != KeepPort {
			p.write(&b, "")
		}
	}
	d.writeDaemon(&b)
	if b.Len() == 0 {
		return "nothing changed\n"
	}
	return b.String()
}

func (p PortPlan) write(b *strings.Builder, aboutLoss string) {
	fmt.Fprintf(b, "%s: %s, %s\n", p.Interface, p.Action, p.cutText())
	for _, c := range p.Changes {
		fmt.Fprintf(b, "  %s\n", c)
	}
	for _, l := range p.Losses {
		fmt.Fprintf(b, "  loses %s%s\n", l, aboutLoss)
	}
}

func (d PlanDocument) writeDaemon(b *strings.Builder) {
	if len(d.Daemon) > 0 {
		b.WriteString("[daemon]: takes effect when mkad starts again\n")
	}
	for _, c := range d.Daemon {
		fmt.Fprintf(b, "  %s\n", c)
	}
}

func (p PortPlan) cutText() string {
	switch {
	case !p.Cut:
		return "cuts nothing"
	case p.Action == RemovePort:
		return "cuts its traffic"
	}
	return "cuts its traffic until its peers have agreed again"
}

package daemon

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"mkad/internal/config"
	"mkad/internal/control"
	"mkad/mka"
	"mkad/offload"
	"mkad/secy/kernel"
)

// adjustable are the settings that a port takes while it goes on: they are looked at when they matter, MKA takes them at
// work, or what depends on them is set again without a gap.
var adjustable = []string{"keys", "bypass", "on_exit", "key_server_priority", "replay_protect", "replay_window", "send_sci",
	"sak_lifetime", "delay_protect", "eapol_destination", "eapol_accept", "mka_version", "icv_indicator", "hello_time", "life_time",
	"in_service_slot", "allow_priority_255"}

// Plan says what Reload would do now. It changes nothing, and fails as Reload would.
func (d *Daemon) Plan() (control.PlanDocument, error) {
	d.reload.Lock()
	defer d.reload.Unlock()
	cfg, err := d.read()
	if err != nil {
		return control.PlanDocument{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ordered.apply(cfg)
	return d.planFor(cfg), nil
}

// planFor is what a reload of cfg would do; the ports that there are stand first, in their order. It needs d.mu.
func (d *Daemon) planFor(cfg *config.Config) control.PlanDocument {
	doc := control.PlanDocument{Version: control.Version, Config: d.opts.Path}
	for _, c := range config.Differences(d.opts.Config.Daemon.Settings(), cfg.Daemon.Settings()) {
		doc.Daemon = append(doc.Daemon, c.String())
	}
	for _, p := range d.ports {
		doc.Ports = append(doc.Ports, p.plan(cfg))
	}
	for _, c := range cfg.Ports {
		if !slices.ContainsFunc(d.ports, func(p *port) bool { return p.cfg.Interface == c.Interface }) {
			doc.Ports = append(doc.Ports, control.PortPlan{Interface: c.Interface, Controlled: c.Controlled, Action: control.AddPort})
		}
	}
	return doc
}

// plan is what a reload of cfg would do to the port.
func (p *port) plan(cfg *config.Config) control.PortPlan {
	plan := control.PortPlan{Interface: p.cfg.Interface, Controlled: p.cfg.Controlled}
	next, found := portOf(cfg, p.cfg.Interface)
	if !found {
		plan.Action = control.RemovePort
		plan.Changes = p.belongings()
		p.do(func() {
			if plan.Cut = p.passes(); p.closed && p.staysClosed() {
				plan.Changes = append(plan.Changes, p.cfg.Interface+" stays closed; to open it then: mkactl unlock "+p.cfg.Interface)
			}
		})
		return plan
	}
	plan.Action = p.actionFor(next)
	for _, c := range config.Differences(p.cfg.Settings(), next.Settings()) {
		plan.Changes = append(plan.Changes, c.String())
	}
	keys, _ := config.LoadKeys(next.Keys) // it has just been read without error
	p.do(func() {
		changes, cut := p.keyChanges(keys)
		plan.Changes = append(plan.Changes, changes...)
		plan.Cut = p.passes() && (cut || plan.Action == control.RestartPort || p.electsOther(next))
	})
	for i := range keys {
		keys[i].CAK.Wipe()
	}
	if plan.Action == control.KeepPort && len(plan.Changes) > 0 {
		plan.Action = control.AdjustPort
	}
	plan.Losses = p.losses(next)
	return plan
}

// maxBelongings bounds how many things of a Controlled Port that goes are named.
const maxBelongings = 8

// belongings says what goes with the Controlled Port of a port that is removed.
func (p *port) belongings() (changes []string) {
	var there bool
	p.do(func() { there = p.secY != nil })
	if !there {
		return nil
	}
	all, err := kernel.Belongings(nil, p.cfg.Controlled)
	if err != nil {
		p.log.Warn("cannot tell what goes with the Controlled Port", "error", err)
		return nil
	}
	for i, what := range all {
		if i == maxBelongings {
			return append(changes, fmt.Sprintf("with %s: and %d more", p.cfg.Controlled, len(all)-i))
		}
		changes = append(changes, fmt.Sprintf("with %s goes: %s", p.cfg.Controlled, what))
	}
	return changes
}

// losses lists what the Controlled Port would lose for good with other settings, because another device takes its place or it
// cannot have the other name.
func (p *port) losses(next config.Port) (losses []string) {
	var renames, remakes bool
	p.do(func() { renames, remakes = p.renames(next), p.remakes(next) })
	add := func(more []string, err error) {
		if err != nil {
			p.log.Warn("cannot tell what the Controlled Port would lose", "error", err)
		}
		for _, l := range more {
			if !slices.Contains(losses, l) {
				losses = append(losses, l)
			}
		}
	}
	if renames {
		add(kernel.RenameLosses(nil, p.cfg.Controlled, next.Controlled))
	}
	if remakes {
		add(kernel.Losses(nil, p.cfg.Controlled))
	}
	return losses
}

// renames reports whether other settings give the Controlled Port that is there another name.
func (p *port) renames(next config.Port) bool {
	return p.secY != nil && next.Controlled != p.cfg.Controlled
}

// remakes reports whether other settings may put another device in the place of the Controlled Port.
func (p *port) remakes(next config.Port) bool {
	if p.secY == nil {
		return false
	}
	backend := p.choice.Backend
	if next.Backend != p.cfg.Backend {
		choice, _, err := choose(next, offersFor(next, p.link.Index))
		if err != nil {
			return false // the port fails, and the device stays as it is
		}
		backend = choice.Backend
	}
	return remade(p.cfg, next, p.choice.Backend, backend)
}

// remade is remakes of the backends that were chosen: the kernel fixes a device's kind, its SCI and, for its own SecY, the
// suite; and it moves a SecY to hardware or from it only while that is down and has no SAs.
func remade(was, next config.Port, from, to offload.Backend) bool {
	return from != to || to != offload.BackendUserspace &&
		(next.PortID != was.PortID || !slices.Equal(next.CipherSuites, was.CipherSuites))
}

// refuseLosses is the answer to what would cost the port something for good; force is the command that does it all the same.
func refuseLosses(p *port, losses []string, force string) error {
	if len(losses) == 0 {
		return nil
	}
	return &control.Error{
		Text: fmt.Sprintf("%s would be made anew, and could not be given back: %s", p.cfg.Controlled,
			strings.Join(losses, "; ")),
		Remedy: force + ", and put that back yourself",
	}
}

// actionFor is what other settings do to the port.
func (p *port) actionFor(next config.Port) control.Action {
	action := control.KeepPort
	for _, c := range config.Differences(p.cfg.Settings(), next.Settings()) {
		if !slices.Contains(adjustable, c.Key) {
			return control.RestartPort
		}
		action = control.AdjustPort
	}
	return action
}

// passes reports whether traffic passes now.
func (p *port) passes() bool { return p.state == control.Secured || p.state == control.Unsecured }

// electsOther reports whether the settings make another station key server, with whose first SAK the Controlled Port is
// closed for a moment (CHANGE of 802.1X-2020 Figure 12-2).
func (p *port) electsOther(next config.Port) bool {
	return p.kay != nil && p.kay.ElectsOther(p.settings(next))
}

// keyChanges says what other keys are to those in use. It cuts when none that stays, and is valid, has a live peer.
func (p *port) keyChanges(next []config.Key) (changes []string, cut bool) {
	stays := map[string]bool{}
	phases, _ := p.phasesOf(next, p.d.opts.Clock.Now())
	for i := range p.keys {
		k := &p.keys[i]
		at := indexOf(next, k.CKN)
		switch {
		case at < 0:
			changes = append(changes, fmt.Sprintf("key %s: removed", k.CKN))
			continue
		case !next[at].CAK.Equal(k.CAK):
			changes = append(changes, fmt.Sprintf("key %s: another CAK", k.CKN))
			continue
		}
		stays[k.CKN.String()] = phases[at] == valid
		if next[at].Role != k.Role {
			changes = append(changes, fmt.Sprintf("key %s: %s -> %s", k.CKN, k.Role, next[at].Role))
		}
		if !next[at].Start.Equal(k.Start) || !next[at].End.Equal(k.End) {
			change := fmt.Sprintf("key %s: other start or end", k.CKN)
			if phases[at] != valid {
				change += ", with which it is not valid now"
			}
			changes = append(changes, change)
		}
	}
	for i := range next {
		if indexOf(p.keys, next[i].CKN) < 0 {
			changes = append(changes, fmt.Sprintf("key %s: added", next[i].CKN))
		}
	}
	return changes, p.kay != nil && p.state == control.Secured && !p.liveWith(stays)
}

// liveWith reports whether a peer is live in a participant of one of the keys.
func (p *port) liveWith(ckns map[string]bool) bool {
	for _, part := range p.kay.Status(p.now()).Participants {
		for _, q := range part.Peers {
			if q.Live && ckns[part.CKN.String()] {
				return true
			}
		}
	}
	return false
}

// adjustTo takes other settings while the port goes on. Others read no more of cfg than what stays as it is.
func (p *port) adjustTo(next config.Port) {
	for _, c := range config.Differences(p.cfg.Settings(), next.Settings()) {
		p.log.Info("setting changed", "key", c.Key, "from", c.Old, "to", c.New)
	}
	cfg := &p.cfg
	before := p.settings(*cfg)
	cfg.Keys, cfg.Bypass, cfg.OnExit = next.Keys, next.Bypass, next.OnExit
	cfg.KeyServerPriority, cfg.SendSCI, cfg.SAKLifetime, cfg.DelayProtect = next.KeyServerPriority, next.SendSCI, next.SAKLifetime, next.DelayProtect
	cfg.ReplayProtect, cfg.ReplayWindow = next.ReplayProtect, next.ReplayWindow
	cfg.EAPOLDestination, cfg.EAPOLAccept = next.EAPOLDestination, next.EAPOLAccept
	cfg.MKAVersion, cfg.ICVIndicator, cfg.HelloTime, cfg.LifeTime = next.MKAVersion, next.ICVIndicator, next.HelloTime, next.LifeTime
	cfg.InServiceSlot, cfg.AllowPriority255 = next.InServiceSlot, next.AllowPriority255
	if p.closed {
		if err := p.closeLower(); err != nil {
			p.fail(err)
		}
	}
	if err := p.adjustKaY(before); err != nil {
		p.fail(err)
	}
	p.reloadKeys()
}

// adjustKaY has MKA take the settings, if they are others, and hear what it is to hear now.
func (p *port) adjustKaY(before mka.Settings) error {
	now := p.settings(p.cfg)
	if p.kay == nil || reflect.DeepEqual(before, now) {
		return nil
	}
	if !reflect.DeepEqual(before.Acceptance, now.Acceptance) {
		socket, err := receive(p.link.Index, p.cfg.EAPOLEtherType, p.groups())
		if err != nil {
			return err
		}
		p.socket.close()
		p.socket, p.resift = socket, true
	}
	return p.try(mka.SettingsChanged{Settings: now})
}

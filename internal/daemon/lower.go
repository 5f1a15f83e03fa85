package daemon

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"

	"mkad/internal/config"
	"mkad/internal/filter"
	linkwatch "mkad/internal/port"
	"mkad/mka"
	"mkad/offload"
	"mkad/secy"
)

// follow takes the lower device's new state.
func (p *port) follow(link linkwatch.Link) {
	before := p.link
	p.link, p.known = link, true
	p.lookAt = p.now()
	p.lookUntil = p.lookAt.Add(lookEnd)
	if link.Exists {
		p.openRenamed()
	}
	switch {
	case !link.Exists:
		if before.Exists || p.state == "" {
			p.log.Warn("lower device does not exist; waiting for it")
		}
		p.failure = nil
		p.closeRenamed(before)
		p.detach()
	case p.kay == nil || link.Life != p.life || link.MAC != before.MAC:
		p.attach()
	default:
		p.adjust(before)
	}
	p.followCarrier(before)
}

// followCarrier tells the KaY whether frames can be sent and received at all (portEnabled).
func (p *port) followCarrier(before linkwatch.Link) {
	if p.link.Carrier && (!before.Carrier || before.Life != p.link.Life) {
		p.carrierSince, p.secured = p.now(), false
		traits, _ := linkwatch.TraitsOf(p.link.Name, p.link.Index) // what cannot be counted speaks for nothing
		p.framesBefore = traits.Received
	}
	p.step(mka.LinkChanged{Up: p.link.Carrier})
}

// adjust follows changes that need no new start.
func (p *port) adjust(before linkwatch.Link) {
	if err := linkwatch.Lowerable(p.link); err != nil {
		p.fail(err)
		return
	}
	if p.link.MTU != before.MTU {
		p.step(mka.MTUChanged{MTU: p.link.MTU})
		if err := p.secY.LowerChanged(p.link.Index, p.link.MAC, p.link.MTU); err != nil {
			p.log.Warn("Controlled Port cannot follow the lower device", "error", err)
		}
	}
}

// attach begins to serve the lower device: closed before anything is sent on it.
func (p *port) attach() {
	p.detach()
	p.failure = nil
	if !p.link.Exists {
		return
	}
	if err := p.tryAttach(); err != nil {
		p.passNoMore()
		p.fail(err)
		return
	}
	p.life, p.failedFor = p.link.Life, ""
	p.scheduleKeys()
	p.resume()
	p.passNoMore()
	p.followCarrier(p.link)
}

func (p *port) tryAttach() error {
	if err := p.own(); err != nil {
		return err
	}
	if err := linkwatch.Lowerable(p.link); err != nil {
		return err
	}
	if err := linkwatch.Occupied(p.link, p.cfg.EAPOLEtherType); err != nil {
		return err
	}
	if err := p.closeLower(); err != nil {
		return err
	}
	if err := p.raise(); err != nil {
		return err
	}
	if err := p.openSecY(); err != nil {
		return err
	}
	if p.through() != "" {
		if err := p.closeLower(); err != nil {
			return err
		}
	}
	socket, err := receive(p.link.Index, p.cfg.EAPOLEtherType, p.groups())
	if err != nil {
		return err
	}
	p.socket = socket
	p.kay, err = mka.New(p.kayConfig())
	return err
}

// raise brings the lower device up once in its life; an administrator who takes it down later has a reason.
func (p *port) raise() error {
	if p.link.Up || p.raised == p.link.Life {
		return nil
	}
	p.raised = p.link.Life
	link, err := netlink.LinkByIndex(p.link.Index)
	if err != nil {
		return fmt.Errorf("look up %s: %w", p.cfg.Interface, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring %s up: %w", p.cfg.Interface, err)
	}
	return nil
}

// openSecY chooses the SecY and opens it, or moves the one that is there to the device.
func (p *port) openSecY() error {
	sci := secy.NewSCI(p.link.MAC, p.cfg.PortID)
	if p.secY != nil && sci == p.sci {
		return p.secY.LowerChanged(p.link.Index, p.link.MAC, p.link.MTU)
	}
	p.closeSecY(true)
	if p.offersLife != p.link.Life {
		p.offers, p.offersLife = offersFor(p.cfg, p.link.Index), p.link.Life
	}
	choice, capability, err := choose(p.cfg, p.offers)
	if err != nil {
		p.offersLife = 0 // there may be more another time
		return err
	}
	s, err := p.d.opts.OpenSecY(Setup{Port: p.cfg, Lower: p.link, SCI: sci, Choice: choice, Mark: p.mark(),
		Custody: p.custody, Log: p.log})
	if err != nil {
		p.offersLife = 0
		return err
	}
	p.capability = capability
	p.choice, p.secY, p.sci = choice, s, sci
	return nil
}

// mark is the socket mark of what the SecY sends, which a closed device lets out under should-secure.
func (p *port) mark() uint32 {
	if passesMarked(p.cfg) {
		return filter.Mark
	}
	return 0
}

// passesMarked reports whether the closed lower device lets the SecY's own frames out in clear.
func passesMarked(p config.Port) bool {
	return p.Policy == config.ShouldSecure && p.Uncontrolled == config.Closed
}

func (p *port) kayConfig() mka.Config {
	cfg := mka.Config{
		SCI:          p.sci,
		Capability:   p.capability,
		CipherSuites: p.choice.Suites,
		Offset:       p.cfg.Confidentiality,
		Settings:     p.settings(p.cfg),
		MTU:          p.link.MTU,
		Rand:         p.d.opts.Rand,
	}
	if p.cfg.Policy == config.ShouldSecure {
		cfg.Policy = mka.ShouldSecure
	}
	return cfg
}

// settings are those of MKA under a configuration of the port.
func (p *port) settings(cfg config.Port) mka.Settings {
	return mka.Settings{
		Destination:       cfg.EAPOLDestination,
		Acceptance:        acceptance(cfg, p.link.MAC),
		KeyServerPriority: cfg.KeyServerPriority,
		ReplayProtect:     cfg.ReplayProtect,
		ReplayWindow:      cfg.ReplayWindow,
		SendSCI:           cfg.SendSCI,
		DelayProtect:      cfg.DelayProtect,
		SAKLifetime:       cfg.SAKLifetime,
		Habits:            habits(cfg),
	}
}

// detach stops serving the device. The Controlled Port stays, without traffic.
func (p *port) detach() {
	if p.kay != nil {
		p.step(mka.LinkChanged{Up: false})
		for ckn := range p.given {
			p.step(mka.ParticipantRemoved{CKN: ckn})
		}
	}
	p.kay, p.life, p.given = nil, 0, nil
	p.socket.close()
	p.socket = nil
}

func (p *port) closeSecY(keep bool) {
	if p.secY == nil {
		return
	}
	if err := p.secY.Close(keep); err != nil {
		p.log.Warn("closing the Controlled Port", "error", err)
	}
	p.secY, p.enabled = nil, false
}

// fail notes why the port cannot be served. It is tried again, and at every change of the device.
func (p *port) fail(err error) {
	p.detach()
	if text := err.Error(); text != p.failedFor {
		p.log.Error("cannot serve the port", "error", err)
		p.failedFor = text
	}
	p.failure = err
	p.retryAt = p.now().Add(retryTime)
}

// own claims the lower device, once.
func (p *port) own() (err error) {
	if p.claim == nil {
		p.claim, err = linkwatch.ClaimDevice(p.cfg.Interface)
	}
	return err
}

// closeEarly closes the lower device before anything else is done, unless it can never be ours. What keeps us from serving
// it is no reason to leave it open; only what another mkad has closed is left as it is.
func (p *port) closeEarly() {
	p.passing = p.leftPassing()
	err := linkwatch.Lowerable(p.d.watcher.Link(p.cfg.Interface))
	if err == nil {
		err = p.own()
		if closed, _ := filter.Closed(p.cfg.Interface); err == nil || !closed {
			err = errors.Join(err, p.closeLower())
		}
	}
	if err != nil {
		p.fail(err)
	}
}

// closeLower closes the lower device to the host (or opens it, if that is configured). One that does not exist yet is
// closed in advance where the kernel can, else when it appears.
func (p *port) closeLower() error {
	if p.cfg.Uncontrolled == config.Open {
		p.closed = false
		return filter.Open(p.cfg.Interface)
	}
	err := filter.Close(p.rules())
	if errors.Is(err, filter.ErrNoDevice) && !p.link.Exists {
		return nil
	}
	p.closed, p.closedAt = err == nil, p.now()
	return err
}

// through names the Controlled Port while its frames cross a closed lower device in clear: those of the kernel's SecY under
// should-secure, and all that hardware protects.
func (p *port) through() string {
	if p.passing {
		return p.cfg.Controlled
	}
	if p.secY == nil || p.cfg.Uncontrolled != config.Closed {
		return ""
	}
	if p.offloaded() || p.choice.Backend == offload.BackendKernel && passesMarked(p.cfg) {
		return p.cfg.Controlled
	}
	return ""
}

// leftPassing reports whether an earlier process has left the lower device passing what hardware protects. It goes on
// to, until the port has been resumed, or not.
func (p *port) leftPassing() bool {
	want, _ := offload.ParseBackend(p.cfg.Backend)
	if want != offload.BackendMAC && want != offload.BackendPHY || p.cfg.Uncontrolled != config.Closed {
		return false
	}
	rules := p.rules()
	rules.Through = p.cfg.Controlled
	inForce, err := filter.InForce(rules)
	return err == nil && inForce
}

// passNoMore ends what an earlier process has left, now that the port is served, or cannot be.
func (p *port) passNoMore() {
	if !p.passing {
		return
	}
	if p.passing = false; p.enabled {
		return
	}
	if err := p.closeLower(); err != nil {
		p.log.Warn("cannot change what the closed lower device passes; trying again", "error", err)
		p.closedAt = p.now().Add(blindTime - closedCheckTime)
	}
}

// offloaded reports whether the SecY is in hardware.
func (p *port) offloaded() bool {
	return p.choice.Backend == offload.BackendMAC || p.choice.Backend == offload.BackendPHY
}

// rules are what closes the lower device.
func (p *port) rules() filter.Rules {
	rules := filter.Rules{Interface: p.cfg.Interface, EAPOL: p.eapolFrames(), PassMarked: passesMarked(p.cfg),
		Through: p.through()}
	rules.Hold = rules.Through != "" && p.offloaded() && !p.enabled && !p.passing
	for _, name := range p.cfg.Bypass {
		bypass, _ := filter.ParseBypass(name)
		rules.Bypass = append(rules.Bypass, bypass)
	}
	return rules
}

// closeRenamed keeps a lower device closed that goes on under another name: the kernel takes the filter off with the name.
func (p *port) closeRenamed(before linkwatch.Link) {
	if !p.closed || !before.Exists {
		return
	}
	link, err := netlink.LinkByIndex(before.Index)
	if err != nil || link.Attrs().Name == p.cfg.Interface {
		return // it is gone
	}
	rules := p.rules()
	rules.Interface = link.Attrs().Name
	if err := filter.Close(rules); err != nil {
		p.log.Error("lower device was renamed and cannot be closed under its new name", "name", rules.Interface, "error", err)
		return
	}
	p.renamed = rules.Interface
	p.log.Warn("lower device was renamed; it stays closed", "name", p.renamed, "remedy", "mkactl unlock "+p.renamed)
}

// openRenamed takes the filter off the other name, now that the device has its own again.
func (p *port) openRenamed() {
	if p.renamed == "" {
		return
	}
	if err := filter.Open(p.renamed); err != nil {
		p.log.Warn("opening the name that the lower device had", "name", p.renamed, "error", err)
	}
	p.renamed = ""
}

// checkClosed closes the lower device again if somebody has opened it. Meanwhile frames may have passed in clear. It also
// follows a Controlled Port that was made anew.
func (p *port) checkClosed() {
	p.closedAt = p.now()
	inForce, err := filter.InForce(p.rules())
	switch {
	case inForce:
		p.blind = false
		return
	case err != nil:
		p.closeBlindly(err)
		return
	}
	if closed, err := filter.Closed(p.cfg.Interface); err == nil && !closed || p.through() == "" {
		p.log.Warn("what closes the lower device was changed by somebody else; closing it again", "remedy",
			"let whoever flushes the nftables ruleset leave the tables of mkad, or set uncontrolled = \"open\"")
	}
	if err := p.closeLower(); err != nil {
		p.fail(err)
	}
}

// closeBlindly closes the lower device although it cannot be told whether it is closed, for instance for want of
// descriptors, and has that tried again soon.
func (p *port) closeBlindly(why error) {
	if !p.blind {
		p.log.Warn("cannot look whether the lower device is closed; closing it again", "error", why)
	}
	p.blind = true
	if err := filter.Close(p.rules()); err != nil {
		p.log.Debug("cannot close it either", "error", err)
	}
	p.closedAt = p.now().Add(blindTime - closedCheckTime)
}

func (p *port) openLower() {
	p.closed = false
	if err := filter.Open(p.cfg.Interface); err != nil {
		p.log.Warn("opening the lower device", "error", err)
	}
}

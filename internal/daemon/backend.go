package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"mkad/internal/config"
	"mkad/internal/control"
	"mkad/internal/pause"
	linkwatch "mkad/internal/port"
	"mkad/offload"
	"mkad/secy"
	"mkad/secy/kernel"
	"mkad/secy/userspace"
)

// offersFor finds out what this machine has for a port. The kernel is only tried if it may be chosen, for each trial
// makes a device for a moment. Hardware is only used where the configuration names it.
func offersFor(p config.Port, lower int) []offload.Offer {
	offers := []offload.Offer{offload.Userspace(userspace.Available())}
	switch want, _ := offload.ParseBackend(p.Backend); want {
	case offload.BackendAuto, offload.BackendKernel:
		offers = append(offers, kernelOffer(p, lower, offload.BackendKernel))
	case offload.BackendMAC, offload.BackendPHY:
		offers = append(offers, kernelOffer(p, lower, want))
	}
	return offers
}

// offloads maps the backends that the kernel's macsec device serves to its own word.
var offloads = map[offload.Backend]kernel.Offload{
	offload.BackendKernel: kernel.OffloadOff,
	offload.BackendMAC:    kernel.OffloadMAC,
	offload.BackendPHY:    kernel.OffloadPHY,
}

func kernelOffer(p config.Port, lower int, b offload.Backend) offload.Offer {
	o := offload.Offer{Backend: b}
	found := kernel.Probe(nil, lower, offloads[b])
	if found.Available != nil {
		o.Why, o.Err = found.Available.Error(), found.Available
		return o
	}
	o.Available, o.Suites, o.Capability = true, found.Suites, found.Capability
	return o
}

// choose picks the port's SecY among the offers, and tells what it is capable of.
func choose(p config.Port, offers []offload.Offer) (offload.Choice, secy.Capability, error) {
	want, _ := offload.ParseBackend(p.Backend)
	need := offload.Need{Suites: p.CipherSuites, Offset: p.Confidentiality}
	choice, err := offload.Choose(want, need, offers)
	if err != nil {
		return offload.Choice{}, 0, err
	}
	for _, o := range offers {
		if o.Backend == choice.Backend {
			return choice, o.Capability, nil
		}
	}
	panic("daemon: a backend was chosen that was not offered")
}

// ChangeBackend has a port served by another backend until mkad starts again or a reload finds another in the configuration.
// What is not available is refused, and the port goes on as before; so is, without force, what would cost the Controlled Port
// something for good. Where the backend is the one in use, nothing is interrupted.
func (d *Daemon) ChangeBackend(name, backend string, force bool) error {
	if _, known := offload.ParseBackend(backend); !known {
		return &control.Error{Status: http.StatusBadRequest, Text: fmt.Sprintf("there is no backend %q", backend),
			Remedy: "name one of " + strings.Join(offload.BackendNames(), ", ")}
	}
	d.reload.Lock()
	defer d.reload.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return errEnding
	}
	at, err := find(d.ports, name)
	if err != nil {
		return err
	}
	p := d.ports[at]
	next := p.cfg
	next.Backend = backend
	again := false
	p.do(func() { again, err = p.movesTo(next) })
	if err == nil && again && !force {
		err = refuseLosses(p, p.losses(next), fmt.Sprintf("mkactl backend %s %s --force", name, backend))
	}
	if err != nil {
		return err
	}
	d.ordered.put(p.cfg.Interface, configured(d.cfg, p.cfg.Interface), backend)
	if !again {
		return nil
	}
	p.log.Info("backend changed", "from", p.cfg.Backend, "to", backend)
	p.stop(leaving{controlled: true, closed: true})
	ports := slices.Clone(d.ports)
	ports[at] = d.startPort(next, p.custody)
	d.setPorts(ports)
	return nil
}

// orderedBackends are those that ports were given by ChangeBackend, by lower device. Each holds while the configuration names
// the backend that it named then.
type orderedBackends map[string]struct{ configured, ordered string }

func (o *orderedBackends) put(lower, configured, ordered string) {
	if was, known := (*o)[lower]; known {
		configured = was.configured
	}
	if *o == nil {
		*o = orderedBackends{}
	}
	(*o)[lower] = struct{ configured, ordered string }{configured, ordered}
}

// apply puts the backends that hold into a configuration that was read, and returns them.
func (o orderedBackends) apply(cfg *config.Config) orderedBackends {
	held := orderedBackends{}
	for i := range cfg.Ports {
		p := &cfg.Ports[i]
		if is, known := o[p.Interface]; known && is.configured == p.Backend {
			held[p.Interface], p.Backend = is, is.ordered
		}
	}
	return held
}

// configured is the backend of a port in a configuration.
func configured(cfg *config.Config, lower string) string {
	p, _ := portOf(cfg, lower)
	return p.Backend
}

// movesTo reports whether the backend of other settings is another than the one in use, and an error if there is none. If it
// is the same, the port has taken the setting.
func (p *port) movesTo(next config.Port) (bool, error) {
	choice, _, err := choose(next, offersFor(next, p.link.Index))
	if err != nil {
		return false, &control.Error{Text: err.Error(), Remedy: "see what this machine has: mkactl doctor"}
	}
	if p.secY == nil || choice.Backend != p.choice.Backend {
		return true, p.vacant(choice.Backend)
	}
	p.cfg.Backend, p.choice.Reason = next.Backend, choice.Reason
	return false, nil
}

// vacant reports what keeps a backend from serving the port that is seen only when its device is made: by then the one that
// is there now would have gone.
func (p *port) vacant(b offload.Backend) error {
	if b == offload.BackendUserspace {
		return nil
	}
	err := kernel.Vacant(nil, p.link.Index, p.cfg.Controlled, secy.NewSCI(p.link.MAC, p.cfg.PortID))
	if err != nil {
		return &control.Error{Text: fmt.Sprintf("%s cannot be served by backend %s: %v", p.cfg.Interface, b, err),
			Remedy: "see what is on it: ip -d link show type macsec"}
	}
	return nil
}

// A Setup is what a SecY is opened for.
type Setup struct {
	Port   config.Port
	Lower  linkwatch.Link
	SCI    secy.SCI // of the transmit SC
	Choice offload.Choice
	Mark   uint32 // SO_MARK of what a software SecY sends; 0: none
	// Custody keeps what the host knows the Controlled Port by, from one SecY of the port to the next; nil: nothing is kept.
	Custody *kernel.Custody
	Log     *slog.Logger
}

// OpenSecY opens the SecY that was chosen. The device that another backend has left as Controlled Port gives way to it, and
// leaves it all that the host knew it by (design decision 2).
func OpenSecY(s Setup) (SecY, error) {
	switch s.Choice.Backend {
	case offload.BackendUserspace:
		return openUserspace(s)
	case offload.BackendKernel, offload.BackendMAC, offload.BackendPHY:
		return kernel.Open(kernel.Config{
			Lower:       s.Lower.Index,
			LowerName:   s.Port.Interface,
			Controlled:  s.Port.Controlled,
			MAC:         s.Lower.MAC,
			MTU:         s.Lower.MTU,
			SCI:         s.SCI,
			CipherSuite: s.Choice.Suites[0],
			Offload:     offloads[s.Choice.Backend],
			Unsecured:   unsecured(s.Port),
			Replace:     userspace.Left(s.Port.Controlled),
			Custody:     s.Custody,
			Pause:       pauseEgress,
			Logger:      s.Log,
		})
	}
	return nil, fmt.Errorf("open SecY: unknown backend %s", s.Choice.Backend)
}

func openUserspace(s Setup) (SecY, error) {
	custody := cmp.Or(s.Custody, new(kernel.Custody))
	if err := custody.Displace(nil, s.Lower.Index, s.Port.Controlled, s.Log); err != nil {
		return nil, err
	}
	port, err := userspace.Open(userspace.Config{
		Lower:      s.Lower.Index,
		LowerName:  s.Port.Interface,
		Controlled: s.Port.Controlled,
		Index:      custody.Index(),
		MAC:        s.Lower.MAC,
		MTU:        s.Lower.MTU,
		SCI:        s.SCI,
		Persist:    s.Port.OnExit == config.Keep,
		Mark:       s.Mark,
		EAPOL:      s.Port.EAPOLEtherType,
		Logger:     s.Log,
	})
	if err != nil {
		return nil, err
	}
	if err := custody.Furnish(nil, s.Log); err != nil {
		return nil, errors.Join(err, port.Close(false))
	}
	return port, nil
}

// pauseEgress holds back what the host sends through a device.
func pauseEgress(device string) (resume func() error, err error) {
	p, err := pause.Egress(device)
	if err != nil {
		return nil, err
	}
	return p.End, nil
}

func unsecured(p config.Port) kernel.Unsecured {
	if p.OnUnsecured == config.Down {
		return kernel.Down
	}
	return kernel.Dormant
}

package daemon

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"mkad/internal/config"
	"mkad/internal/control"
	"mkad/internal/filter"
	"mkad/internal/metrics"
	linkwatch "mkad/internal/port"
	"mkad/mka"
	"mkad/secy/kernel"
)

// Options are what a Daemon needs from outside. Only Config is required.
type Options struct {
	Path   string         // of the configuration, for Reload
	Config *config.Config // as loaded from Path
	Log    *slog.Logger
	Ready  func() // called once, when mkad is ready as the configuration says

	OpenSecY func(Setup) (SecY, error) // nil: OpenSecY
	Now      func() mka.Time
	Clock    Clock // nil: the host's
	Rand     io.Reader
}

// A Daemon serves the ports of a configuration. Its methods may be called from any goroutine while Run runs.
type Daemon struct {
	control.Feed
	opts     Options
	log      *slog.Logger
	watcher  *linkwatch.Watcher
	keyWatch *keyWatch  // of the CAK files; nil before Run
	broken   chan error // holds why mkad cannot go on
	state    string     // directory of what a restart needs

	reload  sync.Mutex // one reload at a time
	mu      sync.Mutex // guards what follows
	cfg     *config.Config
	ports   []*port // in the order of the configuration; setPorts sets them
	stopped bool    // no port is started any more
	ordered orderedBackends

	watched atomic.Pointer[[]*port] // the ports, for who must not wait for mu: a reload of many ports holds it for seconds
}

// New makes a Daemon; Run starts it.
func New(opts Options) *Daemon {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.OpenSecY == nil {
		opts.OpenSecY = OpenSecY
	}
	if opts.Now == nil {
		opts.Now = bootTime
	}
	if opts.Clock == nil {
		opts.Clock = wallClock{}
	}
	if opts.Rand == nil {
		opts.Rand = rand.Reader
	}
	if opts.Ready == nil {
		opts.Ready = func() {}
	}
	return &Daemon{opts: opts, log: opts.Log, cfg: opts.Config, broken: make(chan error, 1), state: opts.Config.Daemon.State}
}

// Run serves until ctx ends, then leaves each port as its on_exit says. It returns an error when mkad cannot work at
// all; what befalls a port is that port's state.
func (d *Daemon) Run(ctx context.Context) error {
	watching, unwatch := context.WithCancel(context.WithoutCancel(ctx)) // the ports need it to their end
	defer unwatch()
	watcher, err := linkwatch.Watch(watching)
	if err != nil {
		return err
	}
	d.watcher = watcher
	ports := d.newPorts() // which closes what is to be closed, whatever else fails
	socket, err := control.Listen(d.opts.Config.Daemon.Control)
	if err != nil {
		for _, p := range ports {
			p.claim.Release()
		}
		return err
	}
	server := control.NewServer(d, d.log)
	served := make(chan error, 1)
	d.keyWatch = newKeyWatch(d.log)
	go d.keyWatch.run(watching, d.lookAtKeyFiles)
	d.startPorts(ports)
	go func() { served <- server.Serve(socket) }()
	if err := filter.Notice(watching, d.lookAtFilters); err != nil {
		d.log.Warn("changes of the filter are noticed late", "error", err)
	}
	d.serveMetrics(ctx)
	go d.ready(ctx)
	d.log.Info("running", "pid", os.Getpid(), "control", d.opts.Config.Daemon.Control, "ports", len(d.cfg.Ports))

	select {
	case <-ctx.Done():
	case err = <-served:
	case err = <-d.broken:
	}
	d.stopPorts()
	stopCtx, stop := context.WithTimeout(context.Background(), shutdownTime)
	defer stop()
	d.log.Info("stopped")
	return errors.Join(err, server.Shutdown(stopCtx))
}

// lookAtFilters has every port look whether its lower device is still closed.
func (d *Daemon) lookAtFilters() {
	for _, p := range d.all() {
		select {
		case p.look <- struct{}{}:
		default: // it is about to
		}
	}
}

// lookAtKeyFiles has every port look whether its CAK file has changed.
func (d *Daemon) lookAtKeyFiles() {
	for _, p := range d.all() {
		select {
		case p.edits <- struct{}{}:
		default: // it is about to
		}
	}
}

// giveUp ends Run with an error: without what has ended, ports would be served by what was true once. A service manager
// starts mkad again; what is to be closed stays closed meanwhile.
func (d *Daemon) giveUp(err error) {
	select {
	case d.broken <- err:
	default: // another port has said so
	}
}

// serveMetrics serves them if that is configured. Links are not given up for want of a listener.
func (d *Daemon) serveMetrics(ctx context.Context) {
	if d.opts.Config.Daemon.Metrics == "" {
		return
	}
	if err := metrics.Serve(ctx, d.opts.Config.Daemon.Metrics, d, d.log); err != nil {
		d.log.Error("no metrics", "error", err)
	}
}

func (d *Daemon) newPorts() (ports []*port) {
	for _, cfg := range d.cfg.Ports {
		ports = append(ports, d.newPort(cfg, nil))
	}
	return ports
}

func (d *Daemon) startPorts(ports []*port) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range ports {
		p.start()
	}
	d.setPorts(ports)
}

// setPorts sets the ports, which nobody changes from then on. It needs d.mu.
func (d *Daemon) setPorts(ports []*port) {
	d.ports = ports
	d.watched.Store(&ports)
}

func (d *Daemon) stopPorts() {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all sync.WaitGroup
	for _, p := range d.ports {
		keep := p.cfg.OnExit == config.Keep
		all.Go(func() {
			p.stop(leaving{controlled: keep, closed: keep})
			p.custody.Abandon(p.log, "mkad ends")
		})
	}
	all.Wait()
	d.stopped = true
}

// Reload reads the configuration and the CAK files again. Everything is validated before anything changes; ports that
// are configured as before go on, with the keys that their CAK files hold now. Without force it refuses what would cost a
// Controlled Port something for good. It says what it has done.
func (d *Daemon) Reload(force bool) (control.PlanDocument, error) {
	d.reload.Lock()
	defer d.reload.Unlock()
	cfg, err := d.read()
	if err != nil {
		return control.PlanDocument{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return control.PlanDocument{}, errEnding
	}
	held := d.ordered.apply(cfg)
	done := d.planFor(cfg)
	for i, p := range d.ports {
		if err := refuseLosses(p, done.Ports[i].Losses, "mkactl reload --force"); err != nil && !force {
			return control.PlanDocument{}, err
		}
	}
	if cfg.Daemon != d.opts.Config.Daemon { // which is what runs, however often another was read
		d.log.Warn("what has changed in [daemon] takes effect when mkad starts again")
	}
	d.change(cfg)
	d.ordered = held
	d.log.Info("reloaded", "ports", len(cfg.Ports))
	return done, nil
}

// read loads the configuration and looks at every CAK file.
func (d *Daemon) read() (*config.Config, error) {
	cfg, problems := config.Load(d.opts.Path)
	if errs := problems.Errors(); len(errs) > 0 {
		return nil, d.refusal(errs)
	}
	for _, p := range cfg.Ports {
		keys, problems := config.LoadKeys(p.Keys)
		for i := range keys { // each port reads its own
			keys[i].CAK.Wipe()
		}
		if errs := problems.Errors(); len(errs) > 0 {
			return nil, d.refusal(errs)
		}
	}
	return cfg, nil
}

// maxRefusals bounds how many problems a refused reload names: one may be the cause of another.
const maxRefusals = 5

// refusal is the answer to a reload of a bad configuration.
func (d *Daemon) refusal(problems config.Problems) error {
	var text strings.Builder
	for i, p := range problems {
		if i == maxRefusals {
			fmt.Fprintf(&text, "\n(and %d more)", len(problems)-maxRefusals)
			break
		}
		if i > 0 {
			text.WriteString("\n")
		}
		text.WriteString(p.String())
	}
	return &control.Error{Text: text.String(), Remedy: "mend it; nothing was changed. To see all problems: mkad --check --config " +
		d.opts.Path}
}

// change goes from the old configuration to cfg, port by port. It needs d.mu.
func (d *Daemon) change(cfg *config.Config) {
	kept, custodies := map[string]*port{}, map[string]*kernel.Custody{}
	for _, p := range d.ports {
		next, found := portOf(cfg, p.cfg.Interface)
		if found && p.actionFor(next) != control.RestartPort {
			kept[p.cfg.Interface] = p
			continue
		}
		// A lower device that is configured still is closed from the old port to the new, whatever else has changed.
		p.stop(leaving{controlled: found, name: next.Controlled, closed: p.outlives(found)})
		custodies[p.cfg.Interface] = p.custody
		if !found {
			p.custody.Abandon(p.log, "the port is no longer in the configuration")
		}
	}
	d.cfg = cfg
	var ports []*port
	for _, c := range cfg.Ports {
		p := kept[c.Interface]
		if p == nil {
			p = d.startPort(c, custodies[c.Interface])
		} else {
			p.do(func() { p.adjustTo(c) })
		}
		ports = append(ports, p)
	}
	d.setPorts(ports)
}

// outlives reports whether the lower device of a port that the configuration has no longer, or has otherwise, stays closed.
func (p *port) outlives(found bool) bool {
	const gone = "no longer in the configuration; the Controlled Port is removed"
	switch {
	case found:
		return true
	case p.cfg.Uncontrolled == config.Open:
		p.log.Warn(gone, "controlled", p.cfg.Controlled)
		return false
	case p.staysClosed():
		p.log.Warn(gone+", and the lower device stays closed", "controlled", p.cfg.Controlled,
			"remedy", "mkactl unlock "+p.cfg.Interface)
		return true
	}
	p.log.Warn(gone+", and the lower device is opened", "controlled", p.cfg.Controlled)
	return false
}

// staysClosed reports whether a lower device that is closed is left so when the configuration has the port no longer.
func (p *port) staysClosed() bool {
	return p.cfg.OnExit == config.Keep && p.d.watcher.Link(p.cfg.Interface).Exists
}

func portOf(cfg *config.Config, name string) (config.Port, bool) {
	for _, p := range cfg.Ports {
		if p.Interface == name {
			return p, true
		}
	}
	return config.Port{}, false
}

// all is a copy of the list of ports.
func (d *Daemon) all() []*port {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]*port(nil), d.ports...)
}

// Status says how every port stands.
func (d *Daemon) Status() control.Document {
	doc := control.Document{Version: control.Version}
	for _, p := range d.all() {
		var s control.Port
		p.do(func() { s = p.document() })
		doc.Ports = append(doc.Ports, s)
	}
	return doc
}

// Counters reads the counters of every port.
func (d *Daemon) Counters() control.CountersDocument {
	doc := control.CountersDocument{Version: control.Version}
	for _, p := range d.all() {
		var c control.PortCounters
		p.do(func() { c = p.counters() })
		doc.Ports = append(doc.Ports, c)
	}
	return doc
}

// Rekey has a new SAK made for a port.
func (d *Daemon) Rekey(name string) error {
	ports := d.all()
	at, err := find(ports, name)
	if err != nil {
		return err
	}
	err = errors.New("the port has stopped")
	ports[at].do(func() { err = ports[at].rekey() })
	return err
}

// find is the place of the port whose lower device or Controlled Port has the name.
func find(ports []*port, name string) (int, error) {
	var known []string
	for i, p := range ports {
		if p.cfg.Interface == name || p.cfg.Controlled == name {
			return i, nil
		}
		known = append(known, p.cfg.Interface)
	}
	return 0, &control.UnknownPortError{Port: name, Known: known}
}

// errEnding is the answer to what comes too late.
var errEnding = errors.New("mkad is ending")

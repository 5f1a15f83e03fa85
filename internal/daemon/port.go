package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"mkad/internal/config"
	"mkad/internal/control"
	"mkad/internal/explain"
	"mkad/internal/filter"
	linkwatch "mkad/internal/port"
	"mkad/mka"
	"mkad/offload"
	"mkad/secy"
	"mkad/secy/kernel"
)

const (
	// shutdownTime bounds how long the end of mkad waits for requests under way.
	shutdownTime = 2 * time.Second
	// retryTime is the distance of attempts to serve a port that failed.
	retryTime = 5 * time.Second
	// keyCheckTime is the longest distance of looks at which keys are valid: the wall clock may be set meanwhile.
	keyCheckTime = 10 * time.Second
	// closedCheckTime is the distance of looks at whether the lower device is still closed. The kernel tells of changes;
	// this is for when it could not.
	closedCheckTime = 30 * time.Second
	// blindTime is the same while it could not be seen.
	blindTime = time.Second
	// lookTime is the distance of looks at a carrier that may be about to come, lookEnd how long it is expected: two
	// machines that start together.
	lookTime = 100 * time.Millisecond
	lookEnd  = 3 * time.Second
)

// A port serves one lower device. All fields belong to its goroutine, run, but those of the first group.
type port struct {
	d     *Daemon
	cfg   config.Port
	log   *slog.Logger
	asked chan func()   // to be done by the goroutine
	look  chan struct{} // holds a token when the filter may have changed
	edits chan struct{} // holds a token when the CAK file may have changed
	quit  chan struct{} // closed to end it
	once  sync.Once
	leave leaving       // set before quit is closed
	done  chan struct{} // closed when it has ended

	link         linkwatch.Link
	known        bool             // link was told by the watcher
	life         uint64           // of the device that attach has served; 0: none
	raised       uint64           // Life of the device that was brought up
	claim        *linkwatch.Claim // on the lower device's name; nil: none yet
	closed       bool             // the lower device is to be closed, and was
	closedAt     mka.Time         // when that was last looked at
	blind        bool             // and could not be seen
	renamed      string           // the name under which the lower device stays closed meanwhile; "": none
	carrierSince mka.Time
	lookAt       mka.Time // when to look at the carrier; never after lookUntil
	lookUntil    mka.Time
	framesBefore uint64 // frames on the lower device when the carrier came
	failure      error  // why the port cannot be served; nil: it can
	failedFor    string // what was logged of it, until the port is served again
	retryAt      mka.Time

	offers     []offload.Offer // what there is for the device
	offersLife uint64          // of the device that offers are for
	choice     offload.Choice
	capability secy.Capability
	secY       SecY
	custody    *kernel.Custody // goes on to the next port of the lower device
	enabled    bool            // the Controlled Port, as last ordered
	sci        secy.SCI
	socket     *receiver
	resift     bool // the live peers have changed since socket was told
	kay        *mka.KaY
	out        mka.Output
	ids        []secy.KeyID // whose packet numbers are sampled
	paces      []pace       // of those
	sampleAt   mka.Time     // before which they need not be sampled

	keyState

	file      *stateFile
	stateLost error // why what was kept cannot be read; nil once secured
	keptAt    mka.Time
	begun     bool // the device was served
	passing   bool // the lower device goes on to pass what hardware protects

	state     control.State
	since     time.Time
	secured   bool // ever since the carrier came
	seen      explain.Seen
	verdict   explain.Verdict // as last told
	verdictAt mka.Time
	causes    causesTold
	told      throttle
	often     rate
	sendError error // of the last MKPDU
}

// newPort makes a port whose lower device is closed, if that is configured. It is for start to serve it. Custody is that of the
// port that has served the device before, if any.
func (d *Daemon) newPort(cfg config.Port, custody *kernel.Custody) *port {
	p := &port{
		d:     d,
		cfg:   cfg,
		log:   d.log.With("port", cfg.Interface),
		asked: make(chan func()),
		look:  make(chan struct{}, 1),
		edits: make(chan struct{}, 1),
		quit:  make(chan struct{}),
		done:  make(chan struct{}),
		since: time.Now(),

		custody: cmp.Or(custody, new(kernel.Custody)),
	}
	p.file = newStateFile(d.state, cfg.Interface, p.log)
	p.closeEarly()
	return p
}

func (d *Daemon) startPort(cfg config.Port, custody *kernel.Custody) *port {
	p := d.newPort(cfg, custody)
	p.start()
	return p
}

// start has the port served from now on.
func (p *port) start() {
	links, unfollow := p.d.watcher.Follow(p.cfg.Interface)
	go p.run(links, unfollow)
}

// A leaving says what a port that ends leaves as it is.
type leaving struct {
	controlled bool   // the Controlled Port, at work
	name       string // and under which name, if that can be; "": the one that it has
	closed     bool   // the closed lower device
}

// stop ends the port.
func (p *port) stop(leave leaving) {
	p.once.Do(func() {
		p.leave = leave
		close(p.quit)
	})
	<-p.done
}

// do has f done by the port's goroutine and waits for it. A port that has ended does nothing.
func (p *port) do(f func()) {
	finished := make(chan struct{})
	select {
	case p.asked <- func() { f(); close(finished) }:
		<-finished
	case <-p.done:
	}
}

func (p *port) run(links <-chan linkwatch.Link, unfollow func()) {
	defer close(p.done)
	defer unfollow()
	p.reloadKeys()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-p.quit:
			p.end()
			return
		case f := <-p.asked:
			f()
		case link, ok := <-links:
			if !ok {
				links = nil
				p.d.giveUp(p.d.watcher.Err())
				break
			}
			p.follow(link)
		case <-p.look:
			if p.closed {
				p.checkClosed()
			}
		case <-p.edits:
			p.lookAtKeys()
		case frame := <-p.socket.frames():
			p.sampleForAnswer()
			p.step(mka.FrameReceived{Frame: frame})
			p.socket.done(frame)
			p.received()
		case r := <-p.secYReports():
			p.step(mka.SecYReported{Report: r})
		case <-p.secYDone():
			p.fail(fmt.Errorf("%w (%w)", p.secY.Err(), explain.ErrDeviceTaken))
			p.closeSecY(true)
		case <-timer.C:
		}
		p.settle()
		timer.Reset(p.wait())
	}
}

func (p *port) secYReports() <-chan secy.Report {
	if p.secY == nil {
		return nil
	}
	return p.secY.Reports()
}

func (p *port) secYDone() <-chan struct{} {
	if p.secY == nil {
		return nil
	}
	return p.secY.Done()
}

func (p *port) now() mka.Time { return p.d.opts.Now() }

// settle does what is due and brings the state up to date.
func (p *port) settle() {
	now := p.now()
	if p.failure != nil && now >= p.retryAt {
		p.attach()
	}
	if now >= p.keysAt {
		p.lookAtKeys()
		p.scheduleKeys()
	}
	if p.closed && now >= p.closedAt.Add(closedCheckTime) {
		p.checkClosed()
	}
	if p.looking() && now >= p.lookAt {
		p.lookAt = now.Add(lookTime)
		linkwatch.Settle(p.link.Index)
	}
	if p.kay != nil {
		if at, ok := p.kay.Deadline(); ok && now >= at {
			p.samplePNs()
			p.out.Reset()
			p.kay.Tick(p.now(), &p.out)
			p.carryOut()
		}
	}
	p.sift()
	p.updateState()
}

// sift has frames of live peers read before others.
func (p *port) sift() {
	if !p.resift || p.kay == nil {
		return
	}
	p.resift = false
	var s linkwatch.Sift
	for _, part := range p.kay.Status(p.now()).Participants {
		s.Names = append(s.Names, part.CKN.AppendTo(nil))
		for _, q := range part.Peers {
			if q.Live {
				s.Senders = append(s.Senders, q.SCI.MAC())
			}
		}
	}
	if err := p.socket.divide(s); err != nil {
		p.log.Warn("frames of live peers have no precedence over a flood", "error", err)
	}
}

// wait is how long there is nothing to do.
func (p *port) wait() time.Duration {
	at := p.keysAt
	if p.failure != nil {
		at = min(at, p.retryAt)
	}
	if p.kay != nil {
		if deadline, ok := p.kay.Deadline(); ok {
			at = min(at, deadline)
		}
	}
	if p.looking() {
		at = min(at, p.lookAt)
	}
	if p.closed {
		at = min(at, p.closedAt.Add(closedCheckTime))
	}
	if p.state == control.Pending {
		at = min(at, p.carrierSince.Add(p.cfg.LifeTime))
	}
	return max(0, at.Sub(p.now()))
}

// looking reports whether the carrier is expected any moment.
func (p *port) looking() bool {
	return p.link.Exists && p.link.Up && !p.link.Carrier && p.lookAt < p.lookUntil
}

// step gives the KaY an input and does what it orders; each Report of the SecY goes back in.
func (p *port) step(in mka.Input) {
	if p.kay == nil {
		return
	}
	if err := p.try(in); err != nil {
		panic(fmt.Sprintf("daemon: %s: %T out of place: %v", p.cfg.Interface, in, err))
	}
}

// try is step for inputs that others ask for and that may be out of place.
func (p *port) try(in mka.Input) error {
	p.out.Reset()
	err := p.kay.Step(p.now(), in, &p.out)
	p.carryOut()
	return err
}

// carryOut does the driver's duty in its order: what a restart needs is kept, then Ops, frames, events, reports.
func (p *port) carryOut() {
	if len(p.out.Ops)+len(p.out.Frames) > 0 {
		p.keep()
	}
	var reports []secy.Report
	for _, op := range p.out.Ops {
		p.log.Debug("secy", "op", op.String())
		if op.Kind == secy.OpControlledPort && !op.Enabled {
			p.enable(false) // before: hardware may pass in clear what it has no key for
		}
		if creates(op) && p.file.repeats(op.Key) {
			reports = append(reports, secy.Report{Kind: secy.ReportFailed, Key: op.Key, Op: op.Kind, SCI: op.SCI,
				Err: "what a restart needs cannot be kept, and it could use this SAK again"})
			continue
		}
		before := len(reports)
		reports = p.secY.Apply(op, reports)
		if op.Kind == secy.OpControlledPort && op.Enabled && len(reports) == before {
			p.enable(true)
		}
	}
	if p.through() != "" && slices.ContainsFunc(p.out.Ops, configures) {
		p.closedAt = p.now().Add(-closedCheckTime) // settle looks
	}
	for _, frame := range p.out.Frames {
		p.send(frame)
	}
	for _, e := range p.out.Events {
		p.publish(e)
	}
	for _, r := range reports {
		p.step(mka.SecYReported{Report: r})
	}
}

// creates reports whether an Op brings a SAK into use.
func creates(op secy.Op) bool {
	return op.Kind == secy.OpCreateReceiveSA || op.Kind == secy.OpCreateTransmitSA
}

// enable has the closed lower device pass the frames of hardware only while the Controlled Port is enabled. It is called
// amid orders, so that what fails is tried again by settle.
func (p *port) enable(enabled bool) {
	changed := p.enabled != enabled
	if p.enabled = enabled; !changed || !p.offloaded() || p.through() == "" {
		return
	}
	if err := filter.Close(p.rules()); err != nil {
		p.log.Warn("cannot change what the closed lower device passes; trying again", "error", err)
		p.closedAt = p.now().Add(blindTime - closedCheckTime)
	}
}

// configures reports whether an Op may have had the kernel's device made anew, for another cipher suite.
func configures(op secy.Op) bool { return op.Kind == secy.OpConfigure }

// send sends an MKPDU. One that is lost is followed by another; what fails is said once, until it works again.
func (p *port) send(frame []byte) {
	err := p.socket.write(frame)
	if err != nil && p.sendError == nil {
		p.log.Warn("cannot send MKPDU", "error", err)
	}
	p.sendError = err
}

// sampleForAnswer is samplePNs for an MKPDU that goes out because of one that comes in: with delay protection, the older the
// packet numbers in it are, the longer frames may be held back.
func (p *port) sampleForAnswer() {
	if p.kay != nil && p.kay.DelayProtected() {
		p.samplePNs()
	}
}

// samplePNs tells the KaY how far the packet numbers have come: they go out in the MKPDU that is due, and the key server
// watches their end.
//
// It asks the SecY, which is a dump of all macsec devices in the kernel, only as often as the pace demands, but for delay
// protection at every hello.
func (p *port) samplePNs() {
	if p.now() < p.sampleAt && !p.kay.DelayProtected() {
		return
	}
	p.ids = p.kay.Keys(p.ids[:0])
	for _, id := range p.ids {
		if pn, ok := p.secY.PN(id); ok {
			p.keepPace(id, pn)
			p.step(mka.SecYReported{Report: secy.Report{Kind: secy.ReportPN, Key: id, PN: pn}})
		}
	}
	p.sampleAt = p.now().Add(p.sampleGap())
}

func (p *port) rekey() error {
	if p.kay == nil {
		return &control.Error{Text: fmt.Sprintf("%s is %s: there is no key to replace", p.cfg.Interface, p.state),
			Remedy: "mkactl status " + p.cfg.Interface}
	}
	err := p.try(mka.RekeyRequested{})
	if errors.Is(err, mka.ErrNotKeyServer) {
		return &control.Error{Text: fmt.Sprintf("%s is %v", p.cfg.Interface, err), Remedy: p.whoIsKeyServer()}
	}
	return err
}

// whoIsKeyServer says where a new SAK can be asked for.
func (p *port) whoIsKeyServer() string {
	for _, part := range p.kay.Status(p.now()).Participants {
		if part.Principal && part.KeyServer != 0 {
			return fmt.Sprintf("ask for it at the key server, %s", part.KeyServer)
		}
	}
	return "there is no key server yet: mkactl status " + p.cfg.Interface
}

// takesName reports whether the Controlled Port has a name, or has been given it now, at work. Else it goes with the port.
func (p *port) takesName(name string) bool {
	switch {
	case name == "" || name == p.cfg.Controlled:
		return true
	case p.secY == nil:
		return false
	}
	err := kernel.Rename(nil, p.cfg.Controlled, name, p.log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		p.log.Error("the Controlled Port cannot take another name; it is removed, with all that it has", "controlled", p.cfg.Controlled,
			"error", err)
	}
	return err == nil
}

// end leaves the lower device and the Controlled Port as on_exit says.
func (p *port) end() {
	if p.leave.controlled = p.leave.controlled && p.takesName(p.leave.name); p.leave.controlled {
		p.leaveGoing()
	}
	p.detach()
	if !p.leave.controlled && p.claim != nil {
		p.file.remove()
	}
	p.closeSecY(p.leave.controlled)
	if !p.leave.closed && p.claim != nil { // without a claim it is another mkad's
		p.openLower()
	}
	p.claim.Release()
	for i := range p.keys {
		p.keys[i].CAK.Wipe()
	}
}

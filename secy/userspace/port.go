package userspace

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	"mkad/secy"
)

// maxReports bounds the reports that wait for whoever reads Reports: there are no more ANs than four, so a reader four
// keys late has lost touch anyway.
const maxReports = 4

// Config is what a Port needs to know.
type Config struct {
	Lower      int      // ifindex of the lower device
	LowerName  string   // its name, for messages
	Controlled string   // the TAP's name
	Index      int      // the ifindex of a TAP that is made, for one that takes another device's place; 0: any
	MAC        [6]byte  // of the lower device; the TAP takes it
	MTU        int      // of the lower device, in octets; the TAP has secy.Overhead less
	SCI        secy.SCI // of the transmit SC
	// Persist keeps the TAP, without carrier but with its addresses and routes, when the process ends without Close.
	Persist bool
	// Mark is the SO_MARK of the frames that the SecY sends, by which a filter tells them from the host's own; 0 is none.
	Mark uint32
	// EAPOL is the EtherType of the PAE's frames, which never pass in clear, beside EAPOL's own; 0: there is no other.
	EAPOL  uint16
	Logger *slog.Logger // nil: nothing is logged
}

// A Port is a SecY in user space at work: its data path and the Controlled Port, a TAP.
//
// All its methods may be called by any goroutine. Apply and LowerChanged open sockets: the thread that calls them, and
// Open, must be in the network namespace of the lower device, which in a process with one namespace it is.
type Port struct {
	cfg   Config
	log   *slog.Logger
	secy  *secy.SecY
	drops drops

	tap         *tap
	transmitter *transmitter
	receiver    *receiver
	running     sync.WaitGroup
	closing     atomic.Bool
	reports     chan secy.Report

	done chan struct{} // closed by the first goroutine that fails
	fail sync.Once
	err  error // read after done

	lookout *lookout

	mu       sync.Mutex // guards what follows, and orders orders
	lower    int        // ifindex
	enabled  bool
	settings secy.Settings
	clear    *clearReceiver // nil unless frames without SecTAG are admitted

	promiscuous bool // the lower device is, on the TAP's behalf
}

// Open makes the Controlled Port and joins it to the lower device. A TAP that an earlier process left under that name
// is adopted, with its addresses; any other device of that name is an error. The TAP has no carrier until an order
// enables the Controlled Port, the lower device's MAC address and its MTU less secy.Overhead, and it is brought
// administratively up. The lower device is left as it is, but takes in all multicast while the Port is open, and every
// frame while the host wants that of the TAP.
//
// It needs CAP_NET_ADMIN and CAP_NET_RAW in the user namespace that owns the network namespace. Errors say what to do.
func Open(cfg Config) (*Port, error) {
	p, err := open(cfg)
	if err != nil {
		return nil, fmt.Errorf("open Controlled Port %s on %s: %w", cfg.Controlled, cfg.LowerName, err)
	}
	p.start("transmit", p.transmitter.run)
	p.start("receive", p.receiver.run)
	p.running.Go(func() { p.lookout.run(p.followPromiscuity) })
	return p, nil
}

func open(cfg Config) (_ *Port, err error) {
	p := &Port{
		cfg:     cfg,
		log:     cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler)).With("port", cfg.LowerName),
		secy:    secy.New(secy.Config{SCI: cfg.SCI}),
		reports: make(chan secy.Report, maxReports),
		done:    make(chan struct{}),
		lower:   cfg.Lower,
	}
	if p.tap, err = openTAP(cfg.Controlled, cfg.Index); err != nil {
		return nil, err
	}
	if p.lookout, err = newLookout(); err == nil {
		err = p.join()
	}
	if err == nil {
		err = p.present()
	}
	if err != nil {
		p.closeDescriptors()
		return nil, err
	}
	return p, nil
}

// join makes both directions of the data path, without starting them.
func (p *Port) join() error {
	send, err := newSendSocket(p.cfg.Lower, p.cfg.Mark)
	if err != nil {
		return err
	}
	p.transmitter = &transmitter{
		secy:      p.secy,
		drops:     &p.drops,
		tap:       p.tap.raw,
		exhausted: p.reportExhausted,
		sender:    newSender(send, &p.drops, p.cfg.MTU),
		buf:       make([]byte, tapBufferLen),
	}
	receive, err := newReceiveSocket(p.cfg.Lower)
	if err != nil {
		return err
	}
	in := &inlet{secy: p.secy, drops: &p.drops, tap: newTAPWriter(p.tap), mac: p.cfg.MAC}
	p.receiver = newReceiver(in, receive, p.tap.udp, p.cfg.MTU)
	return nil
}

// present shows the TAP to the host. It becomes persistent last, so that a Port that cannot open leaves none behind.
func (p *Port) present() error {
	if err := p.tap.follow(p.cfg.MAC, p.cfg.MTU); err != nil {
		return err
	}
	if err := p.tap.setUp(); err != nil {
		return err
	}
	return p.tap.setPersistent(p.cfg.Persist)
}

// start runs one direction. When it ends by itself the Port is done.
func (p *Port) start(direction string, run func() error) {
	p.running.Go(func() {
		err := run()
		if err == nil || p.closing.Load() {
			return
		}
		p.fail.Do(func() {
			p.err = fmt.Errorf("%s between %s and %s: %w", direction, p.cfg.Controlled, p.cfg.LowerName, err)
			p.log.Error("data path ended: close the port and open it again", "controlled", p.cfg.Controlled, "err", p.err)
			close(p.done)
		})
	})
}

// Done is closed when the data path has ended by itself, as when somebody removes the TAP. Err says why. The Port is
// still to be closed.
func (p *Port) Done() <-chan struct{} { return p.done }

// Err says why the data path has ended by itself; nil while Done is open.
func (p *Port) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// Adopt tells that nothing is held: SAs end with the process that has their keys.
func (p *Port) Adopt([]secy.Claim) []secy.Holding { return nil }

// Apply obeys one order, as secy.SecY does, and appends what there is to report to dst. When it returns, no frame that
// was under way before is left: none is sent or delivered under settings that the order has replaced.
//
// OpControlledPort also switches the TAP's carrier, and what the host sent without one is not sent later. OpConfigure
// with a validateFrames other than strict also lets frames without SecTAG in while the port is enabled. If either cannot
// be done the Controlled Port is disabled and ReportFailed says why.
func (p *Port) Apply(op secy.Op, dst []secy.Report) []secy.Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	if op.Kind == secy.OpControlledPort && op.Enabled && !p.enabled {
		p.transmitter.discard()
	}
	before := len(dst)
	dst = p.secy.Apply(op, dst)
	if refused(dst[before:]) {
		return dst
	}
	switch op.Kind {
	case secy.OpConfigure:
		p.settings = op.Settings
	case secy.OpControlledPort:
		p.enabled = op.Enabled
	default:
		return dst
	}
	if err := p.settle(); err != nil {
		_ = p.disable()
		return append(dst, secy.Report{Kind: secy.ReportFailed, Key: op.Key, Op: op.Kind, Err: err.Error()})
	}
	return dst
}

func refused(reports []secy.Report) bool {
	for _, r := range reports {
		if r.Kind == secy.ReportFailed {
			return true
		}
	}
	return false
}

// settle makes the rest of the data path agree with a SecY that has changed: frames under way first, for they have met
// the SecY as it was; then who receives; the carrier last, so that it is never on before the port can carry.
func (p *Port) settle() error {
	p.transmitter.pause()
	p.receiver.pause()
	v := p.settings.ValidateFrames
	err := p.admitClear(p.enabled && (v == secy.ValidateDisabled || v == secy.ValidateCheck))
	if err != nil {
		return err
	}
	if p.enabled { // before the carrier, at which bridges and bonds look
		if err := p.tap.followSpeed(p.lower); err != nil {
			p.log.Debug("the Controlled Port does not tell the speed of the lower device", "err", err)
		}
	}
	return p.tap.setCarrier(p.enabled)
}

// disable closes the Controlled Port.
func (p *Port) disable() error {
	p.enabled = false
	p.secy.Apply(secy.Op{Kind: secy.OpControlledPort}, nil)
	return p.settle()
}

// admitClear starts or stops the clear receiver.
func (p *Port) admitClear(admit bool) error {
	switch {
	case !admit && p.clear != nil:
		p.clear.stop()
		p.clear = nil
	case admit && p.clear == nil:
		c, err := newClearReceiver(p.receiver.inlet, p.lower, p.cfg.EAPOL)
		if err != nil {
			return fmt.Errorf("receive in clear on %s: %w", p.cfg.LowerName, err)
		}
		p.clear = c
		p.start("receive in clear", c.run)
	}
	return nil
}

// LowerChanged follows the lower device: its MAC address, its MTU, and its ifindex, which is another when the device
// has vanished and returned. The SCI stays. An error leaves what could be followed so; call it again when the cause is
// gone. After Close it is os.ErrClosed.
func (p *Port) LowerChanged(ifindex int, mac [6]byte, mtu int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.followLower(ifindex, mac, mtu); err != nil {
		return fmt.Errorf("follow lower device %s: %w", p.cfg.LowerName, err)
	}
	return nil
}

func (p *Port) followLower(ifindex int, mac [6]byte, mtu int) error {
	if p.closing.Load() {
		return os.ErrClosed
	}
	if err := p.tap.follow(mac, mtu); err != nil {
		return err
	}
	p.transmitter.resize(mtu)
	p.receiver.resize(mtu)
	p.receiver.follow(mac)
	return p.rebind(ifindex)
}

// rebind moves all sockets to a device. One that has vanished and returned under its old ifindex is a new one too.
func (p *Port) rebind(ifindex int) error {
	if err := p.transmitter.sender.socket.bind(ifindex, 0); err != nil {
		return err
	}
	if err := p.receiver.socket.bind(ifindex, secy.EtherType); err != nil {
		return err
	}
	same := ifindex == p.lower
	p.lower = ifindex
	err := p.receiver.socket.control(func(fd int) error { return rejoinAllMulticast(fd, ifindex) })
	if err == nil && p.promiscuous {
		_ = p.setPromiscuous(false)
		err = p.setPromiscuous(true)
	}
	if err != nil || p.clear == nil || same {
		return err
	}
	return errors.Join(p.admitClear(false), p.admitClear(true))
}

// PN samples the next packet number of the transmit SA of key; false when there is none.
func (p *Port) PN(key secy.KeyID) (secy.PN, bool) { return p.secy.PN(key) }

// LowestPN samples the lowest acceptable packet number of the receive SA of sci and key; false when there is none.
func (p *Port) LowestPN(sci secy.SCI, key secy.KeyID) (secy.PN, bool) {
	return p.secy.LowestPN(sci, key)
}

// Reports delivers what nobody has asked for: ReportExhausted, when a key has used its last packet number and its SA has
// stopped. It is never closed.
func (p *Port) Reports() <-chan secy.Report { return p.reports }

func (p *Port) reportExhausted(key secy.KeyID) {
	select {
	case p.reports <- secy.Report{Kind: secy.ReportExhausted, Key: key}:
	default:
		p.log.Warn("nobody reads reports", "key", key)
	}
}

// Counters returns the statistics of the SecY as they stand: those of secy.SecY, and of the Common Port the frames that
// its buffers could not hold (InPktsOverrun) and those that are longer than its MTU (OutPktsTooLong).
func (p *Port) Counters() secy.Counters {
	p.mu.Lock()
	p.drops.overruns.Add(p.receiver.socket.overruns())
	if p.clear != nil {
		p.drops.overruns.Add(p.clear.socket.overruns())
	}
	p.mu.Unlock()
	c := p.secy.Counters()
	c.InPktsOverrun += p.drops.overruns.Load()
	c.OutPktsTooLong += p.drops.tooLong.Load()
	return c
}

// Drops returns the frames dropped for reasons of the data path as they stand.
func (p *Port) Drops() Drops { return p.drops.read() }

// Close disables the Controlled Port, ends the data path and, unless keep is true, removes the TAP. A TAP that is kept
// has no carrier; its addresses and routes stay for the next Open. Closing twice does nothing.
func (p *Port) Close(keep bool) error {
	p.mu.Lock()
	if p.closing.Swap(true) {
		p.mu.Unlock()
		return nil
	}
	err := errors.Join(released(p.disable()), released(p.tap.setPersistent(keep)))
	p.closeDescriptors()
	p.mu.Unlock()
	p.running.Wait()
	if err != nil {
		return fmt.Errorf("close Controlled Port %s: %w", p.cfg.Controlled, err)
	}
	return nil
}

// closeDescriptors closes whatever is open; who waits on it is told.
func (p *Port) closeDescriptors() {
	if p.lookout != nil {
		p.lookout.close()
	}
	if p.receiver != nil {
		p.receiver.socket.close()
	}
	if p.transmitter != nil {
		p.transmitter.sender.socket.close()
	}
	p.tap.close()
}

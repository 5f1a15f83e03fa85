package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"mkad/secy"
)

// maxReports bounds the reports that wait for whoever reads Reports. What finds no room is reported at a later poll.
const maxReports = 8

// An Unsecured says what the Controlled Port shows to the host while it is not enabled.
type Unsecured uint8

// The two ways. The zero value is Dormant.
const (
	// Dormant leaves the device administratively up, with its addresses and routes, in the operational state dormant
	// (RFC 2863): a bridge takes it out of service and routing daemons see that it does not run; a bond does not.
	Dormant Unsecured = iota
	// Down takes the device administratively down; what addresses and routes that costs is put back afterwards.
	Down
)

// Config is what a Device needs to know.
type Config struct {
	Lower      int      // ifindex of the lower device
	LowerName  string   // its name, for messages
	Controlled string   // the macsec device's name
	MAC        [6]byte  // of the lower device; a macsec device that is made takes it
	MTU        int      // of the lower device, in octets; the macsec device has secy.Overhead less
	SCI        secy.SCI // of the transmit SC
	// CipherSuite is what a device that is made begins with, best the suite that the port most likely gets: another one
	// means another device.
	CipherSuite secy.CipherSuite
	Offload     Offload
	Unsecured   Unsecured
	// Replace puts the macsec device in the place of a device of another kind that has its name, for instance the TAP of
	// another backend, and gives it that one's identity. Without it such a device is an error.
	Replace bool
	// Custody, if set, keeps the Controlled Port's identity while there is no device, and Open gives what it keeps to the
	// device that it makes. The same one is for the next Open of the port, of whatever backend.
	Custody *Custody
	// Pause, if set, holds back what the host sends through a device until the function that it returns is called, by
	// another goroutine. It is called when the device goes from one transmit SA to the next.
	Pause    func(device string) (resume func() error, err error)
	Exchange Exchange     // nil: this machine's kernel, in the network namespace of the thread that calls Open
	Logger   *slog.Logger // nil: nothing is logged
}

// A Device is a SecY in the kernel: a macsec device, which is the Controlled Port, on a lower device. All its methods
// may be called by any goroutine.
//
// While the Controlled Port is not enabled the device protects and validates strictly and no transmit SA is active, so
// that nothing leaves it and nothing unprotected enters; frames of receive SAs in use are delivered, for the kernel has
// nothing to hold them back but their removal.
type Device struct {
	cfg     Config
	log     *slog.Logger
	reports chan secy.Report
	done    chan struct{} // closed when the device is lost
	stop    chan struct{} // closed by Close
	polling sync.WaitGroup
	// resuming is the end of the host's pause, which no order waits for but the next that needs one.
	resuming sync.WaitGroup

	mu       sync.Mutex // guards what follows
	kernel   *conversation
	closed   bool
	err      error // why it is lost; written before done is closed
	index    int
	lower    int
	mac      [6]byte
	mtu      int
	want     intent
	custody  *Custody
	stripped []entry // what taking the device down has cost it

	spent     memory[secy.KeyID, struct{}] // keys that had a transmit SA: none gets a second one
	started   memory[secy.KeyID, struct{}] // keys whose transmit SA was put to use: none is a second time
	replays   memory[replayKey, secy.PN]   // next packet numbers of receive SAs that are gone
	receiving memory[secy.KeyID, struct{}] // keys whose receive SAs are in use as soon as they are made

	last     *state // as read at lastAt
	lastAt   time.Time
	use      use             // of the packet numbers, as the polls have found it
	departed secy.Counters   // of receive SCs and devices that are no more
	guests   bool            // SAs that others made are suffered until purgeAt
	purgeAt  time.Time       // zero: not set yet
	mended   map[string]bool // differences that were repaired, since there were none
	told     map[string]bool // differences that were reported, since there were none
	ended    secy.KeyID      // whose transmit SA was reported as exhausted last
}

// An intent is what the kernel is to hold. A key that is zero stands for no SA.
type intent struct {
	fixed        fixedAttributes
	controls     controls // while enabled
	enabled      bool
	transmit     [numANs]wantedSA
	transmitting secy.KeyID
	receive      map[secy.SCI][numANs]wantedSA
}

// A wantedSA is an SA that was ordered, and whether it is to be in use.
type wantedSA struct {
	key    secy.KeyID
	active bool
}

func (w *intent) clone() intent {
	c := *w
	c.receive = maps.Clone(w.receive)
	return c
}

// now are the controls that the kernel is to have.
func (w *intent) now() controls {
	if w.enabled {
		return w.controls
	}
	return w.controls.closed()
}

// transmitAN finds the transmit SA of a key.
func (w *intent) transmitAN(key secy.KeyID) (secy.AN, bool) {
	for an, sa := range w.transmit {
		if sa.key == key && !key.IsZero() {
			return secy.AN(an), true
		}
	}
	return 0, false
}

// anyKey names a key that has an SA by order, zero if none has.
func (w *intent) anyKey() secy.KeyID {
	for _, sas := range append(slices.Collect(maps.Values(w.receive)), w.transmit) {
		for _, sa := range sas {
			if !sa.key.IsZero() {
				return sa.key
			}
		}
	}
	return secy.KeyID{}
}

// Open makes the macsec device, or adopts one of that name on that lower device, whoever made it. What the device has
// that cannot be changed (SCI, ICV length) and is not as configured makes it another device in the place of the first,
// with the same name, ifindex, addresses, MTU, routes, master and VLANs; its cipher suite is left as it is until an
// order needs another. SAs of an adopted device go on working until the first key of ours has been transmitted with for
// a while. If there is none that transmits, the device is not secured: it shows itself as cfg.Unsecured says.
//
// It needs CAP_NET_ADMIN in the initial user namespace. Errors say what is missing and what to do.
func Open(cfg Config) (*Device, error) {
	c, err := converse(cfg.Exchange)
	if err != nil {
		return nil, fmt.Errorf("open Controlled Port %s on %s: %w", cfg.Controlled, cfg.LowerName, err)
	}
	d := newDevice(cfg, c)
	if err := d.open(); err != nil {
		c.hangUp()
		return nil, fmt.Errorf("open Controlled Port %s on %s: %w", cfg.Controlled, cfg.LowerName, err)
	}
	d.polling.Go(d.watch)
	return d, nil
}

func newDevice(cfg Config, c *conversation) *Device {
	d := &Device{
		cfg:     cfg,
		log:     cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler)).With("port", cfg.LowerName),
		reports: make(chan secy.Report, maxReports),
		done:    make(chan struct{}),
		stop:    make(chan struct{}),
		kernel:  c,
		lower:   cfg.Lower,
		mac:     cfg.MAC,
		mtu:     cfg.MTU,
		custody: cmp.Or(cfg.Custody, new(Custody)),
		last:    new(state),
	}
	d.want = intent{
		fixed: fixedAttributes{sci: cfg.SCI, suite: canonical(cfg.CipherSuite), icvLen: standardICV, offload: cfg.Offload},
		controls: controlsOf(secy.Settings{ProtectFrames: true, ValidateFrames: secy.ValidateStrict, ReplayProtect: true,
			Offset: secy.Offset0, SendSCI: true}, cfg.SCI),
		receive: map[secy.SCI][numANs]wantedSA{},
	}
	d.spent.limit, d.started.limit = maxSpentKeys, maxSpentKeys
	d.replays.limit, d.receiving.limit = maxReplays, maxReceivingKeys
	d.forgive()
	return d
}

func (d *Device) open() error {
	if !d.want.fixed.suite.Known() {
		return fmt.Errorf("cipher suite %q is unknown: set one of %v", d.cfg.CipherSuite, secy.CipherSuites)
	}
	if err := permitted(d.kernel); err != nil {
		return err
	}
	link, err := d.kernel.link(0, d.cfg.Controlled)
	switch {
	case errors.Is(err, unix.ENODEV):
		err = d.make()
	case err != nil:
		err = explain("look up "+d.cfg.Controlled, err)
	default:
		err = d.adopt(link)
	}
	if err != nil {
		return err
	}
	return d.begin()
}

// make makes a device that is not there.
func (d *Device) make() error {
	if err := d.kernel.vacant(d.lower, d.cfg.Controlled, d.want.fixed.sci); err != nil {
		return err
	}
	if err := d.custody.heed(d.kernel, d.log); err != nil {
		return explain("look up "+d.cfg.Controlled, err)
	}
	r := makeLink(d.custody.Index(), d.cfg.Controlled, appendAttribute(nil, unix.IFLA_ADDRESS, d.mac[:]), d.lower, d.want.fixed)
	if _, err := d.kernel.do(r); err != nil {
		return explainMaking("make macsec device "+d.cfg.Controlled, err)
	}
	link, err := d.kernel.link(0, d.cfg.Controlled)
	if err != nil {
		return explain("look up "+d.cfg.Controlled, err)
	}
	d.index = link.index
	if err := d.kernel.made(d.index, d.want.fixed); err != nil {
		return errors.Join(fmt.Errorf("make macsec device %s: %w", d.cfg.Controlled, err), d.remove())
	}
	return nil
}

// adopt takes over a device that is there.
func (d *Device) adopt(link linkInfo) error {
	d.index = link.index
	switch {
	case link.kind != linkKind && !d.cfg.Replace:
		return fmt.Errorf("there is a device of that name that is no macsec device (%s): remove it (ip link del %s) or set "+
			"another name for the Controlled Port", cmp.Or(link.kind, "physical"), link.name)
	case link.kind != linkKind:
		return d.recreate()
	case link.lower != d.lower || link.lowerNS:
		return fmt.Errorf("there is a macsec device of that name on another lower device (ifindex %d): remove it (ip link "+
			"del %s) or set another name for the Controlled Port", link.lower, link.name)
	}
	if err := d.refresh(); err != nil {
		return explain("read SecY of "+link.name, err)
	}
	found := d.last.fixed
	if found.sci != d.want.fixed.sci || found.icvLen != standardICV {
		d.log.Info("adopted macsec device has another identity: it is made anew", "controlled", link.name,
			"sci", found.sci, "icv_len", found.icvLen)
		return d.recreate()
	}
	d.want.fixed.suite = found.suite
	d.want.controls, d.guests = d.last.controls.closed(), true
	return d.moveOffload(link)
}

// begin brings the device into the state in which orders find it.
func (d *Device) begin() error {
	if err := d.refresh(); err != nil {
		return explain("read SecY of "+d.cfg.Controlled, err)
	}
	if err := d.setControls(); err != nil {
		return err
	}
	if err := d.followLower(); err != nil {
		return err
	}
	if err := d.furnishKept(); err != nil {
		return err
	}
	if d.live() {
		d.log.Info("adopted a macsec device at work", "controlled", d.cfg.Controlled, "key",
			d.last.transmit[d.last.encodingSA].key)
		return d.change("bring up "+d.cfg.Controlled, setUp(d.index, true))
	}
	return d.showUnsecured()
}

// furnishKept gives the device what an earlier one has left. The kernel takes routes on a device that is up.
func (d *Device) furnishKept() error {
	switch d.custody.Index() {
	case 0:
		return nil
	case d.index:
	default:
		d.custody.Abandon(d.log, fmt.Sprintf("%s has the ifindex %d now", d.cfg.Controlled, d.index))
		return nil
	}
	if !d.live() {
		if err := d.show(linkModeDormant, operDormant); err != nil {
			return err
		}
	}
	return d.custody.furnish(d.kernel, d.log)
}

// live reports whether the device was adopted with an SA that transmits.
func (d *Device) live() bool {
	sa := d.last.transmit[d.last.encodingSA%numANs]
	return d.last.operational && sa != nil && sa.active && sa.pn != 0
}

// Done is closed when the macsec device is lost, as when somebody removes it or the lower device. Err says why. The
// Device is still to be closed.
func (d *Device) Done() <-chan struct{} { return d.done }

// Err says why the macsec device is lost; nil while Done is open.
func (d *Device) Err() error {
	select {
	case <-d.done:
		return d.err
	default:
		return nil
	}
}

// lose notes that the device is no more.
func (d *Device) lose(why error) {
	if d.err == nil {
		d.err = fmt.Errorf("macsec device %s is gone (it or %s was removed, or moved to another network namespace): %w",
			d.cfg.Controlled, d.cfg.LowerName, why)
		d.log.Error("Controlled Port lost: close it and open it again", "controlled", d.cfg.Controlled, "err", d.err)
		close(d.done)
	}
}

// usable is nil while there is a device to change.
func (d *Device) usable() error {
	if d.closed {
		return os.ErrClosed
	}
	return d.err
}

// Reports delivers what nobody has asked for: ReportExhausted, when the transmit SA of a key has stopped, which for a key
// happens once; and ReportFailed, when the kernel does not keep what was ordered. It is never closed.
func (d *Device) Reports() <-chan secy.Report { return d.reports }

// Close ends the watch and, unless keep is true, removes the macsec device. One that is kept goes on as it is, with its
// SAs, for the next Open; only one that is down and has lost routes by that is left dormant instead, with them. Closing twice
// does nothing.
func (d *Device) Close(keep bool) error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	close(d.stop)
	d.mu.Unlock()
	d.polling.Wait()
	d.resuming.Wait()
	defer d.kernel.hangUp()
	switch {
	case d.err != nil:
		return nil
	case keep:
		d.leaveWhole()
		return nil
	}
	if err := d.remove(); err != nil {
		return fmt.Errorf("close Controlled Port %s: %w", d.cfg.Controlled, err)
	}
	return nil
}

// remove deletes the device; one that is gone is no error.
func (d *Device) remove() error {
	_, err := d.kernel.do(removeLink(d.index))
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	return explain("remove "+d.cfg.Controlled, err)
}

package kernel

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"mkad/secy"
)

// guestTime is how long SAs that others have made, those of an earlier mkad among them, go on receiving after a key of
// ours has come into use: as long as CP keeps an old key (802.1X-2020 12.4, SAK Retire Time).
const guestTime = 3 * time.Second

// Apply obeys one order, reads back what the kernel then holds, and appends what there is to report to dst. An order is
// obeyed whole or, with ReportFailed, not counted as obeyed: the next one finds the kernel as it is.
//
// In the life of a Device a key has one transmit SA, which comes into use once: OpControlledPort that disables also ends
// its use, for good. A transmit SA that an earlier mkad has left under the same key identifier and AN is taken over with
// its packet number. A receive SA that is made again for the same SCI and key goes on where the first ended. All this is
// remembered for a bounded number of keys, the latest ones.
//
// OpConfigure with another cipher suite makes another device in the place of this one, with its identity; it is refused
// while there are SAs. Confidentiality offsets 30 and 50 are refused: the kernel has none.
//
// OpRaiseLowestPN and a PN of OpCreateReceiveSA hold for the replay window at that moment. The kernel sets packet numbers
// without looking at what it validates meanwhile, so frames of the millisecond before may be accepted a second time.
func (d *Device) Apply(op secy.Op, dst []secy.Report) []secy.Report {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.usable()
	if err == nil {
		err = d.carryOut(op)
	}
	switch {
	case err != nil:
		return append(dst, secy.Report{Kind: secy.ReportFailed, Key: op.Key, Op: op.Kind, SCI: op.SCI, Err: err.Error()})
	case op.Kind == secy.OpEnableReceive:
		return append(dst, secy.Report{Kind: secy.ReportReceiving, Key: op.Key})
	case op.Kind == secy.OpEnableTransmit:
		return append(dst, secy.Report{Kind: secy.ReportTransmitting, Key: op.Key})
	}
	return dst
}

// carryOut obeys an order and looks whether the kernel has. If either fails, what was wanted before is wanted again,
// unless that was more: what is to be closed or deleted stays so.
func (d *Device) carryOut(op secy.Op) error {
	before := d.want.clone()
	err := explain("read SecY of "+d.cfg.Controlled, d.refresh())
	if err == nil {
		err = d.obey(op)
	}
	if err == nil {
		err = d.verify(op)
	}
	if err == nil {
		return nil
	}
	d.notice(err)
	switch {
	case op.Kind == secy.OpDeleteSAs || op.Kind == secy.OpDeleteReceiveSC:
	case op.Kind == secy.OpControlledPort:
		d.want.enabled = false
		_ = d.showUnsecured() // the poll closes the controls if they are still open
	default:
		d.want = before
	}
	return err
}

// notice looks whether an error comes from the device being gone, alone or with the whole module.
func (d *Device) notice(err error) {
	if !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.ENOENT) || d.err != nil {
		return
	}
	if _, err := d.kernel.link(d.index, ""); errors.Is(err, unix.ENODEV) {
		d.lose(err)
	}
}

func (d *Device) obey(op secy.Op) error {
	switch op.Kind {
	case secy.OpConfigure:
		return d.configure(op.Settings)
	case secy.OpControlledPort:
		return d.controlledPort(op.Enabled)
	case secy.OpCreateReceiveSC:
		return d.createReceiveSC(op.SCI)
	case secy.OpDeleteReceiveSC:
		return d.deleteReceiveSC(op.SCI)
	case secy.OpCreateReceiveSA:
		return d.createReceiveSA(op)
	case secy.OpCreateTransmitSA:
		return d.createTransmitSA(op)
	case secy.OpEnableReceive:
		return d.enableReceive(op.Key)
	case secy.OpEnableTransmit:
		return d.enableTransmit(op.Key)
	case secy.OpDeleteSAs:
		return d.deleteSAs(op.Key)
	case secy.OpRaiseLowestPN:
		return d.raiseLowestPN(op)
	}
	return fmt.Errorf("%s is no order", op.Kind)
}

// configure takes over settings. No suite means the one that the device has.
func (d *Device) configure(set secy.Settings) error {
	suite := canonical(set.CipherSuite)
	if suite == 0 {
		suite = d.want.fixed.suite
	}
	switch {
	case set.ValidateFrames < secy.ValidateDisabled || set.ValidateFrames > secy.ValidateStrict:
		return fmt.Errorf("validateFrames is %s: set disabled, check or strict", set.ValidateFrames)
	case !suite.Known():
		return fmt.Errorf("cipher suite %s is unknown: set one of %v", suite, secy.CipherSuites)
	case set.Offset > secy.Offset0:
		return fmt.Errorf("the kernel has no %s: set offset-0, or backend to \"userspace\"", set.Offset)
	case suite.XPN() && set.ReplayWindow > xpnWindow:
		return fmt.Errorf("replay window %d is too wide for %s: set at most %d", set.ReplayWindow, suite, xpnWindow)
	}
	d.want.controls = controlsOf(set, d.want.fixed.sci)
	if suite != d.want.fixed.suite {
		return d.changeSuite(suite)
	}
	return d.setControls()
}

// changeSuite makes another device, for the kernel changes no suite.
func (d *Device) changeSuite(suite secy.CipherSuite) error {
	if key := d.want.anyKey(); !key.IsZero() {
		return fmt.Errorf("%s cannot take %s while it has SAs of key %s: delete them first", d.cfg.Controlled, suite, key)
	}
	d.want.fixed.suite = suite
	return d.recreate()
}

// controlledPort opens the port from the inside outwards, and closes it the other way round.
func (d *Device) controlledPort(enabled bool) error {
	d.want.enabled = enabled
	if !enabled {
		return errors.Join(d.endTransmission(), d.setControls(), d.showUnsecured())
	}
	if err := d.setControls(); err != nil {
		return err
	}
	return d.showSecured()
}

// endTransmission takes the transmit SA in use out of use.
func (d *Device) endTransmission() error {
	an, ok := d.want.transmitAN(d.want.transmitting)
	d.want.transmitting = secy.KeyID{}
	if !ok || !d.want.transmit[an].active {
		return nil
	}
	d.want.transmit[an].active = false
	err := d.change(fmt.Sprintf("deactivate transmit SA %d", an), activateTransmitSA(d.index, an, false))
	return absentIsFine(err)
}

// absentIsFine takes it for no error that something to be removed is not there.
func absentIsFine(err error) error {
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

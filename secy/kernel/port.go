package kernel

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"mkad/secy"
)

// change makes a request that alters something. An answer that was lost is no error: what the kernel holds is read
// afterwards in any case.
func (d *Device) change(doing string, r request) error {
	_, err := d.kernel.do(r)
	if uncertain(err) {
		d.log.Warn("the kernel's answer was lost; reading what it has done", "request", doing, "err", err)
		return nil
	}
	return explain(doing, err)
}

// setControls gives the kernel the controls that it is to have, unless it has them.
func (d *Device) setControls() error {
	want := d.want.now()
	if d.last.controls == want {
		return nil
	}
	return d.change(fmt.Sprintf("set %s to %v", d.cfg.Controlled, want), changeSettings(d.index, want))
}

// showUnsecured shows the host that the Controlled Port does not carry traffic. The link mode makes it so for carrier to
// come, the operational state for the carrier that is there.
func (d *Device) showUnsecured() error {
	if d.cfg.Unsecured == Down {
		return d.takeDown()
	}
	return d.show(linkModeDormant, operDormant)
}

// showSecured shows the host that the Controlled Port carries traffic.
func (d *Device) showSecured() error {
	if err := d.show(linkModeDefault, operUp); err != nil {
		return err
	}
	d.putBack(d.stripped)
	d.stripped = nil
	return nil
}

func (d *Device) show(mode, state uint8) error {
	doing := "set operational state of " + d.cfg.Controlled
	if err := d.change(doing, setLinkMode(d.index, mode)); err != nil {
		return err
	}
	if err := d.change("bring up "+d.cfg.Controlled, setUp(d.index, true)); err != nil {
		return err
	}
	return d.change(doing, setOperState(d.index, state))
}

// takeDown takes the device down. What addresses that costs it gets back at once, where the kernel takes them; the rest, all
// its routes foremost, is noted. So is all of a bond's port: an address that such a device has when it comes up brings no route.
func (d *Device) takeDown() error {
	link, err := d.kernel.link(d.index, "")
	if err != nil {
		return explain("look up "+d.cfg.Controlled, err)
	}
	before, err := d.kernel.identify(d.index)
	if err != nil {
		return explain("list addresses of "+d.cfg.Controlled, err)
	}
	if err := d.change("take down "+d.cfg.Controlled, setUp(d.index, false)); err != nil {
		return err
	}
	after, err := d.kernel.identify(d.index)
	if err != nil {
		return explain("list addresses of "+d.cfg.Controlled, err)
	}
	for _, e := range without(before.entries, after.entries) {
		if bonded(link) || !e.lasting() || d.kernel.putBack([]entry{e}) != nil {
			d.stripped = append(d.stripped, e)
		}
	}
	return nil
}

// leaveWhole gives a device that is to be left what taking it down has cost it: nobody else knows of it, and the kernel has
// no routes on a device that is down. It is left dormant instead, as closed as it was. One that could receive is left down.
func (d *Device) leaveWhole() {
	if len(d.stripped) == 0 {
		return
	}
	err := d.refresh()
	if err == nil && d.last.receives() {
		err = errors.New("it has receive SAs in use, and stays down")
	}
	if err == nil {
		err = d.setControls()
	}
	if err == nil {
		err = d.show(linkModeDormant, operDormant)
	}
	if err == nil {
		d.putBack(d.stripped)
		return
	}
	for _, e := range d.stripped {
		d.log.Warn("cannot put back", "controlled", d.cfg.Controlled, "what", e.name, "err", err)
	}
}

// putBack gives addresses and routes back. What cannot be given back is logged: traffic goes on without.
func (d *Device) putBack(entries []entry) {
	for _, problem := range d.kernel.putBack(entries) {
		d.log.Warn("cannot put back", "controlled", d.cfg.Controlled, "err", problem)
	}
}

// LowerChanged follows the lower device: its MAC address, its MTU, and its ifindex, which is another when the device has
// vanished and returned; the macsec device, gone with it, is then lost, unless it was only moved. The SCI stays. An error
// leaves what could be followed so; call it again when the cause is gone. After Close it is os.ErrClosed.
func (d *Device) LowerChanged(ifindex int, mac [6]byte, mtu int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return fmt.Errorf("follow lower device %s: %w", d.cfg.LowerName, os.ErrClosed)
	}
	d.lower, d.mac, d.mtu = ifindex, mac, mtu
	err := d.err
	if err == nil {
		err = d.followLower()
	}
	if err != nil {
		return fmt.Errorf("follow lower device %s: %w", d.cfg.LowerName, err)
	}
	return nil
}

// followLower gives the device what it has from the lower device. A bond or team gives its ports their address itself.
func (d *Device) followLower() error {
	link, err := d.kernel.link(d.index, "")
	if errors.Is(err, unix.ENODEV) || err == nil && link.lower != d.lower {
		d.lose(unix.ENODEV)
		return d.err
	}
	if err != nil {
		return explain("look up "+d.cfg.Controlled, err)
	}
	if !bonded(link) && string(link.mac) != string(d.mac[:]) {
		err = d.change("set MAC address of "+d.cfg.Controlled, changeLink(d.index, func(b []byte) []byte {
			return appendAttribute(b, unix.IFLA_ADDRESS, d.mac[:])
		}))
	}
	if mtu := d.mtu - secy.Overhead; err == nil && link.mtu != mtu {
		err = d.setMTU(mtu)
	}
	return err
}

func (d *Device) setMTU(mtu int) error {
	if mtu < minMTU {
		return fmt.Errorf("set MTU of %s: the lower device's MTU of %d leaves %d: raise it to at least %d",
			d.cfg.Controlled, d.mtu, mtu, minMTU+secy.Overhead)
	}
	return d.change(fmt.Sprintf("set MTU of %s to %d", d.cfg.Controlled, mtu), changeLink(d.index, func(b []byte) []byte {
		return appendUint32(b, unix.IFLA_MTU, uint32(mtu))
	}))
}

// minMTU is the smallest MTU that an Ethernet device takes (ETH_MIN_MTU).
const minMTU = 68

// bonded reports whether the device has its MAC address from a bond or team.
func bonded(l linkInfo) bool { return l.masterAs == "bond" || l.masterAs == "team" }

// moveOffload moves an adopted SecY to where it is configured. The kernel does so only for one that is down and without
// SAs and receive SCs, and before Linux 6.3 hardly ever: what it does not do is done by another device.
func (d *Device) moveOffload(link linkInfo) error {
	want := d.want.fixed.offload
	if d.last.fixed.offload == want {
		return nil
	}
	if len(d.last.receive) == 0 && d.last.transmit == [numANs]*securityAssociation{} && !link.up {
		_, err := d.kernel.do(updateOffload(d.index, want))
		if err == nil {
			return nil
		}
		d.log.Info("cannot move the SecY where it stands", "controlled", d.cfg.Controlled, "to", want, "err", err)
	}
	return d.recreate()
}

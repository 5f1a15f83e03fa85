package kernel

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"mkad/secy"
)

// An Offer is what the kernel can do on one lower device, as Probe found it.
type Offer struct {
	Available  error // why there is no SecY to be had, with the remedy; nil: there is one
	Suites     []secy.CipherSuite
	Capability secy.Capability // there are no confidentiality offsets 30 and 50
}

// The trials of Probe, strongest first: what takes one suite takes all listed with it. The kernel learnt XPN last.
var trials = []struct {
	suite secy.CipherSuite
	takes []secy.CipherSuite
}{
	{secy.GCMAESXPN256, secy.CipherSuites[:]},
	{secy.GCMAES256, []secy.CipherSuite{secy.GCMAES128, secy.GCMAES256}},
	{secy.GCMAES128, []secy.CipherSuite{secy.GCMAES128}},
}

// The macsec device of a trial: a name that the kernel completes by a number, and an SCI that nobody has, for its MAC
// address is a locally administered one.
const (
	trialName = "mkadtry"
	trialSCI  = secy.SCI(0x026d6b6164ff_ffff)
)

// Probe finds out what the kernel, or with offload the hardware below it, can do on a lower device, by making a macsec
// device for a moment, never up. The kernel loads its macsec module for that where it has one. x is as in Config.
//
// It takes part of the hardware's room while it lasts, so it is for when a port is configured. It needs what Open needs.
func Probe(x Exchange, lower int, offload Offload) Offer {
	c, err := converse(x)
	if err != nil {
		return Offer{Available: err}
	}
	defer c.hangUp()
	if err := permitted(c); err != nil {
		return Offer{Available: err}
	}
	var refusal error
	for _, trial := range trials {
		refusal = c.try(lower, fixedAttributes{trialSCI, trial.suite, standardICV, offload})
		if refusal == nil {
			return Offer{Suites: trial.takes, Capability: secy.CapabilityConfidentiality}
		}
	}
	return Offer{Available: refusal}
}

// Vacant reports what keeps a macsec device of that name and SCI from being made on a lower device: that another one there has
// the SCI. Probe does not see that. x is as in Config.
func Vacant(x Exchange, lower int, name string, sci secy.SCI) error {
	c, err := converse(x)
	if err != nil {
		return err
	}
	defer c.hangUp()
	return c.vacant(lower, name, sci)
}

func (c *conversation) vacant(lower int, name string, sci secy.SCI) error {
	links, err := c.links()
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	for _, l := range links {
		if l.kind != linkKind || l.lower != lower || l.lowerNS || l.name == name {
			continue
		}
		s, err := c.state(l.index)
		switch {
		case errors.Is(err, unix.ENODEV) || errors.Is(err, errUnlisted): // making ours will tell
		case err != nil:
			return explain("read SecY of "+l.name, err)
		case s.fixed.sci == sci:
			return fmt.Errorf("another SecY on it has that SCI, %s: end what has made %s and remove it (ip link del %s), or set "+
				"another port_id", sci, l.name, l.name)
		}
	}
	return nil
}

// permitted reports whether SAs can be touched, by an order about no device, and finds the macsec family.
func permitted(c *conversation) error {
	err := c.findFamily()
	switch {
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("the kernel has no macsec, and none could be loaded (modprobe macsec; CONFIG_MACSEC): %w", err)
	case err != nil:
		return err
	}
	_, err = c.do(delTransmitSA(0, 0))
	if errors.Is(err, unix.EPERM) {
		return explain("touch SAs", err)
	}
	return nil
}

// try makes a macsec device and removes it.
func (c *conversation) try(lower int, fixed fixedAttributes) error {
	doing := fmt.Sprintf("try a macsec device with %s, offload %s", fixed.suite, fixed.offload)
	if _, err := c.do(makeLink(0, trialName+"%d", nil, lower, fixed)); err != nil {
		return explainMaking(doing, err)
	}
	links, err := c.links()
	if err != nil {
		return explain(doing, err)
	}
	for _, l := range links {
		if l.lower == lower && l.kind == linkKind && strings.HasPrefix(l.name, trialName) {
			made := c.made(l.index, fixed)
			_, removed := c.do(removeLink(l.index))
			return explain(doing, errors.Join(made, removed))
		}
	}
	return fmt.Errorf("%s: it has vanished: %w", doing, unix.ENODEV)
}

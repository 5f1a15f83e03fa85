package main

import (
	"context"
	"errors"
	"fmt"

	"mkad/internal/netlab"
)

// shown is how many frames that do not belong on the wire are printed: enough to see what they are.
const shown = 5

// endCapture ends the capture at both ends and keeps it where the options say; further calls do nothing.
func (d *demo) endCapture() (captures []netlab.Capture, err error) {
	for _, w := range d.wire {
		c, stopped := w.Stop()
		captures, err = append(captures, c), errors.Join(err, stopped)
	}
	d.wire = nil
	if err != nil || d.pcap == "" || captures == nil {
		return captures, err
	}
	return captures, netlab.WritePcapng(d.pcap, []string{"to west", "to east"}, captures...)
}

// verdict ends the capture and says what was on the wire.
func (d *demo) verdict(context.Context) error {
	captures, err := d.endCapture()
	if err != nil {
		return err
	}
	d.say("frames on the wire:")
	for i, h := range d.link.Hosts() {
		for _, t := range captures[i].Types() {
			d.show(fmt.Sprintf("to %s: %6d  %s", h.Name, captures[i].Count(t), t))
		}
	}
	err = errors.Join(onlySecured("to west", captures[0]), onlySecured("to east", captures[1]))
	if err == nil {
		d.say("only MACsec and EAPOL: nothing went over the wire in clear")
	}
	return err
}

// onlySecured holds a capture to the two EtherTypes of a secured wire, both of which must be there.
func onlySecured(direction string, c netlab.Capture) error {
	var failed []error
	for _, t := range []netlab.EtherType{netlab.EtherTypeEAPOL, netlab.EtherTypeMACsec} {
		if c.Count(t) == 0 {
			failed = append(failed, fmt.Errorf("wire %s: no %s frame was captured", direction, t))
		}
	}
	for _, t := range c.Types() {
		if t != netlab.EtherTypeEAPOL && t != netlab.EtherTypeMACsec {
			failed = append(failed, fmt.Errorf("wire %s: %d frames of %s in clear", direction, c.Count(t), t))
		}
	}
	for i, f := range c.Except(netlab.EtherTypeEAPOL, netlab.EtherTypeMACsec) {
		if i == shown {
			break
		}
		at, start := f.At.Format("15:04:05.000"), f.Data[:min(len(f.Data), 64)]
		failed = append(failed, fmt.Errorf("wire %s: %s %x", direction, at, start))
	}
	return errors.Join(failed...)
}

package link

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"testing"

	"mkad/internal/control"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// Clause: none; VLANs above a Controlled Port are the user's, and a VLAN device may be the lower device: with the kernel's SecY in
// the west, and ours in the east.
func TestGuestVLANDevicesAboveAndBelow(t *testing.T) {
	l := newLink(t, `backend = "kernel"`, `backend = "userspace"`)
	const below, above = "eth1.5", "macsec0.7"
	for _, h := range l.Hosts() {
		run(t, h, "ip link add link eth1 name eth1.5 type vlan id 5")
		text, err := os.ReadFile(h.ConfigFile())
		must(t, err)
		text = bytes.Replace(text, fmt.Appendf(nil, "interface = %q", mkadlab.Lower), fmt.Appendf(nil, "interface = %q", below), 1)
		must(t, os.WriteFile(h.ConfigFile(), text, 0o644))
	}
	wire, err := netlab.StartCapture(l.East.Namespace, mkadlab.Lower)
	must(t, err)
	must(t, l.StartDaemons(t.Context()))
	must(t, l.Connect()) // now that they are closed: VLAN devices come up with the device below them
	must(t, l.Both(func(h *mkadlab.Host) error {
		_, err := h.Control.Wait(t.Context(), control.Secured)
		return err
	}))
	for _, h := range l.Hosts() {
		run(t, h, "ip link add link macsec0 name macsec0.7 type vlan id 7")
		must(t, h.SetUp(above))
	}
	must(t, l.West.AddAddress(above, mkadlab.WestAddress+"/24"))
	must(t, l.East.AddAddress(above, mkadlab.EastAddress+"/24"))
	// The largest IP packet that both take: on a macsec device a VLAN has 4 octets less, for its tag, and on a TAP it has not.
	largest := fmt.Sprintf("ping -n -M do -s %d -c 5 -i 0.2 -w 20 ", 1468-4-28)
	run(t, l.West, largest+mkadlab.EastAddress)
	run(t, l.East, largest+mkadlab.WestAddress)
	capture, err := wire.Stop()
	must(t, err)
	onlySecuredInVLAN(t, capture, 5)
}

// onlySecuredInVLAN wants MACsec and EAPOL, and nothing else, in a VLAN of a wire.
func onlySecuredInVLAN(t *testing.T, c netlab.Capture, id uint16) {
	t.Helper()
	const vlan = 0x8100
	protected := 0
	for _, f := range c.Frames {
		if netlab.EtherTypeOf(f.Data) != vlan || len(f.Data) < 18 || binary.BigEndian.Uint16(f.Data[14:])&0xfff != id {
			continue // of the lower device's own host
		}
		switch netlab.EtherType(binary.BigEndian.Uint16(f.Data[16:])) {
		case netlab.EtherTypeMACsec:
			protected++
		case netlab.EtherTypeEAPOL:
		default:
			t.Errorf("in clear in the VLAN: %x", f.Data)
		}
	}
	if protected < 10 {
		t.Errorf("%d MACsec frames have the tag of the VLAN below; captured %v", protected, c.Types())
	}
}

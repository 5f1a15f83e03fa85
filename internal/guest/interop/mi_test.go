package interop

import (
	"bytes"

	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// Where an MKPDU has the MI of its sender: behind the addresses and the EtherType, four octets of EAPOL, and of the Basic
// Parameter Set four octets and the SCI (802.1X-2020 11.3, 11.11.1, Figure 11-8).
const (
	miOffset = 14 + 4 + 4 + 8
	miLength = 12
)

// misOf counts the MIs that a host has one after another, in a capture at the other end: the last of the EAPOL frames that have
// come already, and each that is another than before.
func misOf(c netlab.Capture, h *mkadlab.Host, already uint64) (n int) {
	d, err := h.Device(mkadlab.Lower)
	if err != nil {
		return 0
	}
	var last []byte
	var seen uint64
	for _, f := range c.Frames {
		if netlab.EtherTypeOf(f.Data) != netlab.EtherTypeEAPOL {
			continue
		}
		seen++
		if len(f.Data) < miOffset+miLength || !bytes.Equal(f.Data[6:12], d.MAC) {
			continue
		}
		if mi := f.Data[miOffset : miOffset+miLength]; !bytes.Equal(mi, last) {
			if n++; seen <= already {
				n = 1
			}
			last = mi
		}
	}
	return n
}

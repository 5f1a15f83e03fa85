package kernel

import "fmt"

// An Offload says who protects the frames of a macsec device: the CPU, the PHY or the NIC, in the kernel's code.
type Offload uint8

// The three places.
const (
	OffloadOff Offload = 0 // software
	OffloadPHY Offload = 1
	OffloadMAC Offload = 2
)

// String is the name that ip-macsec(8) has for it.
func (o Offload) String() string {
	switch o {
	case OffloadOff:
		return "off"
	case OffloadPHY:
		return "phy"
	case OffloadMAC:
		return "mac"
	}
	return fmt.Sprintf("Offload(%d)", uint8(o))
}

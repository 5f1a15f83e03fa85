package port

import "fmt"

// A Link is the state of the network device that has a name. Links are plain values and can be compared.
type Link struct {
	Name   string
	Exists bool // false: no device has the name now, and all that follows is zero

	Index int
	// Life numbers the devices that the watcher has seen: another value is another device, even with the same Index, on
	// which sockets and filters have to be made anew. (One thing it cannot tell: a device that left and came back with
	// its Index while the kernel dropped messages.)
	Life uint64

	MAC     [6]byte
	MTU     int  // octets of user data
	Up      bool // administratively
	Carrier bool // MAC_Operational (802.1AC 11.2): up, and what is below it can carry a frame

	Kind     string // as "ip -details link" prints it, for instance "veth"; "" for hardware
	Ethernet bool
	Loopback bool

	Master     string // the device of which this one is a part, for instance a bridge; "" for none
	MasterKind string // what it is there, for instance "bridge"
	Macvlan    string // one of the macvlan or ipvlan devices on top of it, in this network namespace; "" for none
}

// An Unfit is a reason for which a device cannot be a lower device: a closed list that serves log, status and test.
type Unfit uint8

// The reasons. The zero value is none.
const (
	UnfitLoopback Unfit = iota + 1
	UnfitNotEthernet
	UnfitBridgePort
	UnfitBondSlave
	UnfitTeamSlave
	UnfitPart // of something else than a bridge, a bond or a team
	UnfitMacvlanParent
	UnfitOccupied // another program speaks EAPOL on it
)

var unfitNames = [...]string{"", "loopback", "not-ethernet", "bridge-port", "bond-slave", "team-slave", "part",
	"macvlan-parent", "occupied"}

// String is the reason in one word.
func (u Unfit) String() string {
	if int(u) < len(unfitNames) && u > 0 {
		return unfitNames[u]
	}
	return fmt.Sprintf("Unfit(%d)", uint8(u))
}

// An UnfitError tells that a device cannot be a lower device, and what to do about it.
type UnfitError struct {
	Interface string
	Reason    Unfit
	Other     string // the device or program that is in the way; "" for UnfitLoopback and UnfitNotEthernet
}

// Error names the device, the reason and the remedy.
func (e *UnfitError) Error() string {
	return fmt.Sprintf("%s cannot be a lower device (%s): %s", e.Interface, e.Reason, e.remedy())
}

func (e *UnfitError) remedy() string {
	switch e.Reason {
	case UnfitLoopback:
		return "nothing leaves the host through it; name a network card"
	case UnfitNotEthernet:
		return "MACsec protects Ethernet frames; name an Ethernet device"
	case UnfitOccupied:
		return fmt.Sprintf("%s speaks 802.1X on it; have it leave %s alone", e.Other, e.Interface)
	case UnfitMacvlanParent:
		return fmt.Sprintf("%s takes frames from it in clear; put %s on the Controlled Port instead", e.Other, e.Other)
	}
	return fmt.Sprintf("%s takes its frames; remove it from %s and make the Controlled Port a part of %s instead",
		e.Other, e.Other, e.Other)
}

// Lowerable reports, as an *UnfitError, why the device may not be a lower device: it is no Ethernet device, or another
// device takes its frames before, or besides, the SecY. What has moved to another network namespace is not seen. A Link
// that does not exist gives nil: there is nothing to say against it yet.
func Lowerable(l Link) error {
	if !l.Exists {
		return nil
	}
	reason, other := unfit(l)
	if reason == 0 {
		return nil
	}
	return &UnfitError{Interface: l.Name, Reason: reason, Other: other}
}

func unfit(l Link) (reason Unfit, other string) {
	switch {
	case l.Loopback:
		return UnfitLoopback, ""
	case !l.Ethernet:
		return UnfitNotEthernet, ""
	case l.MasterKind != "":
		return unfitPart(l.MasterKind), l.Master
	case l.Macvlan != "":
		return UnfitMacvlanParent, l.Macvlan
	}
	return 0, ""
}

// unfitPart judges by what the device is a part of. A VRF only chooses a routing table and leaves frames alone.
func unfitPart(kind string) Unfit {
	switch kind {
	case "vrf":
		return 0
	case "bridge":
		return UnfitBridgePort
	case "bond":
		return UnfitBondSlave
	case "team":
		return UnfitTeamSlave
	}
	return UnfitPart
}

package userspace

import "sync/atomic"

// Drops counts the frames that the data path gave up for reasons that 802.1AE has no counter for.
type Drops struct {
	// ForeignVLAN: MACsec frames that came with a VLAN tag of their own, which the kernel took away. They belong to the
	// SecY of a VLAN device, not to this one.
	ForeignVLAN uint64
	// Truncated: received frames longer than the lower device's MTU allows.
	Truncated uint64
	// ControlledPort: verified frames that the TAP did not take, because it is administratively down.
	ControlledPort uint64
	// Malformed: frames from the TAP that contradict their virtio-net header.
	Malformed uint64
	// SendErrors: protected frames that the lower device did not take, because it or the peer is down or its queue is
	// full.
	SendErrors uint64
	// ReceiveErrors: errors, not frames, that the lower device reported to the receiver, as when it goes down.
	ReceiveErrors uint64
}

// drops is the live form of Drops, and of the counters of 802.1AE that only the data path can know.
type drops struct {
	foreignVLAN, truncated, controlledPort, malformed, sendErrors, receiveErrors atomic.Uint64

	tooLong  atomic.Uint64 // OutPktsTooLong
	overruns atomic.Uint64 // InPktsOverrun
}

func (d *drops) read() Drops {
	return Drops{
		ForeignVLAN:    d.foreignVLAN.Load(),
		Truncated:      d.truncated.Load(),
		ControlledPort: d.controlledPort.Load(),
		Malformed:      d.malformed.Load(),
		SendErrors:     d.sendErrors.Load(),
		ReceiveErrors:  d.receiveErrors.Load(),
	}
}

package daemon

import "mkad/secy"

// A SecY is a port's SecY, whichever backend it is. Apply and LowerChanged are called by the port's goroutine only.
type SecY interface {
	// Apply obeys an Op and appends what there is to report.
	Apply(op secy.Op, dst []secy.Report) []secy.Report
	// Adopt takes over the SAs of claims that the SecY has from before it was opened, and tells what there is of each. nil:
	// none is in service. It is called before the first Op, if at all.
	Adopt(claims []secy.Claim) []secy.Holding
	// PN samples the next packet number of the transmit SA of key.
	PN(key secy.KeyID) (secy.PN, bool)
	// LowestPN is the lowest acceptable packet number of a receive SA.
	LowestPN(sci secy.SCI, key secy.KeyID) (secy.PN, bool)
	// Counters reads the statistics of 802.1AE-2018 10.7.
	Counters() secy.Counters
	// LowerChanged follows the lower device: another index, address or MTU.
	LowerChanged(ifindex int, mac [6]byte, mtu int) error
	// Reports carries what the SecY has to tell unasked.
	Reports() <-chan secy.Report
	// Done is closed when the SecY can work no longer, for instance because somebody removed its device; Err says why.
	Done() <-chan struct{}
	Err() error
	// Close ends the SecY. With keep its device stays, without carrier, for the next mkad.
	Close(keep bool) error
}

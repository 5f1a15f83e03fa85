// Package offload decides which SecY a port gets: a MACsec engine in the NIC or the PHY, the kernel's, or mkad's own in
// user space, and says why. It is pure: somebody else probes the machine and hands in what is on offer.
//
//	offers := []offload.Offer{offload.Userspace(tunErr)}
//	choice, err := offload.Choose(offload.BackendAuto, need, offers)
package offload

import (
	"fmt"
	"slices"
	"strings"

	"mkad/secy"
)

// A Backend is a kind of SecY. The zero value is invalid.
type Backend uint8

// The backends by their names in the configuration, in the order in which BackendAuto prefers them: the earlier one
// takes more work off the CPU.
const (
	BackendAuto      Backend = iota + 1 // the best that is available
	BackendMAC                          // a NIC's MACsec engine, through the kernel
	BackendPHY                          // a PHY's MACsec engine, through the kernel
	BackendKernel                       // the kernel's macsec device
	BackendUserspace                    // mkad's own: a TAP device over a packet socket
)

var backendNames = [...]string{"", "auto", "offload-mac", "offload-phy", "kernel", "userspace"}

// ParseBackend finds a backend by its name, for instance "offload-mac".
func ParseBackend(name string) (Backend, bool) {
	for b := BackendAuto; b <= BackendUserspace; b++ {
		if b.String() == name {
			return b, true
		}
	}
	return 0, false
}

// BackendNames lists the names of all backends, BackendAuto first.
func BackendNames() []string { return slices.Clone(backendNames[BackendAuto:]) }

// String is the configuration's name of the backend.
func (b Backend) String() string {
	if int(b) < len(backendNames) && b > 0 {
		return backendNames[b]
	}
	return fmt.Sprintf("Backend(%d)", uint8(b))
}

// A Need is what a port asks of its SecY.
type Need struct {
	Suites []secy.CipherSuite         // those allowed, most wanted first
	Offset secy.ConfidentialityOffset // never weakened to make an offer fit
}

// An Offer is what one backend can do on one port, as a probe found it.
type Offer struct {
	Backend    Backend // any but BackendAuto
	Available  bool
	Why        string // when not Available: what is missing and the remedy, for people
	Err        error  // and what the system said, if it said something
	Suites     []secy.CipherSuite
	Capability secy.Capability
}

// Userspace is the offer of mkad's own SecY, which can do everything wherever the kernel has TAP devices. tun is the
// error that opening one gave, nil if it went well.
func Userspace(tun error) Offer {
	o := Offer{Backend: BackendUserspace, Available: tun == nil, Suites: secy.CipherSuites[:],
		Capability: secy.CapabilityOffsets}
	if tun != nil {
		o.Err = tun
		o.Why = fmt.Sprintf("no TAP device: %v; load the tun module and let mkad open /dev/net/tun", tun)
	}
	return o
}

// covers reports whether the backend can do the offset, without weakening it.
func (o Offer) covers(offset secy.ConfidentialityOffset) bool {
	return o.Capability.Limit(offset) == offset
}

// suites lists those of wanted that the backend can do with the offset, in the order of wanted.
func (o Offer) suites(wanted []secy.CipherSuite, offset secy.ConfidentialityOffset) (suites []secy.CipherSuite) {
	for _, s := range wanted {
		if slices.Contains(o.Suites, s) && s.Allows(offset) {
			suites = append(suites, s)
		}
	}
	return suites
}

// refusal says why the offer does not meet the need, "" if it does.
func (o Offer) refusal(need Need) string {
	switch {
	case !o.Available:
		return o.Why
	case !o.covers(need.Offset):
		return fmt.Sprintf("cannot do confidentiality %q", need.Offset)
	case len(o.suites(need.Suites, need.Offset)) == 0:
		return fmt.Sprintf("can do none of cipher_suites with confidentiality %q, only %s", need.Offset,
			names(o.suites(o.Suites, need.Offset)))
	}
	return ""
}

func names(suites []secy.CipherSuite) string {
	s := make([]string, len(suites))
	for i, c := range suites {
		s[i] = c.String()
	}
	return strings.Join(s, ", ")
}

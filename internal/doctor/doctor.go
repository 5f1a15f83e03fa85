// Package doctor says what a machine can do for mkad: which SecYs there are, whether lower devices can be closed, what
// protects frames fast, what the devices are fit for. It looks, on a device of its own that is there for a moment, and
// leaves everything as it was.
//
//	facts, err := doctor.Look()
//	report := doctor.Judge(facts)
package doctor

import (
	"fmt"
	"slices"
	"strings"

	"mkad/secy"
)

// Facts are what was found out.
type Facts struct {
	Kernel       string // release
	Capabilities Capabilities
	TUN          error              // why there is no TAP device to be had; nil: there is
	Filter       error              // why no device can be closed
	MACsec       error              // why there is no macsec device to be had
	Suites       []secy.CipherSuite // that it takes
	GCM          []string           // the kernel's drivers of gcm(aes), best first
	AES          bool               // the processor has instructions for AES
	ClockKept    bool               // something keeps the clock right
	Devices      []Device           // that could be lower devices, in the order of their names
	Unlisted     error              // why the devices could not be listed
}

// Capabilities are those of whoever asks.
type Capabilities struct {
	NetAdmin, NetRaw bool
	FirstUserNS      bool // they hold for the whole machine
}

// A Device is one of the machine.
type Device struct {
	Name     string
	Driver   string
	MTU      int
	Unfit    error  // why it cannot be a lower device
	PHY      string // its driver, "" where there is none that the kernel knows
	Offloads []string
	Server   string // the mkad that serves it, for people; ""
	Used     string // the macsec device on it, beside which its hardware is not tried
	Behind   bool   // a virtual switch
}

// A Grade says how well something stands.
type Grade string

// The grades.
const (
	Good    Grade = "good"
	Limited Grade = "limited" // it works, with a loss that is told
	Missing Grade = "missing"
)

// A Finding is one thing that the doctor has to say.
type Finding struct {
	What   string `json:"what"`
	Grade  Grade  `json:"grade"`
	Say    string `json:"say"`
	Remedy string `json:"remedy"` // "" when there is nothing to do
}

// A Report is all findings.
type Report struct {
	Version  int       `json:"version"`
	Kernel   string    `json:"kernel"`
	Findings []Finding `json:"findings"`
}

// Judge says in words what the facts mean.
func Judge(f Facts) Report {
	r := Report{Version: 1, Kernel: f.Kernel}
	r.Findings = append(r.Findings, f.rights(), f.filter(), f.macsec(), f.userspace(), f.crypto(), f.clock())
	if f.Unlisted != nil {
		r.Findings = append(r.Findings, Finding{"devices", Missing, f.Unlisted.Error(), ""})
	}
	for _, d := range f.Devices {
		r.Findings = append(r.Findings, d.judge())
	}
	return r
}

func (f Facts) rights() Finding {
	const what = "capabilities"
	switch {
	case !f.Capabilities.NetAdmin || !f.Capabilities.NetRaw:
		return Finding{what, Missing, "CAP_NET_ADMIN or CAP_NET_RAW is not there, and much below could not be looked at",
			"ask again as root"}
	case !f.Capabilities.FirstUserNS:
		return Finding{what, Limited, "they hold in a user namespace only, where the kernel's macsec cannot be keyed", ""}
	}
	return Finding{what, Good, "CAP_NET_ADMIN and CAP_NET_RAW", ""}
}

func (f Facts) filter() Finding {
	if f.Filter != nil {
		return Finding{"closing lower devices", Missing, f.Filter.Error(), `with uncontrolled = "open" mkad serves them open`}
	}
	return Finding{"closing lower devices", Good, "nftables has the netdev ingress and egress hooks", ""}
}

func (f Facts) macsec() Finding {
	const what = "kernel SecY"
	switch {
	case f.MACsec != nil:
		return Finding{what, Missing, f.MACsec.Error(), "mkad uses its own SecY in user space; a wpa_supplicant here would need modprobe macsec"}
	case !slices.Contains(f.Suites, secy.GCMAESXPN256):
		return Finding{what, Limited, "macsec without XPN: " + names(f.Suites), "a kernel from 5.8 on has XPN"}
	}
	return Finding{what, Good, "macsec with " + names(f.Suites) + "; no confidentiality offsets 30 and 50", ""}
}

func names(suites []secy.CipherSuite) string {
	var words []string
	for _, s := range suites {
		words = append(words, s.String())
	}
	return strings.Join(words, ", ")
}

func (f Facts) userspace() Finding {
	if f.TUN != nil {
		return Finding{"user-space SecY", Missing, f.TUN.Error(), "modprobe tun, and let mkad open /dev/net/tun"}
	}
	return Finding{"user-space SecY", Good, "TAP devices, all suites and offsets", ""}
}

// crypto looks at what the kernel's SecY is fast with; that of user space needs the processor's instructions only.
func (f Facts) crypto() Finding {
	const what = "AES-GCM"
	switch {
	case !f.AES:
		return Finding{what, Limited, "the processor has no instructions for AES that are known here", "expect some ten MB/s for each core"}
	case len(f.GCM) == 0 && f.MACsec == nil:
		return Finding{what, Limited, "the processor has AES; the kernel tells of no gcm(aes) before it is first used", ""}
	case len(f.GCM) == 0:
		return Finding{what, Good, "the processor has AES", ""}
	case strings.Contains(f.GCM[0], "generic") && !strings.Contains(f.GCM[0], "aesni"):
		return Finding{what, Limited, "the kernel's gcm(aes) is " + f.GCM[0], "load the module for this processor, for instance aesni_intel"}
	}
	return Finding{what, Good, "the processor has AES; the kernel's gcm(aes) is " + f.GCM[0], ""}
}

func (f Facts) clock() Finding {
	if !f.ClockKept {
		return Finding{"clock", Limited, "nothing keeps it right, as far as the kernel knows", "keys with start or end need it: chrony or systemd-timesyncd"}
	}
	return Finding{"clock", Good, "it is kept right", ""}
}

// overhead is what MACsec adds to a frame at most, in octets.
const overhead = secy.Overhead

// ethernet is what hosts expect of an Ethernet, in octets.
const ethernet = 1500

func (d Device) judge() Finding {
	what := "device " + d.Name
	if d.Unfit != nil {
		return Finding{what, Missing, d.Unfit.Error(), ""}
	}
	say := fmt.Sprintf("MTU %d, so %d inside", d.MTU, d.MTU-overhead)
	if d.Driver != "" {
		say += "; driver " + d.Driver
	}
	if d.Server != "" {
		say += "; " + d.Server + " serves it"
	}
	if d.PHY != "" {
		say += "; PHY " + d.PHY
	}
	if d.Used != "" {
		say += "; " + d.Used + " is on it, so MACsec in hardware was not tried"
	}
	if len(d.Offloads) > 0 {
		say += "; MACsec in hardware: " + strings.Join(d.Offloads, ", ")
	}
	if trap := trapOf(d.Driver, d.PHY); trap != "" && (len(d.Offloads) > 0 || d.Used != "") {
		say += " (" + trap + ")"
	}
	if d.Behind {
		say += "; a virtual switch may keep EAPOL and forged addresses back"
	}
	if d.MTU < ethernet+overhead {
		return Finding{what, Limited, say, fmt.Sprintf("for %d inside, where the network carries it: ip link set %s mtu %d", ethernet,
			d.Name, ethernet+overhead)}
	}
	return Finding{what, Good, say, ""}
}

package doctor

import (
	"slices"
	"strings"
)

// A trap is what the MACsec engine behind a driver does otherwise than the kernel's SecY, seen in the drivers of Linux 6.12.
type trap struct {
	driver string // how the name of the NIC's or PHY's driver begins
	says   string
}

var traps = []trap{
	{"atlantic", "no XPN; 8 SecYs; a change of a transmit SA sets its packet number anew"},
	{"mlx5_core", "replay_window must be 32, 64, 128 or 256; 16 SecYs; no counters; " + unread},
	{"rvu_nicpf", "all ports share 128 SecYs and 256 SAs, on CNF10KB 64 and 128; " + unread},
	{"Microsemi GE VSC8584", vsc},
	{"Microsemi GE VSC8582", vsc},
	{"Microsemi GE VSC856", vsc},
	{"NXP C45 TJA11", "4 SecYs; one peer on each; two SAs each way, so two keys at a time; it puts a tag of its own on frames, for " +
		"which the lower MTU needs room; " + unread},
	{"netdevsim", "it protects nothing, and is for tests: frames stay in clear"},
}

// unread is of engines whose packet numbers cannot be read: mkad cannot see that they run out.
const unread = "packet numbers cannot be read: keep to XPN suites, or set sak_lifetime"

const vsc = "one SecY; takes XPN suites and protects without XPN: list GCM-AES-128 or GCM-AES-256 in cipher_suites, and set sak_lifetime, " +
	"for packet numbers cannot be read; any change of the macsec device takes its keys away; no counters"

// trapOf is what is to be known of the engine behind one of the drivers; "" when nothing is.
func trapOf(drivers ...string) string {
	for _, d := range drivers {
		at := slices.IndexFunc(traps, func(t trap) bool { return strings.HasPrefix(d, t.driver) })
		if d != "" && at >= 0 {
			return traps[at].says
		}
	}
	return ""
}

package optiontest

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// A protocol is what the frames of a probe belong to.
type protocol uint8

// The protocols. ND and Ping are IPv6's; DHCP stands for a host's IPv4 by broadcast.
const (
	arp protocol = iota
	nd
	ping
	dhcp
	lldp
	stp
	lacp
	numProtocols
)

var protocolNames = [numProtocols]string{"ARP", "IPv6 ND", "IPv6", "DHCP", "LLDP", "STP", "LACP"}

func (p protocol) String() string { return protocolNames[p] }

// bypass is the name that lets the protocol through a closed device; "": none does.
func (p protocol) bypass() string {
	if p < lldp {
		return ""
	}
	return strings.ToLower(p.String())
}

// A place is a device of a port.
type place uint8

const (
	lower      place = iota // the Common Port, as the host itself may use it
	controlled              // the Controlled Port
	numPlaces
)

func (d place) String() string { return [...]string{"lower device", "Controlled Port"}[d] }

// A state is where a port has come to.
type state uint8

// The states, in the order in which a test goes through them.
const (
	unsecured state = iota // no peer yet
	secured
	peerLost
	ended  // mkad was asked to end, while secured
	killed // mkad was killed, while secured
	numStates
)

func (s state) String() string {
	return [...]string{"unsecured", "secured", "after the loss of the peer", "after the end of mkad", "after the death of mkad"}[s]
}

// A way is how frames pass, if they do.
type way uint8

const (
	stopped way = iota
	inClear
	protected
	mayProtected // protected or not at all, as long as the peer goes along; never in clear
)

func (w way) String() string {
	return [...]string{"stopped", "in clear", "protected", "at most protected"}[w]
}

// A combination is one port's options.
type combination struct {
	policy, uncontrolled, onExit, onUnsecured string
	bypass                                    []string
}

// String is the combination as a name.
func (c combination) String() string {
	return fmt.Sprintf("%s/%s/%s/%s/bypass %v", c.policy, c.uncontrolled, c.onExit, c.onUnsecured, c.bypass)
}

// lines are the combination in a [[port]] table.
func (c combination) lines() string {
	return fmt.Sprintf("policy = %q\nuncontrolled = %q\non_exit = %q\non_unsecured = %q\nbypass = [%s]\n", c.policy,
		c.uncontrolled, c.onExit, c.onUnsecured, quoted(c.bypass))
}

func quoted(words []string) string {
	var q []string
	for _, w := range words {
		q = append(q, fmt.Sprintf("%q", w))
	}
	return strings.Join(q, ", ")
}

// combinations are all that make sense: each of the four choices with each, with no bypass and with all, and each protocol
// bypassed alone. few are each of the four choices with each, and no bypass and all by turns, so that each bypass meets each
// choice: for an emulated machine, to which every port of the kernel's is a burden.
func combinations(few bool) (all []combination) {
	everyBypass := []string{"lldp", "stp", "lacp"}
	for i := range 1 << 4 {
		choice := func(bit int, options ...string) string { return options[i>>bit&1] }
		c := combination{policy: choice(0, "must-secure", "should-secure"), uncontrolled: choice(1, "closed", "open"),
			onExit: choice(2, "keep", "remove"), onUnsecured: choice(3, "dormant", "down")}
		with := c
		with.bypass = everyBypass
		switch {
		case !few:
			all = append(all, c, with)
		case bits.OnesCount(uint(i))%2 == 0:
			all = append(all, c)
		default:
			all = append(all, with)
		}
	}
	if few {
		return all
	}
	for _, policy := range []string{"must-secure", "should-secure"} {
		for _, one := range everyBypass {
			all = append(all, combination{policy, "closed", "keep", "dormant", []string{one}})
		}
	}
	return all
}

// A model is what is promised of a port: what README, docs/options.md and docs/controlled-port.md say, as functions.
type model struct {
	combination
	kernel bool // the SecY is the kernel's, else ours in user space
}

// closed reports whether the lower device is closed to the host: from the start of mkad, until on_exit = "remove" opens it. A
// mkad that is killed opens nothing.
func (m model) closed(s state) bool {
	return m.uncontrolled == "closed" && !m.opened(s)
}

// opened reports whether mkad has opened the lower device at its end.
func (m model) opened(s state) bool { return s == ended && m.onExit == "remove" }

// gone reports whether there is no Controlled Port: on_exit = "remove" removes it, and that of user space goes with a mkad
// that is killed, too.
func (m model) gone(s state) bool {
	return m.onExit == "remove" && (s == ended || s == killed && !m.kernel)
}

// out is how frames that the host sends by a device leave it.
func (m model) out(d place, p protocol, s state) way {
	if d == controlled {
		return m.traffic(s)
	}
	if !m.closed(s) || slices.Contains(m.bypass, p.bypass()) {
		return inClear
	}
	return stopped
}

// in is how frames that come to a device reach the host. Under should-secure the kernel's SecY takes plain frames off the
// lower device only after whoever could stop them there: only IP and ARP of the host refuse them (docs/controlled-port.md).
func (m model) in(d place, p protocol, s state) way {
	if d == lower && m.kernel && m.policy == "should-secure" && p.bypass() != "" {
		return inClear
	}
	return m.out(d, p, s)
}

// traffic is how the Controlled Port carries frames, of every protocol. Without mkad the kernel's SecY may go on with the keys
// that it has; that of user space has ended.
func (m model) traffic(s state) way {
	switch {
	case s == secured:
		return protected
	case s == ended || s == killed:
		if m.kernel && !m.gone(s) {
			return mayProtected
		}
	case m.policy == "should-secure":
		return inClear
	}
	return stopped
}

// look is the Controlled Port as "ip link" shows it: its operational state, with a + if it is administratively up. "": there
// is none, and "any" leaves it open: without mkad the kernel's device stays as it was.
func (m model) look(s state) string {
	switch {
	case m.gone(s):
		return ""
	case m.traffic(s) == mayProtected:
		return "any"
	case m.traffic(s) != stopped:
		return "up+"
	case !m.kernel: // no carrier, whatever on_unsecured is
		return "down+"
	case m.onUnsecured == "dormant":
		return "dormant+"
	}
	return "down"
}

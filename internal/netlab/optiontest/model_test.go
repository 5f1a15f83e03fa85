package optiontest

import (
	"fmt"
	"testing"
)

// The model is what a reader of the documentation would say of these, one sentence each.
func TestModelSaysWhatTheDocumentationSays(t *testing.T) {
	defaults := combination{"must-secure", "closed", "keep", "dormant", nil}
	with := func(change func(*combination)) combination {
		c := defaults
		change(&c)
		return c
	}
	remove := with(func(c *combination) { c.onExit = "remove" })
	should := with(func(c *combination) { c.policy = "should-secure" })
	open := with(func(c *combination) { c.uncontrolled = "open" })
	bypassing := with(func(c *combination) { c.bypass = []string{"lldp"} })
	for _, c := range []struct {
		why    string
		c      combination
		kernel bool
		place  place
		p      protocol
		s      state
		out    way
		in     way
	}{
		{"must-secure lets no frame out or in", defaults, true, controlled, arp, unsecured, stopped, stopped},
		{"nor once all peers are lost", defaults, false, controlled, dhcp, peerLost, stopped, stopped},
		{"closed: the host does not use the lower device", defaults, false, lower, ping, secured, stopped, stopped},
		{"but for what is bypassed", bypassing, true, lower, lldp, unsecured, inClear, inClear},
		{"and nothing else", bypassing, true, lower, lacp, unsecured, stopped, stopped},
		{"open: the host does", open, true, lower, nd, secured, inClear, inClear},
		{"should-secure: in clear until a peer is secured", should, false, controlled, arp, unsecured, inClear, inClear},
		{"and protected then", should, false, controlled, arp, secured, protected, protected},
		{"plain frames are those of the Controlled Port alone", should, true, lower, arp, unsecured, stopped, stopped},
		{"but for those that listen on the lower device itself", should, true, lower, stp, unsecured, stopped, inClear},
		{"keep: the lower device stays closed", defaults, false, lower, dhcp, ended, stopped, stopped},
		{"and user space carries nothing", defaults, false, controlled, dhcp, ended, stopped, stopped},
		{"while the kernel may go on, never in clear", defaults, true, controlled, dhcp, ended, mayProtected, mayProtected},
		{"remove: the lower device is opened", remove, true, lower, arp, ended, inClear, inClear},
		{"and the Controlled Port is gone", remove, true, controlled, arp, ended, stopped, stopped},
		{"a mkad that dies opens nothing", remove, false, lower, arp, killed, stopped, stopped},
	} {
		m := model{c.c, c.kernel}
		if out, in := m.out(c.place, c.p, c.s), m.in(c.place, c.p, c.s); out != c.out || in != c.in {
			t.Errorf("%s: out %s, in %s", c.why, out, in)
		}
	}
}

func TestCombinationsAreAllOfThem(t *testing.T) {
	for few, want := range map[bool]int{false: 2*2*2*2*2 + 2*3, true: 2 * 2 * 2 * 2} {
		seen := map[string]bool{}
		for _, c := range combinations(few) {
			seen[c.String()] = true
		}
		if len(seen) != want {
			t.Errorf("%d different combinations, want %d", len(seen), want)
		}
	}
}

// Few combinations are enough as long as each value of an option meets each value of each other, and each bypass.
func TestFewCombinationsHaveEveryPair(t *testing.T) {
	pairs := map[[2]string]bool{}
	for _, c := range combinations(true) {
		values := []string{c.policy, c.uncontrolled, c.onExit, c.onUnsecured, fmt.Sprint(c.bypass)}
		for i, a := range values {
			for _, b := range values[i+1:] {
				pairs[[2]string{a, b}] = true
			}
		}
	}
	if want := 10 * 4; len(pairs) != want { // pairs of five options with two values each
		t.Errorf("%d pairs, want %d", len(pairs), want)
	}
}

package mka

import (
	"testing"

	"mkad/secy"
)

// cpWorld is a KaY whose CP can be put into any state, with the variables that the transitions look at.
type cpWorld struct {
	*KaY
	peer *peer
}

const (
	cpOwnSCI  secy.SCI = 0x0200000000010001
	cpPeerSCI secy.SCI = 0x0200000000020001
)

func newCPWorld() cpWorld {
	k := &KaY{linkUp: true, cfg: Config{SCI: cpOwnSCI, CipherSuites: []secy.CipherSuite{secy.GCMAES128}}}
	k.cp.retryAt, k.cp.retireAt, k.cp.transmitAt = never, never, never
	k.cp.connect = connectSecure
	k.cp.currentSuite, k.cp.currentOffset = secy.GCMAES128, secy.Offset0
	p := &participant{kay: k, peers: []peer{{sci: cpPeerSCI, live: true, desired: true, capability: 2}}}
	p.server = candidate{sci: cpOwnSCI}
	k.participants, k.principal = []*participant{p}, p
	return cpWorld{k, &p.peers[0]}
}

func cpKey(kn uint32, an secy.AN) *key {
	y := &key{an: an, suite: secy.GCMAES128, offset: secy.Offset0, server: cpOwnSCI, members: []member{{sci: cpPeerSCI}}}
	y.ki.KN, y.ki.MI[0] = 0, byte(kn)
	return y
}

// in puts CP into the state with the keys that it has there.
func (w cpWorld) in(s cpState) cpWorld {
	c := &w.cp
	c.state = s
	switch s {
	case cpReceive, cpReceiving, cpReady, cpTransmit, cpTransmitting:
		c.latest, c.old, c.controlledPort = cpKey(2, 1), cpKey(1, 0), true
	case cpAbandon, cpRetire:
		c.old, c.controlledPort = cpKey(1, 0), true
	}
	return w
}

func (w cpWorld) follower()   { w.principal.server = candidate{sci: cpPeerSCI} }
func (w cpWorld) newSAK()     { w.cp.next = cpKey(3, 2) }
func (w cpWorld) chgdServer() { w.cp.next, w.cp.chgdServer = cpKey(3, 2), true }
func (w cpWorld) reports(u keyUse) {
	u.ki = w.cp.latest.ki
	w.peer.use[0] = u
}

// Clause: 802.1X-2020 Figure 12-2
// Requirement: R91
func TestCPTransitions(t *testing.T) {
	type world = cpWorld
	for _, c := range []struct {
		name string
		from cpState
		when func(world)
		to   cpState
	}{
		{"port disabled", cpInit, func(w world) { w.linkUp = false }, cpInit},
		{"port enabled", cpInit, func(world) {}, cpChange},

		{"PENDING", cpChange, func(w world) { w.cp.connect = connectPending }, cpChange},
		{"UNAUTHENTICATED", cpChange, func(w world) { w.cp.connect = connectUnauthenticated }, cpAllowed},
		{"AUTHENTICATED", cpChange, func(w world) { w.cp.connect = connectAuthenticated }, cpAuthenticated},
		{"SECURE", cpChange, func(world) {}, cpSecured},

		{"still UNAUTHENTICATED", cpAllowed, func(w world) { w.cp.connect = connectUnauthenticated }, cpAllowed},
		{"not UNAUTHENTICATED any more", cpAllowed, func(world) {}, cpChange},
		{"still AUTHENTICATED", cpAuthenticated, func(w world) { w.cp.connect = connectAuthenticated }, cpAuthenticated},
		{"not AUTHENTICATED any more", cpAuthenticated, func(world) {}, cpChange},

		{"nothing new", cpSecured, func(world) {}, cpSecured},
		{"newSAK", cpSecured, world.newSAK, cpReceive},
		{"changedConnect before newSAK", cpSecured, world.chgdServer, cpChange},

		{"SAs not in use yet", cpReceive, func(world) {}, cpReceive},
		{"usingReceiveSAs", cpReceive, func(w world) { w.cp.usingReceiveSAs = true }, cpReceiving},
		{"newSAK waits for usingReceiveSAs", cpReceive, world.newSAK, cpReceive},
		{"newSAK after the SecY refused", cpReceive, func(w world) { w.newSAK(); w.cp.latest.failed = true }, cpAbandon},

		{"waiting for all", cpReceiving, func(world) {}, cpReceiving},
		{"allReceiving", cpReceiving, func(w world) { w.reports(keyUse{rx: true}) }, cpTransmit},
		{"port not enabled", cpReceiving, func(w world) { w.cp.controlledPort = false }, cpTransmit},
		{"transmitWhen = 0", cpReceiving, func(w world) { w.cp.transmitAt = 0 }, cpTransmit},
		{"not elected", cpReceiving, world.follower, cpReady},
		{"elected after another made the key", cpReceiving,
			func(w world) { w.cp.latest.server = cpPeerSCI; w.reports(keyUse{rx: true}) }, cpReady},
		{"newSAK before all else", cpReceiving, func(w world) { w.newSAK(); w.reports(keyUse{rx: true}) }, cpAbandon},
		{"serverTransmitting before newSAK", cpReceiving,
			func(w world) { w.follower(); w.newSAK(); w.reports(keyUse{tx: true}) }, cpReady},
		{"changedConnect before not elected", cpReceiving, func(w world) { w.follower(); w.cp.connect = connectPending }, cpAbandon},

		{"waiting for the key server", cpReady, world.follower, cpReady},
		{"allReceiving with a key of the server before", cpReady,
			func(w world) { w.cp.latest.server = cpPeerSCI; w.reports(keyUse{rx: true, tx: true}) }, cpReady},
		{"serverTransmitting", cpReady, func(w world) { w.follower(); w.reports(keyUse{tx: true}) }, cpTransmit},
		{"port not enabled", cpReady, func(w world) { w.follower(); w.cp.controlledPort = false }, cpTransmit},
		{"newSAK", cpReady, func(w world) { w.follower(); w.newSAK() }, cpAbandon},
		{"serverTransmitting before newSAK", cpReady,
			func(w world) { w.follower(); w.newSAK(); w.reports(keyUse{tx: true}) }, cpTransmit},
		{"changedConnect first", cpReady, func(w world) { w.follower(); w.cp.connect = connectPending }, cpAbandon},

		{"SA not in use yet", cpTransmit, func(world) {}, cpTransmit},
		{"usingTransmitSA", cpTransmit, func(w world) { w.cp.usingTransmitSA = true }, cpTransmitting},
		{"changedConnect after the SecY refused", cpTransmit,
			func(w world) { w.cp.connect = connectPending; w.cp.latest.failed = true }, cpAbandon},

		{"retireWhen runs", cpTransmitting, func(world) {}, cpTransmitting},
		{"retireWhen = 0", cpTransmitting, func(w world) { w.cp.retireAt = 0 }, cpRetire},
		{"changedConnect", cpTransmitting, func(w world) { w.cp.connect = connectPending }, cpRetire},
		{"newSAK waits for RETIRE", cpTransmitting, world.newSAK, cpTransmitting},
		{"newSAK that a peer receives with", cpTransmitting,
			func(w world) { w.newSAK(); w.peer.use[0] = keyUse{ki: w.cp.next.ki, rx: true} }, cpTransmitting},
		{"newSAK that a peer transmits with", cpTransmitting,
			func(w world) { w.newSAK(); w.peer.use[0] = keyUse{ki: w.cp.next.ki, tx: true} }, cpRetire},
		{"newSAK that a potential peer transmits with", cpTransmitting, func(w world) {
			w.newSAK()
			w.peer.use[0], w.peer.live = keyUse{ki: w.cp.next.ki, tx: true}, false
		}, cpTransmitting},

		{"newSAK", cpAbandon, world.newSAK, cpReceive},
		{"changedConnect before newSAK", cpAbandon, world.chgdServer, cpRetire},

		{"nothing new", cpRetire, func(world) {}, cpRetire},
		{"newSAK", cpRetire, world.newSAK, cpReceive},
		{"changedConnect before newSAK", cpRetire, world.chgdServer, cpChange},
		{"changedCipher", cpRetire, func(w world) { w.newSAK(); w.cp.next.suite = secy.GCMAES256 }, cpChange},
		{"changed offset", cpRetire, func(w world) { w.newSAK(); w.cp.next.offset = secy.Offset30 }, cpChange},
	} {
		t.Run(c.from.String()+"/"+c.name, func(t *testing.T) {
			w := newCPWorld().in(c.from)
			c.when(w)
			if got := w.nextCP(1); got != c.to {
				t.Errorf("%s, %s: -> %s, want %s", c.from, c.name, got, c.to)
			}
		})
	}
}

// Clause: 802.1X-2020 Figure 12-2, "portEnabled"
// Requirement: R95
func TestCPLeavesEveryStateForINITWhenThePortGoesDown(t *testing.T) {
	for s := cpInit; s <= cpRetire; s++ {
		w := newCPWorld().in(s)
		w.linkUp = false
		var out Output
		w.runCP(1, &out)
		if c := &w.cp; c.state != cpInit || c.latest != nil || c.old != nil || c.controlledPort || c.portValid {
			t.Errorf("from %s: in %s with latest %v, old %v, controlled port %t", s, c.state, c.latest, c.old, c.controlledPort)
		}
	}
}

// Clause: 802.1X-2020 Figure 12-2, chgdServer
// Requirement: R93
func TestCPReachesTheNewServersKeyByWayOfCHANGE(t *testing.T) {
	for _, s := range []cpState{cpReceiving, cpReady, cpTransmitting, cpAbandon, cpRetire} {
		w := newCPWorld().in(s)
		w.chgdServer()
		next := w.cp.next
		var out Output
		w.runCP(1, &out)
		if w.cp.state != cpReceive || w.cp.latest != next || w.cp.old != nil {
			t.Errorf("from %s: in %s with latest %v and old %v, want RECEIVE with the new key alone", s, w.cp.state,
				w.cp.latest, w.cp.old)
		}
		if deleted := count(out.Ops, secy.OpDeleteSAs); deleted == 0 {
			t.Errorf("from %s: no SA was deleted", s)
		}
	}
}

func count(ops []secy.Op, kind secy.OpKind) (n int) {
	for _, op := range ops {
		if op.Kind == kind {
			n++
		}
	}
	return n
}

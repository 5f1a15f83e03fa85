package mka

import (
	"fmt"
	"time"

	"mkad/secy"
)

// A cpState is a state of the Controlled Port state machine (Figure 12-2).
type cpState uint8

const (
	cpInit cpState = iota
	cpChange
	cpAllowed
	cpAuthenticated
	cpSecured
	cpReceive
	cpReceiving
	cpReady
	cpTransmit
	cpTransmitting
	cpAbandon
	cpRetire
)

var cpStateNames = [...]string{"INIT", "CHANGE", "ALLOWED", "AUTHENTICATED", "SECURED", "RECEIVE", "RECEIVING", "READY",
	"TRANSMIT", "TRANSMITTING", "ABANDON", "RETIRE"}

// String is the state in the standard's capitals.
func (s cpState) String() string { return cpStateNames[s] }

// connect is what the Logon Process tells CP (12.5).
type connect uint8

const (
	connectPending         connect = iota // no traffic
	connectUnauthenticated                // in clear, as nobody is there to secure it with
	connectAuthenticated                  // in clear, as the key server says so
	connectSecure
)

// cp holds the variables of the CP state machine, in the words of 12.4.
type cp struct {
	state   cpState
	connect connect

	chgdServer bool     // the new key comes from another key server than the last
	server     secy.SCI // who distributed the last key

	next            *key // newSAK: distributedKI and distributedAN, cipherSuite and cipherOffset
	latest, old     *key // lki, lan and oki, oan
	ltx, lrx        bool
	otx, orx        bool
	usingReceiveSAs bool
	usingTransmitSA bool
	currentSuite    secy.CipherSuite
	currentOffset   secy.ConfidentialityOffset
	portValid       bool
	controlledPort  bool // controlledPortEnabled
	toldControlled  bool // what the SecY was last told of it
	unsureOfPort    bool // the SecY has refused to open or to close it: it may be either
	misconfigured   bool // the SecY has refused its settings
	transmitAt      Time // when transmitWhen has run down
	retireAt        Time // when retireWhen has run down
	retryAt         Time // when a key that the SecY refused is given up; never: none is
	retries         uint // refused in a row
	protect         bool // protectFrames
	validate        secy.ValidateFrames
}

// retryGap is how long to wait after the SecY has refused a key before asking for another.
func (c *cp) retryGap() time.Duration {
	gap := InstallRetryTime << min(c.retries, 10)
	c.retries++
	return min(gap, InstallRetryMax)
}

// changedConnect of CP (12.4): the key server or the protection is to change, or there is to be none.
func (c *cp) changedConnect() bool {
	changedCipher := c.next != nil && (c.next.suite != c.currentSuite || c.next.offset != c.currentOffset)
	return c.connect != connectSecure || c.chgdServer || changedCipher
}

// maxTransitions bounds one run of the machine to its fixed point: more is a livelock, which is a bug.
const maxTransitions = 40

// runCP runs CP until it stays where it is.
func (k *KaY) runCP(now Time, out *Output) {
	for range maxTransitions {
		k.cp.connect = k.logon()
		next := k.nextCP(now)
		if next == k.cp.state {
			return
		}
		k.cp.state = next
		k.enterCP(now, out)
	}
	panic(fmt.Sprintf("mka: CP does not come to rest in %s", k.cp.state))
}

// nextCP is the state that follows, by the first transition of Figure 12-2 that is true; the state itself if none is.
//
//	INIT           UCT -> CHANGE, while portEnabled
//	CHANGE         connect = UNAUTHENTICATED -> ALLOWED | AUTHENTICATED -> AUTHENTICATED | SECURE -> SECURED
//	ALLOWED        connect != UNAUTHENTICATED -> CHANGE
//	AUTHENTICATED  connect != AUTHENTICATED -> CHANGE
//	SECURED        changedConnect -> CHANGE | newSAK -> RECEIVE
//	RECEIVE        usingReceiveSAs -> RECEIVING
//	RECEIVING      newSAK or changedConnect -> ABANDON | !electedSelf, or another made the key -> READY |
//	               allReceiving or !controlledPortEnabled or transmitWhen = 0 -> TRANSMIT
//	READY          newSAK or changedConnect -> ABANDON | serverTransmitting or !controlledPortEnabled -> TRANSMIT
//	TRANSMIT       usingTransmitSA -> TRANSMITTING
//	TRANSMITTING   retireWhen = 0 or changedConnect, or a peer transmits with newSAK -> RETIRE
//	ABANDON        changedConnect -> RETIRE | newSAK -> RECEIVE
//	RETIRE         changedConnect -> CHANGE | newSAK -> RECEIVE
//
// A follower that learns of newSAK and of serverTransmitting at once goes to TRANSMIT: ABANDON would throw away the SAK
// that its key server transmits with. The new one has its turn when the old is retired, there and here.
//
// SAK Retire Time is for what others still send with the old SAK. Who already sends with the one after the latest, as a
// member does that was restarted without its SAKs, would not be heard for so long, and who follows its key server at all
// has come to the latest by then.
//
// RECEIVE and TRANSMIT would wait for ever for a SecY that has refused the key: with a failed key they leave for
// ABANDON as RECEIVING does.
func (k *KaY) nextCP(now Time) cpState {
	c := &k.cp
	newSAK, changed := c.next != nil, c.changedConnect()
	if !k.linkUp {
		return cpInit
	}
	switch c.state {
	case cpInit:
		return cpChange
	case cpChange:
		switch c.connect {
		case connectUnauthenticated:
			return cpAllowed
		case connectAuthenticated:
			return cpAuthenticated
		case connectSecure:
			return cpSecured
		}
	case cpAllowed:
		if c.connect != connectUnauthenticated {
			return cpChange
		}
	case cpAuthenticated:
		if c.connect != connectAuthenticated {
			return cpChange
		}
	case cpSecured:
		switch {
		case changed:
			return cpChange
		case newSAK:
			return cpReceive
		}
	case cpReceive:
		switch {
		case c.latest.failed && (newSAK || changed):
			return cpAbandon
		case c.usingReceiveSAs && !c.latest.failed:
			return cpReceiving
		}
	case cpReceiving:
		switch {
		case newSAK && !k.followsLatest() || changed:
			return cpAbandon
		case !k.servesLatest():
			return cpReady
		case k.allReceiving() || !c.controlledPort || now >= c.transmitAt:
			return cpTransmit
		}
	case cpReady:
		switch {
		case newSAK && !k.followsLatest() || changed:
			return cpAbandon
		case k.serverTransmitting() || !c.controlledPort:
			return cpTransmit
		}
	case cpTransmit:
		switch {
		case c.latest.failed && (newSAK || changed):
			return cpAbandon
		case c.usingTransmitSA && !c.latest.failed:
			return cpTransmitting
		}
	case cpTransmitting:
		if now >= c.retireAt || changed || newSAK && k.principal.anyTransmitting(c.next.ki) {
			return cpRetire
		}
	case cpAbandon:
		switch {
		case changed:
			return cpRetire
		case newSAK:
			return cpReceive
		}
	case cpRetire:
		switch {
		case changed:
			return cpChange
		case newSAK:
			return cpReceive
		}
	}
	return c.state
}

// enterCP does what Figure 12-2 has in the box of the state.
func (k *KaY) enterCP(now Time, out *Output) {
	c := &k.cp
	switch c.state {
	case cpInit, cpChange:
		c.portValid, c.controlledPort = false, false
		k.tellControlledPort(out) // first, so that nothing leaves while the SAs go
		k.deleteSAs(&c.latest, out)
		k.deleteSAs(&c.old, out)
		c.ltx, c.lrx, c.otx, c.orx = false, false, false, false
		if c.state == cpInit {
			k.forget(c.next)
			c.next, c.chgdServer, c.server = nil, false, 0
		}
	case cpAllowed, cpAuthenticated:
		c.protect, c.validate = false, secy.ValidateCheck
		c.portValid, c.controlledPort = false, true
		k.configure(out)
		k.tellControlledPort(out)
	case cpSecured:
		c.chgdServer = false
		c.protect, c.validate = true, secy.ValidateStrict
		c.currentSuite, c.currentOffset = c.next.suite, c.next.offset
		c.portValid = true
		k.configure(out)
	case cpReceive:
		k.enterReceive(out)
	case cpReceiving:
		c.lrx = true
		c.transmitAt = now.Add(k.lifeTime()) // transmitDelay
		c.usingReceiveSAs = false
		out.event(Event{Kind: EventSAKInstalled, KI: c.latest.ki, AN: c.latest.an, Suite: c.latest.suite})
	case cpReady:
		k.tellPeers()
	case cpTransmit:
		c.ltx, c.controlledPort = true, true
		out.op(secy.Op{Kind: secy.OpEnableTransmit, Key: c.latest.ki.KeyID()})
		k.tellControlledPort(out)
	case cpTransmitting:
		c.retireAt = now
		if c.orx {
			c.retireAt = now.Add(SAKRetireTime) // retireDelay
		}
		c.otx, c.usingTransmitSA = false, false
		if c.retries = 0; !c.misconfigured && !c.unsureOfPort { // else there is something to try again yet
			c.retryAt = never
		}
		k.tellPeers()
		out.event(Event{Kind: EventSAKTransmitting, KI: c.latest.ki, AN: c.latest.an, Suite: c.latest.suite})
	case cpAbandon:
		c.lrx, c.ltx = false, false
		k.deleteSAs(&c.latest, out)
	case cpRetire:
		k.deleteSAs(&c.old, out)
		c.old, c.otx, c.orx = c.latest, c.ltx, c.lrx
		c.latest, c.ltx, c.lrx = nil, false, false
	}
}

// enterReceive takes newSAK as the latest key and has its SAs made.
func (k *KaY) enterReceive(out *Output) {
	c := &k.cp
	if c.old != nil && c.old.an == c.next.an {
		k.deleteSAs(&c.old, out) // an AN has one SA: the old one goes first
		c.otx, c.orx = false, false
	}
	if c.latest != nil { // TRANSMITTING goes by way of RETIRE, so this cannot be
		panic("mka: CP enters RECEIVE with a latest key")
	}
	if c.misconfigured { // SECURED, which does this, is behind us
		k.configure(out)
	}
	c.latest, c.next = c.next, nil
	c.ltx, c.lrx = false, false
	c.usingReceiveSAs, c.usingTransmitSA = false, false
	k.createSAs(c.latest, out)
	out.op(secy.Op{Kind: secy.OpEnableReceive, Key: c.latest.ki.KeyID()})
}

// deleteSAs ends a key.
func (k *KaY) deleteSAs(y **key, out *Output) {
	if *y == nil {
		return
	}
	out.op(secy.Op{Kind: secy.OpDeleteSAs, Key: (*y).ki.KeyID()})
	out.event(Event{Kind: EventSAKRetired, KI: (*y).ki, AN: (*y).an})
	k.forget(*y)
	*y = nil
}

// configure tells the SecY the settings of CP's state.
func (k *KaY) configure(out *Output) {
	k.cp.misconfigured = false
	op := secy.Op{Kind: secy.OpConfigure, Settings: secy.Settings{
		ProtectFrames:  k.cp.protect,
		ValidateFrames: k.cp.validate,
		ReplayProtect:  k.cp.protect && k.cfg.ReplayProtect,
		ReplayWindow:   k.cfg.ReplayWindow,
		CipherSuite:    k.cp.currentSuite,
		Offset:         k.cp.currentOffset,
		SendSCI:        k.cfg.SendSCI,
	}}
	if k.cp.protect && k.cp.next != nil {
		op.Key = k.cp.next.ki.KeyID() // whose suite and offset these are
	}
	out.op(op)
}

// tellControlledPort tells the SecY whether the Controlled Port may carry traffic, when that has changed or did not
// come to pass.
func (k *KaY) tellControlledPort(out *Output) {
	if k.cp.controlledPort == k.cp.toldControlled && !k.cp.unsureOfPort {
		return
	}
	k.cp.toldControlled, k.cp.unsureOfPort = k.cp.controlledPort, false
	out.op(secy.Op{Kind: secy.OpControlledPort, Enabled: k.cp.controlledPort})
}

// deadline is when one of CP's timers runs down in a state that looks at it.
func (c *cp) deadline() Time {
	at := c.retryAt
	switch c.state {
	case cpReceiving:
		at = min(at, c.transmitAt)
	case cpTransmitting:
		at = min(at, c.retireAt)
	}
	return at
}

// electedSelf, allReceiving and serverTransmitting of CP are those of the principal participant.
func (k *KaY) electedSelf() bool { return k.principal != nil && k.principal.electedSelf() }

func (k *KaY) allReceiving() bool {
	return k.principal != nil && k.principal.allReceiving(k.cp.latest)
}

// servesLatest reports whether we are key server and have made the latest key. One of the key server before, which may be
// there still and has not begun to transmit with it, gives way to ours.
func (k *KaY) servesLatest() bool { return k.electedSelf() && k.cp.latest.server == k.cfg.SCI }

// followsLatest reports whether our key server, another than ourselves, transmits with the latest key.
func (k *KaY) followsLatest() bool { return !k.electedSelf() && k.serverTransmitting() }

func (k *KaY) serverTransmitting() bool {
	return k.principal != nil && k.principal.serverTransmitting(k.cp.latest.ki)
}

// tellPeers is newInfo of CP: the principal's next MKPDU is not to wait for its hello.
func (k *KaY) tellPeers() {
	if k.principal != nil {
		k.principal.newInfo = true
	}
}

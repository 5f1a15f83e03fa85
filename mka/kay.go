package mka

import (
	"errors"
	"fmt"
	"io"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/secy"
)

// Errors of Step: the driver, or whoever orders it, asked for what cannot be.
var (
	ErrNotKeyServer       = errors.New("not the key server: only the key server can make a new SAK")
	ErrParticipantExists  = errors.New("a participant with this CKN exists")
	ErrNoParticipant      = errors.New("no participant has this CKN")
	ErrNotResumable       = errors.New("not to be resumed")
	ErrTooManyParticipant = fmt.Errorf("more than %d participants on one port", MaxParticipants)
	errUnknownInput       = errors.New("mka: unknown input") // not saying which keeps inputs off the heap
)

// MaxParticipants bounds the participants of one port: each sends hellos of its own.
const MaxParticipants = 64

// A Policy says what the Controlled Port does while nothing secures it (the Logon Process of 12.5, reduced to
// pre-shared keys).
type Policy uint8

// The policies.
const (
	MustSecure   Policy = iota // no frame in clear
	ShouldSecure               // in clear until a peer is secured
)

// String is the configuration's name of the policy.
func (p Policy) String() string {
	if p == ShouldSecure {
		return "should-secure"
	}
	return "must-secure"
}

// Config is what a KaY needs to know when it is made. All but the Settings stays as it is in the KaY's life.
type Config struct {
	SCI          secy.SCI           // our own: the Common Port's MAC and the port identifier
	Capability   secy.Capability    // of the SecY
	CipherSuites []secy.CipherSuite // allowed, best first; not empty
	Offset       secy.ConfidentialityOffset
	Policy       Policy
	Settings

	MTU  int       // of the Common Port when the KaY is made; it bounds the peer lists
	Rand io.Reader // for MIs and SAKs; must not fail
}

// A KaY is the MAC Security Key Agreement Entity of one port (9.1). Not safe for concurrent use.
type KaY struct {
	cfg      Config
	maxPeers int
	mac      eapol.MAC

	linkUp       bool
	participants []*participant
	principal    *participant
	principalAt  Time // when there may be another principal; never: not by time
	followed     bool // followedAt counts
	followedAt   Time // when the key server was followed to the principal's CA
	cp           cp
	channels     []secy.SCI // receive SCs that the SecY has
	used         usedKeys
	lastAN       secy.AN
	doomed       []*key // to be wiped at the next call
	secured      bool   // EventSecured was told and holds

	rx, tx   eapol.MKPDU // scratch
	received uint64
	sent     uint64
	rekeys   uint64
	discards [eapol.NumDiscards]uint64
}

// New makes a KaY whose link is down and that has no participant.
func New(cfg Config) (*KaY, error) {
	switch {
	case cfg.SCI == 0:
		return nil, errors.New("mka: no SCI")
	case len(cfg.CipherSuites) == 0:
		return nil, errors.New("mka: no cipher suite")
	case cfg.Rand == nil:
		return nil, errors.New("mka: no source of randomness")
	}
	for _, c := range cfg.CipherSuites {
		if !c.Known() {
			return nil, fmt.Errorf("mka: unknown cipher suite %s", c)
		}
	}
	if err := cfg.Settings.complete(); err != nil {
		return nil, err
	}
	k := &KaY{cfg: cfg, mac: cfg.SCI.MAC(), maxPeers: peersFor(cfg.MTU), lastAN: 3}
	k.cp.retryAt = never
	if cfg.Policy == MustSecure {
		k.cp.protect, k.cp.validate = true, secy.ValidateStrict
	}
	return k, nil
}

// Step takes one input. The error says that the input was out of place; nothing has changed then.
func (k *KaY) Step(now Time, in Input, out *Output) error {
	k.wipeDoomed()
	var err error
	switch in := in.(type) {
	case FrameReceived:
		if k.linkUp {
			k.receive(now, in.Frame, out)
		}
	case SecYReported:
		k.report(now, in.Report, out)
	case LinkChanged:
		k.link(now, in.Up, out)
	case ParticipantAdded:
		err = k.add(now, in, out)
	case ParticipantRemoved:
		err = k.remove(in.CKN, out)
	case ParticipantChanged:
		err = k.changeParticipant(in)
	case MTUChanged:
		k.changeMTU(now, in.MTU, out)
	case RekeyRequested:
		err = k.rekey()
	case SettingsChanged:
		err = k.changeSettings(in.Settings, out)
	case Resumed:
		err = k.resume(now, &in, out)
	default:
		err = errUnknownInput
	}
	k.settle(now, out)
	return err
}

// Tick does whatever is due at now. Early and repeated calls are harmless.
func (k *KaY) Tick(now Time, out *Output) {
	k.wipeDoomed()
	k.settle(now, out)
}

// settle brings everything to rest at now: what expired, who is principal, the key server's work, CP, and last what our
// peers are to hear of it.
func (k *KaY) settle(now Time, out *Output) {
	if k.linkUp {
		for _, p := range k.participants {
			p.expire(now, out)
			p.plead(now, out)
			p.giveUpMissing(now, out)
		}
	}
	k.choosePrincipal(now, out)
	if k.linkUp {
		k.retry(now, out)
		k.serve(now, out)
	}
	k.runCP(now, out)
	k.pruneChannels(out)
	k.tellSecured(out)
	if k.linkUp {
		for _, p := range k.participants {
			p.transmit(now, out)
		}
	}
}

func (k *KaY) wipeDoomed() {
	for i, y := range k.doomed {
		y.wipe()
		k.doomed[i] = nil
	}
	k.doomed = k.doomed[:0]
}

// link follows portEnabled: a link that comes up starts clean, with MIs that nobody knows.
func (k *KaY) link(now Time, up bool, out *Output) {
	if up == k.linkUp {
		return
	}
	k.linkUp = up
	for _, p := range k.participants {
		p.dropPeers("link down", out)
		if up {
			p.newMI(now, "link up", out)
		}
	}
}

// changeMTU gives up peers that no longer fit into an MKPDU: potential ones first, then those that came last.
func (k *KaY) changeMTU(now Time, mtu int, out *Output) {
	k.maxPeers = peersFor(mtu)
	for _, p := range k.participants {
		for len(p.peers) > k.maxPeers {
			i := p.oldestPotential()
			if i < 0 {
				i = len(p.peers) - 1
			}
			const why = "does not fit into an MKPDU of the new MTU"
			p.loses(now, &p.peers[i], "the key server "+why, out)
			p.removePeer(i, why, out)
		}
	}
}

func (k *KaY) find(ckn keyderive.CKN) *participant {
	for _, p := range k.participants {
		if p.ckn == ckn {
			return p
		}
	}
	return nil
}

func (k *KaY) add(now Time, in ParticipantAdded, out *Output) error {
	if k.find(in.CKN) != nil {
		return ErrParticipantExists
	}
	if len(k.participants) >= MaxParticipants {
		return ErrTooManyParticipant
	}
	if in.CKN.IsZero() || in.CAK.IsZero() {
		return errors.New("mka: participant without CKN or CAK")
	}
	p := &participant{kay: k, role: in.Role, rank: in.Rank, standby: in.Standby, ckn: in.CKN, cak: in.CAK,
		ick: keyderive.DeriveICK(in.CAK, in.CKN), kek: keyderive.DeriveKEK(in.CAK, in.CKN), version: k.highestVersion()}
	p.newMI(now, "participant added", out)
	k.participants = append(k.participants, p)
	return nil
}

func (k *KaY) changeParticipant(in ParticipantChanged) error {
	p := k.find(in.CKN)
	if p == nil {
		return ErrNoParticipant
	}
	p.role, p.rank, p.standby = in.Role, in.Rank, in.Standby
	return nil
}

func (k *KaY) remove(ckn keyderive.CKN, out *Output) error {
	p := k.find(ckn)
	if p == nil {
		return ErrNoParticipant
	}
	p.dropPeers(ReasonRemoved, out)
	for i := range k.participants {
		if k.participants[i] == p {
			k.participants = append(k.participants[:i], k.participants[i+1:]...)
			break
		}
	}
	p.cak.Wipe()
	p.ick.Wipe()
	p.kek.Wipe()
	return nil
}

func (k *KaY) rekey() error {
	if !k.electedSelf() {
		return ErrNotKeyServer
	}
	k.principal.wantSAK("requested")
	return nil
}

// logon is what the Logon Process tells CP (12.5): SECURE while there is a SAK to secure the port with, else what the
// policy allows.
func (k *KaY) logon() connect {
	switch p := k.principal; {
	case p != nil && p.plain && k.cfg.Policy == ShouldSecure:
		return connectAuthenticated
	case p != nil && !p.plain && k.newest() != nil:
		return connectSecure
	case k.cfg.Policy == ShouldSecure:
		return connectUnauthenticated
	}
	return connectPending
}

// tellSecured publishes the transition that everybody waits for.
func (k *KaY) tellSecured(out *Output) {
	secured := k.isSecured()
	if secured == k.secured {
		return
	}
	k.secured = secured
	e := Event{Kind: EventUnsecured}
	if secured {
		y := k.inService()
		e = Event{Kind: EventSecured, CKN: k.principalCKN(), KI: y.ki, AN: y.an, Suite: y.suite}
	}
	out.event(e)
}

// isSecured reports whether the Controlled Port carries protected traffic.
func (k *KaY) isSecured() bool {
	c := &k.cp
	return c.portValid && c.controlledPort && (c.state == cpTransmitting || c.otx || c.state == cpRetire && c.old != nil)
}

// inService is the key that we transmit with, nil if there is none.
func (k *KaY) inService() *key {
	if k.cp.state == cpTransmitting {
		return k.cp.latest
	}
	return k.cp.old
}

func (k *KaY) principalCKN() (ckn keyderive.CKN) {
	if k.principal != nil {
		ckn = k.principal.ckn
	}
	return ckn
}

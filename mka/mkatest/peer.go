package mkatest

import (
	"fmt"
	"time"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/mka"
	"mkad/secy"
)

// A Peer is a scripted member of one CA. It is no KaY: it says what the test makes it say, in MKPDUs that are authentic.
// What its fields hold goes into each MKPDU; they may be changed at any time.
type Peer struct {
	SCI        secy.SCI
	MI         eapol.MI
	MN         eapol.MN // the last sent
	Version    uint8
	Priority   uint8
	KeyServer  bool
	Desired    bool
	Capability secy.Capability
	Announces  []secy.CipherSuite // nil: it has no Announcement

	Use   eapol.SAKUse // kept up by itself as it takes, makes and uses keys
	XPN   eapol.XPN
	Offer eapol.DistributedSAK // what it distributes as key server
	Key   Key                  // the last that it took or made
	KN    eapol.KN             // of the last that it made

	// Period is the distance of the hellos that it sends by itself; with it, it also answers at once what is new. 0: it
	// speaks only when made to.
	Period time.Duration
	// Takes, if set, says which suites it knows: SAKs of others it ignores.
	Takes func(secy.CipherSuite) bool
	// Shape, if set, alters the frame of each of its MKPDUs: what eapol does not build.
	Shape func(frame []byte) []byte
	// InOld makes it report a key in service as its Old key, as some implementations do; else as its Latest.
	InOld bool

	Others   []*Other   // whom it has heard, in this order
	Received []Received // all that was authentic, oldest first
	Bad      int        // MKPDUs received that were not

	port
	name string
	ckn  keyderive.CKN
	ick  keyderive.ICK
	kek  keyderive.KEK
	next mka.Time
}

// An Other is somebody whom a Peer has heard.
type Other struct {
	Last  *eapol.MKPDU // its last MKPDU
	Lists bool         // that lists the Peer: it is live
}

// Received is an MKPDU with the time of its arrival.
type Received struct {
	At    mka.Time
	Frame []byte
	*eapol.MKPDU
}

// A Key is a SAK as a member has it.
type Key struct {
	KI    eapol.KI
	AN    secy.AN
	Suite secy.CipherSuite
	SAK   Fingerprint
	SSCIs map[secy.SCI]secy.SSCI // of all members that are known, for XPN suites
}

// HelloPeriod is that of a Peer that behaves like everybody.
const HelloPeriod = 2 * time.Second

// AddPeer puts a silent scripted peer on the current segment, with the SCI of the n-th member and the CAK of a CA. It
// speaks version 3, wants all that MACsec can do, and leaves being key server to others if it can.
func (l *LAN) AddPeer(n int, ckn string, cak keyderive.CAK) *Peer {
	p := new(Peer)
	l.initPeer(p, n, ckn, cak)
	p.port = l.attach(p)
	p.Rejoin()
	return p
}

func (l *LAN) initPeer(p *Peer, n int, ckn string, cak keyderive.CAK) {
	*p = Peer{SCI: SCI(n), Version: 3, Priority: 0x20, KeyServer: true, Desired: true,
		Capability: secy.CapabilityOffsets, Use: eapol.SAKUse{Present: true},
		name: fmt.Sprintf("peer %d", n), ckn: CKN(ckn)}
	p.ick, p.kek = keyderive.DeriveICK(cak, p.ckn), keyderive.DeriveKEK(cak, p.ckn)
}

// Rejoin makes it a new member: another MI, nothing heard, no key.
func (p *Peer) Rejoin() {
	p.fill(p.MI[:])
	p.MN, p.KN, p.Others, p.Key = 0, 0, nil, Key{}
	p.Use, p.Offer = eapol.SAKUse{Present: p.Use.Present}, eapol.DistributedSAK{}
}

// fill draws octets from the LAN's seed.
func (p *Peer) fill(b []byte) {
	for i := range b {
		b[i] = byte(p.lan.rng.Uint32())
	}
}

// Heard is the last MKPDU of the station, nil if there is none.
func (p *Peer) Heard(sci secy.SCI) *eapol.MKPDU {
	for _, o := range p.Others {
		if o.Last.Basic.SCI == sci {
			return o.Last
		}
	}
	return nil
}

// Last is the last MKPDU received, with its time; zero if there is none.
func (p *Peer) Last() Received {
	if len(p.Received) == 0 {
		return Received{}
	}
	return p.Received[len(p.Received)-1]
}

// Talk makes it say hello from now on every Period.
func (p *Peer) Talk() {
	p.Period = HelloPeriod
	p.Say()
}

// Hush makes it silent; it goes on listening.
func (p *Peer) Hush() {
	p.Period = 0
	p.rearm()
}

// Say sends its next MKPDU, altered by edit, to everybody.
func (p *Peer) Say(edit ...func(*eapol.MKPDU)) {
	p.send(p.Next(edit...))
	p.next = p.lan.Now.Add(p.Period)
	p.rearm()
}

// Send sends a frame that Next has built to everybody.
func (p *Peer) Send(frame []byte) { p.send(frame) }

// Tell lets the member have its next MKPDU, altered by edit, before anything else happens.
func (p *Peer) Tell(m *Member, edit ...func(*eapol.MKPDU)) { m.receive(p.Next(edit...)) }

func (p *Peer) deadline() (mka.Time, bool) { return p.next, p.Period > 0 }

func (p *Peer) wake() { p.Say() }

// receive takes what is authentic of its CA, does what follows from it, and answers if anything is new.
func (p *Peer) receive(frame []byte) {
	m := p.open(frame)
	if m == nil {
		return
	}
	p.Received = append(p.Received, Received{p.lan.Now, frame, m})
	before := p.Use
	news := p.note(m)
	p.follow(m)
	p.serve()
	if p.Period > 0 && (news || p.Use != before) {
		p.Say()
	}
}

// open parses and verifies a frame; nil: it is not for this CA, or bad.
func (p *Peer) open(frame []byte) *eapol.MKPDU {
	m := new(eapol.MKPDU)
	if eapol.ParseEnvelope(frame, eapol.Acceptance{AnyGroup: true}, m) != eapol.Accepted || m.Basic.CKN != p.ckn {
		return nil
	}
	if !p.ick.Verify(m.Authenticated(), m.ICV[:]) || m.ParseSets() != eapol.Accepted {
		p.Bad++
		return nil
	}
	return m
}

// note remembers the sender, and tells whether it is new, has taken another MI, or lists us for the first time.
func (p *Peer) note(m *eapol.MKPDU) (news bool) {
	lists := Lists(m, p.MI)
	for _, o := range p.Others {
		if o.Last.Basic.SCI == m.Basic.SCI {
			news = o.Lists != lists || o.Last.Basic.MI != m.Basic.MI
			o.Last, o.Lists = m, lists
			return news
		}
	}
	p.Others = append(p.Others, &Other{m, lists})
	return true
}

// Lists reports whether the MKPDU lists the MI as that of a live or potential peer.
func Lists(m *eapol.MKPDU, mi eapol.MI) bool {
	return Listed(&m.Live, mi) || Listed(&m.Potential, mi)
}

// Listed reports whether the MI is on the list.
func Listed(list *eapol.PeerList, mi eapol.MI) bool {
	for _, q := range list.Peers {
		if q.MI == mi {
			return true
		}
	}
	return false
}

// UseOf is what the MKPDU says of its sender's use of the key, in either slot; false: nothing.
func UseOf(m *eapol.MKPDU, ki eapol.KI) (u eapol.KeyUse, known bool) {
	for _, v := range [...]eapol.KeyUse{m.SAKUse.Latest, m.SAKUse.Old} {
		if v.KI == ki && !ki.IsZero() {
			u = eapol.KeyUse{KI: ki, AN: v.AN, Tx: u.Tx || v.Tx, Rx: u.Rx || v.Rx, LPN: max(u.LPN, v.LPN)}
			known = true
		}
	}
	return u, known
}

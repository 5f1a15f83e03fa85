package mkatest

import (
	"cmp"
	"slices"
	"time"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/secy"
)

// Generate makes a SAK for everybody who lists the peer, with the next KN and AN, and distributes it from its next MKPDU
// on. It transmits at once if it has no key in service, else when all report to receive.
func (p *Peer) Generate(suite secy.CipherSuite, offset secy.ConfidentialityOffset) {
	octets := make([]byte, suite.KeyLen())
	p.fill(octets)
	sak, err := keyderive.NewSAK(octets)
	if err != nil {
		panic(err)
	}
	p.KN++
	ki := eapol.KI{MI: p.MI, KN: p.KN}
	p.Offer = eapol.DistributedSAK{Present: true, AN: (p.Key.AN + 1) % 4, Offset: offset, KN: p.KN, Suite: suite,
		Wrapped: p.kek.Wrap(nil, sak)}
	p.take(Key{KI: ki, AN: p.Offer.AN, Suite: suite, SAK: FingerprintOf(sak), SSCIs: p.numberMembers()})
}

// take puts a key into the Latest slot, and the one in service into the Old.
func (p *Peer) take(k Key) {
	inService := p.Use.Latest
	if inService.KI.IsZero() {
		inService = p.Use.Old
	}
	p.Key = k
	p.Use.Present = true
	p.Use.Old = inService
	p.Use.Latest = eapol.KeyUse{KI: k.KI, AN: k.AN, Rx: true, Tx: !inService.Tx, LPN: 1}
	p.settleSlots()
	p.XPN.Present = k.Suite.XPN() && p.Version >= 2
}

// transmit marks the latest key as transmitting, and retires the old.
func (p *Peer) transmit() {
	p.Use.Latest.Tx = true
	p.Use.Old = eapol.KeyUse{}
	p.settleSlots()
}

// settleSlots moves a key in service to the Old slot if this is how the peer reports it.
func (p *Peer) settleSlots() {
	if p.InOld && p.Use.Latest.Tx {
		p.Use.Old, p.Use.Latest = p.Use.Latest, eapol.KeyUse{}
	}
}

// follow takes a SAK that is distributed to it, and transmits when its key server does.
func (p *Peer) follow(m *eapol.MKPDU) {
	d := &m.DistributedSAK
	ki := eapol.KI{MI: m.Basic.MI, KN: d.KN}
	if d.Present && !d.Empty && ki != p.Key.KI && Listed(&m.Live, p.MI) && (p.Takes == nil || p.Takes(d.Suite)) {
		sak, err := p.kek.Unwrap(d.Wrapped)
		if err != nil {
			p.Bad++
			return
		}
		p.take(Key{KI: ki, AN: d.AN, Suite: d.Suite, SAK: FingerprintOf(sak), SSCIs: p.numberMembers()})
	}
	if m.Basic.MI == p.Key.KI.MI && !p.Use.Latest.KI.IsZero() && !p.Use.Latest.Tx {
		if u, _ := UseOf(m, p.Key.KI); u.Tx {
			p.transmit()
		}
	}
}

// serve transmits with the SAK of its own that everybody receives with, and stops to distribute it.
func (p *Peer) serve() {
	if !p.Offer.Present || p.Offer.Empty {
		return
	}
	for _, o := range p.Others {
		if u, _ := UseOf(o.Last, p.Key.KI); o.Lists && !u.Rx {
			return
		}
	}
	p.Offer = eapol.DistributedSAK{}
	if !p.Use.Latest.KI.IsZero() && !p.Use.Latest.Tx {
		p.transmit()
	}
}

// live are the SCIs of those who list the peer.
func (p *Peer) live() (scis []secy.SCI) {
	for _, o := range p.Others {
		if o.Lists {
			scis = append(scis, o.Last.Basic.SCI)
		}
	}
	return scis
}

// numberMembers numbers the live members and the peer itself, the greatest SCI first (802.1AE-2018 10.7.13).
func (p *Peer) numberMembers() map[secy.SCI]secy.SSCI {
	scis := append(p.live(), p.SCI)
	slices.SortFunc(scis, func(a, b secy.SCI) int { return cmp.Compare(b, a) })
	sscis := map[secy.SCI]secy.SSCI{}
	for i, sci := range scis {
		sscis[sci] = secy.SSCI(i + 1)
	}
	return sscis
}

// orderBySSCI puts the Live list in the order of the SSCIs of its key (11.11.3, MKA version 3).
func (p *Peer) orderBySSCI(list *eapol.PeerList) {
	ssci := func(mi eapol.MI) secy.SSCI {
		for _, o := range p.Others {
			if o.Last.Basic.MI == mi {
				return p.Key.SSCIs[o.Last.Basic.SCI]
			}
		}
		return 0
	}
	slices.SortFunc(list.Peers, func(a, b eapol.ListedPeer) int { return cmp.Compare(ssci(a.MI), ssci(b.MI)) })
	list.KeyServerSSCI = uint8(p.Key.SSCIs[p.SCI])
}

// secureTime is long enough for any pair to be secured.
const secureTime = 5 * time.Second

// Follow lets the peer talk as a follower of m until both transmit, and reports whether they came to that.
func (p *Peer) Follow(m *Member) bool {
	p.Talk()
	return p.lan.RunUntil(secureTime, func() bool { return m.KaY.Secured() && p.transmits() })
}

// Serve lets the peer talk as key server of m, whose priority it undercuts, distribute a SAK of the suite, and reports
// whether both came to transmit with it.
func (p *Peer) Serve(m *Member, suite secy.CipherSuite) bool {
	p.Priority = 0
	p.Talk()
	if !p.lan.RunUntil(secureTime, func() bool { return len(p.live()) > 0 }) {
		return false
	}
	p.Generate(suite, secy.Offset0)
	p.Say()
	return p.lan.RunUntil(secureTime, func() bool { return m.KaY.Secured() && m.SecY.Tx == p.Key.KI.KeyID() && p.transmits() })
}

// transmits reports whether the peer transmits with its last key.
func (p *Peer) transmits() bool {
	u, known := UseOf(&eapol.MKPDU{SAKUse: p.Use}, p.Key.KI)
	return known && u.Tx
}

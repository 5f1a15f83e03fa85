package mkatest

import (
	"encoding/binary"

	"mkad/eapol"
)

// Next builds its next MKPDU from what its fields hold, altered by edit, and signs it.
func (p *Peer) Next(edit ...func(*eapol.MKPDU)) []byte {
	p.MN++
	m := &eapol.MKPDU{
		DA: eapol.PAEGroup,
		SA: p.SCI.MAC(),
		Basic: eapol.Basic{
			MKAVersion:        p.Version,
			KeyServerPriority: p.Priority,
			KeyServer:         p.KeyServer,
			MACsecDesired:     p.Desired,
			Capability:        p.Capability,
			SCI:               p.SCI,
			MI:                p.MI,
			MN:                p.MN,
			AlgorithmAgility:  eapol.AlgorithmAgility,
			CKN:               p.ckn,
		},
		SAKUse:         p.Use,
		DistributedSAK: p.Offer,
		XPN:            p.XPN,
	}
	p.list(m)
	if p.Announces != nil {
		m.Announcement.Present = true
		for _, suite := range p.Announces {
			m.Announcement.Suites = append(m.Announcement.Suites, eapol.AnnouncedSuite{Capability: p.Capability, Suite: suite})
		}
	}
	for _, f := range edit {
		f(m)
	}
	frame := p.Sign(m.AppendTo(nil))
	if p.Shape != nil {
		frame = p.Shape(frame)
	}
	return frame
}

// list puts everybody that it has heard into one of the lists: by SSCI beside an XPN SAK of its own, as version 3 wants.
func (p *Peer) list(m *eapol.MKPDU) {
	for _, o := range p.Others {
		list := &m.Potential
		if o.Lists {
			list = &m.Live
		}
		list.Present = true
		list.Peers = append(list.Peers, eapol.ListedPeer{MI: o.Last.Basic.MI, MN: o.Last.Basic.MN})
	}
	if p.Offer.Suite.XPN() && p.Version >= 3 {
		p.orderBySSCI(&m.Live)
	}
}

// Sign appends the ICV to a frame that has none.
func (p *Peer) Sign(frame []byte) []byte {
	icv := p.ick.Sum(frame)
	return append(frame, icv[:]...)
}

// Resign replaces the ICV of a frame whose octets were altered.
func (p *Peer) Resign(frame []byte) []byte { return p.Sign(frame[:len(frame)-eapol.ICVLen]) }

// Octets before the first parameter set: Ethernet and EAPOL headers.
const headerLen = 14 + 4

// Rewrite lets f alter the parameter sets of an MKPDU, each with its header and padding, the Basic Parameter Set first:
// other orders, sets left out, repeated, or such as eapol does not build. The length in the EAPOL header follows.
func (p *Peer) Rewrite(frame []byte, f func(sets [][]byte) [][]byte) []byte {
	sets := setsOf(frame)
	out := append([]byte(nil), frame[:headerLen]...)
	for _, set := range f(sets) {
		out = append(out, set...)
	}
	binary.BigEndian.PutUint16(out[headerLen-2:], uint16(len(out)-headerLen+eapol.ICVLen))
	return p.Sign(out)
}

// setsOf are the parameter sets of an MKPDU, each with its header and padding, the Basic Parameter Set first.
func setsOf(frame []byte) (sets [][]byte) {
	for body := frame[headerLen : len(frame)-eapol.ICVLen]; len(body) > 0; {
		length := 4 + (int(binary.BigEndian.Uint16(body[2:])&0xfff)+3)&^3
		if body[0] == 255 && len(sets) > 0 { // the body of an ICV Indicator is the ICV
			length = 4
		}
		sets = append(sets, body[:length:length])
		body = body[length:]
	}
	return sets
}

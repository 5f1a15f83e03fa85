package eapol

import (
	"encoding/binary"
	"slices"

	"golang.org/x/crypto/cryptobyte"

	"mkad/secy"
)

// listedPeerLen is the length of one entry: MI and MN.
const listedPeerLen = 12 + 4

// MaxListedPeers is how many peers one list can hold: the length field of a set ends at 4095 octets. At an MTU of 1500 a
// frame is full long before, at about 80.
const MaxListedPeers = maxSetBody / listedPeerLen

// firstSSCIVersion is the MKA version that puts an SSCI into the Live Peer List (802.1Xck).
const firstSSCIVersion = 3

// A PeerList is a Live or Potential Peer List (Figure 11-9). Present decides whether it is sent, with no peers too;
// senders leave an empty list out.
//
//	1 or 2 | key server SSCI | length
//	MI (12), MN (4)                     for each peer
type PeerList struct {
	Present       bool
	KeyServerSSCI uint8 // Live list of an MKA v3 key server beside an XPN SAK: the low octet of its SSCI; else 0
	Peers         []ListedPeer
}

// A ListedPeer is one entry of a peer list: the peer's MI, and the latest MN that was received from it.
type ListedPeer struct {
	MI MI
	MN MN
}

func (p *PeerList) parse(h setHeader, body cryptobyte.String) Discard {
	if len(body)%listedPeerLen != 0 {
		return DiscardPeerListLength
	}
	p.Present = true
	if h.kind == setLivePeerList {
		p.KeyServerSSCI = h.detail
	}
	p.Peers = slices.Grow(p.Peers[:0], len(body)/listedPeerLen)
	var peer ListedPeer
	for body.CopyBytes(peer.MI[:]) && body.ReadUint32((*uint32)(&peer.MN)) {
		p.Peers = append(p.Peers, peer)
	}
	return Accepted
}

// limitSSCI forgets the key server's SSCI where the octet is a reserved one: before MKA version 3, and without an XPN SAK
// beside the list. Only when all sets are read can that be told, for they come in any order.
func (p *PeerList) limitSSCI(mkaVersion uint8, distributed secy.CipherSuite) {
	if mkaVersion < firstSSCIVersion || !distributed.XPN() {
		p.KeyServerSSCI = 0
	}
}

func (p *PeerList) bodyLen() int { return len(p.Peers) * listedPeerLen }

func (p *PeerList) appendTo(b []byte, kind uint8) []byte {
	if !p.Present {
		return b
	}
	b = appendSetHeader(b, setHeader{kind: kind, detail: p.KeyServerSSCI, length: p.bodyLen()})
	for i := range p.Peers {
		b = append(b, p.Peers[i].MI[:]...)
		b = binary.BigEndian.AppendUint32(b, uint32(p.Peers[i].MN))
	}
	return b
}

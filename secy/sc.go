package secy

import (
	"fmt"
	"maps"
)

// numANs is how many SAs an SC can have (7.1.3).
const numANs = 4

// maxReceiveSCs bounds the receive SCs of a SecY. One MKPDU in an Ethernet frame of 1,500 octets lists no more than
// about 90 peers.
const maxReceiveSCs = 128

// A table is all that frames look up. Once published it never changes: an order makes a new one.
type table struct {
	enabled      bool
	settings     Settings
	transmit     [numANs]*transmitSA
	transmitting *transmitSA // the one of them in use, or nil
	receive      map[SCI]receiveSC
	departed     SCCounters // of receive SCs that are no more
}

// A receiveSC is the receive SC of one peer (10.7.11).
type receiveSC struct {
	sas    [numANs]receiveSlot
	counts *receiveCounts
}

// A receiveSlot is one AN of a receive SC.
type receiveSlot struct {
	sa    *receiveSA // or nil
	inUse bool
}

// clone makes a table to change. SAs and counters are shared: they go on living.
func (t *table) clone() *table {
	c := *t
	c.receive = maps.Clone(t.receive)
	return &c
}

// find returns the receive SC of a frame, by the SCI in its SecTAG, or that which the tag implies, or because there is
// only one (10.6.1). Where there is none it returns one without SAs.
func (t *table) find(tag *secTAG, source [6]byte) receiveSC {
	if tag.has(tciSC) {
		return t.receive[tag.sci]
	}
	if sci, implied := tag.impliedSCI(source); implied {
		return t.receive[sci]
	}
	if len(t.receive) == 1 {
		for _, sc := range t.receive {
			return sc
		}
	}
	return receiveSC{}
}

// transmitSA returns the transmit SA of a key, or nil.
func (t *table) transmitSA(key KeyID) *transmitSA {
	for _, sa := range t.transmit {
		if sa != nil && sa.key == key {
			return sa
		}
	}
	return nil
}

// receiveSA returns the receive SA of a key in the SC of sci, with its AN; nil when there is none.
func (t *table) receiveSA(sci SCI, key KeyID) (*receiveSA, AN) {
	sc := t.receive[sci]
	for an, slot := range sc.sas {
		if slot.sa != nil && slot.sa.key == key {
			return slot.sa, AN(an)
		}
	}
	return nil, 0
}

// removeTransmit empties an AN, and stops transmission if that was the one in use.
func (t *table) removeTransmit(an AN) {
	if t.transmit[an] == t.transmitting {
		t.transmitting = nil
	}
	t.transmit[an] = nil
}

// removeSAs removes every SA of a key.
func (t *table) removeSAs(key KeyID) {
	for an, sa := range t.transmit {
		if sa != nil && sa.key == key {
			t.removeTransmit(AN(an))
		}
	}
	t.eachReceiveSA(key, func(slot *receiveSlot) { *slot = receiveSlot{} })
}

// enableReceive puts every receive SA of a key to use.
func (t *table) enableReceive(key KeyID) {
	t.eachReceiveSA(key, func(slot *receiveSlot) { slot.inUse = true })
}

func (t *table) eachReceiveSA(key KeyID, change func(*receiveSlot)) {
	for sci, sc := range t.receive {
		for an := range sc.sas {
			if slot := &sc.sas[an]; slot.sa != nil && slot.sa.key == key {
				change(slot)
			}
		}
		t.receive[sci] = sc
	}
}

// removeReceiveSC removes an SC with its SAs; what it has counted stays counted.
func (t *table) removeReceiveSC(sci SCI) {
	if sc, ok := t.receive[sci]; ok {
		t.departed.add(sc.counts.read())
		delete(t.receive, sci)
	}
}

// checkSSCI refuses an SSCI that is none, or that stands for another member already: two members with one SSCI would use
// the same nonces.
func (t *table) checkSSCI(key KeyID, ssci SSCI) error {
	if ssci == 0 {
		return fmt.Errorf("SSCI is 0: an XPN suite needs one, from 1 on")
	}
	if sa := t.transmitSA(key); sa != nil && sa.ssci == ssci {
		return fmt.Errorf("SSCI %d is our own: members must have different ones", ssci)
	}
	for sci := range t.receive {
		if sa, _ := t.receiveSA(sci, key); sa != nil && sa.ssci == ssci {
			return fmt.Errorf("SSCI %d is that of %s: members must have different ones", ssci, sci)
		}
	}
	return nil
}

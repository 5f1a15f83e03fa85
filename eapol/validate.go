package eapol

import (
	"cmp"
	"slices"

	"golang.org/x/crypto/cryptobyte"
)

// Bounds of a packet body (11.11.2).
const (
	minBodyLen   = 32 // the standard's figure; a Basic Parameter Set and an ICV make at least 52
	bodyMultiple = 4  // every parameter set is padded to it
)

// An Acceptance says which frames a PAE listens to (11.1, 11.4). The zero value takes the EtherType of EAPOL and frames
// to PAEGroup.
type Acceptance struct {
	// EtherType to be used instead of EAPOL's own, as some wide area networks need; 0 is EAPOL's own.
	EtherType uint16
	// Destinations lists the group addresses that are heard; empty is PAEGroup, unless there is a Station. Individual
	// ones never match.
	Destinations []MAC
	// Station is our own address, if frames to it are heard too; zero: they are not.
	Station MAC
	// AnyGroup hears every group address, whatever Destinations says.
	AnyGroup bool
}

func (a Acceptance) etherType() uint16 { return cmp.Or(a.EtherType, EtherType) }

// destination reports whether a frame to da is for the PAE. The standard refuses individual addresses: a frame to
// one station could be carried further than the CA reaches (11.11.2 a). Ours may be configured where nothing else gets
// through.
func (a Acceptance) destination(da MAC) bool {
	switch {
	case !da.IsGroup():
		return da == a.Station && da != MAC{}
	case a.AnyGroup:
		return true
	case len(a.Destinations) == 0:
		return da == PAEGroup && a.Station == MAC{}
	}
	return slices.Contains(a.Destinations, da)
}

// checkBody checks what the standard wants of a packet body as such (11.11.2 b, c).
func checkBody(body []byte) Discard {
	switch {
	case len(body) < minBodyLen:
		return DiscardBodyTooShort
	case len(body)%bodyMultiple != 0:
		return DiscardBodyNotMultipleOf4
	}
	return Accepted
}

// checkSets checks that every parameter set ends before the ICV does. Only the body of an ICV Indicator is the ICV
// itself (11.11.3). It comes before the first set is parsed, so that a frame that ends amiss leaves no trace.
func checkSets(sets cryptobyte.String) Discard {
	for len(sets) > 0 && !isICVIndicator(sets) {
		if _, _, ok := readSet(&sets); !ok {
			return DiscardSetLength
		}
	}
	return Accepted
}

package eapol

import "fmt"

// A Discard is the reason for which a received frame was dropped: a closed list that serves counter, event and test.
type Discard uint8

// The reasons, in the order in which the checks are made (11.4, 11.11.2, 9.4, then set by set).
const (
	Accepted Discard = iota

	// The EAPOL frame (11.4).
	DiscardShortFrame
	DiscardEtherType
	DiscardDestination  // not an accepted group address
	DiscardLength       // the packet body goes beyond the frame
	DiscardNotMKA       // another EAPOL packet type; not an error
	DiscardEAPOLVersion // an MKPDU of a version before 3

	// The MKPDU before its ICV is checked (11.11.2 a to g).
	DiscardBodyTooShort
	DiscardBodyNotMultipleOf4
	DiscardBasicLength
	DiscardCKNLength
	DiscardUnknownCKN
	DiscardAlgorithmAgility
	DiscardICV

	// Parameter sets, once authentic (11.11.3 and the figures of each).
	DiscardSetLength // a set reaches into the ICV or beyond
	DiscardPeerListLength
	DiscardDistributedSAKLength
	DiscardDistributedSAKSuite // the length fits no suite of that identifier, or the suite is unknown

	// The participant (9.4, 9.5, 9.8, 9.12); found by package mka.
	DiscardOwnSCI
	DiscardOwnMI
	DiscardReplay
	DiscardTooManyPeers
	DiscardNotKeyServer // a Distributed SAK from someone who is not the elected key server, or not live
	DiscardSAKPolicy    // suite or offset that the policy forbids or the SecY lacks
	DiscardSAKUnwrap
	DiscardSAKReuse // a key that was used before and retired

	discardEnd
)

// NumDiscards is the number of values of Discard, for arrays of counters.
const NumDiscards = int(discardEnd)

var discardNames = [NumDiscards]string{
	"accepted",
	"short-frame", "ethertype", "destination", "length", "not-mka", "eapol-version",
	"body-too-short", "body-not-multiple-of-4", "basic-length", "ckn-length", "unknown-ckn", "algorithm-agility", "icv",
	"set-length", "peer-list-length", "distributed-sak-length", "distributed-sak-suite",
	"own-sci", "own-mi", "replay", "too-many-peers", "not-key-server", "sak-policy", "sak-unwrap", "sak-reuse",
}

// String is the reason in one word, as in counters and logs.
func (d Discard) String() string {
	if int(d) < len(discardNames) {
		return discardNames[d]
	}
	return fmt.Sprintf("Discard(%d)", uint8(d))
}

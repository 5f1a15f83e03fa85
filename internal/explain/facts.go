package explain

import (
	"fmt"
	"strings"
	"time"

	"mkad/eapol"
	"mkad/keyderive"
)

// Facts are the evidence in words, a line each.
func Facts(e Evidence) []string {
	facts := []string{e.linkFact(), e.keyFact()}
	switch {
	case e.StateUnkept != nil && e.StateStays:
		facts = append(facts, fmt.Sprintf("what a restart needs can neither be kept nor removed, so it would go on from what it was before: %v",
			e.StateUnkept))
	case e.StateUnkept != nil:
		facts = append(facts, fmt.Sprintf("what a restart needs cannot be kept, so it would begin anew with the peers: %v", e.StateUnkept))
	}
	if e.Failure != nil {
		return facts
	}
	facts = append(facts, e.frameFact())
	for _, p := range e.MKA.Participants {
		for _, q := range p.Peers {
			state := "potential"
			if q.Live {
				state = "live"
			}
			facts = append(facts, fmt.Sprintf("peer %s with CKN %s: %s, heard %.1f s ago, key server priority %d, MKA version %d",
				q.SCI, p.CKN, state, q.LastSeen.Seconds(), q.KeyServerPriority, q.Version))
		}
	}
	return facts
}

func (e *Evidence) linkFact() string {
	switch {
	case !e.Link.Exists:
		return e.Interface + " does not exist"
	case !e.Link.Up:
		return e.Interface + " is down"
	case !e.Link.Carrier:
		return e.Interface + " is up, without carrier"
	}
	fact := fmt.Sprintf("%s has carrier, MTU %d", e.Interface, e.Link.MTU)
	if e.Link.Virtual != "" {
		fact += ", driver " + e.Link.Virtual
	}
	if !e.Secured {
		fact += fmt.Sprintf(", frames received since the carrier came: %d", e.Link.Frames)
	}
	return fact
}

func (e *Evidence) keyFact() string {
	if e.Keys.Problem != "" {
		return e.Keys.Problem
	}
	validity := "valid now"
	if e.Keys.Unsynchronised {
		validity = "none is valid, but nothing keeps the clock right, so in use"
	}
	fact := fmt.Sprintf("keys in %s: %s %s", e.KeyFile, validity, listed(e.Keys.Valid))
	if len(e.Keys.Idle) > 0 {
		fact += ", not valid now " + listed(e.Keys.Idle)
	}
	if !e.Keys.Next.IsZero() {
		fact += ", the next begins at " + e.Keys.Next.UTC().Format(time.RFC3339)
	}
	return fact
}

func listed(ckns []keyderive.CKN) string {
	if len(ckns) == 0 {
		return "none"
	}
	var words []string
	for _, c := range ckns {
		words = append(words, c.String())
	}
	return strings.Join(words, " ")
}

// frameFact counts MKPDUs since MKA runs on the device.
func (e *Evidence) frameFact() string {
	fact := fmt.Sprintf("MKPDUs: %d sent, %d accepted", e.MKA.Sent, e.MKA.Received)
	for d, n := range e.MKA.Discards {
		if n > 0 {
			fact += fmt.Sprintf(", %d discarded (%s)", n, eapol.Discard(d))
		}
	}
	return fact
}

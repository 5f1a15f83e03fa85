package explain

import (
	"fmt"
	"slices"
	"time"

	"mkad/eapol"
	"mkad/mka"
	"mkad/secy"
)

// Warnings say what is not as it should be on a port that is secured, a line each; asked is the confidentiality that is
// configured.
func Warnings(e *Evidence, asked secy.ConfidentialityOffset) []string {
	if !e.MKA.Secured {
		return nil
	}
	return slices.Concat(refusal(e), deafness(e.MKA, e.LifeTime), weakness(e.MKA, asked))
}

// refusal says that the SAK in service cannot be replaced: the key server's are refused. Where that key server is a mkad, it
// mends itself within seconds.
func refusal(e *Evidence) []string {
	bad, seen := e.discarded(eapol.DiscardSAKReuse)
	if !seen {
		return nil
	}
	return []string{fmt.Sprintf("every SAK of key server %s is refused, for its Key Number was used before, so the one in use cannot "+
		"be replaced; if this stays, restart MKA there", bad.Peer)}
}

// deafness says of which live peers nothing is received: they have reported for longer than a re-key or a join may take, that
// they do not receive with the key in use.
func deafness(s mka.Status, lifeTime time.Duration) (all []string) {
	for _, p := range s.Participants {
		for _, q := range p.Peers {
			if p.Principal && q.Deaf >= 2*lifeTime {
				all = append(all, fmt.Sprintf("peer %s has reported for %.0f s that it does not receive with the key in use: what is sent to it is lost; "+
					"look there for the reason", q.SCI, q.Deaf.Seconds()))
			}
		}
	}
	return all
}

// weakness says that less is encrypted than is asked for: the key server decides, by what it and all members can do.
func weakness(s mka.Status, asked secy.ConfidentialityOffset) []string {
	readable := func(o secy.ConfidentialityOffset) int {
		if o == secy.IntegrityOnly {
			return int(^uint(0) >> 1) // all of it
		}
		return o.Octets()
	}
	if readable(s.Offset) <= readable(asked) {
		return nil
	}
	what := fmt.Sprintf("the first %d octets are not encrypted", s.Offset.Octets())
	if s.Offset == secy.IntegrityOnly {
		what = "nothing is encrypted"
	}
	why := "the key server decides: look at its configuration"
	if s.KeyServer {
		why = "not every member can do more"
	}
	return []string{fmt.Sprintf("confidentiality is %s where %s is configured, so %s; %s", s.Offset, asked, what, why)}
}

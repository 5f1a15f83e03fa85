package explain

import "mkad/mka"

// A Verdict is why a port is not secured, for people. The zero value is that of a port that is.
type Verdict struct {
	Cause  Cause
	Why    string // what is the matter, with the names and numbers that show it
	Remedy string // what to do; "" where Why says it, or there is nothing to do
}

// Reason is the verdict in one line.
func (v Verdict) Reason() string {
	if v.Remedy == "" {
		return v.Why
	}
	return v.Why + "; " + v.Remedy
}

// Explain gives the verdict: the first condition that holds.
func Explain(e Evidence) Verdict {
	if e.Secured && e.Failure == nil {
		return Verdict{}
	}
	for _, c := range conditions {
		if why, remedy := c.holds(&e); why != "" {
			return Verdict{c.cause, why, remedy}
		}
	}
	panic("explain: the last condition always holds")
}

// Discarded gives the likely cause of one discarded frame, on a port with these keys; the zero Verdict when it is nothing
// that a person could act on.
func Discarded(event mka.Event, e Evidence) Verdict {
	e.MKA, e.Seen, e.Now = mka.Status{}, &Seen{}, 0
	e.Seen.Note(event, 0)
	for _, c := range conditions {
		if why, remedy := c.holds(&e); ofDiscards[c.cause] && why != "" {
			return Verdict{c.cause, why, remedy}
		}
	}
	return Verdict{}
}

// ofDiscards are the causes that follow from a discarded frame alone.
var ofDiscards = map[Cause]bool{OwnFrames: true, OffsetMismatch: true, SuiteMismatch: true, CKNFilled: true, CKNText: true,
	KeyNotValid: true, UnknownCKN: true, WrongCAK: true, BadSAK: true, OtherDestination: true,
	Foreign: true}

// A condition says why and what to do about it; "" when it does not hold.
type condition struct {
	cause Cause
	holds func(e *Evidence) (why, remedy string)
}

// Causes lists every cause that a verdict may have, in the order in which they are looked for.
func Causes() (all []Cause) {
	for _, c := range conditions {
		all = append(all, c.cause)
	}
	return all
}

package main

import (
	"slices"
	"strings"
)

// shrinkRuns bounds the effort of making a script smaller.
const shrinkRuns = 600

// Shrink takes out of the script whatever is not needed for it to fail: faults, many at a time and then each, members,
// and time. fails is asked shrinkRuns times at most.
func Shrink(s Script, fails func(Script) bool) Script {
	left := shrinkRuns
	try := func(smaller Script) bool {
		if left == 0 {
			return false
		}
		left--
		if !fails(smaller) {
			return false
		}
		s = smaller
		return true
	}
	for before := ""; before != s.String() && left > 0; {
		before = s.String()
		for n := len(s.Faults); n > 0; n /= 2 {
			for i := 0; i < len(s.Faults); {
				if !try(s.withoutFaults(i, min(i+n, len(s.Faults)))) {
					i += n
				}
			}
		}
		for i := 0; i < len(s.Members) && len(s.Members) > 2; {
			if !try(s.withoutMember(i)) {
				i++
			}
		}
		for try(s.shorter()) {
		}
	}
	return s
}

func (s Script) withoutFaults(from, to int) Script {
	s.Faults = slices.Delete(slices.Clone(s.Faults), from, to)
	return s
}

// withoutMember takes a member out, and its name out of the faults.
func (s Script) withoutMember(i int) Script {
	name := s.Members[i].Name
	s.Members = slices.Delete(slices.Clone(s.Members), i, i+1)
	s.Faults = slices.Clone(s.Faults)
	for i := range s.Faults {
		if s.Faults[i].Who = strings.ReplaceAll(s.Faults[i].Who, name, ""); s.Faults[i].Who == "" {
			s.Faults[i].Who = "-"
		}
	}
	return s
}

// shorter ends the time of faults a tenth sooner.
func (s Script) shorter() Script {
	s.Length = (s.Length - s.Length/10).Truncate(1e6)
	return s
}

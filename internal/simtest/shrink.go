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
		for _, list := range [...]func(*Script) *[]Fault{faultsOf, calmOf} {
			for n := len(*list(&s)); n > 0; n /= 2 {
				for i := 0; i < len(*list(&s)); {
					if !try(s.without(list, i, min(i+n, len(*list(&s))))) {
						i += n
					}
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

func faultsOf(s *Script) *[]Fault { return &s.Faults }
func calmOf(s *Script) *[]Fault   { return &s.Calm }

func (s Script) without(list func(*Script) *[]Fault, from, to int) Script {
	of := list(&s)
	*of = slices.Delete(slices.Clone(*of), from, to)
	return s
}

// withoutMember takes a member out, and its name out of the faults.
func (s Script) withoutMember(i int) Script {
	name := s.Members[i].Name
	s.Members = slices.Delete(slices.Clone(s.Members), i, i+1)
	for _, list := range [...]*[]Fault{&s.Faults, &s.Calm} {
		*list = slices.Clone(*list)
		for i := range *list {
			f := &(*list)[i]
			if f.Who = strings.ReplaceAll(f.Who, name, ""); f.Who == "" {
				f.Who = "-"
			}
		}
	}
	return s
}

// shorter ends the time of faults a tenth sooner.
func (s Script) shorter() Script {
	s.Length = (s.Length - s.Length/10).Truncate(1e6)
	return s
}

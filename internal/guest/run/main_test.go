package main

import (
	"reflect"
	"testing"

	"mkad/internal/guest"
)

func TestCommandsAreCutAtAnd(t *testing.T) {
	tests := map[string]struct {
		words []string
		want  []guest.Command
	}{
		"one":               {[]string{"a", "-x", "--"}, []guest.Command{{Program: "a", Args: []string{"-x", "--"}}}},
		"two":               {[]string{"a", "1", and, "b"}, []guest.Command{{Program: "a", Args: []string{"1"}}, {Program: "b", Args: []string{}}}},
		"nothing between":   {[]string{"a", and, and, "b", and}, []guest.Command{{Program: "a", Args: []string{}}, {Program: "b", Args: []string{}}}},
		"the log of a test": {[]string{"a", "-test.testlogfile=/x", "-test.v"}, []guest.Command{{Program: "a", Args: []string{"-test.v"}}}},
		"none":              {nil, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := commands(test.words); !reflect.DeepEqual(got, test.want) {
				t.Errorf("commands are %v, want %v", got, test.want)
			}
		})
	}
}

func TestProgramIsNeeded(t *testing.T) {
	if _, err := parse([]string{"-kernel", "uml", "--"}); err == nil {
		t.Error("nothing to run was taken")
	}
	if _, err := parse([]string{"-kernel", "uml", "-prepare"}); err != nil {
		t.Errorf("preparing needs a program: %v", err)
	}
}

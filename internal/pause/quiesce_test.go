package pause

import (
	"slices"
	"testing"
)

func TestListOfProcessorsIsRead(t *testing.T) {
	for list, want := range map[string][]int{"0": {0}, "0-2": {0, 1, 2}, "0,2-3,7": {0, 2, 3, 7}} {
		if got, err := parseCPUs(list); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q is %v (%v), want %v", list, got, err, want)
		}
	}
	for _, list := range []string{"", "a", "0-", "1,,2"} {
		if got, err := parseCPUs(list); err == nil {
			t.Errorf("%q is %v, want an error", list, got)
		}
	}
}

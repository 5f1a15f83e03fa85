package daemon_test

import (
	"testing"

	"mkad/internal/netlab/rekeytest"
)

// rekeys are few, of the one kind that no other test has, unless flags ask for more.
var rekeys = rekeytest.Flags(2, 1, 200)

// Clause: 802.1X-2020 9.8; design: whatever a re-key is made for, its reason is told, it loses nothing, and costs no memory
// Requirement: R70
func TestRekeysOfEveryKindTellTheirReasonAndLoseNothing(t *testing.T) {
	s := *rekeys
	s.Programs, s.Backend = hooked, "userspace"
	if s.Each <= 2 {
		s.Kinds = []string{"membership"}
	}
	rekeytest.Run(t, s)
}

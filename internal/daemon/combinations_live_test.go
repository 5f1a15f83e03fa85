package daemon_test

import (
	"testing"

	"mkad/internal/netlab/optiontest"
)

// Clause: 802.1X-2020 12.4; design decision 4: what passes of ARP, IPv6, DHCP, LLDP, STP and LACP on which device, with every
// combination of policy, uncontrolled, bypass, on_exit and on_unsecured, in every state.
func TestEveryCombinationOfOptionsPassesWhatIsPromised(t *testing.T) {
	t.Parallel()
	optiontest.Run(t, released, "userspace")
}

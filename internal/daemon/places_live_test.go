package daemon_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"mkad/internal/control"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// addressOf is the MAC address of a host's lower device.
func addressOf(t *testing.T, h *mkadlab.Host) (mac net.HardwareAddr) {
	t.Helper()
	must(t, h.Do(func() error {
		link, err := netlink.LinkByName(mkadlab.Lower)
		if err == nil {
			mac = link.Attrs().HardwareAddr
		}
		return err
	}))
	return mac
}

// Clause: 802.1X-2020 11.1.1, against 11.11.2 a by configuration; design: EAPOL destinations
func TestPeersThatNameEachOthersAddressAreSecured(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "# here")
	west, east := addressOf(t, l.West), addressOf(t, l.East)
	edit(t, l.West, "# here", fmt.Sprintf("eapol_destination = %q", east))
	edit(t, l.East, "# here", fmt.Sprintf("eapol_destination = %q", west))
	must(t, l.Secure(t.Context()))
	stop := capture(t, l)
	carriesBothWays(t, l)
	wires := stop()
	for i, c := range wires {
		own := []net.HardwareAddr{west, east}[i]
		for _, f := range framesOf(c, netlab.EtherTypeEAPOL) {
			if to := net.HardwareAddr(f[:6]); to.String() != own.String() {
				t.Errorf("an MKPDU arrives at %s that is for %s", own, to)
			}
		}
	}
	onlySecured(t, wires)
}

// Clause: 802.1X-2020 11.1.1; design: any of the three group addresses
func TestPeerThatSendsToAnotherStandardGroupIsHeard(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", `eapol_accept = "standard"`)
	edit(t, l.West, "[[port]]", "[[port]]\neapol_destination = \"01:80:c2:00:00:0e\"")
	edit(t, l.East, "[[port]]", "[[port]]\neapol_destination = \"01:80:c2:00:00:00\"")
	must(t, l.Secure(t.Context()))
	carriesBothWays(t, l)
}

// Clause: 802.1X-2020 11.12.3; design: a refusal names both sides' cipher suites, on both sides
func TestSuitesThatDoNotMeetAreNamedOnBothSides(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "# here")
	edit(t, l.West, "# here", `cipher_suites = ["GCM-AES-XPN-256"]`)
	edit(t, l.East, "# here", `cipher_suites = ["GCM-AES-256", "GCM-AES-128"]`)
	must(t, l.StartDaemons(t.Context()))
	must(t, l.Connect())
	for _, h := range l.Hosts() {
		waitFor(t, "reason of "+h.Name, func() bool {
			p := portOf(t, h)
			named := func(suite string) bool { return strings.Contains(p.Reason, suite) }
			return p.State != control.Secured && named("GCM-AES-XPN-256") && named("GCM-AES-256") && named("GCM-AES-128")
		})
	}
}

package daemon_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mkad/internal/netlab/mkadlab"
)

// An identity is what other programs know a Controlled Port by.
func identity(t *testing.T, h *mkadlab.Host) string {
	t.Helper()
	d, err := h.Device(mkadlab.Controlled)
	must(t, err)
	addresses, err := h.Run(t.Context(), "ip", "-o", "address", "show", "dev", mkadlab.Controlled, "scope", "global")
	must(t, err)
	routes, err := h.Run(t.Context(), "ip", "route", "show", "dev", mkadlab.Controlled)
	must(t, err)
	routes = strings.ReplaceAll(routes, " linkdown", "")
	return fmt.Sprintf("index %d\n%s%s", d.Index, addresses, routes)
}

// furnish gives a Controlled Port an address and a route.
func furnish(t *testing.T, h *mkadlab.Host, address string) {
	t.Helper()
	must(t, h.AddAddress(mkadlab.Controlled, address+"/24"))
	if out, err := h.Run(t.Context(), "ip", "route", "add", "198.51.100.0/24", "dev", mkadlab.Controlled); err != nil {
		t.Fatal(out, err)
	}
}

// Clause: none; design decision 2: what a port is changed to does not change what others know it by
func TestControlledPortKeepsItsIdentityThroughReloads(t *testing.T) {
	for _, onExit := range []string{"keep", "remove"} {
		t.Run(onExit, func(t *testing.T) {
			t.Parallel()
			l := newLink(t, released, "", fmt.Sprintf("on_exit = %q\n# here", onExit))
			must(t, l.Secure(t.Context()))
			furnish(t, l.West, mkadlab.WestAddress)
			furnish(t, l.East, mkadlab.EastAddress)
			before := identity(t, l.West)
			was := "# here"
			for _, change := range []string{
				`cipher_suites = ["GCM-AES-128"]`,
				`cipher_suites = ["GCM-AES-256", "GCM-AES-128"]` + "\nconfidentiality = \"offset-30\"",
				"key_server_priority = 200\nhello_time = \"1s\"\nlife_time = \"9s\"",
				"policy = \"should-secure\"",
				"icv_indicator = true\nmka_version = 2\nsak_lifetime = \"1h\"",
			} {
				edit(t, l.West, was, change)
				was = change
				mkactl(t, l.West, "reload")
				mkactl(t, l.West, "status", "--wait", "secured", "--timeout", "30s")
				waitLong(t, "the other side to be secured with the same key", 30*time.Second, func() bool {
					return portOf(t, l.East).Tx.KI == portOf(t, l.West).Tx.KI && portOf(t, l.West).Tx.KI != ""
				})
				if after := identity(t, l.West); after != before {
					t.Errorf("%s: before\n%safter\n%s", change, before, after)
				}
				carries(t, l)
			}
			p := portOf(t, l.West)
			if p.CipherSuite != "GCM-AES-XPN-256" || p.Participants[0].MKAVersion != 2 {
				t.Errorf("in the end %s and MKA version %d", p.CipherSuite, p.Participants[0].MKAVersion)
			}
		})
	}
}

// carries wants the addresses of the Controlled Ports to reach each other.
func carries(t *testing.T, l *mkadlab.Link) {
	t.Helper()
	if out, err := l.West.Run(t.Context(), "ping", "-c1", "-W5", mkadlab.EastAddress); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

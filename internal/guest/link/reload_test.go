package link

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"mkad/internal/control"
	"mkad/internal/netlab/mkadlab"
)

// Clause: none; design decision 2: the kernel fixes a device's suite when it is made; what others know the device by stays.
func TestGuestControlledPortKeepsItsIdentityThroughReloads(t *testing.T) {
	l := newLink(t, marker, "")
	must(t, l.Secure(t.Context()))
	must(t, l.Address())
	run(t, l.West, "ip route add 198.51.100.0/24 dev "+mkadlab.Controlled)
	before := identity(t, l.West)
	was := marker
	for _, change := range []string{
		`cipher_suites = ["GCM-AES-128"]`,
		`cipher_suites = ["GCM-AES-256"]` + "\nconfidentiality = \"integrity-only\"",
		"key_server_priority = 200\nhello_time = \"1s\"\nlife_time = \"9s\"",
		`policy = "should-secure"`,
	} {
		configure(t, l.West, was, change)
		was = change
		if out, err := l.West.Mkactl(t.Context(), "reload"); err != nil {
			t.Fatal(out, err)
		}
		waitFor(t, "both to transmit with one key after "+change, func() bool {
			west, east := port(t, l.West), port(t, l.East)
			return west.State == control.Secured && west.Tx.KI == east.Tx.KI && west.Tx.KI != "" &&
				(!strings.Contains(change, "cipher_suites") || strings.Contains(change, `"`+west.CipherSuite+`"`))
		})
		if after := identity(t, l.West); after != before {
			t.Errorf("%s: before\n%safter\n%s", change, before, after)
		}
		carriesBothWays(t, l)
	}
}

// identity is what other programs know the Controlled Port by.
func identity(t *testing.T, h *mkadlab.Host) string {
	t.Helper()
	d, err := h.Device(mkadlab.Controlled)
	must(t, err)
	return fmt.Sprintf("index %d\n%s%s", d.Index, run(t, h, "ip -o address show dev "+mkadlab.Controlled+" scope global"),
		strings.ReplaceAll(run(t, h, "ip route show dev "+mkadlab.Controlled), " linkdown", ""))
}

// configure puts lines in the place of others in the host's configuration.
func configure(t *testing.T, h *mkadlab.Host, was, lines string) {
	t.Helper()
	text, err := os.ReadFile(h.ConfigFile())
	must(t, err)
	if !strings.Contains(string(text), was) {
		t.Fatalf("%q is not in\n%s", was, text)
	}
	must(t, os.WriteFile(h.ConfigFile(), []byte(strings.Replace(string(text), was, lines, 1)), 0o644))
}

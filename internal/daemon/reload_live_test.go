package daemon_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mkad/internal/control"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// An identity is what other programs know a Controlled Port by.
func identity(t *testing.T, h *mkadlab.Host) string {
	t.Helper()
	return identityOf(t, h, mkadlab.Controlled)
}

// identityOf is identity of a Controlled Port of another name, but for the name.
func identityOf(t *testing.T, h *mkadlab.Host, name string) string {
	t.Helper()
	d, err := h.Device(name)
	must(t, err)
	addresses, err := h.Run(t.Context(), "ip", "-o", "address", "show", "dev", name, "scope", "global")
	must(t, err)
	addresses = strings.ReplaceAll(addresses, name, "it")
	routes, err := h.Run(t.Context(), "ip", "route", "show", "dev", name)
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

// newFurnishedLink is a secured link whose Controlled Ports have addresses and routes.
func newFurnishedLink(t *testing.T, programs, port string) *mkadlab.Link {
	t.Helper()
	l := newLink(t, programs, "", port)
	must(t, l.Secure(t.Context()))
	furnish(t, l.West, mkadlab.WestAddress)
	furnish(t, l.East, mkadlab.EastAddress)
	return l
}

// Clause: none; design decision 2: what a port is changed to does not change what others know it by
func TestControlledPortKeepsItsIdentityThroughReloads(t *testing.T) {
	for _, onExit := range []string{"keep", "remove"} {
		t.Run(onExit, func(t *testing.T) {
			t.Parallel()
			l := newFurnishedLink(t, released, fmt.Sprintf("on_exit = %q\n# here", onExit))
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

// Clause: none; design: what goes with a port is said before it goes
func TestPlanNamesWhatGoesWithAPortThatIsRemoved(t *testing.T) {
	t.Parallel()
	l := newFurnishedLink(t, released, "")
	for i := range 9 { // more than are named
		must(t, l.West.AddAddress(mkadlab.Controlled, fmt.Sprintf("198.18.0.%d/32", i)))
	}
	edit(t, l.West, `interface = "eth1"`, `interface = "eth9"`)
	edit(t, l.West, `controlled = "macsec0"`, `controlled = "macsec9"`)
	out, err := mkad(t, l.West, "--check", "--diff")
	must(t, err)
	for _, say := range []string{"eth1: remove, cuts its traffic", "with macsec0 goes: address " + mkadlab.WestAddress, "with macsec0: and "} {
		if !strings.Contains(out, say) {
			t.Errorf("--diff does not say %q:\n%s", say, out)
		}
	}
	if n := strings.Count(out, "with macsec0"); n > 9 { // eight, and how many more
		t.Errorf("%d things are named:\n%s", n, out)
	}
}

// Clause: none; design decision 2: another name is no other device.
func TestRenamedControlledPortKeepsWhatItHas(t *testing.T) {
	for _, onExit := range []string{"keep", "remove"} {
		t.Run(onExit, func(t *testing.T) {
			t.Parallel()
			l := newFurnishedLink(t, released, fmt.Sprintf("on_exit = %q", onExit))
			before := identity(t, l.West)
			edit(t, l.West, `controlled = "macsec0"`, `controlled = "other0"`)
			out, err := mkad(t, l.West, "--check", "--diff")
			must(t, err)
			for _, say := range []string{restartedPort, `controlled: "macsec0" -> "other0"`} {
				if !strings.Contains(out, say) || strings.Contains(out, "loses") {
					t.Errorf("--diff does not say %q, or that something is lost:\n%s", say, out)
				}
			}
			mkactl(t, l.West, "reload")
			must(t, l.WaitFor(t.Context(), control.Secured))
			if after := identityOf(t, l.West, "other0"); after != before {
				t.Errorf("before\n%safter\n%s", before, after)
			}
			if d, err := l.West.Device(mkadlab.Controlled); err == nil {
				t.Errorf("%s is there still: %+v", mkadlab.Controlled, d)
			}
			if !isClosed(t, l.West, mkadlab.Lower) {
				t.Error("the lower device is open")
			}
			carries(t, l)
		})
	}
}

// Clause: none; design decision 2: what cannot be put back is told beforehand, and refused without --force.
func TestNameThatIsTakenIsRefused(t *testing.T) {
	t.Parallel()
	l := newFurnishedLink(t, released, "")
	must(t, netlab.Join(l.West.Namespace, "other0", l.West.Namespace, "other1"))
	before, since := identity(t, l.West), portOf(t, l.West).Since
	edit(t, l.West, `controlled = "macsec0"`, `controlled = "other0"`)
	out, err := mkad(t, l.West, "--check", "--diff")
	must(t, err)
	answer, refusal := l.West.Mkactl(t.Context(), "reload")
	if refusal == nil || !strings.Contains(answer, "mkactl reload --force") {
		t.Errorf("reload: %v, %s", refusal, answer)
	}
	for _, loss := range []string{"another device is called other0", "address " + mkadlab.WestAddress + "/24 of macsec0", "route 198.51.100.0/24 of macsec0"} {
		if !strings.Contains(out, loss) || !strings.Contains(answer, loss) {
			t.Errorf("of %q there is nothing in what --diff says:\n%s\nor reload:\n%s", loss, out, answer)
		}
	}
	if after := identity(t, l.West); after != before || portOf(t, l.West).Since != since {
		t.Errorf("secured since %s, now %s; before\n%safter\n%s", since, portOf(t, l.West).Since, before, after)
	}
	carries(t, l)
	mkactl(t, l.West, "reload", "--force")
	waitFor(t, "the old name to be free", func() bool { _, err := l.West.Device(mkadlab.Controlled); return err != nil })
	must(t, l.West.Remove("other0"))
	must(t, l.WaitFor(t.Context(), control.Secured))
	if _, err := l.West.Device("other0"); err != nil {
		t.Error(err)
	}
}

// Clause: none; design: mkactl backend holds until the configuration names another, which a reload of the same does not.
func TestReloadOfTheSameKeepsTheBackendThatWasOrdered(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	must(t, l.Secure(t.Context()))
	before := portOf(t, l.West)
	mkactl(t, l.West, "backend", mkadlab.Lower, "userspace")
	for range 2 {
		if out := mkactl(t, l.West, "reload"); out != "nothing changed\n" {
			t.Errorf("reload says %s", out)
		}
	}
	if now := portOf(t, l.West); now.Tx.KI != before.Tx.KI || !now.Since.Equal(before.Since) {
		t.Errorf("secured since %s with %s, was since %s with %s", now.Since, now.Tx.KI, before.Since, before.Tx.KI)
	}
	edit(t, l.West, "[[port]]", "[[port]]\nbackend = \"userspace\"")
	mkactl(t, l.West, "reload")
	edit(t, l.West, "backend = \"userspace\"", "backend = \"auto\"")
	if out := mkactl(t, l.West, "reload"); !strings.Contains(out, `backend: "userspace" -> "auto"`) {
		t.Errorf("the configuration names another: %s", out)
	}
}

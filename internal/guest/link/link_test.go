package link

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mkad/internal/control"
	"mkad/internal/daemon"
	"mkad/internal/daemon/daemontest"
	"mkad/internal/guest/guesttest"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "mkad" {
		os.Exit(daemontest.Play(os.Args[2], func(o *daemon.Options) error {
			fuseInto(o)
			h, err := daemontest.ReadHooks(o.Path)
			h.Into(o)
			return err
		}))
	}
	guesttest.Main(m)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newLink makes two hosts whose ports are configured by the given lines, each host by its own.
func newLink(t *testing.T, west, east string) *mkadlab.Link {
	t.Helper()
	mkad, err := exec.LookPath("mkad")
	must(t, err)
	return newLinkOf(t, filepath.Dir(mkad), west, east)
}

// newLinkOf is newLink with mkad and mkactl from another directory.
func newLinkOf(t *testing.T, programs, west, east string) *mkadlab.Link {
	t.Helper()
	l, err := mkadlab.New(t.Context(), mkadlab.Options{Programs: programs, Port: marker})
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			for _, h := range l.Hosts() {
				t.Logf("log of %s:\n%s", h.Name, h.Log())
			}
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	for h, lines := range map[*mkadlab.Host]string{l.West: west, l.East: east} {
		text, err := os.ReadFile(h.ConfigFile())
		must(t, err)
		must(t, os.WriteFile(h.ConfigFile(), bytes.Replace(text, []byte(marker), []byte(lines), 1), 0o644))
	}
	return l
}

// marker stands where a host's own lines are to go.
const marker = "# lines of this host"

// carriesBothWays sends a stream each way; nothing may be lost.
func carriesBothWays(t *testing.T, l *mkadlab.Link) {
	t.Helper()
	for _, way := range [][2]*mkadlab.Host{{l.West, l.East}, {l.East, l.West}} {
		s, err := netlab.StartStream(netlab.StreamConfig{FromNamespace: way[0].Namespace, ToNamespace: way[1].Namespace,
			From: mkadlab.Controlled, To: mkadlab.Controlled, Rate: 200, Size: 1400})
		must(t, err)
		end := time.NewTimer(500 * time.Millisecond)
		<-end.C
		r, err := s.Stop()
		must(t, err)
		if r.Lost() != 0 || r.Refused != 0 || r.Twice != 0 || r.Sent == 0 {
			t.Errorf("%s to %s: %s", way[0].Name, way[1].Name, r)
		}
	}
}

// protection is a cipher suite with its offset.
var protection = []struct{ suite, offset string }{
	{"GCM-AES-128", "offset-0"},
	{"GCM-AES-256", "offset-0"},
	{"GCM-AES-XPN-128", "offset-0"},
	{"GCM-AES-XPN-256", "offset-0"},
	{"GCM-AES-128", "integrity-only"},
}

// Clause: 802.1AE-2018 10; the kernel's SecY and ours must be one protocol.
func TestGuestLinkSecuresAndCarriesTraffic(t *testing.T) {
	for _, backends := range [][2]string{{"kernel", "kernel"}, {"kernel", "userspace"}} {
		for _, p := range protection {
			t.Run(fmt.Sprintf("%s-%s/%s/%s", backends[0], backends[1], p.suite, p.offset), func(t *testing.T) {
				lines := func(backend string) string {
					return fmt.Sprintf("cipher_suites = [%q]\nconfidentiality = %q\nbackend = %q", p.suite, p.offset, backend)
				}
				l := newLink(t, lines(backends[0]), lines(backends[1]))
				must(t, l.Secure(t.Context()))
				carriesBothWays(t, l)
				for i, h := range l.Hosts() {
					checkPort(t, h, backends[i], p.suite, p.offset)
				}
				agreesWithIP(t, l.West)
			})
		}
	}
}

func checkPort(t *testing.T, h *mkadlab.Host, backend, suite, offset string) {
	t.Helper()
	p, err := h.Port(t.Context())
	must(t, err)
	if p.Backend != backend || p.CipherSuite != suite || p.Confidentiality != offset || p.State != control.Secured {
		t.Errorf("%s: %s on %s with %s %s", h.Name, p.State, p.Backend, p.CipherSuite, p.Confidentiality)
	}
	for _, bad := range []string{"InPktsNotValid", "InPktsInvalid", "InPktsLate", "InPktsBadTag"} {
		if p.Counters[bad] != 0 {
			t.Errorf("%s: %s is %d", h.Name, bad, p.Counters[bad])
		}
	}
	if p.Counters["InPktsOK"] < 50 {
		t.Errorf("%s: InPktsOK is %d", h.Name, p.Counters["InPktsOK"])
	}
}

// agreesWithIP compares mkactl status with what ip macsec show says of the same device.
func agreesWithIP(t *testing.T, h *mkadlab.Host) {
	t.Helper()
	p, err := h.Port(t.Context())
	must(t, err)
	out, err := h.Run(t.Context(), "ip", "macsec", "show", mkadlab.Controlled)
	if err != nil {
		t.Fatal(out, err)
	}
	for _, want := range []string{p.SCI, p.Tx.KI, fmt.Sprintf("%d: PN", p.Tx.AN)} {
		if !strings.Contains(out, want) {
			t.Errorf("ip macsec show does not say %q:\n%s", want, out)
		}
	}
}

// Clause: none; design: auto takes the kernel when it has macsec.
func TestGuestAutoTakesTheKernel(t *testing.T) {
	l := newLink(t, "", "")
	must(t, l.Secure(t.Context()))
	carriesBothWays(t, l)
	for _, h := range l.Hosts() {
		checkPort(t, h, "kernel", "GCM-AES-XPN-256", "offset-0")
	}
}

// waitFor looks until it is so, for 20 s at most: an emulated machine is slow.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(20 * time.Second); !so(); <-look.C {
		if time.Now().After(end) {
			t.Fatal("waited in vain for " + what)
		}
	}
}

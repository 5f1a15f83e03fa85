package link

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mkad/internal/control"
	"mkad/internal/guest/guesttest"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// supplicantConfig is what a user of wpa_supplicant writes, and no more; more lines go at the end.
const supplicantConfig = `eapol_version=3
ap_scan=0
network={
	key_mgmt=NONE
	eapol_flags=0
	macsec_policy=1
	mka_cak=%s
	mka_ckn=%s
%s}
`

// startSupplicant runs wpa_supplicant on the host's lower device with the key of the CAK file.
func startSupplicant(t *testing.T, h *mkadlab.Host, keyFile, more string) *netlab.Process {
	t.Helper()
	key, err := os.ReadFile(keyFile)
	must(t, err)
	value := func(name string) string {
		return string(regexp.MustCompile(`(?m)^` + name + `\s*=\s*"([0-9a-fA-F]+)"`).FindSubmatch(key)[1])
	}
	config := filepath.Join(t.TempDir(), h.Name+".conf")
	must(t, os.WriteFile(config, fmt.Appendf(nil, supplicantConfig, value("cak"), value("ckn"), more), 0o600))
	log, err := os.Create(filepath.Join(guesttest.Keep(t), h.Name+".log"))
	must(t, err)
	t.Cleanup(func() { log.Close() })
	p, err := h.Start(log, "wpa_supplicant", "-D", "macsec_linux", "-i", mkadlab.Lower, "-c", config, "-d")
	must(t, err)
	return p
}

// Clause: 802.1X-2020 9.3 to 9.10, with the peer that everybody has: its defaults, and ours.
// Requirement: R111
func TestGuestSupplicantIsSecuredInBothRoles(t *testing.T) {
	for _, c := range []struct {
		name, backend, more string
		keyServer           bool // mkad is
	}{
		{"mkad serves, kernel", "auto", "", true},
		{"mkad follows, kernel", "auto", "\tmka_priority=0\n", false},
		{"mkad serves, userspace", "userspace", "", true},
		{"mkad follows, userspace", "userspace", "\tmka_priority=0\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLink(t, fmt.Sprintf("backend = %q", c.backend), "")
			must(t, l.West.StartDaemon(t.Context()))
			must(t, l.Connect())
			startSupplicant(t, l.East, l.KeyFile, c.more)
			must(t, l.West.WaitFor(t.Context(), control.Secured))
			waitFor(t, "wpa_supplicant's Controlled Port", func() bool {
				d, err := l.East.Device(mkadlab.Controlled)
				return err == nil && d.Carrier
			})
			must(t, l.Address())
			for from, to := range map[*mkadlab.Host]string{l.West: mkadlab.EastAddress, l.East: mkadlab.WestAddress} {
				out, err := from.Run(t.Context(), "ping", "-n", "-c", "5", "-i", "0.2", "-w", "20", "-s", "1372", to)
				if err != nil || !strings.Contains(out, " 0% packet loss") {
					t.Errorf("%s: %v\n%s", from.Name, err, out)
				}
			}
			p, err := l.West.Port(t.Context())
			must(t, err)
			if p.KeyServer != c.keyServer || p.CipherSuite != "GCM-AES-128" {
				t.Errorf("key server %t with %s", p.KeyServer, p.CipherSuite)
			}
		})
	}
}

package link

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"mkad/internal/control"
	"mkad/internal/netlab/mkadlab"
)

// follows makes wpa_supplicant the key server.
const follows = "\tmka_priority=0\n"

// Clause: 802.1X-2020 9.3 to 9.10, 11.11; what users of wpa_supplicant 2.10 write, in both roles.
func TestGuestPeerSettingsAreMet(t *testing.T) {
	for _, c := range []struct {
		name, ckn      string // ckn: empty for that of mkactl keygen
		cakBits        int
		lines, more    string // of mkad, of wpa_supplicant
		suite, offset  string
		westID, eastID string // the port identifiers of the SCIs
	}{
		{name: "nothing but the key, mkad serves", cakBits: 256},
		{name: "nothing but the key, mkad follows", cakBits: 256, more: follows},
		{name: "CKN of 1 octet, mkad serves", ckn: "01", cakBits: 128},
		{name: "CKN of 3 octets, mkad follows", ckn: "0a0b0c", cakBits: 128, more: follows},
		{name: "CKN of 16 octets, mkad serves", ckn: strings.Repeat("a1", 16), cakBits: 256},
		{name: "CKN of 32 octets, mkad follows", ckn: strings.Repeat("b2", 32), cakBits: 128, more: follows},
		{name: "integrity only, mkad serves", cakBits: 128, lines: `confidentiality = "integrity-only"`,
			more: "\tmacsec_integ_only=1\n", offset: "integrity-only"},
		{name: "integrity only, mkad follows", cakBits: 128, more: "\tmacsec_integ_only=1\n" + follows,
			offset: "integrity-only"},
		{name: "unequal ports, mkad serves", cakBits: 128, lines: "port_id = 3", more: "\tmacsec_port=7\n", westID: "0003",
			eastID: "0007"},
		{name: "unequal ports, mkad follows", cakBits: 128, lines: "port_id = 4095", more: "\tmacsec_port=65534\n" + follows,
			westID: "0fff", eastID: "fffe"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLink(t, c.lines, "")
			writeKey(t, l.KeyFile, c.ckn, c.cakBits)
			withSupplicant(t, l, c.more)
			for host, lost := range streamBothWays(t, l) {
				if lost != 0 {
					t.Errorf("%d frames to %s were lost", lost, l.Hosts()[host].Name)
				}
			}
			p := port(t, l.West)
			if p.Backend != "kernel" || p.KeyServer == strings.Contains(c.more, follows) || p.CipherSuite != "GCM-AES-128" ||
				p.Confidentiality != or(c.offset, "offset-0") || c.ckn != "" && p.PrincipalCKN != c.ckn {
				t.Errorf("status is %+v", p)
			}
			if !strings.HasSuffix(p.SCI, or(c.westID, "0001")) || !strings.HasSuffix(p.Rx[0].SCI, or(c.eastID, "0001")) {
				t.Errorf("sends as %s, receives from %s", p.SCI, p.Rx[0].SCI)
			}
			counted := map[bool]string{true: "OutPktsEncrypted", false: "OutPktsProtected"}[c.offset == ""]
			waitFor(t, "both streams to be counted as "+counted, func() bool {
				p = port(t, l.West)
				return p.Counters[counted] >= 90 && p.Counters["InPktsOK"] >= 90
			})
		})
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// writeKey writes another CAK file, unless no CKN is wanted and the file at hand has the size.
func writeKey(t *testing.T, file, ckn string, cakBits int) {
	t.Helper()
	if ckn == "" && cakBits == 256 {
		return
	}
	cak := strings.Repeat("0123456789abcdef", cakBits/64)
	text := fmt.Sprintf("[[key]]\nckn = %q\ncak = %q\n", or(ckn, "c0ffee"), cak)
	must(t, os.WriteFile(file, []byte(text), 0o600))
}

// withSupplicant secures the link with wpa_supplicant in the place of the east's mkad.
func withSupplicant(t *testing.T, l *mkadlab.Link, more string) {
	t.Helper()
	must(t, l.West.StartDaemon(t.Context()))
	must(t, l.Connect())
	startSupplicant(t, l.East, l.KeyFile, more)
	waitFor(t, "a secured port", func() bool { return port(t, l.West).State == control.Secured })
	waitFor(t, "wpa_supplicant's Controlled Port", func() bool {
		d, err := l.East.Device(mkadlab.Controlled)
		return err == nil && d.Carrier
	})
}

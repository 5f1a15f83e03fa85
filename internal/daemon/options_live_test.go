package daemon_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"mkad/eapol"
	"mkad/internal/control"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// An optionsCase is an option on both hosts, or on the west alone, and what shows that it has taken effect.
type optionsCase struct {
	name, lines string
	west        bool             // of the west only
	etherType   netlab.EtherType // of MKPDUs; 0: EAPOL's
	shows       func(t *testing.T, l *mkadlab.Link, c netlab.Capture)
}

var optionsCases = []optionsCase{
	{name: "send_sci", lines: "send_sci = false", shows: func(t *testing.T, _ *mkadlab.Link, c netlab.Capture) {
		const sc, es = 0x20, 0x40
		for _, f := range framesOf(c, netlab.EtherTypeMACsec) {
			if tci := f[14]; tci&sc != 0 || tci&es == 0 {
				t.Fatalf("a frame has TCI %#x, want no SCI and ES", tci)
			}
		}
	}},
	{name: "eapol_destination", lines: `eapol_destination = "01:80:c2:00:00:0e"`, shows: func(t *testing.T, _ *mkadlab.Link, c netlab.Capture) {
		for _, f := range framesOf(c, netlab.EtherTypeEAPOL) {
			if !bytes.Equal(f[:6], []byte{0x01, 0x80, 0xc2, 0, 0, 0x0e}) {
				t.Fatalf("an MKPDU went to % x", f[:6])
			}
		}
	}},
	{name: "delay_protect", lines: "delay_protect = true", shows: func(t *testing.T, _ *mkadlab.Link, c netlab.Capture) {
		if n := len(framesOf(c, netlab.EtherTypeEAPOL)); n < 4 { // one in half a second, of two in two
			t.Errorf("%d MKPDUs in two seconds and more", n)
		}
	}},
	{name: "port_id", lines: "port_id = 7", west: true, shows: func(t *testing.T, l *mkadlab.Link, _ netlab.Capture) {
		west, east := portOf(t, l.West), portOf(t, l.East)
		if !strings.HasSuffix(west.SCI, "0007") || len(east.Rx) != 1 || east.Rx[0].SCI != west.SCI {
			t.Errorf("the SCI is %s, the peer receives from %v", west.SCI, east.Rx)
		}
	}},
	{name: "key_server_priority", lines: "key_server_priority = 255", west: true, shows: func(t *testing.T, l *mkadlab.Link, _ netlab.Capture) {
		if portOf(t, l.West).KeyServer || !portOf(t, l.East).KeyServer {
			t.Error("the host with priority 255 is key server")
		}
	}},
	{name: "mka_version", lines: "mka_version = 2", shows: func(t *testing.T, _ *mkadlab.Link, c netlab.Capture) {
		for _, m := range mkpdusOf(t, c) {
			if m.Basic.MKAVersion != 2 {
				t.Fatalf("an MKPDU has version %d", m.Basic.MKAVersion)
			}
		}
	}},
	{name: "icv_indicator", lines: "icv_indicator = true", shows: func(t *testing.T, _ *mkadlab.Link, c netlab.Capture) {
		for _, m := range mkpdusOf(t, c) {
			if !m.ICVIndicator {
				t.Fatalf("MN %d has none", m.Basic.MN)
			}
		}
	}},
	{name: "in_service_slot", lines: `in_service_slot = "old"`, shows: func(t *testing.T, _ *mkadlab.Link, c netlab.Capture) {
		all := mkpdusOf(t, c)
		if u := all[len(all)-1].SAKUse; !u.Old.Tx || !u.Old.Rx || !u.Latest.KI.IsZero() {
			t.Errorf("the last MKPDU says %+v", u)
		}
	}},
	{name: "hello_time", lines: "hello_time = \"500ms\"", shows: func(t *testing.T, _ *mkadlab.Link, c netlab.Capture) {
		if n := len(mkpdusOf(t, c)); n < 4 { // one in half a second, of two in two
			t.Errorf("%d MKPDUs in two seconds and more", n)
		}
	}},
	{name: "allow_priority_255", lines: "key_server_priority = 255\nallow_priority_255 = true"},
	{name: "eapol_ethertype", lines: "eapol_ethertype = 0x876f", etherType: 0x876f, shows: func(t *testing.T, _ *mkadlab.Link, c netlab.Capture) {
		if n := c.Count(netlab.EtherTypeEAPOL); n != 0 {
			t.Errorf("%d frames of EAPOL's own EtherType", n)
		}
	}},
	{name: "broadcast", lines: `eapol_destination = "ff:ff:ff:ff:ff:ff"`},
	{name: "sak_lifetime", lines: `sak_lifetime = "10s"`, shows: func(t *testing.T, l *mkadlab.Link, _ netlab.Capture) {
		waitLong(t, "another SAK", 15*time.Second, func() bool { return portOf(t, l.West).Rekeys > 0 })
	}},
}

// Clause: none; design: options of the configuration. What else an option does is shown by the tests named in docs/options.md.
func TestOptionsTakeEffect(t *testing.T) {
	for _, c := range optionsCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLink(t, released, "", "# here")
			edit(t, l.West, "# here", c.lines)
			if !c.west {
				edit(t, l.East, "# here", c.lines)
			}
			must(t, l.Secure(t.Context()))
			wire, err := netlab.StartCapture(l.East.Namespace, mkadlab.Lower)
			must(t, err)
			r := stream(t, l.West, l.East, 1000, 400, nil) // two and a half seconds: a hello is among them
			captured, err := wire.Stop()
			must(t, err)
			if r.Lost() != 0 || r.Received == 0 || len(framesOf(captured, netlab.EtherTypeMACsec)) == 0 ||
				len(framesOf(captured, cmp.Or(c.etherType, netlab.EtherTypeEAPOL))) == 0 {
				t.Errorf("%s; captured %v", r, captured.Types())
			}
			if c.shows != nil {
				c.shows(t, l, captured)
			}
		})
	}
}

// framesOf are the captured frames of an EtherType.
func framesOf(c netlab.Capture, etherType netlab.EtherType) (frames [][]byte) {
	for _, f := range c.Frames {
		if netlab.EtherTypeOf(f.Data) == etherType {
			frames = append(frames, f.Data)
		}
	}
	return frames
}

// mkpdusOf are the captured MKPDUs, taken apart.
func mkpdusOf(t *testing.T, c netlab.Capture) (all []*eapol.MKPDU) {
	t.Helper()
	for _, f := range framesOf(c, netlab.EtherTypeEAPOL) {
		m := new(eapol.MKPDU)
		if d := eapol.ParseMKPDU(f, eapol.Acceptance{}, m); d != eapol.Accepted {
			t.Fatalf("an MKPDU is discarded: %s", d)
		}
		all = append(all, m)
	}
	return all
}

func portOf(t *testing.T, h *mkadlab.Host) control.Port {
	t.Helper()
	p, err := h.Port(t.Context())
	must(t, err)
	return p
}

// Clause: none; design: log_format is text or json, log_level what is left out.
func TestLogIsOfTheFormatAndLevelThatIsConfigured(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, publishedKey, "life_time = \"5s\"\n")
	edit(t, l.West, "[daemon]", "[daemon]\nlog_format = \"json\"")
	edit(t, l.East, "[daemon]", "[daemon]\nlog_level = \"error\"")
	must(t, l.Secure(t.Context()))
	lines := strings.Split(strings.TrimSpace(l.West.Log()), "\n")
	for _, line := range lines {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry["msg"] == nil {
			t.Errorf("%q is no JSON object with a message: %v", line, err)
		}
	}
	for _, warning := range []string{"port.life_time: ", "key.cak: stands in public documents"} {
		if n := strings.Count(l.West.Log(), warning); n != 1 {
			t.Errorf("%d lines warn of %s", n, warning)
		}
	}
	if log := l.East.Log(); log != "" || len(lines) < 3 {
		t.Errorf("%d lines of JSON, and at level error: %s", len(lines), log)
	}
}

package daemon_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mkad/eapol"
	"mkad/internal/config"
	"mkad/internal/control"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
	"mkad/keyderive"
)

// These tests hand what mkad has sent to two programs that know nothing of it: tshark, and the script in testdata/wire.

// A recording is everything that was on the wire of a link, from before the daemons began: secured, streams both ways
// before, during and after one rekey.
type recording struct {
	link     *mkadlab.Link
	captures []netlab.Capture
	ports    [2]control.Port   // at the end, in the order of link.Hosts
	sent     map[string]uint64 // frames of the streams, by SCI
}

// record makes a recording of a link that does not run yet.
func record(t *testing.T, l *mkadlab.Link) *recording {
	t.Helper()
	wires := capture(t, l)
	must(t, l.Secure(t.Context()))
	r := &recording{link: l, sent: map[string]uint64{}}
	r.stream(t, nil)
	r.stream(t, func() { rekey(t, l) })
	r.stream(t, nil)
	for i, h := range l.Hosts() {
		var err error
		r.ports[i], err = h.Port(t.Context())
		must(t, err)
	}
	r.captures = endTogether(wires)
	return r
}

// endTogether ends captures at one moment: a frame on one of them answers none that the other has no longer seen.
func endTogether(wires func() []netlab.Capture) []netlab.Capture {
	end := time.Now()
	captures := wires()
	for i, c := range captures {
		captures[i].Frames = slices.DeleteFunc(c.Frames, func(f netlab.Frame) bool { return f.At.After(end) })
	}
	return captures
}

// stream sends frames both ways and counts them.
func (r *recording) stream(t *testing.T, during func()) {
	t.Helper()
	for i, report := range crossing(t, r.link, during) {
		p, err := r.link.Hosts()[i].Port(t.Context())
		must(t, err)
		r.sent[p.SCI] += report.Sent
	}
}

// crossing sends frames both ways at the same time, of which none may be lost. The reports are in the order of l.Hosts.
func crossing(t *testing.T, l *mkadlab.Link, during func()) (reports [2]netlab.StreamReport) {
	t.Helper()
	reports[0] = stream(t, l.West, l.East, 100, 1000, func() {
		reports[1] = stream(t, l.East, l.West, 100, 1000, during)
	})
	for i, r := range reports {
		if r.Lost() != 0 || r.Refused != 0 || r.Twice != 0 || r.Sent == 0 {
			t.Errorf("from %s: %s", l.Hosts()[i].Name, r)
		}
	}
	return reports
}

// rekey has the key server replace the SAK, and waits until both sides transmit with the new one.
func rekey(t *testing.T, l *mkadlab.Link) {
	t.Helper()
	server, follower := keyServer(t, l)
	serverEvents, followerEvents := follow(t, server), follow(t, follower)
	mkactl(t, server, "rekey", mkadlab.Lower)
	ki := serverEvents.next(t, "sak-transmitting").KI
	if other := followerEvents.next(t, "sak-transmitting").KI; other != ki {
		t.Errorf("key server transmits with %s, follower with %s", ki, other)
	}
}

// write puts captures into a pcapng file in the link's directory, spoilt first if spoil is not nil.
func (r *recording) write(t *testing.T, spoil func(*testing.T, []netlab.Capture)) string {
	t.Helper()
	captures := slices.Clone(r.captures)
	if spoil != nil {
		for i := range captures {
			captures[i].Frames = slices.Clone(captures[i].Frames)
			for j, f := range captures[i].Frames {
				captures[i].Frames[j].Data = bytes.Clone(f.Data)
			}
		}
		spoil(t, captures)
	}
	path := filepath.Join(t.TempDir(), "wire.pcapng")
	must(t, netlab.WritePcapng(path, []string{"to west", "to east"}, captures...))
	return path
}

// count tells how many such frames were captured.
func (r *recording) count(is func([]byte) bool) (n int) {
	for _, c := range r.captures {
		for _, f := range c.Frames {
			if is(f.Data) {
				n++
			}
		}
	}
	return n
}

// Clause: 802.1X-2020 9.4, 9.8, 11.11; 802.1AE-2018 9, 10.7.8, 10.7.13, 14
func TestOthersReadAndVerifyWhatIsOnTheWire(t *testing.T) {
	for _, c := range []struct {
		suite, offset string
		ckn, cak      int
	}{
		{"GCM-AES-128", "offset-0", 16, 16},
		{"GCM-AES-256", "offset-0", 32, 16},
		{"GCM-AES-XPN-128", "offset-0", 1, 32},
		{"GCM-AES-XPN-256", "offset-0", 3, 32},
		{"GCM-AES-128", "integrity-only", 16, 32},
		{"GCM-AES-128", "offset-30", 17, 16},
	} {
		t.Run(c.suite+"/"+c.offset, func(t *testing.T) {
			t.Parallel()
			l := newLink(t, released, keyText(c.ckn, c.cak),
				fmt.Sprintf("cipher_suites = [%q]\nconfidentiality = %q", c.suite, c.offset))
			r := record(t, l)
			file := r.write(t, nil)
			readsInTshark(t, r, file, c.suite, c.offset)
			verifiesIndependently(t, r, file)
		})
	}
}

// verifier is the interpreter that Debian's python3-cryptography is for, whichever comes first in the path.
const (
	verifier       = "/usr/bin/python3"
	verifierScript = "../../testdata/wire/verify_wire.py"
)

// verify runs the independent script: its one line, or the offence it found.
func verify(t *testing.T, file, keys string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), verifier, verifierScript, file, keys).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if exit.ExitCode() != 1 {
			t.Fatalf("%s: %v: %s", verifierScript, err, exit.Stderr)
		}
		return "", errors.New(string(exit.Stderr))
	}
	must(t, err)
	return string(out), nil
}

// A verdict is what the independent script has counted.
type verdict struct {
	Frames, MKPDUs, Distributions, MACsec int
	SAKs                                  map[string]map[string]uint64 // frames, by KI and SCI
	User                                  map[string]map[string]uint64 // frames, by SCI and EtherType
}

func verifiesIndependently(t *testing.T, r *recording, file string) {
	t.Helper()
	line, err := verify(t, file, r.link.KeyFile)
	must(t, err)
	var v verdict
	must(t, json.Unmarshal([]byte(line), &v))
	if v.MKPDUs != r.count(mkpdu) || v.MACsec != r.count(protected) || v.Frames != v.MKPDUs+v.MACsec {
		t.Errorf("%d MKPDUs and %d MACsec frames were captured, but checked: %s", r.count(mkpdu), r.count(protected), line)
	}
	if v.Distributions < 2 || len(v.SAKs) != 2 || v.SAKs[r.ports[0].Tx.KI] == nil {
		t.Errorf("want two SAKs, the second %s: %s", r.ports[0].Tx.KI, line)
	}
	for _, p := range r.ports {
		if got, want := v.User[p.SCI]["0x88b5"], r.sent[p.SCI]; got != want {
			t.Errorf("%d frames of %s came out, %d were sent", got, p.SCI, want)
		}
		for ki, frames := range v.SAKs {
			if frames[p.SCI] == 0 {
				t.Errorf("no frame of %s with SAK %s", p.SCI, ki)
			}
		}
	}
}

// A field is one line of tshark's dissection, in its XML form, with what is below it.
type field struct {
	Name   string  `xml:"name,attr"`
	Text   string  `xml:"showname,attr"`
	Value  string  `xml:"value,attr"` // hexadecimal
	Pos    int     `xml:"pos,attr"`   // in the frame
	Size   int     `xml:"size,attr"`  // in octets
	Protos []field `xml:"proto"`      // of a packet
	Fields []field `xml:"field"`
}

// leaves calls f with every field that has none below it.
func (x field) leaves(f func(field)) {
	for _, below := range append(x.Protos, x.Fields...) {
		below.leaves(f)
	}
	if len(x.Protos)+len(x.Fields) == 0 {
		f(x)
	}
}

// values collects the values of all fields of a name, in their order.
func (x field) values(name string) (all []string) {
	x.leaves(func(leaf field) {
		if leaf.Name == name {
			all = append(all, leaf.Value)
		}
	})
	return all
}

func tshark(t *testing.T, args ...string) []byte {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "tshark", args...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("tshark: %v: %s", err, exit.Stderr)
	}
	must(t, err)
	return out
}

func readsInTshark(t *testing.T, r *recording, file, suite, offset string) {
	t.Helper()
	var dissection struct {
		Packets []field `xml:"packet"`
	}
	must(t, xml.Unmarshal(tshark(t, "-r", file, "-Y", "eapol", "-T", "pdml"), &dissection))
	if sent := r.count(mkpdu); len(dissection.Packets) != sent {
		t.Errorf("tshark reads %d of %d EAPOL frames", len(dissection.Packets), sent)
	}
	for _, p := range dissection.Packets {
		dissectsWhole(t, p)
		isOfTheLink(t, r, p, suite)
	}
	distributes(t, r, dissection.Packets, suite, offset)
	macsecReadsInTshark(t, r, file, offset)
}

// dissectsWhole wants a field that tshark knows for every octet of an MKPDU, and nothing that it objects to.
func dissectsWhole(t *testing.T, p field) {
	t.Helper()
	var layers []string
	for _, layer := range p.Protos {
		layers = append(layers, layer.Name)
	}
	if want := []string{"geninfo", "frame", "eth", "eapol", "mka"}; !slices.Equal(layers, want) {
		t.Fatalf("layers %q, want %q", layers, want)
	}
	mka := p.Protos[4]
	covered := make([]bool, mka.Pos+mka.Size)
	mka.leaves(func(leaf field) {
		if leaf.Name == "" || strings.HasPrefix(leaf.Name, "_ws.") || strings.HasPrefix(leaf.Name, "mka.unknown") ||
			strings.HasPrefix(leaf.Name, "mka.expert") || strings.Contains(strings.ToLower(leaf.Text), "unknown") {
			t.Errorf("field %q: %s", leaf.Name, leaf.Text)
		}
		for i := range leaf.Size {
			covered[leaf.Pos+i] = true
		}
	})
	for _, set := range mka.Fields {
		// tshark 4.0 shows no field for octet 2 of these sets, where it is reserved; the script holds it to 0.
		if set.Name == "mka.announcement_set" || set.Name == "mka.potential_peer_list_set" {
			covered[set.Pos+1] = true
		}
	}
	for i, known := range covered[mka.Pos:] {
		if !known {
			t.Errorf("octet %d of the MKPDU is in no field", i)
		}
	}
}

// cipherSuites are the identifiers of 802.1AE-2018 Table 14-1.
var cipherSuites = map[string]string{"GCM-AES-128": "0080c20001000001", "GCM-AES-256": "0080c20001000002",
	"GCM-AES-XPN-128": "0080c20001000003", "GCM-AES-XPN-256": "0080c20001000004"}

// isOfTheLink wants an MKPDU to name what the link was configured with, and its sender as status does.
func isOfTheLink(t *testing.T, r *recording, p field, suite string) {
	t.Helper()
	sender := r.ports[0]
	if p.values("mka.sci")[0] != sender.SCI {
		sender = r.ports[1]
	}
	for name, want := range map[string]string{
		"eapol.version":           "03",
		"mka.sci":                 sender.SCI,
		"mka.actor_mi":            sender.Participants[0].MI,
		"mka.cak_name":            sender.PrincipalCKN,
		"mka.ks_prio":             "10",
		"mka.macsec_desired":      "1",
		"mka.macsec_capability":   "3",
		"mka.algo_agility":        "0080c201",
		"mka.macsec_cipher_suite": cipherSuites[suite],
	} {
		got := p.values(name)
		if len(got) == 0 || len(slices.Compact(got)) != 1 || got[0] != want {
			t.Errorf("%s %q, want %s", name, got, want)
		}
	}
}

// distributes wants both SAKs in what tshark reads: the first with AN 0, the second, now in use, with AN 1.
func distributes(t *testing.T, r *recording, packets []field, suite, offset string) {
	t.Helper()
	code := map[string]string{"integrity-only": "0", "offset-0": "1", "offset-30": "2", "offset-50": "3"}[offset]
	wrapped := map[bool]int{true: 24, false: 40}[strings.HasSuffix(suite, "128")]
	var seen []string
	for _, p := range packets {
		sak := p.values("mka.aes_key_wrap_sak")
		if sak == nil {
			continue
		}
		if len(sak[0]) != 2*wrapped || p.values("mka.confidentiality_offset")[0] != code {
			t.Errorf("SAK of %d octets wrapped, offset code %q", len(sak[0])/2, p.values("mka.confidentiality_offset"))
		}
		ki := p.values("mka.actor_mi")[0] + p.values("mka.key_number")[0]
		seen = append(seen, "AN "+p.values("mka.distributed_an")[0]+" KI "+ki)
	}
	server := r.ports[0].Tx.KI[:24]
	want := []string{"AN 0 KI " + server + "00000001", "AN 1 KI " + server + "00000002"}
	if got := slices.Compact(seen); !slices.Equal(got, want) {
		t.Errorf("distributed %q, want %q", got, want)
	}
	if last := packets[len(packets)-1].values("mka.latest_key_server_mi"); len(last) != 1 || last[0] != server {
		t.Errorf("key server %q in the last SAK Use, want %s", last, server)
	}
}

// macsecReadsInTshark wants every SecTAG as configured, and no objection to a MACsec frame. What tshark says of the
// user's own frames inside, which it sees with integrity only, is not the point.
func macsecReadsInTshark(t *testing.T, r *recording, file, offset string) {
	t.Helper()
	tci := map[bool]string{true: "0x08", false: "0x0b"}[offset == "integrity-only"] // SC; SC, E, C
	known := map[string]bool{}
	for _, p := range r.ports {
		mac, _ := hex.DecodeString(p.SCI[:12])
		for _, an := range []string{"0x00", "0x01"} {
			known[strings.Join([]string{tci, an, eapol.MAC(mac).String(), "1", ""}, "\t")] = false
		}
	}
	lines := tshark(t, "-r", file, "-Y", "macsec", "-T", "fields", "-e", "macsec.TCI", "-e", "macsec.AN",
		"-e", "macsec.SCI.system_identifier", "-e", "macsec.SCI.port_identifier", "-e", "_ws.malformed")
	for line := range strings.Lines(string(lines)) {
		line = strings.TrimSuffix(line, "\n")
		if _, expected := known[line]; !expected {
			t.Fatalf("SecTAG %q", line)
		}
		known[line] = true
	}
	for line, seen := range known {
		if !seen {
			t.Errorf("no frame with SecTAG %q", line)
		}
	}
}

// TestVerifierFindsEachOffence keeps the independent script honest.
func TestVerifierFindsEachOffence(t *testing.T) {
	l := newLink(t, released, "", `cipher_suites = ["GCM-AES-XPN-128"]`)
	r := record(t, l)
	otherKeys := filepath.Join(l.Dir(), "other.toml")
	mkactl(t, l.West, "keygen", "-o", otherKeys)
	for name, c := range map[string]struct {
		want  string
		spoil func(*testing.T, []netlab.Capture)
	}{
		"nothing":     {"", nil},
		"another CAK": {"is not in the CAK file", nil},

		"a bit of an MKPDU": {"ICV of the MKPDU", change(mkpdu, func(f []byte) { f[len(f)-1] ^= 1 })},
		"an MKPDU again":    {"MN 1 after 1", again(mkpdu)},
		"a SAK that does not unwrap": {"does not unwrap",
			resigned(t, l, func(m *eapol.MKPDU) { m.DistributedSAK.Wrapped[3] ^= 1 })},
		"an SSCI that is not the SCI's": {"of the key server, by its SCI",
			resigned(t, l, func(m *eapol.MKPDU) { m.Live.KeyServerSSCI ^= 3 })},
		"a key that nobody distributed": {"never distributed",
			resigned(t, l, func(m *eapol.MKPDU) { m.SAKUse.Old.KI.KN = 9 })},
		"an unknown peer": {"has not been on the wire",
			resigned(t, l, func(m *eapol.MKPDU) { m.Live.Peers[0].MI[0] ^= 1 })},

		"a bit of a protected frame": {"does not verify", change(protected, func(f []byte) { f[len(f)-1] ^= 1 })},
		"a protected frame again":    {"is used twice", again(protected)},
		"a protected frame fewer":    {"where 1 is due", without(protected)},
		"an AN without a SAK":        {"no SAK was distributed", change(protected, func(f []byte) { f[14] |= 2 })},
		"another station": {"in the direction of",
			change(protected, func(f []byte) { f[11] ^= 1; f[25] ^= 1 })}, // in the source address and in the SCI
		"a frame in clear": {"EtherType 0x0800", change(protected, func(f []byte) { f[12], f[13] = 8, 0 })},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys := l.KeyFile
			if name == "another CAK" {
				keys = otherKeys
			}
			_, err := verify(t, r.write(t, c.spoil), keys)
			if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// mkpdu and protected tell the frames to spoil.
func mkpdu(f []byte) bool     { return netlab.EtherTypeOf(f) == netlab.EtherTypeEAPOL }
func protected(f []byte) bool { return netlab.EtherTypeOf(f) == netlab.EtherTypeMACsec }

// deriveICK derives the key that signs a link's MKPDUs.
func deriveICK(t *testing.T, l *mkadlab.Link) keyderive.ICK {
	t.Helper()
	keys, problems := config.LoadKeys(l.KeyFile)
	if len(keys) == 0 {
		t.Fatal(problems)
	}
	return keyderive.DeriveICK(keys[0].CAK, keys[0].CKN)
}

// change alters the last such frame to the west.
func change(is func([]byte) bool, alter func([]byte)) func(*testing.T, []netlab.Capture) {
	return func(t *testing.T, captures []netlab.Capture) {
		for _, f := range slices.Backward(captures[0].Frames) {
			if is(f.Data) {
				alter(f.Data)
				return
			}
		}
		t.Fatal("the capture has no frame to change")
	}
}

// first finds a frame of the capture.
func first(t *testing.T, frames []netlab.Frame, is func([]byte) bool) int {
	t.Helper()
	i := slices.IndexFunc(frames, func(f netlab.Frame) bool { return is(f.Data) })
	if i < 0 {
		t.Fatal("the capture has no frame to spoil")
	}
	return i
}

// again has the first such frame come twice.
func again(is func([]byte) bool) func(*testing.T, []netlab.Capture) {
	return func(t *testing.T, captures []netlab.Capture) {
		frames := &captures[0].Frames
		i := first(t, *frames, is)
		*frames = slices.Insert(*frames, i, (*frames)[i])
	}
}

// without leaves the first such frame out.
func without(is func([]byte) bool) func(*testing.T, []netlab.Capture) {
	return func(t *testing.T, captures []netlab.Capture) {
		frames := &captures[0].Frames
		i := first(t, *frames, is)
		*frames = slices.Delete(*frames, i, i+1)
	}
}

// resigned alters the first MKPDU that distributes a SAK and gives it the ICV that it then has to have.
func resigned(t *testing.T, l *mkadlab.Link, alter func(*eapol.MKPDU)) func(*testing.T, []netlab.Capture) {
	t.Helper()
	ick := deriveICK(t, l)
	return func(t *testing.T, captures []netlab.Capture) {
		for i := range captures {
			for j, f := range captures[i].Frames {
				var m eapol.MKPDU
				if d := eapol.ParseMKPDU(f.Data, eapol.Acceptance{}, &m); d != eapol.Accepted || !m.DistributedSAK.Present {
					continue
				}
				alter(&m)
				frame := m.AppendTo(nil)
				icv := ick.Sum(frame)
				captures[i].Frames[j].Data = append(frame, icv[:]...)
				return
			}
		}
		t.Fatal("no SAK was distributed")
	}
}

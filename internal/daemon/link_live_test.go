package daemon_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"mkad/internal/control"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
	"mkad/secy"
)

// newLink makes two hosts that do not run yet. key is the text of the CAK file of both; empty: a fresh one.
func newLink(t *testing.T, programs, key, port string) *mkadlab.Link {
	t.Helper()
	l, err := mkadlab.New(t.Context(), mkadlab.Options{Programs: programs, Port: port})
	if err != nil {
		t.Fatal(err)
	}
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
	if key != "" {
		writeKey(t, l.KeyFile, key)
	}
	return l
}

func writeKey(t *testing.T, path, key string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(key), 0o600))
	must(t, os.Chmod(path, 0o600))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// keyText is a CAK file of one key: ckn and cak are that many octets.
func keyText(ckn, cak int) string {
	digits := func(n int, from byte) (s string) {
		for i := range n {
			s += fmt.Sprintf("%02x", from+byte(i)*7)
		}
		return s
	}
	return fmt.Sprintf("[[key]]\nckn = %q\ncak = %q\n", digits(ckn, 0x31), digits(cak, 0x55))
}

// streamSize is the length of the frames that stream sends, in octets without FCS.
const streamSize = 200

// stream sends n numbered frames from a Controlled Port to the other at the rate and tells what became of them.
func stream(t *testing.T, from, to *mkadlab.Host, n, rate int, during func()) netlab.StreamReport {
	t.Helper()
	s, err := netlab.StartStream(netlab.StreamConfig{FromNamespace: from.Namespace, ToNamespace: to.Namespace,
		From: mkadlab.Controlled, To: mkadlab.Controlled, Rate: rate, Size: streamSize})
	must(t, err)
	end := time.NewTimer(time.Duration(n) * time.Second / time.Duration(rate))
	if during != nil {
		during()
	}
	<-end.C
	report, err := s.Stop()
	must(t, err)
	return report
}

// both is stream in both directions, one after the other; nothing may be lost.
func carriesBothWays(t *testing.T, l *mkadlab.Link) {
	t.Helper()
	for _, way := range [][2]*mkadlab.Host{{l.West, l.East}, {l.East, l.West}} {
		r := stream(t, way[0], way[1], 300, 1000, nil)
		if r.Lost() != 0 || r.Refused != 0 || r.Twice != 0 || r.Sent == 0 {
			t.Errorf("%s to %s: %s", way[0].Name, way[1].Name, r)
		}
	}
}

// Clause: 802.1X-2020 9.3.1, 9.7, 9.8; 802.1AE-2018 14
func TestLinkSecuresAndCarriesTraffic(t *testing.T) {
	for _, c := range []struct {
		suite, offset string
		ckn, cak      int
	}{
		{"GCM-AES-128", "offset-0", 1, 16},
		{"GCM-AES-256", "offset-0", 3, 32},
		{"GCM-AES-XPN-128", "offset-0", 16, 16},
		{"GCM-AES-XPN-256", "offset-0", 32, 32},
		{"GCM-AES-128", "integrity-only", 16, 32},
		{"GCM-AES-XPN-256", "integrity-only", 16, 16},
		{"GCM-AES-128", "offset-30", 16, 16},
		{"GCM-AES-256", "offset-50", 16, 32},
	} {
		t.Run(fmt.Sprintf("%s/%s/ckn=%d/cak=%d", c.suite, c.offset, c.ckn, c.cak*8), func(t *testing.T) {
			t.Parallel()
			l := newLink(t, released, keyText(c.ckn, c.cak),
				fmt.Sprintf("cipher_suites = [%q]\nconfidentiality = %q", c.suite, c.offset))
			wires := capture(t, l)
			must(t, l.Secure(t.Context()))
			carriesBothWays(t, l)
			for _, h := range l.Hosts() {
				p, err := h.Port(t.Context())
				must(t, err)
				if p.CipherSuite != c.suite || p.Confidentiality != c.offset {
					t.Errorf("%s uses %s %s", h.Name, p.CipherSuite, p.Confidentiality)
				}
				checkCounters(t, h.Name, p.Counters, c.offset)
			}
			checkWire(t, wires(), c.offset)
		})
	}
}

// checkCounters wants the frames of the streams under the names of the protection in use, and no error.
func checkCounters(t *testing.T, name string, n map[string]uint64, offset string) {
	t.Helper()
	protected, octets, other := "OutPktsEncrypted", "InOctetsDecrypted", "OutPktsProtected"
	if offset == "integrity-only" {
		protected, octets, other = "OutPktsProtected", "InOctetsValidated", "OutPktsEncrypted"
	}
	if n[protected] < 100 || n["InPktsOK"] < 100 || n[octets] == 0 || n[other] != 0 {
		t.Errorf("%s: %s %d, InPktsOK %d, %s %d, %s %d", name, protected, n[protected], n["InPktsOK"], octets, n[octets],
			other, n[other])
	}
	for _, bad := range []string{"InPktsNotValid", "InPktsInvalid", "InPktsLate", "InPktsDelayed", "InPktsNoSA",
		"InPktsNoSAError", "InPktsBadTag", "InPktsNoTag", "InPktsUntagged", "OutPktsUntagged", "OutPktsTooLong"} {
		if n[bad] != 0 {
			t.Errorf("%s: %s is %d", name, bad, n[bad])
		}
	}
}

// capture records both ends of the wire from before anything can be on it; the result stops it.
func capture(t *testing.T, l *mkadlab.Link) func() []netlab.Capture {
	t.Helper()
	var wires []*netlab.Wire
	for _, h := range l.Hosts() {
		w, err := netlab.StartCapture(h.Namespace, mkadlab.Lower)
		must(t, err)
		wires = append(wires, w)
	}
	return func() (all []netlab.Capture) {
		for _, w := range wires {
			c, err := w.Stop()
			must(t, err)
			all = append(all, c)
		}
		return all
	}
}

// checkWire wants nothing but EAPOL and MACsec on the wire, and as much of the user's octets readable as was asked.
func checkWire(t *testing.T, wires []netlab.Capture, offset string) {
	t.Helper()
	macsec := 0
	for _, w := range wires {
		if foreign := w.Except(netlab.EtherTypeEAPOL, netlab.EtherTypeMACsec); len(foreign) > 0 {
			t.Errorf("%d frames in clear, the first %x", len(foreign), foreign[0].Data)
		}
		for _, f := range w.Frames {
			if netlab.EtherTypeOf(f.Data) != netlab.EtherTypeMACsec || len(f.Data) != streamSize+secy.Overhead {
				continue
			}
			macsec++
			user := f.Data[28 : len(f.Data)-16] // after addresses and a SecTAG with SCI, before the ICV
			want := map[string]int{"offset-30": 30, "offset-50": 50, "integrity-only": len(user)}[offset]
			if got := readable(user); got < want || got > want+4 { // ciphertext may begin with a few zeros
				t.Fatalf("%s: %d octets are readable of %x", offset, got, user)
			}
		}
	}
	if macsec < 200 {
		t.Errorf("only %d MACsec frames of the streams were captured", macsec)
	}
}

// readable tells how many of the user's octets are as the stream made them: its EtherType, two numbers, and then zeros.
func readable(user []byte) int {
	if !bytes.HasPrefix(user, []byte{0x88, 0xb5, 0, 0, 0, 0, 0, 0}) { // and the high octets of a small number
		return 0
	}
	n := 18
	for n < len(user) && user[n] == 0 {
		n++
	}
	return n
}

// Clause: 802.1X-2020 11.11.2 (f), (g); 12.4
// Requirement: R104
func TestWrongKeyNeverSecuresAndNothingLeaves(t *testing.T) {
	for _, c := range []struct{ name, west, east, cause string }{
		{"CAK", keyText(16, 16), strings.Replace(keyText(16, 16), `cak = "55`, `cak = "56`, 1), "another CAK"},
		{"CKN", keyText(16, 16), strings.Replace(keyText(16, 16), `ckn = "31`, `ckn = "32`, 1), "not among the valid keys"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLink(t, released, c.west, "")
			giveOwnKey(t, l.East, l.KeyFile, c.east)
			wires := capture(t, l)
			must(t, l.StartDaemons(t.Context()))
			must(t, l.Connect())
			must(t, l.WaitFor(t.Context(), control.Pending))
			must(t, l.Address())
			must(t, l.West.AddAddress(mkadlab.Lower, "198.51.100.1/24"))
			must(t, l.East.AddAddress(mkadlab.Lower, "198.51.100.2/24"))
			attemptFor10s(t, l)
			must(t, l.WaitFor(t.Context(), control.Blocked))
			for i, w := range wires() {
				if foreign := w.Except(netlab.EtherTypeEAPOL); len(foreign) > 0 {
					t.Errorf("%d frames other than EAPOL arrived at %s, the first %x", len(foreign), l.Hosts()[i].Name, foreign[0].Data)
				}
				if w.Count(netlab.EtherTypeEAPOL) == 0 {
					t.Errorf("no EAPOL arrived at %s: the capture proves nothing", l.Hosts()[i].Name)
				}
			}
			for _, h := range l.Hosts() {
				if n := strings.Count(h.Log(), "MKPDU discarded"); n != 1 {
					t.Errorf("%s has %d lines of log on discarded MKPDUs, want 1", h.Name, n)
				}
				if !strings.Contains(h.Log(), c.cause) {
					t.Errorf("%s does not log the cause %q", h.Name, c.cause)
				}
				p, err := h.Port(t.Context())
				must(t, err)
				if !strings.Contains(p.Reason, c.cause) {
					t.Errorf("%s gives the reason %q", h.Name, p.Reason)
				}
			}
		})
	}
}

// giveOwnKey lets one host have a CAK file of its own.
func giveOwnKey(t *testing.T, h *mkadlab.Host, shared, key string) {
	t.Helper()
	own := shared + "." + h.Name
	writeKey(t, own, key)
	text, err := os.ReadFile(h.ConfigFile())
	must(t, err)
	must(t, os.WriteFile(h.ConfigFile(), bytes.Replace(text, []byte(shared), []byte(own), 1), 0o644))
}

// attemptFor10s tries every way out: frames and pings on the Controlled Port, and on the lower device itself.
func attemptFor10s(t *testing.T, l *mkadlab.Link) {
	t.Helper()
	lower, err := netlab.StartStream(netlab.StreamConfig{FromNamespace: l.West.Namespace, ToNamespace: l.East.Namespace,
		From: mkadlab.Lower, To: mkadlab.Lower, Rate: 100})
	must(t, err)
	ping := make(chan string, 2)
	for _, address := range []string{mkadlab.EastAddress, "198.51.100.2"} {
		go func() {
			out, _ := l.West.Run(t.Context(), "ping", "-q", "-i", "0.1", "-w", "9", address)
			ping <- out
		}()
	}
	r := stream(t, l.West, l.East, 1000, 100, nil)
	if r.Received != 0 || r.Sent+r.Refused < 900 {
		t.Errorf("on the Controlled Port: %s", r)
	}
	for range 2 {
		if out := <-ping; !strings.Contains(out, " 0 received") {
			t.Errorf("a ping was answered, or not even sent: %s", out)
		}
	}
	if r, err := lower.Stop(); err != nil || r.Received != 0 {
		t.Errorf("on the lower device: %s (%v)", r, err)
	}
}

// Clause: 802.1X-2020 9.8 (PN exhaustion)
// Requirement: R70
func TestRotationBeforePacketNumbersRunOutLosesNothing(t *testing.T) {
	for _, c := range []struct {
		suite string
		first secy.PN
	}{
		{"GCM-AES-128", 0xc0000000 - 500},
		{"GCM-AES-256", 0xc0000000 - 500},
		{"GCM-AES-XPN-128", 0xc000000000000000 - 500},
		{"GCM-AES-XPN-256", 0xc000000000000000 - 500},
	} {
		t.Run(c.suite, func(t *testing.T) {
			t.Parallel()
			l := newLink(t, hooked, "", fmt.Sprintf("cipher_suites = [%q]", c.suite))
			hook(t, l, hooks{MKADTestFirstPN: c.first})
			must(t, l.Secure(t.Context()))
			for _, way := range [][2]*mkadlab.Host{{l.West, l.East}, {l.East, l.West}} {
				before, err := way[0].Port(t.Context())
				must(t, err)
				r := stream(t, way[0], way[1], 10000, 2000, nil)
				if r.Lost() != 0 || r.Refused != 0 {
					t.Errorf("%s to %s: %s", way[0].Name, way[1].Name, r)
				}
				after, err := way[0].Port(t.Context())
				must(t, err)
				t.Logf("%s to %s: %s; next PN %#x before, %#x after, %d rekeys", way[0].Name, way[1].Name, r,
					before.Tx.NextPN, after.Tx.NextPN, after.Rekeys)
				if after.Rekeys != 1 || after.Tx.NextPN > uint64(c.first) {
					t.Errorf("%d rekeys, next PN %#x", after.Rekeys, after.Tx.NextPN)
				}
			}
		})
	}
}

// Clause: 802.1AE-2018 10.6.2
func TestXPNCrossesTheUpperHalfWithoutLoss(t *testing.T) {
	t.Parallel()
	l := newLink(t, hooked, "", `cipher_suites = ["GCM-AES-XPN-256"]`)
	hook(t, l, hooks{MKADTestFirstPN: 1<<32 - 1000})
	must(t, l.Secure(t.Context()))
	r := stream(t, l.West, l.East, 4000, 2000, nil)
	p, err := l.West.Port(t.Context())
	must(t, err)
	if r.Lost() != 0 || p.Rekeys != 0 || p.Tx.NextPN < 1<<32 {
		t.Errorf("%s; %d rekeys, next PN %#x", r, p.Rekeys, p.Tx.NextPN)
	}
}

// Clause: 802.1AE-2018 10.5.2
func TestSecYStopsRatherThanRepeatAPacketNumber(t *testing.T) {
	t.Parallel()
	l := newLink(t, hooked, "", `cipher_suites = ["GCM-AES-128"]`)
	hook(t, l, hooks{MKADTestFirstPN: 1<<32 - 200, MKADTestHidePN: true})
	wires := capture(t, l)
	must(t, l.Secure(t.Context()))
	r := stream(t, l.West, l.East, 2000, 1000, nil)
	if r.Received == 0 || r.Received > 200 {
		t.Errorf("%s; want as many as there were packet numbers left, 200 at most", r)
	}
	seen := map[[8]byte]bool{}
	for _, f := range wires()[1].Frames { // what arrived at east: sent by west
		if netlab.EtherTypeOf(f.Data) != netlab.EtherTypeMACsec {
			continue
		}
		var id [8]byte
		id[0] = f.Data[14] & 3 // AN
		copy(id[4:], f.Data[16:20])
		if seen[id] {
			t.Fatalf("AN %d, PN %#x was used twice", id[0], binary.BigEndian.Uint32(id[4:]))
		}
		seen[id] = true
	}
	if len(seen) > 200 {
		t.Errorf("%d frames were sent", len(seen))
	}
}

// Clause: none; 802.1X-2020 9.4.3 has a restarted peer return under another MI.
func TestTrafficFlowsAgainAfterKill9(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	must(t, l.Secure(t.Context()))
	must(t, l.Address())
	var down time.Duration
	r := stream(t, l.East, l.West, 6000, 1000, func() {
		if out, err := l.East.Run(t.Context(), "ping", "-c3", "-i0.2", mkadlab.WestAddress); err != nil { // the stream is under way
			t.Fatal(out, err)
		}
		start := time.Now()
		l.West.Daemon().Kill()
		<-l.West.Daemon().Ended()
		must(t, l.West.StartDaemon(t.Context()))
		must(t, l.WaitFor(t.Context(), control.Secured))
		down = time.Since(start)
	})
	t.Logf("secured again after %v; %s", down, r)
	if r.Silence > 2*time.Second || r.Received < 3000 {
		t.Errorf("traffic was silent for %v: %s", r.Silence, r)
	}
	carriesBothWays(t, l)
}

// Clause: none; design: a port whose lower device is missing waits for it and says so.
func TestPortWaitsForAMissingLowerDevice(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	must(t, l.West.Remove(mkadlab.Lower)) // takes the other end with it
	must(t, l.StartDaemons(t.Context()))
	for _, h := range l.Hosts() {
		p, err := h.Port(t.Context())
		must(t, err)
		if p.State != control.Down || !strings.Contains(p.Reason, "does not exist") {
			t.Errorf("%s: %s, %q", h.Name, p.State, p.Reason)
		}
	}
	for range 2 { // appears, goes, and comes again
		must(t, netlab.Join(l.West.Namespace, mkadlab.Lower, l.East.Namespace, mkadlab.Lower))
		must(t, l.Connect())
		must(t, l.WaitFor(t.Context(), control.Secured))
		carriesBothWays(t, l)
		must(t, l.West.Remove(mkadlab.Lower))
		must(t, l.WaitFor(t.Context(), control.Down))
	}
}

// Clause: none; design: an mkad serves several ports.
func TestSeveralPortsOnOneHost(t *testing.T) {
	t.Parallel()
	const ports = 4
	var more strings.Builder
	for i := 2; i <= ports; i++ {
		fmt.Fprintf(&more, "[[port]]\ninterface = \"eth%d\"\ncontrolled = \"sec%d\"\nkeys = \"../key.toml\"\n", i, i)
	}
	l := newLink(t, released, "", more.String())
	for i := 2; i <= ports; i++ {
		name := fmt.Sprintf("eth%d", i)
		must(t, netlab.Join(l.West.Namespace, name, l.East.Namespace, name))
	}
	must(t, l.StartDaemons(t.Context()))
	must(t, l.Both(func(h *mkadlab.Host) error {
		for i := 1; i <= ports; i++ {
			if _, err := h.Control.Wait(t.Context(), control.Secured, fmt.Sprintf("eth%d", i)); err != nil {
				return err
			}
		}
		return nil
	}))
	carriesBothWays(t, l)
	must(t, l.West.SetDown("eth2")) // one port's trouble is its own
	if _, err := l.West.Control.Wait(t.Context(), control.Down, "eth2"); err != nil {
		t.Error(err)
	}
	carriesBothWays(t, l)
}

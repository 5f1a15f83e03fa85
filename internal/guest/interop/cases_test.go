package interop

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mkad/internal/control"
	"mkad/internal/guest/guesttest"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// everywhere has the cases of two run over a bridge too, of which a few suffice from day to day.
var everywhere = flag.Bool("everywhere", false, "run every case of two members over a bridge too")

// keyOf is a CAK file.
func keyOf(ckn string, cakBits int) string {
	return fmt.Sprintf("[[key]]\nckn = %q\ncak = %q\n", ckn, strings.Repeat("0123456789abcdef", cakBits/64))
}

// A pair is a case of one mkad and one wpa_supplicant, which runs with either as key server: mkad's priority is 16, and
// wpa_supplicant's 255 unless it is told 0.
type pair struct {
	name      string
	mkad, wpa []string // lines of configuration
	keys      string   // CAK file; "": fresh, 128 bits
	bridged   bool     // runs over a bridge too
	also      func(t *testing.T, g *group)
}

var pairs = []pair{
	{name: "basic psk", bridged: true},
	{name: "basic psk, SecY in user space", mkad: []string{`backend = "userspace"`}},
	{name: "256-bit CAK", keys: keyOf("c0ffee", 256)},
	{name: "CKN of 1 octet", keys: keyOf("01", 128)},
	{name: "CKN of 3 octets", keys: keyOf("0a0b0c", 128)},
	{name: "CKN of 4 octets", keys: keyOf("0a0b0c0d", 128)},
	{name: "CKN of 32 octets", keys: keyOf(strings.Repeat("b2", 32), 256)},
	{name: "integrity only", mkad: []string{`confidentiality = "integrity-only"`}, wpa: []string{"macsec_integ_only=1"}, also: isReadable},
	{name: "replay protect with window", bridged: true, mkad: []string{"replay_window = 20"},
		wpa: []string{"macsec_replay_protect=1", "macsec_replay_window=10"}, also: refusesReplays},
	{name: "SCI port 65534", mkad: []string{"port_id = 65534"}, wpa: []string{"macsec_port=65534"}, also: portIDs("fffe", "fffe")},
	{name: "unequal ports", mkad: []string{"port_id = 3"}, wpa: []string{"macsec_port=7"}, also: portIDs("0003", "0007")},
	{name: "peer silent past MKA Life Time", bridged: true, also: survivesSilence},
	{name: "separate namespaces and ping", also: pings},
}

// A named is a case of any members, of which one becomes key server.
type named struct {
	name    string
	path    string
	members []member
	server  int
}

func prior(program string, priority int) member {
	if program == mkad {
		return member{program: mkad, lines: []string{fmt.Sprintf("key_server_priority = %d", priority)}}
	}
	return member{program: wpa, lines: []string{fmt.Sprintf("mka_priority=%d", priority)}}
}

// allowed255 elects whom the standard would not, as wpa_supplicant does.
var allowed255 = member{program: mkad, lines: []string{"key_server_priority = 255", "allow_priority_255 = true"}}

// Of equal priorities the first member has the better SCI.
var groups = []named{
	{"two, different priority", overBridge, []member{prior(mkad, 16), prior(wpa, 17)}, 0},
	{"two, different priority", overBridge, []member{prior(mkad, 17), prior(wpa, 16)}, 1},
	{"two, same priority", overBridge, []member{prior(mkad, 16), prior(wpa, 16)}, 0},
	{"two, same priority", overBridge, []member{prior(wpa, 16), prior(mkad, 16)}, 0},
	{"three, different priority", overBridge, []member{prior(wpa, 30), prior(mkad, 10), prior(mkad, 20)}, 1},
	{"three, different priority", overBridge, []member{prior(mkad, 20), prior(mkad, 30), prior(wpa, 10)}, 2},
	{"three, same priority", overBridge, []member{prior(mkad, 16), prior(mkad, 16), prior(wpa, 16)}, 0},
	{"three, same priority", overBridge, []member{prior(wpa, 16), prior(mkad, 16), prior(mkad, 16)}, 0},
	{"wpa_supplicant beside wpa_supplicant", overBridge, []member{prior(mkad, 16), prior(wpa, 255), prior(wpa, 255)}, 0},
	{"wpa_supplicant beside wpa_supplicant", overBridge, []member{prior(wpa, 0), prior(mkad, 16), prior(wpa, 255)}, 0},
	{"priority 255 of the peer", overVeth, []member{prior(mkad, 254), prior(wpa, 255)}, 0},
	{"priority 255 of mkad", overVeth, []member{prior(mkad, 255), prior(wpa, 254)}, 1},
	{"priority 255 of both, allowed", overVeth, []member{allowed255, prior(wpa, 255)}, 0},
	{"priority 255 of both, allowed", overVeth, []member{prior(wpa, 255), allowed255}, 0},
}

// Clause: 802.1X-2020 9.3 to 9.10, 11.11; all that users of wpa_supplicant configure, and what both sides make of it.
// Requirement: R111
func TestGuestCases(t *testing.T) {
	order := 0
	run := func(name, path string, members []member, server int, keys string, also func(*testing.T, *group)) {
		order++
		row := Row{Table: "cases", Order: order}
		t.Run(strings.Join([]string{name, path, members[server].program + " serves"}, "/"), func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			g := newGroup(t, path, keys, slices.Clone(members))
			g.startWith(server)
			took := g.secured()
			g.elected(server)
			g.carries()
			if also != nil {
				also(t, g)
			}
			row.leave(t, name, path, members[server].program, seconds(took), seconds(time.Since(begun)))
		})
	}
	for _, c := range pairs {
		paths := []string{overVeth}
		if c.bridged || *everywhere {
			paths = append(paths, overBridge)
		}
		for _, path := range paths {
			run(c.name, path, []member{{program: mkad, lines: c.mkad}, {program: wpa, lines: c.wpa}}, 0, c.keys, c.also)
			run(c.name, path, []member{{program: mkad, lines: c.mkad},
				{program: wpa, lines: append([]string{"mka_priority=0"}, c.wpa...)}}, 1, c.keys, c.also)
		}
	}
	for _, c := range groups {
		run(c.name, c.path, c.members, c.server, "", nil)
	}
}

// leave leaves the row of a test that has not failed.
func (r Row) leave(t *testing.T, cells ...string) {
	t.Helper()
	if !t.Failed() {
		r.Cells = cells
		must(t, r.Write(guesttest.Keep(t)))
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// isReadable looks for the octets of a stream on the wire.
func isReadable(t *testing.T, g *group) {
	wire, err := netlab.StartCapture(g.hosts[1].Namespace, mkadlab.Lower)
	must(t, err)
	g.carries()
	capture, err := wire.Stop()
	must(t, err)
	zeros := string(make([]byte, frameSize/2)) // most of a frame of a stream
	if !slices.ContainsFunc(capture.Frames, func(f netlab.Frame) bool {
		return netlab.EtherTypeOf(f.Data) == netlab.EtherTypeMACsec && strings.Contains(string(f.Data), zeros)
	}) {
		t.Error("no MACsec frame has readable data")
	}
	if c := g.port(0).Confidentiality; c != "integrity-only" {
		t.Errorf("confidentiality is %s", c)
	}
}

func portIDs(west, east string) func(*testing.T, *group) {
	return func(t *testing.T, g *group) {
		if p := g.port(0); !strings.HasSuffix(p.SCI, west) || !strings.HasSuffix(p.Rx[0].SCI, east) {
			t.Errorf("sends as %s, receives from %s", p.SCI, p.Rx[0].SCI)
		}
	}
}

// refusesReplays sends again, to each side, a frame from before a stream that is longer than the window.
func refusesReplays(t *testing.T, g *group) {
	for to, from := range []int{1, 0} {
		wire, err := netlab.StartCapture(g.hosts[to].Namespace, mkadlab.Lower)
		must(t, err)
		s := g.stream(from, to)
		wait(trafficTime)
		r, err := s.Stop()
		must(t, err)
		capture, err := wire.Stop()
		must(t, err)
		first := slices.IndexFunc(capture.Frames, func(f netlab.Frame) bool {
			return netlab.EtherTypeOf(f.Data) == netlab.EtherTypeMACsec
		})
		if r.Received < 30 || first < 0 {
			t.Fatalf("%s, and %d frames captured", r, len(capture.Frames))
		}
		late := func() uint64 { return g.countersOf(to)["InPktsLate"] }
		before := late()
		must(t, g.hosts[from].Send(mkadlab.Lower, capture.Frames[first].Data))
		waitFor(t, g.hosts[to].Name+" to count a frame as late", func() bool { return late() > before })
	}
}

// survivesSilence ends each side in turn; the other one notices after Life Time, and takes it again when it is back.
func survivesSilence(t *testing.T, g *group) {
	g.process(1).Stop()
	waitFor(t, "mkad to miss its peer", func() bool {
		p := g.port(0)
		peers, others := live(p)
		return p.State == control.Blocked && len(peers)+others+len(p.Rx) == 0
	})
	g.start(1)
	g.secured()
	g.process(0).Kill()
	waitFor(t, "wpa_supplicant to miss its peer", func() bool {
		s, err := g.supplicants[1].Status(t.Context())
		return err == nil && s.Live == 0 && !s.Secured
	})
	g.start(0)
	g.secured()
	g.carries()
}

// pings across, by the addresses of two hosts that have nothing else in common.
func pings(t *testing.T, g *group) {
	for i, h := range g.hosts {
		must(t, h.AddAddress(mkadlab.Controlled, fmt.Sprintf("192.0.2.%d/24", i+1)))
		must(t, h.AddAddress(mkadlab.Controlled, fmt.Sprintf("2001:db8::%d/64", i+1)))
	}
	for i, h := range g.hosts {
		for _, to := range []string{fmt.Sprintf("192.0.2.%d", 2-i), fmt.Sprintf("2001:db8::%d", 2-i)} {
			out, err := h.Run(t.Context(), "ping", "-n", "-c", "5", "-i", "0.2", "-w", "20", "-s", "1352", to)
			if err != nil || !strings.Contains(out, " 0% packet loss") {
				t.Errorf("%s: %v\n%s", h.Name, err, out)
			}
		}
	}
}

// notSecured is how long those who must not agree get the opportunity: more than Life Time.
const notSecured = 8 * time.Second

// Clause: 802.1X-2020 9.3, 9.5, 11.11.2; who has another key, or is nobody's key server, is told why, and gets nothing in
// clear.
func TestGuestCasesThatMustNotSecure(t *testing.T) {
	ours := keyOf("c0ffee", 128)
	for order, c := range []struct {
		name    string
		members []member
		says    string // a word of the reason that mkad gives
		counts  string // the counter of mkad that grows
		live    int    // peers
	}{
		{"CKN mismatch", []member{{program: mkad}, {program: wpa, key: keyOf("c0ffef", 128)}}, "CKN", control.MKNoCKN, 0},
		{"CAK mismatch", []member{{program: mkad}, {program: wpa, key: strings.Replace(ours, "0123", "3210", 1)}}, "CAK",
			control.MKInvalid, 0},
		{"priority 255 of both", []member{prior(mkad, 255), prior(wpa, 255)}, "key server", control.MKAFramesRx, 1},
		{"priority 255 of both, the peer's SCI wins", []member{prior(wpa, 255), prior(mkad, 255)}, "key server", control.MKAFramesRx, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			g := newGroup(t, overVeth, ours, c.members)
			us := slices.IndexFunc(c.members, func(m member) bool { return m.program == mkad })
			g.start(us)
			fromUs, err := netlab.StartCapture(g.hosts[1-us].Namespace, mkadlab.Lower)
			must(t, err)
			fromPeer, err := netlab.StartCapture(g.hosts[us].Namespace, mkadlab.Lower)
			must(t, err)
			g.start(1 - us)
			wait(notSecured)
			capture, err := fromUs.Stop()
			must(t, err)
			answers, err := fromPeer.Stop()
			must(t, err)
			p := g.port(us)
			if peers, _ := live(p); p.State != control.Blocked || len(p.Rx) != 0 || len(peers) != c.live ||
				!strings.Contains(p.Reason, c.says) {
				t.Errorf("mkad is %s: %s, with %+v", p.State, p.Reason, p)
			}
			s, err := g.supplicants[1-us].Status(t.Context())
			must(t, err)
			if s.Live != c.live {
				t.Errorf("wpa_supplicant is %+v", s)
			}
			counters, err := g.hosts[us].Control.Counters(t.Context())
			must(t, err)
			if counters.Ports[0].MKA[c.counts] == 0 {
				t.Errorf("%s is none of %v", c.counts, counters.Ports[0].MKA)
			}
			if frames := capture.Except(netlab.EtherTypeEAPOL); len(frames) != 0 || capture.Count(netlab.EtherTypeEAPOL) == 0 {
				t.Errorf("on the wire: %d frames that are not EAPOL of %d", len(frames), len(capture.Frames))
			}
			if n := misOf(answers, g.hosts[1-us], 0); n != 1 {
				t.Errorf("wpa_supplicant has had %d MIs", n)
			}
			Row{Table: "cases", Order: 1000 + order}.leave(t, c.name, overVeth, "none", "never, as it must be", seconds(time.Since(begun)))
		})
	}
}

// inTheWay puts an SA of nobody where the next SA of a host's device is to go, in either direction: the kernel refuses to
// put another there.
func inTheWay(t *testing.T, h *mkadlab.Host, an int, peer string) {
	t.Helper()
	const key = "000102030405060708090a0b0c0d0e0f"
	batch := fmt.Sprintf("macsec add macsec0 tx sa %d pn 1 on key ee %s\nmacsec add macsec0 rx sci %s sa %d pn 1 on key ee %s\n",
		an, key, peer, an, key)
	file := filepath.Join(t.TempDir(), "batch")
	must(t, os.WriteFile(file, []byte(batch), 0o600))
	_, err := h.Run(t.Context(), "ip", "-batch", file)
	must(t, err)
}

// Clause: 802.1X-2020 12.4; where somebody's SA is in the way of the next, mkad puts it away; a peer whose kernel refuses
// the next SA is served by the one after.
func TestGuestCasesOfAnSAInTheWay(t *testing.T) {
	for order, c := range []struct {
		name  string
		whose int
	}{{"somebody's SA in the way of mkad's", 0}, {"kernel refuses the peer's SA", 1}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			g := newGroup(t, overVeth, "", []member{prior(mkad, 16), prior(wpa, 255)})
			g.start()
			took := g.secured()
			g.carries()
			before := g.port(0)
			peer := before.Rx[0].SCI
			if c.whose == 1 {
				peer = before.SCI
			}
			inTheWay(t, g.hosts[c.whose], int(before.Tx.AN+1)%4, peer)
			g.rekey()
			if c.whose == 1 { // this key is lost; not the link
				g.rekey()
			}
			g.elected(0)
			g.carries()
			Row{Table: "cases", Order: 900 + order}.leave(t, c.name, overVeth, mkad, seconds(took), seconds(time.Since(begun)))
		})
	}
}

// rekey has the first member make another SAK, and waits until it sends with it.
func (g *group) rekey() {
	g.t.Helper()
	before := g.port(0)
	must(g.t, g.hosts[0].Control.Rekey(g.t.Context(), mkadlab.Lower))
	waitFor(g.t, "another SAK", func() bool { return g.port(0).Tx.KI != before.Tx.KI })
	g.secured()
	waitFor(g.t, "one key on both sides", func() bool { return len(g.port(0).Rx) == 1 && g.port(0).State == control.Secured })
}

// ciphers are the modules by which the kernel has GCM-AES, those that use others first.
var ciphers = []string{"aesni_intel", "ghash_clmulni_intel", "gcm", "ghash_generic"}

// unloadCiphers removes the ciphers' modules, and reports whether all are gone: the SAs of devices that were deleted just
// before hold them for a while yet.
func unloadCiphers() bool {
	for _, m := range ciphers {
		_ = exec.Command("rmmod", m).Run() // what has not gone shows below
	}
	return !slices.ContainsFunc(ciphers, func(m string) bool {
		_, err := os.Stat("/sys/module/" + m + "/holders") // which those that are built in do not have
		return err == nil
	})
}

// Clause: 802.1X-2020 12.4; a kernel that refuses every SA of ours is told with what it said, and served as soon as it does
// not. The peer needs none: its SecY is in user space. It runs apart, for it is the kernel of all.
func TestGuestCaseOfAKernelWithoutCipher(t *testing.T) {
	const autoload = "/proc/sys/kernel/modprobe"
	loader, err := os.ReadFile(autoload)
	must(t, err)
	restore := func() {
		must(t, os.WriteFile(autoload, loader, 0))
		for _, m := range slices.Backward(ciphers) {
			_ = exec.Command("modprobe", m).Run() // one that the kernel never had is not missed
		}
	}
	t.Cleanup(restore)
	must(t, os.WriteFile(autoload, []byte("/bin/false"), 0))
	waitFor(t, "a kernel without GCM-AES", unloadCiphers)
	begun := time.Now()
	g := newGroup(t, overVeth, "", []member{{program: mkad, lines: []string{`backend = "kernel"`}},
		{program: mkad, lines: []string{`backend = "userspace"`, "key_server_priority = 8"}}})
	g.start()
	waitFor(t, "a reason that tells of the refusal", func() bool {
		p := g.port(0)
		return p.State != control.Secured && strings.Contains(p.Reason, "refused a key")
	})
	restore()
	g.begun = time.Now()
	took := g.secured()
	g.elected(1)
	waitFor(t, "traffic both ways", g.flows)
	g.carries()
	Row{Table: "cases", Order: 910}.leave(t, "kernel refuses mkad's SA", overVeth, "the other mkad", seconds(took)+" (since it does not)",
		seconds(time.Since(begun)))
}

// flows reports whether a short stream each way loses nothing.
func (g *group) flows() bool {
	for to, from := range []int{1, 0} {
		s := g.stream(from, to)
		wait(200 * time.Millisecond)
		if r, err := s.Stop(); err != nil || r.Lost()+r.Refused != 0 || r.Sent == 0 {
			return false
		}
	}
	return true
}

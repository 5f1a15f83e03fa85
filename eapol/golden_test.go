package eapol_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/secy"
)

// goldenDir holds the shared frames; its README says what the headers mean.
const goldenDir = "../testdata/mkpdu"

// A golden is one file of goldenDir.
type golden struct {
	name   string
	header map[string]string
	frame  []byte
}

// goldens reads them all, sorted by name.
func goldens(t testing.TB) []golden { return readGoldens(t, "*") }

// goldenNamed is the file whose name starts so.
func goldenNamed(t testing.TB, prefix string) golden { return readGoldens(t, prefix+"*")[0] }

func readGoldens(t testing.TB, pattern string) (all []golden) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(goldenDir, pattern+".txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden file %s in %s: %v", pattern, goldenDir, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		all = append(all, parseGolden(t, name, string(text)))
	}
	return all
}

func parseGolden(t testing.TB, name, text string) golden {
	t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	g := golden{name: name, header: map[string]string{}}
	for line := range strings.Lines(head) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		g.header[key] = value
	}
	for line := range strings.Lines(body) {
		if !strings.HasPrefix(line, "#") {
			g.frame = append(g.frame, octets(t, strings.TrimSpace(line))...)
		}
	}
	return g
}

// accepted are the golden files that are to be parsed.
func accepted(t testing.TB) (ok []golden) {
	t.Helper()
	for _, g := range goldens(t) {
		if g.header["expect"] == "ok" {
			ok = append(ok, g)
		}
	}
	return ok
}

func octets(t testing.TB, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ckn(t testing.TB, digits string) keyderive.CKN {
	t.Helper()
	c, err := keyderive.NewCKN(octets(t, digits))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// same compares what an MKPDU says, not where it was read from.
var same = cmp.Options{
	cmpopts.IgnoreUnexported(eapol.MKPDU{}),
	cmpopts.EquateComparable(keyderive.CKN{}),
	cmpopts.EquateEmpty(),
}

// The whole codec, against frames of five implementations and one frame for each reason to discard.
// Clause: 802.1X-2020 11.11.2
// Requirement: R17
func TestGoldenFrameIsAcceptedOrDiscardedAsItSays(t *testing.T) {
	for _, g := range goldens(t) {
		t.Run(g.name, func(t *testing.T) {
			want := g.header["expect"]
			if want == "ok" {
				want = eapol.Accepted.String()
			}
			var m eapol.MKPDU
			if d := eapol.ParseMKPDU(g.frame, eapol.Acceptance{}, &m); d.String() != want {
				t.Errorf("got %s, want %s", d, want)
			}
		})
	}
}

// Every reason that this package can give has its golden frame, so that no check can get lost.
// Clause: 802.1X-2020 11.11.2
func TestEveryDiscardOfTheCodecHasAGoldenFrame(t *testing.T) {
	found := map[string]bool{}
	for _, g := range goldens(t) {
		found[g.header["expect"]] = true
	}
	others := []eapol.Discard{eapol.DiscardUnknownCKN, eapol.DiscardAlgorithmAgility, eapol.DiscardICV} // package mka
	for _, d := range others {
		found[d.String()] = true
	}
	for d := eapol.DiscardShortFrame; d <= eapol.DiscardDistributedSAKSuite; d++ {
		if !found[d.String()] {
			t.Errorf("no golden frame is discarded for %s", d)
		}
	}
}

// What was parsed encodes to the same octets, in frames of other implementations too.
// Clause: 802.1X-2020 11.11.1
// Requirement: R17
func TestGoldenFrameReencodesByteForByte(t *testing.T) {
	for _, g := range accepted(t) {
		t.Run(g.name, func(t *testing.T) {
			m := parsed(t, g.frame)
			got := append(m.AppendTo(nil), m.ICV[:]...)
			if equal := bytes.Equal(got, g.frame); equal == (g.header["reencode"] != "") {
				t.Errorf("encodes to\n%x\nfrom\n%x\nwith reencode: %q", got, g.frame, g.header["reencode"])
			}
		})
	}
}

// The members of F1 to F4.
var (
	mi1 = eapol.MI{0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac}
	mi2 = eapol.MI{0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xbb, 0xbc}
	mi3 = eapol.MI{0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xcb, 0xcc}
)

// described is F1 to F4 in words, by the start of their file names.
func described(t testing.TB) map[string]*eapol.MKPDU {
	header := eapol.MKPDU{
		DA: eapol.PAEGroup, SA: eapol.MAC{2, 0, 0, 0, 0, 1}, EtherType: eapol.EtherType, EAPOLVersion: eapol.Version,
		Basic: eapol.Basic{
			MKAVersion: 1, KeyServerPriority: 16, KeyServer: true, MACsecDesired: true,
			Capability: secy.CapabilityConfidentiality, SCI: 0x0200000000010001, MI: mi1,
			AlgorithmAgility: eapol.AlgorithmAgility,
		},
	}
	f1, f2, f3, f4 := header, header, header, header

	f1.Basic.MN = 1
	f1.Basic.CKN = ckn(t, "6162636465666768696a6b6c6d6e6f707172737475767778797a303132333435")

	f2.Basic.MN = 7
	f2.Basic.CKN = ckn(t, "101112131415161718191a1b1c1d1e1f")
	f2.Live = eapol.PeerList{Present: true, Peers: []eapol.ListedPeer{{MI: mi2, MN: 4}}}
	f2.SAKUse = eapol.SAKUse{Present: true, Latest: eapol.KeyUse{KI: eapol.KI{MI: mi1, KN: 1}, Rx: true, LPN: 1}}
	f2.DistributedSAK = eapol.DistributedSAK{Present: true, Offset: secy.Offset0, KN: 1, Suite: secy.GCMAES128,
		Wrapped: octets(t, "7759a06dac9e17fd19644bcf985ec3c99c14425af74c5cdd")}

	f3.SA = eapol.MAC{2, 0, 0, 0, 0, 2}
	f3.Basic.KeyServer, f3.Basic.KeyServerPriority = false, 32
	f3.Basic.SCI, f3.Basic.MI, f3.Basic.MN, f3.Basic.CKN = 0x0200000000020001, mi2, 5, f2.Basic.CKN
	f3.Live = eapol.PeerList{Present: true, Peers: []eapol.ListedPeer{{MI: mi1, MN: 7}}}
	f3.SAKUse = f2.SAKUse
	f3.SAKUse.Latest.Tx = true

	f4.Basic.MKAVersion, f4.Basic.KeyServerPriority = 3, 0
	f4.Basic.MN, f4.Basic.CKN = 0x1234, ckn(t, "01")
	f4.Live = eapol.PeerList{Present: true, KeyServerSSCI: 3,
		Peers: []eapol.ListedPeer{{MI: mi3, MN: 9}, {MI: mi2, MN: 17}}}
	f4.SAKUse = eapol.SAKUse{Present: true, DelayProtect: true,
		Latest: eapol.KeyUse{KI: eapol.KI{MI: mi1, KN: 2}, AN: 1, Rx: true, LPN: 1},
		Old:    eapol.KeyUse{KI: eapol.KI{MI: mi1, KN: 1}, AN: 0, Tx: true, Rx: true, LPN: 0x401}}
	f4.DistributedSAK = eapol.DistributedSAK{Present: true, AN: 1, Offset: secy.Offset0, KN: 2, Suite: secy.GCMAESXPN256,
		Wrapped: octets(t, "ed905ca15da905333b3da89fafc5a6258fefa4c50ed7ac612396d03a94b360eb1e407833e7f6d60e")}
	f4.XPN = eapol.XPN{Present: true, OldHigh: 2}
	f4.ICVIndicator = true

	return map[string]*eapol.MKPDU{"f1-": &f1, "f2-": &f2, "f3-": &f3, "f4-": &f4}
}

// F1 to F4 come out of their descriptions, the ICV apart.
// Clause: 802.1X-2020 11.11.1
// Requirement: R17
func TestDescribedFrameEncodesByteForByte(t *testing.T) {
	for name, m := range described(t) {
		t.Run(name, func(t *testing.T) {
			frame := goldenNamed(t, name).frame
			want := frame[:len(frame)-eapol.ICVLen]
			if got := m.AppendTo(nil); !bytes.Equal(got, want) {
				t.Errorf("got\n%x\nwant\n%x", got, want)
			}
		})
	}
}

// F1 to F4 parse to their descriptions.
// Clause: 802.1X-2020 11.11.1
// Requirement: R17
func TestFrameParsesToItsDescription(t *testing.T) {
	for name, want := range described(t) {
		t.Run(name, func(t *testing.T) {
			got := parsed(t, goldenNamed(t, name).frame)
			want.ICV = got.ICV
			if diff := cmp.Diff(want, got, same); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// parsed is what an acceptable frame says.
func parsed(t testing.TB, frame []byte) *eapol.MKPDU {
	t.Helper()
	m := new(eapol.MKPDU)
	if d := eapol.ParseMKPDU(frame, eapol.Acceptance{}, m); d != eapol.Accepted {
		t.Fatalf("discarded for %s", d)
	}
	return m
}

package eapol_test

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mkad/eapol"
)

var update = flag.Bool("update", false, "rewrite the fuzz corpus from the golden frames")

// maxBody is what the body length field can say.
const maxBody = 1<<16 - 1

// Any packet body, in a header that lets it in: what is accepted survives encoding and parsing, and nothing is read
// beyond the body or left over from another frame.
// Requirement: R36
func FuzzParseMKPDU(f *testing.F) {
	f4 := goldenNamed(f, "f4-").frame
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > maxBody {
			return
		}
		frame := withBody(t, body)
		before := bytes.Clone(frame)
		var m eapol.MKPDU
		d := eapol.ParseMKPDU(frame, eapol.Acceptance{}, &m)
		if !bytes.Equal(frame, before) {
			t.Fatal("parsing changed the frame")
		}

		reused := parsed(t, f4)
		longer := append(bytes.Clone(frame), bytes.Repeat([]byte{0x5a}, 40)...)
		if other := eapol.ParseMKPDU(longer, eapol.Acceptance{}, reused); other != d {
			t.Fatalf("%s, but %s in a longer frame", d, other)
		}
		if diff := cmp.Diff(&m, reused, same); diff != "" {
			t.Fatalf("another frame before or more octets behind matter\n%s", diff)
		}
		if d == eapol.Accepted {
			checkRoundTrip(t, &m)
		}
	})
}

// checkRoundTrip encodes what was parsed, parses that, and encodes it again.
func checkRoundTrip(t *testing.T, m *eapol.MKPDU) {
	t.Helper()
	out := append(m.AppendTo(nil), m.ICV[:]...)
	if len(out) != m.Len() {
		t.Fatalf("encodes to %d octets, Len says %d", len(out), m.Len())
	}
	again := new(eapol.MKPDU)
	if d := eapol.ParseMKPDU(out, eapol.Acceptance{AnyGroup: true}, again); d != eapol.Accepted {
		t.Fatalf("encoded, it is discarded for %s", d)
	}
	if diff := cmp.Diff(m, again, same); diff != "" {
		t.Fatalf("encoded and parsed again (-before +after)\n%s", diff)
	}
	if twice := append(again.AppendTo(nil), again.ICV[:]...); !bytes.Equal(twice, out) {
		t.Fatalf("encodes to\n%x\nthen to\n%x", out, twice)
	}
}

// Any frame: the envelope is judged as an obvious twin judges it, and what the ICV covers is all of it up to the ICV.
func FuzzParseFrame(f *testing.F) {
	f.Fuzz(func(t *testing.T, frame []byte) {
		var m eapol.MKPDU
		d := eapol.ParseEnvelope(frame, eapol.Acceptance{AnyGroup: true}, &m)
		if want := judge(frame); d != want {
			t.Fatalf("got %s, want %s", d, want)
		}
		if d != eapol.Accepted {
			return
		}
		end := 18 + int(binary.BigEndian.Uint16(frame[16:])) - 16
		if !bytes.Equal(m.Authenticated(), frame[:end]) || !bytes.Equal(m.ICV[:], frame[end:end+16]) {
			t.Fatalf("covered\n%x\nICV %x\nof\n%x", m.Authenticated(), m.ICV, frame)
		}
		if m.ParseSets() == eapol.Accepted {
			checkRoundTrip(t, &m)
		}
	})
}

// judge is ParseEnvelope by plain indexing, for a PAE that hears every group address.
func judge(f []byte) eapol.Discard {
	if len(f) < 18 {
		return eapol.DiscardShortFrame
	}
	length := int(f[16])<<8 + int(f[17])
	switch {
	case f[12] != 0x88 || f[13] != 0x8e:
		return eapol.DiscardEtherType
	case f[0]%2 == 0:
		return eapol.DiscardDestination
	case len(f)-18 < length:
		return eapol.DiscardLength
	case f[15] != 5:
		return eapol.DiscardNotMKA
	case f[14] < 3:
		return eapol.DiscardEAPOLVersion
	case length < 32:
		return eapol.DiscardBodyTooShort
	case length%4 != 0:
		return eapol.DiscardBodyNotMultipleOf4
	}
	basic := int(f[20]%16)<<8 + int(f[21])
	switch {
	case 4+(basic+3)/4*4+16 > length:
		return eapol.DiscardBasicLength
	case basic < 29 || basic > 60:
		return eapol.DiscardCKNLength
	}
	return eapol.Accepted
}

// The fuzzers start from every golden frame, so that they need not find out what an MKPDU looks like. With -update the
// missing seeds are written.
func TestFuzzCorpusHoldsTheGoldenFrames(t *testing.T) {
	for _, g := range goldens(t) {
		checkSeed(t, "FuzzParseFrame", g.name, g.frame)
		if len(g.frame) > atBody {
			checkSeed(t, "FuzzParseMKPDU", g.name, g.frame[atBody:])
		}
	}
	sets := frameOf(t, ascending...)
	checkSeed(t, "FuzzParseFrame", "every-set", sets)
	checkSeed(t, "FuzzParseMKPDU", "every-set", sets[atBody:])
}

func checkSeed(t *testing.T, target, name string, input []byte) {
	t.Helper()
	dir := filepath.Join("testdata", "fuzz", target)
	file := filepath.Join(dir, name)
	want := fmt.Appendf(nil, "go test fuzz v1\n[]byte(%q)\n", input)
	if *update {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not the golden frame (%v); run this test with -update", file, err)
	}
}

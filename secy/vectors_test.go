package secy

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mkad/keyderive"
)

// A vector is one file of testdata/frame.
type vector struct {
	name            string
	settings        Settings
	sa              Op // OpCreateReceiveSA
	user, protected []byte
}

// vectors reads all of testdata/frame.
func vectors(t testing.TB) (all []vector) {
	t.Helper()
	files, err := filepath.Glob("../testdata/frame/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, parseVector(t, strings.TrimSuffix(filepath.Base(f), ".txt"), string(text)))
	}
	return all
}

func parseVector(t testing.TB, name, text string) vector {
	t.Helper()
	parts := strings.Split(text, "\n\n")
	if len(parts) != 3 {
		t.Fatalf("%s has %d parts, want a header and two frames", name, len(parts))
	}
	v := vector{name: name, user: frameHex(t, parts[1]), protected: frameHex(t, parts[2])}
	v.sa = Op{Kind: OpCreateReceiveSA, Key: keyA}
	header := map[string]string{}
	for line := range strings.Lines(parts[0]) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		header[key] = value
	}
	v.readHeader(t, header)
	return v
}

func (v *vector) readHeader(t testing.TB, header map[string]string) {
	t.Helper()
	suite, knownSuite := ParseCipherSuite(header["suite"])
	offset, knownOffset := ParseConfidentialityOffset(header["confidentiality"])
	if !knownSuite || !knownOffset {
		t.Fatalf("%s: unknown suite or confidentiality", v.name)
	}
	v.settings = strict(suite)
	v.settings.Offset, v.settings.SendSCI = offset, header["send_sci"] == "true"
	sak, err := keyderive.NewSAK(frameHex(t, header["sak"]))
	if err != nil {
		t.Fatal(err)
	}
	v.sa.SAK = sak
	v.sa.AN = AN(number(t, header["an"]))
	v.sa.SCI = SCI(number(t, header["sci"]))
	v.sa.PN = PN(number(t, header["pn"]))
	if suite.XPN() {
		v.sa.SSCI = SSCI(number(t, header["ssci"]))
		copy(v.sa.Salt[:], frameHex(t, header["salt"]))
	}
}

func number(t testing.TB, digits string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// frameHex reads hexadecimal lines with comments.
func frameHex(t testing.TB, text string) (b []byte) {
	t.Helper()
	for line := range strings.Lines(text) {
		digits, _, _ := strings.Cut(line, "#")
		octets, err := hex.DecodeString(strings.TrimSpace(digits))
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, octets...)
	}
	return b
}

// transmitter makes a SecY whose next frame is the vector's.
func (v *vector) transmitter(t testing.TB) *SecY {
	t.Helper()
	op := v.sa
	op.Kind = OpCreateTransmitSA
	return enabled(t, v.sa.SCI, v.settings, op, Op{Kind: OpEnableTransmit, Key: keyA})
}

// receiver makes a SecY that accepts the vector.
func (v *vector) receiver(t testing.TB) *SecY {
	t.Helper()
	return enabled(t, bobSCI, v.settings, Op{Kind: OpCreateReceiveSC, SCI: v.sa.SCI}, v.sa,
		Op{Kind: OpEnableReceive, Key: keyA})
}

// Clause: 802.1AE-2018 10.5
// Requirement: R98, R107
func TestProtectMakesThePublishedFrames(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.name, func(t *testing.T) {
			if got := protect(t, v.transmitter(t), v.user); !bytes.Equal(got, v.protected) {
				t.Errorf("protected frame is\n%x, want\n%x", got, v.protected)
			}
		})
	}
}

// Clause: 802.1AE-2018 10.6
// Requirement: R98, R107
func TestVerifyOpensThePublishedFrames(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.name, func(t *testing.T) {
			deliver(t, v.receiver(t), v.protected, v.user)
		})
	}
}

// Clause: 802.1AE-2018 10.6
// Requirement: R107
func TestEverySingleBitFlipIsDropped(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.name, func(t *testing.T) {
			s := v.receiver(t)
			for bit := range len(v.protected) * 8 {
				wire := bytes.Clone(v.protected)
				wire[bit/8] ^= 1 << (bit % 8)
				drop(t, s, wire)
			}
			deliver(t, s, v.protected, v.user)
		})
	}
}

// Clause: 802.1AE-2018 14.5, 14.7
// Requirement: R107
func TestThereAreVectorsOfEverySuiteAndOffset(t *testing.T) {
	all := vectors(t)
	for _, suite := range CipherSuites {
		for _, offset := range []ConfidentialityOffset{IntegrityOnly, Offset0, Offset30, Offset50} {
			covered := slices.ContainsFunc(all, func(v vector) bool {
				return v.settings.CipherSuite == suite && v.settings.Offset == offset
			})
			if !covered && suite.Allows(offset) {
				t.Errorf("no vector has %s with %s", suite, offset)
			}
		}
	}
}

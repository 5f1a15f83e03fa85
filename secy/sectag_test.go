package secy

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// Clause: 802.1AE-2018 9.3 to 9.9
// Requirement: R106
func TestSecTAGIsReadAndWritten(t *testing.T) {
	tests := []struct {
		name string
		wire string
		want secTAG
	}{
		{"AN", "88e5030000000001", secTAG{tci: 3, pn: 1}},
		{"C", "88e5040000000001", secTAG{tci: tciC, pn: 1}},
		{"E", "88e5080000000001", secTAG{tci: tciE, pn: 1}},
		{"SCB", "88e5100000000001", secTAG{tci: tciSCB, pn: 1}},
		{"SC", "88e52000000000010102030405060708", secTAG{tci: tciSC, pn: 1, sci: 0x0102030405060708}},
		{"ES", "88e5400000000001", secTAG{tci: tciES, pn: 1}},
		{"ES and SCB", "88e5500000000001", secTAG{tci: tciES | tciSCB, pn: 1}},
		{"SL", "88e5002f00000001", secTAG{sl: 47, pn: 1}},
		{"PN", "88e50000fedcba98", secTAG{pn: 0xfedcba98}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wire, err := hex.DecodeString(tt.wire)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := parseSecTAG(wire); !ok || got != tt.want {
				t.Errorf("parsed %+v, %t, want %+v", got, ok, tt.want)
			}
			if got := tt.want.appendTo(nil); !bytes.Equal(got, wire) || len(got) != tt.want.len() {
				t.Errorf("appended %x of length %d, want %x", got, tt.want.len(), wire)
			}
		})
	}
}

// Clause: 802.1AE-2018 9.12
// Requirement: R106
func TestSecTAGThatIsNoneIsRefused(t *testing.T) {
	tests := []struct{ name, wire string }{
		{"V", "88e5800000000001"},
		{"SC and ES", "88e56000000000010102030405060708"},
		{"SC and SCB", "88e53000000000010102030405060708"},
		{"octet 4 bit 0x40", "88e5004000000001"},
		{"octet 4 bit 0x80", "88e5008000000001"},
		{"SL of 48", "88e5003000000001"},
		{"SL of 63", "88e5003f00000001"},
		{"short", "88e50000000000"},
		{"short with SC", "88e520000000000101020304050607"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wire, err := hex.DecodeString(tt.wire)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := parseSecTAG(wire); ok {
				t.Errorf("parsed %+v, want a refusal", got)
			}
		})
	}
}

// Clause: 802.1AE-2018 9.7
// Requirement: R106
func TestShortLengthIsSetBelow48Octets(t *testing.T) {
	for n, want := range map[int]uint8{2: 2, 47: 47, 48: 0, 49: 0, 1500: 0} {
		wire := protect(t, alice(t, strict(GCMAES128)), userFrame(n))
		if sl := wire[addressesLen+3]; sl != want {
			t.Errorf("SL for %d octets is %d, want %d", n, sl, want)
		}
	}
}

// Clause: 802.1AE-2018 9.12
// Requirement: R106
func TestLengthOfAFrameMustAgreeWithSL(t *testing.T) {
	tests := []struct {
		name     string
		tag      secTAG
		length   int
		want     int
		accepted bool
	}{
		{"short, exact", secTAG{sl: 10}, 46, 46, true},
		{"short, one octet missing", secTAG{sl: 10}, 45, 0, false},
		{"short, padded", secTAG{sl: 10}, 60, 46, true},
		{"short, padded beyond the minimum", secTAG{sl: 10}, 61, 0, false},
		{"short, as long as the minimum", secTAG{sl: 24}, 60, 60, true},
		{"short, longer than the minimum", secTAG{sl: 47}, 83, 83, true},
		{"short, one octet too long", secTAG{sl: 47}, 84, 0, false},
		{"short with SCI, padded", secTAG{tci: tciSC, sl: 2}, 60, 46, true},
		{"long", secTAG{}, 84, 84, true},
		{"long, one octet missing", secTAG{}, 83, 0, false},
		{"long with SCI", secTAG{tci: tciSC}, 92, 92, true},
		{"long with SCI, one octet missing", secTAG{tci: tciSC}, 91, 0, false},
		{"nothing", secTAG{}, 20, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := tt.tag.cutPadding(make([]byte, tt.length))
			if ok != tt.accepted || ok && len(got) != tt.want {
				t.Errorf("frame of %d octets: %d left, %t, want %d, %t", tt.length, len(got), ok, tt.want, tt.accepted)
			}
		})
	}
}

// FuzzSecTAG: whatever is read as a SecTAG is written as it was.
func FuzzSecTAG(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.protected[addressesLen:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		tag, ok := parseSecTAG(b)
		if !ok {
			return
		}
		want := append([]byte{EtherType >> 8, EtherType & 0xff}, b[2:tag.len()]...)
		if got := tag.appendTo(nil); !bytes.Equal(got, want) {
			t.Errorf("read %x, wrote %x", want, got)
		}
	})
}

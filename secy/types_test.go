package secy

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

func TestOrdersAndReportsPrintNoKey(t *testing.T) {
	sak := sakOf(t, keyA, GCMAES256)
	for kind := OpKind(0); int(kind) <= len(opNames); kind++ {
		op := Op{Kind: kind, Key: keyA, SAK: sak, Settings: strict(GCMAES256)}
		for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%x"} {
			text := strings.ToLower(fmt.Sprintf(verb, op))
			if strings.Contains(text, hex.EncodeToString(sak.Octets()[:4])) || strings.Contains(text, string(sak.Octets()[:4])) {
				t.Errorf("%s with %s prints the key: %s", kind, verb, text)
			}
		}
	}
}

// Clause: 802.1AE-2018 7.1.2
func TestSCIIsAnAddressAndAPort(t *testing.T) {
	sci := NewSCI([6]byte{2, 0, 0, 0, 0, 10}, 0x1234)
	if sci != 0x02000000000a1234 || sci.MAC() != [6]byte{2, 0, 0, 0, 0, 10} || sci.Port() != 0x1234 {
		t.Errorf("SCI is %s of %x and %x", sci, sci.MAC(), sci.Port())
	}
}

// Clause: 802.1AE-2018 Table 14-1
func TestSuitesAreFoundByTheirNames(t *testing.T) {
	for _, suite := range CipherSuites {
		if got, ok := ParseCipherSuite(suite.String()); !ok || got != suite {
			t.Errorf("%s is found as %s, %t", suite, got, ok)
		}
	}
	if got, ok := ParseCipherSuite("GCM-AES-512"); ok {
		t.Errorf("GCM-AES-512 is found as %s", got)
	}
}

func TestOffsetsAreFoundByTheirNames(t *testing.T) {
	for offset := IntegrityOnly; offset <= Offset50; offset++ {
		if got, ok := ParseConfidentialityOffset(offset.String()); !ok || got != offset {
			t.Errorf("%s is found as %s, %t", offset, got, ok)
		}
	}
	if got, ok := ParseConfidentialityOffset("offset-40"); ok {
		t.Errorf("offset-40 is found as %s", got)
	}
}

// Clause: 802.1X-2020 Table 11-6
func TestCapabilityLimitsTheOffset(t *testing.T) {
	tests := []struct {
		capability Capability
		want       [4]ConfidentialityOffset // for the four offsets, in the order of their codes
	}{
		{CapabilityNone, [4]ConfidentialityOffset{}},
		{CapabilityIntegrity, [4]ConfidentialityOffset{}},
		{CapabilityConfidentiality, [4]ConfidentialityOffset{IntegrityOnly, Offset0, Offset0, Offset0}},
		{CapabilityOffsets, [4]ConfidentialityOffset{IntegrityOnly, Offset0, Offset30, Offset50}},
	}
	for _, tt := range tests {
		for wanted, want := range tt.want {
			if got := tt.capability.Limit(ConfidentialityOffset(wanted)); got != want {
				t.Errorf("capability %d gives %s for %s, want %s", tt.capability, got, ConfidentialityOffset(wanted), want)
			}
		}
	}
}

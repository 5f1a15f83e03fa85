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
func TestLastPacketNumberIsTheGreatestOfItsWidth(t *testing.T) {
	for suite, want := range map[CipherSuite]PN{GCMAES128: 0xffffffff, GCMAES256: 0xffffffff, GCMAESXPN128: 0xffffffffffffffff,
		GCMAESXPN256: 0xffffffffffffffff} {
		if got := suite.MaxPN(); got != want {
			t.Errorf("%s: %#x, want %#x", suite, got, want)
		}
	}
}

func TestSuitesAreFoundByTheirNames(t *testing.T) {
	for _, suite := range CipherSuites {
		if got, ok := ParseCipherSuite(suite.String()); !ok || got != suite {
			t.Errorf("%s is found as %s, %t", suite, got, ok)
		}
	}
	if got, ok := ParseCipherSuite("GCM-AES-512"); ok || got != 0 {
		t.Errorf("GCM-AES-512 is found as %s", got)
	}
}

func TestOffsetsAreFoundByTheirNames(t *testing.T) {
	for offset := IntegrityOnly; offset <= Offset50; offset++ {
		if got, ok := ParseConfidentialityOffset(offset.String()); !ok || got != offset {
			t.Errorf("%s is found as %s, %t", offset, got, ok)
		}
	}
	if got, ok := ParseConfidentialityOffset("offset-40"); ok || got != 0 {
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

// A value that is none prints its number, never another's name, and never panics: it may come from a program's fault.
func TestValuesWithoutANamePrintTheirNumber(t *testing.T) {
	for want, value := range map[string]fmt.Stringer{
		"OpKind(0)": OpKind(0), "OpKind(11)": OpRaiseLowestPN + 1, "RaiseLowestPN": OpRaiseLowestPN, "Configure": OpConfigure,
		"ReportKind(0)": ReportKind(0), "ReportKind(6)": ReportExhausted + 1, "Exhausted": ReportExhausted,
		"Receiving": ReportReceiving, "ConfidentialityOffset(4)": Offset50 + 1, "ValidateFrames(0)": ValidateFrames(0),
		"disabled": ValidateDisabled, "check": ValidateCheck, "strict": ValidateStrict, "": CipherSuite(0),
		"0000000000000001": CipherSuite(1),
	} {
		if got := value.String(); got != want {
			t.Errorf("%T is %q, want %q", value, got, want)
		}
	}
}

// The interaction scripts and the logs show orders and reports by these texts.
func TestOrdersAndReportsPrintTheFieldsThatCount(t *testing.T) {
	op := Op{Key: keyA, AN: 2, SCI: aliceSCI, SSCI: 3, PN: 4, Enabled: true}
	key, sci := keyA.String(), aliceSCI.String()
	for kind, want := range map[OpKind]string{
		OpControlledPort:   "ControlledPort enabled=true",
		OpCreateReceiveSC:  "CreateReceiveSC sci=" + sci,
		OpDeleteReceiveSC:  "DeleteReceiveSC sci=" + sci,
		OpCreateReceiveSA:  "CreateReceiveSA sci=" + sci + " an=2 key=" + key + " ssci=3 pn=4",
		OpCreateTransmitSA: "CreateTransmitSA an=2 key=" + key + " ssci=3 pn=4",
		OpRaiseLowestPN:    "RaiseLowestPN sci=" + sci + " key=" + key + " pn=4",
		OpDeleteSAs:        "DeleteSAs key=" + key,
		OpConfigure:        "Configure protect=false validate=ValidateFrames(0) replay=false/0 suite= offset=integrity-only sci=false",
	} {
		op.Kind = kind
		if got := op.String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	report := Report{Key: keyA, PN: 4, Op: OpDeleteSAs, Err: "no"}
	for kind, want := range map[ReportKind]string{
		ReportPN:        "PN key=" + key + " pn=4",
		ReportFailed:    "Failed op=DeleteSAs key=" + key + ` err="no"`,
		ReportExhausted: "Exhausted key=" + key,
	} {
		report.Kind = kind
		if got := report.String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

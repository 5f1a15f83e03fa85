package eapol_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mkad/eapol"
	"mkad/secy"
)

// Entries of the MACsec Cipher Suites TLV.
const (
	gcm128   = "0002 0080c20001000001"
	alias128 = "0002 0080020001000001"
	gcm256   = "0003 0080c20001000002"
	xpn256   = "0001 0080c20001000004"
	foreign  = "0003 00112233445566ff"
)

// tlv is one of the type, whose value is given in hexadecimal.
func tlv(kind int, value string) string {
	value = strings.ReplaceAll(value, " ", "")
	return fmt.Sprintf("%04x%s", kind<<9|len(value)/2, value)
}

// announcement is the set with these TLVs.
func announcement(tlvs ...string) string {
	body := strings.ReplaceAll(strings.Join(tlvs, ""), " ", "")
	return fmt.Sprintf("0700%04x%s%s", len(body)/2, body, strings.Repeat("0", -len(body)&7))
}

// Clause: 802.1X-2020 11.12, Figure 11-22
// Requirement: R34
func TestAnnouncedSuitesAreThoseOfTheFirstReadableTLV(t *testing.T) {
	var (
		one = eapol.AnnouncedSuite{Capability: secy.CapabilityConfidentiality, Suite: secy.GCMAES128}
		two = eapol.AnnouncedSuite{Capability: secy.CapabilityOffsets, Suite: secy.GCMAES256}
		xpn = eapol.AnnouncedSuite{Capability: secy.CapabilityIntegrity, Suite: secy.GCMAESXPN256}
	)
	for _, tt := range []struct {
		name string
		set  string
		want []eapol.AnnouncedSuite
	}{
		{"in the order of preference", announcement(tlv(112, xpn256+gcm256+gcm128)), []eapol.AnnouncedSuite{xpn, two, one}},
		{"nothing at all", announcement(), nil},
		{"no suite", announcement(tlv(112, "")), nil},
		{"unknown TLVs around", announcement(tlv(1, "0102"), tlv(127, ""), tlv(112, gcm128), tlv(126, "03")),
			[]eapol.AnnouncedSuite{one}},
		{"of two TLVs the first", announcement(tlv(112, gcm128), tlv(112, gcm256)), []eapol.AnnouncedSuite{one}},
		{"unknown suites between", announcement(tlv(112, foreign+gcm128+foreign+gcm256)), []eapol.AnnouncedSuite{one, two}},
		{"the misprint of GCM-AES-128", announcement(tlv(112, alias128)), []eapol.AnnouncedSuite{one}},
		{"part of an entry at the end", announcement(tlv(112, gcm128+"0003 0080c2")), []eapol.AnnouncedSuite{one}},
		{"a TLV past the end before", announcement("0214 00", tlv(112, gcm128)), nil},
		{"a TLV past the end after", announcement(tlv(112, gcm128), "e014", gcm256), []eapol.AnnouncedSuite{one}},
		{"a suites TLV past the end", announcement("e014", gcm128), nil},
		{"half a TLV header", announcement(tlv(112, gcm128), "e0"), []eapol.AnnouncedSuite{one}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := parsed(t, frameOf(t, tt.set, live))
			if diff := cmp.Diff(tt.want, m.Announcement.Suites, same); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if !m.Announcement.Present || !m.Live.Present {
				t.Errorf("announcement %t, live list %t", m.Announcement.Present, m.Live.Present)
			}
		})
	}
}

// Only the last two bits of the capability are one.
// Clause: 802.1X-2020 Figure 11-22
// Requirement: R34
func TestReservedBitsOfAnnouncedCapabilityAreIgnored(t *testing.T) {
	m := parsed(t, frameOf(t, announcement(tlv(112, "fffe 0080c20001000001"))))
	if got := m.Announcement.Suites[0].Capability; got != secy.CapabilityConfidentiality {
		t.Errorf("got %d", got)
	}
}

// The list is bounded, whatever the TLV holds.
// Clause: 802.1X-2020 Figure 11-22
// Requirement: R36
func TestSuitesBeyondTheBoundAreIgnored(t *testing.T) {
	m := parsed(t, frameOf(t, announcement(tlv(112, strings.Repeat(gcm128, 51)))))
	if got := len(m.Announcement.Suites); got != eapol.MaxAnnouncedSuites {
		t.Errorf("got %d suites, want %d", got, eapol.MaxAnnouncedSuites)
	}
}

// The one TLV that is built here.
// Clause: 802.1X-2020 Figure 11-22
func TestSuitesAreSentInTheirOrder(t *testing.T) {
	m := eapol.MKPDU{Announcement: eapol.Announcement{Present: true, Suites: []eapol.AnnouncedSuite{
		{Capability: secy.CapabilityIntegrity, Suite: secy.GCMAESXPN256},
		{Capability: secy.CapabilityConfidentiality, Suite: secy.GCMAES128},
	}}}
	if got, want := m.AppendTo(nil), octets(t, announcement(tlv(112, xpn256+gcm128))); !bytes.HasSuffix(got, want) {
		t.Errorf("got %x, want %x at the end", got, want)
	}
}

// The bound holds for what is sent, so that the TLV's length field cannot overflow.
// Clause: 802.1X-2020 Figure 11-22
func TestSuitesBeyondTheBoundAreNotSent(t *testing.T) {
	m := eapol.MKPDU{Announcement: eapol.Announcement{Present: true, Suites: make([]eapol.AnnouncedSuite, 60)}}
	without := (&eapol.MKPDU{}).Len()
	if got, want := m.Len()-without, 4+2+10*eapol.MaxAnnouncedSuites+2; got != want {
		t.Errorf("the set takes %d octets, want %d", got, want)
	}
	if got, want := len(m.AppendTo(nil)), m.Len()-eapol.ICVLen; got != want {
		t.Errorf("%d octets are sent, Len says %d", got, want)
	}
}

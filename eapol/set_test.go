package eapol_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mkad/eapol"
	"mkad/secy"
)

// basic is a Basic Parameter Set of MKA version 1 with a CKN of 4 octets.
const basic = "0110e020 0200000000010001 a1a2a3a4a5a6a7a8a9aaabac 00000001 0080c201 61626364"

// One set of each type, well formed. The SAKs are not keys of anything.
const (
	live      = "01000010 b1b2b3b4b5b6b7b8b9babbbc 00000004"
	potential = "02000020 c1c2c3c4c5c6c7c8c9cacbcc 00000009 d1d2d3d4d5d6d7d8d9dadbdc 0000000a"
	sakUse    = "03c3d028 a1a2a3a4a5a6a7a8a9aaabac 00000002 00000007 b1b2b3b4b5b6b7b8b9babbbc 00000001 00000008"
	distSAK   = "0470001c 00000002 000000000000000000000000000000000000000000000000"
	distCAK   = "0500001a 000000000000000000000000000000000000000000000000 0102 0000"
	kmd       = "06000005 6c6f63616c 000000"
	announced = "07000016 e014 0003 0080c20001000004 0002 0080c20001000001 0000"
	xpn       = "08050008 00000001 00000002"
	indicator = "ff000010"
)

// ascending is all of them, in the order in which they are sent.
var ascending = []string{live, potential, sakUse, distSAK, distCAK, kmd, announced, xpn}

// frameOf is a frame with these sets, in hexadecimal, and an ICV of zeros.
func frameOf(t testing.TB, sets ...string) []byte {
	t.Helper()
	body := octets(t, basic+strings.Join(sets, ""))
	return withBody(t, append(body, make([]byte, eapol.ICVLen)...))
}

// set is one of the type and length with a body of zeros, padding included.
func set(kind byte, length int) string {
	header := []byte{kind, 0, 0, 0}
	binary.BigEndian.PutUint16(header[2:], uint16(length))
	return fmt.Sprintf("%x%s", header, strings.Repeat("00", (length+3)/4*4))
}

// discard is what ParseMKPDU has to say.
func discard(frame []byte) eapol.Discard {
	return eapol.ParseMKPDU(frame, eapol.Acceptance{}, new(eapol.MKPDU))
}

// Each field comes from its own octets and bits.
// Clause: 802.1X-2020 11.11.1
func TestEverySetIsParsed(t *testing.T) {
	m := parsed(t, frameOf(t, strings.Join(ascending, ""), indicator))
	mi4 := eapol.MI{0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xdb, 0xdc}
	want := &eapol.MKPDU{
		DA: m.DA, SA: m.SA, EtherType: m.EtherType, EAPOLVersion: m.EAPOLVersion, Basic: m.Basic,
		Live:      eapol.PeerList{Present: true, Peers: []eapol.ListedPeer{{MI: mi2, MN: 4}}},
		Potential: eapol.PeerList{Present: true, Peers: []eapol.ListedPeer{{MI: mi3, MN: 9}, {MI: mi4, MN: 10}}},
		SAKUse: eapol.SAKUse{
			Present: true, PlainTx: true, PlainRx: true, DelayProtect: true,
			Latest: eapol.KeyUse{KI: eapol.KI{MI: mi1, KN: 2}, AN: 3, LPN: 7},
			Old:    eapol.KeyUse{KI: eapol.KI{MI: mi2, KN: 1}, Tx: true, Rx: true, LPN: 8},
		},
		DistributedSAK: eapol.DistributedSAK{Present: true, AN: 1, Offset: secy.Offset50, KN: 2, Suite: secy.GCMAES128,
			Wrapped: make([]byte, 24)},
		DistributedCAK: eapol.DistributedCAK{Present: true, Body: append(make([]byte, 24), 1, 2)},
		KMD:            eapol.KMD{Present: true, Domain: []byte("local")},
		Announcement: eapol.Announcement{
			Present: true, Body: octets(t, announced)[4 : 4+22],
			Suites: []eapol.AnnouncedSuite{
				{Capability: secy.CapabilityOffsets, Suite: secy.GCMAESXPN256},
				{Capability: secy.CapabilityConfidentiality, Suite: secy.GCMAES128},
			},
		},
		XPN:          eapol.XPN{Present: true, SuspensionTime: 5, LatestHigh: 1, OldHigh: 2},
		ICVIndicator: true,
	}
	if diff := cmp.Diff(want, m, same); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Clause: 802.1X-2020 11.11.3
// Requirement: R24
func TestUnknownSetIsSkipped(t *testing.T) {
	want := parsed(t, frameOf(t, live, sakUse))
	for _, kind := range []byte{0, 9, 100, 254} {
		for _, length := range []int{0, 1, 3, 4, 40, 4095} {
			got := parsed(t, frameOf(t, set(kind, length), live, set(kind, length), sakUse, set(kind, length)))
			if diff := cmp.Diff(want, got, same); diff != "" {
				t.Errorf("type %d, length %d (-without +with)\n%s", kind, length, diff)
			}
		}
	}
}

// Nothing is left of the sets before.
// Clause: 802.1X-2020 11.11.3
// Requirement: R25
func TestFrameWithASetBeyondTheICVLeavesNoSet(t *testing.T) {
	for _, beyond := range []string{
		"01000004",          // into the ICV
		"fe000010",          // its end is that of the ICV, but only an ICV Indicator may do that
		"fe000020",          // beyond the frame
		"fe000001",          // only its padding
		"fe000005 00000000", // only its last octet
		"ff00000f", "ff000011", "ff000020",
	} {
		frame := frameOf(t, strings.Join(ascending, ""), beyond)
		m := new(eapol.MKPDU)
		if d := eapol.ParseEnvelope(frame, eapol.Acceptance{}, m); d != eapol.Accepted {
			t.Fatalf("%s: discarded for %s", beyond, d)
		}
		want := &eapol.MKPDU{DA: m.DA, SA: m.SA, EtherType: m.EtherType, EAPOLVersion: m.EAPOLVersion, Basic: m.Basic}
		if d := m.ParseSets(); d != eapol.DiscardSetLength {
			t.Errorf("%s: %s", beyond, d)
		}
		if diff := cmp.Diff(want, m, same); diff != "" {
			t.Errorf("%s (-want +got)\n%s", beyond, diff)
		}
	}
}

// The same holds for a set that is at fault itself.
// Clause: 802.1X-2020 11.11.3
// Requirement: R25
func TestFrameWithABadSetLeavesNoSet(t *testing.T) {
	for bad, want := range map[string]eapol.Discard{
		set(1, 12): eapol.DiscardPeerListLength,
		set(2, 17): eapol.DiscardPeerListLength,
		set(4, 27): eapol.DiscardDistributedSAKLength,
		set(4, 36): eapol.DiscardDistributedSAKSuite,
	} {
		m := new(eapol.MKPDU)
		if d := eapol.ParseMKPDU(frameOf(t, sakUse, xpn, announced, bad), eapol.Acceptance{}, m); d != want {
			t.Errorf("got %s, want %s", d, want)
		}
		if m.SAKUse.Present || m.XPN.Present || m.Announcement.Present || len(m.Announcement.Suites) != 0 {
			t.Errorf("%s leaves %+v", want, m)
		}
	}
}

// Clause: 802.1X-2020 11.11.3
// Requirement: R26
func TestOfTwoSetsOfOneTypeTheFirstCounts(t *testing.T) {
	second := []string{
		set(1, 32), set(2, 0), set(3, 40), set(4, 0), set(5, 30), set(6, 8), set(7, 0), set(8, 8),
		set(1, 3), set(2, 5), set(4, 9), // of lengths that would be faults
	}
	want := parsed(t, frameOf(t, ascending...))
	got := parsed(t, frameOf(t, strings.Join(ascending, "")+strings.Join(second, "")))
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Errorf("(-without +with)\n%s", diff)
	}
}

// Ascending, descending, and with the lists last as the standard has it.
// Clause: 802.1X-2020 11.11.3
// Requirement: R27
func TestOrderOfSetsDoesNotMatter(t *testing.T) {
	want := parsed(t, frameOf(t, strings.Join(ascending, ""), indicator))
	descending := slices.Clone(ascending)
	slices.Reverse(descending)
	listsLast := slices.Concat(ascending[2:], ascending[:2])
	for name, sets := range map[string][]string{"descending": descending, "lists last": listsLast} {
		got := parsed(t, frameOf(t, strings.Join(sets, ""), indicator))
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Errorf("%s (-ascending +%s)\n%s", name, name, diff)
		}
	}
}

// Clause: 802.1X-2020 11.11.1
// Requirement: R27
func TestSetsAreSentInAscendingOrderAndTheIndicatorLast(t *testing.T) {
	sets := strings.Join(ascending, "") + indicator
	m := parsed(t, frameOf(t, xpn, distCAK, sakUse, live, announced, kmd, distSAK, potential, indicator))
	if got, want := m.AppendTo(nil)[atBody:], octets(t, basic+sets); !bytes.Equal(got, want) {
		t.Errorf("got\n%x\nwant\n%x", got, want)
	}
}

// Clause: 802.1X-2020 11.11.3
// Requirement: R28
func TestICVIndicatorMayBeThereOrNot(t *testing.T) {
	for _, there := range []bool{false, true} {
		sets := live
		if there {
			sets += indicator
		}
		if got := parsed(t, frameOf(t, sets)).ICVIndicator; got != there {
			t.Errorf("got %t, want %t", got, there)
		}
	}
}

// Only the last set can indicate the ICV; elsewhere, or with another length that fits, the type is one to skip.
// Clause: 802.1X-2020 11.11.3
// Requirement: R28
func TestICVIndicatorElsewhereIndicatesNothing(t *testing.T) {
	for name, sets := range map[string]string{
		"before another set": set(255, 16) + live,
		"of length 0":        live + set(255, 0),
		"with a body":        live + set(255, 16),
	} {
		m := parsed(t, frameOf(t, sets))
		if m.ICVIndicator || !m.Live.Present {
			t.Errorf("%s: indicator %t, live list %t", name, m.ICVIndicator, m.Live.Present)
		}
	}
}

// dirty are the sets of ascending and an ICV Indicator, with every bit set that means nothing.
var dirty = []string{
	"01fff010" + live[8:],
	"02fff020" + potential[8:],
	"03c3f028" + sakUse[8:],
	"047ff01c" + distSAK[8:],
	"05fff01a" + strings.TrimSuffix(distCAK[8:], "0000") + "ffff",
	"06fff005" + strings.TrimSuffix(kmd[8:], "000000") + "ffffff",
	"07fff016 e014 ffff 0080c20001000004 fffe 0080c20001000001 ffff",
	"0805f008" + xpn[8:],
	"fffff010",
}

// Clause: 802.1X-2020 11.11.1
// Requirement: R30
func TestReservedBitsAndPaddingAreIgnored(t *testing.T) {
	want, got := parsed(t, frameOf(t, strings.Join(ascending, ""), indicator)), parsed(t, frameOf(t, dirty...))
	want.Announcement.Body = got.Announcement.Body // kept as it came
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Errorf("(-clean +dirty)\n%s", diff)
	}
}

// Clause: 802.1X-2020 11.11.1
// Requirement: R30
func TestReservedBitsAndPaddingAreSentZero(t *testing.T) {
	m := parsed(t, frameOf(t, dirty...))
	m.Announcement.Body = nil // to be encoded, not repeated
	clean := frameOf(t, strings.Join(ascending, ""), indicator)
	if got, want := m.AppendTo(nil), clean[:len(clean)-eapol.ICVLen]; !bytes.Equal(got, want) {
		t.Errorf("got\n%x\nwant\n%x", got, want)
	}
}

// The padding of a CKN is none of its octets.
// Clause: 802.1X-2020 11.11.1
// Requirement: R30
func TestPaddingOfTheCKNIsIgnored(t *testing.T) {
	frame := bytes.Clone(goldenNamed(t, "f4-").frame)
	copy(frame[atBody+4+28+1:], "\xff\xff\xff")
	if got := parsed(t, frame).Basic.CKN; got != ckn(t, "01") {
		t.Errorf("got %s", got)
	}
}

// Clause: 802.1X-2020 11.11.1
// Requirement: R35
func TestKMDAndDistributedCAKAreToleratedAtAnyLength(t *testing.T) {
	for _, length := range []int{0, 1, 4, 25, 56, 73, 253, 4095} {
		m := parsed(t, frameOf(t, set(5, length), set(6, length), live))
		if len(m.DistributedCAK.Body) != length || len(m.KMD.Domain) != length || !m.Live.Present {
			t.Errorf("length %d: CAK %d, KMD %d", length, len(m.DistributedCAK.Body), len(m.KMD.Domain))
		}
	}
}

// The bound is that of the format; whoever builds a longer set has a bug that must not reach the wire.
// Clause: 802.1X-2020 11.11.1
func TestSetTooLongToBeSentPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("sent")
		}
	}()
	m := eapol.MKPDU{Live: eapol.PeerList{Present: true, Peers: make([]eapol.ListedPeer, eapol.MaxListedPeers+1)}}
	m.AppendTo(nil)
}

// The caller that keeps within an MTU relies on it.
// Clause: 802.1X-2020 11.11.1
func TestLenIsThatOfTheFrame(t *testing.T) {
	for n := range ascending {
		m := parsed(t, frameOf(t, ascending[n], indicator))
		if got, want := m.Len(), len(m.AppendTo(nil))+eapol.ICVLen; got != want {
			t.Errorf("%s: got %d, want %d", ascending[n], got, want)
		}
	}
}

package eapol_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mkad/eapol"
	"mkad/keyderive"
)

// f1 is a copy of the frame that most tests change one thing of.
func f1(t testing.TB) []byte { return bytes.Clone(goldenNamed(t, "f1-").frame) }

// Places in a frame.
const (
	atVersion = 14
	atPacket  = 15
	atLength  = 16
	atBody    = 18
)

// withBody puts the header of F1, with the right length, before a packet body.
func withBody(t testing.TB, body []byte) []byte {
	frame := octets(t, "0180c2000003 020000000001 888e 03 05")
	frame = binary.BigEndian.AppendUint16(frame, uint16(len(body)))
	return append(frame, body...)
}

// envelope is what ParseEnvelope has to say.
func envelope(frame []byte, a eapol.Acceptance) eapol.Discard {
	return eapol.ParseEnvelope(frame, a, new(eapol.MKPDU))
}

// Clause: 802.1X-2020 11.3.2
func TestPacketTypesAreThoseOfTheStandard(t *testing.T) {
	types := [...]uint8{eapol.PacketEAP, eapol.PacketStart, eapol.PacketLogoff, eapol.PacketKey, eapol.PacketASFAlert,
		eapol.PacketMKA, eapol.PacketAnnouncementGeneric, eapol.PacketAnnouncementSpecific, eapol.PacketAnnouncementReq}
	for want, got := range types {
		if int(got) != want {
			t.Errorf("packet type %d is %d", want, got)
		}
	}
}

// Clause: 802.1X-2020 11.3
// Requirement: R1
func TestSentFrameHasTheHeaderOfAnMKPDU(t *testing.T) {
	m := eapol.MKPDU{DA: eapol.NearestBridge, SA: eapol.MAC{2, 0, 0, 0, 0, 9}}
	want := octets(t, "0180c200000e 020000000009 888e 03 05")
	if got := m.AppendTo(nil)[:atLength]; !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

// An EtherType that is configured is the one sent.
// Clause: 802.1X-2020 11.1
// Requirement: R1
func TestConfiguredEtherTypeIsSent(t *testing.T) {
	m := eapol.MKPDU{EtherType: 0x876F}
	if got := binary.BigEndian.Uint16(m.AppendTo(nil)[12:]); got != 0x876F {
		t.Errorf("got %04x", got)
	}
}

// Clause: 802.1X-2020 11.4
// Requirement: R2
func TestSentBodyLengthCountsTheICV(t *testing.T) {
	for n := 1; n <= 32; n++ {
		name, err := keyderive.NewCKN(bytes.Repeat([]byte{7}, n))
		if err != nil {
			t.Fatal(err)
		}
		frame := (&eapol.MKPDU{Basic: eapol.Basic{CKN: name}}).AppendTo(nil)
		length := int(binary.BigEndian.Uint16(frame[atLength:]))
		if length != len(frame)-atBody+eapol.ICVLen || length%4 != 0 || length < 52 {
			t.Errorf("CKN of %d octets: body length %d in a frame of %d before the ICV", n, length, len(frame))
		}
	}
}

// Clause: 802.1X-2020 11.4
// Requirement: R3
func TestFrameShorterThanItsHeaderIsDiscarded(t *testing.T) {
	for n := range atBody {
		if d := envelope(f1(t)[:n], eapol.Acceptance{}); d != eapol.DiscardShortFrame {
			t.Errorf("%d octets: %s", n, d)
		}
	}
}

// Clause: 802.1X-2020 11.4
// Requirement: R3
func TestBodyLengthBeyondTheFrameIsDiscarded(t *testing.T) {
	frame := f1(t)
	for n := atBody; n < len(frame); n++ {
		if d := envelope(frame[:n], eapol.Acceptance{}); d != eapol.DiscardLength {
			t.Errorf("cut to %d octets: %s", n, d)
		}
	}
}

// Clause: 802.1X-2020 11.4
// Requirement: R4
func TestOctetsAfterTheBodyAreIgnored(t *testing.T) {
	want := parsed(t, f1(t))
	for _, n := range []int{1, 4, 46, 1000} {
		got := parsed(t, append(f1(t), bytes.Repeat([]byte{0xff}, n)...))
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Errorf("%d octets (-without +with)\n%s", n, diff)
		}
		if !bytes.Equal(got.Authenticated(), want.Authenticated()) {
			t.Errorf("%d octets change what the ICV covers", n)
		}
	}
}

// Clause: 802.1X-2020 11.11.2 a
// Requirement: R5
func TestOnlyConfiguredGroupAddressesAreHeard(t *testing.T) {
	broadcast := eapol.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	station := eapol.MAC{2, 0, 0, 0, 0, 2}
	three := []eapol.MAC{eapol.PAEGroup, eapol.NearestBridge, eapol.NearestCustomerBridge}
	tests := []struct {
		name string
		a    eapol.Acceptance
		da   eapol.MAC
		want eapol.Discard
	}{
		{"default to PAE group", eapol.Acceptance{}, eapol.PAEGroup, eapol.Accepted},
		{"default to nearest bridge", eapol.Acceptance{}, eapol.NearestBridge, eapol.DiscardDestination},
		{"default to customer bridge", eapol.Acceptance{}, eapol.NearestCustomerBridge, eapol.DiscardDestination},
		{"three to PAE group", eapol.Acceptance{Destinations: three}, eapol.PAEGroup, eapol.Accepted},
		{"three to nearest bridge", eapol.Acceptance{Destinations: three}, eapol.NearestBridge, eapol.Accepted},
		{"three to customer bridge", eapol.Acceptance{Destinations: three}, eapol.NearestCustomerBridge, eapol.Accepted},
		{"three to broadcast", eapol.Acceptance{Destinations: three}, broadcast, eapol.DiscardDestination},
		{"one to PAE group", eapol.Acceptance{Destinations: three[1:2]}, eapol.PAEGroup, eapol.DiscardDestination},
		{"any to broadcast", eapol.Acceptance{AnyGroup: true}, broadcast, eapol.Accepted},
		{"any to a station", eapol.Acceptance{AnyGroup: true}, station, eapol.DiscardDestination},
		{"a configured station", eapol.Acceptance{Destinations: []eapol.MAC{station}}, station, eapol.DiscardDestination},
		{"our own address to us", eapol.Acceptance{Station: station}, station, eapol.Accepted},
		{"our own address to another", eapol.Acceptance{Station: eapol.MAC{0x02, 9}}, station, eapol.DiscardDestination},
		{"our own address, and PAE group", eapol.Acceptance{Station: station}, eapol.PAEGroup, eapol.DiscardDestination},
		{"our own address and a group", eapol.Acceptance{Station: station, Destinations: three}, eapol.PAEGroup, eapol.Accepted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			frame := f1(t)
			copy(frame, tt.da[:])
			if d := envelope(frame, tt.a); d != tt.want {
				t.Errorf("got %s, want %s", d, tt.want)
			}
		})
	}
}

// Clause: 802.1X-2020 11.1
// Requirement: R1, R5
func TestConfiguredEtherTypeTakesThePlaceOfEAPOLs(t *testing.T) {
	other := f1(t)
	binary.BigEndian.PutUint16(other[12:], 0x876F)
	configured := eapol.Acceptance{EtherType: 0x876F}
	if d := envelope(other, configured); d != eapol.Accepted {
		t.Errorf("the configured one: %s", d)
	}
	if d := envelope(f1(t), configured); d != eapol.DiscardEtherType {
		t.Errorf("EAPOL's own: %s", d)
	}
}

// Clause: 802.1X-2020 11.4
// Requirement: R6
func TestEAPOLVersionIsThreeOrLater(t *testing.T) {
	for version, want := range map[byte]eapol.Discard{
		0: eapol.DiscardEAPOLVersion, 1: eapol.DiscardEAPOLVersion, 2: eapol.DiscardEAPOLVersion,
		3: eapol.Accepted, 4: eapol.Accepted, 255: eapol.Accepted,
	} {
		frame := f1(t)
		frame[atVersion] = version
		if d := envelope(frame, eapol.Acceptance{}); d != want {
			t.Errorf("version %d: got %s, want %s", version, d, want)
		}
	}
}

// Whatever the version of the others, they are no error.
// Clause: 802.1X-2020 11.4
// Requirement: R7
func TestOtherPacketTypesAreNotForMKA(t *testing.T) {
	for packet := range 256 {
		for version := range byte(4) {
			frame := f1(t)
			frame[atVersion], frame[atPacket] = version, byte(packet)
			if d := envelope(frame, eapol.Acceptance{}); (d == eapol.DiscardNotMKA) == (packet == int(eapol.PacketMKA)) {
				t.Errorf("type %d, version %d: %s", packet, version, d)
			}
		}
	}
}

// Clause: 802.1X-2020 11.11.2 b, c
// Requirement: R8
func TestBodyOfAnOddLengthIsDiscarded(t *testing.T) {
	for n, want := range map[int]eapol.Discard{
		0: eapol.DiscardBodyTooShort, 28: eapol.DiscardBodyTooShort, 31: eapol.DiscardBodyTooShort,
		33: eapol.DiscardBodyNotMultipleOf4, 34: eapol.DiscardBodyNotMultipleOf4, 35: eapol.DiscardBodyNotMultipleOf4,
	} {
		if d := envelope(withBody(t, f1(t)[atBody:][:n]), eapol.Acceptance{}); d != want {
			t.Errorf("%d octets: got %s, want %s", n, d, want)
		}
	}
	if d := envelope(withBody(t, f1(t)[atBody:][:32]), eapol.Acceptance{}); d == eapol.DiscardBodyTooShort || d == eapol.Accepted {
		t.Errorf("32 octets, which are enough as such, and too few for a Basic Parameter Set: got %s", d)
	}
}

// The checks come in the standard's order: of two faults the earlier is the reason.
// Clause: 802.1X-2020 11.4, 11.11.2
func TestTheFirstFaultIsTheReason(t *testing.T) {
	frame := f1(t)
	frame[atBody+2], frame[atBody+3] = 0xE0, 28 // no CKN
	faults := []struct {
		want  eapol.Discard
		spoil func()
	}{
		{eapol.DiscardCKNLength, func() {}},
		{eapol.DiscardBasicLength, func() { frame[atBody+3] = 64 }},
		{eapol.DiscardBodyNotMultipleOf4, func() { frame[atLength+1] = 81; frame = append(frame, 0) }},
		{eapol.DiscardBodyTooShort, func() { frame[atLength+1] = 31 }},
		{eapol.DiscardEAPOLVersion, func() { frame[atVersion] = 2 }},
		{eapol.DiscardNotMKA, func() { frame[atPacket] = 0 }},
		{eapol.DiscardLength, func() { frame[atLength] = 1 }},
		{eapol.DiscardDestination, func() { frame[0] = 0 }},
		{eapol.DiscardEtherType, func() { frame[12] = 0 }},
		{eapol.DiscardShortFrame, func() { frame = frame[:17] }},
	}
	for _, fault := range faults {
		fault.spoil()
		if d := envelope(frame, eapol.Acceptance{}); d != fault.want {
			t.Errorf("got %s, want %s", d, fault.want)
		}
	}
}

// Whoever logs a discarded frame wants to know whose it was, but must not be shown what the last frame said.
// Clause: 802.1X-2020 11.4
func TestDiscardedFrameLeavesNothingOfTheOneBefore(t *testing.T) {
	m := parsed(t, goldenNamed(t, "f4-").frame)
	frame := f1(t)
	frame[atPacket] = eapol.PacketStart
	eapol.ParseEnvelope(frame, eapol.Acceptance{}, m)
	want := &eapol.MKPDU{DA: eapol.PAEGroup, SA: eapol.MAC{2, 0, 0, 0, 0, 1}, EtherType: eapol.EtherType}
	if diff := cmp.Diff(want, m, same); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if m.Authenticated() != nil {
		t.Error("still lends octets to be authenticated")
	}
}

// Clause: 802.1X-2020 11.11.2 d, e
// Requirement: R19, R20
func TestBasicParameterSetOfAnImpossibleLengthIsDiscarded(t *testing.T) {
	for _, tt := range []struct {
		length, room int // octets: what the set says, and what there is between its header and the ICV
		want         eapol.Discard
	}{
		{0, 60, eapol.DiscardCKNLength},
		{27, 28, eapol.DiscardCKNLength},
		{28, 28, eapol.DiscardCKNLength},
		{29, 32, eapol.Accepted},
		{60, 60, eapol.Accepted},
		{61, 64, eapol.DiscardCKNLength},
		{4095, 4096, eapol.DiscardCKNLength},
		{29, 28, eapol.DiscardBasicLength}, // only the padding reaches into the ICV
		{60, 56, eapol.DiscardBasicLength},
		{60, 44, eapol.DiscardBasicLength}, // to the very end
		{60, 40, eapol.DiscardBasicLength}, // beyond
		{4095, 60, eapol.DiscardBasicLength},
	} {
		t.Run(fmt.Sprintf("%d in %d", tt.length, tt.room), func(t *testing.T) {
			body := make([]byte, 4+tt.room+eapol.ICVLen)
			binary.BigEndian.PutUint16(body[2:], uint16(tt.length))
			if d := envelope(withBody(t, body), eapol.Acceptance{}); d != tt.want {
				t.Errorf("got %s, want %s", d, tt.want)
			}
		})
	}
}

// The part of it that is the codec's: neither padding nor anything else is taken for part of the name.
// Clause: 802.1X-2020 9.3.1
// Requirement: R21
func TestCKNEndsBeforeItsPadding(t *testing.T) {
	if got := parsed(t, goldenNamed(t, "f4-").frame).Basic.CKN; got != ckn(t, "01") {
		t.Errorf("got %s", got)
	}
	if ckn(t, "01") == ckn(t, "01000000") {
		t.Error("a CKN with zeros appended is the same CKN")
	}
}

// The part of it that is the codec's: the value is handed on, for the caller to check after the CKN.
// Clause: 802.1X-2020 11.11.2 f
// Requirement: R22
func TestAnotherAlgorithmAgilityIsHandedOn(t *testing.T) {
	frame := f1(t)
	frame[atBody+31] = 2
	var m eapol.MKPDU
	if d := eapol.ParseEnvelope(frame, eapol.Acceptance{}, &m); d != eapol.Accepted {
		t.Fatalf("discarded for %s", d)
	}
	if m.Basic.AlgorithmAgility != 0x0080C202 {
		t.Errorf("got %08x", m.Basic.AlgorithmAgility)
	}
}

// The version decides nothing.
// Clause: 802.1X-2020 11.11.3
// Requirement: R23
func TestEveryMKAVersionIsProcessedAlike(t *testing.T) {
	for _, version := range []byte{0, 1, 2, 3, 4, 255} {
		frame := bytes.Clone(goldenNamed(t, "f2-").frame)
		want := parsed(t, bytes.Clone(frame))
		want.Basic.MKAVersion = version
		frame[atBody] = version
		if diff := cmp.Diff(want, parsed(t, frame), same); diff != "" {
			t.Errorf("version %d (-want +got)\n%s", version, diff)
		}
	}
}

// The reasons are words for counters and logs; one that is not of the list still prints.
func TestDiscardPrintsAsAWord(t *testing.T) {
	if got := eapol.DiscardSAKReuse.String(); got != "sak-reuse" {
		t.Errorf("got %q", got)
	}
	if got, want := eapol.Discard(eapol.NumDiscards).String(), fmt.Sprintf("Discard(%d)", eapol.NumDiscards); got != want {
		t.Errorf("got %q", got)
	}
}

// Clause: none; an MKPDU that is used again holds nothing of the frame before
func TestFrameThatIsTooShortLeavesNothingOfTheOneBefore(t *testing.T) {
	m := parsed(t, goldenNamed(t, "f4-").frame)
	if d := eapol.ParseEnvelope(nil, eapol.Acceptance{}, m); d != eapol.DiscardShortFrame {
		t.Fatalf("discarded for %s", d)
	}
	if diff := cmp.Diff(new(eapol.MKPDU), m, same); diff != "" || m.Authenticated() != nil {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Clause: none; an MKPDU that is used again has nothing of the sets that it had before
func TestFrameWithoutASetHasNotThatOfTheOneBefore(t *testing.T) {
	for name, add := range map[string]func(*eapol.MKPDU){
		"KMD":             func(m *eapol.MKPDU) { m.KMD = eapol.KMD{Present: true, Domain: []byte("domain")} },
		"Distributed CAK": func(m *eapol.MKPDU) { m.DistributedCAK = eapol.DistributedCAK{Present: true, Body: make([]byte, 28)} },
	} {
		without := goldenNamed(t, "f4-").frame
		m := parsed(t, without)
		add(m)
		m = parsed(t, append(m.AppendTo(nil), make([]byte, eapol.ICVLen)...)) // no check of the ICV
		if d := eapol.ParseMKPDU(without, eapol.Acceptance{}, m); d != eapol.Accepted {
			t.Fatalf("discarded for %s", d)
		}
		if diff := cmp.Diff(parsed(t, without), m, same); diff != "" {
			t.Errorf("%s of the frame before (-want +got)\n%s", name, diff)
		}
	}
}

package secy

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// Whoever looks at a frame is told that its tag is bad exactly when a SecY would drop it for that.
// Clause: 802.1AE-2018 9.12
func TestInspectAgreesWithVerify(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(addressesLen+etherTypeLen, 110).Draw(t, "length")
		frame := bytes.Repeat([]byte{0x5a}, n)
		copy(frame[addressesLen:], []byte{EtherType >> 8, EtherType & 0xff})
		if n >= addressesLen+shortTagLen {
			frame[14] = rapid.Byte().Draw(t, "tci")
			frame[15] = uint8(rapid.SampledFrom([]int{0, 1, 17, 47, 48, 63, 64, 255, n - 36, n - 44}).Draw(t, "SL"))
		}
		_, sound := takeApart(frame)
		if _, fault := Inspect(frame); (fault == TagSound) != sound {
			t.Fatalf("%x: inspected as %s, but a SecY takes it apart: %t", frame, fault, sound)
		}
	})
}

// Clause: 802.1AE-2018 9.3, 9.9
func TestInspectReadsTheTag(t *testing.T) {
	frame := make([]byte, 12+8+20+16)
	copy(frame, []byte{0, 1, 2, 3, 4, 5, 0x02, 0, 0, 0, 0, 0x0a, 0x88, 0xe5, tciES | tciE | tciC | 2, 20, 0, 0, 1, 2})
	tag, fault := Inspect(frame)
	want := Tag{ES: true, E: true, C: true, AN: 2, SL: 20, PN: 0x102, SCI: aliceSCI, Len: 8, Octets: 20}
	if tag != want || fault != TagSound {
		t.Errorf("%+v, %s; want %+v", tag, fault, want)
	}
	for change, want := range map[[2]int]TagFault{
		{14, 0x80}: TagVersion, {14, tciSC | tciES}: TagSCI, {14, tciE}: TagEncryptsOnly, {15, 48}: TagSL, {15, 0}: TagLength,
	} {
		bad := bytes.Clone(frame)
		bad[change[0]] = byte(change[1])
		if _, fault := Inspect(bad); fault != want || fault.Offset(len(bad)) != change[0] {
			t.Errorf("octet %d of %#x: %s at %d, want %s", change[0], change[1], fault, fault.Offset(len(bad)), want)
		}
	}
	long := append(bytes.Clone(frame[:20]), make([]byte, 60+16)...)
	long[15] = 0
	if tag, fault := Inspect(long); fault != TagSound || tag.Octets != 60 {
		t.Errorf("without a Short Length: %s, %d octets, want 60", fault, tag.Octets)
	}
	explicit := append(bytes.Clone(frame[:20]), make([]byte, 8+20+16)...)
	explicit[14], explicit[27] = tciSC|tciES, 7
	if tag, fault := Inspect(explicit); fault != TagSCI || tag.SCI != 7 {
		t.Errorf("a tag that has an SCI, and implies one: %s of %s, want %s", fault, tag.SCI, SCI(7))
	}
	if _, fault := Inspect(frame[:19]); fault != TagShort || fault.Offset(19) != 19 {
		t.Errorf("a frame that ends in its tag: %s", fault)
	}
}

// Clause: 802.1AE-2018 10.6.2
func TestRecoverPNIsWhatVerifyUses(t *testing.T) {
	s := New(Config{SCI: bobSCI})
	set := strict(GCMAESXPN128)
	order(t, s, Op{Kind: OpConfigure, Settings: set}, Op{Kind: OpCreateReceiveSC, SCI: aliceSCI},
		createReceive(t, GCMAESXPN128, keyA, 1), Op{Kind: OpRaiseLowestPN, SCI: aliceSCI, Key: keyA, PN: 0x1_fffffff0})
	if pn, ok := s.RecoverPN(aliceSCI, keyA, 5); !ok || pn != 0x2_00000005 {
		t.Errorf("packet number %#x, %t", pn, ok)
	}
	if _, ok := s.RecoverPN(bobSCI, keyA, 5); ok {
		t.Error("a packet number without an SA")
	}
}

func TestTagFaultPrintsAsAWord(t *testing.T) {
	for f, want := range map[TagFault]string{TagSound: "sound", TagLength: "length", tagFaultEnd: "unknown", 200: "unknown"} {
		if got := f.String(); got != want {
			t.Errorf("fault %d is %q, want %q", f, got, want)
		}
	}
}

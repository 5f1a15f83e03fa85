package userspace

import (
	"bytes"
	"encoding/hex"
	"testing"

	"pgregory.net/rapid"
)

func TestChecksumOfKnownOctets(t *testing.T) {
	for _, test := range []struct {
		name, hex string
		want      uint16
	}{
		{"nothing", "", 0xffff},
		{"zeros", "00000000", 0xffff},
		{"RFC 1071 section 3", "0001f203f4f5f6f7", ^uint16(0xddf2)},
		{"odd length", "0001f2", ^uint16(0xf201)},
		{"IPv4 header with its checksum", "45000073000040004011b861c0a80001c0a800c7", 0},
		{"IPv4 header without", "450000730000400040110000c0a80001c0a800c7", 0xb861},
	} {
		b, err := hex.DecodeString(test.hex)
		if err != nil {
			t.Fatal(err)
		}
		if got := checksum(sum(0, b)); got != test.want {
			t.Errorf("%s: %04x, want %04x", test.name, got, test.want)
		}
	}
}

func TestChecksumAgreesWithSlowTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "octets")
		if got, want := checksum(sum(0, b)), slowChecksum(b); got != want && got^want != 0xffff {
			t.Fatalf("%04x, want %04x", got, want)
		}
	})
}

func TestChecksumCarriesThroughAllOnes(t *testing.T) {
	for n := range 200 {
		b := bytes.Repeat([]byte{0xff}, n)
		if got, want := checksum(sum(0, b)), slowChecksum(b); got != want {
			t.Errorf("%d octets: %04x, want %04x", n, got, want)
		}
	}
}

func TestSumIsTheSameInPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "octets")
		at := rapid.IntRange(0, len(b)/2).Draw(t, "half of the cut") * 2
		if got, want := fold(sum(sum(0, b[:at]), b[at:])), fold(sum(0, b)); got != want {
			t.Fatalf("%04x in pieces, %04x at once", got, want)
		}
	})
}

func TestCompleteChecksumFillsTheFieldIn(t *testing.T) {
	for _, f := range []flow{{}, {udp: true}, {v6: true}, {v6: true, udp: true, tags: 1}} {
		want := f.frame(octets(101))
		got := bytes.Clone(want)
		field := 16
		if f.udp {
			field = 6
		}
		leavePseudoSum(got, f, field)
		if !completeChecksum(got, f.l4(), field) || !bytes.Equal(got, want) {
			t.Errorf("%+v: %x, want %x", f, got, want)
		}
	}
}

// leavePseudoSum puts into the checksum field what the stack leaves there.
func leavePseudoSum(frame []byte, f flow, field int) {
	addresses := frame[f.l4()-8 : f.l4()]
	if f.v6 {
		addresses = frame[f.l4()-32 : f.l4()]
	}
	length := len(frame) - f.l4()
	v := ^slowChecksum(append(bytes.Clone(addresses), 0, f.protocol(), byte(length>>8), byte(length)))
	frame[f.l4()+field], frame[f.l4()+field+1] = byte(v>>8), byte(v)
}

// Clause: RFC 768, "if the computed checksum is zero, it is transmitted as all ones"
func TestCompleteChecksumIsNeverZero(t *testing.T) {
	frame := []byte{0xff, 0xff, 0, 0}
	if !completeChecksum(frame, 0, 2) || !bytes.Equal(frame, []byte{0xff, 0xff, 0xff, 0xff}) {
		t.Errorf("%x", frame)
	}
}

func TestCompleteChecksumRefusesAFieldOutsideTheFrame(t *testing.T) {
	for _, test := range []struct{ start, offset int }{{0, 19}, {20, 0}, {19, 0}, {10, 9}, {65535, 65535}} {
		frame := make([]byte, 20)
		if completeChecksum(frame, test.start, test.offset) {
			t.Errorf("filled in at %d+%d of 20 octets", test.start, test.offset)
		}
	}
}

func BenchmarkChecksum(b *testing.B) {
	data := octets(1448)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		sum(0, data)
	}
}

package userspace

import (
	"bytes"
	"encoding/binary"
	"testing"

	"pgregory.net/rapid"
)

// split returns copies of all segments.
func split(s *splitter, h vnetHeader, frame []byte) (frames [][]byte, ok bool) {
	if !s.start(h, bytes.Clone(frame)) {
		return nil, false
	}
	for segment, ok := s.next(); ok; segment, ok = s.next() {
		frames = append(frames, bytes.Clone(segment))
	}
	return frames, true
}

func TestSplitAgreesWithNaiveSegmenter(t *testing.T) {
	var s splitter
	rapid.Check(t, func(t *rapid.T) {
		f := drawFlow(t)
		payload := octets(rapid.IntRange(1, 10000).Draw(t, "payload"))
		size := rapid.IntRange(1, 2000).Draw(t, "size")
		h, frame := f.offload(payload, size)
		h.headerLen = rapid.Uint16().Draw(t, "hint") // never trusted
		h.gsoType |= rapid.SampledFrom([]uint8{0, gsoECN}).Draw(t, "ecn")
		got, ok := split(&s, h, frame)
		if !ok {
			t.Fatal("refused")
		}
		want := f.segments(payload, size)
		if len(got) != len(want) {
			t.Fatalf("%d segments, want %d", len(got), len(want))
		}
		for i := range want {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("segment %d is\n%x, want\n%x", i, got[i], want[i])
			}
		}
	})
}

func TestSplitSetsFlagsWhereTheyBelong(t *testing.T) {
	f := flow{flags: tcpFIN | tcpPSH | tcpACK | tcpCWR}
	h, frame := f.offload(octets(250), 100)
	got, _ := split(new(splitter), h, frame)
	want := []uint8{tcpACK | tcpCWR, tcpACK, tcpACK | tcpPSH | tcpFIN}
	for i, segment := range got {
		if flags := segment[f.l4()+tcpFlagsAt]; flags != want[i] {
			t.Errorf("segment %d has flags %02x, want %02x", i, flags, want[i])
		}
	}
}

func TestSplitOfTheLargestFrame(t *testing.T) {
	f := flow{tcpOptions: 3}
	payload := octets(65535 - 20 - 32)
	h, frame := f.offload(payload, 1436)
	got, ok := split(new(splitter), h, frame)
	if want := f.segments(payload, 1436); !ok || len(got) != len(want) || !bytes.Equal(got[45], want[45]) {
		t.Errorf("%d segments, want %d", len(got), len(want))
	}
}

func TestSplitRefusesWhatContradictsItself(t *testing.T) {
	tcp, tcp6, udp := flow{}, flow{v6: true}, flow{udp: true}
	for _, test := range []struct {
		name   string
		flow   flow
		change func(h *vnetHeader, frame *[]byte)
	}{
		{"no size", tcp, func(h *vnetHeader, _ *[]byte) { h.gsoSize = 0 }},
		{"unknown type", tcp, func(h *vnetHeader, _ *[]byte) { h.gsoType = 3 }},
		{"TCPv6 with an IPv4 header", tcp, func(h *vnetHeader, _ *[]byte) { h.gsoType = gsoTCPv6 }},
		{"TCPv4 with an IPv6 header", tcp6, func(h *vnetHeader, _ *[]byte) { h.gsoType = gsoTCPv4 }},
		{"version of IP", tcp, func(_ *vnetHeader, f *[]byte) { (*f)[14] = 0x65 }},
		{"checksum begins within the IPv4 header", tcp, func(h *vnetHeader, _ *[]byte) { h.checksumStart -= 4 }},
		{"checksum begins behind the TCP header", tcp, func(h *vnetHeader, _ *[]byte) { h.checksumStart += 4 }},
		{"checksum begins within the IPv6 header", tcp6, func(h *vnetHeader, _ *[]byte) { h.checksumStart -= 4 }},
		{"checksum begins beyond the frame", udp, func(h *vnetHeader, _ *[]byte) { h.checksumStart = 65535 }},
		{"TCP header too short", tcp, func(_ *vnetHeader, f *[]byte) { (*f)[14+20+12] = 0x40 }},
		{"TCP header beyond the frame", tcp, func(_ *vnetHeader, f *[]byte) { *f = (*f)[:14+20+19] }},
		{"no payload", tcp, func(_ *vnetHeader, f *[]byte) { *f = (*f)[:14+20+20] }},
		{"no IP", tcp, func(_ *vnetHeader, f *[]byte) { (*f)[12] = 0 }},
		{"too many tags", flow{tags: 5}, func(*vnetHeader, *[]byte) {}},
		{"nothing", tcp, func(_ *vnetHeader, f *[]byte) { *f = nil }},
	} {
		h, frame := test.flow.offload(octets(300), 100)
		test.change(&h, &frame)
		var s splitter
		if s.start(h, frame) {
			t.Errorf("%s: accepted", test.name)
		}
		if _, ok := s.next(); ok {
			t.Errorf("%s: a segment comes all the same", test.name)
		}
	}
}

func TestSplitAllocatesNothing(t *testing.T) {
	var s splitter
	h, frame := flow{tcpOptions: 3}.offload(octets(60000), 1448)
	allocations := testing.AllocsPerRun(100, func() {
		s.start(h, frame)
		for _, ok := s.next(); ok; _, ok = s.next() {
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations for a frame", allocations)
	}
}

// FuzzSplit checks that whatever is accepted comes out as frames whose payloads are that of the input, with lengths and
// checksums that a slow reader finds right.
func FuzzSplit(f *testing.F) {
	for _, flow := range []flow{{}, {udp: true, tags: 1}, {v6: true, tcpOptions: 3}, {v6: true, udp: true, ipOptions: 1}} {
		h, frame := flow.offload(octets(300), 100)
		b := make([]byte, vnetHeaderLen)
		h.put(b)
		f.Add(append(b, frame...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < vnetHeaderLen {
			return
		}
		h, frame := parseVNetHeader(b), b[vnetHeaderLen:]
		var s splitter
		segments, ok := split(&s, h, frame)
		if !ok {
			return
		}
		var payload []byte
		for _, segment := range segments {
			payload = append(payload, segment[s.headerLen:]...)
			checkSegment(t, &s, segment)
		}
		if !bytes.Equal(payload, frame[s.headerLen:]) {
			t.Fatalf("payload %x became %x", frame[s.headerLen:], payload)
		}
	})
}

func checkSegment(t *testing.T, s *splitter, segment []byte) {
	t.Helper()
	ip, transport := segment[s.l3:], segment[s.l4:]
	if n := len(segment) - s.headerLen; n < 1 || n > s.size {
		t.Fatalf("segment of %d octets, asked for %d", n, s.size)
	}
	addresses, protocol := ip[12:20], byte(6)
	if s.v6 {
		addresses = ip[8:40]
		if int(binary.BigEndian.Uint16(ip[4:])) != len(ip)-40 {
			t.Fatalf("IPv6 length of %x", segment)
		}
	} else if int(binary.BigEndian.Uint16(ip[2:])) != len(ip) || slowChecksum(ip[:s.l4-s.l3]) != 0 {
		t.Fatalf("IPv4 length or checksum of %x", segment)
	}
	if s.udp {
		protocol = 17
	}
	pseudo := append(bytes.Clone(addresses), 0, protocol, byte(len(transport)>>8), byte(len(transport)))
	if slowChecksum(append(pseudo, transport...)) != 0 {
		t.Fatalf("transport checksum of %x", segment)
	}
}

func BenchmarkSplit(b *testing.B) {
	var s splitter
	h, frame := flow{tcpOptions: 3}.offload(octets(44*1448), 1448)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		s.start(h, frame)
		for _, ok := s.next(); ok; _, ok = s.next() {
		}
	}
}

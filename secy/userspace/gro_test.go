package userspace

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A merged frame is one that the coalescer hands over.
type merged struct {
	vnetHeader
	frame []byte
}

// coalesce returns what becomes of a batch.
func coalesce(c *coalescer, frames [][]byte) (out []merged) {
	c.reset()
	for _, frame := range frames {
		c.add(bytes.Clone(frame))
	}
	for i := range c.groups {
		h, pieces := c.gather(i, nil)
		out = append(out, merged{h, bytes.Join(pieces, nil)})
	}
	return out
}

// undo splits what was merged.
func undo(t interface{ Fatalf(string, ...any) }, all []merged) (frames [][]byte) {
	var s splitter
	for _, m := range all {
		if m.gsoType == gsoNone {
			frames = append(frames, m.frame)
			continue
		}
		segments, ok := split(&s, m.vnetHeader, m.frame)
		if !ok {
			t.Fatalf("header %+v does not fit frame %x", m.vnetHeader, m.frame)
		}
		frames = append(frames, segments...)
	}
	return frames
}

func equalFrames(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }

// drawBulk draws a flow of which frames can be merged.
func drawBulk(t *rapid.T) flow {
	f := drawFlow(t)
	f.tags, f.ipOptions = 0, 0
	f.flags = rapid.SampledFrom([]uint8{tcpACK, tcpACK | tcpPSH}).Draw(t, "bulk flags")
	return f
}

func TestCoalescedFramesSplitIntoThoseTheyWere(t *testing.T) {
	c := newCoalescer(batchSize, true)
	rapid.Check(t, func(t *rapid.T) {
		f := drawBulk(t)
		size := rapid.IntRange(1, 900).Draw(t, "size") // 64 of them stay below 64 KiB
		n := rapid.IntRange(1, batchSize).Draw(t, "frames")
		rest := rapid.IntRange(0, size-1).Draw(t, "shorter by")
		frames := f.segments(octets(n*size-rest), size)
		out := coalesce(c, frames)
		if len(out) != 1 {
			t.Fatalf("%d frames became %d, want 1", n, len(out))
		}
		if got := undo(t, out); !equalFrames(got, frames) {
			t.Fatalf("frames became\n%x, were\n%x", got, frames)
		}
	})
}

// Several flows and frames of no flow, shuffled: every flow keeps its order, and nothing is lost or added.
func TestCoalescingKeepsTheOrderOfEveryFlow(t *testing.T) {
	c := newCoalescer(batchSize, true)
	rapid.Check(t, func(t *rapid.T) {
		var queues [][][]byte
		for i := range rapid.IntRange(1, 5).Draw(t, "flows") {
			f := drawBulk(t)
			f.ports[0] = byte(i)
			f.flags = rapid.Byte().Draw(t, "any flags")
			f.tags = rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, "tags")
			size := rapid.IntRange(1, 200).Draw(t, "size")
			queues = append(queues, f.segments(octets(size*rapid.IntRange(1, 12).Draw(t, "frames")), size))
		}
		var frames [][]byte
		for len(queues) > 0 {
			i := rapid.IntRange(0, len(queues)-1).Draw(t, "next")
			frames = append(frames, queues[i][0])
			if queues[i] = queues[i][1:]; len(queues[i]) == 0 {
				queues = slices.Delete(queues, i, i+1)
			}
		}
		got := undo(t, coalesce(c, frames))
		if !equalFrames(byFlow(got), byFlow(frames)) {
			t.Fatalf("frames became\n%x, were\n%x", got, frames)
		}
	})
}

// byFlow sorts frames by source port, leaving the order within a flow.
func byFlow(frames [][]byte) [][]byte {
	frames = slices.Clone(frames)
	slices.SortStableFunc(frames, func(a, b []byte) int { return int(flowOf(a)) - int(flowOf(b)) })
	return frames
}

func flowOf(frame []byte) byte {
	etherType, l3, _ := networkLayer(frame)
	if etherType == etherIPv6 {
		return frame[l3+40]
	}
	return frame[l3+20]
}

func TestOnlyContinuationsAreMerged(t *testing.T) {
	tcp := flow{flags: tcpACK, tcpOptions: 3, dontFragment: true, seq: 1000, id: 7, hopLimit: 64, window: 500}
	tcp6, udp, loose := tcp, tcp, tcp
	tcp6.v6 = true
	udp.udp = true
	loose.dontFragment = false
	none := func(*flow) {}
	for _, test := range []struct {
		name   string
		first  flow
		change func(second *flow)
		wire   func(frame []byte) []byte
		merge  bool
	}{
		{"TCP", tcp, none, nil, true},
		{"TCP over IPv6", tcp6, none, nil, true},
		{"UDP", udp, none, nil, true},
		{"PSH on the second", tcp, func(f *flow) { f.flags |= tcpPSH }, nil, true},
		{"any identification with DF", tcp, func(f *flow) { f.id = 4711 }, nil, true},
		{"identification counts up", loose, none, nil, true},
		{"identification jumps", loose, func(f *flow) { f.id++ }, nil, false},
		{"gap in sequence", tcp, func(f *flow) { f.seq++ }, nil, false},
		{"sequence repeated", tcp, func(f *flow) { f.seq -= 100 }, nil, false},
		{"FIN", tcp, func(f *flow) { f.flags |= tcpFIN }, nil, false},
		{"CWR", tcp, func(f *flow) { f.flags |= tcpCWR }, nil, false},
		{"URG", tcp, func(f *flow) { f.flags |= 0x20 }, nil, false},
		{"no ACK", tcp, func(f *flow) { f.flags = 0 }, nil, false},
		{"acknowledgement", tcp, func(f *flow) { f.ack++ }, nil, false},
		{"window", tcp, func(f *flow) { f.window++ }, nil, false},
		{"more options", tcp, func(f *flow) { f.tcpOptions++ }, nil, false},
		{"port", tcp, func(f *flow) { f.ports[3]++ }, nil, false},
		{"protocol", tcp, func(f *flow) { f.udp = true }, nil, false},
		{"traffic class", tcp, func(f *flow) { f.trafficClass++ }, nil, false},
		{"traffic class over IPv6", tcp6, func(f *flow) { f.trafficClass++ }, nil, false},
		{"TTL", tcp, func(f *flow) { f.hopLimit++ }, nil, false},
		{"hop limit", tcp6, func(f *flow) { f.hopLimit++ }, nil, false},
		{"don't fragment", tcp, func(f *flow) { f.dontFragment = false }, nil, false},
		{"IPv4 options", tcp, func(f *flow) { f.ipOptions = 1 }, nil, false},
		{"IPv6 extension header", tcp6, func(f *flow) { f.ipOptions = 1 }, nil, false},
		{"VLAN tag", tcp, func(f *flow) { f.tags = 1 }, nil, false},
		{"source address", tcp, none, func(b []byte) []byte { b[11]++; return b }, false},
		{"padding", tcp, none, func(b []byte) []byte { return append(b, 0) }, false},
		{"wrong transport checksum", tcp, none, func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, false},
		{"wrong UDP checksum", udp, none, func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, false},
		{"wrong header checksum", tcp, none, func(b []byte) []byte { b[14+10] ^= 1; return b }, false},
		{"no UDP checksum", udp, none, func(b []byte) []byte { b[14+20+6], b[14+20+7] = 0, 0; return b }, false},
		{"fragment", udp, none, func(b []byte) []byte { b[14+6] = 0x20; return b }, false},
	} {
		second := test.first
		second.seq += 100
		second.id++
		test.change(&second)
		frames := [][]byte{test.first.frame(octets(100)), second.frame(octets(100))}
		if test.wire != nil {
			frames[1] = test.wire(frames[1])
		}
		out := coalesce(newCoalescer(batchSize, true), frames)
		if got := len(out) == 1; got != test.merge {
			t.Errorf("%s: merged is %t, want %t", test.name, got, test.merge)
		}
		if !test.merge && !equalFrames(undo(t, out), frames) {
			t.Errorf("%s: frames were changed", test.name)
		}
	}
}

func TestNothingIsMergedBehindAnEnd(t *testing.T) {
	f := flow{flags: tcpACK, dontFragment: true} // identifications do not count
	for _, test := range []struct {
		name    string
		lengths []int
		push    int // index of the frame with PSH
		want    int
	}{
		{"equal", []int{100, 100, 100}, -1, 1},
		{"short, then short", []int{100, 50, 50}, -1, 2},
		{"longer", []int{100, 101}, -1, 2},
		{"pushed first", []int{100, 100, 100}, 0, 2},
		{"pushed second", []int{100, 100, 100}, 1, 2},
		{"empty", []int{100, 0, 100}, -1, 3},
		{"long, 64 KiB", slices.Repeat([]int{9000}, 8), -1, 2},
	} {
		var frames [][]byte
		g := f
		for i, n := range test.lengths {
			h := g
			if i == test.push {
				h.flags |= tcpPSH
			}
			frames = append(frames, h.frame(octets(n)))
			g.seq += uint32(n)
			g.id++ // as the splitter does
		}
		out := coalesce(newCoalescer(batchSize, true), frames)
		if len(out) != test.want || !equalFrames(undo(t, out), frames) {
			t.Errorf("%s: %d frames, want %d that split into the old ones", test.name, len(out), test.want)
		}
	}
}

func TestUDPStaysAloneWhereTheKernelCannotSegmentIt(t *testing.T) {
	frames := flow{udp: true}.segments(octets(300), 100)
	if out := coalesce(newCoalescer(batchSize, false), frames); len(out) != 3 {
		t.Errorf("%d frames, want 3", len(out))
	}
}

// A merged frame tells the stack that its checksums are good and half done: the field holds the pseudo-header's sum.
func TestMergedHeaderIsWhatTheKernelExpects(t *testing.T) {
	for _, f := range []flow{{flags: tcpACK}, {udp: true}, {v6: true, flags: tcpACK}, {v6: true, udp: true}} {
		out := coalesce(newCoalescer(batchSize, true), f.segments(octets(250), 100))
		if len(out) != 1 {
			t.Fatalf("%+v: %d frames", f, len(out))
		}
		m := out[0]
		want, _ := f.offload(nil, 100)
		want.headerLen = uint16(f.headerLen())
		if m.vnetHeader != want {
			t.Errorf("%+v: header %+v, want %+v", f, m.vnetHeader, want)
		}
		whole := f.frame(octets(250))
		if !completeChecksum(m.frame, f.l4(), int(m.checksumOffset)) || !bytes.Equal(m.frame, whole) {
			t.Errorf("%+v: completed frame is\n%x, want\n%x", f, m.frame, whole)
		}
	}
}

func TestCoalescerAllocatesNothing(t *testing.T) {
	c := newCoalescer(batchSize, true)
	frames := flow{flags: tcpACK, tcpOptions: 3}.segments(octets(40*1448), 1448)
	fresh := slices.Clone(frames[0])
	pieces := make([][]byte, 0, batchSize)
	allocations := testing.AllocsPerRun(100, func() {
		copy(frames[0], fresh) // gather writes to the header
		c.reset()
		for _, frame := range frames {
			c.add(frame)
		}
		for i := range c.groups {
			c.gather(i, pieces)
		}
	})
	if allocations != 0 || len(c.groups) != 1 {
		t.Errorf("%v allocations for a batch that became %d frames", allocations, len(c.groups))
	}
}

// FuzzCoalesce checks that a batch of any frames comes out again, if what was merged is split, but for identifications
// that mean nothing.
func FuzzCoalesce(f *testing.F) {
	for _, flow := range []flow{{flags: tcpACK}, {udp: true}, {v6: true, flags: tcpACK, tcpOptions: 3}, {v6: true, udp: true}} {
		var b []byte
		for _, frame := range flow.segments(octets(300), 100) {
			b = append(binary.BigEndian.AppendUint16(b, uint16(len(frame))), frame...)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var frames [][]byte
		for len(b) > 2 && len(frames) < batchSize {
			n := min(int(binary.BigEndian.Uint16(b)), len(b)-2)
			if n > 0 {
				frames = append(frames, b[2:2+n])
			}
			b = b[2+n:]
		}
		got := undo(t, coalesce(newCoalescer(batchSize, true), frames))
		if !equalFrames(anyOrder(got), anyOrder(frames)) {
			t.Fatalf("frames became\n%x, were\n%x", got, frames)
		}
	})
}

// anyOrder sorts frames, without what RFC 6864 says to ignore in those that must not be fragmented.
func anyOrder(frames [][]byte) [][]byte {
	var out [][]byte
	for _, frame := range frames {
		frame = bytes.Clone(frame)
		if len(frame) >= 34 && frame[12] == 8 && frame[13] == 0 && frame[20]&0x40 != 0 {
			clear(frame[18:20])
			clear(frame[24:26])
		}
		out = append(out, frame)
	}
	slices.SortFunc(out, bytes.Compare)
	return out
}

func BenchmarkCoalesce(b *testing.B) {
	c := newCoalescer(batchSize, true)
	frames := flow{flags: tcpACK, tcpOptions: 3}.segments(octets(40*1448), 1448)
	fresh := slices.Clone(frames[0])
	pieces := make([][]byte, 0, batchSize)
	b.SetBytes(40 * 1448)
	b.ReportAllocs()
	for b.Loop() {
		copy(frames[0], fresh)
		c.reset()
		for _, frame := range frames {
			c.add(frame)
		}
		c.gather(0, pieces)
	}
}

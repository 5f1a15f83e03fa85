package secy

import (
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// slowWindow is a replayWindow that anyone believes.
type slowWindow struct {
	highest PN
	seen    map[PN]bool
}

func (w *slowWindow) add(pn PN) {
	w.seen[pn] = true
	w.highest = max(w.highest, pn)
}

// Inside the replay window a frame seen before is refused, which goes beyond the standard.
// Requirement: R109
func TestReplayWindowAgreesWithItsSlowTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var window replayWindow
		base := PN(rapid.SampledFrom([]uint64{1, 1 << 32, 1<<64 - 1 - 8*remembered}).Draw(t, "base"))
		twin := slowWindow{seen: map[PN]bool{}}
		for _, ahead := range rapid.SliceOfN(rapid.IntRange(0, 6*remembered), 1, 20).Draw(t, "ahead") {
			window.add(base + PN(ahead))
			twin.add(base + PN(ahead))
			for pn := base; pn < base+8*remembered; pn++ {
				compareWindows(t, &window, &twin, pn)
			}
		}
	})
}

// compareWindows wants every repetition within remembered to be known, and nothing else ever.
func compareWindows(t *rapid.T, window *replayWindow, twin *slowWindow, pn PN) {
	recent := pn > twin.highest || twin.highest-pn < remembered
	switch has := window.has(pn); {
	case has && !twin.seen[pn]:
		t.Fatalf("%d counts as seen and is new", pn)
	case !has && twin.seen[pn] && recent:
		t.Fatalf("%d counts as new and was seen", pn)
	}
}

// Clause: 802.1AE-2018 10.6
func TestLowestAcceptablePacketNumberFollowsTheHighest(t *testing.T) {
	tests := []struct {
		highest PN
		size    uint32
		want    PN
	}{
		{0, 0, 1},
		{0, 64, 1},
		{1, 0, 2},
		{63, 64, 1},
		{64, 64, 1},
		{65, 64, 2},
		{100, 64, 37},
		{1 << 32, 1<<32 - 1, 2},
		{1<<64 - 1, 1, 1<<64 - 1},
		{1<<64 - 1, 0, 1<<64 - 1},
	}
	for _, tt := range tests {
		w := replayWindow{highest: tt.highest}
		if got := w.lowest(tt.size); got != tt.want {
			t.Errorf("after %d with a window of %d the lowest is %d, want %d", tt.highest, tt.size, got, tt.want)
		}
	}
}

// numbered is alice's frame with a packet number: of a SecY of its own, so that numbers can come in any order.
func numbered(t testing.TB, suite CipherSuite, pn PN) []byte {
	t.Helper()
	op := createTransmit(t, suite, keyA, 0)
	op.PN = pn
	return protect(t, enabled(t, aliceSCI, strict(suite), op, Op{Kind: OpEnableTransmit, Key: keyA}), userFrame(100))
}

// Clause: 802.1AE-2018 10.6, 10.7.8
// Requirement: R109
func TestReplayWindowAcceptsAndDropsAtItsEdges(t *testing.T) {
	tests := []struct {
		name   string
		window uint32
		before []PN
		pn     PN
		passes bool
	}{
		{"strict order, next", 0, []PN{100}, 101, true},
		{"strict order, after a gap", 0, []PN{100}, 150, true},
		{"strict order, the same", 0, []PN{100}, 100, false},
		{"strict order, the one before", 0, []PN{100}, 99, false},
		{"64, lower edge", 64, []PN{100}, 37, true},
		{"64, below the lower edge", 64, []PN{100}, 36, false},
		{"64, inside and new", 64, []PN{100}, 99, true},
		{"64, inside and seen", 64, []PN{99, 100}, 99, false},
		{"64, the same", 64, []PN{100}, 100, false},
		{"64, far ahead", 64, []PN{100}, 1 << 31, true},
		{"64, seen, then the window moved on", 64, []PN{100, 300}, 237, true},
		{"widest, seen far back", 1<<32 - 1, []PN{100, 100 + remembered - 1}, 100, false},
		{"widest, new and far back", 1<<32 - 1, []PN{1 << 31}, 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set := strict(GCMAES128)
			set.ReplayWindow = tt.window
			s := bob(t, set)
			for _, pn := range tt.before {
				deliver(t, s, numbered(t, GCMAES128, pn), userFrame(100))
			}
			if passes := verifies(t, s, numbered(t, GCMAES128, tt.pn), userFrame(100)); passes != tt.passes {
				t.Errorf("frame %d passes: %t, want %t", tt.pn, passes, tt.passes)
			}
		})
	}
}

// Clause: 802.1AE-2018 10.6
// Requirement: R109
func TestFrameWithABadICVDoesNotMoveTheWindow(t *testing.T) {
	for _, window := range []uint32{0, 64} {
		set := strict(GCMAES128)
		set.ReplayWindow = window
		s := bob(t, set)
		forged := numbered(t, GCMAES128, 5000)
		forged[len(forged)-1] ^= 1
		drop(t, s, forged)
		deliver(t, s, numbered(t, GCMAES128, 1), userFrame(100))
	}
}

func TestForgedPacketNumberIsNotRememberedAsSeen(t *testing.T) {
	s := bob(t, strict(GCMAES128))
	forged := numbered(t, GCMAES128, 7)
	forged[len(forged)-1] ^= 1
	drop(t, s, forged)
	deliver(t, s, numbered(t, GCMAES128, 7), userFrame(100))
}

func TestWithoutReplayProtectionARepeatedFramePasses(t *testing.T) {
	set := strict(GCMAES128)
	set.ReplayProtect = false
	s := bob(t, set)
	wire := numbered(t, GCMAES128, 9)
	deliver(t, s, wire, userFrame(100))
	deliver(t, s, wire, userFrame(100))
}

// Clause: 802.1AE-2018 10.6.2
// Requirement: R99
func TestExtendedPacketNumbersCross2To32OnReception(t *testing.T) {
	s := bob(t, strict(GCMAESXPN128))
	order(t, s, Op{Kind: OpRaiseLowestPN, SCI: aliceSCI, Key: keyA, PN: 0xffffff00})
	for _, pn := range []PN{0xfffffffe, 0x1_00000001, 0xffffffff, 0x1_00000000, 0x1_00000002} {
		deliver(t, s, numbered(t, GCMAESXPN128, pn), userFrame(100))
	}
}

// A SecY has four SAs for each peer: what each remembers of packet numbers is 256 octets, and 1,984 frames at least.
func TestReplayWindowHasItsSize(t *testing.T) {
	if octets := unsafe.Sizeof(replayWindow{}.seen); octets != 256 || remembered != 1984 {
		t.Errorf("%d octets, %d frames", octets, remembered)
	}
}

package secy

// seenWords is how many words of 64 packet numbers a replayWindow remembers. A replay window may be a thousand million
// frames wide; nobody can remember so many, nor does a LAN reorder over such distances. 32 words are 256 octets an SA
// and at least 1,984 frames: fifteen times the usual window, and at 10 Gbit/s of full frames more than 2 ms.
const seenWords = 32

// remembered is how many of the latest packet numbers a replayWindow surely tells apart, once the highest is validated.
const remembered = (seenWords - 1) * 64

// A replayWindow knows which packet numbers were validated lately. The zero value has seen none. It goes beyond the
// standard, which lets a frame pass as often as it is repeated within its replay window.
type replayWindow struct {
	highest PN
	seen    [seenWords]uint64 // bit pn%64 of word pn/64%seenWords, for the words up to that of highest
}

// has reports whether pn was validated before. It is false for a packet number too old to be remembered.
func (w *replayWindow) has(pn PN) bool {
	return w.holds(pn) && w.seen[pn/64%seenWords]>>(pn%64)&1 == 1
}

// holds reports whether there is a bit for pn.
func (w *replayWindow) holds(pn PN) bool { return pn <= w.highest && w.highest/64-pn/64 < seenWords }

// add notes that pn was validated.
func (w *replayWindow) add(pn PN) {
	if pn > w.highest {
		w.advance(pn)
	}
	if w.holds(pn) {
		w.seen[pn/64%seenWords] |= 1 << (pn % 64)
	}
}

// advance makes pn the highest: words that it comes to for the first time hold old numbers, and are cleared.
func (w *replayWindow) advance(pn PN) {
	fresh := min(pn/64-w.highest/64, seenWords)
	for i := range fresh {
		w.seen[(pn/64-i)%seenWords] = 0
	}
	w.highest = pn
}

// lowest is the lowest acceptable packet number after highest, with a window of size frames: nextPN - size (10.6).
// The last packet number of all has no next one; there lowest is that number, which has tells to be used up.
func (w *replayWindow) lowest(size uint32) PN {
	switch {
	case w.highest < PN(size):
		return 1
	case w.highest == 1<<64-1 && size == 0:
		return w.highest
	}
	return max(w.highest-PN(size)+1, 1)
}

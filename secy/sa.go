package secy

import "sync/atomic"

// A transmitSA protects frames with one key. Its packet number is the only one there is for that key: a SecY makes no
// second transmit SA for it.
type transmitSA struct {
	key    KeyID
	an     AN
	ssci   SSCI
	last   PN // the suite's MaxPN
	offset ConfidentialityOffset
	cipherKey

	// next is the next packet number; above last, or 0 after 2^64 - 1, there is none.
	next      atomic.Uint64
	exhausted atomic.Bool // the owner has been told
}

// take hands out a packet number, each one once, whoever calls.
func (sa *transmitSA) take() (PN, bool) {
	for {
		pn := sa.next.Load()
		if sa.ended(pn) {
			return 0, false
		}
		if sa.next.CompareAndSwap(pn, pn+1) {
			return PN(pn), true
		}
	}
}

func (sa *transmitSA) ended(next uint64) bool { return next == 0 || PN(next) > sa.last }

// sample is the next packet number, and the last one when there is no next.
func (sa *transmitSA) sample() PN {
	pn := sa.next.Load()
	if sa.ended(pn) {
		return sa.last
	}
	return PN(pn)
}

// readable is how many of n octets of user data the SA leaves unencrypted.
func (sa *transmitSA) readable(n int) int {
	if sa.offset == IntegrityOnly {
		return n
	}
	return min(sa.offset.Octets(), n)
}

// A receiveSA verifies frames of one SC with one key.
type receiveSA struct {
	key    KeyID
	ssci   SSCI
	xpn    bool
	offset ConfidentialityOffset
	cipherKey
	*replayState
}

// readable is how many of n octets of user data came unencrypted, in a frame with or without E.
func (sa *receiveSA) readable(n int, encrypted bool) int {
	if !encrypted {
		return n
	}
	return min(sa.offset.Octets(), n)
}

// recover finds the packet number of which a SecTAG carries the lower half.
func (sa *receiveSA) recover(low uint32) PN {
	if !sa.xpn {
		return PN(low)
	}
	return recoverPN(sa.lowestPN(), low)
}

// A replayState is what an SC's use of a key has used up. It outlives the receive SA: one that is made again for the
// same key goes on where the first stopped.
type replayState struct {
	window replayWindow  // the verifying goroutine's
	lowest atomic.Uint64 // lowestPN of 10.7.14; only ever raised, by the verifying and by the ordering goroutine
}

func (r *replayState) lowestPN() PN { return PN(r.lowest.Load()) }

// raise makes pn the lowest acceptable packet number, if it is higher than what stands.
func (r *replayState) raise(pn PN) {
	for {
		old := r.lowest.Load()
		if uint64(pn) <= old || r.lowest.CompareAndSwap(old, uint64(pn)) {
			return
		}
	}
}

// spent reports whether replay protection refuses pn: it is below the window, or was validated before.
func (r *replayState) spent(pn PN) bool { return pn < r.lowestPN() || r.window.has(pn) }

// validated notes that a frame with pn was authentic, and moves the window along with it.
func (r *replayState) validated(pn PN, size uint32) {
	r.window.add(pn)
	r.raise(r.window.lowest(size))
}

package secy

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"testing"
)

// benchLengths are the lengths of user data, in octets.
var benchLengths = []int{64, 576, 1500, 9000}

// bareGCM is the cipher of a suite with the key that tests give to keyA.
func bareGCM(t testing.TB, suite CipherSuite) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(sakOf(t, keyA, suite).Octets())
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return aead
}

// A call is one line of a benchmark: something to do over and over.
type call struct {
	name string
	make func(b *testing.B, suite CipherSuite, n int) func() bool
}

// compare runs the calls side by side for every suite and length, so that whatever slows the machine down meets all of
// them: the axis call= makes the columns of a table.
func compare(b *testing.B, calls ...call) {
	for _, suite := range CipherSuites {
		for _, n := range benchLengths {
			for _, c := range calls {
				b.Run(fmt.Sprintf("suite=%s/len=%d/call=%s", suite, n, c.name), func(b *testing.B) {
					b.SetBytes(int64(n))
					b.ReportAllocs()
					repeat(b, c.make(b, suite, n))
				})
			}
		}
	}
}

func repeat(b *testing.B, do func() bool) {
	for b.Loop() {
		if !do() {
			b.Fatal("the call has failed")
		}
	}
}

// BenchmarkProtect is a frame protected, beside the bare cipher call for the same octets.
func BenchmarkProtect(b *testing.B) { compare(b, call{"Protect", protectCall}, call{"Seal", sealCall}) }

// BenchmarkVerify is a frame verified, beside the bare cipher call for the same octets. Both copy the frame first: it is
// opened in place.
func BenchmarkVerify(b *testing.B) { compare(b, call{"Verify", verifyCall}, call{"Open", openCall}) }

func protectCall(b *testing.B, suite CipherSuite, n int) func() bool {
	s, frame, buffer := alice(b, strict(suite)), userFrame(n), make([]byte, 0, n+addressesLen+Overhead)
	return func() bool {
		_, ok := s.Protect(buffer, frame)
		return ok
	}
}

func sealCall(b *testing.B, suite CipherSuite, n int) func() bool {
	aead, nonce, aad := bareGCM(b, suite), make([]byte, nonceLen), make([]byte, addressesLen+longTagLen)
	user, buffer := make([]byte, n), make([]byte, 0, n+icvLen)
	return func() bool { return len(aead.Seal(buffer, nonce, user, aad)) == n+icvLen }
}

// verifyCall verifies one frame over and over: before each it puts the replay window back, whose cost is included.
func verifyCall(b *testing.B, suite CipherSuite, n int) func() bool {
	wire, s := protect(b, alice(b, strict(suite)), userFrame(n)), bob(b, strict(suite))
	state, buffer := s.table.Load().receive[aliceSCI].sas[0].sa.replayState, make([]byte, len(wire))
	return func() bool {
		state.window = replayWindow{}
		state.lowest.Store(1)
		copy(buffer, wire)
		_, ok := s.Verify(buffer)
		return ok
	}
}

func openCall(b *testing.B, suite CipherSuite, n int) func() bool {
	aead, nonce, aad := bareGCM(b, suite), make([]byte, nonceLen), make([]byte, addressesLen+longTagLen)
	sealed := aead.Seal(nil, nonce, make([]byte, n), aad)
	buffer := make([]byte, len(sealed))
	return func() bool {
		copy(buffer, sealed)
		_, err := aead.Open(buffer[:0], nonce, buffer, aad)
		return err == nil
	}
}

// BenchmarkReplayWindow is one frame in order.
func BenchmarkReplayWindow(b *testing.B) {
	b.ReportAllocs()
	var state replayState
	for pn := PN(1); b.Loop(); pn++ {
		if state.spent(pn) {
			b.Fatal("a new packet number counts as seen")
		}
		state.validated(pn, 128)
	}
}

func TestFramesAllocateNothing(t *testing.T) {
	const runs = 100
	for _, suite := range CipherSuites {
		for _, offset := range []ConfidentialityOffset{IntegrityOnly, Offset0, Offset30} {
			if !suite.Allows(offset) {
				continue
			}
			t.Run(fmt.Sprintf("suite=%s/%s", suite, offset), func(t *testing.T) {
				set := strict(suite)
				set.Offset, set.ReplayProtect = offset, false
				a, b, frame := alice(t, set), bob(t, set), userFrame(1500)
				buffer := make([]byte, 0, len(frame)+Overhead)
				allocations := testing.AllocsPerRun(runs, func() {
					wire, _ := a.Protect(buffer, frame)
					b.Verify(wire)
				})
				if got := b.Counters().InPktsOK; allocations != 0 || got != runs+1 {
					t.Errorf("%v allocations a frame and %d frames, want 0 and %d", allocations, got, runs+1)
				}
			})
		}
	}
}

func TestDroppedFramesAllocateNothing(t *testing.T) {
	forged := numbered(t, GCMAES128, 7)
	forged[len(forged)-1] ^= 1
	s, buffer := bob(t, strict(GCMAES128)), make([]byte, len(forged))
	allocations := testing.AllocsPerRun(100, func() {
		copy(buffer, forged)
		s.Verify(buffer)
	})
	if allocations != 0 || s.Counters().InPktsNotValid != 101 {
		t.Errorf("%v allocations a frame, %+v, want none and 101 frames not valid", allocations, s.Counters())
	}
}

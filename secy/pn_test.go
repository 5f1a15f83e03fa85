package secy

import (
	"encoding/binary"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// transmitterFrom makes a transmitter whose first packet number is pn.
func transmitterFrom(t testing.TB, suite CipherSuite, pn PN) *SecY {
	t.Helper()
	op := createTransmit(t, suite, keyA, 0)
	op.PN = pn
	return enabled(t, aliceSCI, strict(suite), op, Op{Kind: OpEnableTransmit, Key: keyA})
}

// Clause: 802.1AE-2018 10.5.2
func TestPacketNumbersStartWhereOrderedAndGrowByOne(t *testing.T) {
	s := transmitterFrom(t, GCMAES128, 1)
	for want := uint32(1); want <= 3; want++ {
		if pn := binary.BigEndian.Uint32(protect(t, s, userFrame(100))[addressesLen+4:]); pn != want {
			t.Errorf("packet number is %d, want %d", pn, want)
		}
	}
}

// Clause: 802.1AE-2018 10.5.2
func TestTransmissionStopsAfterTheLastPacketNumber(t *testing.T) {
	for _, suite := range CipherSuites {
		t.Run(suite.String(), func(t *testing.T) {
			s := transmitterFrom(t, suite, suite.MaxPN()-1)
			protect(t, s, userFrame(100))
			if _, ok := s.Exhausted(); ok {
				t.Error("reported as exhausted with one packet number left")
			}
			protect(t, s, userFrame(100))
			for range 3 {
				if _, ok := s.Protect(nil, userFrame(100)); ok {
					t.Fatal("a frame was protected beyond the last packet number")
				}
			}
			if pn, ok := s.PN(keyA); !ok || pn != suite.MaxPN() {
				t.Errorf("sampled packet number is %d, %t, want %d", pn, ok, suite.MaxPN())
			}
		})
	}
}

func TestExhaustionIsToldOnce(t *testing.T) {
	s := transmitterFrom(t, GCMAES128, GCMAES128.MaxPN())
	protect(t, s, userFrame(100))
	if key, ok := s.Exhausted(); !ok || key != keyA {
		t.Errorf("exhausted: %s, %t, want %s", key, ok, keyA)
	}
	if _, ok := s.Exhausted(); ok {
		t.Error("exhaustion was told twice")
	}
}

func TestExhaustedKeyCannotBeEnabledAgain(t *testing.T) {
	s := transmitterFrom(t, GCMAES128, GCMAES128.MaxPN())
	protect(t, s, userFrame(100))
	refuse(t, s, Op{Kind: OpEnableTransmit, Key: keyA})
}

func TestNextKeyGoesOnAfterExhaustion(t *testing.T) {
	s := transmitterFrom(t, GCMAES128, GCMAES128.MaxPN())
	protect(t, s, userFrame(100))
	order(t, s, createTransmit(t, GCMAES128, keyB, 1), Op{Kind: OpEnableTransmit, Key: keyB})
	protect(t, s, userFrame(100))
	if key, ok := s.Exhausted(); ok {
		t.Errorf("key %s counts as exhausted, which is not in use", key)
	}
}

// Clause: 802.1AE-2018 14.7
func TestExtendedPacketNumbersCross2To32(t *testing.T) {
	a, b := transmitterFrom(t, GCMAESXPN256, 0xfffffffe), bob(t, strict(GCMAESXPN256))
	order(t, b, Op{Kind: OpRaiseLowestPN, SCI: aliceSCI, Key: keyA, PN: 0xfffffff0})
	for range 5 {
		deliver(t, b, protect(t, a, userFrame(100)), userFrame(100))
	}
	if pn, ok := a.PN(keyA); !ok || pn != 0x1_00000003 {
		t.Errorf("next packet number is %#x, %t, want 0x100000003", uint64(pn), ok)
	}
}

// transmitUntil protects one frame again and again, n times, and fails the test when it comes out the same twice: then
// one packet number was used twice with one key.
func transmitUntil(t *testing.T, s *SecY, n int) {
	seen := map[string]bool{}
	frame, buffer := userFrame(64), make([]byte, 0, 256)
	for len(seen) < n {
		wire, ok := s.Protect(buffer, frame)
		if !ok {
			continue
		}
		if seen[string(wire)] {
			t.Errorf("a packet number was used twice: %x", wire)
			return
		}
		seen[string(wire)] = true
	}
}

// rekey orders one new key after the other until done, and after each tries to get the one before back.
func rekey(t *testing.T, s *SecY, done <-chan struct{}) {
	before := createTransmit(t, GCMAES128, keyA, 0)
	for n := 1; ; n++ {
		select {
		case <-done:
			return
		default:
		}
		next := createTransmit(t, GCMAES128, KeyID{0xff, byte(n >> 16), byte(n >> 8), byte(n)}, AN(n%2))
		order(t, s, next, Op{Kind: OpEnableTransmit, Key: next.Key}, Op{Kind: OpDeleteSAs, Key: before.Key})
		s.Apply(before, nil)
		s.Apply(Op{Kind: OpEnableTransmit, Key: before.Key}, nil)
		s.PN(next.Key)
		s.Exhausted()
		before = next
	}
}

// Clause: 802.1AE-2018 10.5.2
func TestPacketNumberIsUsedOnceWhileKeysChange(t *testing.T) {
	s := alice(t, strict(GCMAES128))
	done := make(chan struct{})
	go func() {
		defer close(done)
		transmitUntil(t, s, 20_000)
	}()
	rekey(t, s, done)
}

// Packet numbers are handed out once even to several goroutines; Protect does not need it, safety does. Many short rounds:
// goroutines meet most surely where they begin.
func TestSeveralTakersNeverGetTheSamePacketNumber(t *testing.T) {
	const rounds, last = 200, 5000
	for range rounds {
		sa := &transmitSA{last: last}
		sa.next.Store(1)
		var taken [last + 1]atomic.Uint32
		together(2, func() {
			for pn, ok := sa.take(); ok; pn, ok = sa.take() {
				taken[pn].Add(1)
			}
		})
		for pn := 1; pn <= last; pn++ {
			if n := taken[pn].Load(); n != 1 {
				t.Fatalf("packet number %d was taken %d times", pn, n)
			}
		}
	}
}

// together runs n goroutines of do, which begin when all of them are on a processor, and waits for their end.
func together(n int, do func()) {
	var all sync.WaitGroup
	var begun atomic.Int32
	for range n {
		all.Go(func() {
			begun.Add(1)
			for int(begun.Load()) < n {
				runtime.Gosched()
			}
			do()
		})
	}
	all.Wait()
}

func TestBothDirectionsAndOrdersRunSideBySide(t *testing.T) {
	const frames = 2000
	b := bob(t, strict(GCMAESXPN128))
	op := createTransmit(t, GCMAESXPN128, keyB, 1)
	op.SSCI = 2
	order(t, b, op, Op{Kind: OpEnableTransmit, Key: keyB})
	a := alice(t, strict(GCMAESXPN128))
	var directions sync.WaitGroup
	directions.Go(func() {
		for range frames {
			wire, _ := a.Protect(nil, userFrame(100))
			if _, ok := b.Verify(wire); !ok {
				t.Errorf("a frame was lost: %+v", b.Counters())
				return
			}
		}
	})
	directions.Go(func() { transmitUntil(t, b, frames) })
	for range frames / 10 {
		b.Apply(Op{Kind: OpCreateReceiveSC, SCI: 77}, nil)
		b.Apply(Op{Kind: OpDeleteReceiveSC, SCI: 77}, nil)
		b.Apply(Op{Kind: OpRaiseLowestPN, SCI: aliceSCI, Key: keyA, PN: 1}, nil)
		b.LowestPN(aliceSCI, keyA)
		b.Counters()
	}
	directions.Wait()
	if c := b.Counters(); c.InPktsOK != frames || c.OutPktsEncrypted != frames {
		t.Errorf("counters are %+v, want %d each way", c, frames)
	}
}

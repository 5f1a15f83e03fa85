package keyderive_test

import (
	"fmt"
	"testing"

	"mkad/keyderive"
)

// icks returns an ICK of each size, by name.
func icks() map[string]keyderive.ICK {
	ckn := newCKN(octets(1, 16))
	return map[string]keyderive.ICK{
		"key=128": keyderive.DeriveICK(newCAK(octets(0, 16)), ckn),
		"key=256": keyderive.DeriveICK(newCAK(octets(0, 32)), ckn),
	}
}

func TestSumAndVerifyAllocateNothing(t *testing.T) {
	for name, ick := range icks() {
		frame := octets(0, 300)
		icv := ick.Sum(frame)
		if n := testing.AllocsPerRun(100, func() { icv = ick.Sum(frame) }); n != 0 {
			t.Errorf("%s: Sum allocates %v times", name, n)
		}
		if n := testing.AllocsPerRun(100, func() { ick.Verify(frame, icv[:]) }); n != 0 {
			t.Errorf("%s: Verify allocates %v times", name, n)
		}
	}
}

func BenchmarkSum(b *testing.B) {
	for _, key := range []string{"key=128", "key=256"} {
		ick := icks()[key]
		for _, n := range []int{100, 200, 300} {
			b.Run(fmt.Sprintf("%s/len=%d", key, n), func(b *testing.B) {
				frame := octets(0, n)
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					ick.Sum(frame)
				}
			})
		}
	}
}

func BenchmarkUnwrap(b *testing.B) {
	kek := keyderive.DeriveKEK(newCAK(octets(0, 32)), newCKN(octets(1, 16)))
	for _, n := range []int{16, 32} {
		b.Run(fmt.Sprintf("sak=%d", n), func(b *testing.B) {
			wrapped := kek.Wrap(nil, newSAK(octets(0, n)))
			b.ReportAllocs()
			for b.Loop() {
				_, _ = kek.Unwrap(wrapped)
			}
		})
	}
}

func BenchmarkDerive(b *testing.B) {
	cak, ckn := newCAK(octets(0, 32)), newCKN(octets(1, 16))
	b.ReportAllocs()
	for b.Loop() {
		keyderive.DeriveICK(cak, ckn)
		keyderive.DeriveKEK(cak, ckn)
	}
}

package eapol_test

import (
	"strings"
	"testing"

	"mkad/eapol"
)

// An axis is one frame of the benchmarks.
type axis struct {
	name  string
	frame []byte
}

// axes are a hello, a distribution, the sets of an XPN suite, and lists of two sizes.
func axes(t testing.TB) []axis {
	return []axis{
		{"frame=F1", f1(t)},
		{"frame=F2", goldenNamed(t, "f2-").frame},
		{"frame=F4", goldenNamed(t, "f4-").frame},
		{"peers=1", frameOf(t, peerSet(1, 1), sakUse)},
		{"peers=70", frameOf(t, peerSet(1, 70), sakUse)},
	}
}

func BenchmarkParseMKPDU(b *testing.B) {
	for _, a := range axes(b) {
		b.Run(a.name, func(b *testing.B) {
			var m eapol.MKPDU
			b.SetBytes(int64(len(a.frame)))
			b.ReportAllocs()
			for b.Loop() {
				if eapol.ParseMKPDU(a.frame, eapol.Acceptance{}, &m) != eapol.Accepted {
					b.Fatal("discarded")
				}
			}
		})
	}
}

// The whole receive path of 11.11.2: envelope, ICV, sets.
func BenchmarkValidateMKPDU(b *testing.B) {
	for _, name := range []string{"f1-", "f2-", "f4-"} {
		g := goldenNamed(b, name)
		key := ick(b, g)
		b.Run("frame="+strings.ToUpper(name[:2]), func(b *testing.B) {
			var m eapol.MKPDU
			b.SetBytes(int64(len(g.frame)))
			b.ReportAllocs()
			for b.Loop() {
				d := eapol.ParseEnvelope(g.frame, eapol.Acceptance{}, &m)
				if d != eapol.Accepted || !key.Verify(m.Authenticated(), m.ICV[:]) || m.ParseSets() != eapol.Accepted {
					b.Fatal("discarded")
				}
			}
		})
	}
}

func BenchmarkAppendMKPDU(b *testing.B) {
	for _, a := range axes(b) {
		b.Run(a.name, func(b *testing.B) {
			m := parsed(b, a.frame)
			buf := make([]byte, 0, m.Len())
			b.SetBytes(int64(m.Len()))
			b.ReportAllocs()
			for b.Loop() {
				buf = m.AppendTo(buf[:0])
			}
		})
	}
}

package daemon

import (
	"bytes"
	"log/slog"
	"testing"
)

// BenchmarkKeepState is what each hello costs beyond itself.
func BenchmarkKeepState(b *testing.B) {
	f := newStateFile(b.TempDir(), "eth1", slog.New(slog.NewTextHandler(new(bytes.Buffer), nil)))
	s := aState(b)
	b.ReportAllocs()
	for b.Loop() {
		f.keep(&s)
	}
}

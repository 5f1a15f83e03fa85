package guest

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestOldImagesOfAKernelAreRemoved(t *testing.T) {
	cache := t.TempDir()
	longAgo := time.Now().Add(-2 * oldAge)
	const current, stale, fresh = "qemu-00000000-00000001", "qemu-00000000-00000002", "qemu-00000000-00000003"
	const other = "qemu-6.1-00000000-00000001"
	for name, made := range map[string]time.Time{current: longAgo, stale: longAgo, fresh: time.Now(), other: longAgo} {
		dir := filepath.Join(cache, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(dir, made, made); err != nil {
			t.Fatal(err)
		}
	}
	removeOld(QEMU, cache, current)
	left, err := filepath.Glob(filepath.Join(cache, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range left {
		left[i] = filepath.Base(left[i])
	}
	if want := []string{current, fresh, other}; !slices.Equal(left, want) {
		t.Errorf("left are %q, want %q", left, want)
	}
}

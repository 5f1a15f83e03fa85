// Package guesttest is for tests that need a kernel with macsec, and so run in a guest. Their names begin with
// TestGuest, and their package has
//
//	func TestMain(m *testing.M) { guesttest.Main(m) }
//
// Outside a guest Main leaves them out, so that a package may have tests of both kinds; in a guest nothing is left
// out.
package guesttest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"mkad/internal/guest"
)

// guestTests matches the names of tests that run in a guest only.
const guestTests = "^TestGuest"

// Main runs a package's tests, without those that need a guest where there is none, and exits.
func Main(m *testing.M) {
	flag.Parse()
	if Kernel() == "" {
		if err := leaveOut(guestTests); err != nil {
			fmt.Fprintln(os.Stderr, "leave out tests:", err)
			os.Exit(2)
		}
	}
	os.Exit(m.Run())
}

func leaveOut(pattern string) error {
	skip := flag.Lookup("test.skip").Value
	if skip.String() != "" {
		pattern = skip.String() + "|" + pattern
	}
	return skip.Set(pattern)
}

// Kernel is the kernel of the guest that this program runs in; "" outside.
func Kernel() guest.Kernel { return guest.Kernel(os.Getenv("MKAD_GUEST")) }

// Keep makes a directory for what a test wants to leave to whoever looks for the reason of a failure: captures, logs.
// It comes back from the guest with the test's name.
func Keep(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(os.Getenv("MKAD_GUEST_OUT"), t.Name())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatalf("make a directory to keep files in: %v", err)
	}
	return dir
}

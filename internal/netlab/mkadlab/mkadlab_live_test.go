package mkadlab

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// These tests make network namespaces: they need root, or a user namespace. They run programs that only pretend to be
// mkad and mkactl; the demonstration runs the real ones.

func pretend(t *testing.T, mkad, mkactl string) *Link {
	t.Helper()
	programs := t.TempDir()
	for name, script := range map[string]string{"mkad": mkad, "mkactl": mkactl} {
		if err := os.WriteFile(filepath.Join(programs, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	l, err := New(t.Context(), Options{Programs: programs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestDaemonThatEndsIsAnErrorWithItsLog(t *testing.T) {
	err := pretend(t, "echo no such key >&2; exit 2", "exit 0").StartDaemons(t.Context())
	for _, want := range []string{"west: ", "east: ", "exit status 2", "no such key"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not have %q", err, want)
		}
	}
}

func TestLinkThatFailsToBuildLeavesNothing(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	if _, err := New(t.Context(), Options{Programs: filepath.Join(tmp, "nowhere")}); err == nil {
		t.Fatal("a link was made without programs")
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Only an mkad that has closed it may bring an end of the wire up: before, the host would talk in clear.
func TestEndsOfTheWireAreDown(t *testing.T) {
	for _, h := range pretend(t, "exit 0", "exit 0").Hosts() {
		if d, err := h.Device(Lower); err != nil || d.Up {
			t.Errorf("%s: %+v, %v", h.Name, d, err)
		}
	}
}

func TestLogKeepsTheEndWithinItsBound(t *testing.T) {
	var l log
	line := append(bytes.Repeat([]byte("x"), 1000), '\n')
	for range 3 * maxLog / len(line) {
		_, _ = l.Write(line) // never fails
	}
	_, _ = l.Write([]byte("the end"))
	if text := l.String(); len(text) > maxLog || !strings.HasSuffix(text, "the end") {
		t.Errorf("log of %d octets ends in %q", len(text), text[len(text)-10:])
	}
}

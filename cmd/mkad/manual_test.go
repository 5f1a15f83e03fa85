package main

import (
	"flag"
	"io"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mkad/internal/manual"
)

var update = flag.Bool("update", false, "write the manual page")

func TestManualPageIsCurrent(t *testing.T) {
	const file = "../../packaging/man/mkad.8"
	want := manual.Of(command(io.Discard, io.Discard), manual.Page{
		Section: 8,
		Files: []manual.File{
			{Path: "/etc/mkad/mkad.toml", What: "The configuration."},
			{Path: "/etc/mkad/keys", What: "The CAK files."},
			{Path: "/run/mkad/control.sock", What: "The control socket."},
			{Path: "/run/mkad/state", What: "What a restart needs; no keys."},
		},
		SeeAlso: []string{"mkad.toml 5", "mkactl 8"},
	})
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is not current; go test ./cmd/mkad -update (-want +got):\n%s", file, diff)
	}
}

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
	const file = "../../packaging/man/mkactl.8"
	tool := tool{stdout: io.Discard, stderr: io.Discard}
	want := manual.Of(tool.root(func() {}), manual.Page{
		Section: 8,
		Files:   []manual.File{{Path: "/run/mkad/control.sock", What: "The control socket of mkad."}, manual.Documents},
		SeeAlso: []string{"mkad.toml 5", "mkad 8"},
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
		t.Errorf("%s is not current; go test ./cmd/mkactl -update (-want +got):\n%s", file, diff)
	}
}

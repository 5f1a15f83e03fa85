package main

import (
	"os"
	"path/filepath"
	"testing"

	"mkad/internal/guest/interop"
)

// Clause: none; a table takes the place of the one before, in its order, and nothing else changes.
func TestRowsTakeThePlaceOfTheTableBefore(t *testing.T) {
	dir, document := t.TempDir(), filepath.Join(t.TempDir(), "a.md")
	for i, name := range []string{"second", "first"} {
		below := filepath.Join(dir, name)
		if err := os.Mkdir(below, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := (interop.Row{Table: "cases", Order: 1 - i, Cells: []string{name, "b", "c", "d", "e"}}).Write(below); err != nil {
			t.Fatal(err)
		}
	}
	const before, after = "# Head\n<!-- cases: made by make interop -->\n", "<!-- end of cases -->\nTail\n"
	if err := os.WriteFile(document, []byte(before+"old\n"+after), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run(document, []string{dir}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(document)
	want := before + "| case | path | key server | secured after | whole case |\n|---|---|---|---|---|\n" +
		"| first | b | c | d | e |\n| second | b | c | d | e |\n" + after
	if err != nil || string(got) != want {
		t.Errorf("%v, document is\n%s\nwant\n%s", err, got, want)
	}
	if err := run(filepath.Join(dir, "none.md"), []string{dir}); err == nil {
		t.Error("a document that is not there was written")
	}
}

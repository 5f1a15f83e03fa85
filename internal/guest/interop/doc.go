// Package interop shows mkad beside Debian's wpa_supplicant 2.10, on kernels that have macsec, in a guest only: what both
// agree on in each case that users of either know by a name ([TestGuestCases] and what follows it), and what faults on the
// path, and of those on it, cost (TestGuestFaults). Every test leaves a [Row] of what it has seen and how long that took;
// make interop runs them all and writes the rows into docs/interop.md (command table, below).
package interop

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// A Row is a line of one of the tables in docs/interop.md.
type Row struct {
	Table string   // by the name of its marker in the document
	Order int      // within the table
	Cells []string // Markdown
}

// rowFile holds a Row, in the directory of the test that left it.
const rowFile = "row.json"

// Write leaves a row in a directory.
func (r Row) Write(dir string) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, rowFile), text, 0o644)
}

// Rows reads all rows in and below a directory.
func Rows(dir string) (rows []Row, err error) {
	err = filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() != rowFile {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var r Row
		if err := json.Unmarshal(text, &r); err != nil {
			return err
		}
		rows = append(rows, r)
		return nil
	})
	return rows, err
}

// Command table writes the rows that the tests of package interop and its benchmark have left into a document, between the
// markers of each table: make interop, make bench-interop.
//
//	table -into docs/interop.md DIRECTORY...
//
// A table of which no row is there stays as it is.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"mkad/internal/guest/interop"
)

// A table is what makes it, and its columns.
type table struct {
	maker   string
	columns []string
}

var tables = map[string]table{
	"cases":   {"make interop", []string{"case", "path", "key server", "secured after", "whole case"}},
	"faults":  {"make interop", []string{"fault", "peer", "noticed as", "secured again after", "frames lost", "new MIs of the peer"}},
	"start":   {"make bench-interop", []string{"daemons", "exec of the second to first ping, median", "range", "times sooner than two wpa_supplicants"}},
	"idle":    {"make bench-interop", []string{"process", "resident memory, at most", "thousand instructions a second"}},
	"restart": {"make bench-interop", []string{"daemon that restarts", "by", "its peer", "datagrams lost of 100 a second each way"}},
}

func main() {
	into := flag.String("into", "docs/interop.md", "the document")
	flag.Parse()
	if err := run(*into, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

func run(document string, dirs []string) error {
	found := map[string][]interop.Row{}
	for _, dir := range dirs {
		rows, err := interop.Rows(dir)
		if err != nil {
			return err
		}
		for _, r := range rows {
			found[r.Table] = append(found[r.Table], r)
		}
	}
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	for name, rows := range found {
		kind, known := tables[name]
		if !known {
			return fmt.Errorf("there is no table %q", name)
		}
		if text, err = replace(text, name, kind.maker, markdown(kind.columns, rows)); err != nil {
			return fmt.Errorf("%s: %w", document, err)
		}
	}
	return os.WriteFile(document, text, 0o644)
}

func markdown(header []string, rows []interop.Row) string {
	slices.SortStableFunc(rows, func(a, b interop.Row) int { return a.Order - b.Order })
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(header)
	fmt.Fprintln(&b, "|"+strings.Repeat("---|", len(header)))
	for _, r := range rows {
		line(r.Cells)
	}
	return b.String()
}

// replace puts a table between its markers.
func replace(text []byte, name, maker, table string) ([]byte, error) {
	begin, end := fmt.Sprintf("<!-- %s: made by %s -->\n", name, maker), fmt.Sprintf("<!-- end of %s -->\n", name)
	before, rest, found := strings.Cut(string(text), begin)
	_, after, foundEnd := strings.Cut(rest, end)
	if !found || !foundEnd {
		return nil, fmt.Errorf("there is no place for a table between %q and %q", begin, end)
	}
	return []byte(before + begin + table + end + after), nil
}

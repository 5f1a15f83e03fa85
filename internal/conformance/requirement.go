// Package conformance ties what the standards require to the tests that show it. The requirements stand in
// testdata/conformance/requirements.txt; a test says in its comment which of them it shows:
//
//	// Clause: 802.1X-2020 9.4.3
//	// Requirement: R45
//	func TestSilentLivePeerIsLostAfterLifeTime(t *testing.T) {
//
// The program in run runs those tests and writes docs/conformance.md. The test of this package, which is quick, holds
// the document to the requirements and to the tests that there are.
package conformance

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// File is where the requirements stand, from the root of the module.
const File = "testdata/conformance/requirements.txt"

// excusable are the requirements that may have a reason in the place of a test, or of a part of one.
var excusable = []string{"R14", "R53", "R62", "R111"}

// A Requirement is one thing that a station owes to its peers.
type Requirement struct {
	ID      string // "R45"
	Chapter string
	Clause  string
	Text    string
	Reason  string // why it, or a part of it, has no test; empty: there is none
}

// Requirements reads File. Their numbers go up by one, so that none gets lost.
func Requirements(module fs.FS) (all []Requirement, err error) {
	text, err := fs.ReadFile(module, File)
	if err != nil {
		return nil, err
	}
	chapter := ""
	for i, line := range strings.Split(string(text), "\n") {
		refuse := func(why string) error { return fmt.Errorf("%s:%d: %s", File, i+1, why) }
		reason, isReason := strings.CutPrefix(line, "    reason: ")
		switch {
		case strings.HasPrefix(line, "## "):
			chapter = line[3:]
		case line == "" || line[0] == '#':
		case isReason && len(all) > 0:
			r := &all[len(all)-1]
			if !slices.Contains(excusable, r.ID) {
				return nil, refuse(r.ID + " may have no reason: it needs a test")
			}
			r.Reason = reason
		default:
			parts := strings.Split(line, " | ")
			if len(parts) != 3 || parts[0] != "R"+strconv.Itoa(len(all)+1) {
				return nil, refuse(fmt.Sprintf("want R%d | clause | text", len(all)+1))
			}
			all = append(all, Requirement{ID: parts[0], Chapter: chapter, Clause: parts[1], Text: parts[2]})
		}
	}
	return all, nil
}

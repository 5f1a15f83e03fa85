package main

import (
	"fmt"
	"io/fs"
	"strings"
)

// equivalentsFile lists mutants that no test can kill, because they mean the same as the original, each with its proof.
const equivalentsFile = "internal/mutate/equivalent.txt"

// equivalents are mutants by file, line before and line after. Numbers of lines move, and are not part of it.
type equivalents map[[3]string]bool

func (e equivalents) has(m mutant) bool {
	before, after := m.lines()
	return e[[3]string{m.file, before, after}]
}

// readEquivalents reads the list: blocks of four lines, apart by empty ones.
//
//	mka/kay.go
//	- the line
//	+ the line of the mutant, or nothing
//	= why nothing can tell the one from the other
//
// An entry that is no mutant of the module is an error: the code that it was about has changed, and it proves nothing.
func readEquivalents(module fs.FS, all []mutant) (equivalents, error) {
	text, err := fs.ReadFile(module, equivalentsFile)
	if err != nil {
		return nil, err
	}
	there, dirs := equivalents{}, map[string]bool{}
	for _, m := range all {
		before, after := m.lines()
		there[[3]string{m.file, before, after}] = true
		dirs[m.file] = true
	}
	listed := equivalents{}
	for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		lines := strings.Split(block, "\n")
		if strings.HasPrefix(block, "#") {
			continue
		}
		if len(lines) < 4 || !strings.HasPrefix(lines[1], "- ") || !strings.HasPrefix(lines[2], "+") || !strings.HasPrefix(lines[3], "= ") {
			return nil, fmt.Errorf("%s: want file, - line, + line and = proof in %q", equivalentsFile, block)
		}
		entry := [3]string{lines[0], lines[1][2:], strings.TrimSpace(lines[2][1:])}
		if dirs[lines[0]] && !there[entry] {
			return nil, fmt.Errorf("%s: %s has no such mutant (any more): %s", equivalentsFile, lines[0], entry[2])
		}
		listed[entry] = true
	}
	return listed, nil
}

package conformance

import (
	"fmt"
	"strings"
)

// Document is where the table is, from the root of the module.
const Document = "docs/conformance.md"

// What the last column of the table may say beside the names of tests that failed.
const (
	Passed  = "passed"
	InGuest = "by `make test-guest`"
	NotRun  = "not run"
	NoTest  = "–"
)

// Results are the last column of the table by requirement, and When the line that tells of the run.
type Results struct {
	When string
	Of   map[string]string
}

const title = `# Conformance

What the standards require, the tests that show it, and what became of them when they were last run. Written by
` + "`make conformance`" + `; the requirements stand in [requirements.txt](../` + File + `), in our own
words. A test names the requirement that it shows in its comment. Tests named TestGuest… run in guests that have macsec.

`

// whenPrefix begins the line that tells of the run.
const whenPrefix = "Last run: "

// Run tells of a run of all tests on a day.
func Run(day, system string) string { return whenPrefix + day + ", " + system + "." }

// Again tells of another run, of some, after the one before.
func Again(before, day string) string {
	before, _, _ = strings.Cut(before, " Some again")
	return before + " Some again: " + day + "."
}

// Render writes the document.
func Render(requirements []Requirement, tests map[string][]Test, r Results) string {
	var b strings.Builder
	b.WriteString(title + r.When + "\n")
	chapter := ""
	for _, q := range requirements {
		if q.Chapter != chapter {
			chapter = q.Chapter
			fmt.Fprintf(&b, "\n## %s\n\n| | requirement | clause | tests | last run |\n|---|---|---|---|---|\n", chapter)
		}
		text := q.Text
		if q.Reason != "" {
			text += ". *Without a test: " + q.Reason + "*"
		}
		result := r.Of[q.ID]
		if result == "" {
			result = NotRun
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", q.ID, text, q.Clause, named(tests[q.ID]), result)
	}
	return b.String()
}

// named lists tests by package.
func named(tests []Test) string {
	if len(tests) == 0 {
		return "–"
	}
	var b strings.Builder
	for i, t := range tests {
		switch {
		case i == 0:
			b.WriteString(t.Package + ": ")
		case t.Package != tests[i-1].Package:
			b.WriteString("; " + t.Package + ": ")
		default:
			b.WriteString(", ")
		}
		b.WriteString("`" + t.Name + "`")
	}
	return b.String()
}

// Read takes the results, and the tests that they are of, from a document: what Render has written.
func Read(document string) (r Results, testsOf map[string]string) {
	r.Of, testsOf = map[string]string{}, map[string]string{}
	for line := range strings.Lines(document) {
		if strings.HasPrefix(line, whenPrefix) {
			r.When = strings.TrimSpace(line)
		}
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) == 5 && strings.HasPrefix(cells[0], "| R") {
			id := strings.TrimPrefix(cells[0], "| ")
			testsOf[id], r.Of[id] = cells[3], strings.TrimSuffix(cells[4], " |")
		}
	}
	return r, testsOf
}

// Good reports whether the results are what a build may have: everything passed, or is run elsewhere.
func (r Results) Good(q Requirement) bool {
	switch result := r.Of[q.ID]; result {
	case Passed, InGuest, Passed + "; " + InGuest:
		return true
	case NoTest:
		return q.Reason != ""
	}
	return false
}

// Of tells the result of a requirement by those of its tests: passed are those that did, by package and name.
func Of(tests []Test, passed map[string]bool) string {
	var failed []string
	here, guest := 0, 0
	for _, t := range tests {
		switch {
		case t.Guest:
			guest++
		case passed[t.Key()]:
			here++
		default:
			failed = append(failed, "`"+t.Name+"`")
		}
	}
	switch {
	case len(failed) > 0:
		return "FAILED: " + strings.Join(failed, ", ")
	case here > 0 && guest > 0:
		return Passed + "; " + InGuest
	case guest > 0:
		return InGuest
	case here > 0:
		return Passed
	}
	return NoTest
}

// Key names the test in a map.
func (t Test) Key() string { return t.Package + "." + t.Name }

// Stale lists the requirements whose row in the document is not of the tests that there are now.
func Stale(requirements []Requirement, tests map[string][]Test, document string) (ids []string) {
	_, testsOf := Read(document)
	for _, q := range requirements {
		if testsOf[q.ID] != named(tests[q.ID]) {
			ids = append(ids, q.ID)
		}
	}
	return ids
}

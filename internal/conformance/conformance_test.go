package conformance

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// ofModule reads the requirements and the tests of this module.
func ofModule(t *testing.T) ([]Requirement, map[string][]Test) {
	t.Helper()
	module := os.DirFS("../..")
	requirements, err := Requirements(module)
	if err != nil {
		t.Fatal(err)
	}
	tests, err := Tests(module)
	if err != nil {
		t.Fatal(err)
	}
	return requirements, tests
}

// Clause: none; nothing that the standards require is forgotten
func TestEveryRequirementHasATestOrAReason(t *testing.T) {
	requirements, tests := ofModule(t)
	if len(requirements) != 123 { // 114 of the reference, and nine that stand beyond
		t.Errorf("%d requirements, want 123", len(requirements))
	}
	for _, p := range Problems(requirements, tests) {
		t.Error(p)
	}
}

// Clause: none; the document is of the tests that there are, and all of them have passed when they were last run
func TestDocumentIsOfTheTestsThatThereAre(t *testing.T) {
	requirements, tests := ofModule(t)
	text, err := os.ReadFile("../../" + Document)
	if err != nil {
		t.Fatalf("%v; make conformance writes it", err)
	}
	if stale := Stale(requirements, tests, string(text)); len(stale) > 0 {
		t.Errorf("%s has other tests of %v than there are: make conformance ONLY=changed", Document, stale)
	}
	results, _ := Read(string(text))
	if Render(requirements, tests, results) != string(text) {
		t.Errorf("%s is not what its results and the requirements make: make conformance", Document)
	}
	for _, q := range requirements {
		if !results.Good(q) {
			t.Errorf("%s: %s says %q", q.ID, Document, results.Of[q.ID])
		}
	}
}

// small is a module with two requirements and a test.
func small(requirements, source string) fstest.MapFS {
	return fstest.MapFS{
		File:              {Data: []byte("# Comment\n\n## One\n" + requirements)},
		"p/p_test.go":     {Data: []byte("package p\n\n" + source)},
		"p/p.go":          {Data: []byte("package p\n")},
		"testdata/bad.go": {Data: []byte("not Go")},
	}
}

// Clause: none; the tags decide what the document says
func TestTagsAreReadFromComments(t *testing.T) {
	for name, c := range map[string]struct {
		source string
		want   string // tests of R1
		err    string
	}{
		"one":              {"// Clause: 1\n// Requirement: R1\nfunc TestA(t *testing.T) {}", "p: `TestA`", ""},
		"two of a test":    {"// Requirement: R2, R1\nfunc TestA(t *testing.T) {}", "p: `TestA`", ""},
		"in order":         {"// Requirement: R1\nfunc TestB(t *testing.T) {}\n// Requirement: R1\nfunc TestA(t *testing.T) {}", "p: `TestA`, `TestB`", ""},
		"a fuzz target":    {"// Requirement: R1\nfunc FuzzA(f *testing.F) {}", "p: `FuzzA`", ""},
		"none in a clause": {"// Clause: 1 (R1)\nfunc TestA(t *testing.T) {}", "–", ""},
		"no test":          {"// Requirement: R1\nfunc helper() {}", "", "helper shows R1, and is no test"},
		"inside a body":    {"func TestA(t *testing.T) {\n// Requirement: R1\n}", "–", ""},
	} {
		t.Run(name, func(t *testing.T) {
			tests, err := Tests(small("R1 | 1 | a\n", c.source))
			if got := errorText(err); !strings.Contains(got, c.err) || (err == nil) != (c.err == "") {
				t.Fatalf("error %q, want %q", got, c.err)
			}
			if got := named(tests["R1"]); err == nil && got != c.want {
				t.Errorf("tests %q, want %q", got, c.want)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Clause: none; tests that need a guest are told from those that run here
func TestGuestTestsAreKnown(t *testing.T) {
	source := "package p\n\n// Requirement: R1\nfunc TestA(t *testing.T) {}"
	for name, want := range map[string]bool{"a/a_test.go": false, "internal/guest/link/a_test.go": true} {
		tests, err := Tests(fstest.MapFS{name: {Data: []byte(source)}})
		if err != nil || len(tests["R1"]) != 1 || tests["R1"][0].Guest != want {
			t.Errorf("%s: %+v, %v; want guest %t", name, tests["R1"], err, want)
		}
	}
	for tag, want := range map[string]bool{"guest": true, "!race": false, "linux": false, "guest && linux": true} {
		tests, err := Tests(fstest.MapFS{"a/a_test.go": {Data: []byte("//go:build " + tag + "\n\n" + source)}})
		if err != nil || len(tests["R1"]) != 1 || tests["R1"][0].Guest != want {
			t.Errorf("%s: %+v, %v; want guest %t", tag, tests["R1"], err, want)
		}
	}
}

// Clause: none; a list that has lost a requirement, or excuses one, is refused
func TestBadRequirementsAreRefusedWithTheirLine(t *testing.T) {
	for name, c := range map[string]struct{ list, want string }{
		"one is left out":        {"R1 | 1 | a\nR3 | 1 | c\n", ":5: want R2 | clause | text"},
		"no clause":              {"R1 | a\n", ":4: want R1 | clause | text"},
		"a reason for R1":        {"R1 | 1 | a\n    reason: none\n", ":5: R1 may have no reason"},
		"a reason for something": {"    reason: none\n", ":4: want R1 | clause | text"},
	} {
		if _, err := Requirements(small(c.list, "")); !strings.Contains(errorText(err), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// Clause: none; what has neither test nor reason, and what does not exist, is named
func TestProblemsAreNamed(t *testing.T) {
	requirements := []Requirement{{ID: "R1"}, {ID: "R2", Reason: "none"}, {ID: "R3"}}
	got := Problems(requirements, map[string][]Test{"R3": {{"p", "TestA", false}}, "R9": {{"p", "TestB", false}}})
	if len(got) != 2 || !strings.HasPrefix(got[0], "R1 has no test") || !strings.Contains(got[1], `TestB in p shows "R9"`) {
		t.Errorf("problems %q", got)
	}
}

// Clause: none; a result is as good as the worst of the tests
func TestResultIsOfAllTests(t *testing.T) {
	here, guest, bad := Test{"p", "TestA", false}, Test{"g", "TestGuestB", true}, Test{"p", "TestC", false}
	passed := map[string]bool{"p.TestA": true, "q.TestC": true}
	for _, c := range []struct {
		tests []Test
		want  string
		good  bool
	}{
		{[]Test{here}, "passed", true},
		{[]Test{here, guest}, "passed; by `make test-guest`", true},
		{[]Test{guest}, "by `make test-guest`", true},
		{[]Test{here, bad}, "FAILED: `TestC`", false},
		{nil, "–", false},
	} {
		r := Results{Of: map[string]string{"R1": Of(c.tests, passed)}}
		if got := r.Of["R1"]; got != c.want || r.Good(Requirement{ID: "R1"}) != c.good {
			t.Errorf("%v: %q, good %t; want %q, %t", c.tests, got, r.Good(Requirement{ID: "R1"}), c.want, c.good)
		}
	}
	if r := (Results{Of: map[string]string{"R1": NoTest}}); !r.Good(Requirement{ID: "R1", Reason: "none"}) {
		t.Error("a requirement with a reason needs a test")
	}
	if r := (Results{Of: map[string]string{}}); r.Good(Requirement{ID: "R1"}) {
		t.Error("what was not run is good")
	}
}

// Clause: none; what was written is read again, and a row of other tests is found
func TestDocumentIsReadAgain(t *testing.T) {
	requirements := []Requirement{{ID: "R1", Chapter: "One", Clause: "9.4", Text: "a"}, {ID: "R2", Chapter: "One", Clause: "9.5", Text: "b"}}
	tests := map[string][]Test{"R1": {{"p", "TestA", false}, {"p", "TestB", false}, {"q", "TestC", false}}, "R2": {{"p", "TestD", false}}}
	results := Results{When: Run("2026-11-25", "go1.26 linux/amd64"), Of: map[string]string{"R1": Passed, "R2": "FAILED: `TestD`"}}
	text := Render(requirements, tests, results)
	if want := "| R1 | a | 9.4 | p: `TestA`, `TestB`; q: `TestC` | passed |\n"; !strings.Contains(text, want) {
		t.Errorf("document\n%s\nwithout %s", text, want)
	}
	again, _ := Read(text)
	if Render(requirements, tests, again) != text || again.When != results.When {
		t.Errorf("read again:\n%s", Render(requirements, tests, again))
	}
	if got, want := Again(Again(again.When, "2026-11-26"), "2026-11-27"), results.When+" Some again: 2026-11-27."; got != want {
		t.Errorf("told as %q, want %q", got, want)
	}
	tests["R2"] = append(tests["R2"], Test{"p", "TestE", false})
	if got := Stale(requirements, tests, text); !slices.Equal(got, []string{"R2"}) {
		t.Errorf("stale are %v, want R2", got)
	}
}

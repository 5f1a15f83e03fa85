package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// body is the text of a file with one function.
func body(statements string) []byte {
	return []byte("package p\n\nfunc f() {\n" + statements + "\n}\n")
}

// Clause: none; what is mutated decides what the kill rate means
func TestMutantsOfAStatement(t *testing.T) {
	tests := map[string]struct {
		statement string
		want      []string // the statement, altered
	}{
		"a comparison turns":            {"ok = a == b", []string{"ok = a != b", ""}},
		"an order moves its bound":      {"ok = a < b", []string{"ok = a <= b", "ok = a > b", ""}},
		"a condition is negated":        {"if f() {\n}", []string{"if !(f()) {\n}"}},
		"a negation is dropped":         {"if !ok {\n}", []string{"if ok {\n}"}},
		"both ways of a conjunction":    {"if a && b {\n}", []string{"if a || b {\n}", "if !(a && b) {\n}"}},
		"a case is negated":             {"switch {\ncase a:\n}", []string{"switch {\ncase !(a):\n}"}},
		"a constant is one off":         {"x := 3", []string{"x := 4"}},
		"a hexadecimal one too":         {"x := 0xff", []string{"x := 256"}},
		"truth turns":                   {"x := true", []string{"x := false"}},
		"a call is left out":            {"g()", []string{""}},
		"a declaration stays":           {"x := g()", nil},
		"a return stays":                {"return", nil},
		"a panic stays":                 {`panic("impossible")`, nil},
		"a loop goes on or not":         {"for {\nbreak\n}", []string{"for {\n\n}"}},
		"a statement of a case goes":    {"switch x {\ncase y:\ng()\n}", []string{"switch x {\ncase y:\n\n}"}},
		"arithmetic and bits":           {"x := a + b&c", []string{"x := a - b&c", "x := a + b|c"}},
		"text is no number":             {`x := "1"`, nil},
		"a shift goes the other way":    {"x := a << b", []string{"x := a >> b"}},
		"an exclusion keeps the masked": {"x := a &^ b", []string{"x := a & b"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			found, err := mutants("p.go", body(test.statement))
			if err != nil {
				t.Fatal(err)
			}
			var want, got []string
			for _, w := range test.want {
				want = append(want, string(body(w)))
			}
			for _, m := range found {
				got = append(got, string(m.text()))
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// Clause: none; a kill rate must be found again by its seed
func TestSeedChoosesTheSameMutantsAgain(t *testing.T) {
	all, err := load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	places := func(seed int) (p []string) {
		for _, m := range choose(all, options{seed: seed})[:50] {
			p = append(p, m.diff())
		}
		return p
	}
	if !slices.Equal(places(1), places(1)) || slices.Equal(places(1), places(2)) {
		t.Error("the seed does not decide the choice")
	}
}

// module makes a module with the four packages, of which keyderive has code, and goes there.
func module(t *testing.T, code, test string) {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{"go.mod": "module mkad\n\ngo 1.26\n", "keyderive/k.go": code, "keyderive/k_test.go": test}
	for _, p := range []string{"mka", "eapol", "secy"} {
		files[p+"/p.go"] = "package " + p + "\n"
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

const (
	small = `package keyderive

func Small(n int) bool { return n < 3 }
`
	smallTest = `package keyderive

import "testing"

func TestSmall(t *testing.T) {
	if !Small(0) || Small(9) {
		t.Error("wrong")
	}
}
`
)

// Clause: none; mutants are judged by the tests of their package, in a tree that stays as it is
func TestJudge(t *testing.T) {
	module(t, small, smallTest)
	all, err := load(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]verdict{"<=": survived, ">": killed, "4": survived}
	for _, m := range all {
		v, err := judge(t.Context(), t.TempDir(), m)
		if w, known := want[m.with]; !known || v != w || err != nil {
			t.Errorf("%q: %s (%v), want %s", m.with, v, err, w)
		}
		delete(want, m.with)
	}
	if len(want) > 0 {
		t.Errorf("not found: %v", want)
	}
	nonsense := all[0]
	nonsense.with = "nonsense"
	if v, err := judge(t.Context(), t.TempDir(), nonsense); v != broken || err != nil {
		t.Errorf("what does not compile: %s (%v)", v, err)
	}
	if got, err := os.ReadFile("keyderive/k.go"); err != nil || string(got) != small {
		t.Errorf("the tree holds\n%s(%v)", got, err)
	}
}

// Clause: none; the rate is of the mutants that compile, and the goal decides
func TestRunCountsWhatItJudged(t *testing.T) {
	module(t, small, smallTest)
	all, err := load(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	r := judgeAll(t.Context(), t.TempDir(), choose(all, options{seed: 1}), options{n: len(all), parallel: 2})
	if r.judged() != 3 || len(r.survivors) != 2 || r.rate() < 33 || r.rate() > 34 {
		t.Errorf("%d judged, %d survived, %.1f %%", r.judged(), len(r.survivors), r.rate())
	}
}

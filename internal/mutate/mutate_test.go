package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
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
	all, err := load(os.DirFS("../.."), packages)
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

const limit = 7

func Small(n int) bool { return n < 3 }

func (number) Zero(a, _ int, more ...int) int { return a * 0 }

type number int

func (n number) Add(more ...int) (sum int) {
	sum = int(n)
	for _, m := range more {
		sum += m
	}
	return sum
}
`
	smallTest = `package keyderive

import "testing"

func TestSmall(t *testing.T) {
	if !Small(0) || Small(9) || number(1).Add(2) != 3 {
		t.Error("wrong")
	}
}
`
)

// judging is a judge of the module where the test is, with all its mutants woven.
func judging(t *testing.T) (judge, []mutant) {
	t.Helper()
	all, err := load(os.DirFS("."), packages[2:3])
	if err != nil {
		t.Fatal(err)
	}
	j := judge{dir: t.TempDir(), targets: []target{{"keyderive", [][]string{{"./keyderive"}}}}}
	if err := j.weave(t.Context(), all, len(all)); err != nil {
		t.Fatal(err)
	}
	if err := j.sound(t.Context()); err != nil {
		t.Fatal(err)
	}
	return j, all
}

// Clause: none; mutants are judged by the tests of their package, in a tree that stays as it is; the rate is of those
// that compile
func TestMutantsAreJudgedByTheirTests(t *testing.T) {
	module(t, small, smallTest)
	j, all := judging(t)
	want := map[string]verdict{
		"func Small(n int) bool { return n <= 3 }":                       survived,
		"func Small(n int) bool { return n > 3 }":                        killed,
		"func Small(n int) bool { return n < 4 }":                        survived,
		"func (number) Zero(a, _ int, more ...int) int { return a / 0 }": broken, // not woven: it cannot be called
		"func (number) Zero(a, _ int, more ...int) int { return a * 1 }": survived,
		"sum += m deleted":     broken, // woven: m is not used
		"sum = int(n) deleted": killed,
		"const limit = 8":      survived, // not woven: it is in no function
	}
	for _, m := range all {
		before, after := m.lines()
		if after == "" {
			after = before + " deleted"
		}
		v, known := want[after]
		got, by, err := j.one(t.Context(), t.TempDir(), m)
		if !known || got != v || err != nil || (by == " by TestSmall") != (v == killed) {
			t.Errorf("%q: %s%s (%v), want %s", after, got, by, err, v)
		}
		delete(want, after)
	}
	if len(want) > 0 {
		t.Errorf("not found: %v", want)
	}
	if got, err := os.ReadFile("keyderive/k.go"); err != nil || string(got) != small {
		t.Errorf("the tree holds\n%s(%v)", got, err)
	}
	r := j.all(t.Context(), choose(all, options{seed: 1}), options{n: len(all), parallel: 2})
	if r.count[survived] == 0 || r.count[killed] == 0 || r.count[broken] == 0 || r.begun != len(all) ||
		r.count[survived] != len(r.survivors) || r.judged()+r.count[broken] != len(all) {
		t.Errorf("of %d: %+v", len(all), r)
	}
}

// Clause: none; a run in portions judges what one run judges, each mutant once
func TestPortionsMakeTheWhole(t *testing.T) {
	all, err := load(os.DirFS("../.."), packages)
	if err != nil {
		t.Fatal(err)
	}
	whole := choose(all, options{seed: 1})
	for _, from := range []int{0, 1, 40, len(all), len(all) + 1} {
		portion := choose(all, options{seed: 1, from: from})
		if len(portion) != max(len(whole)-from, 0) || len(portion) > 0 && portion[0].diff() != whole[from].diff() {
			t.Errorf("from %d: %d of %d", from, len(portion), len(whole))
		}
	}
	j := judge{dir: t.TempDir(), targets: packages}
	if r := j.all(t.Context(), whole, options{n: 10, parallel: 1, limit: 1}); r.begun != 0 {
		t.Errorf("%d begun after the time was up", r.begun)
	}
}

// Clause: none; a mutant that is proved to mean the same does not count, and one that a test kills is a mistake
func TestEquivalentMutantsDoNotCount(t *testing.T) {
	found, err := mutants("p.go", body("ok = a < b"))
	if err != nil {
		t.Fatal(err)
	}
	same := equivalents{{"p.go", "ok = a < b", "ok = a <= b"}: true}
	var r report
	for _, v := range []verdict{survived, killed} {
		for _, m := range found {
			r.note(m, v, "", nil, same.has(m))
		}
	}
	if len(found) != 3 || len(r.same) != 1 || len(r.survivors) != 2 || r.count[killed] != 3 || len(r.mistakes) != 1 ||
		r.mistakes[0].with != "<=" || r.rate() != 60 {
		t.Errorf("%d the same, %d survived, %d killed, mistakes %v, %.1f %%", len(r.same), len(r.survivors), r.count[killed],
			r.mistakes, r.rate())
	}
}

// Clause: none; a proof of code that is gone proves nothing
func TestListOfEquivalentsIsRead(t *testing.T) {
	all, err := mutants("p.go", body("ok = a < b"))
	if err != nil {
		t.Fatal(err)
	}
	const good = "p.go\n- ok = a < b\n+ ok = a <= b\n= they are never equal"
	for text, want := range map[string]string{
		"# a comment\n\n" + good: "",
		"other/q.go\n- x\n+ y\n= of a package that is not mutated now": "",
		strings.Replace(good, "<=", ">=", 1):                           "no such mutant",
		strings.Replace(good, "= they", "they", 1):                     "want file",
	} {
		e, err := readEquivalents(fstest.MapFS{equivalentsFile: {Data: []byte(text)}}, all)
		if got := fmt.Sprint(err); (want == "") != (err == nil) || !strings.Contains(got, want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		if strings.Contains(text, good) {
			n := 0
			for _, m := range all {
				if e.has(m) {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%d mutants are listed, want 1", n)
			}
		}
	}
	module := os.DirFS("../..")
	if all, err = load(module, packages); err == nil {
		_, err = readEquivalents(module, all)
	}
	if err != nil {
		t.Error(err)
	}
}

// Clause: none; the conformance suite is the tests that are tagged, and no other
func TestSuiteOfConformanceIsTheTaggedTests(t *testing.T) {
	targets, err := targetsOf(os.DirFS("../.."), options{in: "mka", suite: "conformance"})
	if err != nil || len(targets) != 1 || targets[0].dir != "mka" || len(targets[0].tests) != 2 {
		t.Fatalf("targets %v, %v", targets, err)
	}
	run := targets[0].tests[0][1]
	if !strings.Contains(run, "|TestSilentLivePeerIsLostAfterLifeTime|") || strings.Contains(run, "TestSteadyHellosAllocateNothing") {
		t.Errorf("it runs %s", run)
	}
	if _, err := targetsOf(os.DirFS("../.."), options{in: "mak"}); err == nil {
		t.Error("a package that is none is mutated")
	}
}

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"mkad/internal/conformance"
)

// A target is a package that is mutated, with the tests that answer for it, as arguments of go test: its own first, then
// those of the packages above it that know what it is to do. Those that take long come last, for most mutants do not live
// to see them.
type target struct {
	dir   string
	tests [][]string
}

// slow matches the tests of mka that take seconds.
const slow = "TenThousand|AfterTrouble|OneSeed|RestartInEveryStep|RestartsInARow"

var (
	quick = []string{"-skip", slow, "./mka"}
	long  = []string{"-run", slow, "./mka"}
)

var packages = []target{
	{"mka", [][]string{quick, long}},
	{"eapol", [][]string{{"./eapol"}, quick, long}},
	{"keyderive", [][]string{{"./keyderive"}, {"./secy", "./eapol"}, quick}},
	{"secy", [][]string{{"./secy"}, quick}},
}

// testTime is what the tests of one package may take; a mutant that makes them go on for ever is killed by it. It is ten
// times what they take: on a busy machine, time must not kill one that they let live.
const testTime = 180 * time.Second

type verdict uint8

const (
	killed verdict = iota
	survived
	broken // it does not compile
	unjudged
)

// String is the verdict in a word.
func (v verdict) String() string {
	return [...]string{"killed", "SURVIVED", "does not compile", "not judged"}[v]
}

// A judge runs tests on mutants.
type judge struct {
	dir     string // for what is altered
	targets []target
	same    equivalents
	woven   *weave
}

// targetsOf are the packages to mutate, with the tests that are to notice.
func targetsOf(module fs.FS, o options) (chosen []target, err error) {
	for _, p := range packages {
		if o.in == "" || slices.Contains(strings.Split(o.in, ","), p.dir) {
			chosen = append(chosen, p)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no package of %q is one that is mutated", o.in)
	}
	if o.suite != "conformance" {
		return chosen, nil
	}
	suite, err := conformanceTests(module)
	for i := range chosen {
		chosen[i].tests = suite
	}
	return chosen, err
}

// conformanceTests are those of package mka that show a requirement of the standards.
func conformanceTests(module fs.FS) ([][]string, error) {
	tests, err := conformance.Tests(module)
	var names []string
	for _, of := range tests {
		for _, t := range of {
			if t.Package == "mka" && !slices.Contains(names, t.Name) {
				names = append(names, t.Name)
			}
		}
	}
	slices.Sort(names)
	suite := "^(" + strings.Join(names, "|") + ")$"
	return [][]string{{"-run", suite, "-skip", slow, "./mka"}, {"-run", suiteOf(names, slow), "./mka"}}, err
}

// suiteOf is the pattern of those names that match.
func suiteOf(names []string, pattern string) string {
	matches := regexp.MustCompile(pattern)
	return "^(" + strings.Join(slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !matches.MatchString(n) }), "|") + ")$"
}

// sound wants the tests to pass on what is not mutated: nothing could be told from their failure otherwise.
func (j judge) sound(ctx context.Context) error {
	for _, p := range j.targets {
		if out, err := j.woven.test(ctx, 0, p.tests[0]); err != nil {
			return fmt.Errorf("the tests fail on the tree itself:\n%s", out)
		}
	}
	return ctx.Err()
}

// weave builds the tests with as many of the mutants as are likely to be judged.
func (j *judge) weave(ctx context.Context, chosen []mutant, n int) (err error) {
	dir := filepath.Join(j.dir, "woven")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	j.woven, err = newWeave(ctx, dir, j.targets, chosen[:min(len(chosen), n+n/4)])
	return err
}

// one runs the tests that answer for the mutant, until one fails, and names that.
func (j judge) one(ctx context.Context, dir string, m mutant) (v verdict, by string, err error) {
	number, isWoven := j.woven.number[m.key()]
	if j.woven.broken[m.key()] {
		return broken, "", nil
	}
	overlay, err := writeOverlay(dir, m)
	if err != nil {
		return unjudged, "", err
	}
	for _, tests := range j.targetOf(m).tests {
		var out []byte
		if isWoven {
			out, err = j.woven.test(ctx, number, tests)
		} else {
			out, err = goTest(ctx, overlay, tests...)
		}
		switch {
		case ctx.Err() != nil:
			return unjudged, "", nil
		case err == nil:
			continue
		case bytes.Contains(out, []byte("[build failed]")):
			return broken, "", nil
		case !errors.As(err, new(*exec.ExitError)):
			return unjudged, "", err
		}
		return killed, killer(out), nil
	}
	return survived, "", nil
}

var failed = regexp.MustCompile(`(?m)^--- FAIL: (\w+)|^panic: test timed out`)

// killer is the test that failed by the output of a test binary; empty if the mutant took that down before it could say.
func killer(out []byte) string {
	match := failed.FindSubmatch(out)
	if match == nil {
		return ""
	}
	return " by " + cmp.Or(string(match[1]), "time")
}

func (j judge) targetOf(m mutant) target {
	for _, p := range j.targets {
		if p.dir == filepath.Dir(m.file) {
			return p
		}
	}
	panic("mutate: " + m.file + " is in no package")
}

// writeOverlay writes the altered file into dir, and what makes the go command take it for the one of the tree.
func writeOverlay(dir string, m mutant) (string, error) {
	original, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	altered, overlay := filepath.Join(dir, "altered.go"), filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{original: altered}})
	if err != nil {
		return "", err
	}
	return overlay, errors.Join(os.WriteFile(altered, m.text(), 0o600), os.WriteFile(overlay, text, 0o600))
}

// goTest runs tests, and ends all that it started when ctx ends: a test binary would outlive its go command.
func goTest(ctx context.Context, overlay string, tests ...string) ([]byte, error) {
	args := []string{"test", "-vet=off", "-failfast", "-ldflags=-s -w", "-timeout", testTime.String(), "-overlay", overlay}
	args = append(args, tests...)
	c := exec.CommandContext(ctx, "go", append(args, leavesNothing(tests[len(tests)-1])...)...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	return c.CombinedOutput()
}

// A report is what has been found out so far.
type report struct {
	count     [unjudged]int
	survivors []mutant
	same      []mutant // survivors that are proved to mean the same
	mistakes  []mutant // those that are listed to mean the same, and were killed
	begun     int      // of those that were chosen
	wanted    int
}

// all judges the mutants in their order until as many as wanted compile, or time is up, several at once.
func (j judge) all(ctx context.Context, chosen []mutant, o options) *report {
	r := &report{wanted: o.n}
	end := time.Now().Add(o.limit)
	var lock sync.Mutex
	judging := 0
	take := func() (m mutant, ok bool) {
		lock.Lock()
		defer lock.Unlock()
		inTime := o.limit == 0 || time.Now().Before(end)
		if ok = r.begun < len(chosen) && r.judged()+judging < o.n && ctx.Err() == nil && inTime; ok {
			m = chosen[r.begun]
			r.begun++
			judging++
		}
		return m, ok
	}
	var working sync.WaitGroup
	for i := range o.parallel {
		working.Go(func() {
			own := filepath.Join(j.dir, strconv.Itoa(i))
			if err := os.Mkdir(own, 0o700); err != nil {
				fmt.Fprintln(os.Stderr, "mutate:", err)
				return
			}
			for m, ok := take(); ok; m, ok = take() {
				v, by, err := j.one(ctx, own, m)
				lock.Lock()
				judging--
				r.note(m, v, by, err, j.same.has(m))
				lock.Unlock()
			}
		})
	}
	working.Wait()
	return r
}

// judged is the number of mutants that tell something.
func (r *report) judged() int { return r.count[killed] + r.count[survived] }

// note counts the verdict on a mutant, with the test that killed it; same: it is listed to mean the same as the original.
func (r *report) note(m mutant, v verdict, by string, err error, same bool) {
	place := m.place()
	switch {
	case v == unjudged:
		fmt.Fprintln(os.Stderr, "mutate: not judged:", place, err)
		return
	case v == survived && same:
		r.same = append(r.same, m)
		fmt.Printf("means the same  %s\n", place)
		return
	case v == survived:
		r.survivors = append(r.survivors, m)
		place = m.diff()
	case v == killed && same:
		r.mistakes = append(r.mistakes, m)
	}
	r.count[v]++
	fmt.Printf("%d of %d  %s%s  %s\n", r.judged(), r.wanted, v, by, place)
}

// rate is how many percent of the mutants were killed.
func (r *report) rate() float64 { return 100 * float64(r.count[killed]) / float64(max(r.judged(), 1)) }

func (r *report) print(took time.Duration, from int) {
	for _, m := range r.survivors {
		fmt.Println("survived:", m.diff())
	}
	for _, m := range r.mistakes {
		fmt.Println("killed, though "+equivalentsFile+" says that it means the same:", m.diff())
	}
	fmt.Printf("%d of %d mutants killed: %.1f %%, in %v; %d more mean the same, %d did not compile; go on with -from %d\n",
		r.count[killed], r.judged(), r.rate(), took, len(r.same), r.count[broken], from+r.begun)
}

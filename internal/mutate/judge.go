package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// A target is a package that is mutated, with the tests that answer for it, as arguments of go test: its own first, then
// those of the packages above it that know what it is to do. Those that take long come last, for most mutants do not live
// to see them.
type target struct {
	dir   string
	tests [][]string
}

var (
	quick = []string{"-skip", "TenThousand", "./mka"}
	long  = []string{"-run", "TenThousand", "./mka"}
)

var packages = []target{
	{"mka", [][]string{quick, long}},
	{"eapol", [][]string{{"./eapol"}, quick, long}},
	{"keyderive", [][]string{{"./keyderive"}, {"./secy", "./eapol"}, quick}},
	{"secy", [][]string{{"./secy"}, quick}},
}

// testTime is what the tests of one package may take; a mutant that makes them go on for ever is killed by it.
const testTime = 60 * time.Second

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

// sound wants the tests to pass on what is not mutated: nothing could be told from their failure otherwise.
func sound(ctx context.Context, dir string) error {
	for _, p := range packages {
		if out, err := goTest(ctx, filepath.Join(dir, "none"), p.tests[0]...); err != nil {
			return fmt.Errorf("the tests fail on the tree itself:\n%s", out)
		}
	}
	return ctx.Err()
}

// judge runs the tests that answer for the mutant, until one fails.
func judge(ctx context.Context, dir string, m mutant) (verdict, error) {
	overlay, err := writeOverlay(dir, m)
	if err != nil {
		return unjudged, err
	}
	for _, tests := range targetOf(m).tests {
		out, err := goTest(ctx, overlay, tests...)
		switch {
		case ctx.Err() != nil:
			return unjudged, nil
		case err == nil:
			continue
		case bytes.Contains(out, []byte("[build failed]")):
			return broken, nil
		case !errors.As(err, new(*exec.ExitError)):
			return unjudged, err
		}
		return killed, nil
	}
	return survived, nil
}

func targetOf(m mutant) target {
	for _, p := range packages {
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
	args := []string{"test", "-vet=off", "-failfast", "-ldflags=-s -w", "-timeout", testTime.String()}
	if _, err := os.Stat(overlay); err == nil {
		args = append(args, "-overlay", overlay)
	}
	c := exec.CommandContext(ctx, "go", append(args, tests...)...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	return c.CombinedOutput()
}

// A report is what has been found out so far.
type report struct {
	count     [unjudged]int
	survivors []mutant
	wanted    int
}

// judgeAll judges the mutants in their order until as many as wanted compile, several at once.
func judgeAll(ctx context.Context, dir string, chosen []mutant, o options) *report {
	r := &report{wanted: o.n}
	var lock sync.Mutex
	next, judging := 0, 0
	take := func() (m mutant, ok bool) {
		lock.Lock()
		defer lock.Unlock()
		if ok = next < len(chosen) && r.judged()+judging < o.n && ctx.Err() == nil; ok {
			m = chosen[next]
			next++
			judging++
		}
		return m, ok
	}
	var working sync.WaitGroup
	for i := range o.parallel {
		working.Go(func() {
			own := filepath.Join(dir, strconv.Itoa(i))
			if err := os.Mkdir(own, 0o700); err != nil {
				fmt.Fprintln(os.Stderr, "mutate:", err)
				return
			}
			for m, ok := take(); ok; m, ok = take() {
				v, err := judge(ctx, own, m)
				lock.Lock()
				judging--
				r.note(m, v, err)
				lock.Unlock()
			}
		})
	}
	working.Wait()
	return r
}

// judged is the number of mutants that tell something.
func (r *report) judged() int { return r.count[killed] + r.count[survived] }

func (r *report) note(m mutant, v verdict, err error) {
	if v == unjudged {
		fmt.Fprintln(os.Stderr, "mutate: not judged:", m.place(), err)
		return
	}
	r.count[v]++
	place := m.place()
	if v == survived {
		r.survivors = append(r.survivors, m)
		place = m.diff()
	}
	fmt.Printf("%d of %d  %s  %s\n", r.judged(), r.wanted, v, place)
}

// rate is how many percent of the mutants were killed.
func (r *report) rate() float64 { return 100 * float64(r.count[killed]) / float64(max(r.judged(), 1)) }

func (r *report) print(took time.Duration) {
	for _, m := range r.survivors {
		fmt.Println("survived:", m.diff())
	}
	fmt.Printf("%d of %d mutants killed: %.1f %%, in %v; %d more did not compile\n",
		r.count[killed], r.judged(), r.rate(), took, r.count[broken])
}

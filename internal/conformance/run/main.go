// Command run runs the tests that show what the standards require, and writes docs/conformance.md:
//
//	go run ./internal/conformance/run               # all
//	go run ./internal/conformance/run -only R45,R46 # these, and keep what the document says of the others
//	go run ./internal/conformance/run -only changed # those whose tests have changed since
//
// Exit status: 0 when every requirement has a test that passed, one that runs in a guest, or a reason.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"mkad/internal/conformance"
)

func main() {
	only := flag.String("only", "", "run the tests of these `requirements`, as in R45,R46; or of those that have changed")
	flag.Parse()
	good, err := run(*only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(2)
	}
	if !good {
		os.Exit(1)
	}
}

// run brings the document up to date, and reports whether every requirement is met.
func run(only string) (good bool, err error) {
	module := os.DirFS(".")
	requirements, err := conformance.Requirements(module)
	if err != nil {
		return false, fmt.Errorf("%w; run it where go.mod is", err)
	}
	tests, err := conformance.Tests(module)
	if err != nil {
		return false, err
	}
	if problems := conformance.Problems(requirements, tests); len(problems) > 0 {
		return false, errors.New(strings.Join(problems, "\n"))
	}
	document, err := os.ReadFile(conformance.Document)
	if err != nil && (only != "" || !errors.Is(err, os.ErrNotExist)) {
		return false, err
	}
	chosen := choose(requirements, tests, only, string(document))
	passed, err := runTests(testsOf(chosen, tests))
	if err != nil {
		return false, err
	}
	day := time.Now().UTC().Format(time.DateOnly)
	results := conformance.Results{Of: map[string]string{}}
	results.When = conformance.Run(day, fmt.Sprintf("%s %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH))
	if only != "" {
		results, _ = conformance.Read(string(document))
		results.When = conformance.Again(results.When, day)
	}
	for _, id := range chosen {
		results.Of[id] = conformance.Of(tests[id], passed)
	}
	good = tell(requirements, results)
	text := conformance.Render(requirements, tests, results)
	return good, os.WriteFile(conformance.Document, []byte(text), 0o644)
}

// choose picks the requirements whose tests are to be run.
func choose(requirements []conformance.Requirement, tests map[string][]conformance.Test, only, document string) (ids []string) {
	switch only {
	case "":
		for _, q := range requirements {
			ids = append(ids, q.ID)
		}
		return ids
	case "changed":
		return conformance.Stale(requirements, tests, document)
	}
	return strings.Split(only, ",")
}

// testsOf are the tests of the requirements that run here, by package.
func testsOf(ids []string, tests map[string][]conformance.Test) map[string][]string {
	by := map[string][]string{}
	for _, id := range ids {
		for _, t := range tests[id] {
			if !t.Guest && !slices.Contains(by[t.Package], t.Name) {
				by[t.Package] = append(by[t.Package], t.Name)
			}
		}
	}
	return by
}

// runTests runs them, a package at a time, and tells which have passed.
func runTests(by map[string][]string) (map[string]bool, error) {
	passed := map[string]bool{}
	for pkg, names := range by {
		began := time.Now()
		if err := goTest(pkg, names, passed); err != nil {
			return nil, err
		}
		fmt.Printf("%s: %d tests in %v\n", pkg, len(names), time.Since(began).Round(time.Second/10))
	}
	return passed, nil
}

// goTest runs tests of one package. That some fail is no error.
func goTest(pkg string, names []string, passed map[string]bool) error {
	wd, err := os.Getwd()
	if err != nil {
		return err
	}
	c := exec.Command("go", "test", "-count=1", "-json", "-exec", wd+"/.ci/asroot",
		"-run", "^("+strings.Join(names, "|")+")$", "./"+pkg)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		return err
	}
	return read(bytes.NewReader(out), pkg, passed)
}

// read takes from the output of go test -json which tests of the package have passed, and shows what the others said.
func read(from io.Reader, pkg string, passed map[string]bool) error {
	said := map[string]string{}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e struct{ Action, Test, Output string }
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("go test -json says %q: %w", lines.Text(), err)
		}
		name, _, _ := strings.Cut(e.Test, "/")
		switch e.Action {
		case "output", "build-output":
			said[name] += e.Output
		case "pass":
			if e.Test == name && name != "" {
				passed[pkg+"."+name] = true
			}
		case "fail", "build-fail":
			fmt.Fprint(os.Stderr, said[name])
			said[name] = ""
		}
	}
	return lines.Err()
}

// tell prints what is not met, and how much is.
func tell(requirements []conformance.Requirement, results conformance.Results) (good bool) {
	met := 0
	for _, q := range requirements {
		if results.Good(q) {
			met++
			continue
		}
		fmt.Printf("%s: %s: %s\n", q.ID, q.Text, results.Of[q.ID])
	}
	fmt.Printf("%d of %d requirements met\n", met, len(requirements))
	return met == len(requirements)
}

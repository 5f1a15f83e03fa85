package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// A weave is the packages with many mutants in them, of which an environment variable chooses one: they are built once,
// where a build for each would take longer than its tests. Beside a function f that has mutants stand its copies f__1,
// f__2, each with one fault, and f begins by a switch that calls the chosen one. Mutants outside of functions are not woven.
type weave struct {
	binaries map[string]string // test binaries by package, as in "./mka"
	number   map[string]int    // of a mutant, by its key
	broken   map[string]bool   // those that do not compile
}

// numberName is the environment variable with the number of the mutant; 0 is none.
const numberName = "MKAD_MUTANT"

// key tells mutants apart.
func (m mutant) key() string { return fmt.Sprintf("%s:%d-%d %s", m.file, m.start, m.end, m.with) }

// A copied is a copy of a function with its fault.
type copied struct {
	m        mutant
	number   int
	from, to int // its lines in the woven file
}

// newWeave builds the test binaries of the targets with the mutants in them.
func newWeave(ctx context.Context, dir string, targets []target, mutants []mutant) (*weave, error) {
	w := &weave{binaries: map[string]string{}, number: map[string]int{}, broken: map[string]bool{}}
	overlay := filepath.Join(dir, "weave.json")
	for {
		copies, err := w.write(dir, overlay, targets, mutants)
		if err != nil {
			return nil, err
		}
		found, err := w.findBroken(ctx, overlay, targets, copies)
		if err != nil {
			return nil, err
		}
		if !found {
			break
		}
	}
	for _, p := range targets {
		for _, tests := range p.tests {
			for _, pkg := range tests {
				if err := w.build(ctx, dir, overlay, pkg); err != nil {
					return nil, err
				}
			}
		}
	}
	return w, nil
}

// write weaves the mutants that are not broken into the files of the targets, and makes an overlay of those.
func (w *weave) write(dir, overlay string, targets []target, mutants []mutant) (all map[string][]copied, err error) {
	replace, byFile := map[string]string{}, map[string][]copied{}
	clear(w.number)
	for i, m := range mutants {
		if !w.broken[m.key()] {
			byFile[m.file] = append(byFile[m.file], copied{m: m, number: i + 1})
		}
	}
	put := func(name string, text []byte) error {
		original, err := filepath.Abs(name)
		if err != nil {
			return err
		}
		replace[original] = filepath.Join(dir, flat(name))
		return os.WriteFile(replace[original], text, 0o600)
	}
	all = map[string][]copied{}
	for file, copies := range byFile {
		text, woven, err := weaveFile(copies)
		if err != nil {
			return nil, err
		}
		if err := put(file, text); err != nil {
			return nil, err
		}
		all[flat(file)] = woven
		for _, c := range woven {
			w.number[c.m.key()] = c.number
		}
	}
	for _, p := range targets {
		text := fmt.Appendf(nil, "package %s\n\nimport (\n\t\"os\"\n\t\"strconv\"\n)\n\n"+
			"var mutantNumber, _ = strconv.Atoi(os.Getenv(%q))\n", p.dir, numberName)
		if err := put(p.dir+"/zz_mutant.go", text); err != nil {
			return nil, err
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, err
	}
	return all, os.WriteFile(overlay, text, 0o600)
}

// flat is the name of a woven file; the compiler tells its errors by that.
func flat(file string) string { return strings.ReplaceAll(file, "/", "-") }

// weaveFile puts mutants of one file into it, as far as they are in functions that can be copied, and tells where.
func weaveFile(copies []copied) (text []byte, woven []copied, err error) {
	source := copies[0].m.source
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, copies[0].m.file, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, nil, err
	}
	offset := func(p token.Pos) int { return fset.Position(p).Offset }
	var tail bytes.Buffer
	at := 0
	for _, d := range tree.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil || fn.Type.TypeParams != nil {
			continue
		}
		args, ok := arguments(fn)
		if !ok {
			continue
		}
		begin := offset(fn.Body.Lbrace) + 1
		dispatch := ""
		for _, c := range copies {
			if c.m.start < begin || c.m.end >= offset(fn.Body.End()) {
				continue
			}
			name := fmt.Sprintf("%s__%d", fn.Name.Name, c.number)
			tail.WriteString("\n")
			c.from = 1 + bytes.Count(source, []byte("\n")) + bytes.Count(tail.Bytes(), []byte("\n"))
			tail.Write(source[offset(fn.Pos()):offset(fn.Name.Pos())])
			tail.WriteString(name)
			tail.Write(source[offset(fn.Name.End()):c.m.start])
			tail.WriteString(c.m.with)
			tail.Write(source[c.m.end:offset(fn.End())])
			c.to = 1 + bytes.Count(source, []byte("\n")) + bytes.Count(tail.Bytes(), []byte("\n"))
			tail.WriteString("\n")
			woven = append(woven, c)
			call := receiver(fn) + name + "(" + args + ")"
			if fn.Type.Results != nil {
				call = "return " + call
			} else {
				call += "; return"
			}
			dispatch += fmt.Sprintf("case %d: %s; ", c.number, call)
		}
		if dispatch != "" {
			text = append(append(text, source[at:begin]...), " switch mutantNumber { "+dispatch+"}; "...)
			at = begin
		}
	}
	text = append(append(text, source[at:]...), tail.Bytes()...)
	return text, woven, nil
}

// receiver is how a method calls another of its receiver; empty for a function.
func receiver(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return ""
	}
	return fn.Recv.List[0].Names[0].Name + "."
}

// arguments are the parameters, as they are handed on; false: one has no name.
func arguments(fn *ast.FuncDecl) (list string, ok bool) {
	if fn.Recv != nil && (len(fn.Recv.List[0].Names) == 0 || fn.Recv.List[0].Names[0].Name == "_") {
		return "", false
	}
	var names []string
	for _, field := range fn.Type.Params.List {
		if len(field.Names) == 0 {
			return "", false
		}
		for _, name := range field.Names {
			if name.Name == "_" {
				return "", false
			}
			if _, variadic := field.Type.(*ast.Ellipsis); variadic {
				names = append(names, name.Name+"...")
			} else {
				names = append(names, name.Name)
			}
		}
	}
	return strings.Join(names, ", "), true
}

var compileError = regexp.MustCompile(`(?m)^(\S+\.go):(\d+):`)

// findBroken compiles the packages, and notes which copies do not; it reports whether there are any.
func (w *weave) findBroken(ctx context.Context, overlay string, targets []target, copies map[string][]copied) (bool, error) {
	args := []string{"build", "-gcflags=-e", "-overlay", overlay}
	for _, p := range targets {
		args = append(args, "./"+p.dir)
	}
	out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput()
	if err == nil {
		return false, nil
	}
	found := false
	for _, match := range compileError.FindAllStringSubmatch(string(out), -1) {
		line, _ := strconv.Atoi(match[2])
		for _, c := range copies[filepath.Base(match[1])] {
			if line >= c.from && line <= c.to {
				w.broken[c.m.key()], found = true, true
			}
		}
	}
	if !found {
		return false, fmt.Errorf("build with mutants: %w\n%s", err, out)
	}
	return true, nil
}

// build makes the test binary of a package, as in "./mka"; other words are none of its business.
func (w *weave) build(ctx context.Context, dir, overlay, pkg string) error {
	if !strings.HasPrefix(pkg, "./") || w.binaries[pkg] != "" {
		return nil
	}
	binary := filepath.Join(dir, filepath.Base(pkg)+".test")
	c := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", overlay, "-o", binary, pkg)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build the tests of %s with mutants: %w\n%s", pkg, err, out)
	}
	w.binaries[pkg] = binary
	return nil
}

// leavesNothing are the flags that keep the tests of a package, if they draw their input, from writing what has failed with a
// mutant into the tree.
func leavesNothing(pkg string) []string {
	files, _ := filepath.Glob(filepath.Join(pkg, "*_test.go"))
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && bytes.Contains(text, []byte(`"pgregory.net/rapid"`)) {
			return []string{"-rapid.nofailfile"}
		}
	}
	return nil
}

// test runs tests, given as arguments of go test, on the mutant of the number; 0: on what is not mutated.
func (w *weave) test(ctx context.Context, number int, tests []string) ([]byte, error) {
	var flags []string
	for _, word := range tests {
		if strings.HasPrefix(word, "-") {
			word = "-test." + word[1:]
		}
		if !strings.HasPrefix(word, "./") {
			flags = append(flags, word)
		}
	}
	flags = append(flags, "-test.failfast", "-test.timeout", testTime.String())
	for _, pkg := range tests {
		binary := w.binaries[pkg]
		if binary == "" {
			continue
		}
		c := exec.CommandContext(ctx, binary, append(flags, leavesNothing(pkg)...)...)
		c.Dir = pkg
		c.Env = append(slices.Clone(os.Environ()), fmt.Sprintf("%s=%d", numberName, number))
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
		if out, err := c.CombinedOutput(); err != nil {
			return out, err
		}
	}
	return nil, nil
}

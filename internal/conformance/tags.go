package conformance

import (
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// A Test shows one or more requirements.
type Test struct {
	Package string // from the root of the module
	Name    string
	Guest   bool // it runs in a guest, by make test-guest
}

// guests are where the tests of guests are; others need the build tag guest.
const guests = "internal/guest/"

// Tests finds the tests of the module by the requirements that they show, in the order of packages and of names.
func Tests(module fs.FS) (map[string][]Test, error) {
	found := map[string][]Test{}
	err := fs.WalkDir(module, ".", func(name string, d fs.DirEntry, err error) error {
		base := path.Base(name)
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (base == "testdata" || strings.ContainsAny(base[:1], "._")):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		return tagged(module, name, found)
	})
	for _, tests := range found {
		slices.SortFunc(tests, func(a, b Test) int { return strings.Compare(a.Package+" "+a.Name, b.Package+" "+b.Name) })
	}
	return found, err
}

// tagged adds the tests of one file.
func tagged(module fs.FS, name string, found map[string][]Test) error {
	text, err := fs.ReadFile(module, name)
	if err != nil {
		return err
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	guest := strings.HasPrefix(name, guests) || needsGuest(file)
	for _, d := range file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Doc == nil {
			continue
		}
		for _, id := range requirementsOf(fn.Doc) {
			if !strings.HasPrefix(fn.Name.Name, "Test") && !strings.HasPrefix(fn.Name.Name, "Fuzz") {
				return fmt.Errorf("%s: %s shows %s, and is no test", fset.Position(fn.Pos()), fn.Name.Name, id)
			}
			found[id] = append(found[id], Test{path.Dir(name), fn.Name.Name, guest})
		}
	}
	return nil
}

// requirementsOf reads the line "Requirement: R1, R2" of a comment.
func requirementsOf(doc *ast.CommentGroup) (ids []string) {
	for _, c := range doc.List {
		if list, ok := strings.CutPrefix(c.Text, "// Requirement: "); ok {
			ids = append(ids, strings.Split(list, ", ")...)
		}
	}
	return ids
}

// needsGuest reports whether the file is built with the tag guest only.
func needsGuest(file *ast.File) bool {
	for _, group := range file.Comments {
		for _, c := range group.List {
			if x, err := constraint.Parse(c.Text); err == nil && c.Pos() < file.Package {
				return !x.Eval(func(tag string) bool { return tag == "linux" }) &&
					x.Eval(func(tag string) bool { return tag == "linux" || tag == "guest" })
			}
		}
	}
	return false
}

// Problems tells what is wrong between requirements and tests: one that has neither a test nor a reason, a test of one
// that does not exist.
func Problems(requirements []Requirement, tests map[string][]Test) (problems []string) {
	known := map[string]bool{}
	for _, r := range requirements {
		known[r.ID] = true
		if len(tests[r.ID]) == 0 && r.Reason == "" {
			problems = append(problems, fmt.Sprintf("%s has no test: tag one with // Requirement: %s", r.ID, r.ID))
		}
	}
	for id, of := range tests {
		if !known[id] {
			problems = append(problems, fmt.Sprintf("%s in %s shows %q, which %s does not have", of[0].Name, of[0].Package, id, File))
		}
	}
	slices.Sort(problems)
	return problems
}

package archtest

import (
	"go/ast"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// testName matches the name of a test in a document: in backquotes, whole.
var testName = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9]*)`")

// UnknownTests lists, for each Markdown file of fsys, the tests that it names and no package has: a document that says what
// proves it must not outlive the proof.
func UnknownTests(fsys fs.FS, packages []Package) (unknown map[string][]string, err error) {
	known := tests(packages)
	unknown = map[string][]string{}
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && ignored(name):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".md":
			return nil
		}
		text, err := fs.ReadFile(fsys, name)
		for _, match := range testName.FindAllSubmatch(text, -1) {
			if test := string(match[1]); !known[test] {
				unknown[name] = append(unknown[name], test)
			}
		}
		return err
	})
	return unknown, err
}

// tests are the names of all tests, fuzz targets and benchmarks.
func tests(packages []Package) map[string]bool {
	known := map[string]bool{}
	for _, p := range packages {
		for _, f := range p.Files {
			for _, d := range f.Tree.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && f.Test && fn.Recv == nil && strings.ContainsAny(fn.Name.Name[:1], "TFB") {
					known[fn.Name.Name] = true
				}
			}
		}
	}
	return known
}

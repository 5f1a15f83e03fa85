package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A Package is the Go files of one directory of the module.
type Package struct {
	Path  string // from the root of the module: "secy/userspace"
	Files []File
}

// A File is one parsed file.
type File struct {
	Test bool // its name ends in _test.go
	Tree *ast.File
	fset *token.FileSet
}

// A Violation is one breach of a rule.
type Violation struct {
	Where token.Position
	Rule  string
	What  string // with the remedy
}

// String is the violation as compilers print theirs.
func (v Violation) String() string { return fmt.Sprintf("%s: %s: %s", v.Where, v.Rule, v.What) }

// Load parses every Go file of the module at the root of fsys, but those in testdata and in directories that begin
// with a dot or an underscore, as the go command does.
func Load(fsys fs.FS) ([]Package, error) {
	byPath := make(map[string]*Package)
	fset := token.NewFileSet()
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && ignored(name):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		return load(fsys, fset, name, byPath)
	})
	if err != nil {
		return nil, fmt.Errorf("load module: %w", err)
	}
	return sorted(byPath), nil
}

func ignored(dir string) bool {
	base := path.Base(dir)
	return dir != "." && (base == "testdata" || base[0] == '.' || base[0] == '_')
}

func load(fsys fs.FS, fset *token.FileSet, name string, byPath map[string]*Package) error {
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	tree, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	dir := path.Dir(name)
	if byPath[dir] == nil {
		byPath[dir] = &Package{Path: dir}
	}
	file := File{Test: strings.HasSuffix(name, "_test.go"), Tree: tree, fset: fset}
	byPath[dir].Files = append(byPath[dir].Files, file)
	return nil
}

func sorted(byPath map[string]*Package) []Package {
	var packages []Package
	for _, p := range byPath {
		packages = append(packages, *p)
	}
	slices.SortFunc(packages, func(a, b Package) int { return strings.Compare(a.Path, b.Path) })
	return packages
}

// code returns the files that are built into programs.
func (p Package) code() []File {
	return slices.DeleteFunc(slices.Clone(p.Files), func(f File) bool { return f.Test })
}

// imports calls f with every import of the file and its place.
func (f File) imports(each func(importPath string, at token.Position)) {
	for _, spec := range f.Tree.Imports {
		name, _ := strconv.Unquote(spec.Path.Value) // the parser has seen that it is a string
		each(name, f.at(spec))
	}
}

// called returns the local name under which the file imports a package, "" if it does not.
func (f File) called(importPath string) string {
	for _, spec := range f.Tree.Imports {
		switch {
		case spec.Path.Value != strconv.Quote(importPath):
		case spec.Name != nil:
			return spec.Name.Name
		default:
			return path.Base(importPath)
		}
	}
	return ""
}

func (f File) at(n ast.Node) token.Position { return f.fset.Position(n.Pos()) }

// selections calls each with every use of a name of the package importPath.
func (f File) selections(importPath string, each func(name string, at token.Position)) {
	local := f.called(importPath)
	ast.Inspect(f.Tree, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && local != "" && x.Name == local {
				each(s.Sel.Name, f.at(s))
			}
		}
		return true
	})
}

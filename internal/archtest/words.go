package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
)

// emptyNames say nothing of what a package is about.
var emptyNames = []string{"util", "utils", "common", "types", "helper", "helpers", "misc", "base", "shared"}

// Names finds packages with a name that says nothing.
func Names(packages []Package) (found []Violation) {
	for _, p := range packages {
		for _, f := range p.Files {
			name := f.Tree.Name.Name
			if slices.Contains(emptyNames, strings.TrimSuffix(name, "_test")) || slices.Contains(emptyNames, path.Base(p.Path)) {
				found = append(found, Violation{f.at(f.Tree.Name), "names",
					fmt.Sprintf("package %s: name it by the noun that it is about", name)})
			}
		}
	}
	return found
}

// Documentation finds packages without a package comment, and exported names without a doc comment.
func Documentation(packages []Package) (found []Violation) {
	for _, p := range packages {
		files := p.code()
		if len(files) == 0 {
			continue
		}
		if !slices.ContainsFunc(files, func(f File) bool { return f.Tree.Doc != nil }) {
			found = append(found, Violation{files[0].at(files[0].Tree.Name), "documentation",
				"no file of " + p.Path + " has a package comment"})
		}
		for _, f := range files {
			found = append(found, undocumented(f)...)
		}
	}
	return found
}

func undocumented(f File) (found []Violation) {
	for _, d := range f.Tree.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Doc == nil && d.Name.IsExported() && exportedReceiver(d) {
				found = append(found, missing(f, d.Name))
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				found = append(found, undocumentedSpec(f, d, s)...)
			}
		}
	}
	return found
}

// undocumentedSpec lets one comment stand for the group that it heads, and a comment at the end of the line stand for a
// constant or variable.
func undocumentedSpec(f File, group *ast.GenDecl, spec ast.Spec) (found []Violation) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		alone := !group.Lparen.IsValid() && group.Doc != nil
		if s.Name.IsExported() && s.Doc == nil && !alone {
			found = append(found, missing(f, s.Name))
		}
	case *ast.ValueSpec:
		for _, name := range s.Names {
			if name.IsExported() && s.Doc == nil && s.Comment == nil && group.Doc == nil {
				found = append(found, missing(f, name))
			}
		}
	}
	return found
}

func missing(f File, name *ast.Ident) Violation {
	return Violation{f.at(name), "documentation", "exported " + name.Name + " has no doc comment; say its contract"}
}

// exportedReceiver reports whether a function is none of an unexported type's methods.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}

// Unfinished finds comments that put work off to an unnamed day.
func Unfinished(packages []Package) (found []Violation) {
	for _, p := range packages {
		for _, f := range p.Files {
			for _, group := range f.Tree.Comments {
				for _, c := range group.List {
					if mark := putsOff(c.Text); mark != "" {
						found = append(found, Violation{f.fset.Position(c.Pos()), "unfinished", mark +
							": finish it, or open an issue and say what is true today"})
					}
				}
			}
		}
	}
	return found
}

func putsOff(comment string) string {
	for _, mark := range []string{"TODO", "FIXME", "XXX", "HACK"} {
		for _, word := range strings.FieldsFunc(comment, func(r rune) bool { return !isLetter(r) }) {
			if word == mark {
				return mark
			}
		}
	}
	return ""
}

func isLetter(r rune) bool { return token.IsIdentifier(string(r)) }

// Rules are all rules of this package.
var Rules = []func([]Package) []Violation{Arrows, Doubles, Purity, Patience, Names, Documentation, Unfinished}

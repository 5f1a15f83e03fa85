package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"math/rand/v2"
	"path"
	"strconv"
	"strings"
)

// A mutant is one file with one fault.
type mutant struct {
	file       string // from the root of the module
	line       int
	start, end int // what is replaced, in octets
	with       string
	source     []byte
}

// text is the altered file.
func (m mutant) text() []byte {
	out := append([]byte(nil), m.source[:m.start]...)
	return append(append(out, m.with...), m.source[m.end:]...)
}

func (m mutant) place() string { return fmt.Sprintf("%s:%d", m.file, m.line) }

// lines are the line before and after. What is longer than a line is cut.
func (m mutant) lines() (before, after string) {
	from := strings.LastIndexByte(string(m.source[:m.start]), '\n') + 1
	before, _, _ = strings.Cut(string(m.source[from:]), "\n")
	after, _, _ = strings.Cut(string(m.text()[from:]), "\n")
	return strings.TrimSpace(before), strings.TrimSpace(after)
}

// diff is the place, with the line before and after.
func (m mutant) diff() string {
	before, after := m.lines()
	return fmt.Sprintf("%s\n    - %s\n    + %s", m.place(), before, after)
}

// load finds every mutant of the targets.
func load(module fs.FS, targets []target) (all []mutant, err error) {
	for _, p := range targets {
		files, err := fs.Glob(module, path.Join(p.dir, "*.go"))
		if err != nil {
			return nil, err
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("no file in %s", p.dir)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			found, err := read(module, file)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
	}
	return all, nil
}

func read(module fs.FS, file string) ([]mutant, error) {
	source, err := fs.ReadFile(module, file)
	if err != nil {
		return nil, err
	}
	return mutants(file, source)
}

// choose puts them in the order of the seed, from the first that no earlier portion has judged, or picks those of a place.
func choose(all []mutant, o options) (chosen []mutant) {
	if o.at != "" {
		for _, m := range all {
			if strings.HasPrefix(m.place(), o.at) {
				chosen = append(chosen, m)
			}
		}
		return chosen
	}
	random := rand.New(rand.NewPCG(uint64(o.seed), 0))
	for _, i := range random.Perm(len(all)) {
		chosen = append(chosen, all[i])
	}
	return chosen[min(o.from, len(chosen)):]
}

// mutants finds what can be altered in a file.
func mutants(file string, source []byte) ([]mutant, error) {
	f := finder{file: file, source: source, fset: token.NewFileSet()}
	tree, err := parser.ParseFile(f.fset, file, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	ast.Inspect(tree, f.visit)
	return f.found, nil
}

type finder struct {
	file   string
	source []byte
	fset   *token.FileSet
	found  []mutant
}

// replace notes a mutant that has other text from one position to the other.
func (f *finder) replace(from, to token.Pos, with string) {
	p := f.fset.Position(from)
	f.found = append(f.found, mutant{f.file, p.Line, p.Offset, f.fset.Position(to).Offset, with, f.source})
}

func (f *finder) textOf(n ast.Node) string {
	return string(f.source[f.fset.Position(n.Pos()).Offset:f.fset.Position(n.End()).Offset])
}

func (f *finder) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ImportSpec:
		return false
	case *ast.BinaryExpr:
		for _, op := range turned[n.Op] {
			f.replace(n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), op)
		}
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			f.replace(n.OpPos, n.OpPos+1, "")
		}
	case *ast.IfStmt:
		f.negate(n.Cond)
	case *ast.SwitchStmt:
		f.cases(n)
	case *ast.BasicLit:
		f.constant(n)
	case *ast.Ident:
		f.truth(n)
	case *ast.BlockStmt:
		f.statements(n.List)
	case *ast.CaseClause:
		f.statements(n.Body)
	}
	return true
}

// turned are the operators that take the place of another.
var turned = map[token.Token][]string{
	token.EQL: {"!="}, token.NEQ: {"=="},
	token.LSS: {"<=", ">"}, token.LEQ: {"<", ">"}, token.GTR: {">=", "<"}, token.GEQ: {">", "<"},
	token.LAND: {"||"}, token.LOR: {"&&"},
	token.ADD: {"-"}, token.SUB: {"+"}, token.MUL: {"/"}, token.QUO: {"*"}, token.REM: {"*"},
	token.AND: {"|"}, token.OR: {"&"}, token.XOR: {"&"}, token.AND_NOT: {"&"},
	token.SHL: {">>"}, token.SHR: {"<<"},
}

// negate turns a whole condition. One that is a comparison or a negation is turned by its operator already.
func (f *finder) negate(cond ast.Expr) {
	switch c := cond.(type) {
	case *ast.UnaryExpr:
		return
	case *ast.BinaryExpr:
		if c.Op == token.EQL || c.Op == token.NEQ {
			return
		}
	}
	f.replace(cond.Pos(), cond.End(), "!("+f.textOf(cond)+")")
}

// cases negates the conditions of a switch without a tag.
func (f *finder) cases(s *ast.SwitchStmt) {
	if s.Tag != nil {
		return
	}
	for _, c := range s.Body.List {
		for _, cond := range c.(*ast.CaseClause).List {
			f.negate(cond)
		}
	}
}

// constant makes a number one more.
func (f *finder) constant(n *ast.BasicLit) {
	if v, err := strconv.ParseUint(n.Value, 0, 63); n.Kind == token.INT && err == nil {
		f.replace(n.Pos(), n.End(), strconv.FormatUint(v+1, 10))
	}
}

func (f *finder) truth(n *ast.Ident) {
	switch n.Name {
	case "true":
		f.replace(n.Pos(), n.End(), "false")
	case "false":
		f.replace(n.Pos(), n.End(), "true")
	}
}

// statements leaves out one at a time. Declarations and returns stay, for nothing would compile; so do panics, which
// are for what cannot happen.
func (f *finder) statements(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.ExprStmt:
			if !isPanic(s.X) {
				f.replace(s.Pos(), s.End(), "")
			}
		case *ast.AssignStmt:
			if s.Tok != token.DEFINE {
				f.replace(s.Pos(), s.End(), "")
			}
		case *ast.IncDecStmt, *ast.BranchStmt:
			f.replace(s.Pos(), s.End(), "")
		}
	}
}

func isPanic(x ast.Expr) bool {
	call, ok := x.(*ast.CallExpr)
	if !ok {
		return false
	}
	name, ok := call.Fun.(*ast.Ident)
	return ok && name.Name == "panic"
}

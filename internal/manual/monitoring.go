package manual

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
)

// This chapter is docs/monitoring.md: what mkad shows to programs, in the words of the comments that stand beside it.

const monitoringIntroduction = "What mkad shows to programs: the documents of `mkactl status`, `explain` and `counters` with `--json`, the events of " +
	"`mkactl watch --json`, one JSON object on each line, and metrics for Prometheus, where the configuration has a `metrics` " +
	"line. `mkactl status --wait secured` waits for a state, and exits with 0 when it is there. For people the same commands " +
	"print pages; why a port is not secured stands in [troubleshooting.md](troubleshooting.md)."

// A source is Go text that was parsed with its comments.
type source struct{ files []*ast.File }

func parseSource(root string, names ...string) (source, error) {
	var s source
	set := token.NewFileSet()
	for _, name := range names {
		f, err := parser.ParseFile(set, filepath.Join(root, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return source{}, err
		}
		s.files = append(s.files, f)
	}
	return s, nil
}

// MonitoringDocument is docs/monitoring.md, from the comments of the module whose root is given. An error names what has none.
func MonitoringDocument(root string) ([]byte, error) {
	s, err := parseSource(root, "internal/control/status.go", "internal/control/explain.go", "internal/control/counters.go",
		"internal/control/event.go", "internal/metrics/metrics.go", "mka/event.go")
	if err != nil {
		return nil, err
	}
	d := document{source: s}
	d.WriteString("# Monitoring\n\n<!-- made from comments of the code: go test ./internal/manual -update -->\n\n")
	d.WriteString(wrapped(monitoringIntroduction))
	d.section("The status document", "It", "Document")
	d.constants("The states of a port", "state", "State")
	d.section("The explain document", "It", "ExplainDocument")
	d.section("The counters document", "It", "CountersDocument")
	d.constants("Counters of MKA", "counter", "InvalidEAPOLFrameRx")
	d.section("Events", "An event", "Event")
	d.constants("Events of mkad", "event", "EventState")
	d.kinds()
	d.metrics()
	return []byte(d.String()), d.err
}

// A document is what is written, with the first thing that is wrong with its source.
type document struct {
	strings.Builder
	source source
	err    error
}

func (d *document) lacks(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

// section explains a struct, which has a name for readers, and all within it by the names that JSON gives them.
func (d *document) section(title, it, name string) {
	fmt.Fprintf(d, "\n## %s\n\n", title)
	doc, _ := d.typed(name)
	_, text, _ := strings.Cut(doc, name+" ")
	d.WriteString(wrapped(it + " " + strings.Join(strings.Fields(text), " ")))
	d.WriteString("\n| field | type | what |\n|---|---|---|\n")
	d.fields("", name)
}

// typed finds a type by its name.
func (d *document) typed(name string) (doc string, fields *ast.StructType) {
	for _, f := range d.source.files {
		for _, decl := range f.Decls {
			g, ok := decl.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			if spec := g.Specs[0].(*ast.TypeSpec); spec.Name.Name == name {
				fields, _ = spec.Type.(*ast.StructType)
				return g.Doc.Text(), fields
			}
		}
	}
	d.lacks("there is no type %s", name)
	return "", nil
}

func (d *document) fields(path, name string) {
	_, s := d.typed(name)
	if s == nil {
		return
	}
	for _, f := range s.Fields.List {
		key, _, _ := strings.Cut(reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("json"), ",")
		kind, within := kindOf(f.Type)
		said := strings.TrimSuffix(oneLine(f.Doc)+oneLine(f.Comment), ".")
		for _, verb := range [...]string{" is ", " are "} {
			said = strings.TrimPrefix(said, f.Names[0].Name+verb)
		}
		if said == "" {
			d.lacks("%s.%s has no comment", name, f.Names[0].Name)
		}
		fmt.Fprintf(d, "| `%s%s` | %s | %s |\n", path, key, kind, said)
		if within != "" {
			d.fields(path+key+".", within)
		}
	}
}

// kindOf says of a field's type what JSON makes of it, and which struct is within.
func kindOf(e ast.Expr) (kind, within string) {
	switch e := e.(type) {
	case *ast.ArrayType:
		of, within := kindOf(e.Elt)
		return "list of " + of + "s", within
	case *ast.MapType:
		return "object of numbers", ""
	case *ast.SelectorExpr:
		return "time", ""
	case *ast.Ident:
		switch {
		case e.Name == "string" || e.Name == "State":
			return "string", ""
		case e.Name == "bool":
			return "boolean", ""
		case strings.HasPrefix(e.Name, "uint"), strings.HasPrefix(e.Name, "int"):
			return "number", ""
		}
		return "object", e.Name
	}
	return "", ""
}

// constants explains the values of a group of constants, of which one name or the type is given.
func (d *document) constants(title, what, name string) {
	fmt.Fprintf(d, "\n### %s\n\n| %s | what |\n|---|---|\n", title, what)
	found := false
	for _, spec := range d.values(func(first *ast.ValueSpec) bool {
		kind, _ := first.Type.(*ast.Ident)
		return first.Names[0].Name == name || kind != nil && kind.Name == name
	}) {
		found = true
		fmt.Fprintf(d, "| `%s` | %s |\n", literal(spec.Values[0]), d.comment(spec))
	}
	if !found {
		d.lacks("there are no constants %s", name)
	}
}

// values are the constants and variables of the groups that are wanted, by the first in each.
func (d *document) values(wanted func(*ast.ValueSpec) bool) (all []*ast.ValueSpec) {
	for _, f := range d.source.files {
		for _, decl := range f.Decls {
			g, ok := decl.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST && g.Tok != token.VAR || !wanted(g.Specs[0].(*ast.ValueSpec)) {
				continue
			}
			for _, spec := range g.Specs {
				all = append(all, spec.(*ast.ValueSpec))
			}
		}
	}
	return all
}

func (d *document) comment(spec *ast.ValueSpec) string {
	text := oneLine(spec.Comment)
	if text == "" {
		d.lacks("%s has no comment", spec.Names[0].Name)
	}
	return text
}

// kinds explains the events of a KaY. A comment may be that of several, which follow each other.
func (d *document) kinds() {
	d.WriteString("\n### Events of MKA\n\n| event | what |\n|---|---|\n")
	names := d.eventNames()
	var said string
	for i, spec := range d.values(func(first *ast.ValueSpec) bool { return first.Names[0].Name == "EventDiscarded" }) {
		if text := oneLine(spec.Doc); text != "" {
			said = text
		}
		_, what, ok := strings.Cut(said, ": ")
		if !ok || i+1 >= len(names) {
			d.lacks("%s has no comment, or no name", spec.Names[0].Name)
			return
		}
		fmt.Fprintf(d, "| `%s` | %s |\n", names[i+1], strings.TrimSuffix(what, "."))
	}
}

// eventNames are the words of the table beside the kinds.
func (d *document) eventNames() (names []string) {
	for _, spec := range d.values(func(first *ast.ValueSpec) bool { return first.Names[0].Name == "eventNames" }) {
		for _, e := range spec.Values[0].(*ast.CompositeLit).Elts {
			names = append(names, literal(e))
		}
	}
	return names
}

// metrics explains what is served to Prometheus, with the labels that each has.
func (d *document) metrics() {
	d.WriteString("\n## Metrics\n\n| metric | labels | what |\n|---|---|---|\n")
	labels := map[string]string{}
	for _, spec := range d.values(func(first *ast.ValueSpec) bool { return first.Names[0].Name == "stateDesc" }) {
		args := spec.Values[0].(*ast.CallExpr).Args
		all := "`port`"
		for _, a := range args[2:] {
			all += ", `" + literal(a) + "`"
		}
		labels[args[0].(*ast.Ident).Name] = all
	}
	for _, spec := range d.values(func(first *ast.ValueSpec) bool { return first.Names[0].Name == "NameState" }) {
		fmt.Fprintf(d, "| `%s` | %s | %s |\n", literal(spec.Values[0]), labels[spec.Names[0].Name], d.comment(spec))
	}
}

func literal(e ast.Expr) string {
	if l, ok := e.(*ast.BasicLit); ok {
		if s, err := strconv.Unquote(l.Value); err == nil {
			return s
		}
	}
	return ""
}

func oneLine(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }

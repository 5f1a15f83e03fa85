package config

import (
	"bytes"
	"fmt"

	"github.com/BurntSushi/toml"
)

// Bounds on the text, checked before the TOML library sees it: nested tables and long names cost it time and memory by
// the square, and forty kilobytes of opened braces are enough to end the process.
const (
	maxDepth   = 8     // of nested values, and of the parts of a dotted name; the configuration needs 3 and 2
	maxName    = 64    // octets of one name; the longest that there is has 19
	maxEntries = 16384 // names and array elements; 256 ports with everything written out need about 7,000
)

// A place is where a value stands in a text: the line of its name, and the places of what is inside it.
type place struct {
	line  int
	keys  map[string]*place
	items []*place
}

// key returns the place of what is called name inside p. What cannot be found is where its surroundings are.
func (p *place) key(name string) *place {
	if inner, ok := p.keys[name]; ok {
		return inner
	}
	return p
}

// item returns the place of element i of the array at p, as key does.
func (p *place) item(i int) *place {
	if i < len(p.items) {
		return p.items[i]
	}
	return p
}

// A locator walks over a TOML text and notes where things stand. It knows just enough of TOML not to be led astray by
// strings and comments. A text that is not TOML gives some places or other, and no panic: it is the TOML library that
// judges the text.
type locator struct {
	src     []byte
	pos     int
	line    int // of pos
	entries int
	limit   Problem // the bound that the text goes beyond, if any
}

// locate returns the places of a TOML text. Not ok: the text goes beyond the bound that the problem names, and must
// not be given to the TOML library.
func locate(src []byte) (root *place, limit Problem, ok bool) {
	l := &locator{src: src, line: 1}
	root = l.place()
	for table := root; l.skipBlank(); l.skipLine() {
		table = l.statement(root, table)
	}
	return root, l.limit, l.limit.What == ""
}

// statement reads a header or a pair, and returns the table to which the next pair belongs.
func (l *locator) statement(root, table *place) *place {
	switch {
	case l.take("[["):
		array := l.descend(root)
		return l.add(array)
	case l.take("["):
		return l.descend(root)
	}
	l.pair(table, 1)
	return table
}

// pair reads name = value into the table.
func (l *locator) pair(table *place, depth int) {
	p := l.descend(table)
	l.skipSpace()
	if l.take("=") {
		l.skipSpace()
		l.value(p, depth)
	}
}

// descend reads a dotted name and goes from one place to another by it.
func (l *locator) descend(p *place) *place {
	for part := 1; ; part++ {
		l.skipSpace()
		name, ok := l.name()
		if !ok {
			return p
		}
		if part > maxDepth {
			l.exceed(fmt.Sprintf("a name has more than %d parts", maxDepth), "write a plain name")
		}
		p = l.enter(p, name)
		l.skipSpace()
		if !l.take(".") {
			return p
		}
	}
}

// enter goes to what is called name inside p, or inside the last table of p when p is an array of tables.
func (l *locator) enter(p *place, name string) *place {
	if n := len(p.items); n > 0 {
		p = p.items[n-1]
	}
	inner, ok := p.keys[name]
	if !ok {
		if p.keys == nil {
			p.keys = make(map[string]*place)
		}
		inner = l.place()
		p.keys[name] = inner
	}
	return inner
}

// add makes the place of one more element of an array.
func (l *locator) add(array *place) *place {
	p := l.place()
	array.items = append(array.items, p)
	return p
}

func (l *locator) place() *place {
	if l.entries++; l.entries > maxEntries {
		l.exceed(fmt.Sprintf("the file has more than %d keys and values", maxEntries), "write a shorter file")
	}
	return &place{line: l.line}
}

// value walks over a value, and into it when it is an array or an inline table.
func (l *locator) value(p *place, depth int) {
	switch {
	case depth > maxDepth:
		l.exceed(fmt.Sprintf("a value is nested in more than %d others", maxDepth), "write it plainly")
	case l.take(`"""`):
		l.skipString(`"""`)
	case l.take(`'''`):
		l.skipString(`'''`)
	case l.take(`"`):
		l.skipString(`"`)
	case l.take(`'`):
		l.skipString(`'`)
	case l.take("["):
		l.inside("]", func() { l.value(l.add(p), depth+1) })
	case l.take("{"):
		l.inside("}", func() { l.pair(p, depth+1) })
	default:
		l.skipUntil(",]}#\n")
	}
}

// inside reads elements, separated by commas, up to the end of an array or inline table.
func (l *locator) inside(end string, element func()) {
	for l.skipBlank() && !l.take(end) {
		if l.take(",") {
			continue
		}
		start := l.pos
		element()
		if l.pos == start { // not TOML
			l.advance()
		}
	}
}

// name reads one part of a dotted name, quoted or not.
func (l *locator) name() (string, bool) {
	start := l.pos
	switch {
	case l.take(`"`):
		l.skipString(`"`)
	case l.take(`'`):
		l.skipString(`'`)
	default:
		for l.more() && isBare(l.src[l.pos]) {
			l.advance()
		}
	}
	raw := l.src[start:l.pos]
	if len(raw) > maxName {
		l.exceed(fmt.Sprintf("a name is longer than %d octets", maxName), "write a shorter name")
		return "", false
	}
	return unquote(raw), len(raw) > 0
}

// unquote gives the name that a quoted one stands for.
func unquote(raw []byte) string {
	if raw == nil || !bytes.ContainsAny(raw[:min(1, len(raw))], `"'`) {
		return string(raw)
	}
	var v struct{ Name string }
	if err := toml.Unmarshal(append([]byte("Name = "), raw...), &v); err != nil {
		return string(raw)
	}
	return v.Name
}

// isBare reports whether c may stand in a name without quotes.
func isBare(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// skipString goes behind the end of a string; a string of one line ends with its line at the latest.
func (l *locator) skipString(end string) {
	multiline := len(end) == 3
	for l.more() && !l.take(end) {
		if l.src[l.pos] == '\n' && !multiline {
			return
		}
		if l.src[l.pos] == '\\' && end[0] == '"' {
			l.advance()
		}
		l.advance()
	}
	// The text of a multi-line string may itself end in up to two quotes.
	if multiline && l.take(end[:1]) {
		l.take(end[:1])
	}
}

func (l *locator) skipSpace() {
	for l.take(" ") || l.take("\t") {
	}
}

// skipBlank goes to the next thing that is neither white space nor comment, and reports whether there is one.
func (l *locator) skipBlank() bool {
	for l.take(" ") || l.take("\t") || l.take("\r") || l.take("\n") || l.take("#") {
		if l.src[l.pos-1] == '#' {
			l.skipUntil("\n")
		}
	}
	return l.more()
}

// skipLine goes behind the end of the line: what a comment or a mistake has left of it.
func (l *locator) skipLine() {
	l.skipUntil("\n")
	l.take("\n")
}

func (l *locator) skipUntil(ends string) {
	for l.more() && bytes.IndexByte([]byte(ends), l.src[l.pos]) < 0 {
		l.advance()
	}
}

// take goes behind s when the text goes on with it.
func (l *locator) take(s string) bool {
	if !bytes.HasPrefix(l.src[l.pos:], []byte(s)) {
		return false
	}
	for range len(s) {
		l.advance()
	}
	return true
}

func (l *locator) more() bool { return l.pos < len(l.src) }

// advance goes one octet on, if there is one.
func (l *locator) advance() {
	if !l.more() {
		return
	}
	if l.src[l.pos] == '\n' {
		l.line++
	}
	l.pos++
}

// exceed notes the first bound that the text goes beyond, and ends the walk.
func (l *locator) exceed(what, remedy string) {
	if l.limit.What == "" {
		l.limit = Problem{Line: l.line, What: what, Remedy: remedy}
	}
	l.pos = len(l.src)
}

package config

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"mkad/keyderive"
)

// A keyFile is a CAK file while it is parsed. The grammar is the part of TOML that such a file needs, line by line:
//
//	[[key]]                       # begins an entry
//	ckn = "0001"                  # or '0001'; strings have no escapes
//	start = 2026-12-01T00:00:00Z  # or with an offset such as +01:00
//
// A TOML library would make Go strings of the keys, which nobody can wipe.
type keyFile struct {
	report
	line    int // that is being parsed
	entries []*entry
}

// An entry is one [[key]], good or not.
type entry struct {
	Key
	stray bool           // its header is not [[key]]
	lines map[string]int // of what is written in it
}

// lineOf returns the line of a name, or that of the entry when it is not written.
func (e *entry) lineOf(name string) int {
	if line, ok := e.lines[name]; ok {
		return line
	}
	return e.Line
}

// keys returns the entries of a file without errors.
func (f *keyFile) keys() []Key {
	keys := make([]Key, len(f.entries))
	for i, e := range f.entries {
		keys[i] = e.Key
		keys[i].StartLine, keys[i].EndLine = e.lines["start"], e.lines["end"]
	}
	return keys
}

// wipe forgets the keys of a file with errors.
func (f *keyFile) wipe() {
	for _, e := range f.entries {
		e.CAK.Wipe()
	}
}

// fail reports an error in a line. Nothing that it is given may come from the file.
func (f *keyFile) fail(line int, name, what, remedy string) {
	p := Problem{File: f.file, Line: line, What: what, Remedy: remedy}
	if name != "" {
		p.Key = keyShape.title + "." + name
	}
	f.problems = append(f.problems, p)
}

// warn reports something in a line that can be used all the same.
func (f *keyFile) warn(line int, name, what, remedy string) {
	f.fail(line, name, what, remedy)
	f.problems[len(f.problems)-1].Warning = true
}

// parse reads the text, up to the first entry too many.
func (f *keyFile) parse(data []byte) {
	for text := range bytes.Lines(data) {
		f.line++
		text = bytes.Trim(text, " \t\r\n")
		switch {
		case isBlank(text):
		case text[0] == '[':
			if !f.header(text) {
				return
			}
		default:
			f.pair(text)
		}
	}
}

// isBlank reports whether nothing but a comment is left of a line.
func isBlank(text []byte) bool {
	text = bytes.TrimLeft(text, " \t")
	return len(text) == 0 || text[0] == '#'
}

// header begins an entry, also when it is wrong: what stands below is checked all the same. It reports whether there is
// room for one more.
func (f *keyFile) header(text []byte) bool {
	if len(f.entries) == MaxKeys {
		f.fail(f.line, "", fmt.Sprintf("there are more than %d keys", MaxKeys), "remove those that have ended")
		return false
	}
	e := &entry{Key: Key{Role: Primary, Line: f.line}, stray: !isKeyHeader(text), lines: make(map[string]int)}
	f.entries = append(f.entries, e)
	if e.stray {
		f.fail(f.line, "", "a table other than [[key]] is not part of a CAK file",
			"write [[key]], with two brackets, on a line of its own")
	}
	return true
}

// isKeyHeader reports whether a line is [[key]].
func isKeyHeader(text []byte) bool {
	inside, opened := bytes.CutPrefix(text, []byte("[["))
	name, rest, closed := bytes.Cut(inside, []byte("]]"))
	return opened && closed && string(bytes.Trim(name, " \t")) == keyShape.title && isBlank(rest)
}

// pair reads name = value into the last entry.
func (f *keyFile) pair(text []byte) {
	name, value, isPair := bytes.Cut(text, []byte("="))
	name, value = bytes.TrimRight(name, " \t"), bytes.TrimLeft(value, " \t")
	i := slices.IndexFunc(keyShape.keys, func(known string) bool { return string(name) == known })
	switch {
	case !isPair:
		f.fail(f.line, "", "the line is neither a [[key]] nor name = value", "write # before it, or remove it")
	case i < 0:
		f.fail(f.line, "", "the name is none of ckn, cak, start, end, role", f.nearestName(name))
	case len(f.entries) == 0:
		f.fail(f.line, keyShape.keys[i], "stands before the first [[key]]", "write a line [[key]] above it")
	default:
		f.assign(f.entries[len(f.entries)-1], keyShape.keys[i], value)
	}
}

// maxMisspelt is the longest name, in octets, that can be one of ours with a mistake, and too short to be a lost key.
const maxMisspelt = 8

// nearestName says what to write instead of a name. It quotes no part of the name.
func (f *keyFile) nearestName(name []byte) string {
	if len(name) <= maxMisspelt {
		if near, ok := nearest(string(name), keyShape.keys); ok {
			return "write " + near
		}
	}
	return "write one of these, without quotes, or remove the line"
}

// assign gives a value to what is called name in the entry.
func (f *keyFile) assign(e *entry, name string, value []byte) {
	if line, written := e.lines[name]; written {
		f.fail(f.line, name, fmt.Sprintf("is written twice, first in line %d", line),
			"remove one of the two, or write [[key]] between them")
		return
	}
	e.lines[name] = f.line
	switch name {
	case "ckn":
		f.ckn(e, value)
	case "cak":
		f.cak(e, value)
	case "start":
		f.instant(&e.Start, name, value)
	case "end":
		f.instant(&e.End, name, value)
	case "role":
		f.role(e, value)
	}
}

// ckn reads a CKN (802.1X-2020 9.3.1).
func (f *keyFile) ckn(e *entry, value []byte) {
	digits, ok := f.str("ckn", value)
	if !ok {
		return
	}
	const remedy = "write 2 to 64 of them, an even number, without colons or spaces"
	octets, ok := decodeHex(make([]byte, 0, len(digits)/2), digits)
	if !ok {
		f.fail(f.line, "ckn", "is not made of pairs of hexadecimal digits", remedy)
		return
	}
	ckn, err := keyderive.NewCKN(octets)
	if err != nil {
		f.fail(f.line, "ckn", fmt.Sprintf("has %d hexadecimal digits", len(digits)), remedy)
		return
	}
	e.CKN = ckn
}

// cak reads a CAK. The octets between digits and key are wiped.
func (f *keyFile) cak(e *entry, value []byte) {
	digits, ok := f.str("cak", value)
	if !ok {
		return
	}
	const remedy = "write 32 or 64 of them, without colons or spaces, or make a key with mkactl keygen"
	if len(digits) != 32 && len(digits) != 64 {
		f.fail(f.line, "cak", fmt.Sprintf("has a length of %d, not 32 or 64 hexadecimal digits", len(digits)), remedy)
		return
	}
	buf := make([]byte, 0, len(digits)/2)
	defer clear(buf[:cap(buf)])
	octets, ok := decodeHex(buf, digits)
	if !ok {
		f.fail(f.line, "cak", "is not made of hexadecimal digits", remedy)
		return
	}
	cak, err := keyderive.NewCAK(octets)
	if err != nil {
		panic("config: a CAK of checked length is refused: " + err.Error())
	}
	e.CAK = cak
}

// role reads one of the roles.
func (f *keyFile) role(e *entry, value []byte) {
	text, ok := f.str("role", value)
	if !ok {
		return
	}
	for _, role := range []Role{Primary, Fallback} {
		if string(text) == string(role) {
			e.Role = role
			return
		}
	}
	f.fail(f.line, "role", "is none of its values", `write "primary" or "fallback"`)
}

// str reads a string in single or double quotes. The result lies within value.
func (f *keyFile) str(name string, value []byte) ([]byte, bool) {
	const remedy = `write it in one pair of quotes: "…"`
	if isBlank(value) {
		f.fail(f.line, name, "has no value", remedy)
		return nil, false
	}
	quote := value[0]
	switch {
	case quote != '"' && quote != '\'':
		f.fail(f.line, name, "is not in quotes", remedy)
		return nil, false
	case bytes.HasPrefix(value, []byte{quote, quote, quote}):
		f.fail(f.line, name, "is a multi-line string", remedy)
		return nil, false
	}
	text, rest, closed := bytes.Cut(value[1:], []byte{quote})
	switch {
	case quote == '"' && bytes.IndexByte(text, '\\') >= 0:
		f.fail(f.line, name, "contains a backslash", "write the characters themselves")
	case !closed:
		f.fail(f.line, name, "has no closing quote", remedy)
	case !isBlank(rest):
		f.fail(f.line, name, "has something behind its closing quote", "remove that, or write # before it")
	default:
		return text, true
	}
	return nil, false
}

// instant reads an offset date-time.
func (f *keyFile) instant(dst *time.Time, name string, value []byte) {
	const remedy = "write a date, a time and an offset, for instance 2026-12-01T00:00:00Z"
	value, _, _ = bytes.Cut(value, []byte("#"))
	value = bytes.TrimRight(value, " \t")
	switch kind := kindOfTime(value); kind {
	case "":
		var t time.Time
		if t.UnmarshalText(offsetDateTime(value)) != nil {
			f.fail(f.line, name, "is a date or time that does not exist", remedy)
		} else if t.IsZero() { // which stands for no time here
			f.fail(f.line, name, "is the first moment of the year 1, which programs write for no time", "leave the line out, or write the time that is meant")
		}
		*dst = t.UTC()
	case "a local date-time":
		f.fail(f.line, name, "has no offset, so the moment is not known",
			"end it with Z for UTC, or with an offset such as +01:00")
	default:
		f.fail(f.line, name, "is "+kind+", not a date-time with an offset", remedy)
	}
}

// kindOfTime names what a value is, "" when it has the looks of an offset date-time. Only such a value is shown to
// package time, which quotes it in its errors.
func kindOfTime(value []byte) string {
	const date, clock = len("2006-01-02"), len("2006-01-02T15:04:05")
	switch {
	case len(value) == 0:
		return "empty"
	case value[0] == '"' || value[0] == '\'':
		return "a string in quotes"
	case !hasDate(value):
		return "something else"
	case len(value) == date:
		return "a date alone"
	case len(value) < clock, value[date+3] != ':', value[date+6] != ':': // package time takes 1:00:00 too
		return "an incomplete date-time"
	case bytes.ContainsAny(value[clock:], "Zz+-"):
		return ""
	}
	return "a local date-time"
}

// hasDate reports whether a value begins like a date and has nothing in it that no time has.
func hasDate(value []byte) bool {
	return len(value) >= len("2006-01-02") && value[4] == '-' && value[7] == '-' &&
		len(bytes.Trim(value, "0123456789-+:.TtZz ")) == 0
}

// offsetDateTime writes a date-time of TOML, which may have small letters or a space, in the one way of RFC 3339.
func offsetDateTime(value []byte) []byte {
	value = bytes.ToUpper(value)
	if i := len("2006-01-02"); value[i] == ' ' {
		value[i] = 'T'
	}
	return value
}

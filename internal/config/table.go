package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A shape is what a table may hold.
type shape struct {
	title string // as keys begin in problems; "" for the top
	where string // as people write the table
	keys  []string
}

// The shapes of a configuration, and that of a CAK file for those who mistake one for the other.
var (
	topShape    = shape{"", "the top level", []string{"daemon", "port"}}
	daemonShape = shape{"daemon", "[daemon]", []string{"control", "state", "metrics", "log_level", "log_format", "notify_ready"}}
	portShape   = shape{"port", "[[port]]", []string{"interface", "controlled", "keys", "backend", "cipher_suites",
		"confidentiality", "policy", "uncontrolled", "bypass", "on_unsecured", "key_server_priority", "port_id", "send_sci",
		"replay_protect", "replay_window", "sak_lifetime", "delay_protect", "eapol_destination", "eapol_accept",
		"eapol_ethertype", "mka_version", "icv_indicator", "hello_time", "life_time", "in_service_slot", "allow_priority_255",
		"on_exit"}}
	keyShape = shape{"key", "[[key]] of a CAK file", []string{"ckn", "cak", "start", "end", "role"}}
)

// maxNamed is how many names a problem lists and is still one clear line.
const maxNamed = 6

// remedyFor says what to write instead of a key that the shape does not have.
func (s shape) remedyFor(key string) string {
	if near, ok := nearest(key, s.keys); ok {
		return "write " + near
	}
	for _, other := range []shape{topShape, daemonShape, portShape, keyShape} {
		if slices.Contains(other.keys, key) && other.title != s.title {
			return "move it to " + other.where
		}
	}
	if len(s.keys) > maxNamed {
		return "remove it: mkad.toml.example lists the keys there are"
	}
	return "remove it, or write one of " + strings.Join(s.keys, ", ")
}

// A report collects the problems of one file.
type report struct {
	file     string
	problems Problems
}

// A table is a table of the generic tree while it is validated. Its methods return what is good and report what is
// not; what is reported keeps its default, so that the checks that follow find something to go on with.
type table struct {
	*report
	shape
	values map[string]any
	at     *place
}

// inner is a table inside t.
func (t *table) inner(s shape, values map[string]any, at *place) *table {
	return &table{report: t.report, shape: s, values: values, at: at}
}

// fullName is the key as problems name it.
func (t *table) fullName(key string) string {
	return strings.TrimPrefix(t.title+"."+key, ".")
}

// fail reports an error of a key.
func (t *table) fail(key, what, remedy string) { t.failAt(t.at.key(key).line, key, what, remedy) }

// failAt is fail for one line of a value that has several.
func (t *table) failAt(line int, key, what, remedy string) {
	t.problems = append(t.problems,
		Problem{File: t.file, Line: line, Key: t.fullName(key), What: what, Remedy: remedy})
}

// warn reports something that can be used all the same.
func (t *table) warn(key, what, remedy string) {
	t.problems = append(t.problems,
		Problem{File: t.file, Line: t.at.key(key).line, Key: t.fullName(key), What: what, Remedy: remedy, Warning: true})
}

// has reports whether the key is written in the file.
func (t *table) has(key string) bool {
	_, ok := t.values[key]
	return ok
}

// unknown reports the keys that the table must not have.
func (t *table) unknown() {
	for key := range t.values {
		if !slices.Contains(t.keys, key) {
			t.problems = append(t.problems, Problem{File: t.file, Line: t.at.key(key).line, Key: t.fullName(showKey(key)),
				What: "is no key of " + t.where, Remedy: t.remedyFor(key)})
		}
	}
}

// showKey is a name as it can stand in a problem.
func showKey(key string) string {
	for _, c := range []byte(key) {
		if !isBare(c) {
			return show(key)
		}
	}
	if key == "" {
		return `""`
	}
	return shorten(key, maxShown)
}

// value returns the value of a key that is written and has the type T. An example of a good value goes into the remedy.
func value[T any](t *table, key, example string) (v T, ok bool) {
	written, ok := t.values[key]
	if !ok {
		return v, false
	}
	if v, ok = written.(T); !ok {
		t.fail(key, "is "+kindOf(written)+", not "+kindOf(v), "write "+key+" = "+example)
	}
	return v, ok
}

// kindOf names the TOML type of a value of the generic tree.
func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case int64:
		return "an integer"
	case float64:
		return "a float"
	case bool:
		return "a boolean"
	case time.Time:
		return "a date or time"
	case []any:
		return "an array"
	case []map[string]any:
		return "an array of tables"
	}
	return "a table"
}

// text reads a string.
func (t *table) text(key string, dst *string) bool {
	v, ok := value[string](t, key, fmt.Sprintf("%q", *dst))
	if ok {
		*dst = v
	}
	return ok
}

// boolean reads true or false.
func (t *table) boolean(key string, dst *bool) {
	if v, ok := value[bool](t, key, "true, or false"); ok {
		*dst = v
	}
}

// choice reads one of a few words.
func choice[T ~string](t *table, key string, dst *T, from ...T) {
	v, ok := value[string](t, key, fmt.Sprintf("%q", *dst))
	switch {
	case !ok:
	case slices.Contains(from, T(v)):
		*dst = T(v)
	default:
		t.fail(key, show(v)+" is none of its values", oneOf(from))
	}
}

// oneOf says what to write instead of a word that is none of a few.
func oneOf[T ~string](few []T) string {
	quoted := make([]string, len(few))
	for i, w := range few {
		quoted[i] = strconv.Quote(string(w))
	}
	return "write one of " + strings.Join(quoted, ", ")
}

// integer reads a number from lo to hi, which must fit T.
func integer[T ~uint8 | ~uint16 | ~uint32](t *table, key string, dst *T, lo, hi int64) {
	v, ok := value[int64](t, key, fmt.Sprint(*dst))
	switch {
	case !ok:
	case v < lo || v > hi:
		t.fail(key, fmt.Sprintf("%d is out of range", v), fmt.Sprintf("write a number from %d to %d", lo, hi))
	default:
		*dst = T(v)
	}
}

// A word is one string of an array, with its line.
type word struct {
	text string
	line int
}

// words reads an array of strings. Elements of other types are reported and left out.
func (t *table) words(key, example string) (words []word, ok bool) {
	list, ok := value[[]any](t, key, example)
	for i, element := range list {
		line := t.at.key(key).item(i).line
		if s, isString := element.(string); isString {
			words = append(words, word{s, line})
		} else {
			t.failAt(line, key, fmt.Sprintf("element %d is %s, not a string", i+1, kindOf(element)),
				"write "+key+" = "+example)
		}
	}
	return words, ok
}

// set reads an array of strings that parse accepts, none of them twice, and returns the good ones. Not ok: there is no
// such array.
func set[T comparable](
	t *table, key, example string, parse func(string) (T, bool), known []string,
) (list []T, ok bool) {
	words, ok := t.words(key, example)
	for _, w := range words {
		v, good := parse(w.text)
		switch {
		case !good:
			t.failAt(w.line, key, show(w.text)+" is none of its values", oneOf(known))
		case slices.Contains(list, v):
			t.failAt(w.line, key, show(w.text)+" is listed twice", "remove one of the two")
		default:
			list = append(list, v)
		}
	}
	return list, ok
}

// Keys lists the keys that each table of a configuration may have, by the table as it is written.
func Keys() map[string][]string {
	keys := map[string][]string{}
	for _, s := range []shape{daemonShape, portShape} {
		keys[s.where] = slices.Sorted(slices.Values(s.keys))
	}
	return keys
}

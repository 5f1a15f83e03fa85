package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// maxProblems bounds how many problems of one file are listed: nobody mends more before the next try.
const maxProblems = 100

// A Problem is one thing that is wrong with a file, told to the person who wrote it.
type Problem struct {
	File    string // as it was named to Load or LoadKeys
	Line    int    // from 1; 0 when the file as a whole is meant
	Key     string // "port.replay_window"; "" when the text or the file as a whole is meant
	What    string // what is wrong, a predicate of the key
	Remedy  string // what to write or do instead
	Warning bool   // the file can be used all the same
}

// String is the problem in one line: file:line: key: what; remedy. It shows no key material.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		b.WriteString(":" + strconv.Itoa(p.Line))
	}
	b.WriteString(": ")
	if p.Warning {
		b.WriteString("warning: ")
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.What + "; " + p.Remedy)
	return b.String()
}

// Problems are what is wrong with one file, by line.
type Problems []Problem

// Errors returns the problems for which a file is refused.
func (ps Problems) Errors() Problems { return ps.where(false) }

// Warnings returns the problems with which a file is used.
func (ps Problems) Warnings() Problems { return ps.where(true) }

func (ps Problems) where(warning bool) Problems {
	var some Problems
	for _, p := range ps {
		if p.Warning == warning {
			some = append(some, p)
		}
	}
	return some
}

// sorted puts problems in the order of the file. When there are too many to list, warnings give way to errors.
func (ps Problems) sorted() Problems {
	if len(ps) > maxProblems {
		slices.SortFunc(ps, func(a, b Problem) int { return cmp.Or(compareSeverity(a, b), comparePlace(a, b)) })
		first := ps[maxProblems]
		ps = append(ps[:maxProblems:maxProblems], Problem{File: first.File, Line: first.Line, Warning: first.Warning,
			What: fmt.Sprintf("more problems than the %d that are listed", maxProblems), Remedy: "mend these first"})
	}
	slices.SortStableFunc(ps, comparePlace)
	return ps
}

// comparePlace puts problems in the order of the file, and those of one line in the order of the alphabet.
func comparePlace(a, b Problem) int {
	return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key), cmp.Compare(a.What, b.What))
}

// compareSeverity puts errors before warnings.
func compareSeverity(a, b Problem) int {
	switch {
	case a.Warning == b.Warning:
		return 0
	case a.Warning:
		return 1
	}
	return -1
}

const (
	maxShown   = 48  // characters of a value that a problem quotes: enough to find it
	maxMessage = 160 // characters of what the TOML library has to say: its longest without a quotation
)

// keyLike matches what may be a CAK that somebody wrote into the wrong file: more digits than any number or address
// has, and fewer than the 32 of a CAK, some of which may be missing.
var keyLike = regexp.MustCompile(`([0-9A-Fa-f][-:._ ]?){24,}`)

// show quotes a value of the configuration for a problem: printable, short, without anything that looks like a key.
func show(value string) string { return strconv.Quote(shorten(value, maxShown)) }

// printable puts a mark in the place of whatever a terminal does not show, or obeys.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// shorten leaves limit characters of a text, none of them of anything that looks like a key.
func shorten(text string, limit int) string {
	text = keyLike.ReplaceAllString(text, "…")
	if r := []rune(text); len(r) > limit {
		text = string(r[:limit]) + "…"
	}
	return text
}

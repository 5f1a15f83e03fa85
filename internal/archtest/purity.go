package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// pure lists the packages that are functions of what they are given, with what each may import against the ban.
var pure = map[string][]string{
	"keyderive": {"log/slog"}, // for LogValue, by which a key prints as redacted
	"secy":      {"sync/atomic"},
	"eapol":     nil,
	"mka":       nil,
}

// banned says why a pure package does without an import; a path stands for everything below it too.
var banned = []struct{ path, reason string }{
	{"net", "sockets belong to internal/port and secy/userspace"},
	{"os", "files and signals belong to the daemon"},
	{"io/ioutil", "files belong to the daemon"},
	{"log", "logging belongs to the driver, which logs Events"},
	{"sync", "what is used by one goroutine needs no lock"},
	{"context", "nothing here waits"},
	{"syscall", "system calls belong to the edges"},
	{"unsafe", "nothing here needs it"},
	{"crypto/rand", "randomness is passed in"},
	{"math/rand", "randomness is passed in"},
	{"math/rand/v2", "randomness is passed in"},
}

// outside is the one module that pure packages use.
const outside = "golang.org/x/crypto/cryptobyte"

// clocks are the names of package time that read or wait for a clock.
var clocks = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// Purity finds what lets clocks, sockets, goroutines or global randomness into a pure package.
func Purity(packages []Package) (found []Violation) {
	for _, p := range packages {
		excepted, isPure := pure[p.Path]
		if !isPure {
			continue
		}
		for _, f := range p.code() {
			found = append(found, impureImports(p.Path, f, excepted)...)
			found = append(found, clockReads(p.Path, f)...)
			found = append(found, goroutines(p.Path, f)...)
		}
	}
	return found
}

func impureImports(pkg string, f File, excepted []string) (found []Violation) {
	f.imports(func(name string, at token.Position) {
		if slices.Contains(excepted, name) {
			return
		}
		if reason := refusal(name); reason != "" {
			found = append(found, Violation{at, "purity", fmt.Sprintf("%s may not import %s: %s", pkg, name, reason)})
		}
	})
	return found
}

func refusal(name string) string {
	for _, b := range banned {
		if matches(b.path+"/...", name) {
			return b.reason
		}
	}
	host, _, _ := strings.Cut(name, "/")
	if strings.Contains(host, ".") && !matches(outside+"/...", name) {
		return "a pure package uses the standard library and " + outside
	}
	return ""
}

func clockReads(pkg string, f File) (found []Violation) {
	f.selections("time", func(name string, at token.Position) {
		if slices.Contains(clocks, name) {
			found = append(found, Violation{at, "purity", fmt.Sprintf("%s may not call time.%s: time is passed in", pkg, name)})
		}
	})
	if f.called("time") == "." {
		found = append(found, Violation{f.at(f.Tree.Name), "purity", pkg + " may not import time by dot: clocks would hide"})
	}
	return found
}

func goroutines(pkg string, f File) (found []Violation) {
	ast.Inspect(f.Tree, func(n ast.Node) bool {
		if s, ok := n.(*ast.GoStmt); ok {
			found = append(found, Violation{f.at(s), "purity", pkg + " may not start a goroutine"})
		}
		return true
	})
	return found
}

// Patience finds tests that wait for time instead of an event, and tests that may be skipped, which look like passing.
func Patience(packages []Package) (found []Violation) {
	for _, p := range packages {
		for _, f := range p.Files {
			if f.Test {
				found = append(found, sleeps(f)...)
				found = append(found, skips(f)...)
			}
		}
	}
	return found
}

func sleeps(f File) (found []Violation) {
	if f.called("testing/synctest") != "" {
		return nil // there a sleep takes no time and is no guess
	}
	f.selections("time", func(name string, at token.Position) {
		if name == "Sleep" {
			found = append(found, Violation{at, "patience", "a test may not sleep; wait for an event, or use testing/synctest"})
		}
	})
	return found
}

func skips(f File) (found []Violation) {
	ast.Inspect(f.Tree, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok || !slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, s.Sel.Name) {
			return true
		}
		if x, ok := s.X.(*ast.Ident); ok && slices.Contains([]string{"t", "b", "f", "tb"}, x.Name) {
			found = append(found, Violation{f.at(s), "patience",
				"a skipped test looks like one that passed; let it fail and say what is missing"})
		}
		return true
	})
	return found
}

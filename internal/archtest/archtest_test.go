package archtest

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestModule is the architecture: every rule holds for this module.
func TestModule(t *testing.T) {
	packages, err := Load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"keyderive", "secy", "eapol", "mka", "internal/archtest"} {
		if !slices.ContainsFunc(packages, func(p Package) bool { return p.Path == want }) {
			t.Errorf("package %s was not found: the rules would pass unseen", want)
		}
	}
	for _, rule := range Rules {
		for _, v := range rule(packages) {
			t.Error(v)
		}
	}
}

// TestDocumentsNameTestsThatExist holds every document to the tests that it names.
func TestDocumentsNameTestsThatExist(t *testing.T) {
	root := os.DirFS("../..")
	packages, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	unknown, err := UnknownTests(root, packages)
	if err != nil {
		t.Fatal(err)
	}
	for document, tests := range unknown {
		t.Errorf("%s names tests that are not there: %v", document, tests)
	}
	found, err := UnknownTests(fstest.MapFS{"a.md": {Data: []byte("`TestModule`, `TestNowhere`, TestUnquoted")}}, packages)
	if err != nil || !slices.Equal(found["a.md"], []string{"TestNowhere"}) {
		t.Errorf("of a document of ours: %v, %v", found, err)
	}
}

const documented = "// Package x is documented.\npackage x\n"

func TestRules(t *testing.T) {
	tests := map[string]struct {
		file, source string
		want         string // part of the one violation; "" for none
	}{
		"the machine may not know a software SecY":    {"mka/a.go", `import _ "mkad/secy/userspace"`, "mka may not import secy/userspace"},
		"the machine may not know the daemon":         {"mka/a.go", `import _ "mkad/internal/daemon"`, "mka may not import internal/daemon"},
		"the machine may not know offload":            {"mka/a.go", `import _ "mkad/offload"`, "mka may not import offload"},
		"the machine knows the wire":                  {"mka/a.go", `import _ "mkad/eapol"`, ""},
		"the root of secy may not know what is below": {"secy/a.go", `import _ "mkad/secy/userspace"`, "secy may not import"},
		"keyderive is a leaf":                         {"keyderive/a.go", `import _ "mkad/secy"`, "only nothing of this module"},
		"a SecY may not know the machine":             {"secy/kernel/a.go", `import _ "mkad/mka"`, "secy/kernel may not import mka"},
		"offload may not know the machine":            {"offload/a.go", `import _ "mkad/mka"`, "offload may not import mka"},
		"nobody imports a command":                    {"internal/a/a.go", `import _ "mkad/cmd/mkad"`, "may not import cmd/mkad"},
		"the daemon joins all":                        {"internal/daemon/a.go", `import _ "mkad/secy/userspace"`, ""},
		"a test may join what code may not":           {"mka/a_test.go", `import _ "mkad/internal/netlab"`, ""},
		"every package has a place":                   {"wonder/a.go", "", "wonder has no place"},
		"code may not use test doubles":               {"internal/a/a.go", `import _ "mkad/secy/secytest"`, "only tests may"},
		"code may not import testing":                 {"internal/a/a.go", `import _ "testing"`, "only tests may"},
		"a test double may":                           {"internal/atest/a.go", `import _ "testing"`, ""},

		"no sockets":                {"mka/a.go", `import _ "net"`, "may not import net: sockets"},
		"no packages of net":        {"eapol/a.go", `import _ "net/netip"`, "may not import net/netip"},
		"no files":                  {"keyderive/a.go", `import _ "os"`, "may not import os"},
		"no log":                    {"mka/a.go", `import _ "log/slog"`, "may not import log/slog"},
		"keys may redact slog":      {"keyderive/a.go", `import _ "log/slog"`, ""},
		"no locks":                  {"mka/a.go", `import _ "sync"`, "may not import sync"},
		"no locks in secy":          {"secy/a.go", `import _ "sync"`, "may not import sync"},
		"atomics in secy":           {"secy/a.go", `import _ "sync/atomic"`, ""},
		"no atomics in the machine": {"mka/a.go", `import _ "sync/atomic"`, "may not import sync/atomic"},
		"no global randomness":      {"mka/a.go", `import _ "crypto/rand"`, "randomness is passed in"},
		"no math/rand":              {"mka/a.go", `import _ "math/rand/v2"`, "randomness is passed in"},
		"no other modules":          {"eapol/a.go", `import _ "golang.org/x/sys/unix"`, "standard library"},
		"cryptobyte":                {"eapol/a.go", `import _ "golang.org/x/crypto/cryptobyte"`, ""},
		"no clock":                  {"mka/a.go", "import \"time\"\nvar _ = time.Now", "may not call time.Now"},
		"no clock by another name":  {"mka/a.go", "import clock \"time\"\nvar _ = clock.After", "may not call time.After"},
		"no clock by dot":           {"mka/a.go", `import . "time"`, "by dot"},
		"durations":                 {"mka/a.go", "import \"time\"\nconst hello = 2 * time.Second", ""},
		"no goroutine":              {"secy/a.go", "func f() { go f() }", "may not start a goroutine"},
		"goroutines in the SecY":    {"secy/userspace/a.go", "func f() { go f() }", ""},
		"a pure package's tests":    {"mka/a_test.go", "import \"time\"\nvar _ = time.Now", ""},

		"no sleep in a test":       {"internal/a/a_test.go", "import \"time\"\nvar _ = time.Sleep", "may not sleep"},
		"a sleep in a bubble":      {"internal/a/a_test.go", "import (\n\"time\"\n_ \"testing/synctest\"\n)\nvar _ = time.Sleep", ""},
		"no skip":                  {"internal/a/a_test.go", "import \"testing\"\nfunc TestX(t *testing.T) { t.Skip() }", "skipped test"},
		"a method of another kind": {"internal/a/a_test.go", "func f(s reader) { s.Skip() }", ""},

		"no empty name": {"internal/util/a.go", "", "noun"},

		"an exported function":              {"internal/a/a.go", "func F() {}", "exported F"},
		"an exported method":                {"internal/a/a.go", "// T.\ntype T int\nfunc (t *T) M() {}", "exported M"},
		"a method of an unexported type":    {"internal/a/a.go", "type t[K any] int\nfunc (t *t[K]) M() {}", ""},
		"an exported type":                  {"internal/a/a.go", "type T int", "exported T"},
		"an exported type in a group":       {"internal/a/a.go", "// Some.\ntype (\nT int\n)", "exported T"},
		"an exported constant":              {"internal/a/a.go", "const C = 1", "exported C"},
		"a constant of a documented group":  {"internal/a/a.go", "// Some.\nconst (\nC = 1\n)", ""},
		"a constant with a comment behind":  {"internal/a/a.go", "const (\nC = 1 // one\n)", ""},
		"exported names of tests are free":  {"internal/a/a_test.go", "func F() {}", ""},
		"no work put off":                   {"internal/a/a.go", "// TODO(x): later\nvar v = 1", "TODO"},
		"a word that has a mark's letters":  {"internal/a/a.go", "// METHODOLOGY is fine.\nvar v = 1", ""},
		"nothing in testdata":               {"internal/a/testdata/a.go", "func F() {}", ""},
		"nothing in directories with a dot": {".ci/a.go", "func F() {}", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			checkOne(t, violations(t, fstest.MapFS{test.file: {Data: []byte(documented + test.source + "\n")}}), test.want)
		})
	}
}

func TestPackageCommentIsNeededOnce(t *testing.T) {
	checkOne(t, violations(t, fstest.MapFS{"mka/a.go": {Data: []byte("package mka")}}), "package comment")
	checkOne(t, violations(t, fstest.MapFS{
		"mka/a.go":   {Data: []byte("package mka")},
		"mka/doc.go": {Data: []byte(documented)},
	}), "")
}

func TestSourceThatDoesNotParseIsAnError(t *testing.T) {
	if _, err := Load(fstest.MapFS{"mka/a.go": {Data: []byte("package")}}); err == nil {
		t.Error("a file that is not Go was loaded")
	}
}

func violations(t *testing.T, fsys fstest.MapFS) (found []Violation) {
	t.Helper()
	packages, err := Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range Rules {
		found = append(found, rule(packages)...)
	}
	return found
}

func checkOne(t *testing.T, found []Violation, want string) {
	t.Helper()
	switch {
	case want == "" && len(found) == 0:
	case want != "" && len(found) == 1 && strings.Contains(found[0].String(), want):
	default:
		t.Errorf("found %v, want one with %q", found, want)
	}
}

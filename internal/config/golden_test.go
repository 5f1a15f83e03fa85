package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every text NAME.toml has the exact problems beside it in NAME.problems, a line each; a good one without warnings has
// no such file. With -update the files are written anew: review the difference.
var update = flag.Bool("update", false, "rewrite the .problems files of testdata/config")

const goldenDir = "../../testdata/config"

// problemsOf runs a loader on every text of a directory, under a name without a directory.
type problemsOf func(t *testing.T, path string) Problems

func loadProblems(t *testing.T, path string) Problems {
	cfg, problems := Load(path)
	if (cfg == nil) != (problems.Errors() != nil) {
		t.Errorf("got a configuration: %t, beside %d errors", cfg != nil, len(problems.Errors()))
	}
	return problems
}

// loadKeyProblems loads a copy, because a CAK file as it is checked out has a mode that is refused.
func loadKeyProblems(t *testing.T, path string) Problems {
	keys, problems := LoadKeys(copyWithMode(t, path, 0o600))
	if (keys == nil) != (problems.Errors() != nil) {
		t.Errorf("got %d keys, beside %d errors", len(keys), len(problems.Errors()))
	}
	return problems
}

func copyWithMode(t *testing.T, path string, mode os.FileMode) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return writeWithMode(t, filepath.Base(path), string(data), mode)
}

func writeWithMode(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

func TestBrokenConfigurationsGiveTheseProblems(t *testing.T) {
	compareProblems(t, "bad", 60, true, loadProblems)
}

func TestGoodConfigurationsGiveTheseWarnings(t *testing.T) {
	compareProblems(t, "good", 5, false, loadProblems)
}

// Clause: none; design: every mistake is told with its file, line, key and remedy
// Requirement: R18
func TestBrokenKeyFilesGiveTheseProblems(t *testing.T) {
	compareProblems(t, "keys-bad", 40, true, loadKeyProblems)
}

func TestGoodKeyFilesGiveTheseWarnings(t *testing.T) {
	compareProblems(t, "keys-good", 4, false, loadKeyProblems)
}

// compareProblems holds every text of a directory, of which there are at least some, against its problems.
func compareProblems(t *testing.T, dir string, atLeast int, broken bool, problems problemsOf) {
	paths, err := filepath.Glob(filepath.Join(goldenDir, dir, "*.toml"))
	if err != nil || len(paths) < atLeast {
		t.Fatalf("found %d texts in %s, want %d or more (%v)", len(paths), dir, atLeast, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".toml"), func(t *testing.T) {
			got := problems(t, path)
			if (got.Errors() != nil) != broken {
				t.Errorf("got %d errors", len(got.Errors()))
			}
			compareGolden(t, strings.TrimSuffix(path, ".toml")+".problems", lines(got))
		})
	}
}

// lines are problems as a person sees them, without the directory of their file.
func lines(problems Problems) string {
	var b strings.Builder
	for _, p := range problems {
		p.File = filepath.Base(p.File)
		b.WriteString(p.String() + "\n")
	}
	return b.String()
}

func compareGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		writeGolden(t, path, got)
	}
	want, err := os.ReadFile(path)
	if err != nil && !(os.IsNotExist(err) && got == "") {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("problems differ (-want +got):\n%s", diff)
	}
}

func writeGolden(t *testing.T, path, got string) {
	t.Helper()
	if got == "" {
		os.Remove(path)
	} else if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
		t.Fatal(err)
	}
}

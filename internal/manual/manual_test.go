package manual_test

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mkad/internal/config"
	"mkad/internal/manual"
	"mkad/mka"
)

var update = flag.Bool("update", false, "write the files that are made")

const example = "../../packaging/mkad.toml.example"

// current wants a file to be what is made.
func current(t *testing.T, file string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is not current; go test ./internal/manual -update (-want +got):\n%s", file, diff)
	}
}

func readExample(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReferenceOfTheConfigurationIsCurrent(t *testing.T) {
	current(t, "../../docs/config.md", manual.ConfigDocument(readExample(t)))
	current(t, "../../packaging/man/mkad.toml.5", manual.ConfigPage(readExample(t)))
}

// Every key that the code knows is explained, and no other.
func TestReferenceHasEveryKey(t *testing.T) {
	tables := manual.Reference(readExample(t))
	for name, want := range config.Keys() {
		if got := manual.Names(tables, name); !slices.Equal(got, want) {
			t.Errorf("%s has %v, the code %v", name, got, want)
		}
	}
	for _, table := range tables {
		for _, e := range table.Entries {
			if len(e.Text) == 0 {
				t.Errorf("nothing is said of %s", e.Keys[0].Name)
			}
		}
	}
}

// What is indented in the example stands as it is, and what can be pasted has its quotes.
func TestReferenceKeepsWhatCanBePasted(t *testing.T) {
	const text = "[[port]]\n# Prose, of\n# two lines:\n#     a = \"b\" # c\n#     d = 1\n# More prose.\n#x = \"y\"\n"
	for page, want := range map[string]string{
		string(manual.ConfigDocument(text)): "\nProse, of two lines:\n\n```toml\na = \"b\" # c\nd = 1\n```\n\nMore prose.\n",
		string(manual.ConfigPage(text)):     ".It Ic x\nDefault:\n.Bd -literal -offset indent\nx = \"y\"\n.Ed\nProse, of two lines:\n.Bd -literal -offset indent\na = \"b\" # c\nd = 1\n.Ed\nMore prose.\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in\n%s", want, page)
		}
	}
}

// What programs can see is explained, all of it: a field, an event or a metric without a comment is an error.
func TestMonitoringIsExplained(t *testing.T) {
	text, err := manual.MonitoringDocument("../..")
	if err != nil {
		t.Fatal(err)
	}
	current(t, "../../docs/monitoring.md", text)
	for kind := mka.EventDiscarded; int(kind) < mka.NumEvents; kind++ {
		if !strings.Contains(string(text), "| `"+kind.String()+"` | ") {
			t.Errorf("the event %s is not explained", kind)
		}
	}
}

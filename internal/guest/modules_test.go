package guest

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// chosen is a set as choose leaves it: what is needed comes first.
func chosen() *moduleSet {
	return &moduleSet{release: "6.0", builtin: map[string]bool{"inside": true}, chosen: []module{
		{name: "llc", content: []byte("llc")},
		{name: "stp", depends: []string{"llc"}},
		{name: "garp", depends: []string{"stp", "llc"}},
		{name: "vlan_x", depends: []string{"garp", "inside"}, aliases: []string{"rtnl-link-vlan"}},
		{name: "other"},
	}}
}

func TestModuleNeedsAreOrderedForModprobe(t *testing.T) {
	s := chosen()
	if got, want := s.needs(s.chosen[3]), []string{"garp", "stp", "llc"}; !slices.Equal(got, want) {
		t.Errorf("needs are %q, want %q", got, want)
	}
}

func TestModulesAreWrittenForModprobe(t *testing.T) {
	files := make(map[string]string)
	for _, e := range archived(t, func(c *cpio) { chosen().write(c, []string{"vlan-x", "inside"}) }) {
		files[e.name] = e.content
	}
	for name, want := range map[string]string{
		"usr/lib/modules/6.0/llc.ko":        "llc",
		"usr/lib/modules/6.0/modules.dep":   "llc.ko:\nstp.ko: llc.ko\ngarp.ko: stp.ko llc.ko\nvlan_x.ko: garp.ko stp.ko llc.ko\nother.ko:\n",
		"usr/lib/modules/6.0/modules.alias": "alias rtnl-link-vlan vlan_x\n",
		"etc/modules":                       "vlan_x\n",
	} {
		if files[name] != want {
			t.Errorf("%s is %q, want %q", name, files[name], want)
		}
	}
}

func TestModuleThatIsBuiltInIsNotChosen(t *testing.T) {
	s := chosen()
	before := len(s.chosen)
	if err := s.choose("inside"); err != nil || len(s.chosen) != before {
		t.Errorf("chosen are %d modules, error %v", len(s.chosen), err)
	}
}

func TestModuleThatIsMissingIsNamed(t *testing.T) {
	if err := chosen().choose("no-such"); err == nil || !strings.Contains(err.Error(), "kernel 6.0 has no module no_such") {
		t.Errorf("error is %v", err)
	}
}

func TestModuleThatIsBrokenIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "broken.ko.xz")
	if err := os.WriteFile(file, []byte("xz"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, unxz := range map[string]func(string) ([]byte, error){
		"not compressed": func(string) ([]byte, error) { return nil, errors.New("no xz") },
		"not a module":   func(string) ([]byte, error) { return []byte("text"), nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := &moduleSet{files: map[string]string{"broken": file}, unxz: unxz}
			if err := s.choose("broken"); err == nil || !strings.Contains(err.Error(), "read module broken") {
				t.Errorf("error is %v", err)
			}
		})
	}
}

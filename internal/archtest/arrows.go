package archtest

import (
	"fmt"
	"go/token"
	"path"
	"strings"
)

// Module is the path of the module whose architecture this is.
const Module = "mkad"

// arrows says which packages of the module a package may import: the first row that matches the importer counts. A
// pattern that ends in "/..." means everything below, and the package itself.
var arrows = []struct {
	importer string
	imported []string
}{
	{"keyderive", nil},
	{"secy", []string{"keyderive"}},
	{"secy/...", []string{"secy", "keyderive"}},
	{"eapol", []string{"secy", "keyderive"}}, // an MKPDU names its CAK by keyderive.CKN
	{"mka/...", []string{"mka", "eapol", "secy", "keyderive"}},
	{"offload/...", []string{"offload", "secy"}},
	{"internal/...", []string{"internal/...", "mka/...", "offload/...", "eapol", "secy/...", "keyderive"}},
	{"cmd/...", []string{"internal/...", "mka/...", "offload/...", "eapol", "secy/...", "keyderive"}},
}

// Arrows finds imports within the module, by code and not by tests, that its picture does not have.
func Arrows(packages []Package) (found []Violation) {
	for _, p := range packages {
		allowed, known := arrowsOf(p.Path)
		for _, f := range p.code() {
			if !known {
				found = append(found, Violation{f.at(f.Tree.Name), "arrows",
					p.Path + " has no place in the tree; give it one in arrows, or move it to internal"})
			}
			f.imports(func(name string, at token.Position) {
				if inside, ok := strings.CutPrefix(name, Module+"/"); ok && known && !matchesAny(allowed, inside) {
					found = append(found, Violation{at, "arrows", fmt.Sprintf("%s may not import %s, only %s",
						p.Path, inside, listed(allowed))})
				}
			})
		}
	}
	return found
}

func arrowsOf(importer string) (allowed []string, known bool) {
	for _, row := range arrows {
		if matches(row.importer, importer) {
			return row.imported, true
		}
	}
	return nil, false
}

func matches(pattern, name string) bool {
	root, below := strings.CutSuffix(pattern, "/...")
	return name == root || below && strings.HasPrefix(name, root+"/")
}

func matchesAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if matches(p, name) {
			return true
		}
	}
	return false
}

func listed(allowed []string) string {
	if len(allowed) == 0 {
		return "nothing of this module"
	}
	return strings.Join(allowed, ", ")
}

// Doubles finds code that imports a package of test doubles, whose names end in "test", and is not one itself: what
// is there for tests is not to be built into programs.
func Doubles(packages []Package) (found []Violation) {
	for _, p := range packages {
		for _, f := range p.code() {
			f.imports(func(name string, at token.Position) {
				if isDouble(name) && !isDouble(p.Path) {
					found = append(found, Violation{at, "test doubles", fmt.Sprintf("%s imports %s; only tests may",
						p.Path, name)})
				}
			})
		}
	}
	return found
}

func isDouble(importPath string) bool {
	return strings.HasSuffix(path.Base(importPath), "test") || importPath == "testing" ||
		strings.HasPrefix(importPath, "testing/")
}

package guest

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// sourceDir is where the guest has the module: the directories that commands run in, and testdata.
const sourceDir = "src"

// A placement is where a command runs in the guest. The directories of the module keep their places to each other.
type placement struct {
	root  string // of the module, on this machine
	below string // the command's directory in it
	dir   string // and in the guest
}

// place finds where a command belongs. A compiled test says itself which package it tests.
func place(c Command) (placement, error) {
	dir := c.Dir
	if dir == "" {
		dir = "."
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return placement{}, err
	}
	root, module, err := findModule(dir)
	if err != nil {
		return placement{}, err
	}
	if tested := testedPackage(c.Program, module); c.Dir == "" && tested != "" {
		dir = filepath.Join(root, tested)
	}
	below, err := filepath.Rel(root, dir)
	return placement{root: root, below: below, dir: filepath.Join(sourceDir, below)}, err
}

// carry adds to an archive the testdata of the command's directory, and that of the module, which its packages share.
func (p placement) carry(c *cpio) {
	for _, dir := range []string{"testdata", filepath.Join(p.below, "testdata")} {
		source := filepath.Join(p.root, dir)
		if _, err := os.Stat(source); err == nil && !c.made[filepath.Join(sourceDir, dir)] {
			c.copyTree(filepath.Join(sourceDir, dir), source)
		}
	}
}

// findModule finds the module that a directory is in: its root and its path.
func findModule(dir string) (root, module string, err error) {
	for root = dir; ; root = filepath.Dir(root) {
		text, err := os.ReadFile(filepath.Join(root, "go.mod"))
		if err == nil {
			line, _, _ := strings.Cut(string(text), "\n")
			return root, strings.TrimSpace(strings.TrimPrefix(line, "module ")), nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return "", "", err
		}
		if root == filepath.Dir(root) {
			return "", "", fmt.Errorf("%s is in no Go module; run from within one", dir)
		}
	}
}

// testedPackage is the directory, in its module, of the package that a program is the compiled test of; "" if it is none.
func testedPackage(program, module string) string {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return ""
	}
	tested, isTest := strings.CutSuffix(info.Path, ".test")
	below, inModule := strings.CutPrefix(tested, module+"/")
	if !isTest || !inModule {
		return ""
	}
	return below
}

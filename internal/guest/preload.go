package guest

import (
	"context"
	_ "embed"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed preload/xstate.c
var preloadSource []byte

// preloadFile is a library that user-mode Linux is started with: see preload/xstate.c.
const preloadFile = "xstate.so"

// buildPreload compiles that library. It is C because it stands between two C programs.
func buildPreload(ctx context.Context, dir string) error {
	if _, err := exec.LookPath("gcc"); err != nil {
		return errors.New("gcc is missing; as root: apt-get install gcc libc6-dev")
	}
	source := filepath.Join(dir, "xstate.c")
	if err := os.WriteFile(source, preloadSource, 0o644); err != nil {
		return err
	}
	_, err := output(ctx, "gcc", "-Wall", "-Werror", "-O2", "-shared", "-fPIC", "-o", filepath.Join(dir, preloadFile), source)
	return err
}

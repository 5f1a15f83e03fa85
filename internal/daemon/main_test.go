package daemon_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"mkad/internal/daemon"
	"mkad/internal/daemon/daemontest"
	"mkad/internal/netlab/mkadlab"
)

// These tests make network namespaces and run whole daemons in them: they need root, or a user namespace.

// released and hooked are directories with mkad and mkactl: as they are released, and with mkad played by this test
// binary, which can be told to begin where a link gets after years.
var released, hooked string

// hooks are what a hooked mkad is told.
type hooks = daemontest.Hooks

// hook tells the hooked mkads of a link.
func hook(t *testing.T, l *mkadlab.Link, h hooks) {
	t.Helper()
	for _, host := range l.Hosts() {
		must(t, h.Give(host.ConfigFile()))
	}
}

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "mkad" {
		os.Exit(play(os.Args[2]))
	}
	flag.Parse()
	if isFuzzing() {
		os.Exit(m.Run())
	}
	waitTogether()
	os.Exit(build(m))
}

// isFuzzing tells whether only a fuzz target runs, which starts processes of this binary and needs no programs.
func isFuzzing() bool {
	f := flag.Lookup("test.fuzz")
	return f != nil && f.Value.String() != ""
}

// waitTogether has more tests at a time than there are processors: they wait for MKA's timers, and compute little.
func waitTogether() {
	if f := flag.Lookup("test.parallel"); f != nil && f.Value.String() == f.DefValue {
		_ = f.Value.Set("6")
	}
}

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "mkad-daemon-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "make directory for programs:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	released, hooked = filepath.Join(dir, "released"), filepath.Join(dir, "hooked")
	if err := buildPrograms(); err != nil {
		fmt.Fprintln(os.Stderr, "build programs:", err)
		return 1
	}
	return m.Run()
}

func buildPrograms() error {
	out, err := exec.Command("go", "build", "-o", released+"/", "mkad/cmd/mkad", "mkad/cmd/mkactl").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.Mkdir(hooked, 0o755); err != nil {
		return err
	}
	if err := os.Symlink(self, filepath.Join(hooked, "mkad")); err != nil {
		return err
	}
	return os.Symlink(filepath.Join(released, "mkactl"), filepath.Join(hooked, "mkactl"))
}

// play is mkad with hooks.
func play(path string) int {
	return daemontest.Play(path, func(o *daemon.Options) error {
		o.OpenSecY = failing(path)
		h, err := daemontest.ReadHooks(path)
		h.Into(o)
		return err
	})
}

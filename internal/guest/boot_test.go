package guest

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// script writes a program for a guest.
func script(t *testing.T, lines string) Command {
	t.Helper()
	file := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(file, []byte("#!/bin/bash\n"+lines+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return Command{Program: file}
}

// everyKernel runs a test on each.
func everyKernel(t *testing.T, test func(*testing.T, Machine)) {
	for _, k := range Kernels {
		t.Run(string(k), func(t *testing.T) { test(t, Machine{Kernel: k}) })
	}
}

func TestBootPassesOutputAndStatus(t *testing.T) {
	everyKernel(t, func(t *testing.T, m Machine) {
		var stdout, stderr bytes.Buffer
		first := script(t, `echo "out $*"; echo err >&2; exit 7`)
		first.Args = []string{"two words", "it's"}
		r, err := Run(t.Context(), Job{Machine: m, Commands: []Command{first, script(t, "echo second")},
			Stdout: &stdout, Stderr: &stderr, Out: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Results) != 2 || r.Results[0].Status != 7 || r.Results[1].Status != 0 {
			t.Errorf("results are %v, want 7 and 0", r.Results)
		}
		if got, want := stdout.String(), "out two words it's\nsecond\n"; got != want {
			t.Errorf("output is %q, want %q", got, want)
		}
		if !strings.Contains(stderr.String(), "err\n") {
			t.Errorf("errors are %q, want the command's among them", stderr.String())
		}
	})
}

func TestBootBringsFilesBack(t *testing.T) {
	everyKernel(t, func(t *testing.T, m Machine) {
		const size = 5 << 20 // more than any buffer on the way
		out := t.TempDir()
		var log bytes.Buffer
		_, err := Run(t.Context(), Job{Machine: m, Out: out, Stdout: &log, Stderr: &log,
			Commands: []Command{script(t, `head -c 5242880 /dev/zero >$MKAD_GUEST_OUT/big`)}})
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(filepath.Join(out, "files", "big")); err != nil || info.Size() != size {
			t.Errorf("the file is %v, %v", info, err)
		}
	})
}

func TestBootThatTakesTooLongIsKilled(t *testing.T) {
	var log bytes.Buffer
	begin := time.Now()
	const limit = 6 * time.Second // less than what is left for an orderly end
	_, err := Run(t.Context(), Job{Machine: Machine{Kernel: UML, Timeout: limit}, Out: t.TempDir(),
		Stdout: &log, Stderr: &log, Commands: []Command{script(t, "sleep 1000")}})
	if err == nil || !strings.Contains(err.Error(), "was killed after 6s") {
		t.Errorf("error is %v", err)
	}
	if took := time.Since(begin); took > 2*limit {
		t.Errorf("it took %v", took)
	}
}

func TestBootThatPanicsIsAnError(t *testing.T) {
	out := t.TempDir()
	var log bytes.Buffer
	_, err := Run(t.Context(), Job{Out: out, Stdout: &log, Stderr: &log,
		Commands: []Command{script(t, "echo c >/proc/sysrq-trigger; sleep 1000")}})
	if !errors.Is(err, errCutShort) {
		t.Errorf("error is %v, want %v", err, errCutShort)
	}
	if !strings.Contains(log.String(), "Kernel panic") || !strings.Contains(log.String(), out) {
		t.Errorf("the log tells neither of the panic nor of %s: %s", out, log.String())
	}
}

func TestBootInVirtualTimeDoesNotWait(t *testing.T) {
	var log bytes.Buffer
	r, err := Run(t.Context(), Job{Machine: Machine{VirtualTime: true}, Out: t.TempDir(), Stdout: &log, Stderr: &log,
		Commands: []Command{script(t, "sleep 1000")}})
	if err != nil {
		t.Fatal(err)
	}
	if c := r.Results[0]; c.End-c.Begin < 1000*time.Second || r.Wall > 500*time.Second {
		t.Errorf("a sleep of 1000 s took %v in the guest, all of it %v", c.End-c.Begin, r.Wall)
	}
}

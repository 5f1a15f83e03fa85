package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mkad/internal/netlab/mkadlab"
)

// These tests make network namespaces and run the programs: they need root, or a user namespace.

// programs is the directory of the programs that are shown, and of the demonstration.
var programs string

func TestMain(m *testing.M) {
	os.Exit(build(m))
}

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "mkad-demo-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "make directory for programs:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	programs = dir
	compile := exec.Command("go", "build", "-o", dir+"/", "mkad/cmd/mkad", "mkad/cmd/mkactl", "mkad/internal/demo")
	out, err := compile.CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "build programs: %v: %s\n", err, out)
		return 1
	}
	return m.Run()
}

// A showing is a run of the demonstration with a directory of its own for what it makes.
type showing struct {
	cmd    *exec.Cmd
	out    *bufio.Reader
	stderr bytes.Buffer
	tmp    string
}

func newShowing(t *testing.T, args ...string) *showing {
	t.Helper()
	tmp, err := os.MkdirTemp(programs, "tmp") // t.TempDir is too long for the path of a socket
	must(t, err)
	s := &showing{cmd: exec.CommandContext(t.Context(), filepath.Join(programs, "demo"), args...), tmp: tmp}
	s.cmd.Env = append(os.Environ(), "TMPDIR="+s.tmp)
	s.cmd.Stderr = &s.stderr
	return s
}

func show(t *testing.T, args ...string) *showing {
	t.Helper()
	s := newShowing(t, args...)
	out, err := s.cmd.StdoutPipe()
	must(t, err)
	s.out = bufio.NewReader(out)
	must(t, s.cmd.Start())
	return s
}

// until reads what is printed up to a line with text.
func (s *showing) until(t *testing.T, text string) {
	t.Helper()
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			_ = s.cmd.Wait() // its errors are whole then
			t.Fatalf("no %q was printed: %v, %s", text, err, s.stderr.String())
		}
		if strings.Contains(line, text) {
			return
		}
	}
}

// end reads the rest and returns the exit status.
func (s *showing) end(t *testing.T) (rest string, status int) {
	t.Helper()
	out, err := io.ReadAll(s.out)
	must(t, err)
	_ = s.cmd.Wait() // the status says it
	return string(out), s.cmd.ProcessState.ExitCode()
}

// leavesNothing checks that no file is left, and no process that was told of one.
func (s *showing) leavesNothing(t *testing.T) {
	t.Helper()
	left, err := os.ReadDir(s.tmp)
	must(t, err)
	for _, file := range left {
		t.Errorf("left behind: %s", file.Name())
	}
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	for _, name := range commands {
		line, _ := os.ReadFile(name) // it may be gone: good
		if bytes.Contains(line, []byte(s.tmp)) {
			t.Errorf("still runs: %q", line)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestDemoHoldsAndLeavesNothing(t *testing.T) {
	keep := t.TempDir()
	s := show(t, "-pcap", filepath.Join(keep, "wire.pcapng"), "-keys", keep)
	out, status := s.end(t)
	if status != 0 || !strings.Contains(out, "all of it held") {
		t.Errorf("exit status %d\n%s%s", status, out, s.stderr.String())
	}
	s.leavesNothing(t)
	for _, name := range []string{"wire.pcapng", "key.toml"} {
		if info, err := os.Stat(filepath.Join(keep, name)); err != nil || info.Size() == 0 {
			t.Errorf("kept file %s: %v, %v", name, info, err)
		}
	}
}

func TestInterruptedDemoLeavesNothing(t *testing.T) {
	for _, after := range []string{"capturing", "mkads are up", "secured", "leased"} {
		t.Run("after "+after, func(t *testing.T) {
			s := show(t)
			s.until(t, after)
			must(t, s.cmd.Process.Signal(syscall.SIGINT))
			if out, status := s.end(t); status != 1 {
				t.Errorf("exit status %d\n%s%s", status, out, s.stderr.String())
			}
			s.leavesNothing(t)
		})
	}
}

func TestDemoThatNobodyReadsLeavesNothing(t *testing.T) {
	s := newShowing(t)
	r, w, err := os.Pipe()
	must(t, err)
	must(t, r.Close())
	s.cmd.Stdout = w
	_ = s.cmd.Run() // how it ends is nobody's business here
	s.leavesNothing(t)
}

func TestFailedDemoLeavesNothing(t *testing.T) {
	s := show(t, "-programs", t.TempDir())
	if out, status := s.end(t); status != 1 {
		t.Errorf("exit status %d\n%s", status, out)
	}
	s.leavesNothing(t)
}

// The verdict would be worth nothing if it could not be this one.
func TestFrameInClearFailsTheDemo(t *testing.T) {
	d := &demo{options: options{programs: programs}, out: io.Discard, began: time.Now()}
	must(t, d.build(t.Context()))
	defer func() { must(t, d.close()) }()
	must(t, d.capture(t.Context()))
	must(t, d.link.Connect()) // with no mkad that closes it
	must(t, d.link.West.AddAddress(mkadlab.Lower, mkadlab.WestAddress+"/24"))
	must(t, d.link.East.AddAddress(mkadlab.Lower, mkadlab.EastAddress+"/24"))
	if _, err := d.link.West.Run(t.Context(), "ping", "-n", "-c", "1", "-w", "5", mkadlab.EastAddress); err != nil {
		t.Fatal(err)
	}
	checkError(t, d.verdict(t.Context()), "0x0800 IPv4 in clear")
}

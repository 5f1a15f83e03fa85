package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrongCommandLineNamesTheHelp(t *testing.T) {
	for _, args := range [][]string{{"--frobnicate"}, {"now"}} {
		var stdout, stderr bytes.Buffer
		exit := run(args, &stdout, &stderr)
		if exit != exitUsage || stdout.Len() > 0 || !strings.HasSuffix(stderr.String(), "\ntry: mkad --help\n") {
			t.Errorf("%v: exit status %d, output %q, errors %q", args, exit, stdout.String(), stderr.String())
		}
	}
}

func TestArgumentIsRefusedWithTheFlagThatIsMeant(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if run([]string{"mkad.toml"}, &stdout, &stderr); !strings.HasPrefix(stderr.String(), "mkad: \"mkad.toml\" is too much: the configuration is named by --config\n") {
		t.Errorf("errors %q", stderr.String())
	}
}

func TestCompletionShowsTextsWithoutMarks(t *testing.T) {
	var stdout, stderr bytes.Buffer
	exit := run([]string{"__complete", "--"}, &stdout, &stderr)
	if exit != exitDone || !strings.Contains(stdout.String(), "--config\tconfiguration file\n") || strings.Contains(stdout.String(), "`") {
		t.Errorf("exit status %d, output %q", exit, stdout.String())
	}
}

func TestBadConfigurationIsNoMatterOfTheHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	exit := run([]string{"--check", "--config", filepath.Join(t.TempDir(), "none.toml")}, &stdout, &stderr)
	if exit != exitUsage || strings.Contains(stderr.String(), "--help") {
		t.Errorf("exit status %d, errors %q", exit, stderr.String())
	}
}

func TestCheckCountsThePorts(t *testing.T) {
	one := portTable("1")
	for _, test := range []struct{ text, want string }{{one, "1 port"}, {one + portTable("2"), "2 ports"}} {
		dir := t.TempDir()
		file := filepath.Join(dir, "mkad.toml")
		write(t, file, test.text)
		write(t, filepath.Join(dir, "keys.toml"), goodKey)
		var stdout, stderr bytes.Buffer
		exit := run([]string{"--check", "--config", file}, &stdout, &stderr)
		if want := file + ": good, " + test.want + "\n"; exit != exitDone || stdout.String() != want {
			t.Errorf("exit status %d, output %q, want %q; errors %s", exit, stdout.String(), want, stderr.String())
		}
	}
}

func TestCheckCountsThePortsThatCannotBeServed(t *testing.T) {
	for _, test := range []struct {
		n, unfit int
		want     string
	}{
		{1, 0, "1 port"}, {1, 1, "1 port, which cannot be served as it is"}, {2, 0, "2 ports"},
		{2, 1, "2 ports, one of which cannot be served as it is"}, {2, 2, "2 ports, none of which can be served as it is"},
		{3, 2, "3 ports, 2 of which cannot be served as they are"},
	} {
		if got := portCount(test.n, test.unfit); got != test.want {
			t.Errorf("%d of %d: %q, want %q", test.unfit, test.n, got, test.want)
		}
	}
	file := filepath.Join(t.TempDir(), "mkad.toml")
	write(t, file, strings.Replace(portTable("1"), "mkad-none1", "lo", 1))
	write(t, filepath.Join(filepath.Dir(file), "keys.toml"), goodKey)
	var stdout, stderr bytes.Buffer
	exit := run([]string{"--check", "--config", file}, &stdout, &stderr)
	if want := file + ": good, 1 port, which cannot be served as it is\n"; exit != exitDone || stdout.String() != want {
		t.Errorf("exit status %d, output %q, want %q; errors %s", exit, stdout.String(), want, stderr.String())
	}
}

func TestCheckSaysWhichFilesHaveErrors(t *testing.T) {
	two := portTable("1") + strings.Replace(portTable("2"), "keys.toml", "more.toml", 1)
	for _, test := range []struct{ config, keys, more, want string }{
		{two, goodKey, "rubbish\n", "the CAK file has errors"},
		{two, "rubbish\nrubbish\n", goodKey, "the CAK file has errors"},
		{two, "rubbish\n", "rubbish\n", "CAK files have errors"},
		{two + "rubbish\n", "rubbish\n", goodKey, "the configuration has errors"},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "mkad.toml")
		write(t, file, test.config)
		write(t, filepath.Join(dir, "keys.toml"), test.keys)
		write(t, filepath.Join(dir, "more.toml"), test.more)
		for _, start := range []bool{false, true} {
			args, want := []string{"--check", "--config", file}, "mkad: "+test.want+"\n"
			if start {
				args, want = args[1:], "mkad: "+test.want+"; nothing was started\n"
			}
			var stdout, stderr bytes.Buffer
			if exit := run(args, &stdout, &stderr); exit != exitUsage || !strings.HasSuffix(stderr.String(), want) {
				t.Errorf("%v: exit status %d, errors %q, want %q", args, exit, stderr.String(), want)
			}
		}
	}
}

// Clause: none; design: one thing to try, that of the cause
func TestPlanWithoutADaemonNamesOneRemedy(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "mkad.toml")
	write(t, file, "[daemon]\ncontrol = \""+filepath.Join(dir, "none.sock")+"\"\n"+portTable("1"))
	write(t, filepath.Join(dir, "keys.toml"), goodKey)
	var stdout, stderr bytes.Buffer
	exit := run([]string{"--check", "--diff", "--config", file}, &stdout, &stderr)
	if exit != exitFailed || strings.Count(stderr.String(), "\ntry: ") != 1 || !strings.Contains(stderr.String(), "\ntry: start mkad, or name its socket") {
		t.Errorf("exit status %d, errors %q", exit, stderr.String())
	}
}

// goodKey is a CAK file.
const goodKey = "[[key]]\nckn = \"0001\"\ncak = \"77c1b3d50ee94a6f8a2d1c3e5b7f9a0d\"\n"

// portTable is a port of devices that no host has.
func portTable(n string) string {
	return "[[port]]\ninterface = \"mkad-none" + n + "\"\ncontrolled = \"mkad-some" + n + "\"\nkeys = \"keys.toml\"\n"
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Clause: none; design: log_format. Who reads the log as JSON can read why there is none to follow.
func TestWhatEndsTheStartIsToldInTheFormatOfTheLog(t *testing.T) {
	for name, test := range map[string]struct {
		key  string
		exit int
		says string
	}{
		"a bad CAK file":                   {"cak", exitUsage, "the CAK file has errors; nothing was started"},
		"a control socket of no directory": {goodKey, exitFailed, "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "mkad.toml")
			control := filepath.Join(file, "control.sock") // a file is no directory
			write(t, file, "[daemon]\ncontrol = \""+control+"\"\nstate = \""+file+".state\"\nlog_format = \"json\"\n"+
				portTable("1")+"uncontrolled = \"open\"\n") // closed, the device would stay so, on the very host of the test
			write(t, filepath.Join(filepath.Dir(file), "keys.toml"), test.key)
			var stdout, stderr bytes.Buffer
			exit := run([]string{"--config", file}, &stdout, &stderr)
			if exit != test.exit || stdout.Len() > 0 || !strings.Contains(stderr.String(), test.says) {
				t.Errorf("exit status %d, output %q, errors %q", exit, stdout.String(), stderr.String())
			}
			for line := range strings.Lines(stderr.String()) {
				if !json.Valid([]byte(line)) {
					t.Errorf("no JSON: %s", line)
				}
			}
		})
	}
}

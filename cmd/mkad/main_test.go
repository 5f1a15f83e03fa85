package main

import (
	"bytes"
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
		write(t, filepath.Join(dir, "keys.toml"), "[[key]]\nckn = \"0001\"\ncak = \"77c1b3d50ee94a6f8a2d1c3e5b7f9a0d\"\n")
		var stdout, stderr bytes.Buffer
		exit := run([]string{"--check", "--config", file}, &stdout, &stderr)
		if want := file + ": good, " + test.want + "\n"; exit != exitDone || stdout.String() != want {
			t.Errorf("exit status %d, output %q, want %q; errors %s", exit, stdout.String(), want, stderr.String())
		}
	}
}

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

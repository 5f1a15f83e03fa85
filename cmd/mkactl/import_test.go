package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// importing runs import with a directory for what it makes.
func importing(t *testing.T, args ...string) (outcome, string) {
	t.Helper()
	dir := t.TempDir()
	args = append([]string{"import", "--config", filepath.Join(dir, "mkad.toml"), "--keys", dir}, args...)
	var stdout, stderr bytes.Buffer
	tool := tool{stdout: &stdout, stderr: &stderr, random: bytes.NewReader(bytes.Repeat([]byte{7, 9}, 64)),
		describe: func(device string) ([]byte, error) {
			if device != "macsec0" {
				return nil, errors.New("exit status 1")
			}
			return []byte("5: macsec0@eth1: <UP>\n    macsec sci 525400aabbcc0001 protect on cipher GCM-AES-256 window 32\n"), nil
		}}
	return outcome{tool.run(args), stdout.String(), stderr.String()}, dir
}

const cakDigits = "77c1b3d50ee94a6f8a2d1c3e5b7f9a0d"

func supplicantFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "wpa_supplicant.conf")
	text := "network={\n\tmka_cak=" + cakDigits + "\n\tmka_ckn=0a0b\n\tmka_priority=7\n}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Clause: none; design: import; keys go to files of mode 0600 and nowhere else.
func TestImportMakesConfigurationAndKey(t *testing.T) {
	got, dir := importing(t, supplicantFile(t), "--interface", "eth1")
	if got.exit != exitDone || strings.Contains(got.stdout+got.stderr, cakDigits[:8]) {
		t.Fatalf("%+v", got)
	}
	text, err := os.ReadFile(filepath.Join(dir, "mkad.toml"))
	if err != nil || !strings.Contains(string(text), "interface = \"eth1\"\ncontrolled = \"macsec0\"\n") ||
		!strings.Contains(string(text), "key_server_priority = 7\n") || strings.Contains(string(text), cakDigits) {
		t.Errorf("configuration (%v):\n%s", err, text)
	}
	key := filepath.Join(dir, "eth1.toml")
	info, err := os.Stat(key)
	if err != nil || info.Mode() != 0o600 {
		t.Fatalf("CAK file: %v, %v", info, err)
	}
	if text, _ := os.ReadFile(key); !strings.Contains(string(text), "cak = \""+cakDigits+"\"\n") {
		t.Error("the CAK file does not have the CAK")
	}
}

// Clause: none; design: import of a device that was keyed by hand.
func TestImportOfADeviceMakesAFreshKey(t *testing.T) {
	got, dir := importing(t, "macsec0")
	text, err := os.ReadFile(filepath.Join(dir, "mkad.toml"))
	if got.exit != exitDone || err != nil || !strings.Contains(got.stdout, "a fresh key") ||
		!strings.Contains(string(text), "interface = \"eth1\"") || !strings.Contains(string(text), "replay_window = 32") {
		t.Errorf("%+v (%v):\n%s", got, err, text)
	}
}

// Clause: none; design: bad input is said with its remedy, and leaves nothing behind.
func TestImportThatFailsLeavesNothing(t *testing.T) {
	for _, c := range []struct {
		args []string
		exit int
		says string
	}{
		{[]string{supplicantFile(t)}, exitUsage, "give --interface"},
		{[]string{supplicantFile(t), "--interface", "two words"}, exitFailed, "contains a space"},
		{[]string{"macsec7"}, exitFailed, "neither a file nor a device"},
		{[]string{"/no/such/file"}, exitFailed, "no such file"},
	} {
		got, dir := importing(t, c.args...)
		left, err := os.ReadDir(dir)
		if got.exit != c.exit || !strings.Contains(got.stderr, c.says) || err != nil || len(left) > 0 {
			t.Errorf("%v: exit status %d, %s; left %v", c.args, got.exit, got.stderr, left)
		}
	}
}

// Clause: none; design: import leaves files that exist alone.
func TestImportTouchesNoFileThatExists(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "mkad.toml")
	if err := os.WriteFile(config, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	got, keys := importing(t, supplicantFile(t), "--interface", "eth1", "--config", config)
	text, _ := os.ReadFile(config)
	left, _ := os.ReadDir(keys)
	if got.exit != exitFailed || string(text) != "mine" || len(left) > 0 || !strings.Contains(got.stderr, "--config") {
		t.Errorf("exit status %d, %s; the file is %q, beside it %v", got.exit, got.stderr, text, left)
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"mkad/internal/config"
)

// importing runs import with a directory for what it makes.
func importing(t *testing.T, args ...string) (outcome, string) {
	t.Helper()
	dir := t.TempDir()
	args = append([]string{"--config", filepath.Join(dir, "mkad.toml"), "--keys", dir}, args...)
	return importingOn(nil, args...), dir
}

// importingOn runs import on a host with devices, each with those below it.
func importingOn(devices map[string][]string, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	hidden := false
	tool := tool{stdout: &stdout, stderr: &stderr, random: bytes.NewReader(bytes.Repeat([]byte{7, 9}, 64)),
		hideMemory: func() error { hidden = true; return nil }, lowers: func() map[string][]string { return devices },
		describe: func(device string) ([]byte, error) {
			if device != "macsec0" {
				return nil, errors.New("exit status 1")
			}
			return []byte("5: macsec0@eth1: <UP>\n    macsec sci 525400aabbcc0001 protect on cipher GCM-AES-256 window 32\n"), nil
		}}
	exit := tool.run(append([]string{"import"}, args...))
	if !hidden {
		return outcome{-1, "", "keys were handled in memory that others see"}
	}
	return outcome{exit, stdout.String(), stderr.String()}
}

const cakDigits = "77c1b3d50ee94a6f8a2d1c3e5b7f9a0d"

const supplicantText = "network={\n\tmka_cak=" + cakDigits + "\n\tmka_ckn=0a0b\n\tmka_priority=7\n}\n"

func supplicantFile(t *testing.T) string { return fileOf(t, supplicantText) }

func longFile(t *testing.T) string {
	return fileOf(t, supplicantText+strings.Repeat("# more\n", 1<<20/7))
}

func fileOf(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "wpa_supplicant.conf")
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

// Clause: none; design: --json of what was made.
func TestImportIsToldInJSON(t *testing.T) {
	for source, fresh := range map[string]bool{"macsec0": true, supplicantFile(t): false} {
		got, dir := importing(t, source, "--json", "--interface", "eth1")
		var done importDone
		if err := json.Unmarshal([]byte(got.stdout), &done); err != nil || got.exit != exitDone || len(done.Ports) != 1 {
			t.Errorf("%s: %v, %+v", source, err, got)
			continue
		}
		want := importDone{Version: 1, Config: filepath.Join(dir, "mkad.toml"),
			Ports: []importedPort{{"eth1", "macsec0", filepath.Join(dir, "eth1.toml"), fresh, done.Ports[0].Notes}}}
		if !reflect.DeepEqual(done, want) || done.Ports[0].Notes == nil {
			t.Errorf("%s: %+v, want %+v", source, done, want)
		}
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
		{[]string{"/dev/zero"}, exitFailed, "it is not a regular file"},
		{[]string{"/proc/self/cwd"}, exitFailed, "it is not a regular file"},
		{[]string{longFile(t)}, exitFailed, "it is longer than 1048576 octets"},
		{[]string{fileOf(t, "network={\n\tmka_cak="+cakDigits+"\n\tmka_ckn=link\n}\n"), "--interface", "eth1"}, exitFailed,
			"line 3: mka_ckn is not made of 2 to 64 hexadecimal digits, two for each octet\ntry: write it so"},
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
	file := filepath.Join(dir, "mkad.toml")
	if err := os.WriteFile(file, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	got, keys := importing(t, supplicantFile(t), "--interface", "eth1", "--config", file)
	text, _ := os.ReadFile(file)
	left, _ := os.ReadDir(keys)
	if got.exit != exitFailed || string(text) != "mine" || len(left) > 0 || !strings.Contains(got.stderr, "copy the [[port]] in it to the end of "+file) {
		t.Errorf("exit status %d, %s; the file is %q, beside it %v", got.exit, got.stderr, text, left)
	}
}

// Clause: none; design: import reads what a program prints, as the shell's <(ip macsec show) gives it.
func TestImportReadsAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() { written <- os.WriteFile(pipe, []byte(supplicantText), 0o600) }()
	if got, _ := importing(t, pipe, "--interface", "eth1"); got.exit != exitDone {
		t.Fatalf("%+v", got)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}

// Clause: none; design: mkad finds the CAK files of what was imported.
func TestImportNamesKeysSoThatTheyAreFound(t *testing.T) {
	source := supplicantFile(t)
	absolute := t.TempDir()
	for _, c := range []struct{ config, keys, written string }{
		{"new/m.toml", "out-keys", "%/out-keys/eth3.toml"},
		{"new/m.toml", "new/keys", "keys/eth3.toml"},
		{"m.toml", "keys", "keys/eth3.toml"},
		{"new/m.toml", absolute, absolute + "/eth3.toml"},
	} {
		work := t.TempDir()
		t.Chdir(work)
		for _, dir := range []string{"new/keys", "out-keys", "keys"} {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		got := importingOn(nil, source, "--interface", "eth3", "--config", c.config, "--keys", c.keys)
		text, _ := os.ReadFile(c.config)
		if want := "keys = \"" + strings.Replace(c.written, "%", work, 1) + "\"\n"; got.exit != exitDone || !strings.Contains(string(text), want) {
			t.Errorf("%+v: %+v, wrote\n%s", c, got, text)
			continue
		}
		cfg, problems := config.Load(c.config)
		if problems != nil {
			t.Fatal(problems)
		}
		keys, problems := config.LoadKeys(cfg.Ports[0].Keys)
		if len(keys) != 1 || problems != nil {
			t.Errorf("%+v: %s", c, problems)
		}
	}
}

// Clause: none; design: no two ports have one Controlled Port, and what the host knows of a device stays right.
func TestImportChoosesAFreeControlledPort(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"one.toml":  "[[port]]\ninterface = \"eth8\"\ncontrolled = \"macsec1\"\n",
		"keys.toml": "[[key]]\nckn = \"01\"\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	devices := map[string][]string{"eth1": nil, "macsec0": {"eth9"}, "macsec2": {"eth9"}, "macsec7": {"eth5"}, "vlan5": {"eth5"}}
	for i, c := range []struct{ lower, controlled string }{{"eth1", "macsec3"}, {"eth2", "macsec4"}, {"eth5", "macsec7"}, {"eth5", "macsec5"}} {
		file := filepath.Join(dir, fmt.Sprintf("new%d.toml", i))
		got := importingOn(devices, supplicantFile(t), "--interface", c.lower, "--config", file, "--keys", t.TempDir())
		text, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(text), "controlled = \""+c.controlled+"\"\n") {
			t.Errorf("%+v: %+v, wrote (%v)\n%s", c, got, err, text)
		}
	}
}

// Clause: none; design: what is taken over otherwise than it was is said.
func TestImportWarnsOfASupplicantWithoutMACsec(t *testing.T) {
	source := fileOf(t, strings.Replace(supplicantText, "mka_priority=7", "macsec_policy=0", 1))
	if got, _ := importing(t, source, "--interface", "eth1"); got.exit != exitDone || !strings.Contains(got.stdout, "\nwarning: macsec_policy is 0: ") {
		t.Errorf("%+v", got)
	}
}

func TestDeviceThatIpDoesNotFindIsToldInItsWords(t *testing.T) {
	text, err := describe("nosuchdevice0")
	if err == nil || len(text) != 0 || !strings.Contains(err.Error(), "nosuchdevice0") {
		t.Errorf("%q, %v", text, err)
	}
}

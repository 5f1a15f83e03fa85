package config

import (
	"slices"
	"testing"
)

// Clause: none; what a reload changes is found among the settings, so that none may be missing.
func TestSettingsAreAllKeys(t *testing.T) {
	var port, daemon []string
	for _, s := range defaultPort().Settings() {
		port = append(port, s.Key)
	}
	for _, s := range defaultDaemon().Settings() {
		daemon = append(daemon, s.Key)
	}
	if !slices.Equal(port, portShape.keys) || !slices.Equal(daemon, daemonShape.keys) {
		t.Errorf("settings of a port %v, of [daemon] %v", port, daemon)
	}
}

// Clause: none; a setting is written so that it can be read again, and means the same.
func TestSettingsCanBeReadAgain(t *testing.T) {
	want, problems := Load("../../testdata/config/good/all-keys.toml")
	if problems.Errors() != nil {
		t.Fatal(problems)
	}
	text := "[daemon]\n"
	for _, s := range want.Daemon.Settings() {
		text += s.Key + " = " + s.Value + "\n"
	}
	text += "[[port]]\n"
	for _, s := range want.Ports[0].Settings() {
		text += s.Key + " = " + s.Value + "\n"
	}
	got, problems := parse("again.toml", []byte(text))
	if problems.Errors() != nil {
		t.Fatalf("%s\n%s", problems, text)
	}
	if got.Daemon != want.Daemon || !got.Ports[0].Equal(want.Ports[0]) {
		t.Errorf("read again as %+v %+v, want %+v %+v", got.Daemon, got.Ports[0], want.Daemon, want.Ports[0])
	}
}

// Clause: none; design: --check --diff.
func TestDifferencesNameOldAndNew(t *testing.T) {
	before := defaultPort()
	after := before
	after.ReplayWindow, after.Bypass = 64, []string{"lldp"}
	got := Differences(before.Settings(), after.Settings())
	if len(got) != 2 || got[0].String() != `bypass: [] -> ["lldp"]` || got[1].String() != "replay_window: 128 -> 64" {
		t.Errorf("differences are %v", got)
	}
}

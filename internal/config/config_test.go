package config

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mkad/eapol"
	"mkad/secy"
)

// ignoreWhere leaves out of comparisons where things stand in the text.
var ignoreWhere = cmpopts.IgnoreUnexported(Config{})

// mustParse reads a text that has no problems.
func mustParse(t *testing.T, text string) *Config {
	t.Helper()
	cfg, problems := parse("/etc/mkad/mkad.toml", []byte(text))
	if problems != nil {
		t.Fatalf("unexpected problems:\n%s", lines(problems))
	}
	return cfg
}

const minimal = "[[port]]\ninterface = \"eth1\"\n"

func TestDefaultsAreThoseOfTheDesign(t *testing.T) {
	want := &Config{
		Daemon: Daemon{
			Control:   "/run/mkad/control.sock",
			State:     "/run/mkad/state",
			LogLevel:  slog.LevelInfo,
			LogFormat: "text",
			Ready:     "listening",
		},
		Ports: []Port{{
			Interface:         "eth1",
			Controlled:        "macsec0",
			Keys:              "/etc/mkad/keys/eth1.toml",
			Backend:           "auto",
			CipherSuites:      []secy.CipherSuite{secy.GCMAESXPN256, secy.GCMAESXPN128, secy.GCMAES256, secy.GCMAES128},
			Confidentiality:   secy.Offset0,
			Policy:            "must-secure",
			Uncontrolled:      "closed",
			OnUnsecured:       "dormant",
			KeyServerPriority: 16,
			PortID:            1,
			SendSCI:           true,
			ReplayProtect:     true,
			ReplayWindow:      128,
			EAPOLDestination:  eapol.MAC{0x01, 0x80, 0xc2, 0x00, 0x00, 0x03},
			EAPOLAccept:       "destination",
			EAPOLEtherType:    0x888e,
			HelloTime:         2 * time.Second,
			LifeTime:          6 * time.Second,
			InServiceSlot:     "latest",
			OnExit:            "keep",
		}},
	}
	if diff := cmp.Diff(want, mustParse(t, minimal), ignoreWhere); diff != "" {
		t.Errorf("configuration differs (-want +got):\n%s", diff)
	}
}

func TestEveryKeyIsRead(t *testing.T) {
	want := &Config{
		Daemon: Daemon{
			Control:   "/run/mkad/other.sock",
			State:     "/var/lib/mkad",
			Metrics:   "[::1]:9725",
			LogLevel:  slog.LevelDebug,
			LogFormat: LogJSON,
			Ready:     ReadySecured,
		},
		Ports: []Port{{
			Interface:         "eth1",
			Controlled:        "sec1",
			Keys:              "../../testdata/config/good/keys/eth1.toml",
			Backend:           "userspace",
			CipherSuites:      []secy.CipherSuite{secy.GCMAES256, secy.GCMAES128},
			Confidentiality:   secy.Offset50,
			Policy:            ShouldSecure,
			Uncontrolled:      Closed,
			Bypass:            []string{"lldp", "stp", "lacp"},
			OnUnsecured:       Down,
			KeyServerPriority: 255,
			PortID:            65535,
			ReplayWindow:      1<<32 - 1,
			SAKLifetime:       10 * time.Second,
			DelayProtect:      true,
			EAPOLDestination:  eapol.MAC{0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e},
			EAPOLAccept:       AcceptStandard,
			EAPOLEtherType:    0x876f,
			MKAVersion:        2,
			ICVIndicator:      true,
			HelloTime:         500 * time.Millisecond,
			LifeTime:          10 * time.Minute,
			InServiceSlot:     OldSlot,
			AllowPriority255:  true,
			OnExit:            Remove,
		}},
	}
	got, problems := Load(filepath.Join(goldenDir, "good/all-keys.toml"))
	if problems != nil {
		t.Fatalf("unexpected problems:\n%s", lines(problems))
	}
	if diff := cmp.Diff(want, got, ignoreWhere); diff != "" {
		t.Errorf("configuration differs (-want +got):\n%s", diff)
	}
}

const reference = "../../packaging/mkad.toml.example"

func TestReferenceConfigurationShowsTheDefaults(t *testing.T) {
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	written := mustParse(t, string(text))
	if diff := cmp.Diff(mustParse(t, minimal), written, ignoreWhere); diff != "" {
		t.Errorf("as it is, it differs from the defaults (-defaults +reference):\n%s", diff)
	}
	shown := mustParse(t, regexp.MustCompile(`(?m)^#([a-z_]+ = )`).ReplaceAllString(string(text), "$1"))
	if diff := cmp.Diff(written, shown, ignoreWhere); diff != "" {
		t.Errorf("a commented value is not the default (-default +shown):\n%s", diff)
	}
}

func TestReferenceConfigurationHasEveryKeyOnce(t *testing.T) {
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range slices.Concat(daemonShape.keys, portShape.keys) {
		if n := len(regexp.MustCompile(`(?m)^#*`+key+` = `).FindAll(text, -1)); n != 1 {
			t.Errorf("%s stands there %d times", key, n)
		}
	}
}

func TestRelativeKeysStartAtTheDirectoryOfTheConfiguration(t *testing.T) {
	for _, test := range []struct{ written, want string }{
		{`keys/eth1.toml`, "/etc/mkad/keys/eth1.toml"},
		{`../eth1.toml`, "/etc/eth1.toml"},
		{`/root/eth1.toml`, "/root/eth1.toml"},
		{`550e8400-e29b-41d4-a716-446655440000.toml`, "/etc/mkad/550e8400-e29b-41d4-a716-446655440000.toml"},
		{`./77c1b3d50ee94a6f8a2d1c3e5b7f9a0d`, "/etc/mkad/77c1b3d50ee94a6f8a2d1c3e5b7f9a0d"}, // a name that looks like a key
	} {
		cfg := mustParse(t, minimal+"keys = '"+test.written+"'\n")
		if got := cfg.Ports[0].Keys; got != test.want {
			t.Errorf("%s: got %s, want %s", test.written, got, test.want)
		}
	}
}

func TestSAKLifetimeIsAGoDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0s": 0, "0": 0, "10s": 10 * time.Second, "1h30m": 90 * time.Minute, "36h": 36 * time.Hour,
	} {
		cfg := mustParse(t, minimal+"sak_lifetime = '"+text+"'\n")
		if got := cfg.Ports[0].SAKLifetime; got != want {
			t.Errorf("%s: got %s", text, got)
		}
	}
}

func TestMetricsAddressesThatCanBeServed(t *testing.T) {
	for _, address := range []string{"127.0.0.1:9725", "[::]:1", ":65535", "localhost:9725", "[fe80::1%eth0]:9725"} {
		cfg := mustParse(t, "[daemon]\nmetrics = '"+address+"'\n"+minimal)
		if got := cfg.Daemon.Metrics; got != address {
			t.Errorf("%s: got %s", address, got)
		}
	}
}

// Clause: 802.1AE-2018 10.7.8
func TestReplayWindowsUpToTheLimitAreTaken(t *testing.T) {
	for suite, limit := range map[string]uint32{"GCM-AES-128": 1<<32 - 1, "GCM-AES-XPN-128": 1<<30 - 1} {
		cfg := mustParse(t, minimal+fmt.Sprintf("cipher_suites = [%q]\nreplay_window = %d\n", suite, limit))
		if got := cfg.Ports[0].ReplayWindow; got != limit {
			t.Errorf("%s: got %d, want %d", suite, got, limit)
		}
	}
}

// ports is a configuration of n ports.
func ports(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "[[port]]\ninterface = \"eth%d\"\ncontrolled = \"macsec%d\"\n", i, i)
	}
	return b.String()
}

func TestPortsAreBounded(t *testing.T) {
	if got := len(mustParse(t, ports(MaxPorts)).Ports); got != MaxPorts {
		t.Errorf("got %d ports, want %d", got, MaxPorts)
	}
	_, problems := parse("mkad.toml", []byte(ports(MaxPorts+1)))
	const want = "mkad.toml:769: port: there are more than 256; remove some, or run a second mkad\n"
	if got := lines(problems); got != want {
		t.Errorf("got %s", got)
	}
}

func TestProblemsAreBoundedAndWarningsGiveWay(t *testing.T) {
	text := minimal + "confidentiality = \"offset-30\"\n"
	for i := range 2 * maxProblems {
		text += fmt.Sprintf("unknown%d = 1\n", i)
	}
	_, problems := parse("mkad.toml", []byte(text))
	if len(problems) != maxProblems+1 || len(problems.Warnings()) != 0 {
		t.Fatalf("got %d problems, %d of them warnings", len(problems), len(problems.Warnings()))
	}
	const want = "mkad.toml:104: more problems than the 100 that are listed; mend these first"
	if got := problems[maxProblems].String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTextsAreJudgedByTheirOctets(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"not UTF-8", minimal + "# caf\xe9\n", "f:3: is not UTF-8; save the file as UTF-8\n"},
		{"UTF-16", "\xff\xfe[\x00[\x00", "f:1: is not UTF-8; save the file as UTF-8\n"},
		{"NUL", minimal + "port_id = 1 # \x00\n",
			"f:3: contains the control character 0x00; remove it, and save the file as plain UTF-8 text\n"},
		{"escape sequence", minimal + "\x1b[31m",
			"f:3: contains the control character 0x1b; remove it, and save the file as plain UTF-8 text\n"},
		{"carriage return alone", "[[port]]\rinterface = \"eth1\"\r",
			"f:1: contains the control character 0x0d; remove it, and save the file as plain UTF-8 text\n"},
		{"byte order mark", utf8BOM + minimal, ""},
		{"lines end in CR LF", strings.ReplaceAll(minimal, "\n", "\r\n"), ""},
		{"lines end in CR LF, with a mistake", "[[port]]\r\n\r\ninterface = \"\"\r\n",
			"f:3: port.interface: \"\" is not a name; write a device's name, for instance \"eth1\"\n"},
		{"no line end at the end", strings.TrimSpace(minimal), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, problems := parse("f", []byte(test.text))
			if got := lines(problems); got != test.want {
				t.Errorf("got  %swant %s", got, test.want)
			}
		})
	}
}

// A rejected file is one that the rule refuses before a single octet is parsed.
type rejectedFile struct {
	name string
	path func(t *testing.T, dir string) string
	want string
}

// rejectedFiles are those that no loader takes.
func rejectedFiles(maxSize int) []rejectedFile {
	tooLarge := fmt.Sprintf("is larger than %d KiB; name a smaller file", maxSize>>10)
	return []rejectedFile{
		{"directory", func(_ *testing.T, dir string) string { return dir }, "is a directory; name a regular file"},
		{"FIFO", makeFIFO, "is a FIFO; name a regular file"},
		{"socket", makeSocket, "is a socket; name a regular file"},
		{"device", func(*testing.T, string) string { return os.DevNull }, "is a device; name a regular file"},
		{"10 MB", func(t *testing.T, _ string) string {
			return writeWithMode(t, "large.toml", strings.Repeat("#\n", 5_000_000), 0o600)
		}, tooLarge},
		{"one octet too large", func(t *testing.T, _ string) string {
			return writeWithMode(t, "large.toml", strings.Repeat("#", maxSize+1), 0o600)
		}, tooLarge},
		{"symbolic link to itself", func(t *testing.T, dir string) string {
			return symlink(t, filepath.Join(dir, "self"), filepath.Join(dir, "self"))
		}, "cannot be opened: too many levels of symbolic links; name a file that can be read"},
		{"symbolic link to a directory", func(t *testing.T, dir string) string {
			return symlink(t, dir, filepath.Join(dir, "link"))
		}, "is a directory; name a regular file"},
	}
}

func makeFIFO(t *testing.T, dir string) string {
	path := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func makeSocket(t *testing.T, dir string) string {
	path := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return path
}

func symlink(t *testing.T, target, path string) string {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// compareRejected loads files that must be refused, each with one problem of the file as a whole.
func compareRejected(t *testing.T, files []rejectedFile, load func(path string) Problems) {
	for _, file := range files {
		t.Run(file.name, func(t *testing.T) {
			path := file.path(t, t.TempDir())
			problems := load(path)
			if len(problems) != 1 || problems[0].String() != path+": "+file.want {
				t.Errorf("got %v\nwant %s: %s", problems, path, file.want)
			}
		})
	}
}

func TestConfigurationIsARegularFileOfLimitedSize(t *testing.T) {
	files := append(rejectedFiles(maxConfigSize), rejectedFile{"missing",
		func(_ *testing.T, dir string) string { return filepath.Join(dir, "none.toml") },
		"does not exist; write one, with a [[port]] and its interface, or name another with --config"})
	compareRejected(t, files, func(path string) Problems {
		cfg, problems := Load(path)
		if cfg != nil {
			t.Error("got a configuration")
		}
		return problems
	})
}

func TestConfigurationOfTheLargestSizeIsRead(t *testing.T) {
	text := minimal + strings.Repeat("#", maxConfigSize-len(minimal))
	cfg, problems := Load(writeWithMode(t, "mkad.toml", text, 0o644))
	if cfg == nil || problems != nil {
		t.Errorf("got %v", problems)
	}
}

func TestConfigurationMayBeASymbolicLink(t *testing.T) {
	target := writeWithMode(t, "mkad.toml", minimal, 0o644)
	if cfg, problems := Load(symlink(t, target, target+".link")); cfg == nil {
		t.Errorf("got %v", problems)
	}
}

func TestPortProblemHasTheLineOfItsKey(t *testing.T) {
	cfg := mustParse(t, "\n"+minimal+"controlled = \"sec0\"\n\n[[port]]\ncontrolled = \"sec1\"\ninterface = \"eth2\"\n")
	for _, test := range []struct {
		iface, key string
		want       int
	}{
		{"eth1", "controlled", 4}, {"eth2", "interface", 8}, {"eth2", "uncontrolled", 6}, {"eth3", "interface", 1},
	} {
		got := cfg.PortProblem(test.iface, test.key, "has an address", "remove it")
		want := Problem{File: "/etc/mkad/mkad.toml", Line: test.want, Key: "port." + test.key, What: "has an address",
			Remedy: "remove it"}
		if got != want {
			t.Errorf("%s %s: got %v, want line %d", test.iface, test.key, got, test.want)
		}
	}
}

func TestPortsAreEqualWhateverTheirLines(t *testing.T) {
	a, b := mustParse(t, minimal).Ports[0], mustParse(t, "# moved\n\n"+minimal+"bypass = []\n").Ports[0]
	if !a.Equal(b) {
		t.Error("the same port in another line is another port")
	}
	b.Bypass = []string{"lldp"}
	if a.Equal(b) {
		t.Error("a port with another bypass is the same port")
	}
}

func TestPortIsNamedAfterItsInterface(t *testing.T) {
	if got := mustParse(t, minimal).Ports[0].Name(); got != "eth1" {
		t.Errorf("got %s", got)
	}
}

// Clause: none; root acts by the configuration.
func TestConfigurationThatEverybodyMayWriteIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mkad.toml")
	if err := os.WriteFile(file, []byte("[[port]]\ninterface = \"eth1\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for mode, good := range map[os.FileMode]bool{0o644: true, 0o664: true, 0o600: true, 0o666: false, 0o602: false} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if cfg, problems := Load(file); (cfg != nil) != good || !good && problems[0].What != "can be written by everybody" {
			t.Errorf("mode %o: read %t, %v", mode, cfg != nil, problems)
		}
	}
}

// Clause: none; each option is proven by a test that docs/options.md names.
func TestEveryOptionHasItsProof(t *testing.T) {
	text, err := os.ReadFile("../../docs/options.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range slices.Concat(daemonShape.keys, portShape.keys, keyShape.keys) {
		row := regexp.MustCompile("(?m)^\\|[^|]*`" + key + "`[^|]*\\|.*`Test[A-Za-z0-9]+`")
		if !row.Match(text) {
			t.Errorf("no test is named for %s", key)
		}
	}
}

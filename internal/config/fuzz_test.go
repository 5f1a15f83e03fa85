package config

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/BurntSushi/toml"

	"mkad/eapol"

	"mkad/keyderive"
)

// addSeeds gives every text of testdata/config to a fuzz target, whichever loader it is for.
func addSeeds(f *testing.F) {
	paths, err := filepath.Glob(filepath.Join(goldenDir, "*", "*.toml"))
	if err != nil || len(paths) < 100 {
		f.Fatalf("found %d seeds (%v)", len(paths), err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}

// checkProblems holds what people see against what they are promised. secret matches what may be a key in the text.
func checkProblems(t *testing.T, data []byte, problems Problems, secret *regexp.Regexp) {
	count := 1 + bytes.Count(data, []byte("\n"))
	secrets := secret.FindAllString(string(data), -1)
	for _, p := range problems {
		if p.Line < 1 || p.Line > count || p.What == "" || p.Remedy == "" {
			t.Errorf("a text of %d lines has the problem %#v", count, p)
		}
		shown := p.String()
		if strings.ContainsFunc(shown, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("more than one line, or what a terminal obeys: %q", shown)
		}
		for _, s := range secrets {
			if strings.Contains(shown, s) {
				t.Errorf("%q shows %q", shown, s)
			}
		}
	}
	if len(problems) > maxProblems+1 {
		t.Errorf("%d problems", len(problems))
	}
}

func FuzzConfig(f *testing.F) {
	addSeeds(f)
	longDigits := regexp.MustCompile(`[0-9A-Fa-f]{24,}`)
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, problems := parse("f", data)
		checkProblems(t, data, problems, longDigits)
		if (cfg == nil) != (problems.Errors() != nil) {
			t.Fatalf("a configuration: %t, beside %v", cfg != nil, problems)
		}
		if cfg != nil {
			checkConfig(t, cfg)
		}
		if root, problems := decode("f", data); problems == nil {
			checkPlaces(t, root.values, root.at)
		}
	})
}

// checkConfig holds a configuration against what Config promises.
func checkConfig(t *testing.T, cfg *Config) {
	if len(cfg.Ports) == 0 || len(cfg.Ports) > MaxPorts {
		t.Errorf("%d ports", len(cfg.Ports))
	}
	taken := map[string]bool{}
	for _, p := range cfg.Ports {
		if deviceNameFault(p.Interface) != "" || deviceNameFault(p.Controlled) != "" || p.Interface == p.Controlled {
			t.Errorf("devices %q and %q", p.Interface, p.Controlled)
		}
		if taken["interface "+p.Interface] || taken["controlled "+p.Controlled] {
			t.Errorf("devices %q and %q are used twice", p.Interface, p.Controlled)
		}
		taken["interface "+p.Interface], taken["controlled "+p.Controlled] = true, true
		if p.PortID == 0 || len(p.CipherSuites) == 0 || p.EAPOLDestination == (eapol.MAC{}) || p.Keys == "" ||
			p.SAKLifetime != 0 && p.SAKLifetime < MinSAKLifetime || p.HelloTime < minHelloTime || p.LifeTime <= p.HelloTime ||
			p.MKAVersion > 3 || p.EAPOLEtherType < minEtherType || otherProtocols[p.EAPOLEtherType] != "" {
			t.Errorf("got %+v", p)
		}
	}
}

// checkPlaces demands a place for every value of a tree: the TOML library and the locator see the same text.
func checkPlaces(t *testing.T, v any, p *place) {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			if p.keys[key] == nil {
				t.Fatalf("%q has no place", key)
			}
			checkPlaces(t, inner, p.keys[key])
		}
	case []map[string]any:
		for i, inner := range v {
			checkItem(t, inner, p, i)
		}
	case []any:
		for i, inner := range v {
			checkItem(t, inner, p, i)
		}
	}
}

func checkItem(t *testing.T, v any, p *place, i int) {
	if i >= len(p.items) {
		t.Fatalf("element %d has no place", i)
	}
	checkPlaces(t, v, p.items[i])
}

func FuzzKeyFile(f *testing.F) {
	addSeeds(f)
	anyDigits := regexp.MustCompile(`[0-9A-Fa-f]{6,}`)
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, problems := parseKeys("f", bytes.Clone(data))
		checkProblems(t, data, problems, anyDigits)
		if (keys == nil) != (problems.Errors() != nil) || len(keys) > MaxKeys {
			t.Fatalf("%d keys, beside %v", len(keys), problems)
		}
		if keys != nil {
			checkAgainstTOML(t, data, keys)
		}
	})
}

// checkAgainstTOML demands that the TOML library reads the same keys from a file that we accept.
func checkAgainstTOML(t *testing.T, data []byte, keys []Key) {
	var want struct {
		Key []struct {
			CKN, CAK, Role string
			Start, End     time.Time
		}
	}
	if err := toml.Unmarshal(data, &want); err != nil {
		t.Fatalf("it is not TOML: %v", err)
	}
	if len(want.Key) != len(keys) {
		t.Fatalf("got %d keys, want %d", len(keys), len(want.Key))
	}
	for i, k := range keys {
		w := want.Key[i]
		octets, _ := hex.DecodeString(w.CAK)
		if cak, err := keyderive.NewCAK(octets); err != nil || !k.CAK.Equal(cak) {
			t.Errorf("key %d: the CAK is another one", i)
		}
		if k.CKN.String() != strings.ToLower(w.CKN) || !k.Start.Equal(w.Start) || !k.End.Equal(w.End) ||
			w.Role != "" && w.Role != string(k.Role) {
			t.Errorf("key %d: got %+v, want %s", i, k, w.CKN)
		}
	}
}

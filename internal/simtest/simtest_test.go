package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// Clause: 802.1X-2020 9.3 to 9.10, 12.4; what may never be, and healing within a bound. make sim plays more.
func TestSmallWorldsHold(t *testing.T) {
	seeds := uint64(300)
	if raceEnabled {
		seeds = 20
	}
	var said bytes.Buffer
	sum := Run(0, seeds, 2, Check, nil, &said)
	if sum.Seeds != int(seeds) || len(sum.Failed) != 0 {
		t.Errorf("%v\n%s", sum, said.String())
	}
	t.Log(sum)
}

// Clause: 802.1X-2020 9.3 to 9.10, 12.4; the scripts in testdata are of worlds that did not hold once.
func TestWorldsThatFailedOnceHold(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		var out bytes.Buffer
		if held, err := run(options{seed: -1, script: file}, &out); !held || err != nil {
			t.Errorf("%s: error %v\n%s", file, err, out.String())
		}
	}
}

// Clause: none; a script that is written down is the world that was generated.
func TestScriptIsTheSameAfterItWasWrittenDown(t *testing.T) {
	for seed := range uint64(200) {
		s := Generate(seed)
		again, err := Parse(strings.NewReader(s.String()))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if again.String() != s.String() {
			t.Fatalf("seed %d:\n%s\nis read as\n%s", seed, s, again)
		}
		if seed > 2 {
			continue
		}
		was, _ := Digest(s)
		if is, _ := Digest(again); is != was {
			t.Errorf("seed %d: the script that was read plays otherwise", seed)
		}
	}
}

// Clause: none; a mistake in a script is said with its line.
func TestScriptsThatCannotBeAreRefusedWithTheirLine(t *testing.T) {
	for text, want := range map[string]string{
		"seed x":                                   "line 1",
		"\nworld 3":                                "line 2: \"world 3\" is none of",
		"# why\nfault 1s thunder - 1s 0":           "line 2: no fault is called \"thunder\"",
		"fault 1 loss - 1s 0":                      "line 1",
		"fault 1s loss - x 0":                      "line 1",
		"fault 1s loss - 1s much":                  "line 1",
		"member a sci=1":                           "needs a name of one letter, sci, keys and suites",
		"member a sci=1 keys=1p suites=ROT13":      "no cipher suite",
		"member a sci=1 keys=1p,p":                 "a key is a number",
		"member a sci=1 keys=0p":                   "a key is a number",
		"member a policy=perhaps":                  "must-secure",
		"member a colour=red":                      "no such key",
		"member a priority=high suites=GCM-AES-12": "priority=high",
	} {
		if _, err := Parse(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// quiet is a world of three in which nothing goes wrong.
func quiet(faults ...Fault) Script {
	s := Script{Seed: 1, Length: 20 * time.Second, Hold: minHold, Faults: faults}
	for n := range 3 {
		s.Members = append(s.Members, Spec{Name: string(rune('a' + n)), SCI: n + 1, Priority: 16,
			Keys: []Key{{1, mka.Primary}}, Suites: []secy.CipherSuite{secy.GCMAESXPN128}, Offset: secy.Offset0, MTU: 1500})
	}
	return s
}

// Clause: none; a fault that changes nothing tests nothing.
func TestEachKindOfFaultChangesTheWorldAndHeals(t *testing.T) {
	calm, _ := Digest(quiet())
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			f := Fault{At: 2 * time.Second, Kind: kind, Who: "a", For: 15 * time.Second, X: 1}
			switch kind {
			case "cut":
				f.Who = "ab"
			case "loss", "corrupt", "duplicate", "echo":
				f.X = 0.5
			case "skew", "slow":
				f.X = 1000
			case "fail": // what is refused must be ordered
				f.At, f.X = 0, 0.5
			case "key":
				f.X = 2
			}
			if kind == "slow" {
				f.At = 0
			}
			got, r := Digest(quiet(f))
			if got == calm {
				t.Error("the world is as without it")
			}
			if len(r.Violations) > 0 {
				t.Errorf("violated: %v", r.Violations)
			}
		})
	}
}

// Clause: none; generated worlds have every kind of fault and every kind of member.
func TestGeneratedWorldsHaveEverything(t *testing.T) {
	missing := map[string]bool{"must-secure": true, "should-secure": true, "XPN": true, "not XPN": true, "delay": true}
	for kind := range kinds {
		missing[kind] = true
	}
	for n := 2; n <= 8; n++ {
		missing[fmt.Sprint(n, " members")] = true
	}
	for seed := range uint64(1000) {
		s := Generate(seed)
		delete(missing, fmt.Sprint(len(s.Members), " members"))
		for _, f := range s.Faults {
			delete(missing, f.Kind)
		}
		for _, m := range s.Members {
			delete(missing, m.Policy.String())
			delete(missing, map[bool]string{true: "XPN", false: "not XPN"}[m.Suites[0].XPN()])
			delete(missing, map[bool]string{true: "delay"}[m.DelayProtect])
		}
	}
	if len(missing) > 0 {
		t.Errorf("1000 worlds have none of %v", missing)
	}
}

// Clause: none; the same seed gives the same octets, and what does not is seen.
func TestPlayThatDiffersFromItselfIsAViolation(t *testing.T) {
	n := byte(0)
	r := twice(func() ([sha256.Size]byte, Result) { n++; return [sha256.Size]byte{n}, Result{} })
	if len(r.Violations) != 1 || !strings.Contains(r.Violations[0], "the same script gives 01") {
		t.Errorf("violations %v", r.Violations)
	}
	if r := twice(func() ([sha256.Size]byte, Result) { return Digest(quiet()) }); len(r.Violations) != 0 {
		t.Errorf("violations %v", r.Violations)
	}
	one, _ := Digest(Generate(1))
	if two, _ := Digest(Generate(2)); one == two {
		t.Error("seeds 1 and 2 give the same octets")
	}
}

// lose cuts everybody off from a time on.
func lose(from time.Duration) func(*mkatest.LAN) {
	return func(l *mkatest.LAN) {
		l.Lose = func(_, _ mkatest.Station, _ []byte) bool { return l.Now >= mka.Time(from) }
	}
}

// Clause: none; checks that cannot fail prove nothing.
func TestWorldThatDoesNotHoldIsAViolation(t *testing.T) {
	disjoint := quiet()
	disjoint.Members[1].Suites = []secy.CipherSuite{secy.GCMAES256}
	for name, c := range map[string]struct {
		script Script
		watch  func(*mkatest.LAN)
		want   string
	}{
		"no healing":           {quiet(), lose(10 * time.Second), HealTime.String() + " after the last fault"},
		"no agreement":         {disjoint, nil, HealTime.String() + " after the last fault"},
		"loss without a fault": {quiet(), lose(20*time.Second + minHold), "without a fault that excuses it"},
		"a panic": {quiet(), func(l *mkatest.LAN) {
			l.Order = func(_ *mkatest.Member, op secy.Op) { panic("of " + op.Kind.String()) }
		}, "panic: of Configure"},
		"a packet number twice": {quiet(), func(l *mkatest.LAN) {
			l.After(10*time.Second, func() {
				m := l.Members[0]
				m.SecY.PNs[m.SecY.Tx] = 1
			})
		}, "sends PN 1 "},
		"a frame in clear": {quiet(), func(l *mkatest.LAN) {
			l.After(10*time.Second, func() { l.Members[0].SecY.Settings.ProtectFrames = false })
		}, "in clear"},
	} {
		t.Run(name, func(t *testing.T) {
			r := Play(c.script, c.watch)
			if len(r.Violations) == 0 || !strings.Contains(r.Violations[0], c.want) {
				t.Errorf("violations %q, want %q", r.Violations, c.want)
			}
		})
	}
}

// Clause: none; a shrunk script still fails, and has nothing that it can do without.
func TestShrinkLeavesWhatItTakesToFail(t *testing.T) {
	s := Generate(3)
	for n := range 20 {
		s.Faults = append(s.Faults, Fault{At: time.Duration(n) * time.Second, Kind: "rekey", Who: "ab"})
	}
	s.Faults[4].Kind, s.Faults[11].Kind = "stall", "flap"
	asked := 0
	small := Shrink(s, func(s Script) bool {
		asked++
		return has(s, "stall") && has(s, "flap")
	})
	if len(small.Faults) != 2 || len(small.Members) != 2 || small.Length >= time.Second {
		t.Errorf("shrunk to\n%s", small)
	}
	if asked > shrinkRuns {
		t.Errorf("asked %d times, bound %d", asked, shrinkRuns)
	}
	if strings.ContainsFunc(small.Faults[0].Who, func(r rune) bool {
		return r != '-' && !slices.ContainsFunc(small.Members, func(m Spec) bool { return m.Name == string(r) })
	}) {
		t.Errorf("a fault names a member that is gone:\n%s", small)
	}
}

func has(s Script, kind string) bool {
	return slices.ContainsFunc(s.Faults, func(f Fault) bool { return f.Kind == kind })
}

// Clause: none; one command plays a seed again.
func TestSeedIsPlayedAgainWithATranscript(t *testing.T) {
	var out bytes.Buffer
	good, err := run(options{seed: 5, verbose: true}, &out)
	if !good || err != nil {
		t.Errorf("good %t, error %v", good, err)
	}
	for _, want := range []string{"member a sci=", "a sends", "orders CreateTransmitSA", "told at", "healed"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the transcript has no %q", want)
		}
	}
}

// Clause: none; a failing script is played from a file, and fails there too.
func TestScriptIsPlayedFromAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "script")
	s := quiet()
	for _, good := range []bool{true, false} {
		if !good {
			s.Members[1].Suites = []secy.CipherSuite{secy.GCMAES256}
		}
		if err := os.WriteFile(file, []byte(s.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if got, err := run(options{seed: -1, script: file}, &out); got != good || err != nil {
			t.Errorf("good %t, error %v, want %t\n%s", got, err, good, out.String())
		}
		if strings.Contains(out.String(), "violated: ") == good {
			t.Errorf("it says\n%s", out.String())
		}
	}
}

// Clause: none; seeds that fail are counted and named, and enough of them end a run.
func TestRunStopsWhenEnoughSeedsHaveFailed(t *testing.T) {
	var said bytes.Buffer
	sum := Run(100, 1_000_000, 1, func(seed uint64) (r Result) {
		r = Result{Events: 10, Healed: time.Duration(seed)}
		if seed%10 == 0 {
			r.Violations = []string{"of ten"}
		}
		return r
	}, nil, &said)
	want := []uint64{100, 110, 120, 130, 140}
	if !slices.Equal(sum.Failed, want) || sum.Seeds < 41 || sum.Seeds > 43 || sum.Worst < 139 ||
		!strings.Contains(said.String(), "seed 110: of ten") {
		t.Errorf("%+v, said\n%s", sum, said.String())
	}
}

// Clause: none; what is printed of a failing seed is all that it takes to see it fail again.
func TestFailingScriptIsExplainedWithTheCommandsThatPlayIt(t *testing.T) {
	s := quiet(Fault{At: time.Second, Kind: "rekey", Who: "c"})
	s.Members[1].Suites = []secy.CipherSuite{secy.GCMAES256}
	dir := t.TempDir()
	var out bytes.Buffer
	if err := explain(s, options{out: dir}, &out); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "sim-1.txt")
	small, err := readScript(file)
	if err != nil || len(small.Members) != 2 || len(small.Faults) != 0 || len(Play(small, nil).Violations) == 0 {
		t.Errorf("%v: shrunk to\n%s", err, small)
	}
	for _, want := range []string{small.String(), "-seed 1 -v", "-script " + file, "violated: "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q but\n%s", want, out.String())
		}
	}
}

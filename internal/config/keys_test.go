package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mkad/keyderive"
)

// oneKey is a CAK file with nothing to complain of.
const oneKey = "[[key]]\nckn = \"0001\"\ncak = \"77c1b3d50ee94a6f8a2d1c3e5b7f9a0d\"\n"

func ckn(t *testing.T, octets ...byte) keyderive.CKN {
	t.Helper()
	name, err := keyderive.NewCKN(octets)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func cak(t *testing.T, octets ...byte) keyderive.CAK {
	t.Helper()
	key, err := keyderive.NewCAK(octets)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestKeyChainIsRead(t *testing.T) {
	want := []Key{
		{
			CKN: ckn(t, 1),
			CAK: cak(t, 0x77, 0xc1, 0xb3, 0xd5, 0x0e, 0xe9, 0x4a, 0x6f, 0x8a, 0x2d, 0x1c, 0x3e, 0x5b, 0x7f, 0x9a, 0x0d),
			End: time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC), Role: Primary, Line: 2, EndLine: 5,
		},
		{
			CKN: ckn(t, 2),
			CAK: cak(t, 0xc3, 0xe5, 0xb7, 0xf9, 0xa0, 0xd7, 0x7c, 0x1b, 0x3d, 0x50, 0xee, 0x94, 0xa6, 0xf8, 0xa2, 0xd1,
				0xc3, 0xe5, 0xb7, 0xf9, 0xa0, 0xd7, 0x7c, 0x1b, 0x3d, 0x50, 0xee, 0x94, 0xa6, 0xf8, 0xa2, 0xd1),
			Start: time.Date(2027, 3, 1, 0, 0, 0, 500_000_000, time.UTC), End: time.Date(2028, 3, 1, 0, 0, 0, 0, time.UTC),
			Role: Primary, Line: 7, StartLine: 10, EndLine: 11,
		},
		{
			CKN:  ckn(t, 'a', 'b', 'c'),
			CAK:  cak(t, 0x0e, 0xe9, 0x4a, 0x6f, 0x8a, 0x2d, 0x1c, 0x3e, 0x5b, 0x7f, 0x9a, 0x0d, 0x77, 0xc1, 0xb3, 0xd5),
			Role: Fallback, Line: 14,
		},
	}
	got, problems := LoadKeys(copyWithMode(t, filepath.Join(goldenDir, "keys-good/chain.toml"), 0o600))
	if problems != nil || len(got) != len(want) {
		t.Fatalf("got %d keys, %v", len(got), problems)
	}
	for i := range want {
		compareKey(t, got[i], want[i])
	}
}

func compareKey(t *testing.T, got, want Key) {
	t.Helper()
	if !got.CAK.Equal(want.CAK) {
		t.Errorf("line %d: the CAK is another one", want.Line)
	}
	got.CAK, want.CAK = keyderive.CAK{}, keyderive.CAK{}
	if got != want {
		t.Errorf("line %d: got %+v, want %+v", want.Line, got, want)
	}
}

// numberedKeys is a CAK file of n keys.
func numberedKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "[[key]]\nckn = \"%04x\"\ncak = \"77c1b3d50ee94a6f8a2d1c3e5b7f%04x\"\n", i, i)
	}
	return b.String()
}

func TestKeysAreBounded(t *testing.T) {
	keys, problems := parseKeys("f", []byte(numberedKeys(MaxKeys)))
	if len(keys) != MaxKeys || problems != nil {
		t.Errorf("got %d keys, %v", len(keys), problems)
	}
	_, problems = parseKeys("f", []byte(numberedKeys(MaxKeys+2)))
	if got := lines(problems); got != "f:193: there are more than 64 keys; remove those that have ended\n" {
		t.Errorf("got %s", got)
	}
}

func TestKeyFileMustBePrivate(t *testing.T) {
	for _, test := range []struct {
		mode fs.FileMode
		good bool
	}{
		{0o600, true}, {0o400, true}, {0o700, true},
		{0o640, false}, {0o620, false}, {0o610, false}, {0o604, false}, {0o602, false}, {0o601, false}, {0o644, false},
		{0o666, false}, {0o444, false},
	} {
		path := writeWithMode(t, "eth1.toml", oneKey, test.mode)
		keys, problems := LoadKeys(path)
		want := fmt.Sprintf("eth1.toml: has mode %04o, which lets others than its owner at the keys; "+
			"chmod 0600 it, and replace the keys if anybody may have read them\n", test.mode)
		if test.good {
			want = ""
		}
		if got := lines(problems); got != want || (keys != nil) != test.good {
			t.Errorf("mode %04o: got %d keys, %s", test.mode, len(keys), got)
		}
	}
}

func TestKeyFileMustBelongToRootOrToWhoRuns(t *testing.T) {
	for _, test := range []struct {
		owner, user uint32
		want        string
	}{
		{0, 0, ""}, {0, 1000, ""}, {1000, 1000, ""},
		{1000, 0, "belongs to user 1000, who could change the keys"},
		{1001, 1000, "belongs to user 1001, who could change the keys"},
	} {
		if got, _ := ownershipFault(0o600, test.owner, test.user); got != test.want {
			t.Errorf("owner %d, user %d: got %q", test.owner, test.user, got)
		}
	}
}

func TestKeyFileIsARegularFileOfLimitedSize(t *testing.T) {
	files := append(rejectedFiles(maxKeyFileSize), rejectedFile{"missing",
		func(*testing.T, string) string { return "/none/eth1.toml" },
		"does not exist; make one with mkactl keygen -o /none/eth1.toml"})
	compareRejected(t, files, func(path string) Problems {
		keys, problems := LoadKeys(path)
		if keys != nil {
			t.Error("got keys")
		}
		return problems
	})
}

func TestKeyFileMayBeASymbolicLinkToAPrivateFile(t *testing.T) {
	target := writeWithMode(t, "eth1.toml", oneKey, 0o600)
	if keys, problems := LoadKeys(symlink(t, target, target+".link")); keys == nil {
		t.Errorf("got %v", problems)
	}
	target = writeWithMode(t, "eth1.toml", oneKey, 0o644)
	if keys, _ := LoadKeys(symlink(t, target, target+".link")); keys != nil {
		t.Error("the mode of the target was not looked at")
	}
}

func TestKeyTextsAreJudgedByTheirOctets(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"not UTF-8", oneKey + "# caf\xe9\n", "f:4: is not UTF-8; save the file as UTF-8\n"},
		{"NUL in the CAK", strings.Replace(oneKey, "77", "\x00\x00", 1),
			"f:3: contains the control character 0x00; remove it, and save the file as plain UTF-8 text\n"},
		{"carriage return in a line", strings.Replace(oneKey, "0001\"", "0001\"\r", 1) + "\r",
			"f:4: contains the control character 0x0d; remove it, and save the file as plain UTF-8 text\n"},
		{"byte order mark", utf8BOM + oneKey, ""},
		{"lines end in CR LF", strings.ReplaceAll(oneKey, "\n", "\r\n"), ""},
		{"no line end at the end", strings.TrimSpace(oneKey), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			keys, problems := parseKeys("f", []byte(test.text))
			if got := lines(problems); got != test.want || (keys != nil) != (test.want == "") {
				t.Errorf("got  %d keys, %swant %s", len(keys), got, test.want)
			}
		})
	}
}

func TestEveryPublishedKeyDrawsAWarning(t *testing.T) {
	for _, key := range publishedCAKs() {
		if !published(key) {
			t.Error("a published key is not found")
		}
	}
	if n := len(publishedCAKs()); n < 12 {
		t.Errorf("only %d keys are known", n)
	}
	if published(cak(t, make([]byte, 16)...)) || published(keyderive.CAK{}) {
		t.Error("an unpublished key is found")
	}
}

func TestFileOctetsAreWiped(t *testing.T) {
	for name, text := range map[string]string{
		"good": oneKey, "with an error": oneKey + "role = 1\n", "not text": oneKey + "\xff",
	} {
		data := append(make([]byte, 0, maxKeyFileSize), text...)
		parseKeys("f", data)
		if bytes.IndexFunc(data[:cap(data)], func(r rune) bool { return r != 0 }) >= 0 {
			t.Errorf("%s: octets are left behind", name)
		}
	}
}

func TestKeysOfARefusedFileAreWiped(t *testing.T) {
	f := &keyFile{report: report{file: "f"}}
	f.parse([]byte(numberedKeys(3) + "role = \"none\"\n"))
	key := f.entries[2].CAK
	if key.IsZero() {
		t.Fatal("the key was not read")
	}
	if keys, _ := f.finish(); keys != nil || !key.IsZero() {
		t.Error("the key is still there")
	}
}

// digits is a CAK with marks of its own, which stand in no message.
const digits = "d1e9f0a7b3c58246d1e9f0a7b3c58246"

// Clause: none; design: keys never in an error
// Requirement: R18
func TestNoProblemShowsADigitOfAKey(t *testing.T) {
	// Whatever mistake is made around it: each of these writes the key somewhere.
	shapes := []string{
		`cak = "%s"x`, `cak = "%sz"`, `cak = "%s`, `cak = %s`, `cak = '%s"`, `cak = """%s"""`, `cak = "%s0"`, `cak "%s"`,
		`%s`, `"%s"`, `%s = 1`, `ckn = "%s%[1]s%[1]s"`, `ckn = %s`, `role = "%s"`, `role = %s`, `start = %s`, `end = "%s"`,
		`start = 2026-12-01T%s`, `[%s]`, `[[%s]]`, `[[key]] %s`, `key.%s = 1`, `cak = "\u%s"`, `cak = ["%s"]`,
	}
	part := regexp.MustCompile(digits[:4] + "|" + digits[4:8] + "|" + digits[8:12] + "|" + digits[12:16])
	for _, shape := range shapes {
		line := fmt.Sprintf(shape, digits)
		_, problems := parseKeys("f", []byte("[[key]]\nckn = \"01\"\n"+line+"\n"))
		if problems.Errors() == nil {
			t.Errorf("%s: is accepted", line)
		}
		if got := lines(problems); part.MatchString(got) {
			t.Errorf("%s: got %s", line, got)
		}
		_, problems = parse("f", []byte(minimal+line+"\n"))
		if got := lines(problems); part.MatchString(got) {
			t.Errorf("%s, in the configuration: got %s", line, got)
		}
	}
}

func TestKeyPrintsWithoutItsCAK(t *testing.T) {
	keys, _ := parseKeys("f", []byte(strings.Replace(oneKey, "77c1b3d50ee94a6f8a2d1c3e5b7f9a0d", digits, 1)))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if got := fmt.Sprintf(verb, keys); strings.Contains(got, digits[:8]) || strings.Contains(got, "209 233 240") {
			t.Errorf("%s: got %s", verb, got)
		}
	}
}

func TestGeneratedFileIsAGoodCAKFile(t *testing.T) {
	for _, bits := range []int{128, 256} {
		random := make([]byte, 16+bits/8)
		for i := range random {
			random[i] = byte(7*i + 3)
		}
		text, err := GenerateKey(bits, bytes.NewReader(random))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "eth1.toml")
		if err := WriteKeyFile(path, text); err != nil {
			t.Fatal(err)
		}
		keys, problems := LoadKeys(path)
		if len(keys) != 1 || problems != nil {
			t.Fatalf("%d bits: got %d keys, %v", bits, len(keys), problems)
		}
		compareKey(t, keys[0], Key{CKN: ckn(t, random[:16]...), CAK: cak(t, random[16:]...), Role: Primary, Line: 2})
	}
}

func TestGeneratedTextHasItsMemoryFromTheStart(t *testing.T) {
	text, err := GenerateKey(256, bytes.NewReader(make([]byte, 48)))
	if err != nil || len(text) != cap(text) {
		t.Errorf("got %d octets in memory for %d (%v)", len(text), cap(text), err)
	}
}

func TestKeysHave128Or256Bits(t *testing.T) {
	for _, bits := range []int{-128, 0, 64, 129, 192, 512} {
		if text, err := GenerateKey(bits, bytes.NewReader(make([]byte, 128))); err == nil || text != nil {
			t.Errorf("%d bits: got %d octets", bits, len(text))
		}
	}
}

func TestKeyIsNotMadeOfTooLittleRandomness(t *testing.T) {
	if text, err := GenerateKey(128, bytes.NewReader(make([]byte, 31))); err == nil || text != nil {
		t.Errorf("got %d octets", len(text))
	}
}

func TestKeyFileIsNeverOverwritten(t *testing.T) {
	path := writeWithMode(t, "eth1.toml", oneKey, 0o600)
	if err := WriteKeyFile(path, []byte("other")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if got, _ := os.ReadFile(path); string(got) != oneKey {
		t.Errorf("the file is now %q", got)
	}
	link := symlink(t, filepath.Join(filepath.Dir(path), "elsewhere"), path+".link")
	if err := WriteKeyFile(link, []byte("other")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("symbolic link: got %v", err)
	}
}

func TestKeyFileIsWrittenForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eth1.toml")
	if err := WriteKeyFile(path, []byte(oneKey)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("got mode %v (%v)", info.Mode(), err)
	}
}

func TestKeyFileThatCannotBeWrittenIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "eth1.toml")
	if err := WriteKeyFile(path, []byte(oneKey)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

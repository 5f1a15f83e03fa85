package guest

import (
	"archive/tar"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// bootEnv has the tests that boot a guest run; they download its packages if need be.
const bootEnv = "MKAD_GUEST_BOOT"

func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv(bootEnv) == "" {
		skip := "^TestBoot"
		if asked := flag.Lookup("test.skip").Value.String(); asked != "" {
			skip += "|" + asked
		}
		if err := flag.Set("test.skip", skip); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func TestQuoteIsReadBackByAShell(t *testing.T) {
	words := []string{"plain", "two words", "it's", `"$HOME" \ ;&|<>*`, "", "a\nb"}
	out, err := exec.Command("sh", "-c", "printf '%s|' "+quote(words)).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(out), strings.Join(words, "|")+"|"; got != want {
		t.Errorf("a shell reads %q, want %q", got, want)
	}
}

func TestMachineRefusesWhatAKernelCannot(t *testing.T) {
	tests := map[string]struct {
		machine Machine
		want    string // part of the error; "" for none
	}{
		"nothing special":           {Machine{}, ""},
		"two CPUs":                  {Machine{CPUs: 2, VirtualTime: true, NICs: 2, Netdevsim: true}, ""},
		"user-mode Linux":           {Machine{Kernel: UML}, ""},
		"unknown kernel":            {Machine{Kernel: "hurd"}, "not known"},
		"too many CPUs":             {Machine{CPUs: 99}, "CPUs"},
		"too many NICs":             {Machine{NICs: 99}, "NICs"},
		"no time":                   {Machine{Timeout: -1}, "time limit"},
		"NICs of a process":         {Machine{Kernel: UML, NICs: 1}, "no NICs"},
		"netdevsim of another":      {Machine{Kernel: UML, Netdevsim: true}, "netdevsim"},
		"two CPUs of one":           {Machine{Kernel: UML, CPUs: 2}, "one CPU"},
		"virtual time of a process": {Machine{Kernel: UML, VirtualTime: true}, "virtual time"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := test.machine.checked()
			if got := fmt.Sprint(err); test.want == "" && err != nil || !strings.Contains(got, test.want) {
				t.Errorf("error is %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestReportIsRead(t *testing.T) {
	const whole = "kernel 1.50\nready 2.25\ncommand 0 0 2.30 3.30\ncommand 1 7 3.30 3.40\nend\n"
	r, err := readReport(reportDir(t, whole), 2)
	if err != nil {
		t.Fatal(err)
	}
	if r.Boot != 1500*time.Millisecond || r.Ready != 2250*time.Millisecond {
		t.Errorf("boot took %v, ready after %v", r.Boot, r.Ready)
	}
	if r.Results[0].End-r.Results[0].Begin != time.Second {
		t.Errorf("the first command took %v", r.Results[0])
	}
	if failed := r.Failed(); failed == nil || failed.Status != 7 {
		t.Errorf("failed is %v, want the second", failed)
	}
}

func TestReportThatIsNotWholeIsAnError(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":           "",
		"no end":            "kernel 1\nready 1\ncommand 0 0 1 2\n",
		"a command missing": "kernel 1\nready 1\nend\n",
		"another language":  "kernel soon\nend\n",
		"unknown words":     "hello\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := readReport(reportDir(t, text), 1); err == nil {
				t.Error("the report was taken")
			}
		})
	}
}

func reportDir(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, reportFile), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTailIsTheLastLines(t *testing.T) {
	for text, want := range map[string]string{"": "", "a\n": "a", "a\nb\nc\n": "b\nc", "a\nb": "a\nb", "\n\n": ""} {
		if got := tail(text, 2); got != want {
			t.Errorf("tail of %q is %q, want %q", text, got, want)
		}
	}
}

func TestPackageFilesOfAPlan(t *testing.T) {
	const plan = "'http://example.org/b_2.deb' b_2.deb 10 SHA256:00\nsome other line that\n'http://example.org/a_1.deb' a_1.deb 7 \n"
	if got, want := packageFiles(plan), []string{"a_1.deb", "b_2.deb"}; !slices.Equal(got, want) {
		t.Errorf("files are %q, want %q", got, want)
	}
}

func TestCompiledTestBelongsToItsPackage(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("smoke") // which says nothing
	p, err := place(Command{Program: self})
	if err != nil {
		t.Fatal(err)
	}
	if want := "src/internal/guest"; p.dir != want {
		t.Errorf("it runs in %s, want %s", p.dir, want)
	}
}

func TestOtherProgramBelongsToTheCurrentDirectory(t *testing.T) {
	p, err := place(Command{Program: "/bin/sh", Dir: "smoke"})
	if err != nil {
		t.Fatal(err)
	}
	if want := "src/internal/guest/smoke"; p.dir != want {
		t.Errorf("it runs in %s, want %s", p.dir, want)
	}
}

func TestProgramOutsideOfAModuleIsRefused(t *testing.T) {
	if _, err := place(Command{Program: "/bin/sh", Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "no Go module") {
		t.Errorf("error is %v", err)
	}
}

func TestFilesStayInTheirDirectory(t *testing.T) {
	dir := t.TempDir()
	archive, out := filepath.Join(dir, "files.tar"), filepath.Join(dir, "out")
	if err := os.Mkdir(out, 0o755); err != nil {
		t.Fatal(err)
	}
	err := create(archive, tarWith("../escaped"))
	if err != nil {
		t.Fatal(err)
	}
	if err := extract(archive, out); err == nil {
		t.Error("a name that leads out was taken")
	}
	if _, err := os.Stat(filepath.Join(dir, "escaped")); err == nil {
		t.Error("a file was written outside")
	}
}

func TestFilesAreUnpacked(t *testing.T) {
	dir := t.TempDir()
	archive := filepath.Join(dir, "files.tar")
	if err := create(archive, tarWith("./report")); err != nil {
		t.Fatal(err)
	}
	if err := extract(archive, dir); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "report")); err != nil || string(got) != "content" {
		t.Errorf("the file has %q, %v", got, err)
	}
}

// tarWith writes an archive with one file.
func tarWith(name string) func(io.Writer) error {
	return func(w io.Writer) error {
		const content = "content"
		entries := tar.NewWriter(w)
		header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content))}
		if err := entries.WriteHeader(header); err != nil {
			return err
		}
		if _, err := io.WriteString(entries, content); err != nil {
			return err
		}
		return entries.Close()
	}
}

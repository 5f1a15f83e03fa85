package daemon_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"mkad/eapol"
	"mkad/internal/config"
	"mkad/internal/control"
	"mkad/internal/netlab"
	"mkad/keyderive"
)

// These tests drive whole daemons as an administrator does: by mkactl, files, and signals.

// A published CAK, and what derives from it with CKN 01 (testdata/kdf/ick-kek.txt).
const (
	publishedKey = "[[key]]\nckn = \"01\"\ncak = \"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"\n"
	publishedCAK = "000102030405060708090a0b0c0d0e0f"
	publishedICK = "a3989fc2b95bb8821582e129f0384f05"
	publishedKEK = "ba5ec868d06145ea8b1b04cc2eb68cf6"
)

// shown finds a secret in a text, in any form that Go prints octets in. The beginning is enough.
func shown(text string, secret []byte) bool {
	begin := secret[:9] // whole digits of base64
	digits, decimal := hex.EncodeToString(begin), strings.Trim(fmt.Sprint(begin), "[]")
	for _, form := range []string{string(begin), strings.Trim(strconv.Quote(string(secret)), `"`), digits,
		strings.ToUpper(digits), fmt.Sprintf("% x", begin), base64.StdEncoding.EncodeToString(begin), decimal,
		strings.ReplaceAll(decimal, " ", ", "), strings.ReplaceAll(decimal, " ", ",")} {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

// Clause: none; design: keys never in a log, an error, an argument list.
// Requirement: R18
func TestNothingThatADaemonSaysShowsAKey(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, publishedKey, "")
	for _, h := range l.Hosts() {
		edit(t, h, "[daemon]", "[daemon]\nlog_level = \"debug\"")
	}
	must(t, l.West.StartDaemon(t.Context()))
	events := watch(t, l.West, l.East, "--json")
	wires := capture(t, l)
	must(t, l.East.StartDaemon(t.Context()))
	must(t, l.WaitFor(t.Context(), control.Secured))
	rekey(t, l)
	secrets := secretsOf(t, l.KeyFile, wires())
	said := map[string]string{}
	for _, h := range l.Hosts() {
		for _, args := range [][]string{{"status"}, {"status", "--json"}, {"counters", "--json"}} {
			said[h.Name+" "+strings.Join(args, " ")] = mkactl(t, h, args...)
		}
		mkactl(t, h, "reload")
	}
	writeKey(t, l.KeyFile, publishedKey+publishedKey+"cak = \""+publishedCAK+"\"\n")
	for _, h := range l.Hosts() {
		said[h.Name+" bad reload"], _ = h.Mkactl(t.Context(), "reload")
		for _, file := range []string{"cmdline", "environ", "comm", "status"} {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", h.Daemon().PID(), file))
			must(t, err)
			said[h.Name+" "+file] = string(text)
		}
		terminate(t, h)
		said[h.Name+" log"] = h.Log()
		state, err := os.ReadFile(stateOf(h))
		must(t, err)
		said[h.Name+" state"] = string(state)
	}
	for len(events.full) > 0 {
		said["events"] += <-events.full + "\n"
	}
	for where, text := range said {
		for name, secret := range secrets {
			if text == "" || shown(text, secret) {
				t.Errorf("%s is empty or shows the %s:\n%s", where, name, text)
			}
		}
	}
}

// secretsOf has the keys of a link: the published ones, and every SAK that was distributed on the wire.
func secretsOf(t *testing.T, keyFile string, wires []netlab.Capture) map[string][]byte {
	t.Helper()
	secrets := map[string][]byte{}
	for name, digits := range map[string]string{"CAK": publishedCAK, "ICK": publishedICK, "KEK": publishedKEK} {
		secret, err := hex.DecodeString(digits)
		must(t, err)
		secrets[name] = secret
	}
	keys, _ := config.LoadKeys(keyFile)
	kek := keyderive.DeriveKEK(keys[0].CAK, keys[0].CKN)
	for _, w := range wires {
		for _, f := range w.Frames {
			var m eapol.MKPDU
			if eapol.ParseMKPDU(f.Data, eapol.Acceptance{}, &m) == eapol.Accepted && m.DistributedSAK.Present {
				sak, err := kek.Unwrap(m.DistributedSAK.Wrapped)
				must(t, err)
				secrets[fmt.Sprintf("SAK %d", m.DistributedSAK.KN)] = sak.Octets()
			}
		}
	}
	if len(secrets) != 5 {
		t.Fatalf("%d secrets, want CAK, ICK, KEK and two SAKs", len(secrets))
	}
	return secrets
}

// Clause: none; design: not dumpable.
func TestMemoryOfTheDaemonIsHidden(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, "", "")
	must(t, l.West.StartDaemon(t.Context()))
	other, err := l.West.Start(io.Discard, "sleep", "60")
	must(t, err)
	if err := peek(other.PID()); !errors.Is(err, unix.EFAULT) {
		t.Fatalf("memory of a process that hides nothing: %v, want %v", err, unix.EFAULT)
	}
	pid := l.West.Daemon().PID()
	if err := peek(pid); !errors.Is(err, unix.EPERM) {
		t.Errorf("memory of mkad: %v, want %v", err, unix.EPERM)
	}
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	must(t, err)
	if !regexp.MustCompile(`(?m)^Max core file size +0 +0 `).Match(limits) {
		t.Errorf("core dumps are allowed:\n%s", limits)
	}
}

// peek tries to read the memory of a process of the same user without CAP_SYS_PTRACE, at an address where there is
// none: EFAULT says that it might, EPERM that it might not.
func peek(pid int) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends here, and is the only one that has given up a capability
		result <- errors.Join(dropPtrace(), readNowhere(pid))
	}()
	return <-result
}

// dropPtrace keeps the capability permitted: one that the other process has and the reader lacks would forbid the
// reading by itself.
func dropPtrace() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if err := unix.Capget(&header, &caps[0]); err != nil {
		return err
	}
	caps[0].Effective &^= 1 << unix.CAP_SYS_PTRACE
	return unix.Capset(&header, &caps[0])
}

func readNowhere(pid int) error {
	local := []unix.Iovec{{Base: new(byte), Len: 1}}
	_, err := unix.ProcessVMReadv(pid, local, []unix.RemoteIovec{{Base: 0, Len: 1}}, 0)
	return err
}

// Clause: none; design: keys are parsed from octets and wiped.
func TestDigitsOfTheCAKAreNotLeftInMemory(t *testing.T) {
	t.Parallel()
	l := newLink(t, released, publishedKey, "")
	must(t, l.Secure(t.Context()))
	mkactl(t, l.West, "reload")
	pid := l.West.Daemon().PID()
	octets, err := hex.DecodeString(publishedCAK)
	must(t, err)
	if !inMemory(t, pid, octets) {
		t.Error("the CAK in use is not found: the search is blind")
	}
	if inMemory(t, pid, []byte(publishedCAK)) {
		t.Error("the CAK is in memory as it is in its file")
	}
}

// inMemory searches the memory that a process may write to.
func inMemory(t *testing.T, pid int, secret []byte) bool {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	must(t, err)
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	must(t, err)
	defer memory.Close()
	found := false
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		if n, _ := fmt.Sscanf(line, "%x-%x rw", &from, &to); n != 2 || !strings.Contains(line, " rw") {
			continue
		}
		part := make([]byte, to-from)
		n, _ := memory.ReadAt(part, from) // of what has gone meanwhile, nothing
		found = found || bytes.Contains(part[:n], secret)
	}
	return found
}

// Clause: none; design: test hooks exist only in test binaries.
func TestReleasedProgramsHaveNoTestHook(t *testing.T) {
	t.Parallel()
	for program, hooked := range map[string]bool{
		filepath.Join(released, "mkad"):   false,
		filepath.Join(released, "mkactl"): false,
		filepath.Join(hooked, "mkad"):     true, // so the search can find one
	} {
		binary, err := os.ReadFile(program)
		must(t, err)
		if bytes.Contains(binary, []byte("MKADTest")) != hooked {
			t.Errorf("%s has MKADTest: %t", program, !hooked)
		}
	}
}

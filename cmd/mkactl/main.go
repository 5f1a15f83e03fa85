// Mkactl looks into a running mkad and tells it what to do.
package main

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"mkad/internal/doctor"
	"mkad/internal/filter"
	"mkad/internal/port"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the program without its process: it gives the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	t := tool{stdout: stdout, stderr: stderr, terminal: terminalOf(stdout, os.Stdin, os.Getenv), now: time.Now, random: rand.Reader, closedDevices: filter.List,
		openDevice: filter.Open, served: served, removeDevice: port.RemoveLeftover, describe: describe, look: doctor.Look,
		stdin: bufio.NewReader(os.Stdin), hideMemory: hideMemory, lowers: lowers}
	return t.run(args)
}

// hideMemory keeps keys out of core dumps and of other processes' sight.
func hideMemory() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("make the process not dumpable: %w", err)
	}
	return nil
}

// lowers has the devices of the host, each with those below it.
func lowers() map[string][]string {
	const class = "/sys/class/net/"
	found := map[string][]string{}
	devices, _ := os.ReadDir(class) // without sysfs none are known
	for _, d := range devices {
		below, _ := filepath.Glob(class + d.Name() + "/lower_*")
		found[d.Name()] = nil
		for _, path := range below {
			found[d.Name()] = append(found[d.Name()], strings.TrimPrefix(filepath.Base(path), "lower_"))
		}
	}
	return found
}

// describe has ip(8) tell of a device, or say why it cannot.
func describe(device string) ([]byte, error) {
	text, err := exec.Command("ip", "-details", "link", "show", "dev", device).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return nil, errors.New(strings.TrimSpace(string(exit.Stderr)))
	}
	return text, err
}

// served reports whether a running mkad has the lower device.
func served(lower string) bool {
	claim, err := port.ClaimDevice(lower)
	claim.Release()
	return errors.Is(err, port.ErrClaimed)
}

// release is the version of a package, set when it is built.
var release string

func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}

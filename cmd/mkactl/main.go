// Mkactl looks into a running mkad and tells it what to do.
package main

import (
	"crypto/rand"
	"errors"
	"io"
	"os"
	"runtime/debug"
	"time"

	"mkad/internal/filter"
	"mkad/internal/port"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the program without its process: it gives the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	t := tool{stdout: stdout, stderr: stderr, now: time.Now, random: rand.Reader, closedDevices: filter.List,
		openDevice: filter.Open, served: served}
	return t.run(args)
}

// served reports whether a running mkad has the lower device.
func served(lower string) bool {
	claim, err := port.ClaimDevice(lower)
	claim.Release()
	return errors.Is(err, port.ErrClaimed)
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}

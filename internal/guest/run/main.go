// Command run runs programs in a guest, as go test does with -exec:
//
//	go test -exec "$PWD/bin/run -kernel uml" -run ^TestGuest ./internal/guest/smoke
//	go run ./internal/guest/run -smp 2 -times -- bin/a.test -test.v --and bin/b.test
//
// Its exit status is that of the first program that failed. See package guest.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"mkad/internal/guest"
)

// and stands between two commands of one boot.
const and = "--and"

// Exit statuses beside those of what was run.
const (
	statusFailed = 1 // the guest did not do its job to the end
	statusUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT)
	status := runMain(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}

type options struct {
	job     guest.Job
	prepare bool
	times   bool
}

func runMain(ctx context.Context, args []string) int {
	o, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(os.Stderr, "guest:", err)
		return statusUsage
	case o.prepare:
		return status(guest.Prepare(ctx, o.job.Kernel, os.Stderr))
	}
	report, err := guest.Run(ctx, o.job)
	if o.times {
		fmt.Fprintln(os.Stderr, "guest:", o.job.Kernel, report)
	}
	if failed := report.Failed(); err == nil && failed != nil {
		return failed.Status
	}
	return status(err)
}

func status(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
		return statusFailed
	}
	return 0
}

func parse(args []string) (options, error) {
	o := options{job: guest.Job{Stdout: os.Stdout, Stderr: os.Stderr}}
	f := flag.NewFlagSet("run", flag.ContinueOnError)
	f.Usage = func() {
		fmt.Fprintln(f.Output(), "usage: run [flags] -- PROGRAM [ARGUMENT...] [--and PROGRAM [ARGUMENT...]]...")
		f.PrintDefaults()
	}
	f.StringVar((*string)(&o.job.Kernel), "kernel", string(guest.QEMU), fmt.Sprintf("which kernel: one of %q", guest.Kernels))
	f.IntVar(&o.job.CPUs, "smp", 1, "number of CPUs")
	f.IntVar(&o.job.Memory, "memory", 512, "MiB of memory")
	f.BoolVar(&o.job.VirtualTime, "icount", false, "virtual time: the clock follows what the guest executes")
	f.IntVar(&o.job.NICs, "nics", 0, "number of emulated e1000 NICs, on one wire")
	f.BoolVar(&o.job.Netdevsim, "netdevsim", false, "load netdevsim, built when first used")
	f.DurationVar(&o.job.Timeout, "timeout", 0, "bound of the whole boot (default 10m)")
	f.Func("with", "`program` to carry into the guest's PATH; may be given several times", func(program string) error {
		o.job.With = append(o.job.With, program)
		return nil
	})
	f.StringVar(&o.job.Out, "out", "", "directory for logs and files (default a temporary one, kept on failure)")
	f.BoolVar(&o.times, "times", false, "tell the times on standard error")
	f.BoolVar(&o.prepare, "prepare", false, "bring the image up to date, run nothing")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if !o.prepare && f.NArg() == 0 {
		return o, errors.New("there is no program to run; see -help")
	}
	o.job.Commands = commands(f.Args())
	return o, nil
}

// commands cuts what follows the flags into programs with their arguments.
func commands(words []string) (all []guest.Command) {
	for len(words) > 0 {
		end := slices.Index(words, and)
		if end < 0 {
			end = len(words)
		}
		if end > 0 {
			all = append(all, guest.Command{Program: words[0], Args: guestArguments(words[1:end])})
		}
		words = words[min(end+1, len(words)):]
	}
	return all
}

// guestArguments leaves out the log by which go test knows which files a result depends on: its place is not in the
// guest, and without it go test does not keep the result, which depends on the guest too.
func guestArguments(words []string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool {
		return strings.HasPrefix(w, "-test.testlogfile=")
	})
}

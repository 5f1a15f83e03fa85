// Command demo shows mkad at work, end to end, where nobody else notices: two network namespaces joined by a veth pair,
// one mkad in each from a fresh CAK file, traffic across, a rotation of the SAK under traffic, and a capture that holds
// every frame of the wire. It exits with status 0 only if all of it held, and leaves nothing behind. It sets no sysctl.
//
// It runs as root; without, it enters a user namespace in which it is.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"mkad/internal/netlab"
)

// patience bounds the whole demonstration but its rotations: far more than it takes on a slow machine.
const patience = 2 * time.Minute

func main() {
	o := flags()
	if err := netlab.Reexec(); err != nil {
		fail(err)
	}
	if err := prepare(); err != nil {
		fail(err)
	}
	// A reader that goes away must not end this program before it has cleaned up: hence SIGPIPE.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "demo:", err)
	os.Exit(1)
}

// options are the command line.
type options struct {
	programs  string // directory of mkad and mkactl
	pcap      string // file that keeps the capture
	keys      string // directory that keeps the CAK file
	rotations int
}

func flags() (o options) {
	self, _ := os.Executable() // its directory is only a default
	flag.StringVar(&o.programs, "programs", filepath.Dir(self), "`directory` of mkad and mkactl")
	flag.StringVar(&o.pcap, "pcap", "", "keep the capture of the wire in this `file` (pcapng)")
	flag.StringVar(&o.keys, "keys", "", "keep the CAK file in this `directory`, to read the capture with")
	flag.IntVar(&o.rotations, "rotations", 1, "how many `times` to rotate the SAK under traffic, each under its own ping")
	flag.Parse()
	if flag.NArg() > 0 || o.rotations < 1 {
		flag.Usage()
		os.Exit(2)
	}
	return o
}

// prepare finds everything that is missing on this machine before anything is made.
func prepare() error {
	// The directories of administrators' programs are not in the path of Debian's users.
	if err := os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin"); err != nil {
		return err
	}
	var missing []error
	for program, pkg := range map[string]string{"ip": "iproute2", "ping": "iputils-ping", "dnsmasq": "dnsmasq-base",
		"busybox": "busybox"} {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, fmt.Errorf("find %s: not installed; as root: apt-get install %s", program, pkg))
		}
	}
	tun, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil {
		return errors.Join(append(missing, fmt.Errorf("make a TAP device: %w; as root: modprobe tun && chmod 666 /dev/net/tun, "+
			"or run the demonstration as root", err))...)
	}
	return errors.Join(append(missing, tun.Close())...)
}

// run is the demonstration with its clean-up. When it fails, it shows the logs of both daemons and keeps the capture all
// the same.
func run(ctx context.Context, o options, out io.Writer) error {
	limited, cancel := context.WithTimeoutCause(ctx, patience+time.Duration(o.rotations)*rotationLimit,
		errors.New("the demonstration took too long"))
	defer cancel()
	d := &demo{options: o, out: out, began: time.Now()}
	err := d.steps(limited)
	if ctx.Err() != nil {
		err = errInterrupted
	}
	if err != nil {
		if ctx.Err() == nil {
			d.showLogs()
		}
		_, kept := d.endCapture()
		err = errors.Join(err, kept)
	}
	if closed := d.close(); closed != nil {
		return errors.Join(err, closed)
	}
	d.say("everything removed: hosts, wire, programs, files")
	if err == nil {
		d.say("all of it held")
	}
	return err
}

// errInterrupted says why the demonstration did not come to its end.
var errInterrupted = errors.New("interrupted")

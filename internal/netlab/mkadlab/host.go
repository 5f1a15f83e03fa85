package mkadlab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"mkad/internal/control"
	"mkad/internal/netlab"
)

// startTime bounds how long a daemon may take to answer on its control socket, in an emulated machine too.
const startTime = 40 * time.Second

// lookInterval is how often a starting daemon is asked whether it is up: the resolution of that moment.
const lookInterval = 2 * time.Millisecond

// A Host is a network namespace with an mkad in it. Daemon and log are one goroutine's at a time; the rest is anyone's.
type Host struct {
	*netlab.Namespace
	Name     string
	Control  *control.Client
	programs string
	dir      string
	daemon   *netlab.Process
	log      log
}

// NewHost makes a host without devices and without a configuration, which keeps its files below dir. The caller closes it.
func NewHost(name, dir string, o Options) (*Host, error) {
	dir = filepath.Join(dir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	n, err := netlab.NewNamespace()
	if err != nil {
		return nil, err
	}
	h := &Host{Namespace: n, Name: name, programs: o.Programs, dir: dir}
	h.Control = control.NewClient(h.Socket())
	return h, nil
}

// Socket is the path of the daemon's control socket.
func (h *Host) Socket() string { return filepath.Join(h.dir, "control.sock") }

// ConfigFile is the path of the daemon's configuration.
func (h *Host) ConfigFile() string { return filepath.Join(h.dir, "mkad.toml") }

const configuration = `[daemon]
control = %q
state = %q
%s

[[port]]
interface = %q
controlled = %q
keys = %q
%s
`

func (h *Host) configure(keyFile string, o Options) error {
	text := fmt.Sprintf(configuration, h.Socket(), filepath.Join(h.dir, "state"), o.Daemon, Lower, Controlled, keyFile, o.Port)
	return os.WriteFile(h.ConfigFile(), []byte(text), 0o644)
}

// ConfigurePort appends lines to the [[port]] table of the daemon's configuration.
func (h *Host) ConfigurePort(lines ...string) error {
	text, err := os.ReadFile(h.ConfigFile())
	if err != nil {
		return err
	}
	return os.WriteFile(h.ConfigFile(), append(text, strings.Join(lines, "\n")+"\n"...), 0o644)
}

// ExecDaemon starts the host's mkad and waits for nothing. A daemon that has ended, or was killed, may be started again.
func (h *Host) ExecDaemon() (err error) {
	h.daemon, err = h.Start(&h.log, filepath.Join(h.programs, "mkad"), "--config", h.ConfigFile())
	return err
}

// StartDaemon starts the host's mkad as ExecDaemon does, and waits until its control socket answers.
func (h *Host) StartDaemon(ctx context.Context) error {
	if err := h.ExecDaemon(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	look := time.NewTicker(lookInterval)
	defer look.Stop()
	for {
		_, err := h.Control.Status(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-h.daemon.Ended():
			return fmt.Errorf("mkad has ended (%v); its log:\n%s", h.daemon.Err(), h.Log())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("mkad does not answer: %w; its log:\n%s", err, h.Log()), context.Cause(ctx))
		case <-look.C:
		}
	}
}

// Daemon is the running mkad, for signals; nil before StartDaemon.
func (h *Host) Daemon() *netlab.Process { return h.daemon }

// Log is what the host's daemons have logged, the last megabyte of it.
func (h *Host) Log() string { return h.log.String() }

// Mkactl runs mkactl with the host's control socket.
func (h *Host) Mkactl(ctx context.Context, args ...string) (string, error) {
	args = append([]string{"--socket", h.Socket()}, args...)
	return h.Run(ctx, filepath.Join(h.programs, "mkactl"), args...)
}

// Port asks the daemon how its port stands.
func (h *Host) Port(ctx context.Context) (control.Port, error) {
	d, err := h.Control.Status(ctx, Lower)
	if err != nil {
		return control.Port{}, err
	}
	if len(d.Ports) != 1 {
		return control.Port{}, fmt.Errorf("mkad tells of %d ports, want 1", len(d.Ports))
	}
	return d.Ports[0], nil
}

// WaitFor waits until the host's port is in a state, SecureTime at most. The error quotes the daemon's log.
func (h *Host) WaitFor(ctx context.Context, state control.State) error {
	ctx, cancel := context.WithTimeout(ctx, SecureTime)
	defer cancel()
	if _, err := h.Control.Wait(ctx, state, Lower); err != nil {
		return fmt.Errorf("%w; the log of mkad:\n%s", err, h.Log())
	}
	return nil
}

// Close stops what runs in the host and lets its namespace go.
func (h *Host) Close() error {
	h.Control.Close()
	return h.Namespace.Close()
}

// maxLog bounds the memory of a log; the older half goes when it is full.
const maxLog = 1 << 20

// log keeps what a daemon writes. Its zero value is empty.
type log struct {
	mu   sync.Mutex
	text []byte
}

var _ io.Writer = (*log)(nil)

// Write appends to the log; it never fails.
func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.text)+len(b) > maxLog {
		l.text = append([]byte(nil), l.text[len(l.text)/2:]...)
	}
	l.text = append(l.text, b...)
	return len(b), nil
}

// String is the log so far.
func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(bytes.ToValidUTF8(l.text, []byte("?")))
}

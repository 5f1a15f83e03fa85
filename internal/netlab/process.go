package netlab

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// StopGrace is how long a program that was asked to end may take before it is killed.
const StopGrace = 3 * time.Second

// pipeGrace is how long the output of a program that has ended may stay open in its children's hands.
const pipeGrace = time.Second

// A Process is a program that runs in a Namespace. Its methods may be called from any goroutine.
type Process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed after err is set
	err   error
}

// Start runs a program in the namespace, its output and errors going to out (which is written by one goroutine at a
// time). It gets a process group of its own, so that a Ctrl-C at the terminal reaches the program that made the lab,
// which stops the others in its own order. It is killed when that program dies.
func (n *Namespace) Start(out io.Writer, name string, args ...string) (*Process, error) {
	return n.StartCommand(newCommand(out, name, args...))
}

func newCommand(out io.Writer, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = out, out
	return cmd
}

// StartCommand is Start for a command that the caller has prepared, for instance with an environment or an input.
// Its SysProcAttr is overwritten.
func (n *Namespace) StartCommand(cmd *exec.Cmd) (*Process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = pipeGrace
	if err := n.Do(cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	p := &Process{cmd: cmd, ended: make(chan struct{})}
	go p.wait()
	return p, n.adopt(p)
}

func (p *Process) wait() {
	p.err = p.cmd.Wait()
	close(p.ended)
}

// adopt remembers a process for Close, and forgets those that have ended.
func (n *Namespace) adopt(p *Process) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		p.Kill()
		return ErrClosed
	}
	running := n.processes[:0]
	for _, q := range n.processes {
		if !q.hasEnded() {
			running = append(running, q)
		}
	}
	n.processes = append(running, p)
	return nil
}

// Run runs a program in the namespace to its end and returns what it wrote to output and errors together. The program
// is stopped when ctx is done. The error of a program that failed quotes the end of what it wrote.
func (n *Namespace) Run(ctx context.Context, name string, args ...string) (string, error) {
	var out bytes.Buffer
	p, err := n.Start(&out, name, args...)
	if err != nil {
		return "", err
	}
	select {
	case <-p.Ended():
	case <-ctx.Done():
		p.Stop()
		return out.String(), fmt.Errorf("run %s: %w", name, context.Cause(ctx))
	}
	if err := p.Err(); err != nil {
		return out.String(), fmt.Errorf("run %s: %w: %s", name, err, tail(out.Bytes()))
	}
	return out.String(), nil
}

// tail returns the last lines of what a program wrote, enough to see why it failed.
func tail(b []byte) []byte {
	const quoted = 1000
	b = bytes.TrimSpace(b)
	return b[max(0, len(b)-quoted):]
}

// PID is the process number, for signals and for /proc.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended is closed when the program has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Err is how the program ended, nil for exit status 0; it waits for the end. An *exec.ExitError has the status.
func (p *Process) Err() error {
	<-p.ended
	return p.err
}

// Signal sends a signal to the program; one that has ended does not mind.
func (p *Process) Signal(s syscall.Signal) {
	if !p.hasEnded() {
		_ = p.cmd.Process.Signal(s) // it may end this moment: nothing is left to do then
	}
}

// Kill ends the program without asking it.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.ended
}

// Stop asks the program to end, waits StopGrace, and kills it then.
func (p *Process) Stop() {
	p.Signal(syscall.SIGTERM)
	patience := time.NewTimer(StopGrace)
	defer patience.Stop()
	select {
	case <-p.ended:
	case <-patience.C:
		p.Kill()
	}
}

func (p *Process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

func stopAll(processes []*Process) {
	var wg sync.WaitGroup
	for _, p := range processes {
		wg.Go(p.Stop)
	}
	wg.Wait()
}

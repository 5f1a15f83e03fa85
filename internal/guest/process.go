package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
)

// The ports that a guest's commands write to are files 3 and 4 of the process that is its machine.
const (
	stdoutPath = "/dev/fd/3"
	stderrPath = "/dev/fd/4"
)

// execute runs the process that is the guest until it ends, carries what comes out of its two ports to the job's
// writers and to files, and kills it when the context ends.
func (r *run) execute(ctx context.Context, cmd *exec.Cmd) error {
	console, err := os.Create(filepath.Join(r.Out, consoleFile))
	if err != nil {
		return err
	}
	defer console.Close()
	cmd.Stdout, cmd.Stderr = console, console
	var carrying sync.WaitGroup
	for _, p := range []struct {
		to   io.Writer
		name string
	}{{r.Stdout, "stdout.log"}, {r.Stderr, "stderr.log"}} {
		in, err := r.port(p.to, p.name, &carrying)
		if err != nil {
			return err
		}
		defer in.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, in)
	}
	err = waitOrKill(ctx, cmd)
	for _, in := range cmd.ExtraFiles {
		in.Close()
	}
	carrying.Wait()
	return err
}

// port makes the end that the guest writes to, and carries from the other end until that is closed.
func (r *run) port(to io.Writer, name string, carrying *sync.WaitGroup) (*os.File, error) {
	kept, err := os.Create(filepath.Join(r.Out, name))
	if err != nil {
		return nil, err
	}
	out, in, err := os.Pipe()
	if err != nil {
		kept.Close()
		return nil, err
	}
	carrying.Go(func() {
		defer kept.Close()
		defer out.Close()
		_, _ = io.Copy(io.MultiWriter(to, kept), out) // a reader that went away is no fault of the guest
	})
	return in, nil
}

// waitOrKill runs a command and kills it when the context ends. It is in a process group of its own, because user-mode
// Linux is many processes, and none stays behind. Should this program be killed, the kernel kills the first of them,
// and the others if root has made them a process namespace.
func waitOrKill(ctx context.Context, cmd *exec.Cmd) error {
	runtime.LockOSThread() // the parent of Pdeathsig is a thread
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", filepath.Base(cmd.Path), err)
	}
	killGroup := func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	stop := context.AfterFunc(ctx, killGroup)
	err := cmd.Wait()
	if !stop() {
		return context.Cause(ctx)
	}
	killGroup()
	var status *exec.ExitError
	if errors.As(err, &status) {
		return fmt.Errorf("%s ended with %v", filepath.Base(cmd.Path), status)
	}
	return err
}

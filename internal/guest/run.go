package guest

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

//go:embed init.sh
var initScript string

// A Command is a program to run in the guest: a compiled test, any static program, a program linked to the C library,
// or a script.
type Command struct {
	Program string // on this machine
	Args    []string

	// Dir is the directory of this machine that the program is to think it is in, with the testdata below it; it is
	// in this module. Of a compiled test, "" is the directory of its package, and of anything else, the current one.
	Dir string
}

// A Job is what to do in one boot of a guest.
type Job struct {
	Machine
	Commands []Command // one after the other, whatever the status of each
	With     []string  // programs to carry into the guest's PATH; paths of this machine, from the current directory

	Stdout, Stderr io.Writer // of the commands, as it comes

	// Out is the directory that receives what the guest leaves: console.log, output of the commands (stdout.log,
	// stderr.log), dmesg, report, and in files/ what the commands have put into the directory that their environment
	// names as MKAD_GUEST_OUT. It is made if need be. "" is a temporary directory, which is kept only on failure.
	Out string
}

// endTime is what is left of a Machine's time limit for saying where the commands are, and handing over the files.
const endTime = 15 * time.Second

// Run boots a guest, runs a job's commands in it and returns what came of them. An error means that the guest did not
// do its job to the end; that commands failed is in the Report. Either way Stderr gets the end of the console and of
// the kernel's log, and where the rest is. The first run on a machine prepares the image: see [Prepare].
// When the context ends, the guest is killed. Safe for concurrent use.
func Run(ctx context.Context, j Job) (Report, error) {
	m, err := j.Machine.checked()
	if err != nil {
		return Report{}, err
	}
	j.Machine = m
	if len(j.Commands) == 0 {
		return Report{}, errors.New("run a guest: there is no command")
	}
	i, err := open(ctx, j.Kernel, j.Stderr)
	if err != nil {
		return Report{}, err
	}
	for n := 1; ; n++ {
		r, err := newRun(ctx, j, i)
		if err != nil {
			return Report{}, fmt.Errorf("run a guest: %w", err)
		}
		report, err := r.toEnd(ctx)
		if n == boots || !errors.Is(err, errCutShort) || report.Ready != 0 || ctx.Err() != nil {
			return report, err
		}
		fmt.Fprintf(j.Stderr, "guest: the kernel did not come up; booting it again, %d of %d\n", n+1, boots)
	}
}

// boots is how often a guest is booted whose kernel ends before it has come to the commands: under emulation with several
// processors a kernel now and then panics while it patches its own code, before anything of ours has run.
const boots = 3

// A run is a job under way. Its scratch directory holds what only the running guest needs.
type run struct {
	Job
	image   image
	scratch string
	extra   []string // modules of this machine to carry and load
}

func newRun(ctx context.Context, j Job, i image) (*run, error) {
	r := &run{Job: j, image: i}
	if j.Netdevsim {
		file, err := netdevsim(ctx, i, j.Stderr)
		if err != nil {
			return nil, err
		}
		r.extra = append(r.extra, file)
	}
	var err error
	if r.scratch, err = os.MkdirTemp("", "mkad-guest-"); err != nil {
		return nil, err
	}
	if j.Out == "" {
		r.Out = filepath.Join(r.scratch, "out")
	}
	r.Out, err = filepath.Abs(r.Out)
	return r, err
}

func (r *run) toEnd(ctx context.Context) (Report, error) {
	begin := time.Now()
	err := os.MkdirAll(r.Out, 0o755)
	if err == nil {
		err = r.boot(ctx)
	}
	report, reportErr := readReport(r.Out, len(r.Commands))
	report.Wall = time.Since(begin)
	if err == nil {
		err = reportErr
	}
	if err != nil || report.Failed() != nil {
		r.explain()
	}
	return report, errors.Join(err, r.clean(err == nil && report.Failed() == nil))
}

func (r *run) clean(succeeded bool) error {
	if r.Job.Out == filepath.Join(r.scratch, "out") && !succeeded {
		return os.Remove(r.initrd())
	}
	return os.RemoveAll(r.scratch)
}

func (r *run) initrd() string { return filepath.Join(r.scratch, "initrd") }

// boot runs the guest from its start to its end.
func (r *run) boot(ctx context.Context) error {
	if err := r.writeInitrd(); err != nil {
		return fmt.Errorf("write the guest's root: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.Timeout, fmt.Errorf("the guest was killed after %v", r.Timeout))
	defer cancel()
	if r.Kernel == UML {
		return r.bootUML(ctx)
	}
	return r.bootQEMU(ctx)
}

// writeInitrd writes the guest's first root: the image's, and behind it what belongs to this run.
func (r *run) writeInitrd() error {
	return create(r.initrd(), func(w io.Writer) error {
		base, err := os.Open(r.image.file(baseFile))
		if err != nil {
			return err
		}
		defer base.Close()
		if _, err := io.Copy(w, base); err != nil {
			return err
		}
		return r.writeOwn(newCPIO(w))
	})
}

func (r *run) writeOwn(c *cpio) error {
	c.script("init", initScript)
	c.text("guest/settings", r.settings())
	for _, program := range r.With {
		c.copy("guest/bin/"+filepath.Base(program), program)
	}
	for _, file := range r.extra {
		c.copy("guest/modules/"+filepath.Base(file), file)
	}
	var plan strings.Builder
	for i, command := range r.Commands {
		p, err := place(command)
		if err != nil {
			return err
		}
		program := fmt.Sprintf("guest/command%d/%s", i, filepath.Base(command.Program))
		c.copy(program, command.Program)
		c.directory(p.dir)
		p.carry(c)
		fmt.Fprintf(&plan, "run %d %s\n", i, quote(append([]string{"/" + p.dir, "/" + program}, command.Args...)))
	}
	c.text("guest/plan", plan.String())
	return c.close()
}

// settings is what init is told, in the shell's words.
func (r *run) settings() string {
	limit := int((r.Timeout - endTime).Seconds())
	if r.VirtualTime || limit < 0 {
		limit = 0 // the guest's clock does not tell
	}
	var b strings.Builder
	fmt.Fprintf(&b, "GUEST_KERNEL=%s\n", r.Kernel)
	fmt.Fprintf(&b, "GUEST_SECONDS=%d\n", limit)
	fmt.Fprintf(&b, "GUEST_OUTPUT=%s\n", quote([]string{r.Out}))
	if r.Netdevsim {
		fmt.Fprintf(&b, "GUEST_MODULES=psample\n") // which it depends on
	}
	return b.String()
}

// quote writes words so that a shell reads them as they are.
func quote(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return strings.Join(quoted, " ")
}

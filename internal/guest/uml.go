package guest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// bootUML runs user-mode Linux: the kernel is a program of this machine. The output directory is the guest's /out
// itself, and its two serial lines are the ports.
func (r *run) bootUML(ctx context.Context) error {
	state := filepath.Join(r.scratch, "uml")
	if err := os.MkdirAll(state, 0o755); err != nil {
		return err
	}
	cmd := exec.Command(r.image.file(kernelFile),
		fmt.Sprintf("mem=%dM", r.Memory),
		"initrd="+r.initrd(),
		"con=null", "con0=null,fd:1", "ssl=null", "ssl0=null,fd:3", "ssl1=null,fd:4",
		"uml_dir="+state+"/", "umid=guest",
		"quiet", "panic=1", "noreboot")
	cmd.Env = append(os.Environ(), "LD_PRELOAD="+r.image.file(preloadFile), "TMPDIR="+r.umlMemory())
	return r.execute(ctx, cmd)
}

// umlMemory is the directory for the file that is the guest's memory: in memory, unless there is too little of that, as
// in many containers.
func (r *run) umlMemory() string {
	const inMemory = "/dev/shm"
	var s unix.Statfs_t
	if unix.Statfs(inMemory, &s) == nil && s.Bavail*uint64(s.Bsize) >= uint64(r.Memory)<<20 {
		return inMemory
	}
	return r.scratch
}

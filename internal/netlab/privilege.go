package netlab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Privileged reports whether this program may make network namespaces: as root, or in a user namespace of its own.
func Privileged() bool {
	able := make(chan bool)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends here, and the namespace with it
		able <- unix.Unshare(unix.CLONE_NEWNET) == nil
	}()
	return <-able
}

// reexecMark is in the environment of a program that Reexec has started, so that it is tried once only.
const reexecMark = "MKAD_NETLAB_REEXEC"

// Reexec lets a program that is not privileged begin again, with the same arguments, as root of a new user, network and
// mount namespace; it is called first thing in main. It returns nil at once when there is nothing to do, and an error
// when there is nothing that it can do; otherwise it does not return. The process number stays the same, so signals go
// where they went. Inside, only what belongs to the caller can be touched on disk.
func Reexec() error {
	if Privileged() {
		return nil
	}
	if os.Getenv(reexecMark) != "" {
		return errors.New("make network namespaces: not permitted, even as root of a user namespace; run as root")
	}
	if err := beginAgain(); err != nil {
		return fmt.Errorf("enter a user namespace: %w; run as root, or allow user namespaces", err)
	}
	return nil
}

// beginAgain goes through unshare(1), which is on every Debian system: a program with threads, as every Go program is,
// cannot enter a user namespace itself.
func beginAgain() error {
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := append([]string{"unshare", "--user", "--map-root-user", "--net", "--mount", "--", self}, os.Args[1:]...)
	return syscall.Exec(unshare, args, append(os.Environ(), reexecMark+"=1"))
}

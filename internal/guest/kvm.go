package guest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// kvmTime is how long a guest that does nothing may take with KVM. A working one needs a second.
const kvmTime = 8 * time.Second

// kvmWorks tries KVM once for each boot of this machine: that the device is there says little, for under some
// hypervisors a guest starts and then hangs. The verdict stands beside the images.
func kvmWorks(ctx context.Context, i image) bool {
	device, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	device.Close()
	bootID, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // always there; empty only tries more rarely
	file := filepath.Join(filepath.Dir(i.dir), "kvm")
	if verdict, err := os.ReadFile(file); err == nil {
		if answer, tried := strings.CutPrefix(string(verdict), string(bootID)); tried {
			return answer == "works"
		}
	}
	answer := "fails"
	if tryKVM(ctx, i) {
		answer = "works"
	}
	_ = os.WriteFile(file, []byte(string(bootID)+answer), 0o644) // else the next guest tries again
	return answer == "works"
}

// tryKVM boots the kernel without a root: it works if the kernel gets as far as to miss that, and gives up.
func tryKVM(ctx context.Context, i image) bool {
	ctx, cancel := context.WithTimeout(ctx, kvmTime)
	defer cancel()
	cmd := exec.Command("qemu-system-x86_64", "-M", "q35", "-accel", "kvm", "-cpu", "max", "-m", "256",
		"-nodefaults", "-no-user-config", "-vga", "none", "-display", "none", "-no-reboot",
		"-kernel", i.file(kernelFile), "-append", "console=ttyS0 quiet panic=-1 reboot=t", "-serial", "stdio")
	var console strings.Builder
	cmd.Stdout, cmd.Stderr = &console, &console
	return waitOrKill(ctx, cmd) == nil && strings.Contains(console.String(), "Unable to mount root")
}

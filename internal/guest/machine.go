package guest

import (
	"errors"
	"fmt"
	"time"
)

// Bounds of a Machine.
const (
	defaultMemory  = 512 // MiB: enough for a test program with the race detector; what is not used costs nothing
	defaultTimeout = 10 * time.Minute
	maxCPUs        = 8
	maxNICs        = 8 // slots on the bus are not without end
)

// A Machine is what a guest is booted on. The zero value is [QEMU] with one CPU and nothing special.
type Machine struct {
	Kernel Kernel // "" is QEMU
	CPUs   int    // 0 is 1; user-mode Linux has no more
	Memory int    // MiB; 0 is 512

	// VirtualTime lets the guest's clocks follow the instructions that it executes, and skip what it idles: waiting
	// costs little and no timer is late on a busy machine, but nothing that is measured inside is real time. Not with
	// user-mode Linux.
	VirtualTime bool

	// NICs is the number of emulated e1000 NICs, all on one wire. They are found as /sys/bus/pci/drivers/e1000/*/net/*.
	// Not with user-mode Linux.
	NICs int

	// Netdevsim has the kernel's simulated device, which does as if it offloaded MACsec, loaded; it is built once for
	// the kernel, in a minute. Only with [QEMU].
	Netdevsim bool

	// Timeout bounds the boot with everything that is run, by the clock of this machine; 0 is ten minutes. Shortly
	// before, what runs gets SIGQUIT, at which a Go program tells where it waits.
	Timeout time.Duration
}

// checked fills in what was left out.
func (m Machine) checked() (Machine, error) {
	if m.Kernel == "" {
		m.Kernel = QEMU
	}
	if m.CPUs == 0 {
		m.CPUs = 1
	}
	if m.Memory == 0 {
		m.Memory = defaultMemory
	}
	if m.Timeout == 0 {
		m.Timeout = defaultTimeout
	}
	_, err := flavourOf(m.Kernel)
	return m, errors.Join(err, m.check())
}

func (m Machine) check() error {
	switch {
	case m.CPUs < 1 || m.CPUs > maxCPUs:
		return fmt.Errorf("a guest has 1 to %d CPUs, not %d", maxCPUs, m.CPUs)
	case m.NICs < 0 || m.NICs > maxNICs:
		return fmt.Errorf("a guest has at most %d NICs, not %d", maxNICs, m.NICs)
	case m.Timeout < 0:
		return fmt.Errorf("a guest's time limit of %v is no time", m.Timeout)
	case m.Kernel == UML && m.NICs > 0:
		return fmt.Errorf("user-mode Linux has no NICs; use kernel %s", QEMU)
	case m.Kernel != QEMU && m.Netdevsim:
		return fmt.Errorf("netdevsim is built for kernel %s only", QEMU)
	case m.Kernel == UML && m.CPUs > 1:
		return fmt.Errorf("user-mode Linux has one CPU; use kernel %s", QEMU)
	case m.Kernel == UML && m.VirtualTime:
		return fmt.Errorf("user-mode Linux has no virtual time; use kernel %s", QEMU)
	}
	return nil
}

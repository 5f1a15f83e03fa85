package pause

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// quiesce waits until every processor has left the section in which it was: a frame is sent from the hook to the wire
// with bottom halves disabled, so that a processor which runs us is not in it. To visit them all takes a fraction of a
// millisecond. Where we may not, or where bottom halves can be preempted, a grace period of RCU does as well, in ten.
func quiesce() error {
	if !preemptible() && visit() == nil {
		return nil
	}
	const global = 1 // MEMBARRIER_CMD_GLOBAL
	if _, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, global, 0, 0); errno != 0 {
		return fmt.Errorf("membarrier: %w", errno)
	}
	return nil
}

// preemptible reports whether this is a real-time kernel.
func preemptible() bool {
	b, err := os.ReadFile("/sys/kernel/realtime")
	return err == nil && strings.TrimSpace(string(b)) == "1"
}

// visit runs on each processor that is online, one after the other.
func visit() error {
	list, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return err
	}
	cpus, err := parseCPUs(strings.TrimSpace(string(list)))
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var home unix.CPUSet
	if err := unix.SchedGetaffinity(0, &home); err != nil {
		return err
	}
	for _, cpu := range cpus {
		var there unix.CPUSet
		there.Set(cpu)
		if err = unix.SchedSetaffinity(0, &there); err != nil {
			break
		}
	}
	return errors.Join(err, unix.SchedSetaffinity(0, &home))
}

// parseCPUs reads a list of the form 0-3,6.
func parseCPUs(list string) (cpus []int, err error) {
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, err1 := strconv.Atoi(from)
		last, err2 := strconv.Atoi(to)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("list of processors %q: %w", list, err)
		}
		for cpu := first; cpu <= last; cpu++ {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

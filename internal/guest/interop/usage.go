package interop

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// A Usage is what a process has used so far, all its threads together.
type Usage struct {
	// Run is by the scheduler's account, user and kernel. In the virtual time of a guest a nanosecond is an instruction.
	Run    time.Duration
	Memory int // kB, resident
}

// UsageOf reads what a process has used. Threads that have ended are not in it.
func UsageOf(pid int) (u Usage, err error) {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return u, err
	}
	for _, t := range tasks {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", pid, t.Name()))
		if err != nil {
			return u, err
		}
		ns, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		if err != nil {
			return u, err
		}
		u.Run += time.Duration(ns)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, "VmRSS:"); found {
			u.Memory, err = strconv.Atoi(strings.Fields(value)[0])
		}
	}
	return u, err
}

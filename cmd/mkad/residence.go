package main

import (
	"errors"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// settleTime is after which a start is over.
	settleTime = 10 * time.Second
	// heapGrowth is how much the heap may grow before it is collected, in percent of what is in use; 100 would let four
	// megabytes of garbage gather first, many times what is in use. Frames cost no garbage, and MKA little.
	heapGrowth = 25
	// relievePeriod is the distance of times at which pages of the program are given back. The runtime collects garbage every two
	// minutes, which has a megabyte of the program be read; to collect more often costs more than it saves.
	relievePeriod = 125 * time.Second
)

// hugePages has a text like "[always] madvise never".
const hugePages = "/sys/kernel/mm/transparent_hugepage/enabled"

// startedAgain is in the environment of a program that has started itself again, so that it does so once, whatever the kernel
// makes of it.
const startedAgain = "MKAD_STARTED_AGAIN"

// refuseHugePages starts the program again without huge pages, where the kernel gives them to all who do not ask. The first
// octet that is touched of one has two megabytes be there, which the runtime does not know of and so never gives back; and it
// has touched some before any code of ours runs. It returns if there is nothing to be done, or that cannot be done.
func refuseHugePages() error {
	mode, err := os.ReadFile(hugePages)
	if err != nil || !strings.Contains(string(mode), "[always]") {
		return nil // a kernel without them
	}
	refused, err := unix.PrctlRetInt(unix.PR_GET_THP_DISABLE, 0, 0, 0, 0)
	if err != nil || refused != 0 {
		return err
	}
	if os.Getenv(startedAgain) != "" {
		return errors.New("refused, and given all the same")
	}
	if err := unix.Prctl(unix.PR_SET_THP_DISABLE, 1, 0, 0, 0); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	return unix.Exec(program, os.Args, append(os.Environ(), startedAgain+"=1"))
}

// A mapping is a part of our address space.
type mapping struct{ start, length uintptr }

// program lists where the program itself is mapped, code and constants, by a text as in /proc/self/maps: what cannot be
// written, of the file named. None of it is a key, nor does any of it ever go to swap.
func program(maps, file string) (found []mapping) {
	for line := range strings.Lines(maps) {
		f := strings.Fields(line)
		if len(f) != 6 || f[5] != file || strings.Contains(f[1], "w") {
			continue
		}
		from, to, _ := strings.Cut(f[0], "-")
		start, err := strconv.ParseUint(from, 16, 64)
		end, errEnd := strconv.ParseUint(to, 16, 64)
		if err == nil && errEnd == nil && start < end {
			found = append(found, mapping{uintptr(start), uintptr(end - start)})
		}
	}
	return found
}

// lightenMemory keeps the memory of the process small: garbage is collected early, and after settleTime what
// only the start has touched is given back; then pages of the program again every relievePeriod.
func lightenMemory(log *slog.Logger) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
	time.AfterFunc(settleTime, func() {
		debug.FreeOSMemory() // first, for a collection touches a megabyte of the program
		relieve(log)
	})
}

// relieve gives back of the program what is not needed now; the kernel reads its pages again from its file when they are.
func relieve(log *slog.Logger) {
	if err := letGo(); err != nil {
		log.Debug("memory of the program is kept", "error", err)
		return
	}
	time.AfterFunc(relievePeriod, func() { relieve(log) })
}

// letGo unmaps the pages of the program until they are needed again. Memory that is locked would be kept.
func letGo() error {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return err
	}
	file, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	for _, m := range program(string(maps), file) {
		if _, _, errno := unix.Syscall(unix.SYS_MUNLOCK, m.start, m.length, 0); errno != 0 {
			return errno
		}
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.start, m.length, unix.MADV_DONTNEED); errno != 0 {
			return errno
		}
	}
	return nil
}

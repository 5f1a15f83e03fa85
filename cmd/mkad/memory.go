package main

import (
	"fmt"
	"log/slog"

	"golang.org/x/sys/unix"
)

// hideMemory keeps keys out of core dumps and of other processes' sight. It comes before a key is read.
func hideMemory() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("make the process not dumpable: %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	return nil
}

// lockMemory keeps keys out of swap, where the limits allow.
func lockMemory(log *slog.Logger) {
	// Under a limit, memory that is needed later could not be had any more: lock all of it or none.
	if !mayLockAll() {
		log.Debug("memory is not locked: keys may reach swap", "remedy", "LimitMEMLOCK=infinity")
		return
	}
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT); err != nil {
		log.Debug("memory is not locked: keys may reach swap", "error", err)
	}
}

// mayLockAll reports whether no limit on locked memory holds for us.
func mayLockAll() bool {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit); err == nil && limit.Cur == unix.RLIM_INFINITY {
		return true
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	return data[0].Effective&(1<<unix.CAP_IPC_LOCK) != 0
}

package port

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mkad/eapol"
)

// Occupied reports, as an *UnfitError, that another program of this network namespace speaks EAPOL on the device, by its
// own EtherType or by that of the port: two
// would answer the same peers and fight for the SecY. It is seen by its packet socket; one that has none there now gives
// nil, as does a machine that does not tell.
func Occupied(l Link, etherType uint16) error {
	sockets, err := os.ReadFile("/proc/thread-self/net/packet")
	if err != nil {
		return nil
	}
	inodes := eapolSockets(string(sockets), l.Index, etherType)
	inodes = slices.DeleteFunc(inodes, func(inode string) bool { return holds("/proc/self", inode) })
	if len(inodes) == 0 {
		return nil
	}
	return &UnfitError{Interface: l.Name, Reason: UnfitOccupied, Other: holder(inodes[0])}
}

// eapolSockets lists the inodes of the packet sockets that take EAPOL frames of a device and of no other: a line has
// address, references, type, EtherType, ifindex, running, memory, user, inode.
func eapolSockets(list string, index int, etherType uint16) (inodes []string) {
	types := []string{fmt.Sprintf("%04x", eapol.EtherType), fmt.Sprintf("%04x", etherType)}
	for line := range strings.Lines(list) {
		f := strings.Fields(line)
		if len(f) == 9 && slices.Contains(types, f[3]) && f[4] == strconv.Itoa(index) {
			inodes = append(inodes, f[8])
		}
	}
	return inodes
}

// holder names the process that has a socket, as well as can be told.
func holder(inode string) string {
	processes, _ := filepath.Glob("/proc/[0-9]*") // the pattern is a good one
	for _, process := range processes {
		if !holds(process, inode) {
			continue
		}
		name, _ := os.ReadFile(filepath.Join(process, "comm")) // it may have ended: then there is only its number
		return fmt.Sprintf("process %s (%s)", filepath.Base(process), strings.TrimSpace(string(name)))
	}
	return "another program"
}

// holds reports whether a process, named by its directory in /proc, has a socket open.
func holds(process, inode string) bool {
	files, err := os.ReadDir(filepath.Join(process, "fd"))
	if err != nil {
		return false
	}
	return slices.ContainsFunc(files, func(f os.DirEntry) bool {
		target, _ := os.Readlink(filepath.Join(process, "fd", f.Name())) // it may have been closed
		return target == "socket:["+inode+"]"
	})
}

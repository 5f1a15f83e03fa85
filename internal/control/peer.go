package control

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"slices"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Group is the name of the group whose members may use the control socket beside root.
const Group = "mkad"

// maxPeerGroups bounds the supplementary groups that are looked at: NGROUPS_MAX of Linux.
const maxPeerGroups = 65536

// A peer is the process at the other end of a connection, by the credentials that it had when it connected.
type peer struct {
	pid    int32
	uid    uint32
	groups []uint32 // the effective one and the supplementary ones
}

// peerOf asks the kernel who has connected.
func peerOf(c *net.UnixConn) (peer, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return peer{}, fmt.Errorf("read peer credentials: %w", err)
	}
	var p peer
	var asked error
	err = raw.Control(func(fd uintptr) { p, asked = peerOfFD(int(fd)) })
	if err := errors.Join(err, asked); err != nil {
		return peer{}, fmt.Errorf("read peer credentials: %w", err)
	}
	return p, nil
}

func peerOfFD(fd int) (peer, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return peer{}, fmt.Errorf("SO_PEERCRED: %w", err)
	}
	groups, err := peerGroups(fd)
	if err != nil {
		return peer{}, fmt.Errorf("SO_PEERGROUPS: %w", err)
	}
	return peer{pid: cred.Pid, uid: cred.Uid, groups: append(groups, cred.Gid)}, nil
}

// peerGroups reads the supplementary groups, which SO_PEERCRED leaves out. The kernel refuses a list that is too short
// and says how long it has to be.
func peerGroups(fd int) ([]uint32, error) {
	groups := make([]uint32, 32)
	for {
		n, err := getsockoptWords(fd, unix.SO_PEERGROUPS, groups)
		switch {
		case err == nil:
			return groups[:n], nil
		case !errors.Is(err, unix.ERANGE) || n <= len(groups) || n > maxPeerGroups:
			return nil, err
		}
		groups = make([]uint32, n)
	}
}

func getsockoptWords(fd, option int, words []uint32) (int, error) {
	const size = unsafe.Sizeof(uint32(0))
	octets := uint32(uintptr(len(words)) * size) // socklen_t
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, uintptr(option),
		uintptr(unsafe.Pointer(unsafe.SliceData(words))), uintptr(unsafe.Pointer(&octets)), 0)
	n := int(octets) / int(size)
	if errno != 0 {
		return n, errno
	}
	return n, nil
}

// An access says who may change something: root, the daemon's own user, and the group if the machine has it.
type access struct {
	uid      uint32
	gid      uint32
	hasGroup bool
}

func defaultAccess() access {
	gid, ok := groupID(Group)
	return access{uid: uint32(os.Geteuid()), gid: uint32(gid), hasGroup: ok}
}

func (a access) permits(p peer) bool {
	return p.uid == 0 || p.uid == a.uid || a.hasGroup && slices.Contains(p.groups, a.gid)
}

// groupID looks a group up; a machine without it is nothing unusual.
func groupID(name string) (int, bool) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, false
	}
	gid, err := strconv.Atoi(g.Gid)
	return gid, err == nil
}

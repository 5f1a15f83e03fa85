package pause

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// maxHeld bounds the frames that are held back: 10 ms of minimum frames at 10 Gbit/s. More are dropped.
	maxHeld = 16384
	// maxFrame is the longest thing that is held: a virtio_net_hdr and a frame of 64 KiB, yet to be segmented.
	maxFrame = 10 + 1<<16 + 256
	// tapName is the pattern by which the kernel names the TAP.
	tapName = "mkad-pause%d"
	// tapMTU is too small for IPv6, which is then silent on the device. Frames that are forwarded are not measured by it.
	tapMTU = 1000
)

// A tap is the device that frames are forwarded to.
type tap struct {
	fd    int
	index int
}

// openTAP makes the device, up. It goes when it is closed, or when the process ends.
func openTAP() (*tap, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/net/tun (load the tun module): %w", err)
	}
	t := &tap{fd: fd}
	if err := t.setUp(); err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

func (t *tap) setUp() error {
	request, err := unix.NewIfreq(tapName)
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(t.fd, unix.TUNSETIFF, request); err != nil {
		return fmt.Errorf("make TAP: %w", err)
	}
	if err := t.takeAsIs(); err != nil {
		return err
	}
	link, err := netlink.LinkByName(request.Name())
	if err != nil {
		return fmt.Errorf("look up TAP: %w", err)
	}
	t.index = link.Attrs().Index
	err = errors.Join(netlink.LinkSetMTU(link, tapMTU), netlink.LinkSetTxQLen(link, maxHeld), netlink.LinkSetUp(link))
	if err != nil {
		return fmt.Errorf("set up TAP: %w", err)
	}
	return nil
}

// takeAsIs has the kernel leave checksums and segmentation to the device that the frames are for, and refuse frames
// that were not forwarded. Kernels before 6.2 do not know the segmentation of UDP.
func (t *tap) takeAsIs() error {
	const tcp, udp = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6, unix.TUN_F_USO4 | unix.TUN_F_USO6
	if unix.IoctlSetInt(t.fd, unix.TUNSETOFFLOAD, tcp|udp) != nil {
		if err := unix.IoctlSetInt(t.fd, unix.TUNSETOFFLOAD, tcp); err != nil {
			return fmt.Errorf("set offload of TAP: %w", err)
		}
	}
	const skbMark = 0xfffff000 + 20 // SKF_AD_OFF + SKF_AD_MARK
	filter := [...]unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: skbMark},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: mark, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(t.fd), unix.TUNATTACHFILTER, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return fmt.Errorf("attach filter to TAP: %w", errno)
	}
	return nil
}

// read takes the next frame, with its virtio_net_hdr; 0 octets when there is none.
func (t *tap) read(b []byte) (int, error) {
	for {
		n, err := unix.Read(t.fd, b)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return 0, nil
		case err != nil:
			return 0, fmt.Errorf("read TAP: %w", err)
		default:
			return n, nil
		}
	}
}

// wait returns when there is a frame to read, after a millisecond at the latest.
func (t *tap) wait() {
	_, _ = unix.Poll([]unix.PollFd{{Fd: int32(t.fd), Events: unix.POLLIN}}, 1)
}

func (t *tap) close() error { return unix.Close(t.fd) }

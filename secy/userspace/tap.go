package userspace

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"mkad/secy"
)

const tunDevice = "/dev/net/tun"

// minMTU is the smallest MTU that a TAP takes (ETH_MIN_MTU).
const minMTU = 68

// What segmentation and checksum work the stack may leave to us (TUNSETOFFLOAD). UDP segmentation is known since 6.2.
const (
	offloadTCP = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6
	offloadUDP = unix.TUN_F_USO4 | unix.TUN_F_USO6
)

// A tap is the Controlled Port: the descriptor by which frames pass, and the network device by which the host knows it.
type tap struct {
	name  string // that it was made under
	file  *os.File
	raw   syscall.RawConn
	links *netlink.Handle
	speed *speedometer
	udp   bool // the kernel segments UDP
}

// openTAP makes the device, with that ifindex unless it is 0, or adopts one that an earlier process left; carrier is off
// from its first moment.
func openTAP(name string, index int) (*tap, error) {
	links, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open route netlink socket: %w", err)
	}
	speed, err := newSpeedometer()
	if err != nil {
		links.Close()
		return nil, err
	}
	t := &tap{name: name, links: links, speed: speed}
	if err := t.open(index); err != nil {
		links.Close()
		speed.close()
		return nil, fmt.Errorf("make %s: %w", name, err)
	}
	if err := t.configure(); err != nil {
		t.close()
		return nil, fmt.Errorf("set up %s: %w", name, err)
	}
	return t, nil
}

// open attaches to the device. The descriptor joins the poller only then: before, it has nothing to wait for.
func (t *tap) open(index int) error {
	there, err := isTAP(t.links, t.name)
	if err != nil {
		return err
	}
	fd, err := unix.Open(tunDevice, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s (load the tun module, run as root or with CAP_NET_ADMIN): %w", tunDevice, err)
	}
	if index != 0 && !there {
		err = os.NewSyscallError("TUNSETIFINDEX", unix.IoctlSetPointerInt(fd, unix.TUNSETIFINDEX, index))
	}
	if err == nil {
		err = attach(fd, t.name)
	}
	if err != nil {
		_ = unix.Close(fd)
		return err
	}
	t.file = os.NewFile(uintptr(fd), tunDevice)
	t.raw, err = t.file.SyscallConn()
	return err
}

// isTAP tells whether there is a device of that name, and refuses one that is no TAP.
func isTAP(links *netlink.Handle, name string) (bool, error) {
	link, err := links.LinkByName(name)
	if _, free := errors.AsType[netlink.LinkNotFoundError](err); free {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if tuntap, ok := link.(*netlink.Tuntap); ok && tuntap.Mode == netlink.TUNTAP_MODE_TAP {
		return true, nil
	}
	return false, fmt.Errorf("there is a device of that name that is no TAP (%s): remove it (ip link del %s) or set "+
		"another name for the Controlled Port", link.Type(), name)
}

// Left reports whether there is a TAP of that name that no program holds, such as a Port leaves that was closed to be kept.
func Left(name string) bool {
	links, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return false
	}
	defer links.Close()
	if there, err := isTAP(links, name); err != nil || !there {
		return false
	}
	fd, err := unix.Open(tunDevice, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return attach(fd, name) == nil
}

// attach makes the TAP or takes hold of one that nobody holds. IFF_NO_CARRIER keeps it from having carrier until
// configure takes it away; kernels before 6.1 do not know it, and there a moment passes.
func attach(fd int, name string) error {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return fmt.Errorf("device name %q is empty or longer than %d octets", name, unix.IFNAMSIZ-1)
	}
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR | unix.IFF_NO_CARRIER)
	err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	switch {
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("another program holds the TAP: end it or set another name for the Controlled Port: %w", err)
	case errors.Is(err, unix.EINVAL):
		return fmt.Errorf("a TAP of that name has several queues: remove it (ip link del %s): %w", name, err)
	}
	return os.NewSyscallError("TUNSETIFF", err)
}

// configure takes the carrier away and agrees with the kernel on headers and offloads.
func (t *tap) configure() error {
	if err := t.setCarrier(false); err != nil {
		return err
	}
	return t.control(func(fd int) error {
		if err := unix.IoctlSetPointerInt(fd, unix.TUNSETVNETHDRSZ, vnetHeaderLen); err != nil {
			return os.NewSyscallError("TUNSETVNETHDRSZ", err)
		}
		err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, offloadTCP|offloadUDP)
		t.udp = err == nil
		if errors.Is(err, unix.EINVAL) {
			err = unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, offloadTCP)
		}
		return os.NewSyscallError("TUNSETOFFLOAD", err)
	})
}

// setCarrier says whether the device could carry a frame.
func (t *tap) setCarrier(on bool) error {
	carrier := 0
	if on {
		carrier = 1
	}
	err := t.control(func(fd int) error { return unix.IoctlSetPointerInt(fd, unix.TUNSETCARRIER, carrier) })
	if err != nil {
		return fmt.Errorf("set carrier of %s to %d: %w", t.name, carrier, err)
	}
	return nil
}

// setPersistent says whether the device outlives its descriptor.
func (t *tap) setPersistent(on bool) error {
	persistent := 0
	if on {
		persistent = 1
	}
	err := t.control(func(fd int) error { return unix.IoctlSetInt(fd, unix.TUNSETPERSIST, persistent) })
	if err != nil {
		return fmt.Errorf("set persistence of %s to %d: %w", t.name, persistent, err)
	}
	return nil
}

// released makes no error of what cannot be taken from a device that somebody has removed.
func released(err error) error {
	if errors.Is(err, unix.EBADFD) {
		return nil
	}
	return err
}

// follow gives the device what it has from the lower device: its address, and its MTU less the overhead of MACsec.
func (t *tap) follow(mac [6]byte, lowerMTU int) error {
	mtu := lowerMTU - secy.Overhead
	if mtu < minMTU {
		return fmt.Errorf("set MTU of %s: the lower device's MTU of %d leaves %d: raise it to at least %d", t.name,
			lowerMTU, mtu, minMTU+secy.Overhead)
	}
	link, err := t.find()
	if err != nil {
		return err
	}
	if err := t.links.LinkSetHardwareAddr(link, net.HardwareAddr(mac[:])); err != nil {
		return fmt.Errorf("set MAC address of %s: %w", t.name, err)
	}
	if err := t.links.LinkSetMTU(link, mtu); err != nil {
		return fmt.Errorf("set MTU of %s to %d: %w", t.name, mtu, err)
	}
	return nil
}

// followSpeed gives the device the speed of the lower device, which may have come to another with its carrier.
func (t *tap) followSpeed(lower int) error {
	link, err := t.links.LinkByIndex(lower)
	if err != nil {
		return fmt.Errorf("look up device %d: %w", lower, err)
	}
	own, err := t.find()
	if err != nil {
		return err
	}
	return t.speed.copySpeed(own.Attrs().Name, link.Attrs().Name)
}

// setUp brings the device administratively up.
func (t *tap) setUp() error {
	link, err := t.find()
	if err != nil {
		return err
	}
	if err := t.links.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring up %s: %w", t.name, err)
	}
	return nil
}

// find looks the device up under the name that it has now: whoever has renamed it may have given the old name to another.
func (t *tap) find() (netlink.Link, error) {
	name := t.name
	err := t.control(func(fd int) error {
		request, err := unix.NewIfreq("")
		if err == nil {
			err = unix.IoctlIfreq(fd, unix.TUNGETIFF, request)
		}
		if err == nil {
			name = request.Name()
		}
		return os.NewSyscallError("TUNGETIFF", err)
	})
	var link netlink.Link
	if err == nil {
		link, err = t.links.LinkByName(name)
	}
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", name, err)
	}
	return link, nil
}

// control runs f on the descriptor, which stays open meanwhile.
func (t *tap) control(f func(fd int) error) error {
	var err error
	if closed := t.raw.Control(func(fd uintptr) { err = f(int(fd)) }); closed != nil {
		return closed
	}
	return err
}

// close lets the device go; who waits on it is told.
func (t *tap) close() {
	_ = t.file.Close()
	t.links.Close()
	t.speed.close()
}

// A tapWriter writes frames to the TAP without allocation. It is not for concurrent use.
type tapWriter struct {
	raw    syscall.RawConn
	write  func(fd uintptr) bool // writev, made once
	header [vnetHeaderLen]byte
	iovecs []unix.Iovec
	errno  unix.Errno
}

func newTAPWriter(t *tap) *tapWriter {
	w := &tapWriter{raw: t.raw, iovecs: make([]unix.Iovec, 0, 1+maxSegments)}
	w.write = w.writev
	return w
}

// frame writes one frame, given in pieces. The error says that the TAP is closed; that the kernel refuses the frame,
// because the device is down or the header makes no sense to it, is no error but false.
func (w *tapWriter) frame(h vnetHeader, pieces [][]byte) (bool, error) {
	h.put(w.header[:])
	w.iovecs = append(w.iovecs[:0], iovec(w.header[:]))
	for _, piece := range pieces {
		w.iovecs = append(w.iovecs, iovec(piece))
	}
	err := w.raw.Write(w.write)
	return w.errno == 0, err
}

func (w *tapWriter) writev(fd uintptr) bool {
	_, _, w.errno = unix.Syscall(unix.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&w.iovecs[0])), uintptr(len(w.iovecs)))
	return true
}

// iovec points to a piece, which is not empty.
func iovec(piece []byte) unix.Iovec {
	v := unix.Iovec{Base: &piece[0]}
	v.SetLen(len(piece))
	return v
}

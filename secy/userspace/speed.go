package userspace

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Requests of SIOCETHTOOL (linux/ethtool.h), in the old form, which every kernel and driver understands.
const (
	ethtoolGetSettings = 0x1 // ETHTOOL_GSET
	ethtoolSetSettings = 0x2 // ETHTOOL_SSET
)

// ethtoolSettings is struct ethtool_cmd.
type ethtoolSettings struct {
	request                           uint32
	supported, advertising            uint32
	speed                             uint16 // Mbit/s, the low half
	duplex, port, address, transceive uint8
	autoneg, mdio                     uint8
	maxTx, maxRx                      uint32
	speedHigh                         uint16
	crossover, crossoverControl       uint8
	partner                           uint32
	_                                 [2]uint32
}

// A speedometer reads and sets the speed of devices in the network namespace in which it was made.
type speedometer struct{ file *os.File }

func newSpeedometer() (*speedometer, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open socket for ethtool: %w", err)
	}
	return &speedometer{os.NewFile(uintptr(fd), "ethtool")}, nil
}

// copySpeed has a TAP tell the speed and duplex of the device below it, on which bridges base the cost of a path and bonds
// their choice: of itself it says 10 Mbit/s. A device that tells none leaves it as it is.
func (s *speedometer) copySpeed(to, from string) error {
	below := ethtoolSettings{request: ethtoolGetSettings}
	if err := s.ask(from, &below); err != nil {
		return fmt.Errorf("read speed of %s: %w", from, err)
	}
	settings := ethtoolSettings{request: ethtoolGetSettings}
	if err := s.ask(to, &settings); err != nil {
		return fmt.Errorf("read speed of %s: %w", to, err)
	}
	settings.request = ethtoolSetSettings
	settings.speed, settings.speedHigh, settings.duplex = below.speed, below.speedHigh, below.duplex
	if err := s.ask(to, &settings); err != nil {
		return fmt.Errorf("set speed of %s: %w", to, err)
	}
	return nil
}

// ask makes one ethtool request about a device.
func (s *speedometer) ask(device string, settings *ethtoolSettings) error {
	request := struct { // struct ifreq
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(settings)}
	copy(request.name[:unix.IFNAMSIZ-1], device)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, s.file.Fd(), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	runtime.KeepAlive(settings)
	runtime.KeepAlive(s)
	if errno != 0 {
		return errno
	}
	return nil
}

func (s *speedometer) close() { _ = s.file.Close() }

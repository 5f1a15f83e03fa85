package netlab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// addresses is the length of an Ethernet frame before its EtherType: destination and source.
const addresses = 12

// maxCaptured bounds the memory of one capture, in octets of frames: minutes of a busy test link. Frames beyond are
// counted and not kept.
const maxCaptured = 256 << 20

// An EtherType is the type field of an Ethernet frame.
type EtherType uint16

// The EtherTypes that a secured wire carries.
const (
	EtherTypeEAPOL  EtherType = 0x888e // 802.1X-2020 11.1.4
	EtherTypeMACsec EtherType = 0x88e5 // 802.1AE-2018 9.8
)

var etherTypeNames = map[EtherType]string{EtherTypeEAPOL: "EAPOL", EtherTypeMACsec: "MACsec", 0x0800: "IPv4",
	0x0806: "ARP", 0x86dd: "IPv6", 0x8100: "VLAN", 0x88b5: "experiment", 0x88cc: "LLDP"}

// String is the number and, where it is a usual one, the name.
func (e EtherType) String() string {
	return strings.TrimSpace(fmt.Sprintf("0x%04x %s", uint16(e), etherTypeNames[e]))
}

// EtherTypeOf reads the outermost EtherType of a frame; 0 of one that is too short to have any.
func EtherTypeOf(frame []byte) EtherType {
	if len(frame) < addresses+2 {
		return 0
	}
	return EtherType(binary.BigEndian.Uint16(frame[addresses:]))
}

// A Frame is a captured frame: from the destination address on, without FCS.
type Frame struct {
	At   time.Time // by the kernel
	Data []byte
}

// A Wire is a capture that is going on at one device.
type Wire struct {
	receiver receiver
	device   string
	ended    chan error
	heard    sync.Map // EtherType to *atomic.Uint64: the frames so far
	capture  Capture  // the receiving goroutine's until ended
	octets   int      // in capture.Frames and beyond
}

// A Capture is what a Wire has seen.
type Capture struct {
	Frames []Frame // in the order of arrival
	Unkept uint64  // frames beyond maxCaptured: in Types, not in Frames
	types  map[EtherType]uint64
}

// StartCapture captures every frame that arrives at a device from now on, before the host's packet filter sees it; not
// those that the device sends. The two ends of a wire together therefore give each frame on it once, and nothing that
// a filter stopped on its way out. A device may be captured while it is down.
func StartCapture(n *Namespace, device string) (*Wire, error) {
	return StartCaptureOf(n, device, unix.ETH_P_ALL)
}

// StartCaptureOf is StartCapture for the frames of one EtherType, after the host's packet filter has seen them: on a device
// that is flooded with others.
func StartCaptureOf(n *Namespace, device string, etherType EtherType) (*Wire, error) {
	file, err := n.openSocket(device, uint16(etherType))
	if err != nil {
		return nil, err
	}
	w := &Wire{receiver: receiver{file: file}, device: device, ended: make(chan error, 1),
		capture: Capture{types: make(map[EtherType]uint64)}}
	go func() { w.ended <- w.receive() }()
	return w, nil
}

// receive takes frames until Stop's deadline. A device that goes down is not the end: the socket tells it once, and
// hears again when the device is back.
func (w *Wire) receive() error {
	for {
		frame, at, err := w.receiver.read()
		switch {
		case errors.Is(err, unix.ENETDOWN):
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return err
		default:
			w.keep(frame, at)
		}
	}
}

func (w *Wire) keep(frame []byte, at time.Time) {
	t := EtherTypeOf(frame)
	n, known := w.heard.Load(t)
	if !known {
		n, _ = w.heard.LoadOrStore(t, new(atomic.Uint64))
	}
	n.(*atomic.Uint64).Add(1)
	w.capture.types[t]++
	if w.octets += len(frame); w.octets > maxCaptured {
		w.capture.Unkept++
		return
	}
	w.capture.Frames = append(w.capture.Frames, Frame{At: at, Data: slices.Clone(frame)})
}

// Heard is how many frames of an EtherType have come so far. It may be called while the capture goes on.
func (w *Wire) Heard(t EtherType) uint64 {
	n, heard := w.heard.Load(t)
	if !heard {
		return 0
	}
	return n.(*atomic.Uint64).Load()
}

// settleTime is how long Stop goes on listening: what was sent before it was called has arrived by then, even when the
// kernel finishes a transmission on another CPU.
const settleTime = 20 * time.Millisecond

// Stop ends the capture and returns it, with every frame that had arrived. An error means that it is not whole. Stop
// is called once.
func (w *Wire) Stop() (Capture, error) {
	defer w.receiver.file.Close()
	end := time.Now().Add(settleTime)
	err := w.receiver.file.SetReadDeadline(end)
	if err == nil {
		err = <-w.ended
	}
	if err == nil {
		err = w.drain(end)
	}
	if err != nil {
		return w.capture, fmt.Errorf("capture on %s: %w", w.device, err)
	}
	return w.capture, nil
}

// drain takes what arrived before the end and was not read by then, because the reader was behind; then the socket's
// statistics say whether that is all.
func (w *Wire) drain(end time.Time) error {
	for {
		frame, at, err := w.receiver.poll()
		if errors.Is(err, unix.EAGAIN) || err == nil && at.After(end) {
			break
		}
		if err != nil && !errors.Is(err, unix.ENETDOWN) {
			return err
		}
		if err == nil {
			w.keep(frame, at)
		}
	}
	lost, err := overruns(w.receiver.file)
	if err == nil && lost > 0 {
		err = fmt.Errorf("%d frames came too fast and are missing", lost)
	}
	return err
}

// Types returns the EtherTypes seen, the most frequent first.
func (c Capture) Types() []EtherType {
	var types []EtherType
	for t := range c.types {
		types = append(types, t)
	}
	slices.SortFunc(types, func(a, b EtherType) int {
		if c.types[a] != c.types[b] {
			return int(int64(c.types[b]) - int64(c.types[a]))
		}
		return int(a) - int(b)
	})
	return types
}

// Count returns how many frames of an EtherType were seen.
func (c Capture) Count(t EtherType) uint64 { return c.types[t] }

// Except returns the kept frames whose EtherType is none of those given.
func (c Capture) Except(types ...EtherType) []Frame {
	var rest []Frame
	for _, f := range c.Frames {
		if !slices.Contains(types, EtherTypeOf(f.Data)) {
			rest = append(rest, f)
		}
	}
	return rest
}

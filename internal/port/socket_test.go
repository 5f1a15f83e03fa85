package port_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"mkad/internal/netlab"
	"mkad/internal/port"
)

const eapolType = 0x888e

// open makes a socket on the device of the namespace.
func open(t *testing.T, n *netlab.Namespace, name string, etherType uint16, groups ...[6]byte) *port.Socket {
	t.Helper()
	d, err := n.Device(name)
	must(t, err)
	var s *port.Socket
	must(t, n.Do(func() (err error) { s, err = port.Open(d.Index, etherType, groups...); return err }))
	t.Cleanup(func() { _ = s.Close() }) // some tests have closed it
	return s
}

// frame makes a frame with a number in it.
func frame(destination, etherType string, number byte) []byte {
	header, err := hex.DecodeString(destination + "020000000099" + etherType)
	if err != nil {
		panic(err)
	}
	return append(header, append([]byte{number}, make([]byte, 45)...)...)
}

func eapol(number byte) []byte { return frame("0180c2000003", "888e", number) }

// reader reads frames as they come.
func reader(s *port.Socket) (<-chan []byte, <-chan error) {
	frames, ended := make(chan []byte), make(chan error, 1)
	go func() {
		buf := make([]byte, 2048)
		for {
			n, err := s.ReadFrame(buf)
			if err != nil {
				ended <- err
				return
			}
			frames <- bytes.Clone(buf[:n])
		}
	}()
	return frames, ended
}

func read(t *testing.T, s *port.Socket) []byte {
	t.Helper()
	buf := make([]byte, 2048)
	n, err := s.ReadFrame(buf)
	must(t, err)
	return buf[:n]
}

func TestFrameArrivesWhole(t *testing.T) {
	w := newWire(t)
	w.up(t)
	from, to := open(t, w.host, device, eapolType), open(t, w.peer, device, eapolType)
	must(t, from.WriteFrame(eapol(1)))
	if got := read(t, to); !bytes.Equal(got, eapol(1)) {
		t.Errorf("got %x", got)
	}
}

// Each of these is sent before an EAPOL frame, which has to be the first that is read.
func TestOnlyFramesForThisPortAreRead(t *testing.T) {
	other := func(t *testing.T, w wire) *port.Socket { return open(t, w.peer, device, 0x88b5) }
	own := func(t *testing.T, w wire) *port.Socket { return open(t, w.host, device, eapolType) }
	peer := func(t *testing.T, w wire) *port.Socket { return open(t, w.peer, device, eapolType) }
	for name, c := range map[string]struct {
		from  func(*testing.T, wire) *port.Socket
		frame []byte
	}{
		"other EtherType":    {other, frame("0180c2000003", "88b5", 1)},
		"own frame":          {own, eapol(1)},
		"own frame to all":   {own, frame("ffffffffffff", "888e", 1)},
		"for another host":   {peer, frame("020000000042", "888e", 1)},
		"in a VLAN":          {other, frame("0180c2000003", "81000005888e", 1)},
		"in two VLANs":       {other, frame("0180c2000003", "88a8000581000006888e", 1)},
		"IPv4 says the type": {peer, frame("0180c2000003", "0800", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			w.up(t)
			to, last := open(t, w.host, device, eapolType), peer(t, w)
			must(t, c.from(t, w).WriteFrame(c.frame))
			must(t, last.WriteFrame(eapol(9)))
			if got := read(t, to); !bytes.Equal(got, eapol(9)) {
				t.Errorf("read %x", got)
			}
		})
	}
}

func TestFramesOfOtherDevicesAreNotRead(t *testing.T) {
	w := newWire(t)
	must(t, netlab.Join(w.host, "eth2", w.peer, "eth2"))
	must(t, w.host.SetUp("eth2"))
	must(t, w.peer.SetUp("eth2"))
	w.up(t)
	follow(t, watch(t, w.peer), "eth2").until(func(l port.Link) bool { return l.Carrier })
	beside, last := open(t, w.peer, "eth2", eapolType), open(t, w.peer, device, eapolType)
	to := open(t, w.host, device, eapolType)
	must(t, beside.WriteFrame(eapol(1)))
	must(t, last.WriteFrame(eapol(9)))
	if got := read(t, to); !bytes.Equal(got, eapol(9)) {
		t.Errorf("read %x", got)
	}
}

func TestSocketJoinsItsGroups(t *testing.T) {
	nearestBridge := [6]byte{0x01, 0x80, 0xc2, 0, 0, 0x0e}
	for name, c := range map[string]struct {
		groups [][6]byte
		want   string
	}{
		"PAE group by default": {nil, "0180c2000003"},
		"another":              {[][6]byte{nearestBridge}, "0180c200000e"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			s := open(t, w.host, device, eapolType, c.groups...)
			if !joined(t, w.host, c.want) {
				t.Error("not joined")
			}
			must(t, s.Close())
			if joined(t, w.host, c.want) {
				t.Error("not left by Close")
			}
		})
	}
}

// joined looks the group up in the kernel's list of link layer groups.
func joined(t *testing.T, n *netlab.Namespace, group string) (found bool) {
	t.Helper()
	must(t, n.Do(func() error {
		list, err := os.ReadFile("/proc/thread-self/net/dev_mcast")
		found = strings.Contains(string(list), group)
		return err
	}))
	return found
}

func TestReaderSurvivesDownAndUp(t *testing.T) {
	w := newWire(t)
	w.up(t)
	to := open(t, w.host, device, eapolType)
	frames, ended := reader(to)
	must(t, w.host.SetDown(device))
	w.up(t)
	must(t, open(t, w.peer, device, eapolType).WriteFrame(eapol(1)))
	select {
	case got := <-frames:
		if !bytes.Equal(got, eapol(1)) {
			t.Errorf("read %x", got)
		}
	case err := <-ended:
		t.Error(err)
	}
}

func TestCloseEndsTheReader(t *testing.T) {
	for name, before := range map[string]func(wire) error{
		"of a device that is up":   func(w wire) error { return w.host.SetUp(device) },
		"of a device that is down": func(wire) error { return nil },
		"of a device that is gone": func(w wire) error { return w.host.Remove(device) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			s := open(t, w.host, device, eapolType)
			_, ended := reader(s)
			must(t, before(w))
			must(t, s.Close())
			if err := <-ended; !errors.Is(err, net.ErrClosed) {
				t.Errorf("ReadFrame gives %v", err)
			}
			if err := s.WriteFrame(eapol(1)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("WriteFrame gives %v", err)
			}
		})
	}
}

func TestLongFrameIsCutToTheBuffer(t *testing.T) {
	w := newWire(t)
	w.up(t)
	from, to := open(t, w.host, device, eapolType), open(t, w.peer, device, eapolType)
	must(t, from.WriteFrame(eapol(1)))
	buf := make([]byte, 20)
	if n, err := to.ReadFrame(buf); n != 20 || err != nil {
		t.Errorf("ReadFrame gives %d, %v", n, err)
	}
}

func TestSendingFails(t *testing.T) {
	for name, c := range map[string]struct {
		frame []byte
		want  error // nil: any
	}{
		"on a device that is down":      {eapol(1), unix.ENETDOWN},
		"without a header":              {eapol(1)[:13], nil},
		"of more than the device takes": {append(eapol(1), make([]byte, 1500)...), unix.EMSGSIZE},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			if c.want != unix.ENETDOWN {
				w.up(t)
			}
			err := open(t, w.host, device, eapolType).WriteFrame(c.frame)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestOpenWithoutDeviceFails(t *testing.T) {
	n := namespace(t)
	must(t, n.Do(func() error {
		if s, err := port.Open(4711, eapolType); err == nil {
			t.Error("opened")
			return s.Close()
		}
		return nil
	}))
}

func namespaceFile(t *testing.T, n *netlab.Namespace) *os.File {
	t.Helper()
	var file *os.File
	must(t, n.Do(func() (err error) { file, err = os.Open("/proc/thread-self/ns/net"); return err }))
	t.Cleanup(func() { _ = file.Close() })
	return file
}

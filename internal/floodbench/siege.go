package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"mkad/eapol"
	"mkad/internal/control"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// A siege is a link under attack: an honest west and east, and the attacker on the same switch.
type siege struct {
	*mkadlab.Segment
	west, east, attacker *mkadlab.Host
	rate, sockets        int
	mkpdu, macsec        []byte // of the west, as the attacker has heard them
}

// A kind is a flood: what the attacker makes of what he has heard, or what else he begins; neither: he keeps quiet.
type kind struct {
	name  string
	make  func(*siege) []byte
	begin func(*siege) (attack, error)
}

// An attack is under way.
type attack interface {
	end() (sent uint64, err error)
}

// attack begins what the kind is; nil: nothing.
func (s *siege) attack(k kind) (attack, error) {
	switch {
	case k.make != nil:
		return s.flood(k.make(s))
	case k.begin != nil:
		return k.begin(s)
	}
	return nil, nil
}

// Places in a frame.
const (
	atSource = 6
	atType   = 12
	atPN     = 16 // in a MACsec frame
	atCKN    = 14 + 4 + 32
)

// unread is Local Experimental EtherType 2 of IEEE 802, which nobody reads.
const unread = 0x88b6

var kinds = []kind{
	{name: "none"},
	{name: "unread", make: func(s *siege) []byte {
		f := s.own(s.mkpdu)
		binary.BigEndian.PutUint16(f[atType:], unread)
		return f
	}},
	{name: "unknown CKN", make: func(s *siege) []byte {
		f := s.own(s.mkpdu)
		f[atCKN] ^= 0x55
		return f
	}},
	{name: "bad ICV", make: func(s *siege) []byte { return badICV(s.own(s.mkpdu)) }},
	{name: "bad ICV, peer's address", make: func(s *siege) []byte { return badICV(clone(s.mkpdu)) }},
	{name: "replayed", make: func(s *siege) []byte { return clone(s.mkpdu) }},
	{name: "MACsec, bad ICV", make: func(s *siege) []byte {
		f := badICV(clone(s.macsec))
		pn := binary.BigEndian.Uint32(f[atPN:])
		binary.BigEndian.PutUint32(f[atPN:], pn+1<<20) // so that it is not dropped as late
		return f
	}},
	{name: "control requests", begin: func(s *siege) (attack, error) { return pester(s.east.Socket()) }},
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }

func badICV(f []byte) []byte {
	f[len(f)-1] ^= 1
	return f
}

// own is a frame with the attacker's address as its source.
func (s *siege) own(frame []byte) []byte {
	f := clone(frame)
	copy(f[atSource:], []byte{0x02, 0, 0, 0, 0xbe, 0xef})
	return f
}

func newSiege(ctx context.Context, o options) (_ *siege, err error) {
	segment, err := mkadlab.NewSegment(ctx, 3, mkadlab.Options{Programs: o.programs,
		Port: "backend = \"userspace\"\ndelay_protect = true"})
	if err != nil {
		return nil, err
	}
	s := &siege{Segment: segment, west: segment.Members[0], east: segment.Members[1], attacker: segment.Members[2], rate: o.rate,
		sockets: o.sockets}
	if err := s.begin(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *siege) begin(ctx context.Context) error {
	for i := range s.Members {
		if err := s.Plug(i, true); err != nil {
			return err
		}
	}
	if err := s.attacker.SetUp(mkadlab.Lower); err != nil {
		return err
	}
	honest := []*mkadlab.Host{s.west, s.east}
	err := s.Each(honest, func(h *mkadlab.Host) error { return h.StartDaemon(ctx) })
	if err == nil {
		err = s.Each(honest, func(h *mkadlab.Host) error { return h.WaitFor(ctx, control.Secured) })
	}
	if err != nil {
		return err
	}
	return s.eavesdrop()
}

// eavesdrop gives the attacker a frame of each kind of the west's.
func (s *siege) eavesdrop() error {
	wire, err := netlab.StartCapture(s.attacker.Namespace, mkadlab.Lower)
	if err != nil {
		return err
	}
	if _, err := s.observe(2*time.Second, kind{}); err != nil {
		return err
	}
	heard, err := wire.Stop()
	if err != nil {
		return err
	}
	west, err := s.west.Device(mkadlab.Lower)
	if err != nil {
		return err
	}
	for _, f := range heard.Frames {
		if [6]byte(f.Data[atSource:atType]) != [6]byte(west.MAC) {
			continue
		}
		switch netlab.EtherTypeOf(f.Data) {
		case netlab.EtherTypeEAPOL:
			s.mkpdu = f.Data
		case netlab.EtherTypeMACsec:
			s.macsec = f.Data
		}
	}
	var m eapol.MKPDU
	if d := eapol.ParseMKPDU(s.mkpdu, eapol.Acceptance{}, &m); d != eapol.Accepted || s.macsec == nil {
		return fmt.Errorf("the attacker has heard no MKPDU (%s) or no MACsec frame", d)
	}
	return nil
}

// An observation is what there was to see in a time.
type observation struct {
	stream netlab.StreamReport
	hellos netlab.Capture // as the attacker hears them
	sent   uint64         // by the attacker: frames, or requests
	took   time.Duration
}

// observe sends honest traffic for a time, and has the attack beside it, if there is one.
func (s *siege) observe(d time.Duration, k kind) (o observation, err error) {
	wire, err := netlab.StartCaptureOf(s.attacker.Namespace, mkadlab.Lower, netlab.EtherTypeEAPOL)
	if err != nil {
		return o, err
	}
	stream, err := netlab.StartStream(netlab.StreamConfig{FromNamespace: s.west.Namespace, ToNamespace: s.east.Namespace,
		From: mkadlab.Controlled, To: mkadlab.Controlled, Rate: s.rate, Size: 1000})
	if err != nil {
		return o, err
	}
	a, err := s.attack(k)
	if err != nil {
		return o, err
	}
	begin := time.Now()
	<-time.After(d)
	o.took = time.Since(begin)
	if a != nil {
		o.sent, err = a.end()
	}
	var failed [2]error
	o.stream, failed[0] = stream.Stop()
	o.hellos, failed[1] = wire.Stop()
	return o, errors.Join(err, failed[0], failed[1])
}

// A flood is an attack by a frame.
type flood struct {
	stop  atomic.Bool
	sent  atomic.Uint64
	ended chan error // one for each socket
	of    int        // sockets
}

// flood begins to send a frame over and over, as fast as the sockets can.
func (s *siege) flood(frame []byte) (*flood, error) {
	d, err := s.attacker.Device(mkadlab.Lower)
	if err != nil {
		return nil, err
	}
	f := &flood{ended: make(chan error, s.sockets)}
	for range s.sockets {
		var fd int
		err = s.attacker.Do(func() (err error) {
			fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			return errors.Join(unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1),
				unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: d.Index}))
		})
		if err != nil {
			_, ended := f.end()
			return nil, errors.Join(fmt.Errorf("open the attacker's socket: %w", err), ended)
		}
		f.of++
		go func() { f.ended <- f.run(fd, frame) }()
	}
	return f, nil
}

func (f *flood) run(fd int, frame []byte) error {
	for !f.stop.Load() {
		switch _, err := unix.Write(fd, frame); {
		case err == nil:
			f.sent.Add(1)
		case errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		default:
			return errors.Join(os.NewSyscallError("send", err), unix.Close(fd))
		}
	}
	return unix.Close(fd)
}

// end ends the flood and tells how many frames were sent.
func (f *flood) end() (uint64, error) {
	f.stop.Store(true)
	var err error
	for range f.of {
		err = errors.Join(err, <-f.ended)
	}
	return f.sent.Load(), err
}

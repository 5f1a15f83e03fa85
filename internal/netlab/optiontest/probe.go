package optiontest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"mkad/internal/netlab"
)

// A spot is where something can be seen.
type spot uint8

const (
	atLower      spot = iota // of the west: by who listens there for the protocol, the host's own stack in it
	atControlled             // of the west, likewise
	onWire                   // in clear
	atPeer                   // at the Controlled Port of the east
)

// A sight is a frame, or what the stack made of it, and where it was seen.
type sight struct {
	token
	at spot
}

// An ear is a socket, and what to make of what it hears.
type ear struct {
	fd     int
	at     spot
	tokens func([]byte) (token, bool)
}

// A probe is one round of frames at one port.
type probe struct {
	port   int
	round  uint16
	west   [numPlaces]device
	east   [numPlaces]device
	ears   []ear
	mouths []int // sockets that only send
	seen   map[sight]int
}

// A device is one end of a port, if it is there.
type device struct {
	netlab.Device
	there bool
}

// probeOf looks at the port's devices. A Controlled Port that is administratively down can be asked for all the same.
func (l *lab) probeOf(port int, round uint16) *probe {
	p := &probe{port: port, round: round, seen: map[sight]int{}}
	for d := range numPlaces {
		p.west[d] = find(l.west.Namespace, d.of(port))
		p.east[d] = find(l.east.Namespace, d.of(port))
	}
	return p
}

func find(ns *netlab.Namespace, name string) device {
	d, err := ns.Device(name)
	return device{Device: d, there: err == nil}
}

// of names a port's device.
func (d place) of(port int) string {
	if d == lower {
		return fmt.Sprintf("eth%d", port)
	}
	return fmt.Sprintf("macsec%d", port)
}

// own is the address of a device of the west, and sender the one that asks for it in a round.
func (d place) own(port int) (v4, v6 net.IP) {
	return net.IPv4(10, byte(2*port)+byte(d), 0, 1).To4(), net.ParseIP(fmt.Sprintf("fe80::%x:%x", 1+int(d), port))
}

func (p *probe) sender(d place, by channel) (v4, v6 net.IP) {
	return net.IPv4(10, byte(2*p.port)+byte(d), 1+byte(p.round), 1+byte(by)).To4(),
		net.ParseIP(fmt.Sprintf("fe80::5:%x:%x", p.round, 1+by))
}

// listen opens the ears of both hosts.
func (p *probe) listen(l *lab) error {
	err := l.west.Do(func() error {
		for d := range numPlaces {
			if p.west[d].there {
				if err := p.listenAt(d); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return l.east.Do(func() error {
		for d, at := range [numPlaces]spot{onWire, atPeer} {
			if !p.east[d].there {
				continue
			}
			fd, err := packetSocket(p.east[d].Index, unix.ETH_P_ALL)
			if err != nil {
				return err
			}
			p.ears = append(p.ears, ear{fd, at, p.answered})
		}
		return nil
	})
}

// listenAt opens what a host has open at a device: daemons that listen for their protocol, and UDP sockets.
func (p *probe) listenAt(d place) error {
	at := spot(d) // atLower, atControlled
	for _, protocol := range []uint16{typeLLDP, unix.ETH_P_802_2, typeSlow} {
		fd, err := packetSocket(p.west[d].Index, protocol)
		if err != nil {
			return err
		}
		p.ears = append(p.ears, ear{fd, at, findToken})
	}
	four, err := udpSocket(d.of(p.port), &unix.SockaddrInet4{Port: dhcpServer})
	if err != nil {
		return err
	}
	p.ears = append(p.ears, ear{four, at, findToken})
	six, err := udpSocket(d.of(p.port), &unix.SockaddrInet6{Port: probePort})
	if err != nil {
		return err
	}
	p.ears = append(p.ears, ear{six, at, findToken})
	return nil
}

// packetSocket receives the frames of a protocol at a device as a daemon does, after the filter has judged them; what it
// sends it does not hear.
func packetSocket(index int, protocol uint16) (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return 0, err
	}
	var inOrder [2]byte
	binary.BigEndian.PutUint16(inOrder[:], protocol)
	address := &unix.SockaddrLinklayer{Protocol: binary.NativeEndian.Uint16(inOrder[:]), Ifindex: index}
	err = errors.Join(unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1), unix.Bind(fd, address))
	return fd, err
}

// udpSocket is a socket of the host's stack at one device.
func udpSocket(device string, address unix.Sockaddr) (int, error) {
	family, only6 := unix.AF_INET, error(nil)
	if _, six := address.(*unix.SockaddrInet6); six {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return 0, err
	}
	if family == unix.AF_INET6 {
		only6 = unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_V6ONLY, 1)
	}
	return fd, errors.Join(only6, unix.BindToDevice(fd, device), unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), unix.Bind(fd, address))
}

// answered finds a token in what comes to the east: that of the frame itself, or of the question that it answers.
func (p *probe) answered(frame []byte) (token, bool) {
	k := token{port: uint8(p.port), round: p.round}
	own, told, ok := arpAnswer(frame)
	if k.protocol = arp; !ok {
		own, told, ok = ndAnswer(frame)
		k.protocol = nd
	}
	for d := range numPlaces {
		for by := range numChannels {
			own4, own6 := d.own(p.port)
			sender4, sender6 := p.sender(d, by)
			if ok && (own.Equal(own4) && told.Equal(sender4) || own.Equal(own6) && told.Equal(sender6)) {
				k.to, k.by = d, by
				return k, true
			}
		}
	}
	return findToken(frame)
}

// speak sends a frame of each protocol on every way that there is. That a device takes none is what may be to show.
func (p *probe) speak(l *lab) error {
	err := l.west.Do(func() error {
		for d := range numPlaces {
			if p.west[d].there {
				if err := p.speakFrom(d); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return l.east.Do(func() error {
		for by := range numChannels {
			if e := p.east[by]; e.there && e.Up {
				if err := p.speakTo(by, e.Device); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (p *probe) speakFrom(d place) error {
	fd, err := packetSocket(p.west[d].Index, 0)
	if err != nil {
		return err
	}
	p.mouths = append(p.mouths, fd)
	own4, own6 := d.own(p.port)
	mac := p.west[d].MAC
	token := func(protocol protocol) token {
		return token{port: uint8(p.port), round: p.round, fromWest: true, from: d, protocol: protocol}
	}
	for protocol := lldp; protocol < numProtocols; protocol++ {
		say(fd, linkFrame(token(protocol), mac))
	}
	say(fd, arpFrame(token(arp), mac, own4, own4))
	say(fd, advertise(token(nd), mac, own6))
	for _, e := range p.ears { // the stack itself
		if e.at != spot(d) {
			continue
		}
		_ = unix.Sendto(e.fd, token(dhcp).append(nil), 0, &unix.SockaddrInet4{Port: dhcpClient, Addr: [4]byte{255, 255, 255, 255}})
		_ = unix.Sendto(e.fd, token(ping).append(nil), 0, &unix.SockaddrInet6{Port: probePort, Addr: [16]byte(net.ParseIP("ff02::1")),
			ZoneId: uint32(p.west[d].Index)})
	}
	return nil
}

func (p *probe) speakTo(by channel, from netlab.Device) error {
	fd, err := packetSocket(from.Index, 0)
	if err != nil {
		return err
	}
	p.mouths = append(p.mouths, fd)
	token := func(protocol protocol, to place) token {
		return token{port: uint8(p.port), round: p.round, to: to, by: by, protocol: protocol}
	}
	for protocol := lldp; protocol < numProtocols; protocol++ {
		say(fd, linkFrame(token(protocol, 0), from.MAC))
	}
	say(fd, discover(token(dhcp, 0), from.MAC))
	for d := range numPlaces {
		own4, own6 := d.own(p.port)
		sender4, sender6 := p.sender(d, by)
		mac := p.west[lower].MAC
		say(fd, arpFrame(token(arp, d), from.MAC, sender4, own4))
		say(fd, solicit(token(nd, d), from.MAC, sender6, own6))
		say(fd, echo(token(ping, d), mac, from.MAC, sender6, own6))
		say(fd, datagram(token(ping, d), mac, from.MAC, sender6, own6))
	}
	return nil
}

func say(fd int, frame []byte) { _, _ = unix.Write(fd, frame) }

// hear takes what has come since.
func (p *probe) hear(l *lab) {
	buf := make([]byte, 4096)
	for _, e := range p.ears {
		for {
			n, _, err := unix.Recvfrom(e.fd, buf, unix.MSG_DONTWAIT)
			if err != nil {
				break
			}
			if k, ok := e.tokens(buf[:n]); ok && k.port == uint8(p.port) && k.round == p.round {
				p.seen[sight{k, e.at}]++
			}
		}
	}
	p.askStack(l)
}

// askStack looks whom the west's host has got to know, by ARP and ND: who has asked it.
func (p *probe) askStack(l *lab) {
	_ = l.west.Do(func() error {
		for d := range numPlaces {
			if !p.west[d].there {
				continue
			}
			for protocol, family := range map[protocol]int{arp: unix.AF_INET, nd: unix.AF_INET6} {
				known, err := netlink.NeighList(p.west[d].Index, family)
				if err != nil {
					return err
				}
				p.noteKnown(d, protocol, known)
			}
		}
		return nil
	})
}

func (p *probe) noteKnown(d place, protocol protocol, known []netlink.Neigh) {
	for by := range numChannels {
		sender4, sender6 := p.sender(d, by)
		for _, n := range known {
			if (n.IP.Equal(sender4) || n.IP.Equal(sender6)) && bytes.Equal(n.HardwareAddr, p.east[by].MAC) {
				k := token{port: uint8(p.port), round: p.round, to: d, by: by, protocol: protocol}
				p.seen[sight{k, spot(d)}] = 1
			}
		}
	}
}

func (p *probe) close() {
	for _, e := range p.ears {
		_ = unix.Close(e.fd)
	}
	for _, fd := range p.mouths {
		_ = unix.Close(fd)
	}
}

package main

import (
	"errors"
	"net"
	"os"
	"time"

	"mkad/internal/netlab/mkadlab"
)

// echo is an ICMP echo request: type 8, code 0, checksum, identifier and number 0 (RFC 792). Answers are type 0.
var echo = []byte{8, 0, 0xf7, 0xff, 0, 0, 0, 0}

// answers gives the Controlled Ports their addresses as soon as they are there, and pings the second host from the first
// until it answers.
func (l *lab) answers(addressed map[*mkadlab.Host]int) error {
	var conn net.PacketConn
	err := l.West.Do(func() (err error) {
		conn, err = net.ListenPacket("ip4:icmp", "0.0.0.0")
		return err
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	answered := make(chan error, 1)
	go func() { answered <- hear(conn) }()
	return l.until("an answered ping", func() (bool, error) {
		select {
		case err := <-answered:
			return true, err
		default:
		}
		for i, h := range l.Hosts() {
			if err := l.address(h, i, addressed); err != nil {
				return false, err
			}
		}
		_, _ = conn.WriteTo(echo, &net.IPAddr{IP: net.ParseIP(mkadlab.EastAddress)}) // there may be no way yet
		return false, nil
	})
}

// address gives a host its address, on each device that takes the place of the Controlled Port, and its neighbour's, so that
// nobody has to ask for it: both devices have the MAC addresses of those below.
func (l *lab) address(h *mkadlab.Host, end int, addressed map[*mkadlab.Host]int) error {
	d, err := h.Device(mkadlab.Controlled)
	if err != nil || !d.Up || addressed[h] == d.Index {
		return nil // there is none yet
	}
	addresses := []string{mkadlab.WestAddress, mkadlab.EastAddress}
	other, err := l.Hosts()[1-end].Device(mkadlab.Lower)
	if err != nil {
		return err
	}
	err = h.AddAddress(mkadlab.Controlled, addresses[end]+"/24")
	if err == nil {
		err = h.AddNeighbour(mkadlab.Controlled, addresses[1-end], other.MAC)
	}
	if err != nil {
		if now, gone := h.Device(mkadlab.Controlled); gone != nil || now.Index != d.Index {
			return nil // and comes again
		}
		return err
	}
	addressed[h] = d.Index
	return nil
}

// hear waits for an answer.
func hear(conn net.PacketConn) error {
	b := make([]byte, 128)
	for {
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		n, _, err := conn.ReadFrom(b)
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return errors.New("no ping was answered")
			}
			return err
		}
		if n > 0 && b[0] == 0 {
			return nil
		}
	}
}

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"mkad/internal/netlab/mkadlab"
)

// A restart is how a daemon ends, for another of its kind to begin at once.
type restart struct {
	name   string
	signal syscall.Signal
}

var endings = []restart{{"SIGTERM", syscall.SIGTERM}, {"SIGKILL", syscall.SIGKILL}}

const (
	streamRate = 100             // datagrams a second, each way
	watchTime  = 3 * time.Second // for which they have to flow before and after a restart
)

// restarts tells what each kind of restart costs, for every pair; the first daemon is the one that restarts.
func (b *bench) restarts(rounds int) error {
	for _, p := range pairs {
		for _, how := range endings {
			var lost []string
			for range rounds {
				text, err := b.restartOnce(p, how)
				if err != nil {
					text = err.Error()
				}
				lost = append(lost, text)
			}
			err := b.row("restart", p[0], how.name, p[1], strings.Join(lost, "; "))
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// restartOnce tells how many datagrams are lost each way: out of the side that restarts, and into it.
func (b *bench) restartOnce(p pair, how restart) (lost string, err error) {
	l, err := b.lab()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	addressed := map[*mkadlab.Host]int{}
	if err := errors.Join(l.start(0, p[0]), l.start(1, p[1]), l.answers(addressed)); err != nil {
		return "", err
	}
	out, err := l.flow(l.West, l.East, mkadlab.EastAddress)
	if err != nil {
		return "", err
	}
	in, err := l.flow(l.East, l.West, mkadlab.WestAddress)
	if err != nil {
		return "", err
	}
	<-time.NewTimer(watchTime).C
	if out.lost()+in.lost() > maxUnderWay {
		return "", fmt.Errorf("%d and %d datagrams are lost before the restart", out.lost(), in.lost())
	}
	l.process(0).Signal(how.signal)
	<-l.process(0).Ended()
	if err := l.start(0, p[0]); err != nil {
		return "", err
	}
	back := l.until("datagrams both ways", func() (bool, error) {
		for i, h := range l.Hosts() {
			if err := l.address(h, i, addressed); err != nil {
				return false, err
			}
		}
		return out.runs() && in.runs(), nil
	})
	if back != nil {
		return "not within " + patience.String(), nil
	}
	return fmt.Sprintf("%d out, %d in", out.stop(), in.stop()), nil
}

// A flow is numbered datagrams from one host to another. Sockets outlive the devices that come and go below them.
type flow struct {
	from, to net.PacketConn
	quit     chan struct{}
	ended    chan struct{}
	mu       sync.Mutex
	sent     uint64
	received uint64
	since    uint64 // how many have arrived without one missing between
	last     uint64 // number of the last that arrived
}

const (
	flowPort = 9 // discard
	// enoughInARow is how many datagrams in a row say that a link is back: three seconds of them.
	enoughInARow = uint64(streamRate * watchTime / time.Second)
	// maxUnderWay is how many datagrams may be on their way at a time.
	maxUnderWay = 3
)

func (l *lab) flow(from, to *mkadlab.Host, address string) (*flow, error) {
	f := &flow{quit: make(chan struct{}), ended: make(chan struct{})}
	var err error
	listen := func(h *mkadlab.Host, port int) (c net.PacketConn) {
		err = errors.Join(err, h.Do(func() (err error) {
			c, err = net.ListenPacket("udp4", fmt.Sprintf("0.0.0.0:%d", port))
			return err
		}))
		return c
	}
	f.to, f.from = listen(to, flowPort), listen(from, 0)
	if err != nil {
		return nil, err
	}
	go f.receive()
	go f.send(&net.UDPAddr{IP: net.ParseIP(address), Port: flowPort})
	return f, nil
}

// send sends by the clock; what a host without a way refuses is lost too.
func (f *flow) send(to net.Addr) {
	defer close(f.ended)
	beat := time.NewTicker(time.Second / streamRate)
	defer beat.Stop()
	b := make([]byte, 1000)
	for {
		select {
		case <-f.quit:
			return
		case <-beat.C:
		}
		f.mu.Lock()
		f.sent++
		binary.BigEndian.PutUint64(b, f.sent)
		f.mu.Unlock()
		_, _ = f.from.WriteTo(b, to)
	}
}

func (f *flow) receive() {
	b := make([]byte, 2000)
	for {
		n, _, err := f.to.ReadFrom(b)
		if err != nil {
			return // closed
		}
		if n < 8 {
			continue
		}
		f.mu.Lock()
		number := binary.BigEndian.Uint64(b)
		f.received++
		if f.since++; number != f.last+1 {
			f.since = 0
		}
		f.last = number
		f.mu.Unlock()
	}
}

// runs reports whether datagrams have arrived for a while without a gap, and still do.
func (f *flow) runs() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.since >= enoughInARow && f.last+maxUnderWay >= f.sent
}

func (f *flow) lost() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sent - f.received
}

// stop ends it, and returns how many datagrams were lost.
func (f *flow) stop() uint64 {
	close(f.quit)
	<-f.ended
	<-time.NewTimer(watchTime / 10).C // what is on its way arrives
	_ = f.to.Close()
	_ = f.from.Close()
	return f.lost()
}

package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"mkad/internal/guest/interop"
	"mkad/internal/netlab/mkadlab"
)

// settling is after which a link has come to rest.
const settling = 20 * time.Second

// sampling is how often the memory of a process is looked at: what counts is the most.
const sampling = 2 * time.Second

// bar is what an mkad with one port stays below, in kB.
const bar = 12000

// idle has links of two mkads, of two wpa_supplicants and of one of each beside each other, and tells what every process
// has used of a time in which nothing happened.
func (b *bench) idle(d time.Duration) error {
	type process struct {
		name   string
		pid    int
		before interop.Usage
		most   int // kB resident
	}
	var all []*process
	for _, p := range []pair{{mkad, mkad}, {wpa, wpa}, {mkad, wpa}} {
		l, err := b.lab()
		if err != nil {
			return err
		}
		defer func() { _ = l.Close() }() // the namespaces go with us anyway
		if err := errors.Join(l.start(0, p[0]), l.start(1, p[1]), l.answers(map[*mkadlab.Host]int{})); err != nil {
			return err
		}
		for end, name := range p {
			all = append(all, &process{name: fmt.Sprintf("%s beside %s", name, p[1-end]), pid: l.process(end).PID()})
		}
	}
	<-time.NewTimer(settling).C
	for _, p := range all {
		var err error
		if p.before, err = interop.UsageOf(p.pid); err != nil {
			return err
		}
	}
	for end := time.Now().Add(d); time.Now().Before(end); {
		<-time.NewTimer(sampling).C
		for _, p := range all {
			now, err := interop.UsageOf(p.pid)
			if err != nil {
				return err
			}
			p.most = max(p.most, now.Memory)
		}
	}
	for _, p := range all {
		now, err := interop.UsageOf(p.pid)
		if err != nil {
			return err
		}
		used := now.Run - p.before.Run
		if err := b.row("idle", p.name, fmt.Sprintf("%.1f MB", float64(p.most)/1000),
			fmt.Sprintf("%.0f", float64(used.Nanoseconds())/d.Seconds()/1000)); err != nil {
			return err
		}
	}
	for _, p := range all {
		if strings.HasPrefix(p.name, mkad) && p.most >= bar {
			return fmt.Errorf("%s: %d kB were resident; the bar is %d kB", p.name, p.most, bar)
		}
	}
	return nil
}

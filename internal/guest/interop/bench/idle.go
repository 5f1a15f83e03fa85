package main

import (
	"errors"
	"fmt"
	"time"

	"mkad/internal/guest/interop"
	"mkad/internal/netlab/mkadlab"
)

// settling is after which a link has come to rest.
const settling = 20 * time.Second

// idle has links of two mkads, of two wpa_supplicants and of one of each beside each other, and tells what every process
// has used of a time in which nothing happened.
func (b *bench) idle(d time.Duration) error {
	type process struct {
		name   string
		pid    int
		before interop.Usage
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
	<-time.NewTimer(d).C
	for _, p := range all {
		now, err := interop.UsageOf(p.pid)
		if err != nil {
			return err
		}
		used := now.Run - p.before.Run
		if err := b.row("idle", p.name, fmt.Sprintf("%.1f MB", float64(now.Memory)/1000),
			fmt.Sprintf("%.0f", float64(used.Nanoseconds())/d.Seconds()/1000)); err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// A result is what one measurement has come to. What is said of an mkad is said of the east's.
type result struct {
	kind    string
	flood   float64 // frames, or requests, a second
	lost    float64 // of honest frames, a fraction
	silence time.Duration
	hello   time.Duration // longest time between two hellos of one mkad
	hellos  int           // of both
	cpu     float64       // of one processor
	rss     float64       // MiB
	kept    bool          // both were secured throughout, with the same peer
}

// header names the columns; a second come frames, or requests.
const header = "flood                     a second  honest lost  longest silence  longest hello  hellos   CPU  RSS MiB  link"

func (r result) String() string {
	link := "kept"
	if !r.kept {
		link = "LOST"
	}
	return fmt.Sprintf("%-24s  %8.0f  %10.3f%%  %15s  %13s  %6d  %3.0f%%  %7.1f  %s", r.kind, r.flood, 100*r.lost,
		r.silence.Round(100*time.Microsecond), r.hello.Round(time.Millisecond), r.hellos, 100*r.cpu, r.rss, link)
}

func (s *siege) measure(ctx context.Context, k kind, d time.Duration) (r result, err error) {
	before, err := s.liveness(ctx)
	if err != nil {
		return r, err
	}
	pid := s.east.Daemon().PID()
	spent, err := processorTime(pid)
	if err != nil {
		return r, err
	}
	o, err := s.observe(d, k)
	if err != nil {
		return r, err
	}
	now, err := processorTime(pid)
	if err != nil {
		return r, err
	}
	after, err := s.liveness(ctx)
	if err != nil {
		return r, err
	}
	r = result{kind: k.name, flood: float64(o.sent) / o.took.Seconds(), silence: o.stream.Silence, kept: before == after,
		cpu: (now - spent).Seconds() / o.took.Seconds()}
	r.lost = float64(o.stream.Lost()+o.stream.Refused) / float64(o.stream.Sent+o.stream.Refused)
	if r.rss, err = memory(pid); err != nil {
		return r, err
	}
	r.hello, r.hellos, err = s.regularity(o.hellos)
	return r, err
}

// liveness is what changes when a peer is lost or a key is made anew.
func (s *siege) liveness(ctx context.Context) (all string, err error) {
	for _, h := range []*mkadlab.Host{s.west, s.east} {
		p, err := h.Port(ctx)
		if err != nil {
			return "", err
		}
		all += fmt.Sprintf("%s %s %d;", p.State, p.Since, p.Rekeys)
	}
	return all, nil
}

// regularity looks how regularly both mkads have sent MKPDUs.
func (s *siege) regularity(c netlab.Capture) (longest time.Duration, n int, err error) {
	for _, h := range []*mkadlab.Host{s.west, s.east} {
		d, err := h.Device(mkadlab.Lower)
		if err != nil {
			return 0, 0, err
		}
		var last time.Time
		for _, f := range c.Frames {
			if !bytes.Equal(f.Data[atSource:atType], d.MAC) {
				continue
			}
			if n++; !last.IsZero() {
				longest = max(longest, f.At.Sub(last))
			}
			last = f.At
		}
	}
	return longest, n, nil
}

// processorTime is what a process has used of the processors so far: fields utime and stime of proc_pid_stat(5).
func processorTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	const utime, stime, tick = 11, 12, 10 * time.Millisecond // USER_HZ is 100 on every architecture of Go's
	if len(fields) <= stime {
		return 0, fmt.Errorf("%q is no process status", text)
	}
	var sum time.Duration
	for _, f := range fields[utime : stime+1] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}

// memory is how much of a process is resident, in MiB.
func memory(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, fmt.Errorf("%q is no memory status", text)
	}
	pages, err := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize()) / (1 << 20), err
}

// summarize prints the median of each column, and in how many rounds the link was kept.
func summarize(out io.Writer, results map[string][]result) {
	fmt.Fprintln(out, "medians\n"+header)
	for _, k := range kinds {
		all := results[k.name]
		if len(all) == 0 {
			continue
		}
		kept := 0
		for _, r := range all {
			if r.kept {
				kept++
			}
		}
		m := result{kind: k.name, kept: kept == len(all),
			flood:   median(all, func(r result) float64 { return r.flood }),
			lost:    median(all, func(r result) float64 { return r.lost }),
			silence: time.Duration(median(all, func(r result) float64 { return float64(r.silence) })),
			hello:   time.Duration(median(all, func(r result) float64 { return float64(r.hello) })),
			hellos:  int(median(all, func(r result) float64 { return float64(r.hellos) })),
			cpu:     median(all, func(r result) float64 { return r.cpu }),
			rss:     median(all, func(r result) float64 { return r.rss })}
		fmt.Fprintf(out, "%s in %d of %d\n", m, kept, len(all))
	}
}

func median(all []result, of func(result) float64) float64 {
	var values []float64
	for _, r := range all {
		values = append(values, of(r))
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// Command bench measures mkad beside wpa_supplicant, in a guest: make bench-interop.
//
//	bench -start 20    how long from the exec of the second daemon to the first answered ping, for each pair of daemons
//	bench -idle 300s   what each process costs while nothing happens: memory, time, and in virtual time instructions
//	bench -restart 3   what each kind of restart loses of a stream
//
// Pairs are measured one after the other in every round, in an order that changes from round to round, each with fresh
// namespaces and daemons; what else the machine does meets all of them. Rows for docs/interop.md go to the directory that
// the environment names as MKAD_GUEST_OUT.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"mkad/internal/guest/interop"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

func main() {
	var starts, restarts int
	var idle time.Duration
	flag.IntVar(&starts, "start", 0, "`rounds` of starts")
	flag.IntVar(&restarts, "restart", 0, "`rounds` of restarts")
	flag.DurationVar(&idle, "idle", 0, "`time` to be idle")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	b, err := newBench(ctx)
	if err == nil && starts > 0 {
		err = b.starts(starts)
	}
	if err == nil && idle > 0 {
		err = b.idle(idle)
	}
	if err == nil && restarts > 0 {
		err = b.restarts(restarts)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A bench is where it all happens.
type bench struct {
	ctx      context.Context
	programs string
	order    int // of the next row
}

func newBench(ctx context.Context) (*bench, error) {
	mkad, err := exec.LookPath("mkad")
	return &bench{ctx: ctx, programs: filepath.Dir(mkad)}, err
}

// row prints a line of a table, and leaves it for the document.
func (b *bench) row(table string, cells ...string) error {
	for _, c := range cells {
		fmt.Printf("%-34s", c)
	}
	fmt.Println()
	b.order++
	dir := filepath.Join(os.Getenv("MKAD_GUEST_OUT"), fmt.Sprintf("%s-%d", table, b.order))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return interop.Row{Table: table, Order: b.order, Cells: cells}.Write(dir)
}

// What runs at an end of a wire.
const (
	mkad = "mkad"
	wpa  = "wpa_supplicant"
)

// A pair is two daemons, of which the second is the one that starts later, or again.
type pair [2]string

func (p pair) String() string { return p[0] + ", then " + p[1] }

var pairs = []pair{{mkad, mkad}, {mkad, wpa}, {wpa, mkad}, {wpa, wpa}}

// A lab is a wire with a daemon at each end.
type lab struct {
	*mkadlab.Link
	ctx         context.Context
	supplicants [2]*mkadlab.Supplicant
}

func (b *bench) lab() (*lab, error) {
	l, err := mkadlab.New(b.ctx, mkadlab.Options{Programs: b.programs, CAKBits: 128})
	if err != nil {
		return nil, err
	}
	return &lab{Link: l, ctx: b.ctx}, nil
}

// start starts a daemon at an end, without waiting for anything.
func (l *lab) start(end int, program string) (err error) {
	h := l.Hosts()[end]
	if program == mkad {
		return h.ExecDaemon()
	}
	if err := h.SetUp(mkadlab.Lower); err != nil {
		return err
	}
	l.supplicants[end], err = h.StartSupplicant(io.Discard, l.KeyFile)
	return err
}

func (l *lab) process(end int) *netlab.Process {
	if s := l.supplicants[end]; s != nil {
		return s.Process
	}
	return l.Hosts()[end].Daemon()
}

// patience bounds each wait.
const patience = time.Minute

// until looks every few milliseconds until it is so.
func (l *lab) until(what string, so func() (bool, error)) error {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	end := time.NewTimer(patience)
	defer end.Stop()
	for {
		done, err := so()
		if done || err != nil {
			return err
		}
		select {
		case <-look.C:
		case <-end.C:
			return errors.New("waited in vain for " + what)
		case <-l.ctx.Done():
			return context.Cause(l.ctx)
		}
	}
}

// speaks waits until the daemon at an end has sent an MKPDU: it has started, and is alone.
func (l *lab) speaks(end int) error {
	other := l.Hosts()[1-end]
	if err := other.SetUp(mkadlab.Lower); err != nil { // or there is no carrier, and nothing to be sent
		return err
	}
	wire, err := netlab.StartCapture(other.Namespace, mkadlab.Lower)
	if err != nil {
		return err
	}
	err = l.until("an MKPDU", func() (bool, error) { return wire.Heard(netlab.EtherTypeEAPOL) > 0, nil })
	_, stopErr := wire.Stop()
	return errors.Join(err, stopErr)
}

// starts measures every pair in every round.
func (b *bench) starts(rounds int) error {
	took := map[pair][]time.Duration{}
	for n := range rounds {
		for i := range pairs {
			p := pairs[(n+i)%len(pairs)]
			d, err := b.startOnce(p)
			if err != nil {
				return fmt.Errorf("%s: %w", p, err)
			}
			took[p] = append(took[p], d)
		}
	}
	slowest := median(took[pair{wpa, wpa}])
	for _, p := range pairs {
		slices.Sort(took[p])
		all := took[p]
		err := b.row("start", p.String(), seconds(median(all)), seconds(all[0])+" to "+seconds(all[len(all)-1]),
			fmt.Sprintf("%.1f", slowest.Seconds()/median(all).Seconds()))
		if err != nil {
			return err
		}
	}
	return nil
}

func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f s", d.Seconds()) }

// startOnce tells how long after its exec the second daemon has a ping answered.
func (b *bench) startOnce(p pair) (took time.Duration, err error) {
	l, err := b.lab()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if err := l.start(0, p[0]); err != nil {
		return 0, err
	}
	if err := l.speaks(0); err != nil {
		return 0, err
	}
	begun := time.Now()
	if err := l.start(1, p[1]); err != nil {
		return 0, err
	}
	err = l.answers(map[*mkadlab.Host]int{})
	return time.Since(begun), err
}

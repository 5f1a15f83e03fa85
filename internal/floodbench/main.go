// Command floodbench measures what a flood, of frames or of control requests, does to a link that two mkads secure: to its
// traffic, to their hellos, and to the CPU and memory of an mkad. Two hosts and an attacker are on one switch. In every round
// each kind of flood is measured once, in another order, beside no flood at all and a flood of frames that nobody reads: that
// one costs the machine as much and mkad nothing, so what is worse than it is mkad's doing. Numbers of different runs are not
// to be compared.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"mkad/internal/netlab"
)

func main() {
	if err := start(flags()); err != nil {
		fmt.Fprintln(os.Stderr, "floodbench:", err)
		os.Exit(1)
	}
}

type options struct {
	programs        string
	rounds, seconds int
	rate            int
	sockets         int
	only            string
}

func flags() (o options) {
	flag.StringVar(&o.programs, "programs", "bin", "`directory` of mkad and mkactl")
	flag.IntVar(&o.rounds, "rounds", 3, "`number` of rounds")
	flag.IntVar(&o.seconds, "seconds", 6, "length of each measurement in `seconds`")
	flag.IntVar(&o.rate, "rate", 5000, "honest `frames` a second, of 1000 octets")
	flag.IntVar(&o.sockets, "sockets", 1, "`number` of packet sockets that the attacker sends by at once")
	flag.StringVar(&o.only, "only", "", "measure this `kind` of flood only; without it, all")
	flag.Parse()
	if flag.NArg() > 0 || o.rounds < 1 || o.seconds < 2 || o.rate < 1 || o.sockets < 1 {
		flag.Usage()
		os.Exit(2)
	}
	return o
}

func start(o options) (err error) {
	if o.programs, err = filepath.Abs(o.programs); err != nil {
		return err
	}
	if err := netlab.Reexec(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer stop()
	return run(ctx, o, os.Stdout)
}

func run(ctx context.Context, o options, out io.Writer) (err error) {
	s, err := newSiege(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	fmt.Fprintf(out, "%d rounds of %d s for each kind; %d honest frames a second west to east; hellos are due every 0.5 s\n",
		o.rounds, o.seconds, o.rate)
	fmt.Fprintln(out, header)
	results := map[string][]result{}
	for round := range o.rounds {
		for i := range kinds {
			k := kinds[(i+3*round)%len(kinds)] // 3 has no factor in common with the number of kinds
			if o.only != "" && k.name != o.only {
				continue
			}
			r, err := s.measure(ctx, k, time.Duration(o.seconds)*time.Second)
			if err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
			fmt.Fprintln(out, r)
			results[k.name] = append(results[k.name], r)
		}
	}
	summarize(out, results)
	return nil
}

// Command mutate asks of the tests whether they would notice a fault. It puts one fault at a time into the packages that
// decide (an operator turned, a condition negated, a constant off by one, a statement left out), chosen by a seed, and
// runs their tests on that. The tree is never touched: the altered file reaches the compiler as an overlay.
//
//	go run ./internal/mutate -seed 1 -n 200
//
// A mutant that no test notices has survived: a test is missing there, or the mutant means the same. Those that do not
// compile do not count. Exit status: 0 when the goal was reached, else 1.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	o := flags()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ok, err := start(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
	}
	if !ok || err != nil {
		os.Exit(1)
	}
}

type options struct {
	seed, n, parallel int
	goal              float64
	at                string
}

func flags() (o options) {
	flag.IntVar(&o.seed, "seed", 1, "`number` that chooses the mutants")
	flag.IntVar(&o.n, "n", 200, "`number` of mutants that compile")
	flag.IntVar(&o.parallel, "parallel", 2, "`number` of mutants judged at once")
	flag.Float64Var(&o.goal, "goal", 95, "`percent` of the mutants to be killed")
	flag.StringVar(&o.at, "at", "", "only mutants whose FILE:LINE begins with this `place`, all of them")
	flag.Parse()
	if flag.NArg() > 0 || o.n < 1 || o.parallel < 1 {
		flag.Usage()
		os.Exit(2)
	}
	return o
}

// start judges mutants until so many have been, and reports whether enough were killed.
func start(ctx context.Context, o options) (bool, error) {
	all, err := load(os.DirFS("."))
	if err != nil {
		return false, fmt.Errorf("read the packages: %w; run it where go.mod is", err)
	}
	chosen := choose(all, o)
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	if err := sound(ctx, dir); err != nil {
		return false, err
	}
	fmt.Printf("%d places to mutate, seed %d\n", len(all), o.seed)
	began := time.Now()
	r := judgeAll(ctx, dir, chosen, o)
	r.print(time.Since(began).Round(time.Second))
	return r.rate() >= o.goal && ctx.Err() == nil, context.Cause(ctx)
}

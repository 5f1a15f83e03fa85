// Command mutate asks of the tests whether they would notice a fault. It puts one fault at a time into the packages that
// decide (an operator turned, a condition negated, a constant off by one, a statement left out), chosen by a seed, and
// runs their tests on that. The tree is never touched: what is altered reaches the compiler as an overlay.
//
//	go run ./internal/mutate -seed 1 -n 200
//	go run ./internal/mutate -seed 1 -n 200 -for 7m -from 40    # a portion; it ends with what to go on from
//	go run ./internal/mutate -seed 1 -in mka -suite conformance # by the tests that show requirements alone
//
// A mutant that no test notices has survived: a test is missing there, or the mutant means the same. Those that do not
// compile do not count, nor do those that equivalent.txt proves to mean the same; one that it lists and a test kills is a
// mistake in the list. Exit status: 0 when the goal was reached, else 1.
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
	seed, n, from, parallel int
	goal                    float64
	limit                   time.Duration
	at, in, suite           string
}

func flags() (o options) {
	flag.IntVar(&o.seed, "seed", 1, "`number` that chooses the mutants")
	flag.IntVar(&o.n, "n", 200, "`number` of mutants that compile")
	flag.IntVar(&o.from, "from", 0, "leave out the first `number` of those that the seed chooses: an earlier portion judged them")
	flag.DurationVar(&o.limit, "for", 0, "begin with no other mutant after this `time`; 0: until all are judged")
	flag.StringVar(&o.in, "in", "", "only mutants of these `packages`, as in mka,eapol")
	flag.StringVar(&o.suite, "suite", "all", "`all` tests, or those of conformance alone")
	flag.IntVar(&o.parallel, "parallel", 2, "`number` of mutants judged at once")
	flag.Float64Var(&o.goal, "goal", 95, "`percent` of the mutants to be killed")
	flag.StringVar(&o.at, "at", "", "only mutants whose FILE:LINE begins with this `place`, all of them")
	flag.Parse()
	if flag.NArg() > 0 || o.n < 1 || o.from < 0 || o.parallel < 1 || o.suite != "all" && o.suite != "conformance" {
		flag.Usage()
		os.Exit(2)
	}
	return o
}

// start judges mutants until so many have been, and reports whether enough were killed.
func start(ctx context.Context, o options) (bool, error) {
	module := os.DirFS(".")
	targets, err := targetsOf(module, o)
	if err != nil {
		return false, err
	}
	all, err := load(module, targets)
	if err != nil {
		return false, fmt.Errorf("read the packages: %w; run it where go.mod is", err)
	}
	same, err := readEquivalents(module, all)
	if err != nil {
		return false, err
	}
	chosen := choose(all, o)
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	j := judge{dir: dir, targets: targets, same: same}
	if err := j.weave(ctx, chosen, o.n); err != nil {
		return false, err
	}
	if err := j.sound(ctx); err != nil {
		return false, err
	}
	fmt.Printf("%d places to mutate, seed %d\n", len(all), o.seed)
	began := time.Now()
	r := j.all(ctx, chosen, o)
	r.print(time.Since(began).Round(time.Second), o.from)
	return r.rate() >= o.goal && len(r.mistakes) == 0 && ctx.Err() == nil, context.Cause(ctx)
}

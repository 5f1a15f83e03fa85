// Command simtest plays small worlds: two to eight KaYs on a LAN in virtual time, to which a seed lets everything happen
// that happens to networks and machines, and worse. After every event it checks what must hold whatever happens, and
// when the faults are over, that the group becomes one again within a bound.
//
//	go run ./internal/simtest -seeds 10000        # many
//	go run ./internal/simtest -seed 17 -v         # one again, with a transcript
//	go run ./internal/simtest -script sim-17.txt  # one that was written down, or shrunk
//
// A seed that fails is shrunk to the few lines that it takes to fail, which are printed and kept in a file.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"
)

// options are the command line.
type options struct {
	seeds, from uint64
	seed        int64
	script, out string
	verbose     bool
	processors  int
}

func main() {
	var o options
	flag.Uint64Var(&o.seeds, "seeds", 10000, "how `many` seeds to play")
	flag.Uint64Var(&o.from, "from", 0, "the first `seed` of many")
	flag.Int64Var(&o.seed, "seed", -1, "play this one `seed`, and shrink it if it fails")
	flag.StringVar(&o.script, "script", "", "play the script in this `file`")
	flag.StringVar(&o.out, "out", ".", "write the scripts of seeds that fail into this `directory`")
	flag.BoolVar(&o.verbose, "v", false, "with -seed or -script: tell everything that happens")
	flag.IntVar(&o.processors, "j", runtime.NumCPU(), "how `many` seeds to play at a time")
	flag.Parse()
	debug.SetGCPercent(400) // worlds are small and short
	good, err := run(o, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "simtest:", err)
		os.Exit(2)
	}
	if !good {
		os.Exit(1)
	}
}

// run does what the options say, and reports whether everything held.
func run(o options, to io.Writer) (good bool, err error) {
	switch {
	case o.script != "":
		s, err := readScript(o.script)
		if err != nil {
			return false, err
		}
		return one(s, o, to), nil
	case o.seed >= 0:
		s := Generate(uint64(o.seed))
		fmt.Fprint(to, s)
		good := one(s, o, to)
		if !good {
			err = explain(s, o, to)
		}
		return good, err
	}
	ticker := time.NewTicker(10 * time.Second)
	defer ticker.Stop()
	sum := Run(o.from, o.seeds, o.processors, Check, ticker.C, to)
	fmt.Fprintln(to, sum)
	for _, seed := range sum.Failed {
		if err := explain(Generate(seed), o, to); err != nil {
			return false, err
		}
	}
	return len(sum.Failed) == 0, nil
}

func readScript(file string) (s Script, err error) {
	f, err := os.Open(file)
	if err != nil {
		return s, err
	}
	defer f.Close()
	if s, err = Parse(f); err != nil {
		return s, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// one plays a script, and says what came of it.
func one(s Script, o options, to io.Writer) (good bool) {
	r := Result{}
	if o.verbose {
		r = Tell(s, to)
	} else {
		r = Play(s, nil)
	}
	fmt.Fprintf(to, "%d events, %v of virtual time, healed %v after the last fault\n", r.Events, r.Time, r.Healed)
	for _, v := range r.Violations {
		fmt.Fprintln(to, "violated:", v)
	}
	return len(r.Violations) == 0
}

// explain shrinks a script that fails, and says how to play it again.
func explain(s Script, o options, to io.Writer) error {
	kind := Play(s, nil).Kind
	small := Shrink(s, func(s Script) bool { return Play(s, nil).Kind == kind })
	file := filepath.Join(o.out, fmt.Sprintf("sim-%d.txt", s.Seed))
	if err := os.WriteFile(file, []byte(small.String()), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(to, "\nseed %d, shrunk:\n%s", s.Seed, small)
	for _, v := range Play(small, nil).Violations {
		fmt.Fprintln(to, "violated:", v)
	}
	fmt.Fprintf(to, "again:  go run ./internal/simtest -seed %d -v\nshrunk: go run ./internal/simtest -script %s -v\n", s.Seed, file)
	return nil
}

// Command linkbench measures TCP throughput over a link that two mkads secure beside the same over a plain veth pair.
// Both are measured in every round, in an order that changes from round to round, each with fresh namespaces and
// daemons; the ratio is that of one round, so what else the machine does meets both. Numbers of different runs are not
// to be compared.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// startTime bounds the wait for the iperf3 server, and slack what a measurement may take beyond its seconds.
const (
	startTime = 5 * time.Second
	slack     = 15 * time.Second
)

func main() {
	o := flags()
	if err := start(o); err != nil {
		fmt.Fprintln(os.Stderr, "linkbench:", err)
		os.Exit(1)
	}
}

type options struct {
	programs        string
	rounds, seconds int
	suite           string
}

func flags() (o options) {
	flag.StringVar(&o.programs, "programs", "bin", "`directory` of mkad and mkactl")
	flag.IntVar(&o.rounds, "rounds", 7, "`number` of rounds")
	flag.IntVar(&o.seconds, "seconds", 3, "length of each measurement in `seconds`")
	flag.StringVar(&o.suite, "suite", "GCM-AES-XPN-256", "cipher `suite` of the link")
	flag.Parse()
	if flag.NArg() > 0 || o.rounds < 1 || o.seconds < 1 {
		flag.Usage()
		os.Exit(2)
	}
	return o
}

func start(o options) error {
	var err error
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

// A round is the throughput of both links, in Gbit/s.
type round struct{ plain, secured float64 }

func (r round) ratio() float64 { return r.secured / r.plain }

func run(ctx context.Context, o options, out io.Writer) error {
	var rounds []round
	fmt.Fprintf(out, "TCP over veth, %d rounds of %d s, suite %s\n", o.rounds, o.seconds, o.suite)
	fmt.Fprintf(out, "%5s  %12s  %14s  %5s\n", "round", "plain Gbit/s", "secured Gbit/s", "ratio")
	for i := range o.rounds {
		r, err := measureBoth(ctx, o, i%2 == 1)
		if err != nil {
			return err
		}
		rounds = append(rounds, r)
		fmt.Fprintf(out, "%5d  %12.2f  %14.2f  %5.3f\n", i+1, r.plain, r.secured, r.ratio())
	}
	summarize(out, rounds)
	return nil
}

func measureBoth(ctx context.Context, o options, securedFirst bool) (r round, err error) {
	measurements := []func() error{
		func() (err error) { r.plain, err = measurePlain(ctx, o); return err },
		func() (err error) { r.secured, err = measureSecured(ctx, o); return err },
	}
	if securedFirst {
		slices.Reverse(measurements)
	}
	for _, measure := range measurements {
		if err := measure(); err != nil {
			return r, err
		}
	}
	return r, nil
}

func summarize(out io.Writer, rounds []round) {
	for _, row := range []struct {
		name string
		of   func(round) float64
	}{
		{"plain Gbit/s", func(r round) float64 { return r.plain }},
		{"secured Gbit/s", func(r round) float64 { return r.secured }},
		{"secured/plain", round.ratio},
	} {
		low, middle, high := spread(rounds, row.of)
		fmt.Fprintf(out, "%-14s  median %.3f  [%.3f..%.3f]  n=%d\n", row.name, middle, low, high, len(rounds))
	}
}

// spread returns the least, the median and the greatest.
func spread(rounds []round, of func(round) float64) (low, middle, high float64) {
	values := make([]float64, 0, len(rounds))
	for _, r := range rounds {
		values = append(values, of(r))
	}
	slices.Sort(values)
	n := len(values)
	return values[0], (values[(n-1)/2] + values[n/2]) / 2, values[n-1]
}

func measurePlain(ctx context.Context, o options) (gbits float64, err error) {
	west, err := netlab.NewNamespace()
	if err != nil {
		return 0, err
	}
	defer west.Close()
	east, err := netlab.NewNamespace()
	if err != nil {
		return 0, err
	}
	defer east.Close()
	err = errors.Join(netlab.Join(west, mkadlab.Lower, east, mkadlab.Lower),
		west.SetUp(mkadlab.Lower), west.AddAddress(mkadlab.Lower, mkadlab.WestAddress+"/24"),
		east.SetUp(mkadlab.Lower), east.AddAddress(mkadlab.Lower, mkadlab.EastAddress+"/24"))
	if err != nil {
		return 0, err
	}
	return throughput(ctx, west, east, o.seconds)
}

func measureSecured(ctx context.Context, o options) (gbits float64, err error) {
	link, err := mkadlab.New(ctx, mkadlab.Options{Programs: o.programs,
		Port: fmt.Sprintf("cipher_suites = [%q]", o.suite)})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, link.Close()) }()
	if err := link.Secure(ctx); err != nil {
		return 0, err
	}
	if err := link.Address(); err != nil {
		return 0, err
	}
	return throughput(ctx, link.West.Namespace, link.East.Namespace, o.seconds)
}

// throughput is what arrives at east, in Gbit/s of TCP payload.
func throughput(ctx context.Context, west, east *netlab.Namespace, seconds int) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(seconds)*time.Second+startTime+slack)
	defer cancel()
	server := newReady("Server listening")
	p, err := east.Start(server, "iperf3", "--server", "--one-off", "--forceflush")
	if err != nil {
		return 0, err
	}
	defer p.Stop()
	select {
	case <-server.ready:
	case <-p.Ended():
		return 0, fmt.Errorf("start iperf3 server: %w", p.Err())
	case <-time.After(startTime):
		return 0, errors.New("start iperf3 server: it does not listen")
	}
	out, err := west.Run(ctx, "iperf3", "--client", mkadlab.EastAddress, "--json", "--time", fmt.Sprint(seconds))
	if err != nil {
		return 0, err
	}
	return received(out)
}

// received reads the report of iperf3(1).
func received(report string) (gbits float64, err error) {
	var r struct {
		End struct {
			SumReceived struct {
				BitsPerSecond float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		} `json:"end"`
	}
	if err := json.Unmarshal([]byte(report), &r); err != nil {
		return 0, fmt.Errorf("read report of iperf3: %w", err)
	}
	if r.End.SumReceived.BitsPerSecond <= 0 {
		return 0, errors.New("read report of iperf3: nothing was received")
	}
	return r.End.SumReceived.BitsPerSecond / 1e9, nil
}

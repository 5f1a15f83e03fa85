package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"mkad/internal/control"
)

func (t *tool) counters() *cobra.Command {
	var asJSON, nonzero bool
	cmd := &cobra.Command{
		Use:   "counters [PORT...]",
		Short: "Show the counters of the SecY and of MKA",
		Long: "Counters shows the counters of the named ports, or of all, by their names in IEEE 802.1AE and in the\n" +
			"PAE module of IEEE 802.1X. They start at zero when mkad starts, and with a reload that restarts the port.",
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: t.ports,
		RunE:              func(_ *cobra.Command, ports []string) error { return t.showCounters(asJSON, nonzero, ports) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the document of the control socket")
	cmd.Flags().BoolVar(&nonzero, "nonzero", false, "leave out counters that are zero")
	return cmd
}

func (t *tool) showCounters(asJSON, nonzero bool, ports []string) error {
	var d control.CountersDocument
	err := t.ask(answerTime, func(ctx context.Context, c *control.Client) (err error) {
		d, err = c.Counters(ctx, ports...)
		return err
	})
	if err != nil {
		return err
	}
	if nonzero {
		leaveOutZeros(d)
	}
	if asJSON {
		return t.printJSON(d)
	}
	return t.print(countersText(d))
}

func leaveOutZeros(d control.CountersDocument) {
	isZero := func(_ string, n uint64) bool { return n == 0 }
	for _, p := range d.Ports {
		maps.DeleteFunc(p.SecY, isZero)
		maps.DeleteFunc(p.MKA, isZero)
	}
}

func countersText(d control.CountersDocument) string {
	if len(d.Ports) == 0 {
		return noPort
	}
	var b strings.Builder
	width := longestName(d)
	for i, p := range d.Ports {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s (controlled %s)\n", p.Interface, p.Controlled)
		writeCounts(&b, p.SecY, width)
		writeCounts(&b, p.MKA, width)
	}
	return b.String()
}

// longestName is the length of the longest name of a counter, so that the columns of all ports are one.
func longestName(d control.CountersDocument) (longest int) {
	for _, p := range d.Ports {
		for _, counts := range []map[string]uint64{p.SecY, p.MKA} {
			for name := range counts {
				longest = max(longest, utf8.RuneCountInString(name))
			}
		}
	}
	return longest
}

// writeCounts writes one counter a line: the name in a column of that width, then room for 64 bits.
func writeCounts(b *strings.Builder, counts map[string]uint64, width int) {
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(b, "  %-*s %20d\n", width, name, counts[name])
	}
}

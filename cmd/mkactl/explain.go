package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mkad/internal/control"
)

func (t *tool) explain() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain [PORT...]",
		Short: "Say why ports are not secured, and what to do",
		Long: "Explain says of the named ports, or of all, why they are not secured, what to do about it, and what was\n" +
			"observed. The cause is one word, on which docs/troubleshooting.md has more.",
		Example:           "  mkactl explain eth1",
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: t.ports,
		RunE:              func(_ *cobra.Command, ports []string) error { return t.showExplanations(asJSON, ports) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the document of the control socket")
	return cmd
}

func (t *tool) showExplanations(asJSON bool, ports []string) error {
	var d control.ExplainDocument
	err := t.ask(answerTime, func(ctx context.Context, c *control.Client) (err error) {
		d, err = c.Explain(ctx, ports...)
		return err
	})
	switch {
	case err != nil:
		return err
	case asJSON:
		return t.printJSON(d)
	}
	return t.print(explainText(d, t.now()))
}

func explainText(d control.ExplainDocument, now time.Time) string {
	if len(d.Ports) == 0 {
		return noPort
	}
	var b strings.Builder
	for i, x := range d.Ports {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s (controlled %s)\n", x.Interface, x.Controlled)
		writeField(&b, "state", fmt.Sprintf("%s for %s", x.State, age(x.Since, now)))
		writeField(&b, "cause", cmp.Or(x.Cause, "none"))
		if x.Reason != "" {
			writeField(&b, "why", x.Reason)
		}
		if x.Remedy != "" {
			writeField(&b, "try", x.Remedy)
		}
		for _, w := range x.Warnings {
			writeField(&b, "warning", w)
		}
		for _, fact := range x.Evidence {
			writeField(&b, "evidence", fact)
		}
	}
	return b.String()
}

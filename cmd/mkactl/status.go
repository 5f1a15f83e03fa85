package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mkad/internal/control"
)

// defaultWait suits a link that comes up: MKA Life Time is 6 s.
const defaultWait = 10 * time.Second

// statusFlags are the flags of the status command.
type statusFlags struct {
	json    bool
	wait    choice
	timeout time.Duration
}

func (t *tool) status() *cobra.Command {
	f := statusFlags{wait: choice{allowed: states()}}
	cmd := &cobra.Command{
		Use:   "status [PORT...]",
		Short: "Show how ports stand",
		Long: "Status shows how the named ports stand, or all: first a line for each, then the details.\n" +
			"PEERS counts the live ones of those heard.\n\n" + stateHelp(),
		Example:           "  mkactl status eth1 --wait secured --timeout 10s",
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: t.ports,
		RunE:              func(_ *cobra.Command, ports []string) error { return t.showStatus(f, ports) },
	}
	cmd.Flags().BoolVar(&f.json, "json", false, "print the document of the control socket")
	f.wait.flag(cmd, "wait", "block until every port is in this state, at most for --timeout")
	cmd.Flags().DurationVar(&f.timeout, "timeout", defaultWait, "when --wait gives up")
	return cmd
}

// meanings say what each state is, for people.
var meanings = map[control.State]string{
	control.Down:      "no carrier, or the lower device does not exist or is down",
	control.Pending:   "not secured yet: the carrier has been there for less than 6 s (MKA Life Time)",
	control.Secured:   "traffic passes, protected by MACsec",
	control.Unsecured: "no peer is secured, and traffic passes in clear: policy is should-secure",
	control.Blocked:   "no peer is secured, and no traffic passes: policy is must-secure",
	control.Failed:    "mkad cannot serve the port; the reason says why",
}

func stateHelp() string {
	var b strings.Builder
	b.WriteString("A port is in one of these states:\n")
	for _, s := range control.States {
		fmt.Fprintf(&b, "  %-9s  %s\n", s, meanings[s])
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func states() []string {
	var words []string
	for _, s := range control.States {
		words = append(words, string(s))
	}
	return words
}

func (t *tool) showStatus(f statusFlags, ports []string) error {
	if f.timeout <= 0 {
		return usageError{errors.New("--timeout must be longer than nothing, for instance 10s")}
	}
	d, err := t.readStatus(f, ports)
	switch {
	case err != nil:
		return err
	case f.json:
		return t.printJSON(d)
	}
	return t.printStatus(d)
}

// printStatus prints the document for a person, on a terminal with the states in their colours.
func (t *tool) printStatus(d control.Document) error {
	text := statusText(d, t.now())
	if t.terminal == nil || !t.terminal.colour || len(d.Ports) == 0 {
		return t.print(text)
	}
	lines := strings.Split(printable(text), "\n")
	paintTable(lines[:len(d.Ports)+1], d.Ports)
	_, err := io.WriteString(t.stdout, strings.Join(lines, "\n"))
	return err
}

func (t *tool) readStatus(f statusFlags, ports []string) (d control.Document, err error) {
	if f.wait.value == "" {
		err = t.ask(answerTime, func(ctx context.Context, c *control.Client) error {
			d, err = c.Status(ctx, ports...)
			return err
		})
		return d, err
	}
	err = t.ask(f.timeout, func(ctx context.Context, c *control.Client) error {
		d, err = c.Wait(ctx, control.State(f.wait.value), ports...)
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("gave up after %v (--timeout): %w", f.timeout, err)
		}
		return err
	})
	return d, err
}

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mkad/internal/control"
)

func (t *tool) rekey() *cobra.Command {
	return &cobra.Command{
		Use:               "rekey PORT",
		Short:             "Replace the key in use by a new one, without loss",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: t.ports,
		RunE: func(_ *cobra.Command, args []string) error {
			return t.ask(answerTime, func(ctx context.Context, c *control.Client) error { return c.Rekey(ctx, args[0]) })
		},
	}
}

func (t *tool) reload() *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Have mkad read its configuration again; a bad one changes nothing",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return t.ask(answerTime, func(ctx context.Context, c *control.Client) error { return c.Reload(ctx) })
		},
	}
}

func (t *tool) unlock() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "unlock PORT",
		Short: "Take away the filter by which mkad keeps the host from using a lower device in clear",
		Long: "Unlock takes away the filter by which mkad keeps the host from using a lower device in clear. It is for\n" +
			"when mkad has ended: the filter stays, also when mkad dies. What a running mkad serves stays closed; stop it\n" +
			"first, or set uncontrolled = \"open\" for the port in mkad.toml. PORT is the lower device.",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: t.closed,
		RunE:              func(_ *cobra.Command, args []string) error { return t.unlockPort(args[0], force) },
	}
	cmd.Flags().BoolVar(&force, "force", false, "open it although a mkad runs that has it, for one that hangs")
	return cmd
}

// closed completes the names of lower devices that can be opened.
func (t *tool) closed(_ *cobra.Command, given []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(given) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names, _ := t.closedDevices() // who may not know them gets none
	return names, cobra.ShellCompDirectiveNoFileComp
}

// unlockPort opens a lower device, unless that would be in vain: a mkad that serves it, whatever its control socket,
// looks whether it is closed.
func (t *tool) unlockPort(port string, force bool) error {
	names, err := t.closedDevices()
	switch {
	case err != nil:
		return fmt.Errorf("unlock %s: %w", port, err)
	case !slices.Contains(names, port):
		return notClosed(port, names)
	case !force && t.served(port):
		return advisedError{fmt.Errorf("%s stays closed: a running mkad serves it and would close it again within seconds",
			port), "stop mkad first, or set uncontrolled = \"open\" in mkad.toml, then: mkactl reload"}
	}
	if err := t.openDevice(port); err != nil {
		return fmt.Errorf("unlock %s: %w", port, err)
	}
	return t.print(port + " is open now, in clear\n")
}

func notClosed(port string, closed []string) error {
	err := fmt.Errorf("%s was not closed by mkad", port)
	if len(closed) == 0 {
		return err
	}
	return advisedError{err, "name one that was: " + strings.Join(closed, ", ")}
}

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mkad/internal/control"
	"mkad/offload"
)

// rekeyDone and backendDone are what --json says of orders; Port is named as it was in the order.
type (
	rekeyDone struct {
		Version int    `json:"version"`
		Port    string `json:"port"`
	}
	backendDone struct {
		Version int    `json:"version"`
		Port    string `json:"port"`
		Backend string `json:"backend"`
	}
)

func (t *tool) rekey() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "rekey PORT",
		Short:             "Replace the key in use by a new one, without loss",
		Args:              takes("PORT"),
		ValidArgsFunction: t.onePort,
		RunE: func(_ *cobra.Command, args []string) error {
			err := t.ask(answerTime, func(ctx context.Context, c *control.Client) error { return c.Rekey(ctx, args[0]) })
			if err != nil {
				return err
			}
			return t.tell(asJSON, args[0]+": a new SAK is on its way\n", rekeyDone{control.Version, args[0]})
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (t *tool) reload() *cobra.Command {
	var force, asJSON bool
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have mkad read its configuration again; a bad one changes nothing",
		Long: "Reload has mkad read its configuration and CAK files again; a bad one changes nothing. It says what it did to\n" +
			"which port, as mkad --check --diff says beforehand.",
		Args: takes(),
		RunE: func(*cobra.Command, []string) error {
			var done control.PlanDocument
			err := t.ask(answerTime, func(ctx context.Context, c *control.Client) (err error) {
				done, err = c.Reload(ctx, force)
				return err
			})
			switch {
			case err != nil:
				return err
			case done.Version != control.Version: // it is done all the same
				return t.print("reloaded\n")
			}
			return t.tell(asJSON, done.Done(), done)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the document of the control socket")
	cmd.Flags().BoolVar(&force, "force", false, "also where a Controlled Port loses what cannot be put back")
	return cmd
}

func (t *tool) backend() *cobra.Command {
	var force, asJSON bool
	cmd := &cobra.Command{
		Use:   "backend PORT NAME",
		Short: "Have a port served by another SecY: in hardware, the kernel's, or mkad's own",
		Long: "Backend has a port served by another SecY. NAME is auto, offload-mac, offload-phy, kernel or userspace, as for\n" +
			"backend in mkad.toml. The Controlled Port keeps its name, ifindex, addresses, routes, master and VLANs; traffic\n" +
			"is cut until the peers have agreed on a new key, a moment. It lasts until mkad starts again, or a reload finds\n" +
			"another in mkad.toml; write it there to keep it. What this machine does not have is refused, and the port goes\n" +
			"on as before. PORT is the lower device or the Controlled Port.",
		Args:              takes("PORT", "NAME"),
		ValidArgsFunction: t.portsAndBackends,
		RunE: func(_ *cobra.Command, args []string) error {
			if names := offload.BackendNames(); !slices.Contains(names, args[1]) {
				return usageError{fmt.Errorf("there is no backend %q: give one of: %s", args[1], strings.Join(names, ", "))}
			}
			err := t.ask(answerTime, func(ctx context.Context, c *control.Client) error {
				return c.ChangeBackend(ctx, args[0], args[1], force)
			})
			if err != nil {
				return err
			}
			return t.tell(asJSON, fmt.Sprintf("%s: backend is %s until mkad starts again\n", args[0], args[1]),
				backendDone{control.Version, args[0], args[1]})
		},
	}
	jsonFlag(cmd, &asJSON)
	cmd.Flags().BoolVar(&force, "force", false, "also where the Controlled Port loses what cannot be put back")
	return cmd
}

// portsAndBackends completes a port, then a backend.
func (t *tool) portsAndBackends(cmd *cobra.Command, given []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(given) == 1 {
		return offload.BackendNames(), cobra.ShellCompDirectiveNoFileComp
	}
	return t.onePort(cmd, given, begun)
}

func (t *tool) unlock() *cobra.Command {
	var force, asJSON bool
	cmd := &cobra.Command{
		Use:   "unlock PORT",
		Short: "Take away the filter by which mkad keeps the host from using a lower device in clear",
		Long: "Unlock takes away the filter by which mkad keeps the host from using a lower device in clear. It is for\n" +
			"when mkad has ended: the filter stays, also when mkad dies; and for a port that was removed from the\n" +
			"configuration. What a running mkad serves stays closed; stop it first, or set uncontrolled = \"open\" for the\n" +
			"port in mkad.toml. PORT is the lower device.",
		Args:              takes("PORT"),
		ValidArgsFunction: t.closed,
		RunE:              func(_ *cobra.Command, args []string) error { return t.unlockPort(args[0], force, asJSON) },
	}
	jsonFlag(cmd, &asJSON)
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
func (t *tool) unlockPort(port string, force, asJSON bool) error {
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
	return t.tell(asJSON, isOpen(port), cleanupDone{control.Version, []string{port}, []string{}})
}

func notClosed(port string, closed []string) error {
	err := fmt.Errorf("%s was not closed by mkad", port)
	if len(closed) == 0 {
		return err
	}
	return advisedError{err, "name one that was: " + strings.Join(closed, ", ")}
}

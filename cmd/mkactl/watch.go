package main

import (
	"context"
	"encoding/json"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"mkad/internal/control"
)

func (t *tool) watch() *cobra.Command {
	var asJSON, asLines bool
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Show what happens until interrupted",
		Long: "Watch shows what happens until it is interrupted. On a terminal it draws how all ports stand, why those are\n" +
			"not secured that are not, and the last events; q ends it, and while mkad starts again it waits. Elsewhere, and\n" +
			"with --lines or --json, it prints a line for each event, and ends with mkad.\n\n" +
			"Exit status: 0 interrupted (Ctrl-C, SIGINT, SIGTERM) or ended by q, 3 mkad has ended or is not reachable.",
		Args: takes(),
		RunE: func(*cobra.Command, []string) error {
			if t.terminal != nil && !asJSON && !asLines {
				return t.watchLive()
			}
			return t.showEvents(asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object for each event, a line each")
	cmd.Flags().BoolVar(&asLines, "lines", false, "a line for each event, on a terminal too")
	return cmd
}

// showEvents prints events until a signal comes, or mkad ends.
func (t *tool) showEvents(asJSON bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second one ends the process, should who reads the lines not go on
	client := control.NewClient(t.socket)
	defer client.Close()
	events, err := client.Events(ctx)
	if err != nil {
		return unlessEnded(ctx, err)
	}
	defer events.Close()
	for {
		e, err := events.Next()
		if err != nil {
			return unlessEnded(ctx, err)
		}
		if err := t.printEvent(e, asJSON); err != nil {
			return err
		}
	}
}

// unlessEnded is the error, but for one that comes of the end of the context.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (t *tool) printEvent(e control.Event, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(t.stdout).Encode(e)
	}
	return t.print(e.String() + "\n")
}

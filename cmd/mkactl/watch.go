package main

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"mkad/internal/control"
)

func (t *tool) watch() *cobra.Command {
	var asJSON, asLines bool
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Show what happens until interrupted",
		Long: "Watch shows what happens until it is interrupted. On a terminal it draws how all ports stand, why those are\n" +
			"not secured that are not, and the last events; q ends it. Elsewhere it prints a line for each event.",
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

func (t *tool) showEvents(asJSON bool) error {
	client := control.NewClient(t.socket)
	defer client.Close()
	events, err := client.Events(context.Background())
	if err != nil {
		return err
	}
	defer events.Close()
	for {
		e, err := events.Next()
		if err != nil {
			return err
		}
		if err := t.printEvent(e, asJSON); err != nil {
			return err
		}
	}
}

func (t *tool) printEvent(e control.Event, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(t.stdout).Encode(e)
	}
	return t.print(e.String() + "\n")
}

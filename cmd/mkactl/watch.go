package main

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"mkad/internal/control"
)

func (t *tool) watch() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Show what happens, one line an event, until interrupted",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return t.showEvents(asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
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

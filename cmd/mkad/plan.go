package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"mkad/internal/control"
)

// planTime is how long the running mkad may take to answer.
const planTime = 15 * time.Second

// printPlan is --diff: what the running mkad, which is asked by its control socket, says that a reload would do.
func printPlan(socket, path string, stdout io.Writer) error {
	ctx, stop := context.WithTimeout(context.Background(), planTime)
	defer stop()
	client := control.NewClient(socket)
	defer client.Close()
	plan, err := client.Plan(ctx)
	if err != nil {
		return fmt.Errorf("ask the running mkad what a reload would do: %w\n"+
			"try: start it; or name its socket with --socket, if it is [daemon] control that changes", err)
	}
	if !sameFile(plan.Config, path) {
		return fmt.Errorf("the running mkad has another configuration, %s; check that, or leave --diff out", plan.Config)
	}
	_, err = io.WriteString(stdout, planText(plan))
	return err
}

func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	other, otherErr := os.Stat(b)
	return err == nil && otherErr == nil && os.SameFile(one, other)
}

// planText says what a reload would do, a line for each port, and what changes below it.
func planText(d control.PlanDocument) string {
	var b strings.Builder
	for _, p := range d.Ports {
		fmt.Fprintf(&b, "%s: %s, %s\n", p.Interface, p.Action, cutText(p))
		for _, c := range p.Changes {
			fmt.Fprintf(&b, "  %s\n", c)
		}
		for _, l := range p.Losses {
			fmt.Fprintf(&b, "  loses %s (refused without mkactl reload --force)\n", l)
		}
	}
	if len(d.Daemon) > 0 {
		b.WriteString("[daemon]: takes effect when mkad starts again\n")
	}
	for _, c := range d.Daemon {
		fmt.Fprintf(&b, "  %s\n", c)
	}
	return b.String()
}

func cutText(p control.PortPlan) string {
	switch {
	case !p.Cut:
		return "cuts nothing"
	case p.Action == control.RemovePort:
		return "cuts its traffic"
	}
	return "cuts its traffic until its peers have agreed again"
}

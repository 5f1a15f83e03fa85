package main

import (
	"context"
	"fmt"
	"io"
	"os"
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
		return fmt.Errorf("ask the running mkad what a reload would do: %w", err)
	}
	if !sameFile(plan.Config, path) {
		return fmt.Errorf("the running mkad has another configuration, %s; check that, or leave --diff out", plan.Config)
	}
	_, err = io.WriteString(stdout, plan.Text())
	return err
}

func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	other, otherErr := os.Stat(b)
	return err == nil && otherErr == nil && os.SameFile(one, other)
}

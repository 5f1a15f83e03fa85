package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"mkad/internal/config"
)

const defaultConfig = "/etc/mkad/mkad.toml"

func (t *tool) cleanup() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "cleanup",
		Short: "Take away all that an mkad which has ended has left on this host",
		Long: "Cleanup opens every lower device that mkad has closed, in clear, and removes the Controlled Ports that the\n" +
			"configuration names. It is for when mkad is not to be used any more; the removal of a package does it. What a\n" +
			"running mkad serves is left alone.",
		Args: takes(),
		RunE: func(*cobra.Command, []string) error { return t.cleanUp(path) },
	}
	cmd.Flags().StringVar(&path, "config", defaultConfig, "configuration `file` that names the Controlled Ports")
	return cmd
}

func (t *tool) cleanUp(path string) error {
	var failed []error
	lower, err := t.closedDevices()
	if err != nil {
		failed = append(failed, err)
	}
	for _, device := range lower {
		failed = append(failed, t.openLeftover(device))
	}
	cfg, _ := config.Load(path)
	if cfg == nil {
		failed = append(failed, fmt.Errorf("%s cannot be read, so that no Controlled Port was looked for: mkactl cleanup --config FILE, "+
			"or ip link del NAME", path))
		return errors.Join(failed...)
	}
	for _, p := range cfg.Ports {
		failed = append(failed, t.removeLeftover(p))
	}
	return errors.Join(failed...)
}

func (t *tool) openLeftover(device string) error {
	if t.served(device) {
		return fmt.Errorf("%s stays closed: a running mkad serves it; stop it first", device)
	}
	if err := t.openDevice(device); err != nil {
		return err
	}
	return t.print(device + " is open now, in clear\n")
}

func (t *tool) removeLeftover(p config.Port) error {
	if t.served(p.Interface) {
		return nil // it was said
	}
	removed, err := t.removeDevice(p.Controlled)
	if err != nil || !removed {
		return err
	}
	return t.print(p.Controlled + " is removed\n")
}

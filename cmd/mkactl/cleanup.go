package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"mkad/internal/config"
	"mkad/internal/control"
)

const defaultConfig = "/etc/mkad/mkad.toml"

// cleanupDone is what --json says of what was taken away: the lower devices that are open now, and the Controlled Ports
// that are gone.
type cleanupDone struct {
	Version int      `json:"version"`
	Opened  []string `json:"opened"`
	Removed []string `json:"removed"`
}

func (t *tool) cleanup() *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "cleanup",
		Short: "Take away all that an mkad which has ended has left on this host",
		Long: "Cleanup opens every lower device that mkad has closed, in clear, and removes the Controlled Ports that the\n" +
			"configuration names. It is for when mkad is not to be used any more; the removal of a package does it. What a\n" +
			"running mkad serves is left alone.",
		Args: takes(),
		RunE: func(*cobra.Command, []string) error { return t.cleanUp(path, asJSON) },
	}
	jsonFlag(cmd, &asJSON)
	cmd.Flags().StringVar(&path, "config", defaultConfig, "configuration `file` that names the Controlled Ports")
	return cmd
}

// cleanUp goes on after what fails, and says what was done all the same.
func (t *tool) cleanUp(path string, asJSON bool) error {
	done := cleanupDone{control.Version, []string{}, []string{}}
	lower, err := t.closedDevices()
	failed := []error{err}
	for _, device := range lower {
		failed = append(failed, t.openLeftover(device, &done))
	}
	cfg, _ := config.Load(path)
	if cfg == nil {
		failed = append(failed, fmt.Errorf("%s cannot be read, so that no Controlled Port was looked for: mkactl cleanup --config FILE, "+
			"or ip link del NAME", path))
	} else {
		for _, p := range cfg.Ports {
			failed = append(failed, t.removeLeftover(p, &done))
		}
	}
	text := done.String()
	if text == "" && errors.Join(failed...) == nil {
		text = "nothing was left\n"
	}
	return errors.Join(append(failed, t.tell(asJSON, text, done))...)
}

func (t *tool) openLeftover(device string, done *cleanupDone) error {
	if t.served(device) {
		return fmt.Errorf("%s stays closed: a running mkad serves it; stop it first", device)
	}
	err := t.openDevice(device)
	if err == nil {
		done.Opened = append(done.Opened, device)
	}
	return err
}

func (t *tool) removeLeftover(p config.Port, done *cleanupDone) error {
	if t.served(p.Interface) {
		return nil // it was said
	}
	removed, err := t.removeDevice(p.Controlled)
	if removed {
		done.Removed = append(done.Removed, p.Controlled)
	}
	return err
}

// String says it in a line for each device.
func (d cleanupDone) String() string {
	text := ""
	for _, device := range d.Opened {
		text += isOpen(device)
	}
	for _, device := range d.Removed {
		text += device + " is removed\n"
	}
	return text
}

func isOpen(device string) string { return device + " is open now, in clear\n" }

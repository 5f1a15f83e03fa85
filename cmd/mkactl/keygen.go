package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"mkad/internal/config"
	"mkad/internal/control"
)

// keygenDone is what --json says of a CAK file that was made.
type keygenDone struct {
	Version int    `json:"version"`
	File    string `json:"file"`
	CAKBits int    `json:"cak_bits"`
}

func (t *tool) keygen() *cobra.Command {
	bits := choice{value: "256", allowed: []string{"128", "256"}}
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "keygen",
		Short: "Make a CAK file with a fresh random key",
		Long: "Keygen makes a CAK file with a fresh random key. Every member of the link needs the same file; it must be\n" +
			"readable by its owner only.",
		Example: "  mkactl keygen -o /etc/mkad/keys/eth1.toml",
		Args:    takes(),
		RunE:    func(*cobra.Command, []string) error { return t.makeKey(bits.value, file, asJSON) },
	}
	bits.flag(cmd, "cak-bits", "length of the CAK; 128 for peers that know no longer one")
	cmd.Flags().BoolVar(&asJSON, "json", false, "with --output: say as a JSON document what was done")
	cmd.Flags().StringVarP(&file, "output", "o", "", "write this new file, mode 0600 (default: standard output)")
	return cmd
}

func (t *tool) makeKey(bits, file string, asJSON bool) error {
	if asJSON && file == "" {
		return usageError{errors.New("--json says which file was written; give --output FILE")}
	}
	n, err := strconv.Atoi(bits)
	if err != nil {
		return usageError{err}
	}
	if err := t.hideMemory(); err != nil {
		return err
	}
	key, err := config.GenerateKey(n, t.random)
	if err != nil {
		return err
	}
	defer clear(key)
	if file != "" {
		if err := writeKey(file, key); err != nil {
			return err
		}
		return t.tell(asJSON, fmt.Sprintf("%s: written with mode 0600, a CAK of %d bits\n", file, n), keygenDone{control.Version, file, n})
	}
	_, err = t.stdout.Write(key)
	return err
}

func writeKey(file string, key []byte) error {
	err := config.WriteKeyFile(file, key)
	if errors.Is(err, fs.ErrNotExist) {
		return advisedError{err, "mkdir -p -m 0700 " + filepath.Dir(file)}
	}
	return err
}

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"mkad/internal/config"
	"mkad/internal/foreign"
)

// importFlags say where what is imported goes.
type importFlags struct{ lower, config, keys string }

// maxForeign bounds what is read of another program, in octets: a configuration of some hundred networks.
const maxForeign = 1 << 20

func (t *tool) importOther() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Make a configuration of what another program has",
		Long: "Import makes mkad.toml and CAK files, mode 0600, of a wpa_supplicant.conf, of a NetworkManager keyfile, or of\n" +
			"macsec devices that were made by hand: FILE is what \"ip -details link\" or \"ip macsec show\" prints, or the name of\n" +
			"such a device. Keys of devices are no CAKs; a fresh one is made, for all members of the link. Files that exist\n" +
			"are left alone. Nothing is started or changed otherwise.",
		Example: "  mkactl import /etc/wpa_supplicant/wpa_supplicant-wired-eth1.conf --interface eth1",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return t.importFrom(args[0], f) },
	}
	cmd.Flags().StringVar(&f.lower, "interface", "", "lower `device`, where FILE does not name it")
	cmd.Flags().StringVar(&f.config, "config", defaultConfig, "write this new configuration `file`")
	cmd.Flags().StringVar(&f.keys, "keys", "/etc/mkad/keys", "`directory` for the CAK files")
	return cmd
}

func (t *tool) importFrom(source string, f importFlags) error {
	text, err := t.readSource(source)
	if err != nil {
		return err
	}
	defer clear(text)
	ports, err := foreign.Read(text)
	if err != nil {
		return fmt.Errorf("import %s: %w", source, err)
	}
	if err := complete(ports, f.lower); err != nil {
		return err
	}
	return t.writeImport(ports, f)
}

// readSource reads a file, or what ip says of a device of that name. The caller clears it.
func (t *tool) readSource(source string) ([]byte, error) {
	info, err := os.Stat(source)
	switch {
	case errors.Is(err, fs.ErrNotExist) && filepath.Base(source) == source:
		text, err := t.describe(source)
		if err != nil {
			return nil, advisedError{fmt.Errorf("import %s: it is neither a file nor a device: %w", source, err),
				"name a file, or a device that ip link shows"}
		}
		return text, nil
	case err != nil:
		return nil, err
	case info.Size() > maxForeign:
		return nil, fmt.Errorf("import %s: it is longer than %d octets", source, maxForeign)
	}
	return os.ReadFile(source)
}

// complete gives the ports the devices that were not named.
func complete(ports []foreign.Port, lower string) error {
	for i := range ports {
		p := &ports[i]
		if p.Interface == "" && len(ports) > 1 {
			return errors.New("it has several links, and does not say on which devices; import one at a time")
		}
		p.Interface = cmp.Or(p.Interface, lower)
		if p.Interface == "" {
			return usageError{errors.New("it does not say on which device; give --interface")}
		}
		p.Controlled = cmp.Or(p.Controlled, fmt.Sprintf("macsec%d", i))
	}
	return nil
}

// writeImport writes all files or none.
func (t *tool) writeImport(ports []foreign.Port, f importFlags) (err error) {
	var written []string
	defer func() {
		for _, file := range written {
			if err != nil {
				os.Remove(file)
			}
		}
	}()
	for _, p := range ports {
		file := filepath.Join(f.keys, p.Interface+".toml")
		if err := t.writeImportedKey(p, file); err != nil {
			return err
		}
		written = append(written, file)
	}
	if err := writeNew(f.config, foreign.Config(ports, written)); err != nil {
		return advisedError{err, "name another file with --config, and bring them together"}
	}
	keys := written
	written = append(written, f.config)
	if _, problems := config.Load(f.config); problems.Errors() != nil {
		return fmt.Errorf("what it says cannot be used: %s", problems.Errors()[0])
	}
	return t.printImport(ports, keys, f.config)
}

func (t *tool) writeImportedKey(p foreign.Port, file string) error {
	key := p.KeyFile()
	if key == nil {
		var err error
		if key, err = config.GenerateKey(256, t.random); err != nil {
			return err
		}
	}
	defer clear(key)
	return writeKey(file, key)
}

func writeNew(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return cmp.Or(err, f.Close())
}

// printImport says what was written, and what is to be done. It shows no key.
func (t *tool) printImport(ports []foreign.Port, keys []string, file string) error {
	text := ""
	for i, p := range ports {
		text += keys[i] + ": "
		if p.CAK == nil {
			text += "a fresh key; bring it to the other members of the link\n"
		} else {
			text += fmt.Sprintf("the key of %s\n", p.Interface)
		}
		for _, note := range p.Notes {
			text += note + "\n"
		}
	}
	return t.print(text + file + ": made; end the other program before mkad starts. To look at it: mkad --check --config " + file + "\n")
}

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/spf13/cobra"

	"mkad/internal/config"
	"mkad/internal/control"
	"mkad/internal/foreign"
)

// importFlags say where what is imported goes, and how it is told.
type importFlags struct {
	lower, config, keys string
	asJSON              bool
}

// maxForeign bounds what is read of another program, in octets: a configuration of some hundred networks.
const maxForeign = 1 << 20

func (t *tool) importOther() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Make a configuration of what another program has",
		Long: "Import makes mkad.toml and CAK files, mode 0600, of a wpa_supplicant.conf, of a NetworkManager keyfile, or of\n" +
			"macsec devices that were made by hand: FILE is what \"ip -details link\" or \"ip macsec show\" prints, or the name of\n" +
			"such a device. Keys of devices are no CAKs; a fresh one is made, for all members of the link. Where FILE does not\n" +
			"name the Controlled Port, it is called as the macsec device above the lower device is, or macsecN, the first that\n" +
			"no device and no configuration beside the new one has. Files that exist are left alone. Nothing is started or\n" +
			"changed otherwise.",
		Example: "  mkactl import /etc/wpa_supplicant/wpa_supplicant-wired-eth1.conf --interface eth1",
		Args:    takes("FILE"),
		RunE:    func(_ *cobra.Command, args []string) error { return t.importFrom(args[0], f) },
	}
	cmd.Flags().StringVar(&f.lower, "interface", "", "lower `device`, where FILE does not name it")
	cmd.Flags().StringVar(&f.config, "config", defaultConfig, "write this new configuration `file`")
	jsonFlag(cmd, &f.asJSON)
	cmd.Flags().StringVar(&f.keys, "keys", "/etc/mkad/keys", "`directory` for the CAK files")
	return cmd
}

func (t *tool) importFrom(source string, f importFlags) error {
	if err := t.hideMemory(); err != nil {
		return err
	}
	text, err := t.readSource(source)
	if err != nil {
		return err
	}
	defer clear(text)
	ports, err := foreign.Read(text)
	if err != nil {
		return fmt.Errorf("import %s: %w", source, err)
	}
	if err := t.complete(ports, f); err != nil {
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
	case !info.Mode().IsRegular() && info.Mode().Type() != fs.ModeNamedPipe: // the shell's <(ip macsec show) is one
		return nil, advisedError{fmt.Errorf("import %s: it is not a regular file", source), "name a file, or a device that ip link shows"}
	}
	return readBounded(source)
}

// readBounded reads a file that is not longer than maxForeign, into one piece of memory: growing would leave copies of a key.
func readBounded(source string) ([]byte, error) {
	file, err := os.Open(source)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text := make([]byte, maxForeign+1)
	n, err := io.ReadFull(file, text)
	switch {
	case err == nil:
		clear(text)
		return nil, advisedError{fmt.Errorf("import %s: it is longer than %d octets", source, maxForeign),
			"copy the networks that have an mka_cak to a file of their own"}
	case err != io.EOF && err != io.ErrUnexpectedEOF:
		clear(text)
		return nil, err
	}
	return text[:n], nil
}

// complete gives the ports the devices that were not named.
func (t *tool) complete(ports []foreign.Port, f importFlags) error {
	taken := controlledBeside(f.config)
	for i := range ports {
		p := &ports[i]
		if p.Interface == "" && len(ports) > 1 {
			return errors.New("it has several links, and does not say on which devices; import one at a time")
		}
		p.Interface = cmp.Or(p.Interface, f.lower)
		if p.Interface == "" {
			return usageError{errors.New("it does not say on which device; give --interface")}
		}
		if p.Controlled == "" {
			p.Controlled = freeName(p.Interface, taken, t.lowers())
		}
		taken[p.Controlled] = true
	}
	return nil
}

// controlledBeside has the Controlled Ports of the configurations in the directory of a file.
func controlledBeside(file string) map[string]bool {
	taken := map[string]bool{}
	others, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*.toml")) // a name that is no pattern has none
	for _, other := range others {
		cfg, _ := config.Load(other)
		if cfg == nil {
			continue // a CAK file, or what no mkad takes
		}
		for _, p := range cfg.Ports {
			taken[p.Controlled] = true
		}
	}
	return taken
}

// freeName is the name for the Controlled Port of a lower device: of the device that the other program has made above it, so
// that what the host knows of it stays right, or the first that is free.
func freeName(lower string, taken map[string]bool, devices map[string][]string) string {
	for _, name := range slices.Sorted(maps.Keys(devices)) {
		if ordinary.MatchString(name) && !taken[name] && slices.Contains(devices[name], lower) {
			return name
		}
	}
	for n := 0; ; n++ {
		name := fmt.Sprintf("macsec%d", n)
		if _, exists := devices[name]; !exists && !taken[name] {
			return name
		}
	}
}

// ordinary are the names that the kernel gives macsec devices.
var ordinary = regexp.MustCompile(`^macsec\d+$`)

// writeImport writes all files or none.
func (t *tool) writeImport(ports []foreign.Port, f importFlags) (err error) {
	var written, paths []string
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
		path, err := fromConfig(file, f.config)
		if err != nil {
			return err
		}
		paths = append(paths, path)
	}
	if err := writeNew(f.config, foreign.Config(ports, paths)); err != nil {
		return err
	}
	keys := written
	written = append(written, f.config)
	if _, problems := config.Load(f.config); problems.Errors() != nil {
		return fmt.Errorf("what it says cannot be used: %s", problems.Errors()[0])
	}
	done := doneOf(ports, keys, f.config)
	return t.tell(f.asJSON, done.String(), done)
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

// fromConfig is how a configuration names a file: mkad looks for what is relative from the directory of the configuration on.
func fromConfig(file, configuration string) (string, error) {
	if filepath.IsAbs(file) {
		return file, nil
	}
	dir, err := filepath.Abs(filepath.Dir(configuration))
	if err != nil {
		return "", err
	}
	if file, err = filepath.Abs(file); err != nil {
		return "", err
	}
	if below, err := filepath.Rel(dir, file); err == nil && filepath.IsLocal(below) {
		return below, nil
	}
	return file, nil
}

func writeNew(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	switch {
	case errors.Is(err, fs.ErrExist):
		return advisedError{err, "name another file in that directory with --config, and copy the [[port]] in it to the end of " + file}
	case errors.Is(err, fs.ErrNotExist):
		return advisedError{err, "mkdir -p " + filepath.Dir(file)}
	case err != nil:
		return err
	}
	_, err = f.WriteString(text)
	return cmp.Or(err, f.Close())
}

// importDone is what was made of what another program had. It shows no key.
type importDone struct {
	Version int            `json:"version"`
	Config  string         `json:"config"`
	Ports   []importedPort `json:"ports"`
}

type importedPort struct {
	Interface  string   `json:"interface"`
	Controlled string   `json:"controlled"`
	Keys       string   `json:"keys"`      // the CAK file
	FreshKey   bool     `json:"fresh_key"` // which the other members do not have yet
	Notes      []string `json:"notes"`     // of what was there and has no like here
}

func doneOf(ports []foreign.Port, keys []string, file string) importDone {
	d := importDone{Version: control.Version, Config: file}
	for i, p := range ports {
		d.Ports = append(d.Ports, importedPort{p.Interface, p.Controlled, keys[i], p.CAK == nil, append([]string{}, p.Notes...)})
	}
	return d
}

// String says what was written, and what is to be done.
func (d importDone) String() string {
	text := ""
	for _, p := range d.Ports {
		text += p.Keys + ": "
		if p.FreshKey {
			text += "a fresh key; bring it to the other members of the link\n"
		} else {
			text += fmt.Sprintf("the key of %s\n", p.Interface)
		}
		for _, note := range p.Notes {
			text += note + "\n"
		}
	}
	return text + d.Config + ": made; end the other program before mkad starts. To look at it: mkad --check --config " + d.Config + "\n"
}

package guest

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// moduleOptions keep modules from making devices that nobody asked for.
const moduleOptions = "options bonding max_bonds=0\noptions dummy numdummies=0\noptions ifb numifbs=0\n"

// A module is a loadable part of a kernel, decompressed.
type module struct {
	name    string // as the kernel spells it, with "_"
	content []byte
	depends []string
	aliases []string
}

// A moduleSet is the modules that go into a guest, what they depend on before them.
type moduleSet struct {
	release string
	files   map[string]string // all that the kernel has, by name
	builtin map[string]bool
	chosen  []module
	unxz    func(file string) ([]byte, error)
}

// openModules looks at the modules of a kernel in an unpacked tree, without choosing any.
func openModules(ctx context.Context, tree, pattern string) (*moduleSet, error) {
	dir, err := inTree(tree, pattern)
	if err != nil {
		return nil, err
	}
	s := &moduleSet{release: filepath.Base(dir), files: make(map[string]string), builtin: make(map[string]bool),
		unxz: func(file string) ([]byte, error) {
			out, err := output(ctx, filepath.Join(tree, "bin/busybox"), "unxz", "-c", file)
			return []byte(out), err
		}}
	list, err := os.ReadFile(filepath.Join(dir, "modules.builtin"))
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	for _, file := range strings.Fields(string(list)) {
		s.builtin[moduleName(file)] = true
	}
	return s, filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if name, isModule := cutModule(file); err == nil && isModule {
			s.files[moduleName(name)] = file
		}
		return err
	})
}

func cutModule(file string) (string, bool) {
	return strings.CutSuffix(strings.TrimSuffix(file, ".xz"), ".ko")
}

func moduleName(file string) string {
	return strings.ReplaceAll(strings.TrimSuffix(path.Base(file), ".ko"), "-", "_")
}

// choose adds a module and what it depends on. What is built into the kernel is there already.
func (s *moduleSet) choose(name string) error {
	name = moduleName(name)
	if s.builtin[name] || slices.ContainsFunc(s.chosen, func(m module) bool { return m.name == name }) {
		return nil
	}
	m, err := s.read(name)
	if err != nil {
		return err
	}
	for _, d := range m.depends {
		if err := s.choose(d); err != nil {
			return fmt.Errorf("module %s: %w", name, err)
		}
	}
	s.chosen = append(s.chosen, m)
	return nil
}

func (s *moduleSet) read(name string) (m module, err error) {
	file, known := s.files[name]
	if !known {
		return m, fmt.Errorf("kernel %s has no module %s", s.release, name)
	}
	if strings.HasSuffix(file, ".xz") {
		m.content, err = s.unxz(file)
	} else {
		m.content, err = os.ReadFile(file)
	}
	if err != nil {
		return m, fmt.Errorf("read module %s: %w", name, err)
	}
	m.name = name
	return m, m.readInfo()
}

// readInfo takes from a module what it says of itself: strings of the form KEY=VALUE, each ended by a zero octet. The
// packages hold no list of dependencies; an installed Debian makes it when a kernel is installed.
func (m *module) readInfo() error {
	f, err := elf.NewFile(bytes.NewReader(m.content))
	if err != nil {
		return fmt.Errorf("read module %s: %w", m.name, err)
	}
	section := f.Section(".modinfo")
	if section == nil {
		return fmt.Errorf("read module %s: it says nothing of itself", m.name)
	}
	info, err := section.Data()
	if err != nil {
		return fmt.Errorf("read module %s: %w", m.name, err)
	}
	for entry := range strings.SplitSeq(string(info), "\x00") {
		switch key, value, _ := strings.Cut(entry, "="); key {
		case "depends":
			m.depends = strings.FieldsFunc(value, func(r rune) bool { return r == ',' })
		case "alias":
			m.aliases = append(m.aliases, value)
		}
	}
	return nil
}

// write adds the chosen modules to an archive, with what modprobe reads, and the list of those to load in every guest.
func (s *moduleSet) write(c *cpio, load []string) {
	dir := "usr/lib/modules/" + s.release
	var depends, aliases strings.Builder
	for _, m := range s.chosen {
		c.text(dir+"/"+m.name+".ko", string(m.content))
		fmt.Fprintf(&depends, "%s.ko:", m.name)
		for _, d := range s.needs(m) {
			fmt.Fprintf(&depends, " %s.ko", d)
		}
		fmt.Fprintln(&depends)
		for _, a := range m.aliases {
			fmt.Fprintf(&aliases, "alias %s %s\n", a, m.name)
		}
	}
	c.text(dir+"/modules.dep", depends.String())
	c.text(dir+"/modules.alias", aliases.String())
	c.text("etc/modprobe.d/guest.conf", moduleOptions)
	var loaded strings.Builder
	for _, name := range load {
		if !s.builtin[moduleName(name)] {
			fmt.Fprintln(&loaded, moduleName(name))
		}
	}
	c.text("etc/modules", loaded.String())
}

// needs names all modules below one, those that need others before those: the order of modules.dep, which modprobe
// loads from its end.
func (s *moduleSet) needs(m module) (names []string) {
	wanted := map[string]bool{m.name: true}
	for _, below := range slices.Backward(s.chosen) { // chosen has what is needed first
		if !wanted[below.name] {
			continue
		}
		for _, d := range below.depends {
			wanted[moduleName(d)] = true
		}
		if below.name != m.name {
			names = append(names, below.name)
		}
	}
	return names
}

package guest

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// programs are carried into every guest, each with the libraries that it is linked to.
var programs = []string{"bash", "bridge", "busybox", "dnsmasq", "ethtool", "ip", "iperf3", "nft", "ping", "ss", "tc",
	"tcpdump", "wpa_cli", "wpa_supplicant"}

// libraries are needed without being named in a program: libgcc_s by threads that are cancelled, the others by test
// binaries that are linked with cgo, as those of the race detector are.
var libraries = []string{"libgcc_s.so.1", "libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "libresolv.so.2"}

// interpreter starts what is linked dynamically; its place is in every such program.
const interpreter = "lib64/ld-linux-x86-64.so.2"

var (
	programDirs = []string{"bin", "sbin", "usr/bin", "usr/sbin"}
	libraryDirs = []string{"lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"}
)

// A selection is what of an unpacked tree goes into the guest: its path there, and the file. All is below /usr, as on
// an installed Debian.
type selection map[string]string

// addPrograms chooses the programs and what they are linked to.
func (s selection) addPrograms(tree string) error {
	s["usr/"+interpreter] = filepath.Join(tree, interpreter)
	for _, name := range programs {
		file, err := findIn(tree, programDirs, name)
		if err != nil {
			return err
		}
		s["usr/bin/"+name] = file
		if err := s.addLinked(tree, file); err != nil {
			return err
		}
	}
	for _, name := range libraries {
		if err := s.addLibrary(tree, name); err != nil {
			return err
		}
	}
	return nil
}

// addLinked chooses the libraries of a program or library.
func (s selection) addLinked(tree, file string) error {
	f, err := elf.Open(file)
	if err != nil {
		return fmt.Errorf("read what %s is linked to: %w", filepath.Base(file), err)
	}
	defer f.Close()
	needed, err := f.ImportedLibraries()
	if err != nil {
		return fmt.Errorf("read what %s is linked to: %w", filepath.Base(file), err)
	}
	for _, name := range needed {
		if err := s.addLibrary(tree, name); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
	}
	return nil
}

func (s selection) addLibrary(tree, name string) error {
	if strings.HasPrefix(name, "ld-linux") {
		return nil
	}
	place := "usr/lib/x86_64-linux-gnu/" + name
	if s[place] != "" {
		return nil
	}
	file, err := findIn(tree, libraryDirs, name)
	if err != nil {
		return err
	}
	s[place] = file
	return s.addLinked(tree, file)
}

// findIn finds a file of an unpacked tree. A link may lead to another directory of the tree, and then is absolute.
func findIn(tree string, dirs []string, name string) (string, error) {
	for _, dir := range dirs {
		file := filepath.Join(tree, dir, name)
		target, err := os.Readlink(file)
		if err == nil && filepath.IsAbs(target) {
			file = filepath.Join(tree, target)
		}
		if _, err := os.Stat(file); err == nil {
			return file, nil
		} else if !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("%s is in none of the packages", name)
}

// write adds the selection to an archive, and the links by which / looks like Debian's.
func (s selection) write(c *cpio) {
	for _, dir := range []string{"bin", "sbin", "lib", "lib64"} {
		c.directory("usr/" + dir)
		c.symlink(dir, "usr/"+dir)
	}
	for _, place := range sortedKeys(s) {
		c.copy(place, s[place])
	}
}

// writeApplets adds busybox's applets wherever there is no program of the same name.
func (s selection) writeApplets(c *cpio, applets []string) {
	for _, name := range applets {
		if s["usr/bin/"+name] == "" {
			c.symlink("usr/bin/"+name, "busybox")
		}
	}
	c.symlink("usr/sbin/modprobe", "../bin/busybox") // where the kernel looks for it
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

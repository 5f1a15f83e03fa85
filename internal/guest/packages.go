package guest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// tools are the Debian packages of every guest; apt adds what they depend on.
var tools = []string{"bash", "busybox-static", "dnsmasq-base", "ethtool", "iperf3", "iproute2", "iputils-ping",
	"nftables", "tcpdump", "wpasupplicant"}

// aptOptions have apt act as on a machine that has no package yet, so that it names everything that is needed, with the
// C library, and without root. It writes below the given directory only.
func aptOptions(archives string) []string {
	return []string{"-qq", "-y",
		"-o", "Dir::State::status=/dev/null",
		"-o", "Dir::Cache::archives=" + archives,
		"-o", "Debug::NoLocking=1", // the locks are for what is not written here
		"-o", "APT::Install-Recommends=false",
		"-o", "APT::Sandbox::User=" + fmt.Sprint(os.Getuid()),
	}
}

// resolve names the package files, with their versions, that a kernel's guest is made of, in a fixed order.
func resolve(ctx context.Context, f flavour) ([]string, error) {
	args := append(aptOptions("/nonexistent"), "--print-uris", "install")
	out, err := apt(ctx, append(args, join(tools, f.packages)...)...)
	if err != nil {
		return nil, err
	}
	files := packageFiles(out)
	if len(files) == 0 {
		return nil, errors.New("apt names no package; as root: apt-get update")
	}
	return files, nil
}

// packageFiles takes the names of files, in order, from what apt prints of its plan: 'URI' FILE SIZE HASH.
func packageFiles(plan string) (files []string) {
	for line := range strings.Lines(plan) {
		if fields := strings.Fields(line); len(fields) >= 3 && strings.HasPrefix(line, "'") {
			files = append(files, fields[1])
		}
	}
	slices.Sort(files)
	return files
}

// download puts the package files into a directory; apt checks their signatures.
func download(ctx context.Context, f flavour, dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "partial"), 0o755); err != nil {
		return err
	}
	args := append(aptOptions(dir), "--download-only", "install")
	_, err := apt(ctx, append(args, join(tools, f.packages)...)...)
	return err
}

// apt runs apt-get. When it fails, root brings its lists up to date and tries once more: packages leave the archive
// when their successors come, and a fresh machine has no lists.
func apt(ctx context.Context, args ...string) (string, error) {
	return aptIn(ctx, "", args...)
}

func aptIn(ctx context.Context, dir string, args ...string) (string, error) {
	out, err := outputIn(ctx, dir, "apt-get", args...)
	if err == nil {
		return out, nil
	}
	if os.Geteuid() != 0 {
		return "", fmt.Errorf("%w; as root: apt-get update", err)
	}
	if _, err := output(ctx, "apt-get", "-qq", "update"); err != nil {
		return "", err
	}
	return outputIn(ctx, dir, "apt-get", args...)
}

// unpackers is how many packages are unpacked at once; more do not help, for the largest takes most of the time.
const unpackers = 2

// unpack puts the files of packages into a tree, as if they were installed, without running anything of theirs.
func unpack(ctx context.Context, archives, tree string) error {
	packages, err := filepath.Glob(filepath.Join(archives, "*.deb"))
	if err != nil {
		return err
	}
	if len(packages) == 0 {
		return errors.New("unpack packages: none was downloaded")
	}
	if err := os.MkdirAll(tree, 0o755); err != nil {
		return err
	}
	queue := make(chan string, len(packages))
	for _, p := range packages {
		queue <- p
	}
	close(queue)
	failures := make([]error, unpackers)
	var group sync.WaitGroup
	for i := range unpackers {
		group.Go(func() {
			for p := range queue {
				if _, err := output(ctx, "dpkg-deb", "--extract", p, tree); err != nil {
					failures[i] = err
				}
			}
		})
	}
	group.Wait()
	return errors.Join(failures...)
}

// output runs a program to its end and returns what it wrote; an error has what it complained of.
func output(ctx context.Context, program string, args ...string) (string, error) {
	return outputIn(ctx, "", program, args...)
}

func outputIn(ctx context.Context, dir, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("run %s: %w: %s", filepath.Base(program), err, tail(complaint.String(), 5))
	}
	return string(out), nil
}

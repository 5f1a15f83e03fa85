package guest

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// netdevsimFile is the module that netdevsim builds, beside the image that it belongs to.
const netdevsimFile = "netdevsim.ko"

// buildTools are the programs that a module is built with, and Debian's packages for them.
var buildTools = []struct{ program, pkg string }{
	{"gcc-12", "gcc-12"}, {"make", "make"}, {"strip", "binutils"}, {"xz", "xz-utils"},
}

// netdevsim returns the module of the kernel's simulated network device, built for an image: Debian leaves it out of
// its kernels. The first call downloads the kernel's source, 150 MB, and takes a minute.
func netdevsim(ctx context.Context, i image, progress io.Writer) (string, error) {
	cache, unlock, err := lockCache()
	if err != nil {
		return "", err
	}
	defer unlock()
	file := i.file(netdevsimFile)
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	fmt.Fprintf(progress, "guest: building netdevsim for kernel %s\n", i.release)
	work, err := os.MkdirTemp(cache, "building-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	if err := buildNetdevsim(ctx, i.release, work); err != nil {
		return "", fmt.Errorf("build netdevsim: %w", err)
	}
	return file, os.Rename(filepath.Join(work, "drivers/net/netdevsim", netdevsimFile), file)
}

func buildNetdevsim(ctx context.Context, release, work string) error {
	if err := haveBuildTools(); err != nil {
		return err
	}
	headers, err := unpackSource(ctx, release, work)
	if err != nil {
		return err
	}
	source := filepath.Join(work, "drivers/net/netdevsim")
	// Without type information for BPF, which would need pahole.
	if _, err := output(ctx, "make", "-C", headers, "M="+source, "CONFIG_NETDEVSIM=m",
		"CONFIG_DEBUG_INFO_BTF_MODULES=", "modules"); err != nil {
		return err
	}
	_, err = output(ctx, "strip", "--strip-debug", filepath.Join(source, netdevsimFile))
	return err
}

func haveBuildTools() error {
	var missing []string
	for _, t := range buildTools {
		if _, err := exec.LookPath(t.program); err != nil {
			missing = append(missing, t.pkg)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("programs are missing; as root: apt-get install %s", strings.Join(missing, " "))
	}
	return nil
}

// unpackSource puts the driver's source below work, and the headers of the kernel, whose directory it returns.
func unpackSource(ctx context.Context, release, work string) (headers string, err error) {
	version, flavour, _ := strings.Cut(release, "+") // 6.12.117+deb12-amd64
	suite, _, _ := strings.Cut(flavour, "-")
	series := version[:strings.LastIndexByte(version, '.')]
	tree := filepath.Join(work, "tree")
	for _, name := range []string{"linux-headers-" + release, "linux-headers-" + version + "+" + suite + "-common",
		"linux-kbuild-" + version + "+" + suite, "linux-source-" + series} {
		if _, err := aptIn(ctx, work, "-qq", "download", name); err != nil {
			return "", err
		}
	}
	if err := unpack(ctx, work, tree); err != nil {
		return "", err
	}
	archive := filepath.Join(tree, "usr/src/linux-source-"+series+".tar.xz")
	if _, err := output(ctx, "tar", "-C", work, "--strip-components=1", "-xf", archive,
		"linux-source-"+series+"/drivers/net/netdevsim"); err != nil {
		return "", err
	}
	// The one absolute path in them is that of the headers that all flavours share.
	headers = filepath.Join(tree, "usr/src/linux-headers-"+release)
	common := filepath.Join(tree, "usr/src/linux-headers-"+version+"+"+suite+"-common")
	return headers, os.WriteFile(filepath.Join(headers, "Makefile"), []byte("include "+common+"/Makefile\n"), 0o644)
}

package guest

import (
	"bufio"
	"context"
	"crypto/sha256"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// recipe is all that decides what is in an image beside the packages: when it changes, another image is built.
//
//go:embed cpio.go kernel.go packages.go programs.go modules.go image.go preload.go preload/xstate.c
var recipe embed.FS

// The files of an image.
const (
	kernelFile   = "kernel"
	baseFile     = "base.cpio"    // the guest's root, without what a run brings
	releaseFile  = "release"      // of the kernel, as uname says it
	packagesFile = "packages.txt" // what it was made of
)

// An image is a kernel and the root of its guest, ready to boot. It does not change once it is there, so that any
// number of guests may boot from it.
type image struct {
	kernel  Kernel
	dir     string
	release string
}

func (i image) file(name string) string { return filepath.Join(i.dir, name) }

// Prepare brings a kernel's image up to date: it asks apt for the newest versions, and downloads and builds if they are
// other ones than before, which takes less than a minute. It tells on progress what it does. Root is not needed; but
// as root it lets apt refresh its lists. Images are kept in $XDG_CACHE_HOME/mkad-guest, else for root in
// /var/cache/mkad-guest, else in ~/.cache/mkad-guest, and may be removed at any time when no guest boots.
func Prepare(ctx context.Context, k Kernel, progress io.Writer) error {
	cache, unlock, err := lockCache()
	if err != nil {
		return err
	}
	defer unlock()
	_, err = prepare(ctx, k, cache, progress)
	return err
}

// open returns the image that is there, whatever its versions, so that runs of one day are alike and need no network;
// it prepares the first.
func open(ctx context.Context, k Kernel, progress io.Writer) (image, error) {
	cache, unlock, err := lockCache()
	if err != nil {
		return image{}, err
	}
	defer unlock()
	if i, err := load(k, filepath.Join(cache, currentLink(k))); err == nil {
		return i, nil
	}
	return prepare(ctx, k, cache, progress)
}

func load(k Kernel, dir string) (image, error) {
	release, err := os.ReadFile(filepath.Join(dir, releaseFile))
	if err != nil {
		return image{}, err
	}
	dir, err = filepath.EvalSymlinks(dir)
	return image{kernel: k, dir: dir, release: string(release)}, err
}

func prepare(ctx context.Context, k Kernel, cache string, progress io.Writer) (image, error) {
	f, err := flavourOf(k)
	if err != nil {
		return image{}, err
	}
	packages, err := resolve(ctx, f)
	if err != nil {
		return image{}, fmt.Errorf("prepare guest %s: %w", k, err)
	}
	list := strings.Join(packages, "\n") + "\n"
	name := currentLink(k) + "-" + digest([]byte(list))
	dir := filepath.Join(cache, name)
	if _, err := os.Stat(dir); err != nil {
		fmt.Fprintf(progress, "guest: building the image of kernel %s in %s\n", k, dir)
		if err := build(ctx, f, list, dir); err != nil {
			return image{}, fmt.Errorf("prepare guest %s: %w", k, err)
		}
	}
	if err := relink(filepath.Join(cache, currentLink(k)), name); err != nil {
		return image{}, fmt.Errorf("prepare guest %s: %w", k, err)
	}
	removeOld(k, cache, name)
	return load(k, dir)
}

// oldAge is how long an image stays when there is a newer one: whoever has just chosen it gets to boot.
const oldAge = 24 * time.Hour

// removeOld removes what newer versions have replaced. What cannot be removed only takes room.
func removeOld(k Kernel, cache, current string) {
	hex := strings.Repeat("[0-9a-f]", 2*digestLength)
	images, _ := filepath.Glob(filepath.Join(cache, string(k)+"-"+hex+"-"+hex)) // the pattern is a good one
	for _, dir := range images {
		info, err := os.Stat(dir)
		if err == nil && filepath.Base(dir) != current && time.Since(info.ModTime()) > oldAge {
			_ = os.RemoveAll(dir)
		}
	}
}

// digestLength is the octets of a digest that tell images apart.
const digestLength = 4

// currentLink is the name under which the image in use is found: of this recipe, in its latest versions.
func currentLink(k Kernel) string {
	h := sha256.New()
	_ = fs.WalkDir(recipe, ".", func(name string, d fs.DirEntry, _ error) error {
		content, _ := recipe.ReadFile(name) // what is embedded can be read; a directory has no content
		h.Write(content)
		return nil
	})
	return fmt.Sprintf("%s-%x", k, h.Sum(nil)[:digestLength])
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return fmt.Sprintf("%x", sum[:digestLength])
}

func relink(link, target string) error {
	if err := os.Remove(link); err != nil && !os.IsNotExist(err) {
		return err
	}
	return os.Symlink(target, link)
}

// build makes an image beside its place and then moves it there, so that there is never half of one.
func build(ctx context.Context, f flavour, list, dir string) error {
	work, err := os.MkdirTemp(filepath.Dir(dir), "building-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	archives, tree, made := filepath.Join(work, "archives"), filepath.Join(work, "tree"), filepath.Join(work, "made")
	if err := download(ctx, f, archives); err != nil {
		return err
	}
	if err := unpack(ctx, archives, tree); err != nil {
		return err
	}
	if err := os.Mkdir(made, 0o755); err != nil {
		return err
	}
	if err := fill(ctx, f, tree, list, made); err != nil {
		return err
	}
	return os.Rename(made, dir)
}

// fill makes the files of an image from an unpacked tree.
func fill(ctx context.Context, f flavour, tree, list, dir string) error {
	kernel, err := inTree(tree, f.image)
	if err != nil {
		return err
	}
	if err := os.Rename(kernel, filepath.Join(dir, kernelFile)); err != nil {
		return err
	}
	if f.preload {
		if err := buildPreload(ctx, dir); err != nil {
			return err
		}
	}
	modules, err := openModules(ctx, tree, f.modules)
	if err != nil {
		return err
	}
	for _, name := range join(f.load, f.demand) {
		if err := modules.choose(name); err != nil {
			return err
		}
	}
	if err := writeBase(ctx, tree, modules, f.load, filepath.Join(dir, baseFile)); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, packagesFile), []byte(list), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, releaseFile), []byte(modules.release), 0o644)
}

// writeBase writes the root of the guest. It is not compressed: an emulated processor unpacks slower than it copies.
func writeBase(ctx context.Context, tree string, modules *moduleSet, loaded []string, file string) error {
	chosen := selection{}
	if err := chosen.addPrograms(tree); err != nil {
		return err
	}
	applets, err := output(ctx, chosen["usr/bin/busybox"], "--list")
	if err != nil {
		return err
	}
	return create(file, func(w io.Writer) error {
		c := newCPIO(w)
		for _, dir := range []string{"dev", "proc", "sys", "run", "tmp", "root", "out", "var/lib", "usr/local/bin"} {
			c.directory(dir)
		}
		chosen.write(c)
		chosen.writeApplets(c, strings.Fields(applets))
		modules.write(c, loaded)
		c.text("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\n")
		c.text("etc/group", "root:x:0:\nnogroup:x:65534:\n")
		c.text("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
		return c.close()
	})
}

// create writes a file through a buffer.
func create(name string, write func(io.Writer) error) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := write(w); err != nil {
		return err
	}
	return w.Flush()
}

// lockCache makes the cache directory and holds its lock: test programs run side by side, and one builds for all.
func lockCache() (dir string, unlock func(), err error) {
	dir, err = cacheDir()
	if err != nil {
		return "", nil, fmt.Errorf("find a cache directory: %w; set XDG_CACHE_HOME", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return "", nil, err
	}
	for {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX)
		if err == nil {
			return dir, func() { lock.Close() }, nil
		}
		if err != unix.EINTR {
			lock.Close()
			return "", nil, fmt.Errorf("lock %s: %w", dir, err)
		}
	}
}

func cacheDir() (string, error) {
	if os.Getenv("XDG_CACHE_HOME") == "" && os.Geteuid() == 0 {
		return "/var/cache/mkad-guest", nil
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "mkad-guest"), err
}

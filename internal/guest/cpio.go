package guest

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// The file types of a cpio header, as in stat(2).
const (
	cpioDirectory = 0o040000
	cpioRegular   = 0o100000
	cpioSymlink   = 0o120000
)

// cpioAlign is the alignment of headers and data in an archive, and of an archive that follows another in an initramfs.
const cpioAlign = 4

// A cpio writes an archive in the "newc" format, which the kernel unpacks as its first root (kernel documentation,
// driver-api/early-userspace/buffer-format). All in it belongs to root. The first error sticks and is what close returns.
type cpio struct {
	w       io.Writer
	err     error
	inode   int
	written int64
	made    map[string]bool // directories, which the kernel wants before what is in them
}

func newCPIO(w io.Writer) *cpio {
	return &cpio{w: w, made: map[string]bool{".": true}}
}

// directory adds a directory and those that it is in; a name may come again.
func (c *cpio) directory(name string) {
	name = path.Clean(strings.TrimPrefix(name, "/"))
	if c.made[name] {
		return
	}
	c.directory(path.Dir(name))
	c.made[name] = true
	c.header(name, cpioDirectory|0o755, 0)
}

func (c *cpio) symlink(name, target string) {
	c.entry(name, cpioSymlink|0o777, int64(len(target)), strings.NewReader(target))
}

func (c *cpio) text(name, content string) {
	c.entry(name, cpioRegular|0o644, int64(len(content)), strings.NewReader(content))
}

func (c *cpio) script(name, content string) {
	c.entry(name, cpioRegular|0o755, int64(len(content)), strings.NewReader(content))
}

// copy adds a file of this machine, with its permissions.
func (c *cpio) copy(name, source string) {
	f, err := os.Open(source)
	if err != nil {
		c.fail(err)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		c.fail(err)
		return
	}
	c.entry(name, cpioRegular|int(info.Mode().Perm()), info.Size(), f)
}

// copyTree adds every directory and regular file below source.
func (c *cpio) copyTree(name, source string) {
	c.fail(fs.WalkDir(os.DirFS(source), ".", func(below string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			c.directory(path.Join(name, below))
		case d.Type().IsRegular():
			c.copy(path.Join(name, below), source+"/"+below)
		}
		return c.err
	}))
}

// close ends the archive, so that another one may follow.
func (c *cpio) close() error {
	c.header("TRAILER!!!", 0, 0)
	return c.err
}

func (c *cpio) entry(name string, mode int, size int64, content io.Reader) {
	name = path.Clean(strings.TrimPrefix(name, "/"))
	c.directory(path.Dir(name))
	c.header(name, mode, size)
	if c.err != nil {
		return
	}
	n, err := io.Copy(c.w, content)
	c.written += n
	if err == nil && n != size {
		err = fmt.Errorf("archive %s: it has %d octets and had %d", name, n, size)
	}
	c.fail(err)
	c.pad()
}

func (c *cpio) header(name string, mode int, size int64) {
	if size > 1<<32-1 {
		c.fail(fmt.Errorf("archive %s: larger than the format allows", name))
		return
	}
	c.inode++
	// Magic, inode, mode, user, group, links, time, size, device of the file and in it, length of the name, checksum.
	c.write(fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		c.inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(name)+1, 0, name))
	c.pad()
}

func (c *cpio) pad() {
	c.write(strings.Repeat("\x00", int(-c.written&(cpioAlign-1))))
}

func (c *cpio) write(s string) {
	if c.err != nil {
		return
	}
	n, err := io.WriteString(c.w, s)
	c.written += int64(n)
	c.fail(err)
}

func (c *cpio) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

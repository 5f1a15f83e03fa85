package guest

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// filesFile is the archive of /out that the guest writes to its third port.
const filesFile = "files.tar"

// bootQEMU runs a whole machine: q35, because its clock is right without KVM, and microvm's is not. Output comes
// through a virtio console: two ports for the commands, one for the files.
func (r *run) bootQEMU(ctx context.Context) error {
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		return errors.New("qemu is missing; as root: apt-get install --no-install-recommends qemu-system-x86")
	}
	files := filepath.Join(r.scratch, filesFile)
	if err := r.execute(ctx, exec.Command("qemu-system-x86_64", r.qemuArguments(ctx, files)...)); err != nil {
		return err
	}
	defer os.Remove(files)
	return extract(files, r.Out)
}

func (r *run) qemuArguments(ctx context.Context, files string) []string {
	args := []string{
		"-M", "q35", "-cpu", "max", "-m", strconv.Itoa(r.Memory), "-smp", strconv.Itoa(r.CPUs),
		"-nodefaults", "-no-user-config", "-vga", "none", "-display", "none", "-no-reboot",
		"-kernel", r.image.file(kernelFile), "-initrd", r.initrd(),
		"-append", "console=ttyS0 quiet panic=1 reboot=t",
		"-serial", "stdio",
		"-device", "virtio-serial-pci",
	}
	for i, path := range []string{stdoutPath, stderrPath, files} {
		args = append(args,
			"-chardev", fmt.Sprintf("file,id=port%d,path=%s", i+1, path),
			"-device", fmt.Sprintf("virtserialport,nr=%d,chardev=port%d", i+1, i+1))
	}
	for i := range r.NICs {
		args = append(args,
			"-netdev", fmt.Sprintf("hubport,id=wire%d,hubid=0", i),
			"-device", fmt.Sprintf("e1000,netdev=wire%d,mac=52:54:00:00:00:%02x,romfile=", i, i+1))
	}
	return append(args, r.accelerator(ctx)...)
}

func (r *run) accelerator(ctx context.Context) []string {
	switch {
	case r.VirtualTime:
		return []string{"-accel", "tcg", "-icount", "shift=0,sleep=off"}
	case kvmWorks(ctx, r.image):
		return []string{"-accel", "kvm"}
	default:
		return []string{"-accel", "tcg"}
	}
}

// maxFiles bounds what a guest may leave, in octets; captures of seconds fit many times.
const maxFiles = 1 << 30

// extract unpacks the guest's files. A name that leads out of the directory is refused by os.Root.
func extract(archive, dir string) error {
	f, err := os.Open(archive)
	if err != nil {
		return errCutShort
	}
	defer f.Close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	entries := tar.NewReader(io.LimitReader(f, maxFiles))
	for {
		entry, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("unpack the guest's files: %w", err)
		}
		if err := extractOne(root, entry, entries); err != nil {
			return fmt.Errorf("unpack the guest's files: %w", err)
		}
	}
}

func extractOne(root *os.Root, entry *tar.Header, content io.Reader) error {
	name := filepath.Clean(entry.Name)
	switch entry.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o755)
	case tar.TypeReg:
		f, err := root.Create(name)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(f, content)
		return err
	}
	return nil // sockets and devices stay behind
}

package guest

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// entry is what the kernel reads of one entry.
type entry struct {
	name    string
	mode    uint64
	content string
}

// unarchive reads an archive as init/initramfs.c does: fields of eight hex digits, names and data at multiples of four.
func unarchive(t *testing.T, b []byte) (all []entry) {
	t.Helper()
	const header, fields = 110, 13
	align := func(n int) int { return (n + 3) &^ 3 }
	for at := 0; ; {
		if len(b) < at+header || string(b[at:at+6]) != "070701" {
			t.Fatalf("no header at octet %d of %d", at, len(b))
		}
		var field [fields]uint64
		for i := range field {
			field[i], _ = strconv.ParseUint(string(b[at+6+8*i:at+14+8*i]), 16, 32)
		}
		size, nameSize := int(field[6]), int(field[11])
		begin := align(at + header + nameSize)
		name := string(b[at+header : at+header+nameSize-1])
		if name == "TRAILER!!!" {
			return all
		}
		all = append(all, entry{name, field[1], string(b[begin : begin+size])})
		at = align(begin + size)
	}
}

func archived(t *testing.T, fill func(*cpio)) []entry {
	t.Helper()
	var b bytes.Buffer
	c := newCPIO(&b)
	fill(c)
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	if b.Len()%cpioAlign != 0 {
		t.Errorf("an archive of %d octets cannot be followed by another", b.Len())
	}
	return unarchive(t, b.Bytes())
}

func TestArchiveHasDirectoriesBeforeFiles(t *testing.T) {
	got := archived(t, func(c *cpio) {
		c.text("/a/b/x", "12345")
		c.text("a/b/y", "")
	})
	want := []entry{{"a", 0o40755, ""}, {"a/b", 0o40755, ""}, {"a/b/x", 0o100644, "12345"}, {"a/b/y", 0o100644, ""}}
	if !slices.Equal(got, want) {
		t.Errorf("archive has %v, want %v", got, want)
	}
}

func TestArchiveHasLinksAndScripts(t *testing.T) {
	got := archived(t, func(c *cpio) {
		c.symlink("bin", "usr/bin")
		c.script("init", "#!/bin/sh\n")
	})
	want := []entry{{"bin", 0o120777, "usr/bin"}, {"init", 0o100755, "#!/bin/sh\n"}}
	if !slices.Equal(got, want) {
		t.Errorf("archive has %v, want %v", got, want)
	}
}

func TestArchiveCopiesTreesWithPermissions(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "below"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "below", "program"), []byte("x"), 0o700); err != nil {
		t.Fatal(err)
	}
	got := archived(t, func(c *cpio) { c.copyTree("guest", dir) })
	want := []entry{{"guest", 0o40755, ""}, {"guest/below", 0o40755, ""}, {"guest/below/program", 0o100700, "x"}}
	if !slices.Equal(got, want) {
		t.Errorf("archive has %v, want %v", got, want)
	}
}

func TestArchiveKeepsItsFirstError(t *testing.T) {
	c := newCPIO(&bytes.Buffer{})
	c.copy("x", filepath.Join(t.TempDir(), "missing"))
	c.text("y", "y")
	if err := c.close(); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("close returned %v, want the error of the file that is missing", err)
	}
}

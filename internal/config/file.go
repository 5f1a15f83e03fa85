package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"unicode/utf8"
)

// A fileRule says which files are read at all.
type fileRule struct {
	max   int                                     // octets
	check func(fs.FileInfo) (what, remedy string) // of a regular file, when open; "" when it may be read
	make  func(path string) (remedy string)       // for a file that does not exist
}

// readFile reads a regular file whole. All checks are made on the open file, so that it cannot be exchanged between
// check and use; opening never waits, as it would on a FIFO. The caller owns the octets.
func (r fileRule) readFile(path string) ([]byte, Problems) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, Problems{r.openProblem(path, err)}
	}
	defer f.Close()

	if p, ok := r.inspect(path, f); !ok {
		return nil, Problems{p}
	}
	data, err := r.readAll(f)
	if err != nil {
		return nil, Problems{{File: path, What: "cannot be read: " + reason(err), Remedy: "mend or replace the file"}}
	}
	if len(data) > r.max {
		clear(data)
		return nil, Problems{r.sizeProblem(path)}
	}
	return data, nil
}

// readAll reads up to one octet more than is allowed. The buffer never grows, so no copy of a key is left behind.
func (r fileRule) readAll(f io.Reader) ([]byte, error) {
	data := make([]byte, r.max+1)
	n, err := io.ReadFull(f, data)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		clear(data)
		return nil, err
	}
	return data[:n], nil
}

// inspect looks at an open file before a single octet of it is read.
func (r fileRule) inspect(path string, f *os.File) (Problem, bool) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return Problem{File: path, What: "cannot be examined: " + reason(err), Remedy: "mend or replace the file"}, false
	case !info.Mode().IsRegular():
		return kindProblem(path, info.Mode()), false
	}
	if what, remedy := r.check(info); what != "" {
		return Problem{File: path, What: what, Remedy: remedy}, false
	}
	return Problem{}, true
}

func (r fileRule) openProblem(path string, err error) Problem {
	p := Problem{File: path, What: "cannot be opened: " + reason(err), Remedy: "name a file that can be read"}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.What, p.Remedy = "does not exist", r.make(path)
	case errors.Is(err, fs.ErrPermission):
		p.Remedy = "run as root, or chown it to the user that runs this (mkad, of a packaged service)"
	case errors.Is(err, syscall.ENXIO): // how the kernel refuses to open a socket
		return kindProblem(path, fs.ModeSocket)
	}
	return p
}

func (r fileRule) sizeProblem(path string) Problem {
	return Problem{File: path, What: fmt.Sprintf("is larger than %d KiB", r.max>>10), Remedy: "name a smaller file"}
}

func kindProblem(path string, mode fs.FileMode) Problem {
	kind := "a device"
	switch mode.Type() {
	case fs.ModeDir:
		kind = "a directory"
	case fs.ModeNamedPipe:
		kind = "a FIFO"
	case fs.ModeSocket:
		kind = "a socket"
	}
	return Problem{File: path, What: "is " + kind, Remedy: "name a regular file"}
}

// reason is an error of package os without the path, which the problem names already.
func reason(err error) string {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err
	}
	return err.Error()
}

// utf8BOM is the mark that some editors put before a text; it means nothing in UTF-8.
const utf8BOM = "\xef\xbb\xbf"

// checkText finds what no TOML file may contain: octets that are not UTF-8, control characters.
func checkText(file string, data []byte) Problems {
	for line, rest := 1, data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r == utf8.RuneError && size == 1:
			return Problems{{File: file, Line: line, What: "is not UTF-8", Remedy: "save the file as UTF-8"}}
		case r == '\n':
			line++
		case r == '\t', r == '\r' && bytes.HasPrefix(rest, []byte("\r\n")):
		case r < ' ', r == 0x7f:
			return Problems{{File: file, Line: line, What: fmt.Sprintf("contains the control character 0x%02x", r),
				Remedy: "remove it, and save the file as plain UTF-8 text"}}
		}
		rest = rest[size:]
	}
	return nil
}

// trimBOM returns the text behind the byte order mark, if there is one.
func trimBOM(data []byte) []byte { return bytes.TrimPrefix(data, []byte(utf8BOM)) }

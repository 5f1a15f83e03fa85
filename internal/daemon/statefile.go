package daemon

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"mkad/eapol"
	"mkad/mka"
	"mkad/secy"
)

// stateVersion is that of the state file's format. A file of another is not read.
const stateVersion = 1

// maxStateFile bounds what is read: 64 participants of 100 peers each take less.
const maxStateFile = 4 << 20

// A stateFile holds what a port's next process needs (mka.State): a line with a stateHeader, then the State. It is
// replaced as a whole, so that a process that ends meanwhile leaves the one or the other, and not synced: after a loss of
// power it is of another boot, and worth nothing.
type stateFile struct {
	path    string
	boot    string // the machine's boot
	log     *slog.Logger
	failure error // of the last attempt to keep it, which was told

	kept     []eapol.MI // under which the file knows us
	now      eapol.MI   // of the principal, as last to be kept; zero: there is none
	outdated bool       // the file can be neither replaced nor removed
}

// A stateHeader says whether the rest is to be believed.
type stateHeader struct {
	Version int
	Boot    string
	Sum     string // of the rest, SHA-256
}

func newStateFile(dir, name string, log *slog.Logger) *stateFile {
	return &stateFile{path: filepath.Join(dir, name+".json"), boot: bootID(), log: log}
}

// bootIDFile has the name of the machine's boot.
const bootIDFile = "/proc/sys/kernel/random/boot_id"

// bootID names the machine's boot; empty: it cannot be told, and no state is believed.
func bootID() string {
	text, err := os.ReadFile(bootIDFile)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// keep replaces the State. Where that fails there is none, or, if nothing can be removed either, one whose numbers begin
// beyond all that is used until it is too old, and that knows nothing of later SAKs: see repeats.
func (f *stateFile) keep(s *mka.State) {
	f.now = eapol.MI{}
	for i := range s.Participants {
		if s.Participants[i].Principal {
			f.now = s.Participants[i].MI
		}
	}
	err := errNoBoot
	if f.boot != "" {
		err = f.write(encodeState(s, f.boot))
	}
	f.outdated = false
	if err != nil {
		f.remove()
	} else {
		f.know(s)
	}
	if err != nil && f.failure == nil {
		what := "cannot keep the state: a restart begins anew with the peers"
		if f.outdated {
			what = "cannot keep the state, nor remove the one before, from which a restart goes on"
		}
		f.log.Warn(what, "error", err)
	}
	f.failure = err
}

// know notes what the file says.
func (f *stateFile) know(s *mka.State) {
	f.kept = f.kept[:0]
	for i := range s.Participants {
		f.kept = append(f.kept, s.Participants[i].MI)
	}
}

// repeats reports whether the next process could use a SAK again, with the packet numbers that this one used it with: one that
// the key server gives to a member that the file knows, but not that it had the SAK. Our own Key Numbers are reserved ahead.
func (f *stateFile) repeats(key secy.KeyID) bool {
	return f.outdated && slices.Contains(f.kept, f.now) && !bytes.HasPrefix(key[:], f.now[:])
}

// remove removes the State, so that nobody goes on with it.
func (f *stateFile) remove() {
	for _, path := range [...]string{f.path, f.path + newSuffix} {
		err := os.Remove(path)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if f.failure == nil {
			f.log.Warn("cannot remove the state", "error", err)
		}
		f.outdated = f.outdated || path == f.path
	}
}

// newSuffix is that of a file that is to take the place of another.
const newSuffix = ".new"

func (f *stateFile) write(text []byte) error {
	path := f.path + newSuffix
	err := writeFile(path, text)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		err = writeFile(path, text)
	}
	if err != nil {
		return err
	}
	if err := unix.Rename(path, f.path); err != nil {
		return &os.LinkError{Op: "rename", Old: path, New: f.path, Err: err}
	}
	return nil
}

// writeFile is os.WriteFile in three system calls where that takes ten: a State is kept with every hello.
func writeFile(path string, text []byte) error {
	fd, err := uninterrupted(func() (int, error) {
		return unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	})
	if err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	for err == nil && len(text) > 0 {
		var n int
		if n, err = uninterrupted(func() (int, error) { return unix.Write(fd, text) }); err == nil && n == 0 {
			err = io.ErrShortWrite
		}
		text = text[max(n, 0):]
	}
	if err = errors.Join(err, unix.Close(fd)); err != nil {
		return &fs.PathError{Op: "write", Path: path, Err: err}
	}
	return nil
}

// uninterrupted does it again where a signal came between.
func uninterrupted(do func() (int, error)) (n int, err error) {
	for {
		if n, err = do(); err != unix.EINTR {
			return n, err
		}
	}
}

// read returns the State that an earlier process of this boot has kept. fs.ErrNotExist: it has kept none.
func (f *stateFile) read() (mka.State, error) {
	file, err := os.OpenFile(f.path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return mka.State{}, err
	}
	defer file.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &stat); err != nil {
		return mka.State{}, fmt.Errorf("%s: %w", f.path, err)
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFREG || int(stat.Uid) != os.Geteuid() || stat.Mode&0o077 != 0 {
		return mka.State{}, fmt.Errorf("%s is not a file of mode 0600 that is ours", f.path)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxStateFile))
	if err != nil {
		return mka.State{}, err
	}
	s, err := decodeState(text, f.boot)
	if err != nil {
		return mka.State{}, fmt.Errorf("%s: %w", f.path, err)
	}
	f.know(&s)
	return s, nil
}

func encodeState(s *mka.State, boot string) []byte {
	body, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("daemon: encoding the state: %v", err))
	}
	head, err := json.Marshal(stateHeader{Version: stateVersion, Boot: boot, Sum: sumOf(body)})
	if err != nil {
		panic(fmt.Sprintf("daemon: encoding the state's header: %v", err))
	}
	return append(append(append(head, '\n'), body...), '\n')
}

// errOtherBoot is of what was kept before the machine was started: as it is to be.
var errOtherBoot = errors.New("it is of another boot of the machine")

// errNoBoot is of a process that must not see what it needs.
var errNoBoot = errors.New("the boot of the machine has no name: " + bootIDFile +
	" cannot be read; let mkad see it (in a unit, no ProcSubset=pid)")

func sumOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// decodeState takes a state file's text apart, or says why it is not to be believed.
func decodeState(text []byte, boot string) (s mka.State, err error) {
	first, body, _ := bytes.Cut(text, []byte("\n"))
	body = bytes.TrimSuffix(body, []byte("\n"))
	var h stateHeader
	if err := strictly(first, &h); err != nil {
		return s, fmt.Errorf("no header: %w", err)
	}
	switch {
	case h.Version != stateVersion:
		return s, fmt.Errorf("it is of format version %d, this is %d", h.Version, stateVersion)
	case boot == "":
		return s, errNoBoot
	case h.Boot != boot:
		return s, errOtherBoot
	case h.Sum != sumOf(body):
		return s, errors.New("it is damaged")
	}
	return s, strictly(body, &s)
}

// strictly decodes JSON that has nothing else.
func strictly(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows")
	}
	return nil
}

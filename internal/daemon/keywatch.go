package daemon

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settleTime is how long an edit of a CAK file is given to be whole: editors write in several steps.
const settleTime = 200 * time.Millisecond

// A keyWatch notices edits of CAK files at once. It watches directories, for a file is often replaced by another: by
// rename, or by a symbolic link, in whatever part of its path, that leads elsewhere from then on. What it misses, for
// instance on a network file system, the ports find when they look by themselves.
type keyWatch struct {
	log     *slog.Logger
	watcher *fsnotify.Watcher // nil: the host has none to give
}

func newKeyWatch(log *slog.Logger) *keyWatch {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("edits of CAK files are noticed late", "error", err)
	}
	return &keyWatch{log: log, watcher: w}
}

// run calls changed after something has happened in a directory that is watched, until ctx ends.
func (w *keyWatch) run(ctx context.Context, changed func()) {
	if w.watcher == nil {
		return
	}
	defer w.watcher.Close()
	settle := time.NewTimer(0)
	<-settle.C
	for waiting := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-settle.C:
			waiting = false
			changed()
			continue
		case <-w.watcher.Errors: // events were lost: look at all
		case <-w.watcher.Events:
		}
		if !waiting {
			waiting = true
			settle.Reset(settleTime)
		}
	}
}

// follow watches wherever the file at path could be replaced.
func (w *keyWatch) follow(path string) {
	if w == nil || w.watcher == nil {
		return
	}
	for _, dir := range places(path) {
		if err := w.watcher.Add(dir); err != nil {
			w.log.Debug("cannot watch a directory of CAK files", "directory", dir, "error", err)
		}
	}
}

// maxLinks bounds the symbolic links of one path, as the kernel does.
const maxLinks = 40

// places are the directories in which a name stands that path, or a symbolic link on its way, goes by. Where the way ends
// before the file, the last is that in which the next name is missing.
func places(path string) (dirs []string) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	at, rest, links := "/", names(path), 0
	for len(rest) > 0 {
		name := filepath.Join(at, rest[0])
		rest = rest[1:]
		target, err := os.Readlink(name)
		switch {
		case errors.Is(err, fs.ErrNotExist): // where it may come to be
			return append(dirs, at)
		case err != nil: // no link
			if len(rest) == 0 {
				dirs = append(dirs, at)
			}
			at = name
			continue
		case links == maxLinks:
			return dirs
		}
		links++
		dirs = append(dirs, at)
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(names(target), rest...)
	}
	return dirs
}

// names are the elements of a path.
func names(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == filepath.Separator })
}

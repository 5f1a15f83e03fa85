package port

// A follower is one consumer. Its channel has room for one Link, the newest.
type follower struct {
	name  string
	links chan Link
	last  Link
}

// Link returns the state of the device that has the name now.
func (w *Watcher) Link(name string) Link {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.table.link(name)
}

// Err returns nil while the Watcher works, and afterwards why it ended: an error that wraps that of its context, or one
// of netlink, after which another Watcher may be tried.
func (w *Watcher) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Follow delivers the state of the device that has the name: at once, and after each change of it. A consumer that is
// slow misses what lay between, never the latest state. The channel is closed by stop, which may be called more than
// once, and at the end of the Watcher.
func (w *Watcher) Follow(name string) (links <-chan Link, stop func()) {
	f := &follower{name: name, links: make(chan Link, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		close(f.links)
		return f.links, func() {}
	}
	w.followers[f] = struct{}{}
	f.offer(w.table.link(name))
	return f.links, func() { w.leave(f) }
}

// offer replaces a Link that nobody has taken yet. Its callers hold the Watcher's lock, so that after the channel has
// been emptied there is room in it.
func (f *follower) offer(l Link) {
	if l == f.last {
		return
	}
	f.last = l
	select {
	case <-f.links:
	default:
	}
	f.links <- l
}

// publish needs w.mu.
func (w *Watcher) publish() {
	for f := range w.followers {
		f.offer(w.table.link(f.name))
	}
}

func (w *Watcher) leave(f *follower) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.followers[f]; ok {
		delete(w.followers, f)
		close(f.links)
	}
}

func (w *Watcher) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
	for f := range w.followers {
		delete(w.followers, f)
		close(f.links)
	}
}

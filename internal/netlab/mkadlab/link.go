// Package mkadlab runs mkad where nobody else notices: two hosts, each a network namespace with an mkad of its own,
// joined by a wire, with a fresh CAK file. The demonstration, the link benchmark and end-to-end tests begin here.
//
//	link, err := mkadlab.New(ctx, mkadlab.Options{Programs: "bin"})
//	defer link.Close()
//	err = link.Secure(ctx)          // both daemons up, both ports secured
//	out, err := link.West.Run(ctx, "ping", "-c1", mkadlab.EastAddress)
package mkadlab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"mkad/internal/control"
	"mkad/internal/netlab"
)

// The devices of either host.
const (
	Lower      = "eth1"    // the end of the wire: Common Port
	Controlled = "macsec0" // the device that carries traffic: Controlled Port
)

// The addresses that Address gives to the Controlled Ports, from the ranges for documentation (RFC 5737, RFC 3849).
const (
	WestAddress, EastAddress   = "192.0.2.1", "192.0.2.2"
	WestAddress6, EastAddress6 = "2001:db8::1", "2001:db8::2"
)

// SecureTime bounds how long two daemons may take to secure a link before something is wrong, in tests.
const SecureTime = 10 * time.Second

// Options say what the two hosts run.
type Options struct {
	Programs string // the directory of mkad and mkactl
	CAKBits  int    // 128 or 256; 0: 256
	// Daemon and Port are lines for the [daemon] and the [[port]] table of both hosts' configuration.
	Daemon, Port string
	// Fate, if set, puts a relay between the hosts of a Link, which does with each frame what it says; back tells those that
	// go from east to west.
	Fate func(frame []byte, back bool) netlab.Fate
}

// A Link is two hosts and the wire between them.
type Link struct {
	West, East *Host
	KeyFile    string // the CAK file of both
	dir        string
	middle     *netlab.Namespace // where the relay is; nil: there is none
	relay      *netlab.Relay
}

// New makes a link whose ends are down and whose daemons do not run yet. The caller closes it.
func New(ctx context.Context, o Options) (*Link, error) {
	dir, err := os.MkdirTemp("", "mkad-link-")
	if err != nil {
		return nil, fmt.Errorf("make link: %w", err)
	}
	l := &Link{dir: dir, KeyFile: filepath.Join(dir, "key.toml")}
	if err := l.build(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("make link: %w", err), l.Close())
	}
	return l, nil
}

func (l *Link) build(ctx context.Context, o Options) (err error) {
	if o.Programs, err = filepath.Abs(o.Programs); err != nil {
		return err
	}
	if l.West, err = NewHost("west", l.dir, o); err != nil {
		return err
	}
	if l.East, err = NewHost("east", l.dir, o); err != nil {
		return err
	}
	if err := l.join(o); err != nil {
		return err
	}
	if err := l.generateKey(ctx, o.CAKBits); err != nil {
		return err
	}
	return errors.Join(l.West.configure(l.KeyFile, o), l.East.configure(l.KeyFile, o))
}

// join lays the wire, with a relay in its middle if there is to be one.
func (l *Link) join(o Options) (err error) {
	if o.Fate == nil {
		return netlab.Join(l.West.Namespace, Lower, l.East.Namespace, Lower)
	}
	const west, east = "west", "east"
	if l.middle, err = netlab.NewNamespace(); err != nil {
		return err
	}
	for name, h := range map[string]*Host{west: l.West, east: l.East} {
		if err := netlab.Join(h.Namespace, Lower, l.middle, name); err != nil {
			return err
		}
		if err := l.middle.SetUp(name); err != nil {
			return err
		}
	}
	l.relay, err = netlab.StartRelay(l.middle, west, east, o.Fate)
	return err
}

func (l *Link) generateKey(ctx context.Context, bits int) error {
	if bits == 0 {
		bits = 256
	}
	_, err := l.West.Mkactl(ctx, "keygen", "--cak-bits", fmt.Sprint(bits), "-o", l.KeyFile)
	return err
}

// Hosts lists both hosts.
func (l *Link) Hosts() [2]*Host { return [2]*Host{l.West, l.East} }

// Both does the same on both hosts at the same time.
func (l *Link) Both(do func(*Host) error) error {
	var wg sync.WaitGroup
	var failed [2]error
	for i, h := range l.Hosts() {
		wg.Go(func() {
			if err := do(h); err != nil {
				failed[i] = fmt.Errorf("%s: %w", h.Name, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(failed[:]...)
}

// StartDaemons starts both mkads and waits until both are up: their control sockets answer.
func (l *Link) StartDaemons(ctx context.Context) error {
	return l.Both(func(h *Host) error { return h.StartDaemon(ctx) })
}

// Connect brings both ends of the wire up. An mkad that runs does so itself once it has closed its end to the host;
// before, whatever the host has to say goes out in clear.
func (l *Link) Connect() error {
	return l.Both(func(h *Host) error { return h.SetUp(Lower) })
}

// Secure does everything up to a secured link: daemons, and the wait until both ports are secured. Each mkad brings its
// end of the wire up once it has closed it to its host.
func (l *Link) Secure(ctx context.Context) error {
	if err := l.StartDaemons(ctx); err != nil {
		return err
	}
	return l.WaitFor(ctx, control.Secured)
}

// WaitFor waits until both ports are in a state, SecureTime at most.
func (l *Link) WaitFor(ctx context.Context, state control.State) error {
	return l.Both(func(h *Host) error { return h.WaitFor(ctx, state) })
}

// Address gives the Controlled Ports their addresses.
func (l *Link) Address() error {
	return errors.Join(
		l.West.AddAddress(Controlled, WestAddress+"/24"), l.West.AddAddress(Controlled, WestAddress6+"/64"),
		l.East.AddAddress(Controlled, EastAddress+"/24"), l.East.AddAddress(Controlled, EastAddress6+"/64"))
}

// Dir is a directory for files of the caller that shall go when the link goes.
func (l *Link) Dir() string { return l.dir }

// Close stops the daemons and whatever else runs in the hosts, and removes hosts, wire and files.
func (l *Link) Close() error {
	var wg sync.WaitGroup
	var failed [2]error
	for i, h := range l.Hosts() {
		if h != nil {
			wg.Go(func() { failed[i] = h.Close() })
		}
	}
	wg.Wait()
	errs := append(failed[:], os.RemoveAll(l.dir))
	if l.relay != nil {
		errs = append(errs, l.relay.Stop())
	}
	if l.middle != nil {
		errs = append(errs, l.middle.Close())
	}
	return errors.Join(errs...)
}

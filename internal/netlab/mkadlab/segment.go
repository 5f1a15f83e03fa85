package mkadlab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"mkad/internal/control"
	"mkad/internal/netlab"
)

// A Segment is several hosts on a switch that forwards the PAE group address: a group. Like a Link it is for tests.
type Segment struct {
	Members []*Host
	KeyFile string // the CAK file of all
	fabric  *netlab.Namespace
	dir     string
}

// NewSegment makes n hosts whose daemons do not run yet, their ends of the wires down. The caller closes it.
func NewSegment(ctx context.Context, n int, o Options) (*Segment, error) {
	dir, err := os.MkdirTemp("", "mkad-segment-")
	if err != nil {
		return nil, fmt.Errorf("make segment: %w", err)
	}
	s := &Segment{dir: dir, KeyFile: filepath.Join(dir, "key.toml")}
	if err := s.build(ctx, n, o); err != nil {
		return nil, errors.Join(fmt.Errorf("make segment: %w", err), s.Close())
	}
	return s, nil
}

func (s *Segment) build(ctx context.Context, n int, o Options) (err error) {
	if o.Programs, err = filepath.Abs(o.Programs); err != nil {
		return err
	}
	if s.fabric, err = netlab.NewNamespace(); err != nil {
		return err
	}
	var ports []string
	for i := range n {
		h, err := NewHost(fmt.Sprintf("host%d", i+1), s.dir, o)
		if err != nil {
			return err
		}
		s.Members = append(s.Members, h)
		ports = append(ports, s.portOf(i))
		if err := netlab.Join(h.Namespace, Lower, s.fabric, s.portOf(i)); err != nil {
			return err
		}
	}
	bits := o.CAKBits
	if bits == 0 {
		bits = 256
	}
	if _, err := s.Members[0].Mkactl(ctx, "keygen", "--cak-bits", fmt.Sprint(bits), "-o", s.KeyFile); err != nil {
		return err
	}
	for _, h := range s.Members {
		if err := h.configure(s.KeyFile, o); err != nil {
			return err
		}
	}
	return s.fabric.Bridge(switchName, ports...)
}

// switchName is the bridge between the members.
const switchName = "switch"

// portOf names the switch's port of a member.
func (s *Segment) portOf(member int) string { return fmt.Sprintf("port%d", member+1) }

// Plug brings the switch's port of a member up, or takes it down: the member then sees no carrier.
func (s *Segment) Plug(member int, in bool) error {
	if in {
		return s.fabric.SetUp(s.portOf(member))
	}
	return s.fabric.SetDown(s.portOf(member))
}

// Relay puts a wire in the place of the switch, between two members, that does with frames what fate says; back are those
// of the second member. The caller stops it.
func (s *Segment) Relay(fate func(frame []byte, back bool) netlab.Fate) (*netlab.Relay, error) {
	if len(s.Members) != 2 {
		return nil, fmt.Errorf("put a relay between %d members: there must be 2", len(s.Members))
	}
	if err := s.fabric.Remove(switchName); err != nil {
		return nil, err
	}
	return netlab.StartRelay(s.fabric, s.portOf(0), s.portOf(1), fate)
}

// Each does the same on some members, all at the same time.
func (s *Segment) Each(members []*Host, do func(*Host) error) error {
	var wg sync.WaitGroup
	failed := make([]error, len(members))
	for i, h := range members {
		wg.Go(func() {
			if err := do(h); err != nil {
				failed[i] = fmt.Errorf("%s: %w", h.Name, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(failed...)
}

// Secure starts the daemons of all members and waits until all are secured.
func (s *Segment) Secure(ctx context.Context) error {
	if err := s.Each(s.Members, func(h *Host) error { return h.StartDaemon(ctx) }); err != nil {
		return err
	}
	return s.Each(s.Members, func(h *Host) error { return h.WaitFor(ctx, control.Secured) })
}

// Fabric is the namespace of the switch, a bridge called "switch" with ports called port1, port2 and so on.
func (s *Segment) Fabric() *netlab.Namespace { return s.fabric }

// Close stops whatever runs in the hosts, and removes hosts, switch and files.
func (s *Segment) Close() error {
	err := s.Each(s.Members, (*Host).Close)
	if s.fabric != nil {
		err = errors.Join(err, s.fabric.Close())
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

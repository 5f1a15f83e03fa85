package optiontest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mkad/internal/control"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// patience is how long what has to come may take, in an emulated machine too.
const patience = 30 * time.Second

// A lab is two hosts with a wire for each port.
type lab struct {
	west, east *mkadlab.Host
	models     []model
	round      uint16
	shown      int // frames and answers that had to be seen, and were
}

// newLab makes the hosts of all combinations, whose daemons do not run yet.
func newLab(t *testing.T, programs, backend string) *lab {
	t.Helper()
	dir, err := os.MkdirTemp("", "mkad-options-")
	must(t, err)
	l := &lab{}
	o := mkadlab.Options{Programs: programs}
	l.west, err = mkadlab.NewHost("west", dir, o)
	must(t, err)
	l.east, err = mkadlab.NewHost("east", dir, o)
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the west:\n%s\nlog of the east:\n%s", l.west.Log(), l.east.Log())
		}
		if err := errors.Join(l.west.Close(), l.east.Close(), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	for _, c := range combinations(backend == "kernel") {
		l.models = append(l.models, model{c, backend == "kernel"})
	}
	must(t, l.join())
	keyFile := filepath.Join(dir, "key.toml")
	_, err = l.west.Mkactl(t.Context(), "keygen", "-o", keyFile)
	must(t, err)
	must(t, l.configure(l.west, keyFile, backend, func(m model) string { return m.lines() }))
	must(t, l.configure(l.east, keyFile, backend, func(model) string { return "uncontrolled = \"open\"\n" }))
	return l
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// join lays the wires. An ARP request is to be answered by the device that has the address, and by no other.
func (l *lab) join() error {
	err := l.west.Do(func() error {
		return errors.Join(os.WriteFile("/proc/sys/net/ipv4/conf/all/arp_ignore", []byte("1"), 0),
			os.WriteFile("/proc/sys/net/ipv6/conf/default/accept_dad", []byte("0"), 0))
	})
	for port := range l.models {
		name := lower.of(port)
		err = errors.Join(err, netlab.Join(l.west.Namespace, name, l.east.Namespace, name), l.east.SetUp(name))
	}
	return err
}

// configure writes a host's configuration, one port for each combination.
func (l *lab) configure(h *mkadlab.Host, keyFile, backend string, lines func(model) string) error {
	var text strings.Builder
	fmt.Fprintf(&text, "[daemon]\ncontrol = %q\nstate = %q\n", h.Socket(), h.Socket()+".state")
	for port, m := range l.models {
		fmt.Fprintf(&text, "\n[[port]]\ninterface = %q\ncontrolled = %q\nkeys = %q\nbackend = %q\n%s", lower.of(port),
			controlled.of(port), keyFile, backend, lines(m))
	}
	return os.WriteFile(h.ConfigFile(), []byte(text.String()), 0o644)
}

// address gives the devices of the west their addresses, unless they have them.
func (l *lab) address() {
	for port := range l.models {
		for d := range numPlaces {
			v4, v6 := d.own(port)
			_ = l.west.AddAddress(d.of(port), v4.String()+"/16") // there already, or there is no such device
			_ = l.west.AddAddress(d.of(port), v6.String()+"/64")
		}
	}
}

// await waits until mkad says of each port that it is in one of its states.
func (l *lab) await(t *testing.T, s state) {
	t.Helper()
	l.eventually(t, "mkad to say that its ports are "+s.String(), func() (missing []string) {
		doc, err := l.west.Control.Status(t.Context())
		if err != nil || len(doc.Ports) != len(l.models) {
			return []string{fmt.Sprintf("%d ports (%v)", len(doc.Ports), err)}
		}
		for port, m := range l.models {
			if got := doc.Ports[port].State; !m.says(s, got) {
				missing = append(missing, fmt.Sprintf("%s is %s: %s", m, got, doc.Ports[port].Reason))
			}
		}
		return missing
	})
}

// says reports whether status may tell a port in such a state so.
func (m model) says(s state, got control.State) bool {
	switch {
	case s == secured:
		return got == control.Secured
	case m.policy == "should-secure":
		return got == control.Unsecured
	}
	return got == control.Blocked || s == unsecured && got == control.Pending
}

// eventually looks until nothing is missing.
func (l *lab) eventually(t *testing.T, what string, look func() (missing []string)) {
	t.Helper()
	pause := time.NewTicker(100 * time.Millisecond)
	defer pause.Stop()
	for end := time.Now().Add(patience); ; <-pause.C {
		missing := look()
		if len(missing) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("waited %s in vain for %s; missing (%d):\n%s", patience, what, len(missing), strings.Join(missing, "\n"))
		}
	}
}

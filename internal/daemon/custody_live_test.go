package daemon_test

import (
	"encoding/binary"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"mkad/internal/config"
	"mkad/internal/control"
	"mkad/internal/daemon"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
	linkwatch "mkad/internal/port"
	"mkad/offload"
	"mkad/secy"
	"mkad/secy/kernel"
	"mkad/secy/kernel/kerneltest"
)

// displaced is what a macsec device of a kernel that is none has left: an ifindex and an address.
func displaced(t *testing.T, index int) *kernel.Custody {
	t.Helper()
	mac := [6]byte{2, 0, 0, 0, 0, 0xaa}
	k := kerneltest.New()
	lower := k.AddDevice(mkadlab.Lower, mac[:], 1532)
	d, err := kernel.Open(kernel.Config{Exchange: k.Exchange, Lower: lower, LowerName: mkadlab.Lower, Controlled: mkadlab.Controlled, MAC: mac,
		MTU: 1532, SCI: secy.NewSCI(mac, 1), CipherSuite: secy.GCMAES128})
	must(t, err)
	must(t, d.Close(true))
	made := k.Device(mkadlab.Controlled)
	made.Index = index
	address := binary.NativeEndian.AppendUint32([]byte{unix.AF_INET, 24, unix.IFA_F_PERMANENT, unix.RT_SCOPE_UNIVERSE}, uint32(index))
	address = append(binary.NativeEndian.AppendUint16(binary.NativeEndian.AppendUint16(address, 8), unix.IFA_LOCAL), 192, 0, 2, 7)
	made.Addresses = [][]byte{address}
	kept := new(kernel.Custody)
	must(t, kept.Displace(k.Exchange, lower, mkadlab.Controlled, slog.New(slog.DiscardHandler)))
	return kept
}

// Clause: none; design decision 2: an attempt that fails costs the Controlled Port nothing.
func TestIdentityOutlivesASecYInUserSpaceThatCannotBeOpened(t *testing.T) {
	// Not parallel: what other tests start would hold a TAP of this process, until it is another program.
	n, err := netlab.NewNamespace()
	must(t, err)
	t.Cleanup(func() { must(t, n.Close()) })
	must(t, netlab.Join(n, mkadlab.Lower, n, "far"))
	lower, err := n.Device(mkadlab.Lower)
	must(t, err)
	const index = 4711
	kept := displaced(t, index)
	open := func(mtu int) (s daemon.SecY, err error) {
		undone := n.Do(func() error {
			s, err = daemon.OpenSecY(daemon.Setup{
				Port:    config.Port{Interface: mkadlab.Lower, Controlled: mkadlab.Controlled},
				Lower:   linkwatch.Link{Name: mkadlab.Lower, Index: lower.Index, MAC: [6]byte(lower.MAC), MTU: mtu},
				SCI:     secy.NewSCI([6]byte(lower.MAC), 1),
				Choice:  offload.Choice{Backend: offload.BackendUserspace},
				Custody: kept,
				Log:     slog.New(slog.DiscardHandler),
			})
			return nil
		})
		must(t, undone)
		return s, err
	}
	if _, err := open(68); err == nil || kept.Index() != index {
		t.Fatalf("opened on a lower device of 68 octets: %v, custody of %d", err, kept.Index())
	}
	s, err := open(1500)
	must(t, err)
	d, err := n.Device(mkadlab.Controlled)
	must(t, err)
	addresses, err := n.Run(t.Context(), "ip", "-o", "address", "show", "dev", mkadlab.Controlled)
	if err != nil || d.Index != index || !strings.Contains(addresses, "192.0.2.7/24") || kept.Index() != 0 {
		t.Errorf("ifindex %d, custody of %d, %v, addresses\n%s", d.Index, kept.Index(), err, addresses)
	}
	must(t, n.Do(func() error { return s.Close(false) }))
}

// failing is a way to open SecYs that, while there is a file of that name beside the configuration, tries the kernel's, and
// fails as on a host whose memory ends in the worst moment: the TAP has gone, and no macsec device comes.
func failing(config string) func(daemon.Setup) (daemon.SecY, error) {
	return func(s daemon.Setup) (daemon.SecY, error) {
		if _, err := os.Stat(failFile(config)); err != nil {
			return daemon.OpenSecY(s)
		}
		macsec := kerneltest.New()
		return kernel.Open(kernel.Config{Lower: s.Lower.Index, LowerName: s.Port.Interface, Controlled: s.Port.Controlled,
			MAC: s.Lower.MAC, MTU: s.Lower.MTU, SCI: s.SCI, CipherSuite: secy.GCMAES128, Replace: true, Custody: s.Custody, Logger: s.Log,
			Exchange: func(protocol int, kind, flags uint16, body []byte) ([][]byte, error) {
				switch {
				case protocol == unix.NETLINK_GENERIC:
					return macsec.Exchange(protocol, kind, flags, body)
				case kind == unix.RTM_NEWLINK && flags&unix.NLM_F_CREATE != 0:
					return nil, unix.ENOMEM
				}
				r := nl.NewNetlinkRequest(int(kind), int(flags))
				if flags&unix.NLM_F_DUMP == 0 && kind != unix.RTM_GETLINK {
					r.Flags |= unix.NLM_F_ACK
				}
				r.AddRawData(body)
				return r.Execute(protocol, 0)
			}})
	}
}

func failFile(config string) string { return filepath.Join(filepath.Dir(config), "fail") }

// Clause: none; design decision 2: what the Controlled Port had outlives attempts that fail, and reloads in between.
func TestIdentityOutlivesReloadsWhileThereIsNoDevice(t *testing.T) {
	t.Parallel()
	l := newFurnishedLink(t, hooked, "# here")
	before := identity(t, l.West)
	must(t, os.WriteFile(failFile(l.West.ConfigFile()), nil, 0o600))
	for _, change := range [][2]string{{"# here", "port_id = 2"}, {"port_id = 2", "port_id = 3"}, {`"macsec0"`, `"other0"`}} {
		edit(t, l.West, change[0], change[1])
		mkactl(t, l.West, "reload")
		waitFor(t, "the port to fail", func() bool { return portOf(t, l.West).State == control.Failed })
	}
	if d, err := l.West.Device(mkadlab.Controlled); err == nil {
		t.Fatalf("there is a device: %+v", d)
	}
	if log := l.West.Log(); !strings.Contains(log, "kept for the next attempt") || !strings.Contains(log, "route 198.51.100.0/24") {
		t.Errorf("the log does not say what is kept:\n%s", log)
	}
	must(t, os.Remove(failFile(l.West.ConfigFile())))
	must(t, l.WaitFor(t.Context(), control.Secured))
	if after := identityOf(t, l.West, "other0"); after != before {
		t.Errorf("before\n%safter\n%s", before, after)
	}
	carries(t, l)
}

// Clause: none; what is lost after all is told.
func TestIdentityThatEndsWithMkadIsTold(t *testing.T) {
	t.Parallel()
	l := newLink(t, hooked, "", "# here")
	must(t, l.Secure(t.Context()))
	furnish(t, l.West, mkadlab.WestAddress)
	must(t, os.WriteFile(failFile(l.West.ConfigFile()), nil, 0o600))
	edit(t, l.West, "# here", "port_id = 2")
	mkactl(t, l.West, "reload")
	waitFor(t, "the port to fail", func() bool { return portOf(t, l.West).State == control.Failed })
	terminate(t, l.West)
	_, told, _ := strings.Cut(l.West.Log(), "what the Controlled Port had is lost")
	if !strings.Contains(told, `why="mkad ends"`) || !strings.Contains(told, "address "+mkadlab.WestAddress+"/24 of macsec0") {
		t.Errorf("the log does not tell what is lost:\n%s", l.West.Log())
	}
}

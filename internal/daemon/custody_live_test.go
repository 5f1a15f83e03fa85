package daemon_test

import (
	"encoding/binary"
	"log/slog"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"mkad/internal/config"
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

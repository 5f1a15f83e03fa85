package kernel_test

import (
	"errors"
	"log/slog"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"mkad/secy/kernel"
	"mkad/secy/kernel/kerneltest"
)

func TestRenamedDeviceKeepsWhatItHas(t *testing.T) {
	for name, old := range map[string]bool{"while it is up": false, "while it is down, where the kernel wants that": true} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				furnished(l).order(controlledPort(true))
				l.k.Old = old
				d := l.device()
				before := *d
				l.k.Requests()
				must(t, kernel.Rename(l.k.Exchange, "macsec0", "secure0", slog.New(slog.NewTextHandler(&l.log, nil))))
				if d.Name != "secure0" || d.Index != before.Index || !d.Up || len(d.Addresses) != len(before.Addresses) ||
					len(d.Routes) != len(before.Routes) || d.SecY != before.SecY {
					t.Errorf("device is %+v, was %+v\n%s", d, before, &l.log)
				}
				if requests := l.k.Requests(); old == (len(requests) == 1) {
					t.Errorf("requests %v", requests)
				}
			})
		})
	}
}

func TestDeviceThatCannotBeRenamedStaysAsItIs(t *testing.T) {
	for _, old := range []bool{false, true} {
		inLab(t, func(l *lab) {
			before := *furnished(l).device()
			l.k.AddVirtual("secure0", "dummy", 0)
			l.k.Old = old
			err := kernel.Rename(l.k.Exchange, "macsec0", "secure0", slog.New(slog.DiscardHandler))
			if d := l.device(); !errors.Is(err, os.ErrExist) || d.Up != before.Up || len(d.Addresses) != 2 || len(d.Routes) != 2 {
				t.Errorf("%v, device is %+v, was %+v", err, d, before)
			}
			if err := kernel.Rename(l.k.Exchange, "macsec9", "macsec8", slog.New(slog.DiscardHandler)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a device that does not exist: %v", err)
			}
		})
	}
}

func TestLossesOfARenameAreListed(t *testing.T) {
	const ra = "route 198.51.100.0/24 of macsec0, table 0, metric 0, until the next router advertisement"
	for _, c := range []struct {
		name   string
		change func(*kerneltest.Kernel)
		want   []string
	}{
		{"nothing", func(*kerneltest.Kernel) {}, nil},
		{"while it is down", func(k *kerneltest.Kernel) { k.Old = true }, []string{ra}},
		{"the device is gone", func(k *kerneltest.Kernel) { k.Remove("macsec0") }, nil},
		{"the name is taken", func(k *kerneltest.Kernel) { k.AddVirtual("secure0", "dummy", 0) }, []string{
			"whatever macsec0 has, for another device is called secure0",
			"alias and master of macsec0",
			"device v7 (vlan)",
			"device v7.8 (vlan)",
			"address 192.0.2.1/32 of macsec0",
			"address ::/128 of macsec0",
			"address 198.51.100.1/32 of v7.8",
			"route 10.0.0.0/24 of macsec0, table 0, metric 0",
			"route 203.0.113.0/24 of macsec0, table 0, metric 0",
			"settings of macsec0 as port of its , which begin anew",
			"device mv0 (macvlan) on macsec0",
			ra,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				d := furnished(l).device()
				l.k.AddVirtual("mv0", "macvlan", d.Index)
				d.Routes = append(d.Routes, ofKind(d.Index, unix.RTPROT_RA))
				c.change(l.k)
				got, err := kernel.RenameLosses(l.k.Exchange, "macsec0", "secure0")
				if err != nil || !slices.Equal(got, c.want) {
					t.Errorf("got  %q, %v\nwant %q", got, err, c.want)
				}
			})
		})
	}
}

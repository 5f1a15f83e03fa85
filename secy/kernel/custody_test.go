package kernel_test

import (
	"log/slog"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"mkad/secy"
	"mkad/secy/kernel"
	"mkad/secy/kernel/kerneltest"
)

// inCustody has the identity of a port kept from one Open to the next.
func inCustody(k *kernel.Custody) func(*kernel.Config) {
	return func(c *kernel.Config) { c.Custody, c.Replace = k, true }
}

// tap is the TAP of another backend, with what a host gives to a device.
func tap(l *lab) kerneltest.Device {
	d := l.k.AddVirtual("macsec0", "tun", 0)
	l.k.AddVirtual("v7", "vlan", d.Index)
	d.Addresses = [][]byte{address(d.Index, unix.AF_INET, []byte{192, 0, 2, 1})}
	d.Routes = [][]byte{route(d.Index, []byte{203, 0, 113, 0}, []byte{192, 0, 2, 2})}
	return *d
}

// wantIdentity wants a device to be for the host what another was.
func wantIdentity(l *lab, before kerneltest.Device) {
	l.t.Helper()
	d := l.k.Device("macsec0")
	if d == nil || d.Index != before.Index || d.Alias != before.Alias || d.Master != before.Master ||
		len(d.Addresses) != len(before.Addresses) || len(d.Routes) != len(before.Routes) {
		l.t.Errorf("device is %+v, was %+v\n%s", d, before, &l.log)
	}
	if v := l.k.Device("v7"); v == nil || v.Lower != before.Index {
		l.t.Errorf("VLAN is %+v\n%s", v, &l.log)
	}
	if strings.Contains(l.log.String(), "cannot put back") {
		l.t.Error(l.log.String())
	}
}

// As wpa_supplicant makes one, or somebody by hand: with the SCI of the lower device.
func TestNothingIsRemovedWhereAnotherSecYHasTheSCI(t *testing.T) {
	inLab(t, func(l *lab) {
		must(t, l.tryOpen(func(c *kernel.Config) { c.Controlled = "macsec9" }))
		must(t, l.Close(true))
		before := tap(l)
		l.k.Requests()
		for range 2 {
			err := l.tryOpen(func(c *kernel.Config) { c.Replace = true })
			if err == nil || !strings.Contains(err.Error(), "remove it (ip link del macsec9), or set another port_id") {
				t.Errorf("error is %v", err)
			}
		}
		if err := kernel.Vacant(l.k.Exchange, l.lower, "macsec0", self); err == nil {
			t.Error("the SCI is free")
		}
		if err := kernel.Vacant(l.k.Exchange, l.lower, "macsec0", secy.NewSCI(mac, 2)); err != nil {
			t.Error(err)
		}
		if err := kernel.Vacant(l.k.Exchange, l.lower, "macsec9", self); err != nil {
			t.Error(err)
		}
		l.wantRequests("DEL_TXSA", "DEL_TXSA")
		wantIdentity(l, before)
		l.k.Remove("macsec9")
		l.open(func(c *kernel.Config) { c.Replace = true })
		wantIdentity(l, before)
	})
}

func TestIdentityOfATAPOutlivesAnAttemptThatFails(t *testing.T) {
	inLab(t, func(l *lab) {
		before, k := tap(l), new(kernel.Custody)
		for range 2 {
			l.k.Fail("NEWLINK", unix.ENOMEM)
			if err := l.tryOpen(inCustody(k)); err == nil || l.k.Device("macsec0") != nil {
				t.Fatalf("opened %+v, %v", l.k.Device("macsec0"), err)
			}
		}
		if k.Index() != before.Index || !strings.Contains(l.log.String(), "address 192.0.2.1/32 of macsec0") {
			t.Errorf("custody of %d, log\n%s", k.Index(), &l.log)
		}
		l.open(inCustody(k))
		wantIdentity(l, before)
		if k.Index() != 0 {
			t.Error("it is kept still")
		}
	})
}

func TestIdentityOfADeviceThatIsLostGoesToTheNext(t *testing.T) {
	for name, how := range map[string]kernel.Unsecured{"dormant": kernel.Dormant, "down": kernel.Down} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				k := new(kernel.Custody)
				change := func(c *kernel.Config) { c.Custody, c.Unsecured = k, how }
				l.open(change).order(append([]secy.Op{configure(strict)}, install(first, 0)...)...)
				d := l.device()
				d.Addresses = [][]byte{address(d.Index, unix.AF_INET6, make([]byte, 16))}
				d.Routes = [][]byte{route(d.Index, []byte{10, 0, 0, 0}, nil)}
				l.k.AddVirtual("v7", "vlan", d.Index)
				before := *d
				l.order(controlledPort(false), deleteSAs(first))
				l.k.Fail("NEWLINK", unix.ENOMEM)
				l.k.Fail("NEWLINK", unix.ENOMEM)
				l.refuse(configureSuite(secy.GCMAES256), "make macsec0 again")
				must(t, l.Close(true))
				l.k.Fail("NEWLINK", unix.ENOMEM)
				if l.tryOpen(change) == nil {
					t.Fatal("opened")
				}
				l.open(change)
				l.order(append([]secy.Op{configure(strict)}, install(another, 0)...)...)
				wantIdentity(l, before)
			})
		})
	}
}

func TestDisplacedIdentityGoesToWhateverTakesThePlace(t *testing.T) {
	inLab(t, func(l *lab) {
		k, log := new(kernel.Custody), slog.New(slog.NewTextHandler(&l.log, nil))
		furnished(l)
		before := *l.device()
		must(t, k.Displace(l.k.Exchange, l.lower, "macsec0", log))
		must(t, k.Displace(l.k.Exchange, l.lower, "macsec0", log)) // another attempt
		if k.Index() != before.Index || l.k.Device("macsec0") != nil {
			t.Fatalf("custody of %d, device %+v", k.Index(), l.k.Device("macsec0"))
		}
		other := l.k.AddVirtual("macsec0", "tun", 0)
		l.k.Device("macsec0").Index = before.Index
		must(t, k.Furnish(l.k.Exchange, log))
		wantIdentity(l, before)
		other.Addresses = nil
		must(t, k.Furnish(l.k.Exchange, log))
		if len(other.Addresses) != 0 {
			t.Error("it is given twice")
		}
	})
}

func TestIdentityThatNobodyCanHaveIsTold(t *testing.T) {
	inLab(t, func(l *lab) {
		k := new(kernel.Custody)
		index := tap(l).Index
		l.k.Fail("NEWLINK", unix.ENOMEM)
		if l.tryOpen(inCustody(k)) == nil {
			t.Fatal("opened")
		}
		l.log.Reset()
		l.k.AddVirtual("dummy0", "dummy", 0).Index = index
		l.open(inCustody(k))
		const loss = "route 203.0.113.0/24 of macsec0"
		if got := l.log.String(); !strings.Contains(got, "is lost") || !strings.Contains(got, loss) || !strings.Contains(got, "dummy0 has its ifindex") {
			t.Errorf("log\n%s", got)
		}
		if l.device().Index == index || k.Index() != 0 {
			t.Errorf("device is %+v, custody of %d", l.device(), k.Index())
		}
	})
}

func TestDeviceThatIsNotRemovedKeepsItsIdentity(t *testing.T) {
	inLab(t, func(l *lab) {
		k, log := new(kernel.Custody), slog.New(slog.NewTextHandler(&l.log, nil))
		l.open(inCustody(k)).order(configure(strict))
		l.k.Fail("DELLINK", unix.EPERM)
		if err := k.Displace(l.k.Exchange, l.lower, "macsec0", log); err == nil || k.Index() != 0 {
			t.Errorf("displaced: %v, custody of %d", err, k.Index())
		}
		l.k.Fail("DELLINK", unix.EPERM)
		l.refuse(configureSuite(secy.GCMAES256), "remove macsec0")
		if k.Index() != 0 || l.device().SecY.Suite != uint64(secy.GCMAES128) {
			t.Errorf("custody of %d, SecY %+v", k.Index(), l.secY())
		}
	})
}

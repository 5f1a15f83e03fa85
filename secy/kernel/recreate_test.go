package kernel_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"mkad/secy"
	"mkad/secy/kernel"
	"mkad/secy/kernel/kerneltest"
)

// furnished is a lab whose Controlled Port has all that a host gives to a device.
func furnished(l *lab) *lab {
	l.open().order(configure(strict), receiveSC(peer))
	d := l.device()
	d.Alias, d.Master = "the uplink", 2
	vlan := l.k.AddVirtual("v7", "vlan", d.Index)
	inner := l.k.AddVirtual("v7.8", "vlan", vlan.Index)
	d.Addresses = [][]byte{address(d.Index, unix.AF_INET, []byte{192, 0, 2, 1}), address(d.Index, unix.AF_INET6, make([]byte, 16))}
	inner.Addresses = [][]byte{address(inner.Index, unix.AF_INET, []byte{198, 51, 100, 1})}
	d.Routes = [][]byte{route(d.Index, []byte{203, 0, 113, 0}, []byte{192, 0, 2, 2}), route(d.Index, []byte{10, 0, 0, 0}, nil)}
	return l
}

func TestAnotherSuiteKeepsIdentity(t *testing.T) {
	inLab(t, func(l *lab) {
		before := *furnished(l).device()
		vlan, inner := *l.k.Device("v7"), *l.k.Device("v7.8")
		l.order(configureSuite(secy.GCMAESXPN256))
		d := l.device()
		if d.SecY.Suite != uint64(secy.GCMAESXPN256) || d.SecY.SCI != uint64(self) || d.SecY.Window != 128 {
			t.Errorf("SecY is %+v", d.SecY)
		}
		if d.Index != before.Index || d.MTU != before.MTU || !bytes.Equal(d.MAC, before.MAC) || d.Alias != before.Alias ||
			d.Master != before.Master || d.Up != before.Up || d.OperState != before.OperState {
			t.Errorf("device is %+v, was %+v", d, before)
		}
		if !slices.EqualFunc(d.Addresses, before.Addresses, bytes.Equal) || len(d.Routes) != 2 {
			t.Errorf("it has %d addresses and %d routes", len(d.Addresses), len(d.Routes))
		}
		for _, was := range []kerneltest.Device{vlan, inner} {
			if v := l.k.Device(was.Name); v == nil || v.Index != was.Index || v.Lower != was.Lower || v.Up != was.Up ||
				len(v.Addresses) != len(was.Addresses) {
				t.Errorf("VLAN is %+v, was %+v", v, was)
			}
		}
		if strings.Contains(l.log.String(), "cannot put back") {
			t.Error(l.log.String())
		}
	})
}

func TestAnotherSuiteKeepsReceiveSCsAndCounters(t *testing.T) {
	inLab(t, func(l *lab) {
		furnished(l)
		l.secY().Statistics = map[uint16]uint64{4: 5}
		l.secY().Receive[uint64(peer)].Statistics[5] = 1000
		l.order(configureSuite(secy.GCMAES256))
		l.secY().Statistics = map[uint16]uint64{4: 1}
		l.secY().Receive[uint64(peer)].Statistics[5] = 7
		l.pass(freshTime)
		if c := l.Counters(); c.InPktsOK != 1007 || c.InPktsNoTag != 6 {
			t.Errorf("counters are %+v", c)
		}
	})
}

func TestAnotherSuiteIsRefusedWhileThereAreSAs(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open().order(append([]secy.Op{configure(strict)}, install(first, 0)...)...)
		l.k.Requests()
		l.refuse(configureSuite(secy.GCMAES256), "delete them first")
		l.wantRequests()
	})
}

func TestSuiteThatTheKernelRefusesLeavesTheOldDevice(t *testing.T) {
	inLab(t, func(l *lab) {
		before := *furnished(l).device()
		l.k.Old = true
		l.refuse(configureSuite(secy.GCMAESXPN256), "XPN needs Linux 5.7")
		d := l.device()
		if d.SecY.Suite != uint64(secy.GCMAES128) || d.Index != before.Index || len(d.Addresses) != 2 || d.Alias != "the uplink" {
			t.Errorf("device is %+v, SecY %+v", d, d.SecY)
		}
		l.order(configure(strict))
		l.order(install(first, 0)...)
	})
}

func TestDeviceThatCannotBeMadeAgainIsLost(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open().order(configure(strict))
		l.k.NoModule = false
		l.k.Fail("NEWLINK", unix.ENOMEM)
		l.k.Fail("NEWLINK", unix.ENOMEM)
		l.refuse(configureSuite(secy.GCMAES256), "make macsec0 again")
		if l.Err() == nil {
			t.Error("the device is not lost")
		}
	})
}

func TestRoutesComeBackInAnOrderThatTheKernelTakes(t *testing.T) {
	inLab(t, func(l *lab) {
		furnished(l).device().Addresses = nil
		l.order(configureSuite(secy.GCMAES256))
		if got := l.device().Routes; len(got) != 2 {
			t.Errorf("%d routes came back\n%s", len(got), &l.log)
		}
	})
}

// A bond lends its ports an address; it is not theirs, and not to be fought over.
func TestAddressOfABondIsNeitherKeptNorChanged(t *testing.T) {
	inLab(t, func(l *lab) {
		d := l.open().device()
		d.Master, d.MasterKind, d.MAC = 9, "bond", []byte{2, 0, 0, 0, 0, 0x77}
		if err := l.LowerChanged(l.lower, mac, 1532); err != nil || d.MAC[5] != 0x77 {
			t.Errorf("address is %x, %v", d.MAC, err)
		}
		l.order(configureSuite(secy.GCMAES256))
		if got := l.device(); !bytes.Equal(got.MAC, mac[:]) || got.Master != 9 {
			t.Errorf("device is %+v", got)
		}
	})
}

func TestLossesAreListed(t *testing.T) {
	inLab(t, func(l *lab) {
		d := furnished(l).device()
		d.MasterKind = "bridge"
		l.k.AddVirtual("mv0", "macvlan", d.Index)
		d.Routes = append(d.Routes, ofKind(d.Index, unix.RTPROT_RA), ofKind(d.Index, unix.RTPROT_KERNEL), multipath(d.Index))
		got, err := kernel.Losses(l.k.Exchange, "macsec0")
		want := []string{
			"settings of macsec0 as port of its bridge, which begin anew",
			"device mv0 (macvlan) on macsec0",
			"route 198.51.100.0/24 of macsec0, table 0, metric 0, until the next router advertisement",
			"route 198.51.100.0/24, by way of macsec0 among others",
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("got  %q, %v\nwant %q", got, err, want)
		}
		all, err := kernel.Belongings(l.k.Exchange, "macsec0")
		if n := len(all) - len(want); err != nil || n <= 0 || !slices.Equal(all[n:], want) || !slices.Contains(all, "address 192.0.2.1/32 of macsec0") {
			t.Errorf("what goes with it is %q, %v", all, err)
		}
		for _, list := range []func(kernel.Exchange, string) ([]string, error){kernel.Losses, kernel.Belongings} {
			if _, err := list(l.k.Exchange, "macsec9"); err == nil {
				t.Error("a device that does not exist has something")
			}
		}
	})
}

func ofKind(index int, protocol byte) []byte {
	r := route(index, []byte{198, 51, 100, 0}, nil)
	r[5] = protocol
	return r
}

func multipath(index int) []byte {
	hop := append([]byte{8, 0, 0, 0}, binary.NativeEndian.AppendUint32(nil, uint32(index))...)
	r := route(0, []byte{198, 51, 100, 0}, nil)
	return append(r, attr(unix.RTA_MULTIPATH, hop)...)
}

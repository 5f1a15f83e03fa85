package kernel_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mkad/secy"
	"mkad/secy/kernel"
	"mkad/secy/kernel/kerneltest"
)

const (
	operDown    = 2
	operDormant = 5
	operUp      = 6
)

func TestOpenMakesAClosedDevice(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open(with(secy.GCMAESXPN256))
		d := l.device()
		s := d.SecY
		if !d.Up || d.MTU != 1500 || !bytes.Equal(d.MAC, mac[:]) || d.OperState != operDormant || d.LinkMode != 1 {
			t.Errorf("device is %+v, want it up and dormant, with MTU 1500", d)
		}
		if s.SCI != uint64(self) || s.Suite != uint64(secy.GCMAESXPN256) || s.ICVLen != 16 || !s.Protect || s.Validation != 2 {
			t.Errorf("SecY is %+v", s)
		}
	})
}

func TestOpenSaysWhatIsMissing(t *testing.T) {
	for name, c := range map[string]struct {
		kernel func(*kerneltest.Kernel)
		config func(*kernel.Config)
		says   string
	}{
		"no module":            {func(k *kerneltest.Kernel) { k.NoModule = true }, nil, "the kernel has no macsec, and none could be loaded (modprobe macsec"},
		"user namespace":       {func(k *kerneltest.Kernel) { k.Unprivileged = true }, nil, `touch SAs: operation not permitted: the kernel lets only CAP_NET_ADMIN of the initial user namespace`},
		"no privilege at all":  {func(k *kerneltest.Kernel) { k.Fail("NEWLINK", unix.EPERM) }, nil, "give mkad CAP_NET_ADMIN"},
		"no XPN":               {func(k *kerneltest.Kernel) { k.Old = true }, with(secy.GCMAESXPN128), "XPN needs Linux 5.7"},
		"bridge port":          {func(k *kerneltest.Kernel) { k.Device("eth1").Master = 9 }, nil, "belongs to a bridge, bond or macvlan"},
		"no lower device":      {nil, func(c *kernel.Config) { c.Lower = 77 }, "the lower device has vanished"},
		"no offload":           {nil, func(c *kernel.Config) { c.Offload = kernel.OffloadMAC }, "the device cannot offload it"},
		"offload unknown":      {func(k *kerneltest.Kernel) { k.Old, k.Hardware = true, true }, func(c *kernel.Config) { c.Offload = kernel.OffloadMAC }, "the kernel has ignored its offload to mac"},
		"no room":              {func(k *kerneltest.Kernel) { k.Hardware = true }, func(c *kernel.Config) { c.Offload = kernel.OffloadMAC }, "hardware has no room for another SecY"},
		"unknown suite":        {nil, with(7), "cipher suite"},
		"another kind":         {func(k *kerneltest.Kernel) { k.AddVirtual("macsec0", "dummy", 0) }, nil, "no macsec device (dummy): remove it (ip link del macsec0)"},
		"on another device":    {otherLower, nil, "on another lower device"},
		"its MTU is too small": {nil, func(c *kernel.Config) { c.MTU = 90 }, "raise it to at least 100"},
		"SecY is not to be read": {func(k *kerneltest.Kernel) {
			for range 16 {
				k.Fail("GET_TXSC", unix.EINTR)
			}
		}, nil, "interrupted system call"},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				if c.kernel != nil {
					c.kernel(l.k)
				}
				if c.config == nil {
					c.config = func(*kernel.Config) {}
				}
				err := l.tryOpen(c.config)
				if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "open Controlled Port macsec0 on eth1") {
					t.Errorf("error %v, want one that says %q", err, c.says)
				}
			})
		})
	}
}

// otherLower makes a macsec device on another lower device.
func otherLower(k *kerneltest.Kernel) {
	other := k.AddDevice("eth2", []byte{2, 0, 0, 0, 0, 0xee}, 1532)
	k.AddVirtual("macsec0", "macsec", other)
}

func TestFailedOpenLeavesNoDevice(t *testing.T) {
	inLab(t, func(l *lab) {
		l.k.Old, l.k.Hardware, l.k.Room = true, true, 1
		err := l.tryOpen(func(c *kernel.Config) { c.Offload = kernel.OffloadMAC })
		if d := l.k.Device("macsec0"); err == nil || d != nil {
			t.Errorf("error %v, device %+v", err, d)
		}
	})
}

// reopen ends the Device as the end of a process does, and opens another.
func (l *lab) reopen(change ...func(*kernel.Config)) {
	l.t.Helper()
	if err := l.Close(true); err != nil {
		l.t.Fatal(err)
	}
	l.open(change...)
}

func TestDeviceAtWorkIsAdoptedAndGoesOn(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open().order(append([]secy.Op{configure(strict)}, install(first, 1)...)...)
		before := l.device()
		l.reopen()
		d := l.device()
		if d != before || !d.SecY.Operational() || d.OperState != operUp || !d.SecY.Receive[uint64(peer)].SAs[1].Active {
			t.Errorf("device is %+v, SecY %+v", d, d.SecY)
		}
		l.pass(time.Minute)
		if !d.SecY.Operational() || len(l.reported()) != 0 {
			t.Error("what was adopted is taken away")
		}
	})
}

func TestAdoptedSAsGoSomeTimeAfterTheFirstKeyOfOurs(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open().order(append([]secy.Op{configure(strict)}, install(first, 1)...)...)
		l.reopen()
		l.order(configure(strict))
		l.order(install(another, 2)...)
		l.pass(2 * time.Second)
		sc := l.secY().Receive[uint64(peer)]
		if sc.SAs[1] == nil || !sc.SAs[1].Active {
			t.Error("the old key does not receive any more: frames under way are lost")
		}
		l.pass(3 * time.Second)
		if s := l.secY(); sc.SAs[1] != nil || s.Transmit[1] != nil || !s.Operational() || !sc.SAs[2].Active {
			t.Errorf("SecY is %+v, SC %+v", s, sc)
		}
	})
}

func TestTransmitSAOfAnEarlierProcessIsTakenOver(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open().order(append([]secy.Op{configure(strict)}, install(first, 1)...)...)
		l.secY().Transmit[1].PN = 777
		l.reopen()
		l.order(install(first, 1)...)
		if sa := l.secY().Transmit[1]; sa.PN != 777 || !sa.Active {
			t.Errorf("transmit SA is %+v, want it to go on at 777", sa)
		}
		l.refuse(transmitSA(first, 1), "packet numbers could repeat")
	})
}

func TestTransmitSAElsewhereIsNotTakenOver(t *testing.T) {
	for name, change := range map[string]func(*kerneltest.SA, *secy.Op){
		"another AN": func(_ *kerneltest.SA, op *secy.Op) { op.AN = 2 },
		"spent":      func(sa *kerneltest.SA, _ *secy.Op) { sa.PN = 0 },
		"other SSCI": func(_ *kerneltest.SA, op *secy.Op) { op.SSCI = 9 },
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				l.open(with(secy.GCMAESXPN128)).order(configureSuite(secy.GCMAESXPN128))
				l.order(install(first, 1)...)
				l.reopen(with(secy.GCMAESXPN128))
				op := transmitSA(first, 1)
				change(l.secY().Transmit[1], &op)
				l.refuse(op, "packet numbers could repeat")
			})
		})
	}
}

// A device that somebody has keyed by hand has key identifiers that are none of MKA.
func TestHandKeyedDeviceIsAdopted(t *testing.T) {
	inLab(t, func(l *lab) {
		byHand := secy.KeyID{1}
		l.open().order(append([]secy.Op{configure(strict)}, install(byHand, 0)...)...)
		l.secY().EndStation, l.secY().Replay, l.secY().Window = true, false, 0
		l.reopen()
		l.order(configure(strict))
		l.order(install(first, 0)...)
		if s := l.secY(); s.Transmit[0].KeyID != first || !s.Operational() || s.EndStation || s.Window != 128 {
			t.Errorf("SecY is %+v", s)
		}
	})
}

func TestAdoptedDeviceInClearIsClosed(t *testing.T) {
	inLab(t, func(l *lab) {
		set := strict
		set.ProtectFrames, set.ValidateFrames = false, secy.ValidateCheck
		l.open().order(configure(set), controlledPort(true))
		l.reopen()
		if d := l.device(); !d.SecY.Protect || d.SecY.Validation != 2 || d.OperState != operDormant {
			t.Errorf("device is %+v, SecY %+v", d, d.SecY)
		}
	})
}

func TestAdoptedDeviceOfAnotherSCIIsMadeAnew(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open(func(c *kernel.Config) { c.SCI = secy.NewSCI(mac, 9) })
		index := l.device().Index
		l.device().Addresses = [][]byte{address(index, unix.AF_INET, []byte{192, 0, 2, 1})}
		l.reopen()
		if d := l.device(); d.SecY.SCI != uint64(self) || d.Index != index || len(d.Addresses) != 1 {
			t.Errorf("device is %+v, SecY %+v", d, d.SecY)
		}
	})
}

func TestDeviceOfAnotherBackendIsReplaced(t *testing.T) {
	inLab(t, func(l *lab) {
		tap := l.k.AddVirtual("macsec0", "tun", 0)
		tap.Addresses = [][]byte{address(tap.Index, unix.AF_INET, []byte{192, 0, 2, 1})}
		l.open(func(c *kernel.Config) { c.Replace = true })
		if d := l.device(); d.Index != tap.Index || len(d.Addresses) != 1 || !bytes.Equal(d.MAC, mac[:]) {
			t.Errorf("device is %+v", d)
		}
	})
}

// address is an RTM_NEWADDR.
func address(index int, family byte, ip []byte) []byte {
	b := []byte{family, byte(8 * len(ip)), 0x80, 0}
	b = binary.NativeEndian.AppendUint32(b, uint32(index))
	return append(b, attr(unix.IFA_LOCAL, ip)...)
}

// route is an RTM_NEWROUTE of the main table by an administrator.
func route(index int, destination, gateway []byte) []byte {
	b := []byte{unix.AF_INET, 24, 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, 0, unix.RTN_UNICAST, unix.RTNH_F_LINKDOWN, 0, 0, 0}
	b = append(b, attr(unix.RTA_DST, destination)...)
	b = append(b, attr(unix.RTA_OIF, binary.NativeEndian.AppendUint32(nil, uint32(index)))...)
	if gateway != nil {
		b = append(b, attr(unix.RTA_GATEWAY, gateway)...)
	}
	return b
}

func attr(kind uint16, value []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	b = append(binary.NativeEndian.AppendUint16(b, kind), value...)
	return append(b, make([]byte, -len(b)&3)...)
}

func TestOperationalStateFollowsControlledPort(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open().order(append([]secy.Op{configure(strict)}, install(first, 0)...)...)
		if d := l.device(); d.OperState != operUp || d.LinkMode != 0 {
			t.Errorf("enabled: %+v", d)
		}
		l.order(controlledPort(false))
		if d := l.device(); d.OperState != operDormant || d.LinkMode != 1 || !d.Up {
			t.Errorf("disabled: %+v", d)
		}
	})
}

func TestDownPutsBackWhatItHasCost(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open(func(c *kernel.Config) { c.Unsecured = kernel.Down })
		if d := l.device(); d.Up || d.OperState != operDown {
			t.Fatalf("unsecured: %+v", d)
		}
		l.order(append([]secy.Op{configure(strict)}, install(first, 0)...)...)
		d := l.device()
		v4, v6 := address(d.Index, unix.AF_INET, []byte{192, 0, 2, 1}), address(d.Index, unix.AF_INET6, make([]byte, 16))
		ending := address(d.Index, unix.AF_INET6, []byte{0x20, 0x01, 15: 1})
		ending[2] = 0 // not permanent
		d.Addresses = [][]byte{v4, v6, ending}
		d.Routes = [][]byte{route(d.Index, []byte{198, 51, 100, 0}, nil)}
		l.order(controlledPort(false))
		if d.Up || len(d.Addresses) != 2 || !bytes.Equal(d.Addresses[1], v6) {
			t.Fatalf("disabled: %+v, want what the kernel takes on a device that is down", d)
		}
		d.Addresses = d.Addresses[1:] // somebody takes the other one away
		l.order(deleteSAs(first))
		l.order(install(another, 1)...)
		if want := [][]byte{v6, ending}; !d.Up || !slices.EqualFunc(d.Addresses, want, bytes.Equal) || len(d.Routes) != 1 {
			t.Errorf("enabled: %+v, want what was lost by the port and nothing else", d)
		}
	})
}

// The next process knows nothing of what an earlier one has cost the device.
func TestDeviceTakenDownIsLeftWhole(t *testing.T) {
	inLab(t, func(l *lab) {
		down := func(c *kernel.Config) { c.Unsecured = kernel.Down }
		l.open(down)
		l.order(append([]secy.Op{configure(strict)}, install(first, 0)...)...)
		d := l.device()
		d.Addresses = [][]byte{address(d.Index, unix.AF_INET6, make([]byte, 16))}
		d.Routes = [][]byte{route(d.Index, []byte{198, 51, 100, 0}, nil)}
		l.order(controlledPort(false), deleteSAs(first))
		must(t, l.Close(true))
		if !d.Up || d.OperState != operDormant || len(d.Addresses) != 1 || len(d.Routes) != 1 || !d.SecY.Protect || d.SecY.Validation != 2 {
			t.Errorf("left is %+v, SecY %+v, want all that it had, dormant and closed", d, d.SecY)
		}
		l.open(down)
		if d.Up || len(d.Routes) != 0 {
			t.Errorf("opened again: %+v", d)
		}
		l.order(append([]secy.Op{configure(strict)}, install(another, 1)...)...)
		if !d.Up || len(d.Addresses) != 1 || len(d.Routes) != 1 {
			t.Errorf("secured again: %+v", d)
		}
	})
}

func TestDeviceTakenDownThatHasLostNothingIsLeftDown(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open(func(c *kernel.Config) { c.Unsecured = kernel.Down })
		must(t, l.Close(true))
		if d := l.device(); d.Up {
			t.Errorf("left is %+v", d)
		}
	})
}

// On a device that is up what receive SAs in use admit would be delivered.
func TestDeviceTakenDownThatCouldReceiveIsLeftDown(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open(func(c *kernel.Config) { c.Unsecured = kernel.Down })
		l.order(append([]secy.Op{configure(strict)}, install(first, 0)...)...)
		d := l.device()
		d.Routes = [][]byte{route(d.Index, []byte{198, 51, 100, 0}, nil)}
		l.order(controlledPort(false))
		must(t, l.Close(true))
		if d.Up || !strings.Contains(l.log.String(), "what=\"route 198.51.100.0/24 of macsec0") {
			t.Errorf("left is %+v, and the log\n%s", d, &l.log)
		}
	})
}

func TestShouldSecurePassesFramesInClearOnlyWhileEnabled(t *testing.T) {
	inLab(t, func(l *lab) {
		set := strict
		set.ProtectFrames, set.ValidateFrames, set.ReplayProtect = false, secy.ValidateCheck, false
		l.open().order(configure(set))
		if s := l.secY(); !s.Protect || s.Validation != 2 {
			t.Errorf("configured, not enabled: %+v", s)
		}
		l.order(controlledPort(true))
		if s := l.secY(); s.Protect || s.Validation != 1 {
			t.Errorf("enabled: %+v", s)
		}
		l.order(controlledPort(false))
		if s := l.secY(); !s.Protect || s.Validation != 2 {
			t.Errorf("disabled: %+v", s)
		}
	})
}

func TestPortThatCannotBeDisabledInFullIsClosedLater(t *testing.T) {
	inLab(t, func(l *lab) {
		set := strict
		set.ProtectFrames, set.ValidateFrames = false, secy.ValidateCheck
		l.open().order(configure(set), controlledPort(true))
		l.k.Fail("NEWLINK", unix.ENOMEM)
		l.refuse(controlledPort(false), "out of memory")
		l.pass(2 * time.Second)
		if d := l.device(); !d.SecY.Protect || d.SecY.Validation != 2 || d.OperState != operDormant {
			t.Errorf("device is %+v, SecY %+v", d, d.SecY)
		}
	})
}

func TestLowerDeviceIsFollowed(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open()
		moved := [6]byte{2, 0, 0, 0, 0, 0xab}
		l.k.Device("eth1").MTU = 9032
		if err := l.LowerChanged(l.lower, moved, 9032); err != nil {
			t.Fatal(err)
		}
		if d := l.device(); d.MTU != 9000 || !bytes.Equal(d.MAC, moved[:]) || d.SecY.SCI != uint64(self) {
			t.Errorf("device is %+v", d)
		}
		if err := l.LowerChanged(l.lower, moved, 99); err == nil || !strings.Contains(err.Error(), "raise it to at least 100") {
			t.Errorf("with an MTU of 99: %v", err)
		}
	})
}

func TestDeviceIsLostWithItsLowerDevice(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open()
		l.k.Remove("eth1")
		index := l.k.AddDevice("eth1", mac[:], 1532)
		if err := l.LowerChanged(index, mac, 1532); err == nil || l.Err() == nil {
			t.Errorf("error %v, Err %v", err, l.Err())
		}
	})
}

func TestOffloadedSecYIsMadeAndMoved(t *testing.T) {
	inLab(t, func(l *lab) {
		l.k.Hardware, l.k.Room = true, 1
		l.open(func(c *kernel.Config) { c.Offload, c.Unsecured = kernel.OffloadMAC, kernel.Down })
		if l.secY().Offload != 2 {
			t.Errorf("offload is %d", l.secY().Offload)
		}
		index := l.device().Index
		l.reopen(func(c *kernel.Config) { c.Unsecured = kernel.Down })
		if s := l.secY(); s.Offload != 0 || l.device().Index != index {
			t.Errorf("SecY is %+v", s)
		}
	})
}

func TestOffloadOfASecYInUseNeedsAnotherDevice(t *testing.T) {
	inLab(t, func(l *lab) {
		l.k.Hardware, l.k.Room = true, 1
		l.open().order(configure(strict), receiveSC(peer))
		before := l.device()
		l.reopen(func(c *kernel.Config) { c.Offload = kernel.OffloadMAC })
		if d := l.device(); d == before || d.SecY.Offload != 2 || d.Index != before.Index {
			t.Errorf("device is %+v, SecY %+v", d, d.SecY)
		}
	})
}

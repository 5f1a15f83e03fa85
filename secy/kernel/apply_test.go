package kernel_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mkad/secy"
	"mkad/secy/kernel/kerneltest"
)

func TestOrdersOfCPSecureThePort(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open().order(configure(strict))
		reports := l.apply(install(first, 1)...)
		want := []secy.Report{{Kind: secy.ReportReceiving, Key: first}, {Kind: secy.ReportTransmitting, Key: first}}
		if len(reports) != 2 || reports[0] != want[0] || reports[1] != want[1] {
			t.Errorf("reported %v, want %v", reports, want)
		}
		s := l.secY()
		tx, rx := s.Transmit[1], s.Receive[uint64(peer)].SAs[1]
		if !s.Operational() || s.EncodingSA != 1 || tx.KeyID != first || tx.PN != 1 || !bytes.Equal(tx.Key, octets[:16]) {
			t.Errorf("transmit SA is %+v, encoding %d", tx, s.EncodingSA)
		}
		if !rx.Active || rx.KeyID != first || !bytes.Equal(rx.Key, octets[:16]) {
			t.Errorf("receive SA is %+v", rx)
		}
	})
}

func TestKeySwitchNeverLeavesTheSecYWithoutAnSA(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open().order(append([]secy.Op{configure(strict)}, install(first, 0)...)...)
		l.k.Requests()
		l.order(receiveSA(peer, another, 1), transmitSA(another, 1), enableReceive(another), enableTransmit(another),
			deleteSAs(first))
		l.wantRequests("ADD_RXSA", "ADD_TXSA", "UPD_RXSA", "UPD_TXSA", "NEWLINK", "UPD_TXSA", "DEL_TXSA", "UPD_RXSA", "DEL_RXSA")
		if s := l.secY(); s.Transmit[0] != nil || s.EncodingSA != 1 || !s.Operational() {
			t.Errorf("SecY is %+v", s)
		}
	})
}

func TestConfigureSetsControls(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*secy.Settings)
		holds  func(*kerneltest.SecY) bool
	}{
		"confidentiality":  {func(*secy.Settings) {}, func(s *kerneltest.SecY) bool { return s.Encrypt }},
		"integrity only":   {func(s *secy.Settings) { s.Offset = secy.IntegrityOnly }, func(s *kerneltest.SecY) bool { return !s.Encrypt }},
		"replay window":    {func(*secy.Settings) {}, func(s *kerneltest.SecY) bool { return s.Replay && s.Window == 128 }},
		"no replay":        {func(s *secy.Settings) { s.ReplayProtect = false }, func(s *kerneltest.SecY) bool { return !s.Replay && s.Window == 0 }},
		"strict order":     {func(s *secy.Settings) { s.ReplayWindow = 0 }, func(s *kerneltest.SecY) bool { return s.Replay && s.Window == 0 }},
		"SCI sent":         {func(*secy.Settings) {}, func(s *kerneltest.SecY) bool { return s.IncludeSCI && !s.EndStation }},
		"SCI left out":     {func(s *secy.Settings) { s.SendSCI = false }, func(s *kerneltest.SecY) bool { return !s.IncludeSCI && s.EndStation }},
		"clear":            {func(s *secy.Settings) { s.ProtectFrames = false }, func(s *kerneltest.SecY) bool { return !s.Protect }},
		"validateFrames":   {func(s *secy.Settings) { s.ValidateFrames = secy.ValidateCheck }, func(s *kerneltest.SecY) bool { return s.Validation == 1 }},
		"validate nothing": {func(s *secy.Settings) { s.ValidateFrames = secy.ValidateDisabled }, func(s *kerneltest.SecY) bool { return s.Validation == 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				set := strict
				c.change(&set)
				l.open().order(configure(set), controlledPort(true))
				if s := l.secY(); !c.holds(s) {
					t.Errorf("SecY is %+v", s)
				}
			})
		})
	}
}

// Clause: 802.1AE-2018 10.7.25; the kernel has no offsets 30 and 50
// Requirement: R110
func TestConfigureRefusesWhatTheKernelCannot(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*secy.Settings)
		says   string
	}{
		"offset 30":       {func(s *secy.Settings) { s.Offset = secy.Offset30 }, `no offset-30: set offset-0, or backend to "userspace"`},
		"offset 50":       {func(s *secy.Settings) { s.Offset = secy.Offset50 }, "no offset-50"},
		"unknown suite":   {func(s *secy.Settings) { s.CipherSuite = 5 }, "unknown"},
		"no validation":   {func(s *secy.Settings) { s.ValidateFrames = 0 }, "validateFrames"},
		"wide XPN window": {func(s *secy.Settings) { s.CipherSuite, s.ReplayWindow = secy.GCMAESXPN128, 1<<30 }, "too wide"},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				set := strict
				c.change(&set)
				l.open().refuse(configure(set), c.says)
				l.wantRequests()
			})
		})
	}
}

func TestNoSuiteMeansTheOneThatThereIs(t *testing.T) {
	inLab(t, func(l *lab) {
		set := strict
		set.CipherSuite = 0
		l.open(with(secy.GCMAES256)).order(configure(set))
		if s := l.secY(); s.Suite != uint64(secy.GCMAES256) {
			t.Errorf("suite is %x", s.Suite)
		}
	})
}

// Every kernel error of every request ends in a report that says what was tried, the kernel's word and the remedy, and
// leaves a Device that goes on.
func TestKernelErrorIsReportedAndOvercome(t *testing.T) {
	sc, tx, rx := receiveSC(peer), transmitSA(first, 0), receiveSA(peer, first, 0)
	for name, c := range map[string]struct {
		before  []secy.Op
		op      secy.Op
		request string
		errno   unix.Errno
		says    string
	}{
		"no cipher":              {[]secy.Op{sc}, tx, "ADD_TXSA", unix.ENOENT, "make transmit SA 0 for key a1000000000000000000000000000001: no such file or directory: the kernel lacks gcm(aes)"},
		"no cipher to receive":   {[]secy.Op{sc}, rx, "ADD_RXSA", unix.ENOENT, "lacks gcm(aes)"},
		"no privilege":           {[]secy.Op{sc}, tx, "ADD_TXSA", unix.EPERM, "initial user namespace"},
		"hardware full":          {nil, sc, "ADD_RXSC", unix.ENOSPC, "hardware has no room"},
		"SCI taken":              {nil, sc, "ADD_RXSC", unix.EEXIST, "another SecY of the lower device"},
		"SC gone meanwhile":      {[]secy.Op{sc}, rx, "ADD_RXSA", unix.ENODEV, "somebody has removed it"},
		"SA gone meanwhile":      {[]secy.Op{sc, tx}, enableTransmit(first), "UPD_TXSA", unix.ENODEV, "somebody has removed it"},
		"receive SA gone":        {[]secy.Op{sc, rx}, enableReceive(first), "UPD_RXSA", unix.ENODEV, "activate receive SA 0 of 0200000000bb0001"},
		"AN taken":               {[]secy.Op{sc}, tx, "ADD_TXSA", unix.EBUSY, "busy"},
		"link change refused":    {[]secy.Op{sc, tx}, enableTransmit(first), "NEWLINK", unix.EIO, "transmit with SA 0"},
		"settings refused":       {nil, configure(strict), "NEWLINK", unix.EINVAL, "set macsec0 to protect=true"},
		"no memory":              {nil, sc, "GET_TXSC", unix.ENOMEM, "out of memory"},
		"port cannot be enabled": {nil, controlledPort(true), "NEWLINK", unix.EIO, "operational state of macsec0"},
		"SA cannot be deleted":   {[]secy.Op{sc, tx}, deleteSAs(first), "DEL_TXSA", unix.EBUSY, "delete transmit SA 0"},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				l.open().order(c.before...)
				l.k.Fail(c.request, c.errno)
				l.refuse(c.op, c.says)
				l.order(deleteSAs(first))
				l.order(append([]secy.Op{configure(strict)}, install(another, 1)...)...)
				l.pass(10 * time.Second)
				if got := l.reported(); len(got) != 0 || !l.secY().Operational() || l.Err() != nil {
					t.Errorf("afterwards reported %v, %v", got, l.Err())
				}
			})
		})
	}
}

func TestRefusedOrderLeavesNothingWanted(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open().order(configure(strict), receiveSC(peer))
		l.k.Fail("ADD_RXSA", unix.ENOSPC)
		l.refuse(receiveSA(peer, first, 0), "no room")
		l.pass(10 * time.Second)
		if got := l.reported(); len(got) != 0 {
			t.Errorf("reported %v", got)
		}
	})
}

func TestLostAnswerIsNoFailure(t *testing.T) {
	for _, errno := range []unix.Errno{unix.ENOBUFS, unix.EAGAIN} {
		for _, request := range []string{"ADD_RXSC", "ADD_RXSA", "ADD_TXSA", "UPD_TXSA", "UPD_RXSA"} {
			inLab(t, func(l *lab) {
				l.open().order(configure(strict))
				l.k.LoseAnswer(request, errno)
				l.order(install(first, 0)...)
				if !l.secY().Operational() {
					t.Errorf("%s after %s: it does not work", errno, request)
				}
			})
		}
	}
}

func TestLostRequestIsAFailure(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open().order(configure(strict))
		l.k.Fail("ADD_TXSA", unix.ENOBUFS)
		l.refuse(transmitSA(first, 0), "transmit SA 0 of key a1000000000000000000000000000001 is missing")
	})
}

func TestDisturbedDumpIsRepeated(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open()
		for _, errno := range []unix.Errno{unix.EINTR, unix.ENOBUFS, unix.EINTR} {
			l.k.Fail("GET_TXSC", errno)
		}
		l.order(configure(strict))
	})
}

func TestKernelThatIgnoresAChangeIsFoundOut(t *testing.T) {
	for name, c := range map[string]struct {
		before []secy.Op
		op     secy.Op
		says   string
	}{
		"settings":    {nil, configure(strict), "not kept Configure"},
		"transmit SA": {[]secy.Op{configure(strict)}, transmitSA(first, 0), "is missing"},
		"activation":  {[]secy.Op{configure(strict), transmitSA(first, 0)}, enableTransmit(first), "stopped transmit SA 0"},
		"reception":   {[]secy.Op{configure(strict), receiveSC(peer), receiveSA(peer, first, 0)}, enableReceive(first), "active=false against orders"},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				l.open().order(c.before...)
				l.secY().Stubborn = true
				l.refuse(c.op, c.says)
			})
		})
	}
}

func TestDeviceRemovedUnderneathIsLost(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open().order(configure(strict))
		l.k.Remove("macsec0")
		l.refuse(receiveSC(peer), "no such device")
		select {
		case <-l.Done():
		default:
			t.Fatal("Done is open")
		}
		if err := l.Err(); err == nil || !strings.Contains(err.Error(), "macsec0 is gone") {
			t.Errorf("Err is %v", err)
		}
		l.refuse(receiveSC(peer), "macsec0 is gone")
	})
}

func TestReloadedModuleIsFoundAgain(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open()
		l.k.ReloadModule()
		l.refuse(configure(strict), "no such device")
		if l.Err() == nil {
			t.Error("the device is not lost")
		}
	})
}

func TestClosedDeviceObeysNothing(t *testing.T) {
	inLab(t, func(l *lab) {
		l.open()
		if err := l.Close(true); err != nil {
			t.Fatal(err)
		}
		l.refuse(configure(strict), "closed")
		if err := l.LowerChanged(l.lower, mac, 1532); err == nil {
			t.Error("it follows the lower device")
		}
	})
}

func TestCloseRemovesOrKeepsTheDevice(t *testing.T) {
	for _, keep := range []bool{true, false} {
		inLab(t, func(l *lab) {
			l.open().order(append([]secy.Op{configure(strict)}, install(first, 0)...)...)
			if err := l.Close(keep); err != nil {
				t.Fatal(err)
			}
			d := l.k.Device("macsec0")
			if (d != nil) != keep || keep && !d.SecY.Operational() {
				t.Errorf("with keep %t the device is %+v", keep, d)
			}
		})
	}
}

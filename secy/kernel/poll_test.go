package kernel_test

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mkad/secy"
)

const (
	freshTime = 201 * time.Millisecond
	pollTime  = 4001 * time.Millisecond // the longest
)

// secured is a lab with a key in use.
func secured(l *lab) *lab {
	l.open().order(append([]secy.Op{configure(strict)}, install(first, 0)...)...)
	return l
}

func TestExhaustionIsReportedOnce(t *testing.T) {
	inLab(t, func(l *lab) {
		sa := secured(l).secY().Transmit[0]
		sa.PN, sa.Active = 0, false
		l.pass(3 * pollTime)
		if got := l.reported(); len(got) != 1 || got[0] != (secy.Report{Kind: secy.ReportExhausted, Key: first}) {
			t.Errorf("reported %v", got)
		}
		if pn, ok := l.PN(first); !ok || pn != 1<<32-1 {
			t.Errorf("packet number is %d, %t, want the last there is", pn, ok)
		}
		if sa.Active {
			t.Error("a spent SA was started again")
		}
	})
}

// Hardware clears the flag after its packet numbers have ended, and tells another number.
func TestStoppedTransmitSAIsTakenForExhausted(t *testing.T) {
	inLab(t, func(l *lab) {
		sa := secured(l).secY().Transmit[0]
		sa.Active = false
		l.pass(2 * pollTime)
		if got := l.reported(); len(got) != 1 || got[0].Kind != secy.ReportExhausted || sa.Active {
			t.Errorf("reported %v, active %t", got, sa.Active)
		}
	})
}

// Clause: none; the module takes its devices and its family away, so that the SecY cannot even be asked for.
func TestRemovedModuleLosesTheDevice(t *testing.T) {
	inLab(t, func(l *lab) {
		secured(l)
		l.k.ReloadModule()
		l.k.NoModule = true
		l.pass(pollTime)
		if err := l.Err(); err == nil || !strings.Contains(err.Error(), "macsec0 is gone") {
			t.Errorf("Err is %v", err)
		}
	})
}

// Clause: none; design: the MTU of the Controlled Port is kept 32 below that of the lower device.
func TestMTUIsKept(t *testing.T) {
	inLab(t, func(l *lab) {
		secured(l)
		l.k.Device("macsec0").MTU = 1300
		l.pass(pollTime)
		if mtu := l.k.Device("macsec0").MTU; mtu != 1500 {
			t.Errorf("MTU is %d", mtu)
		}
	})
}

func TestSamplesAreNotOlderThanTheirBound(t *testing.T) {
	inLab(t, func(l *lab) {
		s := secured(l).secY()
		s.Transmit[0].PN, s.Receive[uint64(peer)].SAs[0].PN = 1000, 2000
		if pn, _ := l.PN(first); pn != 1 {
			t.Errorf("packet number is %d: every sample costs a dump", pn)
		}
		l.pass(freshTime)
		if pn, ok := l.PN(first); !ok || pn != 1000 {
			t.Errorf("packet number is %d, %t", pn, ok)
		}
		if pn, ok := l.LowestPN(peer, first); !ok || pn != 2000-128 {
			t.Errorf("lowest packet number is %d, %t", pn, ok)
		}
	})
}

func TestWhatIsNotThereHasNoSample(t *testing.T) {
	inLab(t, func(l *lab) {
		secured(l)
		if _, ok := l.PN(another); ok {
			t.Error("a key without SA has a packet number")
		}
		if _, ok := l.LowestPN(second, first); ok {
			t.Error("an SC that is not there has a lowest packet number")
		}
		if _, ok := l.PN(secy.KeyID{}); ok {
			t.Error("no key has a packet number")
		}
	})
}

func TestLowestPNWithoutWindowIsOne(t *testing.T) {
	inLab(t, func(l *lab) {
		secured(l).secY().Receive[uint64(peer)].SAs[0].PN = 100
		l.pass(freshTime)
		if pn, _ := l.LowestPN(peer, first); pn != 1 {
			t.Errorf("lowest packet number is %d", pn)
		}
	})
}

func TestCountersHaveTheNamesOfToday(t *testing.T) {
	inLab(t, func(l *lab) {
		s := secured(l).secY()
		s.Statistics = map[uint16]uint64{1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 7, 8: 8}
		s.TransmitStatistics = map[uint16]uint64{1: 11, 2: 1<<32 + 12, 3: 13, 4: 14}
		s.Receive[uint64(peer)].Statistics = map[uint16]uint64{1: 21, 2: 22, 3: 23, 4: 24, 5: 25, 6: 26, 7: 27, 8: 28, 9: 29, 10: 30}
		l.pass(freshTime)
		want := secy.Counters{OutPktsUntagged: 1, InPktsUntagged: 2, OutPktsTooLong: 3, InPktsNoTag: 4, InPktsBadTag: 5,
			InPktsNoSA: 6 + 30, InPktsNoSAError: 7 + 29, InPktsOverrun: 8, OutPktsProtected: 11, OutPktsEncrypted: 1<<32 + 12,
			OutOctetsProtected: 13, OutOctetsEncrypted: 14, InOctetsValidated: 21, InOctetsDecrypted: 22, InPktsUnchecked: 23,
			InPktsDelayed: 24, InPktsOK: 25, InPktsInvalid: 26, InPktsLate: 27, InPktsNotValid: 28}
		if got := l.Counters(); got != want {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
}

func TestCountersOutliveTheirSC(t *testing.T) {
	inLab(t, func(l *lab) {
		secured(l).secY().Receive[uint64(peer)].Statistics[5] = 9
		l.order(secy.Op{Kind: secy.OpDeleteReceiveSC, SCI: peer})
		if c := l.Counters(); c.InPktsOK != 9 {
			t.Errorf("InPktsOK is %d", c.InPktsOK)
		}
	})
}

func TestForeignChangeIsRepaired(t *testing.T) {
	for name, c := range map[string]struct{ change, holds func(l *lab) bool }{
		"validation": {func(l *lab) bool { l.secY().Validation = 0; return true },
			func(l *lab) bool { return l.secY().Validation == 2 }},
		"encryption": {func(l *lab) bool { l.secY().Encrypt = false; return true },
			func(l *lab) bool { return l.secY().Encrypt }},
		"protection": {func(l *lab) bool { l.secY().Protect = false; return true },
			func(l *lab) bool { return l.secY().Protect }},
		"encoding SA": {func(l *lab) bool { l.secY().EncodingSA = 3; return true },
			func(l *lab) bool { return l.secY().EncodingSA == 0 }},
		"receive SA off": {func(l *lab) bool { l.secY().Receive[uint64(peer)].SAs[0].Active = false; return true },
			func(l *lab) bool { return l.secY().Receive[uint64(peer)].SAs[0].Active }},
		"strange receive SC": {func(l *lab) bool { l.addSC(77); return true },
			func(l *lab) bool { return l.secY().Receive[77] == nil }},
		"strange receive SA": {func(l *lab) bool { l.secY().Receive[uint64(peer)].SAs[3] = l.strange(3); return true },
			func(l *lab) bool { return l.secY().Receive[uint64(peer)].SAs[3] == nil }},
		"strange transmit SA": {func(l *lab) bool { l.secY().Transmit[3] = l.strange(3); return true },
			func(l *lab) bool { return l.secY().Transmit[3] == nil }},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				secured(l)
				c.change(l)
				l.pass(pollTime)
				if got := l.reported(); !c.holds(l) || len(got) != 0 || !l.secY().Operational() {
					t.Errorf("not repaired: %+v; reported %v", l.secY(), got)
				}
				if !strings.Contains(l.log.String(), "differs from what was ordered") {
					t.Error("nobody is told of it")
				}
			})
		})
	}
}

func TestWhatDiffersAgainIsReportedOnce(t *testing.T) {
	inLab(t, func(l *lab) {
		secured(l)
		for range 5 {
			l.secY().Validation = 0
			l.pass(pollTime)
		}
		got := l.reported()
		if len(got) != 1 || got[0].Kind != secy.ReportFailed || got[0].Op != secy.OpConfigure || !strings.Contains(got[0].Err, "somebody has changed") {
			t.Errorf("reported %v", got)
		}
	})
}

func TestSAThatSomebodyDeletesIsReported(t *testing.T) {
	for name, c := range map[string]struct {
		delete func(l *lab)
		op     secy.OpKind
	}{
		"transmit SA": {func(l *lab) { l.secY().Transmit[0] = nil }, secy.OpCreateTransmitSA},
		"receive SA":  {func(l *lab) { l.secY().Receive[uint64(peer)].SAs[0] = nil }, secy.OpCreateReceiveSA},
		"receive SC":  {func(l *lab) { delete(l.secY().Receive, uint64(peer)) }, secy.OpCreateReceiveSA},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				c.delete(secured(l))
				l.pass(3 * pollTime)
				got := l.reported()
				if len(got) != 1 || got[0].Kind != secy.ReportFailed || got[0].Key != first || got[0].Op != c.op {
					t.Errorf("reported %v", got)
				}
			})
		})
	}
}

func TestRemovedDeviceIsNoticedByItself(t *testing.T) {
	inLab(t, func(l *lab) {
		secured(l).k.Remove("macsec0")
		l.pass(pollTime)
		select {
		case <-l.Done():
		default:
			t.Error("Done is open")
		}
	})
}

// A dump that ends without the device says nothing of it.
func TestTruncatedDumpIsNoLoss(t *testing.T) {
	inLab(t, func(l *lab) {
		secured(l).order(receiveSC(second))
		l.k.ListLimit = 1
		l.pass(2 * pollTime)
		if l.Err() != nil || len(l.reported()) != 0 {
			t.Errorf("lost: %v", l.Err())
		}
		if pn, ok := l.PN(first); !ok || pn != 1 {
			t.Errorf("the last sample is gone: %d, %t", pn, ok)
		}
		l.refuse(receiveSC(77), "too many peers for one netlink message")
	})
}

func TestReadThatFailsOnceDoesNoHarm(t *testing.T) {
	inLab(t, func(l *lab) {
		secured(l).k.Fail("GET_TXSC", unix.ENOMEM)
		l.pass(2 * pollTime)
		if l.Err() != nil || len(l.reported()) != 0 || !l.secY().Operational() {
			t.Errorf("Err %v", l.Err())
		}
	})
}

func TestReportsThatNobodyReadsAreKept(t *testing.T) {
	inLab(t, func(l *lab) {
		secured(l)
		for n := range secy.SCI(9) {
			op := receiveSA(n+1, first, 0)
			l.order(receiveSC(n+1), op)
		}
		for n := range uint64(9) {
			l.secY().Receive[n+1].SAs[0] = nil
		}
		l.pass(2 * pollTime)
		told := len(l.reported())
		l.pass(2 * pollTime)
		if told += len(l.reported()); told != 9 {
			t.Errorf("%d reports of 9 arrived", told)
		}
	})
}

// Clause: none; design: the kernel is looked at as often as the packet numbers in use demand
func TestKernelIsLookedAtAsThePacketNumbersDemand(t *testing.T) {
	for _, c := range []struct {
		name string
		rate uint64 // packet numbers a second
		from uint64 // the first
		want [2]int // how many looks in 20 s, at least and at most
	}{
		{"idle", 0, 1, [2]int{4, 7}},
		{"slow", 1000, 1, [2]int{4, 7}},
		{"slow, near the end", 1000, 1<<32 - 25000, [2]int{10, 21}},
		{"as fast as can be", 148_800_000, 1, [2]int{6, 21}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				sa := secured(l).secY().Transmit[0]
				l.pass(time.Second)
				before := l.k.Dumps
				for i := range uint64(20) {
					sa.PN = min(c.from+i*c.rate, 1<<32-1)
					l.pass(time.Second)
				}
				if looks := l.k.Dumps - before; looks < c.want[0] || looks > c.want[1] {
					t.Errorf("%d looks, want %d to %d", looks, c.want[0], c.want[1])
				}
			})
		})
	}
}

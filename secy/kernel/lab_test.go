package kernel_test

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mkad/keyderive"
	"mkad/secy"
	"mkad/secy/kernel"
	"mkad/secy/kernel/kerneltest"
)

const (
	peer   = secy.SCI(0x0200000000bb_0001)
	second = secy.SCI(0x0200000000cc_0001)
)

var (
	mac     = [6]byte{2, 0, 0, 0, 0, 0xaa}
	self    = secy.NewSCI(mac, 1)
	first   = secy.KeyID{0xa1, 15: 1}
	another = secy.KeyID{0xa1, 15: 2}

	// octets are those of every SAK here; they must not appear in any text.
	octets = []byte("SECRETsecretSECRETsecretSECRETse")
)

// A lab is a lower device with a Device on it, in a kernel that is none.
type lab struct {
	*kernel.Device
	t     *testing.T
	k     *kerneltest.Kernel
	lower int
	log   bytes.Buffer
}

// inLab runs a test in a bubble, where time passes when everybody waits.
func inLab(t *testing.T, f func(l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(newLab(t)) })
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newLab makes a lab whose Device is not open yet.
func newLab(t *testing.T) *lab {
	l := &lab{t: t, k: kerneltest.New()}
	l.lower = l.k.AddDevice("eth1", mac[:], 1532)
	return l
}

func (l *lab) config() kernel.Config {
	return kernel.Config{Lower: l.lower, LowerName: "eth1", Controlled: "macsec0", MAC: mac, MTU: 1532, SCI: self,
		CipherSuite: secy.GCMAES128, Exchange: l.k.Exchange, Logger: slog.New(slog.NewTextHandler(&l.log, nil))}
}

// open opens the Device, which the test need not close.
func (l *lab) open(change ...func(*kernel.Config)) *lab {
	l.t.Helper()
	if err := l.tryOpen(change...); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		if err := l.Close(true); err != nil {
			l.t.Error(err)
		}
		if strings.Contains(strings.ToUpper(l.log.String()), "SECRET") {
			l.t.Error("a key is in the log")
		}
	})
	l.k.Requests()
	return l
}

func (l *lab) tryOpen(change ...func(*kernel.Config)) (err error) {
	cfg := l.config()
	for _, c := range change {
		c(&cfg)
	}
	l.Device, err = kernel.Open(cfg)
	return err
}

func with(suite secy.CipherSuite) func(*kernel.Config) {
	return func(c *kernel.Config) { c.CipherSuite = suite }
}

// device is the macsec device in the kernel.
func (l *lab) device() *kerneltest.Device {
	l.t.Helper()
	d := l.k.Device("macsec0")
	if d == nil || d.SecY == nil {
		l.t.Fatalf("macsec0 is %+v, want a macsec device", d)
	}
	return d
}

func (l *lab) secY() *kerneltest.SecY {
	l.t.Helper()
	return l.device().SecY
}

// apply has orders obeyed and returns what is reported.
func (l *lab) apply(ops ...secy.Op) (reports []secy.Report) {
	for _, op := range ops {
		reports = l.Apply(op, reports)
	}
	for _, r := range reports {
		if strings.Contains(strings.ToUpper(r.Err), "SECRET") {
			l.t.Error("a key is in a report")
		}
	}
	return reports
}

// order has orders obeyed that must be.
func (l *lab) order(ops ...secy.Op) {
	l.t.Helper()
	for _, r := range l.apply(ops...) {
		if r.Kind == secy.ReportFailed {
			l.t.Fatal(r)
		}
	}
}

// refuse gives an order that must fail, and say so.
func (l *lab) refuse(op secy.Op, says string) {
	l.t.Helper()
	got := l.apply(op)
	if len(got) != 1 || got[0].Kind != secy.ReportFailed || got[0].Op != op.Kind || got[0].Key != op.Key ||
		got[0].SCI != op.SCI || !strings.Contains(got[0].Err, says) {
		l.t.Fatalf("%v: reported %v, want a failure that says %q", op, got, says)
	}
}

// pass lets time pass, and whoever is then to do something do it. What the test has changed in the kernel comes before.
func (l *lab) pass(d time.Duration) {
	l.k.Requests()
	time.Sleep(d)
	synctest.Wait()
}

// reported returns the reports that wait.
func (l *lab) reported() (all []secy.Report) {
	for {
		select {
		case r := <-l.Reports():
			all = append(all, r)
		default:
			return all
		}
	}
}

func (l *lab) wantRequests(want ...string) {
	l.t.Helper()
	if got := l.k.Requests(); !slices.Equal(got, want) {
		l.t.Errorf("requests %v\nwant     %v", got, want)
	}
}

var strict = secy.Settings{ProtectFrames: true, ValidateFrames: secy.ValidateStrict, ReplayProtect: true, ReplayWindow: 128,
	CipherSuite: secy.GCMAES128, Offset: secy.Offset0, SendSCI: true}

func configure(s secy.Settings) secy.Op { return secy.Op{Kind: secy.OpConfigure, Settings: s} }

func configureSuite(suite secy.CipherSuite) secy.Op {
	s := strict
	s.CipherSuite = suite
	return configure(s)
}

func controlledPort(enabled bool) secy.Op {
	return secy.Op{Kind: secy.OpControlledPort, Enabled: enabled}
}

func receiveSC(sci secy.SCI) secy.Op { return secy.Op{Kind: secy.OpCreateReceiveSC, SCI: sci} }

func sak(n int) keyderive.SAK {
	k, err := keyderive.NewSAK(octets[:n])
	if err != nil {
		panic(err)
	}
	return k
}

func transmitSA(key secy.KeyID, an secy.AN) secy.Op {
	return secy.Op{Kind: secy.OpCreateTransmitSA, Key: key, AN: an, PN: 1, SSCI: 2, Salt: secy.Salt{1}, SAK: sak(16)}
}

func receiveSA(sci secy.SCI, key secy.KeyID, an secy.AN) secy.Op {
	return secy.Op{Kind: secy.OpCreateReceiveSA, SCI: sci, Key: key, AN: an, PN: 1, SSCI: 1, Salt: secy.Salt{1}, SAK: sak(16)}
}

func of(kind secy.OpKind, key secy.KeyID) secy.Op { return secy.Op{Kind: kind, Key: key} }

func enableReceive(key secy.KeyID) secy.Op  { return of(secy.OpEnableReceive, key) }
func enableTransmit(key secy.KeyID) secy.Op { return of(secy.OpEnableTransmit, key) }
func deleteSAs(key secy.KeyID) secy.Op      { return of(secy.OpDeleteSAs, key) }

// install is what CP orders for a key, up to its use in both directions.
func install(key secy.KeyID, an secy.AN) []secy.Op {
	return []secy.Op{receiveSC(peer), receiveSA(peer, key, an), transmitSA(key, an), enableReceive(key), enableTransmit(key),
		controlledPort(true)}
}

// addSC and strange are what somebody else has made.
func (l *lab) addSC(sci uint64) { l.secY().Receive[sci] = &kerneltest.SC{} }

func (l *lab) strange(an byte) *kerneltest.SA {
	return &kerneltest.SA{AN: an, Active: true, PN: 1, KeyID: [16]byte{9}}
}

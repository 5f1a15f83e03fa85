package mkatest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/mka"
	"mkad/secy"
)

// A Member is a KaY on the LAN, with its SecY and its driver.
type Member struct {
	Name   string
	KaY    *mka.KaY
	SecY   SecY
	Events []Event // what its KaY told, oldest first
	Frames int     // sent
	// ReportDelay is how long the SecY's reports take. 0: they are there before anything else happens.
	ReportDelay time.Duration
	// Traffic lets its Controlled Port send a frame before and after each thing that the KaY orders.
	Traffic bool

	port
	clock
	stalled  mka.Time // until when it does nothing
	reportAt mka.Time // of the SecY's last report on its way
	life     int      // how often it was restarted
	kept     mka.State
	keptAt   mka.Time
	fuse     int  // acts that are left to its process; 0: it goes on
	dead     bool // its process has ended
	cfg      mka.Config
	out      mka.Output
	keys     []secy.KeyID // scratch
	did      int          // events and orders when a Checker last looked
}

// An Event is an mka.Event with its time.
type Event struct {
	At mka.Time
	mka.Event
}

// Config is a sensible configuration for the n-th member, to be changed as the test needs.
func Config(n int) mka.Config {
	return mka.Config{
		SCI:          SCI(n),
		Capability:   secy.CapabilityOffsets,
		CipherSuites: []secy.CipherSuite{secy.GCMAESXPN256, secy.GCMAESXPN128, secy.GCMAES256, secy.GCMAES128},
		Offset:       secy.Offset0,
		Settings:     mka.Settings{KeyServerPriority: 16, ReplayProtect: true, ReplayWindow: 128, SendSCI: true},
		MTU:          1500,
	}
}

// SCI is that of the n-th member; SCIs grow with n.
func SCI(n int) secy.SCI { return secy.NewSCI([6]byte{0x02, 0, 0, 0, byte(n >> 8), byte(n)}, 1) }

// CKN makes a CKN of the given text.
func CKN(text string) keyderive.CKN {
	ckn, err := keyderive.NewCKN([]byte(text))
	if err != nil {
		panic(err)
	}
	return ckn
}

// CAK makes a CAK of the given length whose octets follow from n.
func CAK(n byte, octets int) keyderive.CAK {
	b := make([]byte, octets)
	for i := range b {
		b[i] = n*31 + byte(i)
	}
	cak, err := keyderive.NewCAK(b)
	if err != nil {
		panic(err)
	}
	return cak
}

// Add puts a member on the current segment, its link down and without participants. Config.Rand may be nil: the LAN's
// seed serves.
func (l *LAN) Add(name string, cfg mka.Config) *Member {
	if cfg.Rand == nil {
		cfg.Rand = reader{rand.New(rand.NewPCG(l.rng.Uint64(), l.rng.Uint64()))}
	}
	m := &Member{Name: name, cfg: cfg}
	m.port = l.attach(m)
	m.Restart()
	l.Members = append(l.Members, m)
	return m
}

type reader struct{ *rand.Rand }

func (r reader) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return len(b), nil
}

// Restart gives the member a new KaY and a new SecY, as if its process had ended and begun.
func (m *Member) Restart() {
	k, err := mka.New(m.cfg)
	if err != nil {
		panic(err)
	}
	m.life++
	m.KaY, m.SecY, m.reportAt, m.stalled = k, newSecY(), 0, 0
	m.dead, m.fuse, m.kept = false, 0, mka.State{}
	m.rearm()
}

// Up adds a primary participant and brings the link up.
func (m *Member) Up(ckn string, cak keyderive.CAK) {
	m.MustStep(mka.ParticipantAdded{CKN: CKN(ckn), CAK: cak})
	m.MustStep(mka.LinkChanged{Up: true})
}

// Step gives the KaY an input now and carries out what it orders.
func (m *Member) Step(in mka.Input) error {
	if m.dead {
		return nil
	}
	m.out.Reset()
	err := m.KaY.Step(m.now(), in, &m.out)
	m.carryOut()
	return err
}

// MustStep is Step for inputs that are in place.
func (m *Member) MustStep(in mka.Input) {
	if err := m.Step(in); err != nil {
		panic(fmt.Sprintf("mkatest: %s: step %T: %v", m.Name, in, err))
	}
}

// SamplePN tells the KaY that the key's next packet number is pn, as a driver does before each hello.
func (m *Member) SamplePN(key secy.KeyID, pn secy.PN) {
	m.SecY.PNs[key] = pn
	m.MustStep(mka.SecYReported{Report: secy.Report{Kind: secy.ReportPN, Key: key, PN: pn}})
}

func (m *Member) deadline() (mka.Time, bool) {
	at, ok := m.KaY.Deadline()
	if !ok || m.dead {
		return at, false
	}
	return max(m.clock.when(at), m.stalled), ok
}

func (m *Member) receive(frame []byte) {
	m.whenFree(func() {
		m.MustStep(mka.FrameReceived{Frame: frame})
		if m.lan.Now >= m.keptAt.Add(keepGap) && !m.dead {
			m.keep()
		}
	})
}

// wake lets the KaY do what is due. If more is due right after, time would stand still.
func (m *Member) wake() {
	if m.Traffic {
		m.samplePNs()
	}
	m.out.Reset()
	m.KaY.Tick(m.now(), &m.out)
	if at, ok := m.KaY.Deadline(); ok && at <= m.now() {
		panic(fmt.Sprintf("mkatest: %s: deadline %d after Tick at %d", m.Name, at, m.now()))
	}
	m.carryOut()
}

// carryOut does the driver's duty: what a restart needs is kept, then Ops, frames, events; then the reports of the SecY go
// back in.
func (m *Member) carryOut() {
	if len(m.out.Ops)+len(m.out.Frames) > 0 && m.acts() {
		m.keep()
	}
	reports := m.sendData(nil)
	for _, op := range m.out.Ops {
		if !m.acts() {
			break
		}
		if m.lan.Order != nil {
			m.lan.Order(m, op)
		}
		reports = m.SecY.Apply(op, reports)
	}
	reports = m.sendData(reports)
	for _, f := range m.out.Frames {
		if !m.acts() {
			break
		}
		m.Frames++
		m.send(f)
	}
	for _, e := range m.out.Events {
		m.Events = append(m.Events, Event{m.lan.Now, e})
	}
	for _, r := range reports {
		m.report(r)
	}
	m.rearm()
	if m.lan.Done != nil && !m.dead {
		m.lan.Done(m)
	}
}

// report lets the KaY hear of r, after all that was reported before, unless it has been restarted meanwhile.
func (m *Member) report(r secy.Report) {
	m.reportAt = max(m.reportAt, m.lan.Now.Add(m.ReportDelay))
	if m.reportAt == m.lan.Now {
		m.MustStep(mka.SecYReported{Report: r})
		return
	}
	life := m.life
	m.lan.After(m.reportAt.Sub(m.lan.Now), func() {
		if m.life == life {
			m.whenFree(func() { m.MustStep(mka.SecYReported{Report: r}) })
		}
	})
}

// Status is the KaY's status now.
func (m *Member) Status() mka.Status { return m.KaY.Status(m.now()) }

// MI is that of its first participant.
func (m *Member) MI() eapol.MI { return m.Status().Participants[0].MI }

// SCI is its own.
func (m *Member) SCI() secy.SCI { return m.cfg.SCI }

// Count tells how many events of the kind there were.
func (m *Member) Count(kind mka.EventKind) (n int) {
	for _, e := range m.Events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// Discards tells how many frames were discarded for the reason.
func (m *Member) Discards(reason eapol.Discard) uint64 { return m.Status().Discards[reason] }

// A Mark is a moment in what a member does.
type Mark struct{ ops, events, frames int }

// Mark takes the present moment.
func (m *Member) Mark() Mark { return Mark{len(m.SecY.Ops), len(m.Events), m.Frames} }

// A Record is what a member has done since a Mark.
type Record struct {
	Ops    []secy.Op
	Events []Event
	Frames int
}

// Since tells what the member has done since the mark, in the same life.
func (m *Member) Since(k Mark) Record {
	return Record{m.SecY.Ops[k.ops:], m.Events[k.events:], m.Frames - k.frames}
}

// Count tells how many orders of the kind there are.
func (r Record) Count(kind secy.OpKind) (n int) {
	for _, op := range r.Ops {
		if op.Kind == kind {
			n++
		}
	}
	return n
}

// Has reports whether there is an event of the kind.
func (r Record) Has(kind mka.EventKind) bool {
	for _, e := range r.Events {
		if e.Kind == kind {
			return true
		}
	}
	return false
}

package mka_test

import (
	"fmt"
	"strings"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// A transcript is what happens in an interaction script, a line for each MKPDU, Op and Event. Stations have the names
// that the script gives them; an MI is its owner's name and a letter, a KI that and the Key Number, so that nothing in
// it depends on randomness.
type transcript struct {
	strings.Builder
	w     *world
	quiet map[string]bool // "pdu", "op" or "event": not written

	scis map[secy.SCI]string
	mis  map[eapol.MI]string
	life map[secy.SCI]int // MIs seen
}

// newTranscript writes what happens in an empty world from now on.
func newTranscript(w *world) *transcript {
	t := &transcript{w: w, quiet: map[string]bool{}, scis: map[secy.SCI]string{}, mis: map[eapol.MI]string{},
		life: map[secy.SCI]int{}}
	check, told, done := w.Tap, map[*mkatest.Member]int{}, w.Done
	w.Tap = func(from mkatest.Station, frame []byte) {
		check(from, frame)
		t.pdu(frame)
	}
	w.Order = t.order(w.Order)
	w.Done = func(m *mkatest.Member) {
		done(m)
		for _, e := range m.Events[told[m]:] {
			t.event(m, e.Event)
		}
		told[m] = len(m.Events)
	}
	return t
}

func (t *transcript) line(kind, station, format string, args ...any) {
	if t.quiet[kind] {
		return
	}
	fmt.Fprintf(t, "%7.3f %s ", float64(t.w.Now)/1e9, station)
	fmt.Fprintf(t, format, args...)
	t.WriteByte('\n')
}

// name gives an MI its name.
func (t *transcript) name(mi eapol.MI, sci secy.SCI) {
	if _, known := t.mis[mi]; !known && sci != 0 {
		t.mis[mi] = t.sci(sci) + "." + string(rune('a'+t.life[sci]))
		t.life[sci]++
	}
}

func (t *transcript) sci(sci secy.SCI) string {
	if name, known := t.scis[sci]; known {
		return name
	}
	return sci.String()
}

func (t *transcript) mi(mi eapol.MI) string {
	for _, m := range t.w.Members {
		for _, p := range m.Status().Participants {
			t.name(p.MI, m.SCI())
		}
	}
	if name, known := t.mis[mi]; known {
		return name
	}
	return "nobody's"
}

func (t *transcript) ki(ki eapol.KI) string {
	if ki.IsZero() {
		return "none"
	}
	return fmt.Sprintf("%s/%d", t.mi(ki.MI), ki.KN)
}

func (t *transcript) key(id secy.KeyID) string {
	var ki eapol.KI
	copy(ki.MI[:], id[:])
	ki.KN = eapol.KN(uint32(id[12])<<24 | uint32(id[13])<<16 | uint32(id[14])<<8 | uint32(id[15]))
	return t.ki(ki)
}

// pdu writes an MKPDU that is sent.
func (t *transcript) pdu(frame []byte) {
	m := new(eapol.MKPDU)
	a := eapol.Acceptance{AnyGroup: true}
	if len(frame) > 14 {
		a.EtherType = uint16(frame[12])<<8 | uint16(frame[13])
	}
	if d := eapol.ParseMKPDU(frame, a, m); d != eapol.Accepted {
		t.line("pdu", "?", "sends what is no MKPDU: %s", d)
		return
	}
	b := &m.Basic
	t.name(b.MI, b.SCI)
	t.line("pdu", t.sci(b.SCI), "> %s%s mn %d%s", t.mi(b.MI), t.keyOf(b.CKN), b.MN, t.sets(m))
}

// keyOf names the key of an MKPDU, if it is not the one that all stations have.
func (t *transcript) keyOf(c keyderive.CKN) string {
	if c == mkatest.CKN(ckn) {
		return ""
	}
	return " by key " + strings.TrimLeft(string(c.AppendTo(nil)), "0")
}

// sets are the parameter sets of an MKPDU, those that say something.
func (t *transcript) sets(m *eapol.MKPDU) string {
	var s strings.Builder
	add := func(format string, args ...any) { fmt.Fprintf(&s, "; "+format, args...) }
	if m.DA != eapol.PAEGroup || m.EtherType != eapol.EtherType {
		add("to %s by %04x", m.DA, m.EtherType)
	}
	if m.Basic.MKAVersion != 3 {
		add("version %d", m.Basic.MKAVersion)
	}
	if m.Basic.KeyServer {
		add("key server %d", m.Basic.KeyServerPriority)
	}
	if m.Live.Present {
		add("live %s%s", t.list(&m.Live), ssci(m.Live.KeyServerSSCI))
	}
	if m.Potential.Present {
		add("potential %s", t.list(&m.Potential))
	}
	if u := &m.SAKUse; u.Present {
		add("uses %s, %s%s", t.use(&u.Latest), t.use(&u.Old), flag(u.DelayProtect, " delay-protect"))
	}
	if d := &m.DistributedSAK; d.Present && d.Empty {
		add("distributes no SAK")
	} else if d.Present {
		add("distributes KN %d an %d %s %s", d.KN, d.AN, d.Suite, d.Offset)
	}
	if m.Announcement.Present {
		add("announces %d", len(m.Announcement.Suites))
	}
	if m.XPN.Present {
		add("xpn")
		if m.XPN.SuspensionTime != 0 {
			fmt.Fprintf(&s, " suspends %d s", m.XPN.SuspensionTime)
		}
	}
	if m.ICVIndicator {
		add("indicator")
	}
	return s.String()
}

func ssci(n uint8) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" ssci %d", n)
}

func flag(set bool, name string) string {
	if set {
		return name
	}
	return ""
}

func (t *transcript) list(l *eapol.PeerList) string {
	names := make([]string, len(l.Peers))
	for i, p := range l.Peers {
		names[i] = fmt.Sprintf("%s:%d", t.mi(p.MI), p.MN)
	}
	return "[" + strings.Join(names, " ") + "]"
}

func (t *transcript) use(u *eapol.KeyUse) string {
	if u.KI.IsZero() {
		return "none"
	}
	return fmt.Sprintf("%s an %d%s%s lpn %d", t.ki(u.KI), u.AN, flag(u.Rx, " rx"), flag(u.Tx, " tx"), u.LPN)
}

// order writes what a KaY orders of its SecY, after next has seen it.
func (t *transcript) order(next func(*mkatest.Member, secy.Op)) func(*mkatest.Member, secy.Op) {
	return func(m *mkatest.Member, op secy.Op) {
		next(m, op)
		t.line("op", m.Name, ": %s%s", op.Kind, t.fields(op))
	}
}

func (t *transcript) fields(op secy.Op) string {
	switch op.Kind {
	case secy.OpConfigure:
		s := op.Settings
		return fmt.Sprintf(" protect %t, validate %s, %s %s", s.ProtectFrames, s.ValidateFrames, s.CipherSuite, s.Offset)
	case secy.OpControlledPort:
		return fmt.Sprintf(" %t", op.Enabled)
	case secy.OpCreateReceiveSC, secy.OpDeleteReceiveSC:
		return " " + t.sci(op.SCI)
	case secy.OpCreateReceiveSA:
		return fmt.Sprintf(" %s from %s an %d%s", t.key(op.Key), t.sci(op.SCI), op.AN, ssci(uint8(op.SSCI)))
	case secy.OpCreateTransmitSA:
		return fmt.Sprintf(" %s an %d%s", t.key(op.Key), op.AN, ssci(uint8(op.SSCI)))
	case secy.OpRaiseLowestPN:
		return fmt.Sprintf(" %s from %s to %d", t.key(op.Key), t.sci(op.SCI), op.PN)
	}
	return " " + t.key(op.Key)
}

// event writes what a KaY tells.
func (t *transcript) event(m *mkatest.Member, e mka.Event) {
	var s strings.Builder
	if e.Peer != 0 {
		s.WriteString(" " + t.sci(e.Peer))
	}
	if e.MI != (eapol.MI{}) {
		s.WriteString(" " + t.mi(e.MI))
	}
	if !e.KI.IsZero() {
		s.WriteString(" " + t.ki(e.KI))
	}
	if e.Suite != 0 {
		s.WriteString(" " + e.Suite.String())
	}
	if e.Kind == mka.EventDiscarded {
		s.WriteString(" " + e.Discard.String())
	}
	if e.Reason != "" {
		s.WriteString(" (" + e.Reason + ")")
	}
	t.line("event", m.Name, "! %s%s", e.Kind, s.String())
}

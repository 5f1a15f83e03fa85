package mkatest

import (
	"crypto/sha256"
	"slices"

	"mkad/keyderive"
	"mkad/secy"
)

// A SecY obeys Ops at once, remembers the state they make, and panics at an order that no KaY may give: the same key
// installed twice, two keys on one AN, a key switched on that was not made. Once it has been made to fail, an order that
// has become impossible by that fails too, and what could not be deleted gives way to what is made in its place.
type SecY struct {
	Ops      []secy.Op // all that were given, without keys
	Enabled  bool      // the Controlled Port
	Settings secy.Settings
	Tx       secy.KeyID // transmitting; zero: none
	SCs      []secy.SCI
	SAs      []SA
	PNs      map[secy.KeyID]secy.PN // next transmit PN, for keys that ever were
	// Fail, if set, decides which orders fail, and why; empty: it does not.
	Fail func(op secy.Op) string

	receiving []secy.KeyID // keys whose receive SAs are in use as soon as they are made
	failed    bool         // something has
	open      bool         // the Controlled Port was ordered to be, and not ordered to close since, obeyed or not
}

// newSecY makes one that is closed, and as strict as a real one before it is configured.
func newSecY() SecY {
	return SecY{PNs: map[secy.KeyID]secy.PN{},
		Settings: secy.Settings{ProtectFrames: true, ValidateFrames: secy.ValidateStrict, ReplayProtect: true}}
}

// An SA of the SecY; SCI 0 is the transmit SA.
type SA struct {
	SCI  secy.SCI
	AN   secy.AN
	Key  secy.KeyID
	SSCI secy.SSCI
	Salt secy.Salt
	SAK  Fingerprint
	On   bool
	// Suite is the SecY's when the SA was made.
	Suite secy.CipherSuite
}

// A Fingerprint stands for a SAK: two are the same key when their fingerprints are equal.
type Fingerprint [8]byte

// FingerprintOf is that of the SAK.
func FingerprintOf(sak keyderive.SAK) (f Fingerprint) {
	sum := sha256.Sum256(sak.Octets())
	copy(f[:], sum[:])
	return f
}

// Find returns the SA of the SCI (0: transmit) and key.
func (s *SecY) Find(sci secy.SCI, key secy.KeyID) (SA, bool) {
	for _, a := range s.SAs {
		if a.SCI == sci && a.Key == key {
			return a, true
		}
	}
	return SA{}, false
}

// Transmitting returns the transmit SA in use.
func (s *SecY) Transmitting() (SA, bool) {
	if s.Tx.IsZero() {
		return SA{}, false
	}
	return s.Find(0, s.Tx)
}

// Apply obeys an order and appends what there is to report.
func (s *SecY) Apply(op secy.Op, reports []secy.Report) []secy.Report {
	kept := op
	kept.SAK = keyderive.SAK{}
	s.Ops = append(s.Ops, kept)
	if op.Kind == secy.OpControlledPort {
		s.open = false
	}
	why := ""
	if s.Fail != nil {
		why = s.Fail(op)
	}
	if why == "" {
		why = s.obey(op)
	}
	if why != "" {
		s.failed = true
		return append(reports, secy.Report{Kind: secy.ReportFailed, Key: op.Key, Op: op.Kind, SCI: op.SCI, Err: why})
	}
	switch op.Kind {
	case secy.OpEnableReceive:
		reports = append(reports, secy.Report{Kind: secy.ReportReceiving, Key: op.Key})
	case secy.OpEnableTransmit:
		reports = append(reports, secy.Report{Kind: secy.ReportTransmitting, Key: op.Key})
	}
	return reports
}

// obey changes the state, or says why it cannot.
func (s *SecY) obey(op secy.Op) string {
	switch op.Kind {
	case secy.OpConfigure:
		s.Settings = op.Settings
	case secy.OpControlledPort:
		s.Enabled, s.open = op.Enabled, op.Enabled
	case secy.OpCreateReceiveSC:
		if slices.Contains(s.SCs, op.SCI) {
			s.impossible("receive SC made twice", op)
			return ""
		}
		s.SCs = append(s.SCs, op.SCI)
	case secy.OpDeleteReceiveSC:
		s.SCs = slices.DeleteFunc(s.SCs, func(c secy.SCI) bool { return c == op.SCI })
		s.SAs = slices.DeleteFunc(s.SAs, func(a SA) bool { return a.SCI == op.SCI })
	case secy.OpCreateReceiveSA, secy.OpCreateTransmitSA:
		return s.create(op)
	case secy.OpEnableReceive:
		s.enable(op.Key, false)
		s.receiving = append(s.receiving, op.Key)
	case secy.OpEnableTransmit:
		if !s.enable(op.Key, true) {
			return s.impossible("no transmit SA", op)
		}
		s.Tx = op.Key
	case secy.OpRaiseLowestPN:
		if _, ok := s.Find(op.SCI, op.Key); !ok {
			return s.impossible("no receive SA", op)
		}
	case secy.OpDeleteSAs:
		s.SAs = slices.DeleteFunc(s.SAs, func(a SA) bool { return a.Key == op.Key })
		s.receiving = slices.DeleteFunc(s.receiving, func(k secy.KeyID) bool { return k == op.Key })
		if s.Tx == op.Key {
			s.Tx = secy.KeyID{}
		}
	}
	return ""
}

// impossible is the answer to an order that makes no sense: a bug, unless a failure has led to it.
func (s *SecY) impossible(why string, op secy.Op) string {
	if !s.failed {
		panic("mkatest: " + why + ": " + op.String())
	}
	return why
}

func (s *SecY) create(op secy.Op) string {
	a := SA{SCI: op.SCI, AN: op.AN, Key: op.Key, SSCI: op.SSCI, Salt: op.Salt, SAK: FingerprintOf(op.SAK),
		Suite: s.Settings.CipherSuite}
	if op.Kind == secy.OpCreateTransmitSA {
		a.SCI = 0
	}
	if s.Settings.CipherSuite.KeyLen() != op.SAK.Len() {
		return s.impossible("key does not fit the suite", op)
	}
	s.free(a, op)
	switch _, used := s.PNs[op.Key]; {
	case op.Kind == secy.OpCreateTransmitSA && used:
		panic("mkatest: a transmit SA made twice, packet numbers repeat: " + op.String())
	case op.Kind == secy.OpCreateTransmitSA:
		s.PNs[op.Key] = op.PN
	case !slices.Contains(s.SCs, op.SCI):
		return s.impossible("receive SA without its SC", op)
	default:
		a.On = slices.Contains(s.receiving, op.Key)
	}
	s.SAs = append(s.SAs, a)
	return ""
}

// free deletes the SA that has the AN of a: one that could not be deleted before.
func (s *SecY) free(a SA, op secy.Op) {
	taken := slices.IndexFunc(s.SAs, func(b SA) bool { return b.SCI == a.SCI && b.AN == a.AN })
	if taken < 0 {
		return
	}
	s.impossible("AN taken", op)
	if was := s.SAs[taken]; was.SCI == 0 && was.Key == s.Tx {
		s.Tx = secy.KeyID{}
	}
	s.SAs = slices.Delete(s.SAs, taken, taken+1)
}

// enable switches the transmit SA, or all receive SAs, of the key on, and reports whether there is any.
func (s *SecY) enable(key secy.KeyID, transmit bool) (found bool) {
	for i := range s.SAs {
		if s.SAs[i].Key == key && (s.SAs[i].SCI == 0) == transmit {
			s.SAs[i].On, found = true, true
		}
	}
	return found
}

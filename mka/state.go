package mka

import (
	"mkad/eapol"
	"mkad/keyderive"
	"mkad/secy"
)

// reserve is how far ahead of what was used a State lets Message Numbers and Key Numbers begin: more than a participant
// can use, one MKPDU or SAK each MinGap, before the State is too old. So even a State that could not be replaced by its
// successor does not let a number come twice.
const reserve = 32_768

// A State is what the KaY of another process needs to go on as the same participants (9.4.2): plain data, which holds no
// key and shares no memory with the KaY. Times are those of the KaY, so that the clock has to go on between the two.
type State struct {
	SCI          secy.SCI
	Participants []ParticipantState
	Keys         []KeyState      // that the SecY may hold: the latest, the old
	Used         []eapol.KI      // the last of each key server's MI that was used on the port
	UsedIn       []keyderive.CKN `json:",omitempty"` // the CA of each; fewer: those of the others are not known
	UsedSAKs     []keyderive.Fingerprint
	LastAN       secy.AN
	Server       secy.SCI // who distributed the last key
}

// A ParticipantState is the part of one participant.
type ParticipantState struct {
	CKN       keyderive.CKN
	Proof     [16]byte // that who resumes has the CAK
	SentAt    Time     // the last MKPDU
	Principal bool
	SettledAt Time            // when the Live Peer List last changed
	Suspended SuspensionState `json:",omitzero"` // zero: MKA is not
	MI        eapol.MI
	MN        eapol.MN // none above it was or will be sent with this State
	KN        eapol.KN // likewise
	Version   uint8    // of MKA
	Peers     []PeerState
	Past      []PastPeer
}

// A SuspensionState is the part of a suspension of MKA (9.18).
type SuspensionState struct {
	By          secy.SCI // the key server that has announced it
	From, Until Time
}

// A PeerState is the part of one peer.
type PeerState struct {
	MI         eapol.MI
	MN         eapol.MN
	SCI        secy.SCI
	Live       bool
	HeardAt    Time
	ExpiresAt  Time
	Version    uint8
	Priority   uint8
	KeyServer  bool // the flag
	Desired    bool
	Capability secy.Capability
	Announced  []secy.CipherSuite
	Refused    []secy.CipherSuite
	HearsAll   bool
}

// A PastPeer is a live peer that went, with the last Message Number that it said.
type PastPeer struct {
	MI eapol.MI
	MN eapol.MN
}

// A KeyState is the part of one SAK, without the SAK.
type KeyState struct {
	Old      bool // the old key of CP, not the latest
	CKN      keyderive.CKN
	KI       eapol.KI
	AN       secy.AN
	Suite    secy.CipherSuite
	Offset   secy.ConfidentialityOffset
	SAK      keyderive.Fingerprint
	Server   secy.SCI
	SSCI     secy.SSCI
	Tx, Rx   bool
	LowestPN secy.PN // as last told
	BornAt   Time
	Members  []MemberState
}

// A MemberState is another holder of a key.
type MemberState struct {
	MI   eapol.MI
	SCI  secy.SCI // 0: not heard
	SSCI secy.SSCI
}

// State takes down what a restart needs. The driver keeps it where its next life finds it, before it obeys the Ops and
// sends the frames of an Output: whatever left the KaY, and only that, is then known to the next.
func (k *KaY) State() State {
	s := State{SCI: k.cfg.SCI, LastAN: k.lastAN, Server: k.cp.server}
	for _, p := range k.participants {
		s.Participants = append(s.Participants, p.state())
	}
	if y := k.cp.latest; y != nil {
		s.Keys = append(s.Keys, y.state(false, k.cp.ltx, k.cp.lrx))
	}
	if y := k.cp.old; y != nil {
		s.Keys = append(s.Keys, y.state(true, k.cp.otx, k.cp.orx))
	}
	used := k.used
	if y := k.cp.next; y != nil && !y.owner.electedSelf() {
		used.forget(y.owner.ckn, y.ki, y.name) // the SecY has not got it yet, and it may come again
	}
	s.Used, s.UsedIn, s.UsedSAKs = used.list()
	return s
}

func (p *participant) state() ParticipantState {
	s := ParticipantState{CKN: p.ckn, Proof: p.proof(p.mi), SentAt: p.sentAt, Principal: p.kay.principal == p,
		SettledAt: p.settledAt, MI: p.mi,
		MN: ahead(p.mn), KN: ahead(p.kn), Version: p.version}
	if p.suspension.on {
		s.Suspended = SuspensionState{By: p.server.sci, From: p.suspension.from, Until: p.suspension.until}
	}
	for i := range p.peers {
		q := &p.peers[i]
		s.Peers = append(s.Peers, PeerState{MI: q.mi, MN: q.mn, SCI: q.sci, Live: q.live, HeardAt: q.heardAt,
			ExpiresAt: q.expiresAt, Version: q.version, Priority: q.priority, KeyServer: q.keyServer, Desired: q.desired,
			Capability: q.capability, Announced: q.announced.list(), Refused: q.refused.list(), HearsAll: q.hearsAll})
	}
	for i := range p.past {
		if o := p.past[(p.pastNext+i)%len(p.past)]; o != (past{}) {
			s.Past = append(s.Past, PastPeer{MI: o.mi, MN: o.mn})
		}
	}
	return s
}

// ahead is a number beyond all that are used before the State is too old.
func ahead[N ~uint32](n N) N { return n + min(reserve, ^N(0)-n) }

// proof shows to whom has the CAK that the MI was that of a participant with it. It tells others no more than an ICV.
func (p *participant) proof(mi eapol.MI) [16]byte {
	return p.ick.Sum(append([]byte("mkad resumes "), mi[:]...)) // no ICV is of this: no MKPDU has such an EtherType
}

func (y *key) state(old, tx, rx bool) KeyState {
	s := KeyState{Old: old, KI: y.ki, AN: y.an, Suite: y.suite, Offset: y.offset, SAK: y.name, Server: y.server, SSCI: y.ssci,
		Tx: tx, Rx: rx, LowestPN: y.lpn, BornAt: y.bornAt}
	if y.owner != nil {
		s.CKN = y.owner.ckn
	}
	for _, m := range y.members {
		s.Members = append(s.Members, MemberState{MI: m.mi, SCI: m.sci, SSCI: m.ssci})
	}
	return s
}

// list is what is remembered, the longest unused first.
func (u *usedKeys) list() (kis []eapol.KI, ckns []keyderive.CKN, saks []keyderive.Fingerprint) {
	for _, k := range u.last {
		if !k.ki.IsZero() {
			kis, ckns = append(kis, k.ki), append(ckns, k.ckn)
		}
	}
	for _, f := range u.saks {
		if f != (keyderive.Fingerprint{}) {
			saks = append(saks, f)
		}
	}
	return kis, ckns, saks
}

// forget takes back that a SAK was used, for one of which nothing has been used yet. Its KI is the last of its MI, or the
// memory of it stays.
func (u *usedKeys) forget(ckn keyderive.CKN, ki eapol.KI, f keyderive.Fingerprint) {
	if i := u.find(ckn, ki.MI); i >= 0 && u.last[i].ki == ki {
		u.last[i].ki.KN--
	}
	for i := range u.saks {
		if u.saks[i] == f {
			u.saks[i] = keyderive.Fingerprint{}
		}
	}
}

// list is the set's members.
func (s suiteSet) list() (all []secy.CipherSuite) {
	for _, c := range secy.CipherSuites {
		if s.has(c) {
			all = append(all, c)
		}
	}
	return all
}

func suiteSetOf(all []secy.CipherSuite) (s suiteSet) {
	for _, c := range all {
		s |= suiteBit(c)
	}
	return s
}

// claims are the SAs that the SecY may hold from the time of the State.
func (s *State) claims() (claims []secy.Claim) {
	for i := range s.Keys {
		y := &s.Keys[i]
		c := secy.Claim{Key: y.KI.KeyID(), AN: y.AN, Suite: y.Suite, SSCI: y.SSCI}
		for _, m := range y.Members {
			if m.SCI != 0 {
				c.Receive = append(c.Receive, secy.ClaimedReceiveSA{SCI: m.SCI, SSCI: m.SSCI})
			}
		}
		claims = append(claims, c)
	}
	return claims
}

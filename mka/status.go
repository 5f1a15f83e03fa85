package mka

import (
	"time"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/secy"
)

// A Status is a picture of a KaY for people and tests. It holds no key and shares no memory with the KaY.
type Status struct {
	CP           string // state of the CP state machine, in the standard's capitals
	Secured      bool   // the Controlled Port carries protected traffic
	Plain        bool   // the Controlled Port carries traffic in clear
	CipherSuite  secy.CipherSuite
	Offset       secy.ConfidentialityOffset
	KeyServer    bool          // we are the key server of the principal participant
	PrincipalCKN keyderive.CKN // zero: there is none
	NoSuite      string        // what each side has, where no cipher suite suits all; empty: one may
	Participants []ParticipantStatus
	Tx           KeyStatus     // the key that we transmit with; zero: none
	TxCKN        keyderive.CKN // the CA of its SAK; zero: not known any more
	Rx           []RxStatus    // receive SAs of the newest key that is received with
	Keys         []KeyStatus   // all keys that the SecY holds, newest first

	Rekeys   uint64 // SAKs that were made or received
	Sent     uint64 // MKPDUs
	Received uint64 // MKPDUs that passed every check
	Discards [eapol.NumDiscards]uint64
}

// A ParticipantStatus is the picture of one participant.
type ParticipantStatus struct {
	CKN       keyderive.CKN
	Role      Role
	Principal bool
	Standby   bool
	KeyServer secy.SCI // elected; 0: none
	MI        eapol.MI
	MN        eapol.MN // the last sent
	Peers     []PeerStatus
	Suspended time.Duration // for so long yet the key server has suspended MKA; 0: it has not (9.18)
	Version   uint8         // MKA version that we send

	NoKeyServer bool // there are live peers, and nobody may be key server
	Plain       bool // the key server has decided that MACsec is not used
}

// A PeerStatus is the picture of one peer.
type PeerStatus struct {
	SCI               secy.SCI
	MI                eapol.MI
	MN                eapol.MN // the last received
	Live              bool
	KeyServerPriority uint8
	Version           uint8
	Capability        secy.Capability
	LastSeen          time.Duration      // since its last MKPDU that counted
	SuspendFor        time.Duration      // it asks for a suspension so long; 0: it does not
	Announced         []secy.CipherSuite // that it has announced; empty: none were
	Desired           bool               // it wants MACsec
	Known             time.Duration      // since it was first heard
	Deaf              time.Duration      // since it has reported that it does not receive with the key in service; 0: it does
}

// A KeyStatus is the picture of one SAK.
type KeyStatus struct {
	KI     eapol.KI
	AN     secy.AN
	NextPN secy.PN // as last reported
	Tx, Rx bool
}

// An RxStatus is the picture of one receive SA.
type RxStatus struct {
	SCI secy.SCI
	AN  secy.AN
	KI  eapol.KI
}

// Status takes a picture at now.
func (k *KaY) Status(now Time) Status {
	c := &k.cp
	s := Status{CP: c.state.String(), Secured: k.isSecured(), Plain: k.InClear(),
		KeyServer: k.electedSelf(), PrincipalCKN: k.principalCKN(), Rekeys: k.rekeys, Sent: k.sent, Received: k.received,
		Discards: k.discards}
	if p := k.principal; p != nil {
		s.NoSuite = p.noSuite()
	}
	if s.Secured {
		s.CipherSuite, s.Offset = c.currentSuite, c.currentOffset
	}
	for _, p := range k.participants {
		s.Participants = append(s.Participants, p.status(now))
	}
	k.keyStatus(&s)
	return s
}

func (k *KaY) keyStatus(s *Status) {
	c := &k.cp
	add := func(y *key, tx, rx bool) {
		if y == nil {
			return
		}
		ks := KeyStatus{KI: y.ki, AN: y.an, NextPN: y.nextPN, Tx: tx, Rx: rx}
		s.Keys = append(s.Keys, ks)
		if tx && s.Tx == (KeyStatus{}) {
			if s.Tx = ks; y.owner != nil {
				s.TxCKN = y.owner.ckn
			}
		}
		if rx && s.Rx == nil {
			for i := range y.members {
				if m := &y.members[i]; m.sci != 0 {
					s.Rx = append(s.Rx, RxStatus{SCI: m.sci, AN: y.an, KI: y.ki})
				}
			}
		}
	}
	add(c.latest, c.ltx, c.lrx)
	add(c.old, c.otx, c.orx)
}

func (p *participant) status(now Time) ParticipantStatus {
	s := ParticipantStatus{CKN: p.ckn, Role: p.role, Principal: p.kay.principal == p, Standby: p.standby,
		KeyServer: p.server.sci, MI: p.mi, MN: p.mn, Version: p.version, NoKeyServer: p.noServer, Plain: p.plain}
	if p.suspension.on {
		s.Suspended = p.suspension.until.Sub(now)
	}
	for i := range p.peers {
		s.Peers = append(s.Peers, p.peers[i].status(now))
	}
	return s
}

func (q *peer) status(now Time) PeerStatus {
	s := PeerStatus{SCI: q.sci, MI: q.mi, MN: q.mn, Live: q.live, KeyServerPriority: q.priority, Version: q.version,
		Capability: q.capability, LastSeen: now.Sub(q.heardAt), Known: now.Sub(q.firstAt), Desired: q.desired,
		SuspendFor: q.suspendFor, Announced: q.announced.list()}
	if q.live && q.deaf {
		s.Deaf = now.Sub(q.deafSince)
	}
	return s
}

// Keys appends the names of the keys that the SecY may transmit with to dst: those whose packet numbers the driver
// samples.
func (k *KaY) Keys(dst []secy.KeyID) []secy.KeyID {
	for _, y := range [...]*key{k.cp.latest, k.cp.old} {
		if y != nil {
			dst = append(dst, y.ki.KeyID())
		}
	}
	return dst
}

// PrincipalCKN is that of the principal participant; zero: there is none.
func (k *KaY) PrincipalCKN() keyderive.CKN { return k.principalCKN() }

// DelayProtected reports whether delay protection is in use, ours or a peer's: then packet numbers are to be sampled before
// every Deadline.
func (k *KaY) DelayProtected() bool {
	for _, p := range k.participants {
		if p.bounded() {
			return true
		}
	}
	return false
}

// Secured reports whether the Controlled Port carries protected traffic.
func (k *KaY) Secured() bool { return k.secured }

// InClear reports whether the Controlled Port carries traffic in clear, as the policy allows.
func (k *KaY) InClear() bool { return k.cp.controlledPort && !k.cp.protect }

package mka_test

import (
	"testing"
	"time"

	"mkad/eapol"
	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// A script is octets that say what happens to one KaY, its SecY and its only peer, a scripted one that knows the CAK. It
// ends with its octets: next gives zeros from then on.
type script struct {
	octets []byte
	w      *world
	m      *mkatest.Member
	p      *mkatest.Peer
	sent   [][]byte // by the peer, for replays
}

// maxScript bounds a script, in octets: longer ones find nothing that shorter ones do not, and are slow.
const maxScript = 512

// maxHistory bounds the frames that are kept for replays.
const maxHistory = 64

func (s *script) next() byte {
	if len(s.octets) == 0 {
		return 0
	}
	b := s.octets[0]
	s.octets = s.octets[1:]
	return b
}

func (s *script) pick(n int) int { return int(s.next()) % n }

// deliver lets the KaY have a frame now.
func (s *script) deliver(frame []byte) {
	s.sent = append(s.sent, frame)
	s.sent = s.sent[max(0, len(s.sent)-maxHistory):]
	s.m.MustStep(mka.FrameReceived{Frame: frame})
}

// verbs are what an octet of the script, modulo their number, makes happen.
var verbs = []func(*script){
	(*script).passTime,
	(*script).say,
	(*script).sayEdited,
	(*script).sayBroken,
	(*script).sayRearranged,
	(*script).replay,
	(*script).talkOrHush,
	(*script).rejoin,
	(*script).alterPeer,
	(*script).distribute,
	(*script).flapLink,
	(*script).changeParticipant,
	(*script).rekey,
	(*script).samplePN,
	(*script).report,
	(*script).failSecY,
}

func (s *script) passTime() { s.w.Run(time.Duration(s.next()) * 30 * time.Millisecond) }
func (s *script) say()      { s.deliver(s.p.Next()) }

// sayEdited sends an MKPDU with one field that lies.
func (s *script) sayEdited() {
	edits := []func(*eapol.MKPDU){
		listingNobody,
		func(u *eapol.MKPDU) { u.Basic.MI = s.m.MI() },
		func(u *eapol.MKPDU) { u.Basic.SCI = mkatest.SCI(int(s.next())) },
		func(u *eapol.MKPDU) { u.Basic.MN = eapol.MN(s.next()) << 24 },
		func(u *eapol.MKPDU) { listing(s.m.MI(), mnOf(s.m)+eapol.MN(s.next())-128)(u) },
		func(u *eapol.MKPDU) { u.SAKUse.DelayProtect, u.SAKUse.Latest.LPN = true, uint32(s.next())<<24 },
		func(u *eapol.MKPDU) { u.SAKUse.Latest.Rx, u.SAKUse.Latest.Tx = s.next()&1 != 0, s.next()&1 != 0 },
		func(u *eapol.MKPDU) { u.SAKUse.Latest.KI.KN = eapol.KN(s.next()) },
		func(u *eapol.MKPDU) { u.SAKUse = eapol.SAKUse{Present: s.next()&1 != 0} },
		func(u *eapol.MKPDU) { u.Live.KeyServerSSCI = s.next() },
		func(u *eapol.MKPDU) { u.DistributedSAK.AN = secy.AN(s.pick(4)) },
		func(u *eapol.MKPDU) { u.DistributedSAK.KN = eapol.KN(s.next()) << 24 },
		func(u *eapol.MKPDU) {
			u.XPN = eapol.XPN{Present: true, LatestHigh: uint32(s.next()) << 24, OldHigh: ^uint32(0)}
		},
		func(u *eapol.MKPDU) {
			u.Live.Peers = append(u.Live.Peers, eapol.ListedPeer{MI: eapol.MI{s.next()}, MN: 1})
		},
	}
	edit := edits[s.pick(len(edits))]
	s.deliver(s.p.Next(edit))
}

// sayBroken sends an MKPDU of which one octet is another, with or without an ICV that is right nevertheless.
func (s *script) sayBroken() {
	frame := s.p.Next()
	frame[(int(s.next())<<8|int(s.next()))%len(frame)] ^= s.next() | 1
	if s.next()&1 != 0 {
		frame = s.p.Resign(frame)
	}
	s.deliver(frame)
}

// sayRearranged sends an MKPDU whose parameter sets are turned, repeated or left out.
func (s *script) sayRearranged() {
	s.deliver(s.p.Rewrite(s.p.Next(), func(sets [][]byte) [][]byte {
		out := sets[:1:1]
		for range sets[1:] {
			if i := s.pick(len(sets)); i > 0 {
				out = append(out, sets[i])
			}
		}
		return out
	}))
}

func (s *script) replay() {
	if len(s.sent) > 0 {
		s.deliver(s.sent[s.pick(len(s.sent))])
	}
}

func (s *script) talkOrHush() {
	if s.next()&1 != 0 {
		s.p.Talk()
	} else {
		s.p.Hush()
	}
}

func (s *script) rejoin() { s.p.Rejoin() }

func (s *script) alterPeer() {
	switch s.pick(7) {
	case 0:
		s.p.Priority = s.next()
	case 1:
		s.p.Version = s.next()
	case 2:
		s.p.Desired = s.next()&1 != 0
	case 3:
		s.p.Capability = secy.Capability(s.pick(4))
	case 4:
		s.p.KeyServer = s.next()&1 != 0
	case 5:
		s.p.Announces = allSuites[s.pick(4):]
	case 6:
		s.p.Takes = only(allSuites[s.pick(4)])
	}
}

func (s *script) distribute() {
	if s.next()&7 == 0 {
		s.p.Offer = eapol.DistributedSAK{Present: true, Empty: true}
	} else {
		s.p.Generate(allSuites[s.pick(4)], secy.ConfidentialityOffset(s.pick(4)))
	}
	s.deliver(s.p.Next())
}

func (s *script) flapLink() {
	s.m.MustStep(mka.LinkChanged{})
	s.passTime()
	s.m.MustStep(mka.LinkChanged{Up: true})
}

// changeParticipant ends the participant and starts it again, or does so with a second one.
func (s *script) changeParticipant() {
	if s.next()&1 != 0 {
		s.m.MustStep(mka.ParticipantRemoved{CKN: mkatest.CKN(ckn)})
		s.m.MustStep(mka.ParticipantAdded{CKN: mkatest.CKN(ckn), CAK: cak(), Role: mka.Role(s.next() & 1)})
		return
	}
	if err := s.m.Step(mka.ParticipantAdded{CKN: mkatest.CKN(ckn2), CAK: cak2(), Role: mka.Role(s.next() & 1)}); err != nil {
		s.m.MustStep(mka.ParticipantRemoved{CKN: mkatest.CKN(ckn2)})
	}
}

func (s *script) rekey() {
	if err := s.m.Step(mka.RekeyRequested{}); err != nil && err != mka.ErrNotKeyServer {
		s.w.t.Errorf("rekey: %v", err)
	}
}

func (s *script) samplePN() {
	if key := s.m.SecY.Tx; !key.IsZero() {
		s.m.SamplePN(key, max(s.m.SecY.PNs[key], secy.PN(s.next())<<(s.next()&63)))
	}
}

// report tells something that the SecY never said, of a key that it has or has not.
func (s *script) report() {
	s.w.check.Lying = true
	r := secy.Report{Kind: secy.ReportKind(s.next()&7) &^ 4, Op: secy.OpKind(s.pick(12)), Err: "by the script"}
	if keys := s.m.KaY.Keys(nil); len(keys) > 0 && s.next()&1 != 0 {
		r.Key = keys[s.pick(len(keys))]
	}
	if r.Kind == secy.ReportFailed || r.Key.IsZero() {
		s.m.MustStep(mka.SecYReported{Report: r})
	}
}

// refusable are the orders that a script lets fail.
var refusable = []secy.OpKind{secy.OpCreateReceiveSA, secy.OpCreateTransmitSA, secy.OpEnableReceive,
	secy.OpEnableTransmit, secy.OpDeleteSAs, secy.OpRaiseLowestPN, secy.OpConfigure, secy.OpCreateReceiveSC,
	secy.OpDeleteReceiveSC, secy.OpControlledPort}

func (s *script) failSecY() { s.m.SecY.Fail = failing(refusable[s.pick(len(refusable))], s.pick(3)) }

// bounded wants everything that grows with what is received to have its bound.
func (s *script) bounded() {
	s.w.t.Helper()
	status := s.m.Status()
	for _, p := range status.Participants {
		if len(p.Peers) > mka.MaxPeers {
			s.w.t.Errorf("%d peers", len(p.Peers))
		}
	}
	if len(status.Keys) > 2 || len(s.m.SecY.SCs) > 2*mka.MaxPeers {
		s.w.t.Errorf("%d keys, %d receive SCs", len(status.Keys), len(s.m.SecY.SCs))
	}
	if at, ok := s.m.KaY.Deadline(); ok && at > s.w.Now.Add(mka.HelloTime) {
		s.w.t.Errorf("nothing to do for %v, longer than a hello", at.Sub(s.w.Now))
	}
}

// FuzzKaYStep lets scripts happen. Besides what is asserted here, the checker watches what the KaY sends and orders, its
// SecY panics at an order that makes no sense, and the LAN panics at a deadline that Tick has not met. In the end, left
// alone with a peer that behaves, the KaY must come to be secured.
// Requirement: R36
func FuzzKaYStep(f *testing.F) {
	f.Fuzz(func(t *testing.T, octets []byte) {
		if len(octets) > maxScript {
			return
		}
		w := newWorld(t)
		w.check.Pretended = 2 * mka.MaxPeers // the peer may say that it is another
		s := &script{octets: octets, w: w, m: w.kay(2), p: w.peer(1)}
		for len(s.octets) > 0 && !t.Failed() {
			verbs[s.pick(len(verbs))](s)
			s.bounded()
		}
		s.heal()
	})
}

// heal ends all trouble and wants the KaY to be secured with another peer, whom nothing has spoilt.
func (s *script) heal() {
	s.m.SecY.Fail = nil
	s.p.Hush()
	s.w.Run(2 * settleTime)
	s.w.Run(mka.InstallRetryMax)
	fresh := s.w.peer(9)
	fresh.Talk()
	s.w.Run(settleTime)
	if !s.m.KaY.Secured() || s.m.SecY.Tx != fresh.Key.KI.KeyID() {
		s.w.t.Errorf("secured %t with %s, the peer has %s", s.m.KaY.Secured(), s.m.SecY.Tx, fresh.Key.KI)
	}
}

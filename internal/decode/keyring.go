package decode

import (
	"fmt"
	"slices"
	"strings"

	"mkad/eapol"
	"mkad/internal/config"
	"mkad/keyderive"
	"mkad/secy"
)

// Bounds of what is remembered of a capture. A CA has two SAKs in use at a time; the others are there for captures of several
// links with one CAK, and for frames that were captured late.
const (
	maxMembers = 512  // of each CA, over all the lives of its participants
	maxSAKs    = 32   // of each CA
	maxFlows   = 1024 // of all CAs: an SC's use of one SAK, some 3 KiB each
	maxTries   = 16   // SAKs that are tried on one frame
)

// Bounds of guessing what a capture has not told of an XPN SAK.
const (
	maxGuessedFrames = 32 // of each SAK
	maxGuessedHigh   = 3  // how far the upper half of a packet number may be above what is known
	maxGuessedSSCI   = 8
)

// recoveryWindow is how far below the highest packet number of an XPN SA a late frame may be and its upper half still be found:
// the widest replay window there is (802.1AE-2018 10.7.8).
const recoveryWindow = 1<<30 - 1

// A keyring is what the keys of a CAK file open, as far as the capture has told.
type keyring struct {
	associations map[keyderive.CKN]*association
	order        []*association // as in the file
	flows        *bounded[flowKey, *secy.SecY]
	current      *bounded[channel, *sak] // that was right last
	scratch      []byte                  // the frame that is being verified
}

// An association is the CA of one CAK.
type association struct {
	ick     keyderive.ICK
	kek     keyderive.KEK
	members *bounded[eapol.MI, *member]
	saks    *bounded[eapol.KI, *sak]
}

// A member is one life of a participant, known by an MKPDU with a valid ICV.
type member struct {
	sci  secy.SCI
	uses [4]eapol.KI // the key that it last said to use with each AN; zero: it has not
}

// A sak is a SAK that was distributed.
type sak struct {
	ca         *association
	ki         eapol.KI
	an         secy.AN
	suite      secy.CipherSuite
	offset     secy.ConfidentialityOffset
	key        keyderive.SAK
	live       []eapol.MI // the Live Peer List that it came with: who has it, beside the key server
	guessed    int        // frames for which was guessed
	serverSSCI uint8      // that of an MKA v3 key server, whose list is in the order of the SSCIs; 0: they follow from the SCIs
}

// A flowKey names the use of a SAK by one SC.
type flowKey struct {
	sak *sak
	sci secy.SCI
}

// A channel is what a SecTAG says of its SA.
type channel struct {
	sci secy.SCI
	an  secy.AN
}

func newKeyring(keys []config.Key) *keyring {
	k := &keyring{
		associations: make(map[keyderive.CKN]*association),
		flows:        newBounded[flowKey, *secy.SecY](maxFlows),
		current:      newBounded[channel, *sak](maxFlows),
	}
	for _, key := range keys {
		ca := &association{
			ick:     keyderive.DeriveICK(key.CAK, key.CKN),
			kek:     keyderive.DeriveKEK(key.CAK, key.CKN),
			members: newBounded[eapol.MI, *member](maxMembers),
			saks:    newBounded[eapol.KI, *sak](maxSAKs),
		}
		ca.saks.dropped = k.forget
		k.associations[key.CKN] = ca
		k.order = append(k.order, ca)
	}
	return k
}

// forget wipes a SAK and what was made of it.
func (k *keyring) forget(s *sak) {
	s.key.Wipe()
	for _, use := range slices.Clone(k.flows.order) {
		if use.sak == s {
			k.flows.drop(use)
		}
	}
	for _, c := range slices.Clone(k.current.order) {
		if held, _ := k.current.get(c); held == s {
			k.current.drop(c)
		}
	}
}

// wipe wipes all keys.
func (k *keyring) wipe() {
	for _, ca := range k.order {
		ca.ick.Wipe()
		ca.kek.Wipe()
		for _, s := range ca.saks.entries {
			s.key.Wipe()
		}
	}
	clear(k.associations)
	clear(k.order)
	k.order = nil
	clear(k.scratch[:cap(k.scratch)])
}

// learn takes what an MKPDU tells whose ICV is valid and whose sets are read.
func (k *keyring) learn(ca *association, m *eapol.MKPDU) (SAKState, []string) {
	sender, known := ca.members.get(m.Basic.MI)
	if !known || sender.sci != m.Basic.SCI {
		sender = &member{sci: m.Basic.SCI}
		ca.members.put(m.Basic.MI, sender)
	}
	state, remarks := k.learnSAK(ca, m)
	if m.SAKUse.Present {
		k.learnUse(ca, sender, m.SAKUse.Old, m.XPN.OldHigh, m.XPN.Present)
		k.learnUse(ca, sender, m.SAKUse.Latest, m.XPN.LatestHigh, m.XPN.Present)
	}
	return state, remarks
}

func (k *keyring) learnSAK(ca *association, m *eapol.MKPDU) (SAKState, []string) {
	d := &m.DistributedSAK
	if !d.Present || d.Empty {
		return SAKNone, nil
	}
	key, err := ca.kek.Unwrap(d.Wrapped)
	if err != nil {
		return SAKFailed, nil
	}
	ki := eapol.KI{MI: m.Basic.MI, KN: d.KN}
	if first, known := ca.saks.get(ki); known {
		same := first.key.Equal(key)
		key.Wipe()
		if !same {
			return SAKUnwrapped, []string{"this KI was distributed with another SAK before; that one is kept"}
		}
		return SAKUnwrapped, nil
	}
	s := &sak{ca: ca, ki: ki, an: d.AN, suite: d.Suite, offset: d.Offset, key: key, serverSSCI: m.Live.KeyServerSSCI}
	for _, p := range m.Live.Peers {
		s.live = append(s.live, p.MI)
	}
	ca.saks.put(ki, s)
	return SAKUnwrapped, nil
}

// learnUse notes which key a member uses with an AN, and how far its packet numbers have come: of an XPN SAK the frames tell only
// the lower half.
func (k *keyring) learnUse(ca *association, sender *member, use eapol.KeyUse, high uint32, told bool) {
	if use.KI.IsZero() {
		return
	}
	sender.uses[use.AN&3] = use.KI
	s, held := ca.saks.get(use.KI)
	if !held || !told || !s.suite.XPN() {
		return
	}
	lowest := uint64(high)<<32 | uint64(use.LPN)
	if lowest <= recoveryWindow {
		return
	}
	if flow := k.flow(s, sender.sci); flow != nil {
		flow.Apply(secy.Op{Kind: secy.OpRaiseLowestPN, Key: s.ki.KeyID(), SCI: sender.sci, PN: secy.PN(lowest - recoveryWindow)}, nil)
	}
}

// ssciOf is the SSCI of a member's SCI (802.1AE-2018 10.7.13); false as long as the capture has not told enough for it.
func (s *sak) ssciOf(sci secy.SCI) (secy.SSCI, bool) {
	if s.serverSSCI != 0 {
		return s.ssciByOrder(sci)
	}
	members := make([]secy.SCI, 0, len(s.live)+1)
	for _, mi := range append(s.live[:len(s.live):len(s.live)], s.ki.MI) {
		m, known := s.ca.members.get(mi)
		if !known {
			return 0, false
		}
		members = append(members, m.sci)
	}
	return secy.SSCIOf(sci, members), slices.Contains(members, sci)
}

// ssciByOrder reads the SSCI off the list: its entries have all the SSCIs in order but the key server's.
func (s *sak) ssciByOrder(sci secy.SCI) (secy.SSCI, bool) {
	if server, known := s.ca.members.get(s.ki.MI); known && server.sci == sci {
		return secy.SSCI(s.serverSSCI), true
	}
	for i, mi := range s.live {
		if m, known := s.ca.members.get(mi); !known || m.sci != sci {
			continue
		}
		if i+1 < int(s.serverSSCI) {
			return secy.SSCI(i + 1), true
		}
		return secy.SSCI(i + 2), true
	}
	return 0, false
}

// flow is the SecY that verifies what an SC sends with a SAK, kept; nil if there can be none yet.
func (k *keyring) flow(s *sak, sci secy.SCI) *secy.SecY {
	use := flowKey{s, sci}
	if flow, ok := k.flows.get(use); ok {
		return flow
	}
	flow := s.newFlow(sci)
	if flow != nil {
		k.flows.put(use, flow)
	}
	return flow
}

// newFlow makes that SecY. It refuses no late frame and none that comes twice: a capture may have both.
func (s *sak) newFlow(sci secy.SCI) *secy.SecY {
	if !s.suite.XPN() {
		return s.newFlowFrom(sci, 0, 1)
	}
	ssci, known := s.ssciOf(sci)
	if !known {
		return nil
	}
	return s.newFlowFrom(sci, ssci, 1)
}

// newFlowFrom makes one for an SSCI, from a lowest packet number on.
func (s *sak) newFlowFrom(sci secy.SCI, ssci secy.SSCI, lowest secy.PN) *secy.SecY {
	flow := secy.New(secy.Config{})
	key := s.ki.KeyID()
	salt := secy.SaltOf(key)
	for _, op := range []secy.Op{
		{Kind: secy.OpConfigure, Settings: secy.Settings{ValidateFrames: secy.ValidateStrict, ReplayWindow: recoveryWindow,
			CipherSuite: s.suite, Offset: s.offset}},
		{Kind: secy.OpCreateReceiveSC, SCI: sci},
		{Kind: secy.OpCreateReceiveSA, SCI: sci, AN: s.an, Key: key, SAK: s.key, SSCI: ssci, Salt: salt, PN: lowest},
		{Kind: secy.OpEnableReceive, Key: key},
		{Kind: secy.OpControlledPort, Enabled: true},
	} {
		for _, r := range flow.Apply(op, nil) {
			if r.Kind == secy.ReportFailed {
				return nil
			}
		}
	}
	return flow
}

// A verdict is what became of a protected frame.
type verdict struct {
	state FrameState
	ki    eapol.KI
	sci   secy.SCI
	pn    secy.PN
	plain []byte // lent until the next one
	guess string // what had to be guessed; "" if nothing
}

// verify tries the SAKs that the frame may have been protected with. Its tag is sound.
func (k *keyring) verify(frame []byte, tag secy.Tag) verdict {
	if s, ok := k.current.get(channel{tag.SCI, tag.AN}); ok && tag.SCI != 0 {
		if v, ok := k.try(s, tag.SCI, frame, tag); ok {
			return v
		}
	}
	missing := true // none of the SAKs is known to be the sender's
	tries := 0
	for s, sci := range k.candidates(tag) {
		if tries++; tries > maxTries {
			break
		}
		if v, ok := k.try(s, sci, frame, tag); ok {
			k.current.put(channel{tag.SCI, tag.AN}, s)
			return v
		}
		if !s.expectedOf(sci) {
			continue
		}
		missing = false
		if v, ok := k.guess(s, sci, frame, tag); ok {
			k.current.put(channel{tag.SCI, tag.AN}, s)
			return v
		}
	}
	if missing {
		return verdict{state: FrameNoKey}
	}
	return verdict{state: FrameBadICV}
}

// candidates are the SAKs with the AN of a frame and the SCs that may have sent it, the newest SAK first. Where the SCI is that of
// a member of a CA, other CAs have none.
func (k *keyring) candidates(tag secy.Tag) func(yield func(*sak, secy.SCI) bool) {
	return func(yield func(*sak, secy.SCI) bool) {
		belongs := func(ca *association) bool { return ca.hasMember(tag.SCI) }
		somewhere := slices.ContainsFunc(k.order, belongs)
		for _, ca := range k.order {
			if somewhere && !belongs(ca) {
				continue
			}
			for s := range ca.saks.newestFirst {
				if s.an == tag.AN && !s.each(tag.SCI, yield) {
					return
				}
			}
		}
	}
}

// each gives the SCs that may have used a SAK: the one that the tag names, or all members where it names none (802.1AE-2018
// 10.6.1).
func (s *sak) each(named secy.SCI, yield func(*sak, secy.SCI) bool) bool {
	if named != 0 {
		return yield(s, named)
	}
	for m := range s.ca.members.newestFirst {
		if !yield(s, m.sci) {
			return false
		}
	}
	return true
}

func (ca *association) hasMember(sci secy.SCI) bool {
	for m := range ca.members.newestFirst {
		if m.sci == sci {
			return sci != 0
		}
	}
	return false
}

// expectedOf reports whether a frame of an SC with the SAK's AN should have been authentic: the SC is a member's, and it has not
// said that it uses another key with this AN.
func (s *sak) expectedOf(sci secy.SCI) bool {
	for m := range s.ca.members.newestFirst {
		if m.sci == sci {
			used := m.uses[s.an&3]
			return used.IsZero() || used == s.ki
		}
	}
	return false
}

// try verifies a frame with one SAK. What verifies the frames of strangers is not kept unless it is right, so that they
// cannot push out others.
func (k *keyring) try(s *sak, sci secy.SCI, frame []byte, tag secy.Tag) (verdict, bool) {
	use := flowKey{s, sci}
	flow, kept := k.flows.get(use)
	if !kept {
		if flow = s.newFlow(sci); flow == nil {
			return verdict{}, false
		}
	}
	v, ok := k.open(flow, use, frame, tag)
	if ok && !kept {
		k.flows.put(use, flow)
	}
	return v, ok
}

// open verifies a frame with a SecY.
func (k *keyring) open(flow *secy.SecY, use flowKey, frame []byte, tag secy.Tag) (verdict, bool) {
	pn, _ := flow.RecoverPN(use.sci, use.sak.ki.KeyID(), tag.PN)
	k.scratch = append(k.scratch[:0], frame...)
	plain, ok := flow.Verify(k.scratch)
	return verdict{state: FrameAuthentic, ki: use.sak.ki, sci: use.sci, pn: pn, plain: plain}, ok
}

// guess tries what an XPN frame may have been protected with though the capture does not tell: a packet number whose upper half
// no MKPDU has shown, and an SSCI that was assigned in another way. It gives up on a SAK after some frames. What is found right
// serves the frames that follow.
func (k *keyring) guess(s *sak, sci secy.SCI, frame []byte, tag secy.Tag) (verdict, bool) {
	if !s.suite.XPN() || s.guessed == maxGuessedFrames {
		return verdict{}, false
	}
	s.guessed++
	use := flowKey{s, sci}
	due, known := s.ssciOf(sci)
	lowest := secy.PN(1)
	if flow, kept := k.flows.get(use); kept {
		lowest, _ = flow.LowestPN(sci, s.ki.KeyID())
	}
	for ssci := secy.SSCI(1); ssci <= secy.SSCI(min(len(s.live)+1, maxGuessedSSCI)); ssci++ {
		for more := secy.PN(0); more <= maxGuessedHigh; more++ {
			flow := s.newFlowFrom(sci, ssci, lowest+more<<32)
			if flow == nil {
				return verdict{}, false
			}
			v, ok := k.open(flow, use, frame, tag)
			if !ok {
				continue
			}
			k.flows.put(use, flow)
			v.guess = guessText(due, ssci, known, more)
			return v, true
		}
	}
	return verdict{}, false
}

func guessText(due, ssci secy.SSCI, known bool, more secy.PN) string {
	var guesses []string
	switch {
	case !known:
		guesses = append(guesses, fmt.Sprintf("its SSCI %d was guessed, for the SCIs of some members are not in the capture", ssci))
	case ssci != due:
		guesses = append(guesses, fmt.Sprintf("its SSCI is %d and should be %d by the order of the SCIs or of the Live Peer List", ssci, due))
	}
	if more > 0 {
		guesses = append(guesses, "the upper half of its PN was guessed, for no MKPDU before it tells")
	}
	return strings.Join(guesses, "; ")
}

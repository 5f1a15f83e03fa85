package mka_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"mkad/eapol"
	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// Types of parameter sets.
const (
	kindLive           = 1
	kindPotential      = 2
	kindSAKUse         = 3
	kindDistributedSAK = 4
	kindDistributedCAK = 5
	kindKMD            = 6
	kindAnnouncement   = 7
	kindXPN            = 8
	kindIndicator      = 255
)

// proof is an MKPDU of the peer that proves its liveness, altered by edit.
func proof(m *mkatest.Member, p *mkatest.Peer, edit ...func(*eapol.MKPDU)) []byte {
	return p.Next(append([]func(*eapol.MKPDU){listing(m.MI(), mnOf(m))}, edit...)...)
}

// set is a parameter set that says so many octets and holds body, padded to a multiple of 4.
func set(kind byte, says int, body []byte) []byte {
	s := append([]byte{kind, 0, byte(says >> 8), byte(says)}, body...)
	return append(s, make([]byte, -len(s)&3)...)
}

// with is the frame with more sets at its end, or at its beginning.
func with(p *mkatest.Peer, frame []byte, more ...[]byte) []byte {
	return p.Rewrite(frame, func(sets [][]byte) [][]byte { return append(sets, more...) })
}

func atFront(p *mkatest.Peer, frame []byte, more ...[]byte) []byte {
	return p.Rewrite(frame, func(sets [][]byte) [][]byte {
		return slices.Concat(sets[:1], more, sets[1:])
	})
}

// kindsOf are the types of the frame's parameter sets, the basic one apart.
func kindsOf(p *mkatest.Peer, frame []byte) (kinds []byte) {
	p.Rewrite(frame, func(sets [][]byte) [][]byte {
		for _, s := range sets[1:] {
			kinds = append(kinds, s[0])
		}
		return sets
	})
	return kinds
}

// Clause: 802.1X-2020 11.11.2 d, e
// Requirement: R19, R20
func TestBasicParameterSetOfAnImpossibleLengthDropsTheMKPDU(t *testing.T) {
	_, m, p := alone(t)
	frame := proof(m, p)
	room := len(frame) - bodyAt - eapol.ICVLen - 4
	for says := range 0x1000 {
		reason := eapol.DiscardCKNLength
		switch {
		case (says+3)&^3 > room:
			reason = eapol.DiscardBasicLength
		case says > 28 && says <= 28+32:
			continue
		}
		drops(t, m, reason, p.Resign(put(frame, bodyAt+2, frame[bodyAt+2]&0xf0|byte(says>>8), byte(says))))
	}
	accepts(t, m, p, frame)
}

// Clause: 802.1X-2020 11.11.2 e
// Requirement: R21
func TestUnknownCKNIsDroppedBeforeItsICVIsLookedAt(t *testing.T) {
	_, m, p := alone(t)
	for _, unknown := range []string{ckn + "\x00", ckn + "\x00\x00\x00\x00", ckn[:len(ckn)-1], "9999", ckn + ckn} {
		for name, spoil := range map[string]byte{"right": 0, "wrong": 1} {
			frame := proof(m, p, func(u *eapol.MKPDU) { u.Basic.CKN = mkatest.CKN(unknown) })
			frame[len(frame)-1] ^= spoil
			drops(t, m, eapol.DiscardUnknownCKN, frame)
			if t.Failed() {
				t.Fatalf("CKN %q, ICV %s", unknown, name)
			}
		}
	}
}

// Clause: 802.1X-2020 11.11.2 f
// Requirement: R22
func TestAnotherAlgorithmAgilityDropsTheMKPDU(t *testing.T) {
	_, m, p := alone(t)
	for bit := range 32 {
		drops(t, m, eapol.DiscardAlgorithmAgility, proof(m, p, func(u *eapol.MKPDU) { u.Basic.AlgorithmAgility ^= 1 << bit }))
	}
	accepts(t, m, p, proof(m, p))
}

// Clause: 802.1X-2020 11.11.3
// Requirement: R23
func TestPeerOfAnyMKAVersionIsSecured(t *testing.T) {
	for _, version := range []uint8{0, 1, 2, 3, 4, 255} {
		for role, secures := range map[string]func(*mkatest.Peer, *mkatest.Member) bool{
			"follower":   (*mkatest.Peer).Follow,
			"key server": func(p *mkatest.Peer, m *mkatest.Member) bool { return p.Serve(m, secy.GCMAES256) },
		} {
			w := newWorld(t)
			m, p := w.kay(2), w.peer(1)
			p.Version = version
			if !secures(p, m) {
				t.Errorf("not secured with a %s of version %d: %+v", role, version, m.Status())
			}
		}
	}
}

// Clause: 802.1X-2020 11.11.3
// Requirement: R24
func TestUnknownSetsAreSkippedByTheirLength(t *testing.T) {
	for _, kind := range []byte{9, 100, 254} {
		for _, n := range []int{0, 1, 2, 3, 4, 16, 255, 256, 1000} {
			unknown := set(kind, n, bytes.Repeat([]byte{0xff}, n))
			_, m, p := alone(t)
			accepts(t, m, p, atFront(p, proof(m, p), unknown))
			accepts(t, m, p, with(p, proof(m, p), unknown))
			accepts(t, m, p, atFront(p, proof(m, p), unknown, unknown))
		}
	}
}

// Clause: 802.1X-2020 11.11.3
// Requirement: R25
func TestSetPastTheICVDropsTheWholeMKPDU(t *testing.T) {
	for _, kind := range []byte{kindLive, kindPotential, kindSAKUse, kindDistributedSAK, kindDistributedCAK, kindKMD,
		kindAnnouncement, kindXPN, 9, 254} {
		for _, beyond := range []int{1, 4, eapol.ICVLen, eapol.ICVLen + 4, 4000} {
			_, m, p := alone(t)
			drops(t, m, eapol.DiscardSetLength, with(p, proof(m, p), set(kind, 16+beyond, make([]byte, 16))))
		}
	}
}

// Clause: 802.1X-2020 11.11.3
// Requirement: R26
func TestSecondSetOfATypeIsIgnored(t *testing.T) {
	entry := func(mi eapol.MI, mn eapol.MN) []byte {
		return binary.BigEndian.AppendUint32(mi[:len(mi):len(mi)], uint32(mn))
	}
	t.Run("a second list cannot prove liveness", func(t *testing.T) {
		_, m, p := alone(t)
		frame := p.Next(listing(eapol.MI{1}, 1))
		m.MustStep(mka.FrameReceived{Frame: with(p, frame, set(kindPotential, 16, entry(m.MI(), mnOf(m))))})
		if isLive(m, p.SCI) {
			t.Error("live")
		}
	})
	t.Run("nor deny it", func(t *testing.T) {
		_, m, p := alone(t)
		accepts(t, m, p, with(p, proof(m, p), set(kindPotential, 16, entry(m.MI(), 1<<31))))
	})
	t.Run("a second SAK Use takes nothing back", func(t *testing.T) {
		w, m, p := serving(t)
		w.Run(mka.LifeTime)
		p.Hush()
		sent := len(p.Received)
		m.MustStep(mka.FrameReceived{Frame: with(p, p.Next(), set(kindSAKUse, 40, make([]byte, 40)))})
		w.Run(mka.HelloTime)
		for _, r := range p.Received[sent:] {
			if r.DistributedSAK.Present {
				t.Error("the SAK is distributed again")
			}
		}
	})
	t.Run("a second Distributed SAK is none", func(t *testing.T) {
		_, m, p := following(t, secy.GCMAES128)
		key := m.SecY.Tx
		p.Generate(secy.GCMAES128, secy.Offset0)
		var second []byte
		p.Rewrite(p.Next(), func(sets [][]byte) [][]byte {
			second = sets[slices.Index(kindsOf(p, p.Next()), kindDistributedSAK)+1]
			return sets
		})
		p.Offer = eapol.DistributedSAK{Present: true, Empty: true}
		m.MustStep(mka.FrameReceived{Frame: with(p, p.Next(), second)})
		if m.SecY.Tx != (secy.KeyID{}) && m.SecY.Tx != key || m.KaY.Secured() {
			t.Errorf("transmits with %s, secured %t; the first says that MACsec is not used", m.SecY.Tx, m.KaY.Secured())
		}
	})
}

// Clause: 802.1X-2020 11.11.1, 11.11.3
// Requirement: R27
func TestMKPDUsWithTheirSetsInAnyOrderAreTheSame(t *testing.T) {
	orders := map[string]func([][]byte){
		"ascending":  func([][]byte) {},
		"descending": slices.Reverse[[][]byte],
		"lists last": func(sets [][]byte) {
			slices.SortStableFunc(sets, func(a, b []byte) int { return int(a[0]+253) - int(b[0]+253) })
		},
	}
	for name, order := range orders {
		t.Run(name, func(t *testing.T) {
			_, m, p := alone(t)
			p.Priority, p.Announces = 0, allSuites
			p.Tell(m, listing(m.MI(), mnOf(m)))
			p.Others[0].Lists = true
			p.Generate(secy.GCMAESXPN256, secy.Offset0)
			p.Use.DelayProtect, p.Use.Latest.LPN = true, 77
			m.MustStep(mka.FrameReceived{Frame: p.Rewrite(p.Next(), func(sets [][]byte) [][]byte {
				order(sets[1:])
				return sets
			})})
			if m.SecY.Tx != p.Key.KI.KeyID() || !m.KaY.Secured() {
				t.Errorf("transmits with %s: %+v", m.SecY.Tx, m.Status())
			}
		})
	}
}

// Clause: 802.1X-2020 11.11.1
// Requirement: R27
func TestOurSetsAscend(t *testing.T) {
	w, m, p := serving(t, delayProtect)
	w.Run(mka.LifeTime)
	p.Hush() // it does not report the next SAK, which is distributed still when there is a potential peer
	m.MustStep(mka.RekeyRequested{})
	w.peer(3).Tell(m)
	w.Run(mka.HelloTime)
	most := 0
	for _, r := range p.Received {
		kinds := kindsOf(p, r.Frame)
		if !slices.IsSorted(kinds) || len(slices.Compact(slices.Clone(kinds))) != len(kinds) {
			t.Fatalf("MN %d has sets %v", r.Basic.MN, kinds)
		}
		most = max(most, len(kinds))
	}
	if most != 6 { // live and potential list, SAK Use, Distributed SAK, Announcement, XPN
		t.Errorf("at most %d sets were sent, want 6", most)
	}
}

// Clause: 802.1X-2020 11.11.3
// Requirement: R28
func TestMKPDUWithAnICVIndicatorIsAccepted(t *testing.T) {
	_, m, p := alone(t)
	accepts(t, m, p, with(p, proof(m, p), []byte{kindIndicator, 0, 0, eapol.ICVLen}))
	accepts(t, m, p, proof(m, p))
}

// Clause: 802.1X-2020 Figure 11-9
// Requirement: R29
func TestPeerListThatIsNoMultipleOf16DropsTheMKPDU(t *testing.T) {
	for _, kind := range []byte{kindLive, kindPotential} {
		for n := range 65 {
			_, m, p := alone(t)
			frame := with(p, p.Next(listingNobody), set(kind, n, make([]byte, n)))
			if n%16 != 0 {
				drops(t, m, eapol.DiscardPeerListLength, frame)
				continue
			}
			received := m.Status().Received
			m.MustStep(mka.FrameReceived{Frame: frame})
			if _, known := peerOf(m, p.SCI); !known || m.Status().Received != received+1 {
				t.Errorf("a list of type %d with %d octets: not received", kind, n)
			}
		}
	}
}

// Clause: 802.1X-2020 11.11.1
// Requirement: R30
func TestReservedBitsAndPaddingThatAreSetAreIgnored(t *testing.T) {
	reserved := map[byte][3]byte{ // what to set in octets 2 and 3 of the header of each type, and in its padding
		kindLive: {0xff, 0xf0}, kindPotential: {0xff, 0xf0}, kindSAKUse: {0, 0x20}, kindDistributedSAK: {0x0f, 0xf0},
		kindAnnouncement: {0xff, 0xf0}, kindXPN: {0, 0xf0},
	}
	_, m, p := alone(t)
	p.Priority, p.Announces = 0, allSuites[:1]
	p.Tell(m, listing(m.MI(), mnOf(m)))
	p.Others[0].Lists = true
	p.Generate(secy.GCMAES128, secy.Offset0)
	frame := p.Rewrite(p.Next(), func(sets [][]byte) [][]byte {
		for _, s := range sets[1:] {
			r, known := reserved[s[0]]
			if !known {
				t.Fatalf("type %d", s[0])
			}
			s[1] |= r[0]
			s[2] |= r[1]
		}
		return sets
	})
	m.MustStep(mka.FrameReceived{Frame: frame})
	if m.SecY.Tx != p.Key.KI.KeyID() {
		t.Errorf("transmits with %s: %+v", m.SecY.Tx, m.Status())
	}
}

// Clause: 802.1X-2020 11.11.1
// Requirement: R30
func TestPaddingOfACKNIsNoPartOfIt(t *testing.T) {
	w := newWorld(t)
	for n := 1; n < 4; n++ {
		name := "abcd"[:n]
		m := w.Add("kay", mkatest.Config(n+1))
		m.Up(name, cak())
		p := w.AddPeer(9, name, cak())
		frame := p.Next(listing(m.MI(), mnOf(m)))
		at := bodyAt + 4 + 28 + n
		for i := at; i < at+4-n; i++ {
			frame[i] = 0xff
		}
		accepts(t, m, p, p.Resign(frame))
	}
}

// Clause: 802.1X-2020 Figure 11-10
// Requirement: R31
func TestSAKUseCountsWithItsOwnLengthsOnly(t *testing.T) {
	for n := range 45 {
		w, m, p := alone(t)
		p.Tell(m, listing(m.MI(), mnOf(m)))
		w.Run(mka.MinGap + w.Delay) // it is distributed a SAK, which it takes
		var whole []byte
		p.Use.Present = true
		p.Rewrite(p.Next(), func(sets [][]byte) [][]byte {
			for _, s := range sets {
				if s[0] == kindSAKUse {
					whole = slices.Concat(s, make([]byte, 4))
				}
			}
			return sets
		})
		p.Use = eapol.SAKUse{}
		mi := m.MI()
		use := set(kindSAKUse, n, whole[4:4+n])
		use[1] = whole[1]
		accepts(t, m, p, with(p, p.Next(), use))
		sent := len(p.Received)
		w.Run(mka.HelloTime)
		distributes := p.Received[sent].DistributedSAK.Present
		if counts := n >= 40; distributes == counts || m.MI() != mi {
			t.Errorf("%d octets: the SAK is distributed still: %t; MI kept %t", n, distributes, m.MI() == mi)
		}
	}
}

// Clause: 802.1X-2020 Figures 11-11, 11-12
// Requirement: R32
func TestDistributedSAKHasTheLengthOfItsSuiteOrDropsTheMKPDU(t *testing.T) {
	for _, suite := range secy.CipherSuites {
		for n := range 57 {
			_, m, p := alone(t)
			p.Priority = 0
			p.Tell(m, listing(m.MI(), mnOf(m)))
			p.Others[0].Lists = true
			p.Generate(suite, secy.Offset0)
			p.Offer.LongID = true // GCM-AES-128 too
			var whole []byte
			frame := p.Rewrite(p.Next(), func(sets [][]byte) [][]byte {
				at := slices.IndexFunc(sets[1:], func(s []byte) bool { return s[0] == kindDistributedSAK }) + 1
				whole = sets[at]
				if short := n == 28 && suite == secy.GCMAES128; short {
					whole = slices.Concat(whole[:8], whole[16:]) // without its identifier
				}
				s := set(kindDistributedSAK, n, slices.Concat(whole[4:], make([]byte, 60))[:n])
				s[1] = whole[1]
				sets[at] = s
				return sets
			})
			switch {
			case n == len(whole)-4:
				m.MustStep(mka.FrameReceived{Frame: frame})
				if m.SecY.Tx != p.Key.KI.KeyID() {
					t.Errorf("%s in %d octets: not taken; discards %v", suite, n, m.Status().Discards)
				}
			case n == 0 || n == 28: // no MACsec; and GCM-AES-128, which an identifier and half a key do not unwrap to
			case n == 36 || n == 52:
				drops(t, m, eapol.DiscardDistributedSAKSuite, frame)
			default:
				drops(t, m, eapol.DiscardDistributedSAKLength, frame)
			}
		}
	}
}

// Clause: 802.1X-2020 Figure 11-16
// Requirement: R33
func TestXPNSetIsAcceptedInAnyVersionAndBesideAnySuite(t *testing.T) {
	for _, version := range []uint8{1, 2, 3} {
		for _, suite := range secy.CipherSuites {
			for n := range 13 {
				_, m, p := serving(t, suites(suite))
				p.Version, p.XPN = version, eapol.XPN{}
				p.Use.DelayProtect, p.Use.Latest.LPN = true, 5
				mark := m.Mark()
				accepts(t, m, p, with(p, p.Next(), set(kindXPN, n, []byte{0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3}[:n])))
				var want []secy.PN
				switch {
				case !suite.XPN():
					want = []secy.PN{5}
				case n == 8:
					want = []secy.PN{1<<32 | 5}
				}
				if got := raises(m.Since(mark), p.SCI); !slices.Equal(got, want) {
					t.Errorf("%s, version %d, %d octets: raised to %v, want %v", suite, version, n, got, want)
				}
			}
		}
	}
}

// Clause: 802.1X-2020 11.12
// Requirement: R34
func TestAnnouncementIsReadAsFarAsItCanBe(t *testing.T) {
	tlv := func(kind, says int, value ...byte) []byte {
		return append(binary.BigEndian.AppendUint16(nil, uint16(kind<<9|says)), value...)
	}
	entry := func(suite uint64) []byte { return binary.BigEndian.AppendUint64([]byte{0, 3}, suite) }
	list := func(entries ...[]byte) []byte {
		value := slices.Concat(entries...)
		return tlv(112, len(value), value...)
	}
	aes256 := entry(uint64(secy.GCMAES256))
	for name, c := range map[string]struct {
		body []byte
		want secy.CipherSuite
	}{
		"one suite":                 {list(aes256), secy.GCMAES256},
		"unknown TLVs before":       {slices.Concat(tlv(1, 3, 1, 2, 3), tlv(127, 0), list(aes256)), secy.GCMAES256},
		"an unknown suite beside":   {list(entry(0x0080c20001000009), aes256), secy.GCMAES256},
		"a TLV past the end after":  {slices.Concat(list(aes256), tlv(111, 400, 1)), secy.GCMAES256},
		"a TLV past the end before": {slices.Concat(tlv(111, 400, 1), list(aes256)), secy.GCMAESXPN256}, // nothing is announced
		"only unknown suites":       {list(entry(1)), secy.GCMAESXPN256},
		"half a suite at the end":   {list(aes256, []byte{0, 3, 0, 0x80}), secy.GCMAES256},
		"empty":                     {nil, secy.GCMAESXPN256},
		"one octet":                 {[]byte{224}, secy.GCMAESXPN256},
		"a second list":             {slices.Concat(list(aes256), list(entry(uint64(secy.GCMAES128)))), secy.GCMAES256},
	} {
		t.Run(name, func(t *testing.T) {
			w, m, p := alone(t)
			accepts(t, m, p, with(p, proof(m, p), set(kindAnnouncement, len(c.body), c.body)))
			w.Run(mka.MinGap + w.Delay)
			if got, _ := offers(p); len(got) != 1 || got[0] != c.want {
				t.Errorf("offered %v, want %s", got, c.want)
			}
		})
	}
}

// Clause: 802.1X-2020 11.11.3
// Requirement: R35
func TestKMDAndDistributedCAKAreTolerated(t *testing.T) {
	for _, c := range []struct {
		kind byte
		n    int
	}{{kindKMD, 1}, {kindKMD, 253}, {kindDistributedCAK, 25}, {kindDistributedCAK, 56}, {kindDistributedCAK, 72}} {
		t.Run(fmt.Sprintf("type %d of %d octets", c.kind, c.n), func(t *testing.T) {
			_, m, p := alone(t)
			accepts(t, m, p, with(p, proof(m, p), set(c.kind, c.n, bytes.Repeat([]byte{'x'}, c.n))))
		})
	}
}

package decode_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mkad/eapol"
	"mkad/internal/decode"
	"mkad/keyderive"
	"mkad/secy"
)

// checkPlain checks that every protected frame is authentic, and comes out as its user sent it.
func (w *world) checkPlain(got decoded) {
	w.t.Helper()
	for i, user := range w.users {
		switch {
		case user == nil:
			if !bytes.Equal(got.plain[i], w.packets[i].Data) {
				w.t.Errorf("frame %d was not protected, and comes out as %x", i+1, got.plain[i])
			}
		case got.records[i].MACsec.State != decode.FrameAuthentic:
			w.t.Errorf("frame %d is %s:\n%s", i+1, got.records[i].MACsec.State, got.records[i].Text())
		case !bytes.Equal(got.plain[i], user):
			w.t.Errorf("frame %d comes out as\n%x, sent was\n%x", i+1, got.plain[i], user)
		}
	}
}

// Frames of both members, of every length where SL matters and of the greatest, with and without an explicit SCI.
// Clause: 802.1AE-2018 10.6, 14
func TestEverySuiteAndOffsetIsDecrypted(t *testing.T) {
	for _, suite := range secy.CipherSuites {
		for offset := secy.IntegrityOnly; offset <= secy.Offset50; offset++ {
			if !suite.Allows(offset) {
				continue
			}
			t.Run(fmt.Sprint(suite, " ", offset), func(t *testing.T) {
				w := newWorld(t)
				w.hello(bobSCI, nil)
				k := w.newKey(1, 2, suite, offset)
				w.distribute(k)
				a, b := w.sender(aliceSCI, k, 2, 1, true), w.sender(bobSCI, k, 1, 1, false)
				for _, n := range []int{2, 29, 31, 46, 47, 48, 49, 51, 64, 1500} {
					a.send(n)
					b.send(n)
				}
				got := w.decode()
				w.checkPlain(got)
				if pn := got.records[len(got.records)-1].MACsec.PN; pn != 10 || strings.Contains(got.text, "guessed") {
					t.Errorf("the last packet number is %d, the text\n%s", pn, got.text)
				}
			})
		}
	}
}

// The packet numbers of an XPN SA go beyond 2^32 in the capture, and were there before it; MKPDUs tell the upper half.
// Clause: 802.1AE-2018 10.6.2, 802.1X-2020 11.11.3
func TestUpperHalfOfPacketNumbersIsFollowed(t *testing.T) {
	w := newWorld(t)
	w.hello(bobSCI, nil)
	k := w.newKey(1, 0, secy.GCMAESXPN256, secy.Offset0)
	w.distribute(k)
	const first = 0x7_ffff_fffd
	w.hello(bobSCI, func(m *eapol.MKPDU) {
		m.SAKUse = eapol.SAKUse{Present: true, Latest: eapol.KeyUse{KI: k.ki, AN: k.an, Tx: true, Rx: true, LPN: first & 0xffff_ffff}}
		m.XPN = eapol.XPN{Present: true, LatestHigh: first >> 32}
	})
	b := w.sender(bobSCI, k, 1, first, true)
	for range 6 {
		b.send(60)
	}
	got := w.decode()
	w.checkPlain(got)
	if pn := got.records[8].MACsec.PN; pn != first+5 || strings.Contains(got.text, "guessed") {
		t.Errorf("the last packet number is %#x:\n%s", pn, got.text)
	}
}

// Nothing tells the upper half: it is guessed for the first frame and followed from there on.
// Clause: none; design: what a capture does not tell is guessed and said.
func TestUpperHalfOfPacketNumbersIsGuessed(t *testing.T) {
	w := newWorld(t)
	w.hello(bobSCI, nil)
	k := w.newKey(1, 0, secy.GCMAESXPN128, secy.Offset0)
	w.distribute(k)
	b := w.sender(bobSCI, k, 1, 0x2_0000_0007, true)
	b.send(60)
	b.send(60)
	got := w.decode()
	w.checkPlain(got)
	if strings.Count(got.text, "upper half of its PN was guessed") != 1 || got.records[3].MACsec.PN != 0x2_0000_0008 {
		t.Errorf("text is\n%s", got.text)
	}
}

// Three members: SSCIs follow from the SCIs, or with MKA version 3 from the order of the list; who assigns them otherwise is seen.
// Clause: 802.1AE-2018 10.7.13
func TestSSCIsOfThreeMembers(t *testing.T) {
	for name, c := range map[string]struct {
		version            uint8
		order              []secy.SCI // of the key server's list
		server             uint8
		alice, bob, carol  secy.SSCI
		remark             string
		withoutCarolsHello bool
	}{
		"by SCI":          {version: 1, order: []secy.SCI{bobSCI, carolSCI}, alice: 3, bob: 2, carol: 1},
		"by the list":     {version: 3, order: []secy.SCI{carolSCI, bobSCI}, server: 2, alice: 2, bob: 3, carol: 1},
		"otherwise":       {version: 1, order: []secy.SCI{bobSCI, carolSCI}, alice: 1, bob: 2, carol: 3, remark: "SSCI is 1 and should be 3"},
		"a member unseen": {version: 1, order: []secy.SCI{bobSCI, carolSCI}, alice: 3, bob: 2, carol: 1, withoutCarolsHello: true, remark: "its SSCI 3 was guessed"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.version, w.members = c.version, append(c.order, aliceSCI)
			w.hello(bobSCI, nil)
			if !c.withoutCarolsHello {
				w.hello(carolSCI, nil)
			}
			k := w.newKey(1, 1, secy.GCMAESXPN128, secy.Offset0)
			w.hello(aliceSCI, func(m *eapol.MKPDU) {
				m.Live.KeyServerSSCI = c.server
				kek := keyderive.DeriveKEK(w.key.CAK, w.key.CKN)
				m.DistributedSAK = eapol.DistributedSAK{Present: true, AN: k.an, Offset: k.offset, KN: 1, Suite: k.suite, Wrapped: kek.Wrap(nil, k.sak)}
			})
			w.sender(aliceSCI, k, c.alice, 1, true).send(60)
			w.sender(bobSCI, k, c.bob, 1, true).send(60)
			if !c.withoutCarolsHello {
				w.sender(carolSCI, k, c.carol, 1, true).send(60)
			}
			got := w.decode()
			w.checkPlain(got)
			if remarked := strings.Contains(got.text, "remark"); remarked != (c.remark != "") || !strings.Contains(got.text, c.remark) {
				t.Errorf("want the remark %q in\n%s", c.remark, got.text)
			}
		})
	}
}

// Eight SAKs in a row, so that every AN comes twice; the last frame of each comes late.
// Clause: 802.1X-2020 9.9
func TestRekeysAreFollowed(t *testing.T) {
	w := newWorld(t)
	w.hello(bobSCI, nil)
	var old *sender
	for kn := eapol.KN(1); kn <= 8; kn++ {
		k := w.newKey(kn, secy.AN(kn&3), secy.GCMAES256, secy.Offset0)
		w.distribute(k)
		w.distribute(k) // it is repeated until all have it
		s := w.sender(bobSCI, k, 0, 1, true)
		s.send(100)
		if old != nil {
			old.send(60)
		}
		s.send(60)
		old = &s
	}
	got := w.decode()
	w.checkPlain(got)
	if ki := got.records[len(got.records)-1].MACsec.KI; !strings.HasSuffix(ki, "00000008") {
		t.Errorf("the last frame is of key %s", ki)
	}
}

// A frame without SCI that says neither ES nor SCB: it is of the only peer that it is authentic for.
// Clause: 802.1AE-2018 10.6.1
func TestFrameWithoutSCIIsFoundItsSender(t *testing.T) {
	w := newWorld(t)
	w.hello(bobSCI, nil)
	k := w.newKey(1, 0, secy.GCMAES128, secy.Offset0)
	w.distribute(k)
	s := w.sender(bobSCI, k, 0, 1, false)
	frame, _ := s.secy.Protect(nil, append(octets(t, "020000000009 0200000000ee 0800"), bytes.Repeat([]byte{7}, 60)...)) // bridged: SA is another's
	w.capture(frame)
	got := w.decode()
	if r := got.records[2].MACsec; r.State != decode.FrameAuthentic || r.SCI != bobSCI.String() || r.ES || r.SC {
		t.Errorf("%+v", r)
	}
}

// Clause: 802.1AE-2018 10.6.5
func TestAlteredFrameHasABadICV(t *testing.T) {
	w := newWorld(t)
	w.hello(bobSCI, nil)
	k := w.newKey(1, 0, secy.GCMAES128, secy.Offset0)
	w.distribute(k)
	s := w.sender(bobSCI, k, 0, 1, true)
	for _, at := range []int{0, 11, 19, 40, -1} {
		p := s.send(100)
		p.Data[(at+len(p.Data))%len(p.Data)] ^= 0x10
	}
	got := w.decode()
	for i, state := range got.states() {
		if state != decode.FrameBadICV || got.plain[i+2] != nil {
			t.Errorf("altered frame %d is %s, and comes out as %x", i, state, got.plain[i+2])
		}
	}
	if !strings.Contains(got.text, ", BAD ICV") || !strings.Contains(got.text, "0 authentic, 5 with a bad ICV") {
		t.Errorf("text is\n%s", got.text)
	}
}

// Clause: none; design: a frame without a key is told from one with a bad ICV.
func TestFrameWithoutAKeyIsNoBadICV(t *testing.T) {
	w := newWorld(t)
	k := w.newKey(1, 0, secy.GCMAES128, secy.Offset0)
	early := w.sender(bobSCI, k, 0, 1, true)
	early.send(60) // before its SAK
	w.hello(bobSCI, nil)
	w.distribute(k)
	unseen := w.newKey(5, 0, secy.GCMAES128, secy.Offset0) // the capture lacks how it was distributed, but bob says that he uses it
	w.hello(bobSCI, func(m *eapol.MKPDU) {
		m.SAKUse = eapol.SAKUse{Present: true, Latest: eapol.KeyUse{KI: unseen.ki, AN: 0, Tx: true, Rx: true, LPN: 1}}
	})
	w.sender(bobSCI, unseen, 0, 1, true).send(60)
	w.sender(carolSCI, k, 0, 1, true).send(60)      // nobody of the CA by its MKPDUs, and yet it has the key
	w.sender(carolSCI, unseen, 0, 1, true).send(60) // nobody at all
	other := w.newKey(6, 3, secy.GCMAES128, secy.Offset0)
	w.sender(bobSCI, other, 0, 1, true).send(60) // an AN of which no SAK is known
	want := []decode.FrameState{decode.FrameNoKey, decode.FrameNoKey, decode.FrameAuthentic, decode.FrameNoKey, decode.FrameNoKey}
	got := w.decode()
	if states := got.states(); !slices.Equal(states, want) {
		t.Errorf("states are %v, want %v", states, want)
	}
	if !strings.Contains(got.text, "mkactl rekey PORT") {
		t.Errorf("the summary does not say what to do:\n%s", got.text)
	}
}

// Clause: 802.1X-2020 9.4.1, 9.8.2
func TestWrongKeyOpensNothing(t *testing.T) {
	w := newWorld(t)
	w.hello(bobSCI, nil)
	k := w.newKey(1, 0, secy.GCMAES128, secy.Offset0)
	w.distribute(k)
	w.sender(bobSCI, k, 0, 1, true).send(60)
	for name, c := range map[string]struct {
		keys  []string
		icv   decode.ICVState
		frame decode.FrameState
		says  string
	}{
		"right CKN, wrong CAK": {[]string{worldKey[0], strings.Repeat("0f", 31) + "0e"}, decode.ICVInvalid, decode.FrameNoKey, "the CAK differs"},
		"other CKN":            {[]string{worldKey[0] + "00", worldKey[1]}, decode.ICVNoKey, decode.FrameNoKey, "no key of the CKN c0ffee"},
		"no key":               {nil, decode.ICVUnchecked, decode.FrameUnchecked, ""},
		"the right one":        {worldKey, decode.ICVValid, decode.FrameAuthentic, "1 authentic"},
	} {
		t.Run(name, func(t *testing.T) {
			got := decodePackets(t, w.packets, nil)
			if c.keys != nil {
				got = decodePackets(t, w.packets, keysOf(t, c.keys...))
			}
			if icv, frame := got.records[1].MKA.ICVState, got.records[2].MACsec.State; icv != c.icv || frame != c.frame {
				t.Errorf("ICV %s, frame %s", icv, frame)
			}
			if state := got.records[1].MKA.DistributedSAK.State; (state == decode.SAKUnwrapped) != (c.icv == decode.ICVValid) {
				t.Errorf("SAK %s", state)
			}
			if opened := got.plain[2] != nil; opened != (c.frame == decode.FrameAuthentic) || !strings.Contains(got.text, c.says) {
				t.Errorf("opened: %t, text\n%s", opened, got.text)
			}
		})
	}
}

// An MKPDU that anybody may have altered teaches nothing, though its SAK unwraps.
// Clause: 802.1X-2020 11.11.2
func TestMKPDUWithAnInvalidICVTeachesNothing(t *testing.T) {
	w := newWorld(t)
	w.hello(bobSCI, nil)
	k := w.newKey(1, 0, secy.GCMAES128, secy.Offset0)
	p := w.distribute(k)
	p.Data[offsetPriority] ^= 1
	w.sender(bobSCI, k, 0, 1, true).send(60)
	if got := w.decode(); got.records[1].MKA.ICVState != decode.ICVInvalid || got.records[2].MACsec.State != decode.FrameNoKey {
		t.Errorf("text is\n%s", got.text)
	}
}

const offsetPriority = 18 + 1

// A key server that distributes another key under one KI breaks the rules, and is told so.
// Clause: 802.1X-2020 9.8
func TestKIWithTwoSAKsIsRemarked(t *testing.T) {
	w := newWorld(t)
	w.hello(bobSCI, nil)
	k, other := w.newKey(1, 0, secy.GCMAES128, secy.Offset0), w.newKey(2, 0, secy.GCMAES128, secy.Offset0)
	other.ki = k.ki
	w.distribute(k)
	w.distribute(other)
	w.sender(bobSCI, k, 0, 1, true).send(60)
	got := w.decode()
	w.checkPlain(got)
	if !strings.Contains(got.text, "remark: this KI was distributed with another SAK") {
		t.Errorf("text is\n%s", got.text)
	}
}

// Clause: none; design: frames that the capture has cut are not taken for altered ones.
func TestCutFrameIsSaidToBeCut(t *testing.T) {
	w := newWorld(t)
	w.hello(bobSCI, nil)
	k := w.newKey(1, 0, secy.GCMAES128, secy.Offset0)
	w.distribute(k)
	s := w.sender(bobSCI, k, 0, 1, true)
	for _, n := range []int{40, 1000} {
		p := s.send(n)
		p.Data = p.Data[:64]
	}
	p := w.hello(bobSCI, nil)
	p.Data = p.Data[:64]
	got := w.decode()
	if states := got.states(); !slices.Equal(states, []decode.FrameState{decode.FrameCut, decode.FrameCut}) || got.plain[3] != nil ||
		!strings.Contains(got.text, ", cut at 64 of 1044 octets") || got.records[4].Malformed.Reason != "length" {
		t.Errorf("%v:\n%s", states, got.text)
	}
}

// VLAN tags outside of the SecTAG are not covered by its ICV, and are there again in what is decrypted.
// Clause: none; design: VLAN tags before the EtherType.
func TestVLANTagsAreKept(t *testing.T) {
	w := newWorld(t)
	w.hello(bobSCI, nil)
	k := w.newKey(1, 0, secy.GCMAES128, secy.Offset0)
	w.distribute(k)
	p := w.sender(bobSCI, k, 0, 1, true).send(60)
	const tags = "88a80064 81000007"
	p.Data = tagged(t, p.Data, tags)
	p.Length = len(p.Data)
	w.users[2] = tagged(t, w.users[2], tags)
	got := w.decode()
	w.checkPlain(got)
	if vlans := got.records[2].VLANs; !slices.Equal(vlans, []uint16{100, 7}) {
		t.Errorf("VLANs are %v", vlans)
	}
}

// Clause: none; design: MKPDUs of another EtherType, as eapol_ethertype has it.
func TestOtherEtherTypeOfMKPDUs(t *testing.T) {
	w := newWorld(t)
	w.hello(bobSCI, func(m *eapol.MKPDU) { m.EtherType = 0x876f })
	for etherType, want := range map[uint16]decode.Kind{0: decode.KindOther, 0x876f: decode.KindMKA} {
		d := decode.New(keysOf(t, worldKey...), decode.Options{EtherType: etherType})
		if r, _ := d.Decode(w.packets[0]); r.Kind != want || want == decode.KindMKA && r.MKA.ICVState != decode.ICVValid {
			t.Errorf("with %04x: %+v", etherType, r)
		}
		d.Close()
	}
}

// Clause: none; design: keys never appear in output or errors, nor by printing what holds them.
func TestNoKeyOctetsAppear(t *testing.T) {
	w := newWorld(t)
	w.hello(bobSCI, nil)
	k := w.newKey(1, 0, secy.GCMAESXPN256, secy.Offset0)
	w.distribute(k)
	w.sender(bobSCI, k, 1, 1, true).send(60)
	frames := w.packets
	for _, name := range []string{"vectors", "brocade-cisco", "raspberry-pi", "odd"} {
		for _, f := range goldenCaptures(t)[name] {
			frames = append(frames, decode.Packet{Number: len(frames) + 1, Data: f, Length: len(f)})
		}
	}
	secrets := append([]string{worldKey[1], hex.EncodeToString(k.sak.Octets())}, sakDigits...)
	for i := 1; i < len(allKeys); i += 2 {
		secrets = append(secrets, allKeys[i])
	}
	secrets = append(secrets, derivedDigits...)
	got := decodePackets(t, frames, keysOf(t, append(allKeys, worldKey...)...))
	if n := got.summary.SAKs[decode.SAKUnwrapped]; n < 4 {
		t.Fatalf("only %d SAKs were unwrapped: the test shows nothing", n)
	}
	d := decode.New(keysOf(t, worldKey...), decode.Options{})
	defer d.Close()
	for _, p := range frames {
		d.Decode(p)
	}
	dump := fmt.Sprintf("%+v %#v %v %+v", d, d, got.records, got.summary)
	for _, secret := range secrets {
		raw := octets(t, secret)
		for name, out := range map[string]string{"text": got.text, "JSON": got.json, "dump": dump} {
			lower := strings.ToLower(out)
			if strings.Contains(without(lower, keyPi[0]), secret[:16]) && !published(secret) || strings.Contains(out, string(raw[:8])) ||
				strings.Contains(lower, strings.Trim(fmt.Sprint(raw[:8]), "[]")) {
				t.Errorf("%s shows a key that begins %s", name, secret[:4])
			}
		}
	}
}

// published reports whether the head of a key is that of a CKN or an MI of the golden frames, too.
func published(secret string) bool {
	return strings.HasPrefix(secret, "0123456789abcdef") || strings.HasPrefix(secret, "1111111111111111")
}

func without(text, part string) string { return strings.ReplaceAll(text, part, "") }

// What is tried on one frame, and guessed for one SAK, has bounds: frames that nobody can verify cost no more than so much.
// Clause: none; design: memory is bounded on captures of any size, and so is work.
func TestTriesAndGuessesHaveBounds(t *testing.T) {
	w := newWorld(t)
	w.hello(bobSCI, nil)
	first := w.newKey(1, 0, secy.GCMAES128, secy.Offset0)
	w.distribute(first)
	var k key
	for kn := eapol.KN(2); kn <= 17; kn++ {
		k = w.newKey(kn, 0, secy.GCMAES128, secy.Offset0)
		w.distribute(k)
	}
	w.sender(bobSCI, first, 0, 1, true).send(60) // sixteen with its AN are newer
	w.sender(bobSCI, k, 0, 1, true).send(60)

	xpn := w.newKey(18, 1, secy.GCMAESXPN128, secy.Offset0)
	w.distribute(xpn)
	for range 32 {
		p := w.sender(bobSCI, xpn, 1, 1, true).send(60)
		p.Data[len(p.Data)-1] ^= 1
	}
	w.sender(bobSCI, xpn, 1, 1<<32, true).send(60) // could be guessed, but enough was
	got := w.decode().states()
	if got[0] != decode.FrameBadICV || got[1] != decode.FrameAuthentic || slices.Contains(got[2:], decode.FrameAuthentic) {
		t.Errorf("states are %v", got)
	}
}

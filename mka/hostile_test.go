package mka_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/mka"
	"mkad/mka/mkatest"
)

// A recorded is a golden frame with the CA that it belongs to.
type recorded struct {
	name  string
	ckn   keyderive.CKN
	cak   []byte
	ick   keyderive.ICK
	frame []byte
}

// recordeds are F1 to F5 of testdata/mkpdu.
func recordeds(t *testing.T) (all []recorded) {
	t.Helper()
	files, err := filepath.Glob("../testdata/mkpdu/f[1-5]-*.txt")
	if err != nil || len(files) != 5 {
		t.Fatalf("%d files (%v), want F1 to F5", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, body, _ := strings.Cut(string(text), "\n\n")
		r := recorded{name: filepath.Base(file), frame: hexLines(t, body)}
		for line := range strings.Lines(head) {
			switch key, value, _ := strings.Cut(strings.TrimSpace(line), ": "); key {
			case "cak":
				r.cak = hexLines(t, value)
			case "ckn":
				if r.ckn, err = keyderive.NewCKN(hexLines(t, value)); err != nil {
					t.Fatal(err)
				}
			}
		}
		r.ick = keyderive.DeriveICK(r.key(t), r.ckn)
		all = append(all, r)
	}
	return all
}

func hexLines(t *testing.T, text string) (b []byte) {
	t.Helper()
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		octets, err := hex.DecodeString(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, octets...)
	}
	return b
}

func (r recorded) key(t *testing.T) keyderive.CAK {
	t.Helper()
	cak, err := keyderive.NewCAK(bytes.Clone(r.cak))
	if err != nil {
		t.Fatal(err)
	}
	return cak
}

// hearing is a KaY of the CA that the frame belongs to, which has spoken for a while and heard nobody.
func (r recorded) hearing(t *testing.T) *mkatest.Member {
	w := newWorld(t)
	m := w.Add("kay", mkatest.Config(7))
	m.MustStep(mka.ParticipantAdded{CKN: r.ckn, CAK: r.key(t)})
	m.MustStep(mka.LinkChanged{Up: true})
	w.Run(10 * time.Second)
	return m
}

// resign gives a frame, as long as its body length says, an ICV that is right.
func (r recorded) resign(frame []byte) {
	end := bodyAt + int(binary.BigEndian.Uint16(frame[bodyLengthAt:])) - eapol.ICVLen
	if end > 0 && end+eapol.ICVLen <= len(frame) {
		icv := r.ick.Sum(frame[:end])
		copy(frame[end:], icv[:])
	}
}

// unmoved delivers a frame that must be discarded, and wants nothing else to come of it. It returns the reason.
func unmoved(t *testing.T, m *mkatest.Member, before mka.Status, frame []byte) eapol.Discard {
	t.Helper()
	mark := m.Mark()
	m.MustStep(mka.FrameReceived{Frame: frame})
	did := m.Since(mark)
	if len(did.Events) != 1 || did.Events[0].Kind != mka.EventDiscarded || len(did.Ops) != 0 || did.Frames != 0 {
		t.Fatalf("%x: it did %+v, want one discard", frame, did)
	}
	if after := stateOf(m); !reflect.DeepEqual(after, before) {
		t.Fatalf("%x: status before %+v\nafter %+v", frame, before, after)
	}
	return did.Events[0].Discard
}

// Offsets into the Basic Parameter Set of a frame.
const (
	basicFlagsAt = bodyAt + 2
	agilityAt    = bodyAt + 4 + 8 + 12 + 4
	cknAt        = agilityAt + 4
)

// flipReasons are the reasons for which a frame may be discarded of which one bit of the octet at this offset is wrong.
func (r recorded) flipReasons(at int, bit byte) []eapol.Discard {
	switch {
	case at < 6:
		return []eapol.Discard{eapol.DiscardDestination}
	case at >= etherTypeAt && at < versionAt:
		return []eapol.Discard{eapol.DiscardEtherType}
	case at == versionAt && r.frame[at]^bit < eapol.Version:
		return []eapol.Discard{eapol.DiscardEAPOLVersion}
	case at == packetAt:
		return []eapol.Discard{eapol.DiscardNotMKA}
	case at == bodyLengthAt || at == bodyLengthAt+1: // longer than the frame, or the ICV is looked for elsewhere
		return []eapol.Discard{eapol.DiscardLength, eapol.DiscardBodyTooShort, eapol.DiscardBodyNotMultipleOf4,
			eapol.DiscardBasicLength, eapol.DiscardICV}
	case at == basicFlagsAt && bit < 0x10 || at == basicFlagsAt+1: // the length of the CKN follows from it
		return []eapol.Discard{eapol.DiscardBasicLength, eapol.DiscardCKNLength, eapol.DiscardUnknownCKN}
	case at >= agilityAt && at < cknAt:
		return []eapol.Discard{eapol.DiscardAlgorithmAgility}
	case at >= cknAt && at < cknAt+r.ckn.Len():
		return []eapol.Discard{eapol.DiscardUnknownCKN}
	}
	return []eapol.Discard{eapol.DiscardICV}
}

// Clause: 802.1X-2020 9.4.1, 11.4, 11.11.2: whatever bit is wrong, the frame is discarded and nothing has changed
// Requirement: R15
func TestFrameWithAnyOneBitWrongIsDiscardedAndChangesNothing(t *testing.T) {
	for _, r := range recordeds(t) {
		t.Run(r.name, func(t *testing.T) {
			m := r.hearing(t)
			before := stateOf(m)
			for i := range len(r.frame) * 8 {
				frame, bit := bytes.Clone(r.frame), byte(1)<<(i%8)
				frame[i/8] ^= bit
				reason := unmoved(t, m, before, frame)
				if want := r.flipReasons(i/8, bit); !slices.Contains(want, reason) {
					t.Errorf("bit %#x of octet %d: discarded for %q, want one of %v", bit, i/8, reason, want)
				}
			}
			j := jury{recorded: r, m: m, before: before}
			if j.try(t, bytes.Clone(r.frame)); j.accepted != 1 {
				t.Error("the frame as it was is not accepted: the test would prove nothing")
			}
		})
	}
}

// lengthsAt are the offsets of the length fields of all parameter sets of a frame.
func lengthsAt(frame []byte) (all []int) {
	for at := bodyAt; at < len(frame)-eapol.ICVLen; {
		all = append(all, at+2)
		at += 4 + (int(binary.BigEndian.Uint16(frame[at+2:])&0xfff)+3)&^3
	}
	return all
}

// A jury tries authentic frames on a KaY that nothing has reached before.
type jury struct {
	recorded
	m        *mkatest.Member
	before   mka.Status
	accepted int // by the codec
}

func (j *jury) reset(t *testing.T) {
	j.m = j.hearing(t)
	j.before = stateOf(j.m)
}

// try delivers the frame, signed again. Whatever is discarded must change nothing; what is accepted adds a peer.
func (j *jury) try(t *testing.T, frame []byte) {
	t.Helper()
	j.resign(frame)
	want := j.verdict(frame)
	if want != eapol.Accepted {
		if got := unmoved(t, j.m, j.before, frame); got != want {
			t.Errorf("%x: discarded for %q, want %q", frame, got, want)
		}
		return
	}
	j.m.MustStep(mka.FrameReceived{Frame: frame})
	if s := j.m.Status(); s.Received != j.before.Received+1 || len(s.Participants[0].Peers) != 1 {
		t.Errorf("%x: %d MKPDUs received, %d peers; want one more, and one", frame, s.Received, len(s.Participants[0].Peers))
	}
	j.reset(t)
}

// verdict is what the codec says of the frame, and after it the participant: another length makes another CKN.
func (j *jury) verdict(frame []byte) eapol.Discard {
	var m eapol.MKPDU
	if d := eapol.ParseEnvelope(frame, eapol.Acceptance{}, &m); d != eapol.Accepted {
		return d
	}
	if m.Basic.CKN != j.ckn {
		return eapol.DiscardUnknownCKN
	}
	if m.Basic.AlgorithmAgility != eapol.AlgorithmAgility {
		return eapol.DiscardAlgorithmAgility
	}
	if !setsFit(frame) {
		return eapol.DiscardSetLength
	}
	if d := m.ParseSets(); d != eapol.Accepted {
		return d
	}
	j.accepted++
	if m.Basic.SCI == j.m.SCI() {
		return eapol.DiscardOwnSCI
	}
	return eapol.Accepted
}

// setsFit reports whether the parameter sets end where the ICV begins, the header of an ICV Indicator apart: by plain
// indexing, as a twin of what the codec does.
func setsFit(frame []byte) bool {
	end := bodyAt + int(frame[bodyLengthAt])<<8 + int(frame[bodyLengthAt+1]) - eapol.ICVLen
	for at := bodyAt; at != end; {
		if at+4 > end {
			return false
		}
		length := int(frame[at+2]&0xf)<<8 + int(frame[at+3])
		if frame[at] == 255 && at > bodyAt && at+4 == end && length == eapol.ICVLen {
			return true
		}
		if at += 4 + (length+3)/4*4; at > end {
			return false
		}
	}
	return true
}

// lengths are what a set of a frame may say of itself: all that ends in it or a little beyond, and some far beyond.
func lengths(frame int) (all []uint16) {
	for n := range frame + 16 {
		all = append(all, uint16(n))
	}
	return append(all, 1<<10-1, 1<<10, 1<<11, 1<<12-4, 1<<12-1)
}

// Clause: 802.1X-2020 11.11.2, 11.11.3: a holder of the CAK signs a frame of which a length lies
// Requirement: R25, R36
func TestAuthenticFrameWithAnyLengthOfASetIsDiscardedForItOrAdded(t *testing.T) {
	for _, r := range recordeds(t) {
		t.Run(r.name, func(t *testing.T) {
			j := jury{recorded: r}
			j.reset(t)
			for _, at := range lengthsAt(r.frame) {
				was := binary.BigEndian.Uint16(r.frame[at:])
				for _, length := range lengths(len(r.frame)) {
					j.try(t, put(r.frame, at, byte((was&^0xfff|length)>>8), byte(length)))
				}
			}
			if j.accepted < len(lengthsAt(r.frame)) {
				t.Errorf("%d frames accepted, not even those as they were", j.accepted)
			}
		})
	}
}

// Clause: 802.1X-2020 11.4, 11.11.2: the same of the length of the packet body
// Requirement: R36
func TestAuthenticFrameWithAnyLengthOfItsBodyIsDiscardedForItOrAdded(t *testing.T) {
	for _, r := range recordeds(t) {
		t.Run(r.name, func(t *testing.T) {
			j := jury{recorded: r}
			j.reset(t)
			for length := range len(r.frame) + 64 {
				j.try(t, put(r.frame, bodyLengthAt, byte(length>>8), byte(length)))
			}
			for _, high := range []byte{0x01, 0x0f, 0x7f, 0x80, 0xff} {
				j.try(t, put(r.frame, bodyLengthAt, high, 0xfc))
			}
			if j.accepted == 0 {
				t.Error("the frame as it was is not accepted")
			}
		})
	}
}

// carries reports whether frames pass between the two: each transmits, and the other receives with that key.
func carries(a, b *mkatest.Member) bool { return reaches(a, b) && reaches(b, a) }

func reaches(from, to *mkatest.Member) bool {
	sent, ok := from.SecY.Transmitting()
	got, known := to.SecY.Find(from.SCI(), sent.Key)
	return ok && known && got.On && got.SAK == sent.SAK && from.SecY.Enabled && to.SecY.Enabled
}

// Clause: 802.1X-2020 11.11.2 e: who has no CAK can only be ignored
// Requirement: R21, R36
func TestFloodOfUnknownCKNsChangesNothingAndCostsNoMemory(t *testing.T) {
	w, members := group(t, 2)
	a, stranger := members[0], w.AddPeer(9, "stranger", mkatest.CAK(9, 16))
	frame := stranger.Next(func(u *eapol.MKPDU) { u.Basic.CKN = mkatest.CKN(strings.Repeat("x", 32)) })
	before := stateOf(a)
	for n := range 3_000 {
		binary.BigEndian.PutUint32(frame[cknAt:], uint32(n))
		if reason := unmoved(t, a, before, frame); reason != eapol.DiscardUnknownCKN {
			t.Fatalf("discarded for %q", reason)
		}
	}
	var out mka.Output
	var err error
	n := testing.AllocsPerRun(100, func() {
		out.Reset()
		err = a.KaY.Step(w.Now, mka.FrameReceived{Frame: frame}, &out)
	})
	if n != 0 || err != nil {
		t.Errorf("a frame allocates %v times (error %v), want 0", n, err)
	}
	w.connected(members...)
}

// Clause: 802.1X-2020 9.4.1: the same of a CKN that is known, with an ICV that is wrong
// Requirement: R15, R36
func TestFloodOfWrongICVsChangesNothing(t *testing.T) {
	w, members := group(t, 2)
	a, forger := members[0], w.AddPeer(9, ckn, mkatest.CAK(9, 16))
	before := stateOf(a)
	for range 1_000 {
		forger.Rejoin()
		if reason := unmoved(t, a, before, forger.Next()); reason != eapol.DiscardICV {
			t.Fatalf("discarded for %q", reason)
		}
	}
	w.connected(members...)
}

// Any packet body, signed by a holder of the CAK, meets a KaY that has heard nobody: it is discarded for the reason that
// the twin gives and changes nothing, or adds the one peer that it speaks of.
// Requirement: R36
func FuzzValidate(f *testing.F) {
	var juries []*jury
	f.Fuzz(func(t *testing.T, ca uint8, body []byte) {
		if len(body) > 1500 {
			return
		}
		if juries == nil {
			for _, r := range recordeds(t) {
				juries = append(juries, &jury{recorded: r})
			}
		}
		j := juries[int(ca)%len(juries)]
		j.reset(t)
		frame := append(bytes.Clone(j.frame[:bodyAt]), body...)
		binary.BigEndian.PutUint16(frame[bodyLengthAt:], uint16(len(body)))
		j.try(t, frame)
	})
}

package mka_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// accepts wants the frame to be received, and its sender, which lists the KaY, to be live by it.
func accepts(t *testing.T, m *mkatest.Member, p *mkatest.Peer, frame []byte) {
	t.Helper()
	received, mi := m.Status().Received, m.MI()
	m.MustStep(mka.FrameReceived{Frame: frame})
	if got := m.Status().Received - received; got != 1 || !isLive(m, p.SCI) || m.MI() != mi {
		t.Errorf("%d MKPDUs received, live %t, MI kept %t; discards %v", got, isLive(m, p.SCI), m.MI() == mi, m.Status().Discards)
	}
}

// drops wants the frame to be discarded for the reason, and to have no other effect.
func drops(t *testing.T, m *mkatest.Member, reason eapol.Discard, frame []byte) {
	t.Helper()
	before, mark := stateOf(m), m.Mark()
	wantDiscard(t, m, reason, func() { m.MustStep(mka.FrameReceived{Frame: frame}) })
	did := m.Since(mark)
	if len(did.Ops) != 0 || did.Frames != 0 || len(did.Events) != 1 || fmt.Sprint(stateOf(m)) != fmt.Sprint(before) {
		t.Errorf("it did %+v\nstatus before %+v\nafter %+v", did, before, stateOf(m))
	}
}

// tapped are the frames that KaYs send on the LAN from now on.
func tapped(w *world) *[][]byte {
	var frames [][]byte
	tap := w.Tap
	w.Tap = func(from mkatest.Station, frame []byte) {
		tap(from, frame)
		if _, ok := from.(*mkatest.Member); ok {
			frames = append(frames, bytes.Clone(frame))
		}
	}
	return &frames
}

var groups = []eapol.MAC{eapol.PAEGroup, eapol.NearestBridge, eapol.NearestCustomerBridge}

// destination configures where MKPDUs go and what is accepted, as the daemon does.
func destination(da eapol.MAC) func(*mka.Config) {
	return func(c *mka.Config) { c.Destination, c.Acceptance.Destinations = da, []eapol.MAC{da} }
}

// Clause: 802.1X-2020 11.1, 11.3
// Requirement: R1
func TestMKPDUsGoFromThePortsMACToTheConfiguredGroup(t *testing.T) {
	for da, edit := range map[eapol.MAC]func(*mka.Config){
		eapol.PAEGroup:      func(*mka.Config) {},
		eapol.NearestBridge: destination(eapol.NearestBridge), eapol.NearestCustomerBridge: destination(eapol.NearestCustomerBridge),
	} {
		w := newWorld(t)
		frames := tapped(w)
		m := w.kay(2, edit)
		want := append(da[:], []byte{2, 0, 0, 0, 0, 2, 0x88, 0x8e, 3, 5}...)
		if len(*frames) == 0 || m.SCI().MAC() != [6]byte{2, 0, 0, 0, 0, 2} {
			t.Fatalf("%d frames from %s", len(*frames), m.SCI())
		}
		for _, f := range *frames {
			if !bytes.HasPrefix(f, want) {
				t.Errorf("a frame begins with %x, want %x", f[:len(want)], want)
			}
		}
	}
}

// Clause: 802.1X-2020 11.3.3, 11.11.1
// Requirement: R2
func TestBodyLengthIsThatOfTheMKPDUWithItsICV(t *testing.T) {
	shortest := 1 << 16
	for n := 1; n <= 32; n++ {
		w := newWorld(t)
		frames := tapped(w)
		name := string(bytes.Repeat([]byte{'x'}, n))
		for i := range 2 {
			w.Add(fmt.Sprint("kay ", i+1), mkatest.Config(i+1)).Up(name, cak())
		}
		w.connected(w.Members...)
		for _, f := range *frames {
			length := int(binary.BigEndian.Uint16(f[bodyLengthAt:]))
			if length != len(f)-bodyAt || length%4 != 0 || length < 52 {
				t.Fatalf("CKN of %d octets: length %d of a body of %d octets", n, length, len(f)-bodyAt)
			}
			shortest = min(shortest, length)
		}
	}
	// The first hello, with the least CKN: header and 29 octets, padded, an announcement of four suites, and the ICV.
	if want := 4 + 32 + 48 + eapol.ICVLen; shortest != want {
		t.Errorf("the shortest body has %d octets, want %d", shortest, want)
	}
}

// Clause: 802.1X-2020 11.4
// Requirement: R3
func TestFrameThatIsCutAnywhereIsDropped(t *testing.T) {
	_, m, p := alone(t)
	frame := p.Next(listing(m.MI(), mnOf(m)))
	for n := range len(frame) {
		reason := eapol.DiscardLength
		if n < bodyAt {
			reason = eapol.DiscardShortFrame
		}
		drops(t, m, reason, frame[:n])
	}
	accepts(t, m, p, frame)
}

// Clause: 802.1X-2020 9.4.1, 11.4
// Requirement: R4
func TestFrameWithOctetsAfterItsBodyIsAccepted(t *testing.T) {
	for _, n := range []int{1, 4, 46, 1000} {
		for _, octet := range []byte{0, 0xff} {
			_, m, p := alone(t)
			accepts(t, m, p, append(p.Next(listing(m.MI(), mnOf(m))), bytes.Repeat([]byte{octet}, n)...))
		}
	}
}

// Clause: 802.1X-2020 11.1.1, 11.4
// Requirement: R5
func TestConfiguredGroupAddressIsAcceptedAndNoOther(t *testing.T) {
	to := func(p *mkatest.Peer, m *mkatest.Member, da eapol.MAC) []byte {
		return p.Next(listing(m.MI(), mnOf(m)), func(u *eapol.MKPDU) { u.DA = da })
	}
	for _, own := range groups {
		_, m, p := alone(t, destination(own))
		for _, da := range append(groups, m.SCI().MAC(), eapol.MAC{0x00, 0x80, 0xc2, 0, 0, 3}, eapol.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}) {
			if da != own {
				drops(t, m, eapol.DiscardDestination, to(p, m, da))
			}
		}
		accepts(t, m, p, to(p, m, own))
	}
}

// Clause: 802.1X-2020 11.3.1
// Requirement: R6
func TestEAPOLVersionsFrom3OnAreAccepted(t *testing.T) {
	for version := range 256 {
		_, m, p := alone(t)
		frame := p.Resign(put(p.Next(listing(m.MI(), mnOf(m))), versionAt, byte(version)))
		if version < 3 {
			drops(t, m, eapol.DiscardEAPOLVersion, frame)
		} else {
			accepts(t, m, p, frame)
		}
	}
}

// Clause: 802.1X-2020 11.3.2
// Requirement: R7
func TestOtherPacketTypesNeverReachMKA(t *testing.T) {
	_, m, p := alone(t)
	for kind := range 256 {
		if kind == int(eapol.PacketMKA) {
			continue
		}
		frame := p.Resign(put(p.Next(listing(m.MI(), mnOf(m))), packetAt, byte(kind)))
		drops(t, m, eapol.DiscardNotMKA, frame)
		drops(t, m, eapol.DiscardNotMKA, put(frame[:bodyAt], bodyLengthAt, 0, 0)) // as EAPOL-Start has
	}
}

// Clause: 802.1X-2020 11.11.2 b, c
// Requirement: R8
func TestBodyLengthsThatCannotBeAreDropped(t *testing.T) {
	_, m, p := alone(t)
	frame := p.Next(listing(m.MI(), mnOf(m)))
	for n, reason := range map[int]eapol.Discard{
		0: eapol.DiscardBodyTooShort, 28: eapol.DiscardBodyTooShort, 31: eapol.DiscardBodyTooShort,
		33: eapol.DiscardBodyNotMultipleOf4, 34: eapol.DiscardBodyNotMultipleOf4, 35: eapol.DiscardBodyNotMultipleOf4,
	} {
		drops(t, m, reason, withBody(frame, n))
		if n >= eapol.ICVLen {
			drops(t, m, reason, p.Resign(withBody(frame, n)))
		}
	}
}

// Clause: 802.1X-2020 9.3.1, 9.3.3
// Requirement: R11
func TestCKNsThatBeginAlikeAreOtherCAs(t *testing.T) {
	const long = "0123456789abcdef" // ICK and KEK are those of everybody whose CKN begins so
	w := newWorld(t)
	m := w.Add("kay", mkatest.Config(2))
	m.Up(long, cak())
	for _, other := range []string{long + "\x00", long + "x", long[:15]} {
		p := w.AddPeer(1, other, cak())
		if same := keyderive.DeriveICK(cak(), mkatest.CKN(other)).Equal(keyderive.DeriveICK(cak(), mkatest.CKN(long))); same != (len(other) > 16) {
			t.Fatalf("ICK of %q the same: %t", other, same)
		}
		drops(t, m, eapol.DiscardUnknownCKN, p.Next(listing(m.MI(), mnOf(m))))
	}
	p := w.AddPeer(1, long, cak())
	accepts(t, m, p, p.Next(listing(m.MI(), mnOf(m))))
}

// Clause: 802.1X-2020 9.4.1
// Requirement: R16
func TestGroupWithACAKOf256BitsIsConnected(t *testing.T) {
	w := newWorld(t)
	for n := range 3 {
		w.Add(fmt.Sprint("kay ", n+1), mkatest.Config(n+1)).Up(ckn, mkatest.CAK(1, 32))
	}
	frames := tapped(w)
	w.connected(w.Members...)
	ick := keyderive.DeriveICK(mkatest.CAK(1, 32), mkatest.CKN(ckn))
	for _, f := range *frames {
		if covered := len(f) - eapol.ICVLen; !ick.Verify(f[:covered], f[covered:]) {
			t.Fatalf("the last 16 octets of %x are not its ICV", f)
		}
	}
	if p := w.AddPeer(9, ckn, cak()); p.Follow(w.Members[0]) {
		t.Error("secured with the holder of another CAK")
	}
}

// Clause: 802.1AE-2018 Table 14-1, 802.1X-2020 9.3.1: the length of the CAK says nothing of the suite
// Requirement: R13
func TestEachLengthOfCAKGoesWithEachOfSAK(t *testing.T) {
	for _, octets := range []int{16, 32} {
		for _, suite := range []secy.CipherSuite{secy.GCMAES128, secy.GCMAES256} {
			w := newWorld(t)
			for n := range 2 {
				cfg := mkatest.Config(n + 1)
				cfg.CipherSuites = []secy.CipherSuite{suite}
				w.Add(fmt.Sprint("kay ", n+1), cfg).Up(ckn, mkatest.CAK(1, octets))
			}
			w.connected(w.Members...)
			if got := w.Members[0].Status().CipherSuite; got != suite {
				t.Errorf("CAK of %d octets: %s, want %s", octets, got, suite)
			}
		}
	}
}

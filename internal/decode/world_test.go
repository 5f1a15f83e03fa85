package decode_test

import (
	"bytes"
	"testing"

	"mkad/eapol"
	"mkad/internal/config"
	"mkad/internal/decode"
	"mkad/keyderive"
	"mkad/secy"
)

// The members of the CA that most tests are about, and the keys that they have.
const (
	aliceSCI secy.SCI = 0x02000000000a0001
	bobSCI   secy.SCI = 0x02000000000b0001
	carolSCI secy.SCI = 0x02000000000c0001
)

var worldKey = []string{"c0ffee", "6d1f0b9c5a7e48d2b3f4817a2c95e06d11d2c3b4a5968778695a4b3c2d1e0f01"}

var memberMIs = map[secy.SCI]eapol.MI{
	aliceSCI: {0xaa, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, bobSCI: {0xbb, 1, 2, 3}, carolSCI: {0xcc, 3, 2, 1},
}

// A world makes the frames of a CA whose key server is alice.
type world struct {
	t       testing.TB
	key     config.Key
	mn      eapol.MN
	version uint8
	members []secy.SCI // who is in lists, beside the sender
	packets []decode.Packet
	users   [][]byte // for each packet the frame as its user sent it; nil: none
}

func newWorld(t testing.TB) *world {
	return &world{t: t, key: keysOf(t, worldKey...)[0], version: 1, members: []secy.SCI{aliceSCI, bobSCI}}
}

// capture adds a frame that is nobody's.
func (w *world) capture(frame []byte) *decode.Packet {
	w.packets = append(w.packets, decode.Packet{Number: len(w.packets) + 1, Data: frame, Length: len(frame)})
	w.users = append(w.users, nil)
	return &w.packets[len(w.packets)-1]
}

// hello captures an MKPDU of a member, with what set puts into it.
func (w *world) hello(from secy.SCI, set func(m *eapol.MKPDU)) *decode.Packet {
	w.mn++
	m := eapol.MKPDU{DA: eapol.PAEGroup, SA: from.MAC(), Basic: eapol.Basic{MKAVersion: w.version, KeyServerPriority: 16, KeyServer: from == aliceSCI,
		MACsecDesired: true, Capability: secy.CapabilityOffsets, SCI: from, MI: memberMIs[from], MN: w.mn,
		AlgorithmAgility: eapol.AlgorithmAgility, CKN: w.key.CKN}}
	m.Live.Present = true
	for _, sci := range w.members {
		if sci != from {
			m.Live.Peers = append(m.Live.Peers, eapol.ListedPeer{MI: memberMIs[sci], MN: 1})
		}
	}
	if set != nil {
		set(&m)
	}
	frame := m.AppendTo(nil)
	ick := keyderive.DeriveICK(w.key.CAK, w.key.CKN)
	icv := ick.Sum(frame)
	return w.capture(append(frame, icv[:]...))
}

// A key is a SAK of the world.
type key struct {
	ki     eapol.KI
	an     secy.AN
	suite  secy.CipherSuite
	offset secy.ConfidentialityOffset
	sak    keyderive.SAK
}

// newKey makes a SAK; its octets follow from its number.
func (w *world) newKey(kn eapol.KN, an secy.AN, suite secy.CipherSuite, offset secy.ConfidentialityOffset) key {
	w.t.Helper()
	mi := memberMIs[aliceSCI]
	nonce := bytes.Repeat([]byte{byte(kn), byte(kn >> 8), 0x5a, 0x17}, suite.KeyLen()/4)
	sak, err := keyderive.DeriveSAK(w.key.CAK, nonce, mi[:], uint32(kn), suite.KeyLen())
	if err != nil {
		w.t.Fatal(err)
	}
	return key{eapol.KI{MI: mi, KN: kn}, an, suite, offset, sak}
}

// distribute captures the MKPDU by which alice hands a SAK out.
func (w *world) distribute(k key) *decode.Packet {
	return w.hello(aliceSCI, func(m *eapol.MKPDU) {
		kek := keyderive.DeriveKEK(w.key.CAK, w.key.CKN)
		m.DistributedSAK = eapol.DistributedSAK{Present: true, AN: k.an, Offset: k.offset, KN: k.ki.KN, Suite: k.suite, Wrapped: kek.Wrap(nil, k.sak)}
	})
}

// A sender protects the frames of a member.
type sender struct {
	w    *world
	sci  secy.SCI
	secy *secy.SecY
}

// sender is a member that transmits with a key, from a packet number on.
func (w *world) sender(sci secy.SCI, k key, ssci secy.SSCI, pn secy.PN, sendSCI bool) sender {
	w.t.Helper()
	s := secy.New(secy.Config{SCI: sci})
	id := k.ki.KeyID()
	for _, op := range []secy.Op{
		{Kind: secy.OpConfigure, Settings: secy.Settings{ProtectFrames: true, ValidateFrames: secy.ValidateStrict, CipherSuite: k.suite, Offset: k.offset,
			SendSCI: sendSCI}},
		{Kind: secy.OpCreateTransmitSA, Key: id, AN: k.an, SSCI: ssci, Salt: secy.SaltOf(id), PN: pn, SAK: k.sak},
		{Kind: secy.OpEnableTransmit, Key: id},
		{Kind: secy.OpControlledPort, Enabled: true},
	} {
		for _, r := range s.Apply(op, nil) {
			if r.Kind == secy.ReportFailed {
				w.t.Fatal(r)
			}
		}
	}
	return sender{w, sci, s}
}

// send captures a protected frame with n octets of user data.
func (s sender) send(n int) *decode.Packet {
	s.w.t.Helper()
	mac := s.sci.MAC()
	user := append([]byte{2, 0, 0, 0, 0, 9}, mac[:]...)
	user = append(user, 0x08, 0x00)
	for i := len(user); i < 12+n; i++ {
		user = append(user, byte(i*7+n))
	}
	frame, ok := s.secy.Protect(nil, user)
	if !ok {
		s.w.t.Fatal("a frame was not protected")
	}
	p := s.w.capture(frame)
	s.w.users[len(s.w.users)-1] = user
	return p
}

// decode decodes all that was captured with a key of the CA.
func (w *world) decode() decoded {
	w.t.Helper()
	return decodePackets(w.t, w.packets, keysOf(w.t, worldKey...))
}

// states are those of the MACsec frames.
func (d decoded) states() (states []decode.FrameState) {
	for _, r := range d.records {
		if r.MACsec != nil {
			states = append(states, r.MACsec.State)
		}
	}
	return states
}

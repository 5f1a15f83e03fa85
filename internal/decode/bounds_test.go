package decode

import (
	"encoding/binary"
	"testing"

	"mkad/eapol"
	"mkad/internal/config"
	"mkad/keyderive"
	"mkad/secy"
)

// A member that has the CAK may distribute SAKs without end, under one MI after the other, and send with all of them; what is
// remembered stays within its bounds, and the latest SAK serves.
// Clause: none; design: memory is bounded on captures of any size.
func TestTablesHaveBounds(t *testing.T) {
	ckn, _ := keyderive.NewCKN([]byte{1})
	cak, _ := keyderive.NewCAK([]byte("sixteen octets.."))
	d := New([]config.Key{{CKN: ckn, CAK: cak}}, Options{})
	defer d.Close()
	ca := d.keys.order[0]
	const rounds = 2000
	var wiped keyderive.SAK
	for i := range rounds {
		m := hostile(ckn, uint32(i))
		sak, _ := keyderive.NewSAK(binary.BigEndian.AppendUint64([]byte("8 octets"), uint64(i)))
		m.DistributedSAK = eapol.DistributedSAK{Present: true, KN: 1, AN: 0, Offset: secy.Offset0, Suite: secy.GCMAES128, Wrapped: ca.kek.Wrap(nil, sak)}
		frame := m.AppendTo(nil)
		icv := ca.ick.Sum(frame)
		frame = append(frame, icv[:]...)
		if r, _ := d.Decode(Packet{Number: i, Data: frame, Length: len(frame)}); r.MKA.DistributedSAK.State != SAKUnwrapped {
			t.Fatalf("round %d: %s", i, r.Text())
		}
		if i == 0 {
			for _, s := range ca.saks.entries {
				wiped = s.key
			}
		}
		sent := protected(t, sak, m.Basic.SCI, eapol.KI{MI: m.Basic.MI, KN: 1})
		if r, _ := d.Decode(Packet{Number: i, Data: sent, Length: len(sent)}); r.MACsec.State != FrameAuthentic {
			t.Fatalf("round %d: %s", i, r.Text())
		}
	}
	for what, table := range map[string][3]int{
		"members": {len(ca.members.entries), len(ca.members.order), maxMembers},
		"SAKs":    {len(ca.saks.entries), len(ca.saks.order), maxSAKs},
		"flows":   {len(d.keys.flows.entries), len(d.keys.flows.order), maxSAKs},
		"current": {len(d.keys.current.entries), len(d.keys.current.order), maxSAKs},
	} {
		if table[0] != table[1] || table[0] != table[2] {
			t.Errorf("%s: %d entries, %d in order; want %d", what, table[0], table[1], table[2])
		}
	}
	if !wiped.IsZero() {
		t.Error("a SAK that was forgotten is not wiped")
	}
}

func hostile(ckn keyderive.CKN, i uint32) *eapol.MKPDU {
	m := &eapol.MKPDU{DA: eapol.PAEGroup, Basic: eapol.Basic{MKAVersion: 1, KeyServer: true, SCI: secy.SCI(uint64(i)<<16 | 1), MN: 1,
		AlgorithmAgility: eapol.AlgorithmAgility, CKN: ckn}}
	binary.BigEndian.PutUint32(m.Basic.MI[:], i+1)
	return m
}

func protected(t *testing.T, sak keyderive.SAK, sci secy.SCI, ki eapol.KI) []byte {
	s := secy.New(secy.Config{SCI: sci})
	for _, op := range []secy.Op{
		{Kind: secy.OpConfigure, Settings: secy.Settings{ProtectFrames: true, ValidateFrames: secy.ValidateStrict, CipherSuite: secy.GCMAES128,
			Offset: secy.Offset0, SendSCI: true}},
		{Kind: secy.OpCreateTransmitSA, Key: ki.KeyID(), PN: 1, SAK: sak},
		{Kind: secy.OpEnableTransmit, Key: ki.KeyID()},
		{Kind: secy.OpControlledPort, Enabled: true},
	} {
		s.Apply(op, nil)
	}
	frame, ok := s.Protect(nil, make([]byte, 80))
	if !ok {
		t.Fatal("not protected")
	}
	return frame
}

// Frames of strangers leave nothing behind, whatever they name.
// Clause: none; design: memory is bounded on captures of any size.
func TestStrangersLeaveNothingBehind(t *testing.T) {
	ckn, _ := keyderive.NewCKN([]byte{1})
	cak, _ := keyderive.NewCAK([]byte("sixteen octets.."))
	d := New([]config.Key{{CKN: ckn, CAK: cak}}, Options{})
	defer d.Close()
	for i := range uint32(3000) {
		m := hostile(ckn, i)
		frame := m.AppendTo(nil)
		frame = append(frame, make([]byte, 16)...)
		d.Decode(Packet{Number: 1, Data: frame, Length: len(frame)})
		sak, _ := keyderive.NewSAK(make([]byte, 16))
		sent := protected(t, sak, m.Basic.SCI, eapol.KI{MI: m.Basic.MI, KN: 1})
		d.Decode(Packet{Number: 1, Data: sent, Length: len(sent)})
	}
	ca := d.keys.order[0]
	if n := len(ca.members.entries) + len(ca.saks.entries) + len(d.keys.flows.entries) + len(d.keys.current.entries); n != 0 {
		t.Errorf("%d entries", n)
	}
	if n := len(d.summary.NoKeyCKNs); n > maxNamed {
		t.Errorf("%d CKNs in the summary", n)
	}
}

package secy

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"mkad/keyderive"
)

// The two ends of most tests: alice transmits, bob receives.
const (
	aliceSCI SCI = 0x02000000000a0001
	bobSCI   SCI = 0x02000000000b0001
)

var (
	keyA = KeyID{0xa1, 15: 1}
	keyB = KeyID{0xa1, 15: 2}
)

// strict is a configuration under which only what verifies gets through.
func strict(suite CipherSuite) Settings {
	return Settings{
		ProtectFrames:  true,
		ValidateFrames: ValidateStrict,
		ReplayProtect:  true,
		ReplayWindow:   64,
		CipherSuite:    suite,
		Offset:         Offset0,
		SendSCI:        true,
	}
}

// order applies orders that must be obeyed and returns what was reported.
func order(t testing.TB, s *SecY, ops ...Op) (reports []Report) {
	t.Helper()
	for _, op := range ops {
		reports = s.Apply(op, reports)
	}
	for _, r := range reports {
		if r.Kind == ReportFailed {
			t.Fatalf("order failed: %s", r)
		}
	}
	return reports
}

// refuse applies an order that must not be obeyed.
func refuse(t testing.TB, s *SecY, op Op) {
	t.Helper()
	reports := s.Apply(op, nil)
	if len(reports) != 1 || reports[0].Kind != ReportFailed || reports[0].Op != op.Kind || reports[0].Err == "" {
		t.Errorf("%s: reported %v, want a failure", op, reports)
	}
}

// sakOf makes the SAK that tests use for a key of a suite.
func sakOf(t testing.TB, key KeyID, suite CipherSuite) keyderive.SAK {
	t.Helper()
	sum := sha256.Sum256(key[:])
	sak, err := keyderive.NewSAK(sum[:suite.KeyLen()])
	if err != nil {
		t.Fatal(err)
	}
	return sak
}

// createTransmit orders a transmit SA from packet number 1 on. The transmitter has SSCI 1.
func createTransmit(t testing.TB, suite CipherSuite, key KeyID, an AN) Op {
	t.Helper()
	return Op{Kind: OpCreateTransmitSA, Key: key, AN: an, SSCI: 1, Salt: SaltOf(key), PN: 1, SAK: sakOf(t, key, suite)}
}

// createReceive orders the receive SA for that transmit SA.
func createReceive(t testing.TB, suite CipherSuite, key KeyID, an AN) Op {
	t.Helper()
	op := createTransmit(t, suite, key, an)
	op.Kind, op.SCI = OpCreateReceiveSA, aliceSCI
	return op
}

func configureOp(set Settings) Op { return Op{Kind: OpConfigure, Settings: set} }

// enabled makes a SecY with settings and an enabled Controlled Port, and gives it orders.
func enabled(t testing.TB, sci SCI, set Settings, ops ...Op) *SecY {
	t.Helper()
	s := New(Config{SCI: sci})
	order(t, s, configureOp(set), Op{Kind: OpControlledPort, Enabled: true})
	order(t, s, ops...)
	return s
}

// alice makes a SecY that transmits with keyA.
func alice(t testing.TB, set Settings) *SecY {
	t.Helper()
	return enabled(t, aliceSCI, set, createTransmit(t, set.CipherSuite, keyA, 0), Op{Kind: OpEnableTransmit, Key: keyA})
}

// bob makes a SecY that receives from alice with keyA.
func bob(t testing.TB, set Settings) *SecY {
	t.Helper()
	return enabled(t, bobSCI, set, Op{Kind: OpCreateReceiveSC, SCI: aliceSCI},
		createReceive(t, set.CipherSuite, keyA, 0), Op{Kind: OpEnableReceive, Key: keyA})
}

// userFrame is a frame from alice to bob with n octets of user data, its EtherType included.
func userFrame(n int) []byte {
	from, to := aliceSCI.MAC(), bobSCI.MAC()
	b := append(append(make([]byte, 0, addressesLen+n), to[:]...), from[:]...)
	b = binary.BigEndian.AppendUint16(b, 0x0800)
	for i := etherTypeLen; i < n; i++ {
		b = append(b, byte(i*7))
	}
	return b
}

// protect protects a frame, which must succeed.
func protect(t testing.TB, s *SecY, frame []byte) []byte {
	t.Helper()
	out, ok := s.Protect(nil, frame)
	if !ok {
		t.Fatal("Protect has refused the frame")
	}
	return out
}

// verifies reports whether a copy of wire verifies, and fails the test when it then is not want.
func verifies(t testing.TB, s *SecY, wire, want []byte) bool {
	t.Helper()
	got, ok := s.Verify(bytes.Clone(wire))
	if ok && !bytes.Equal(got, want) {
		t.Errorf("verified frame is\n%x, want\n%x", got, want)
	}
	return ok
}

// deliver wants a frame to come through.
func deliver(t testing.TB, s *SecY, wire, want []byte) {
	t.Helper()
	if !verifies(t, s, wire, want) {
		t.Errorf("frame was dropped: %+v", s.Counters())
	}
}

// drop wants a frame to be dropped.
func drop(t testing.TB, s *SecY, wire []byte) {
	t.Helper()
	if got, ok := s.Verify(bytes.Clone(wire)); ok {
		t.Errorf("frame was delivered as %x", got)
	}
}

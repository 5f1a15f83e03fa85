package secy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// Clause: 802.1AE-2018 10.5, 10.6
func TestFramesOfEveryLengthComeThrough(t *testing.T) {
	for _, suite := range CipherSuites {
		for _, offset := range []ConfidentialityOffset{IntegrityOnly, Offset0, Offset30, Offset50} {
			if !suite.Allows(offset) {
				continue
			}
			t.Run(fmt.Sprintf("suite=%s/%s", suite, offset), func(t *testing.T) {
				set := strict(suite)
				set.Offset = offset
				a, b := alice(t, set), bob(t, set)
				for n := etherTypeLen; n < 130; n++ {
					deliver(t, b, protect(t, a, userFrame(n)), userFrame(n))
				}
				deliver(t, b, protect(t, a, userFrame(9000)), userFrame(9000))
			})
		}
	}
}

// Clause: 802.1AE-2018 9.7
func TestEthernetPaddingIsCutFromShortFrames(t *testing.T) {
	for _, sendSCI := range []bool{true, false} {
		set := strict(GCMAES128)
		set.SendSCI = sendSCI
		a, b := alice(t, set), bob(t, set)
		for n := etherTypeLen; n < shortLimit; n++ {
			wire := protect(t, a, userFrame(n))
			padded := append(wire, make([]byte, max(0, minFrameLen-len(wire)))...)
			deliver(t, b, padded, userFrame(n))
		}
	}
}

func TestProtectAppendsAndLeavesTheFrameAlone(t *testing.T) {
	s := alice(t, strict(GCMAES128))
	frame, before := userFrame(100), []byte("before")
	out, ok := s.Protect(bytes.Clone(before), frame)
	if !ok || !bytes.HasPrefix(out, before) {
		t.Fatalf("output is %x, %t", out, ok)
	}
	if !bytes.Equal(frame, userFrame(100)) {
		t.Error("the frame was changed")
	}
	deliver(t, bob(t, strict(GCMAES128)), out[len(before):], frame)
}

func TestProtectThatRefusesReturnsItsBuffer(t *testing.T) {
	for name, s := range map[string]*SecY{
		"not enabled": New(Config{SCI: aliceSCI}),
		"no SA":       enabled(t, aliceSCI, strict(GCMAES128)),
		"too short":   alice(t, strict(GCMAES128)),
	} {
		frame := userFrame(100)
		if name == "too short" {
			frame = frame[:13]
		}
		if out, ok := s.Protect([]byte("dst"), frame); ok || string(out) != "dst" {
			t.Errorf("%s: returned %q, %t, want dst as it was", name, out, ok)
		}
	}
}

func TestProtectedFrameIsAtMostOverheadLonger(t *testing.T) {
	s := alice(t, strict(GCMAES256))
	if got := len(protect(t, s, userFrame(1500))) - len(userFrame(1500)); got != Overhead {
		t.Errorf("frame grew by %d octets, want %d", got, Overhead)
	}
}

func TestVerifyReturnsMemoryOfTheFrame(t *testing.T) {
	wire := protect(t, alice(t, strict(GCMAES128)), userFrame(100))
	got, ok := bob(t, strict(GCMAES128)).Verify(wire)
	if !ok || &got[0] != &wire[longTagLen] {
		t.Error("the user's frame does not lie in the frame's memory")
	}
}

// Clause: 802.1X-2020 12.4 (protectFrames, validateFrames)
func TestFramesPassUnchangedInClear(t *testing.T) {
	set := strict(0)
	set.ProtectFrames, set.ValidateFrames = false, ValidateCheck
	s := enabled(t, aliceSCI, set)
	wire := protect(t, s, userFrame(100))
	if !bytes.Equal(wire, userFrame(100)) {
		t.Errorf("frame in clear is %x", wire)
	}
	deliver(t, s, wire, userFrame(100))
	least := userFrame(etherTypeLen) // an EtherType and no more
	deliver(t, s, least, least)
	drop(t, s, least[:len(least)-1])
}

// Clause: 802.1AE-2018 9.5
// Requirement: R106
func TestEndStationBitIsSetOnlyWhereTrue(t *testing.T) {
	tests := []struct {
		name string
		sci  SCI
		from [6]byte
		want byte
	}{
		{"own address, port 1", aliceSCI, aliceSCI.MAC(), tciES},
		{"own address, port 2", aliceSCI + 1, aliceSCI.MAC(), 0},
		{"bridged frame", aliceSCI, bobSCI.MAC(), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set := strict(GCMAES128)
			set.SendSCI = false
			s := enabled(t, tt.sci, set, createTransmit(t, GCMAES128, keyA, 0), Op{Kind: OpEnableTransmit, Key: keyA})
			frame := userFrame(100)
			copy(frame[6:], tt.from[:])
			wire := protect(t, s, frame)
			if got := wire[addressesLen+2] & (tciES | tciSC | tciSCB); got != tt.want || len(wire) != len(frame)+24 {
				t.Errorf("bits are %#x in a frame of %d octets, want %#x in %d", got, len(wire), tt.want, len(frame)+24)
			}
		})
	}
}

// From a tag without SCI the receiver must find the SC for which the frame was protected.
// Clause: 802.1AE-2018 9.5, 9.9
func TestReceiveSCIsFoundWithoutAnSCI(t *testing.T) {
	const elsewhere SCI = 0x02000000000c0001
	tests := []struct {
		name   string
		sender SCI // of the frames from alice's address
		tci    byte
		others []SCI
		passes bool
	}{
		{"ES", aliceSCI, tciES, nil, true},
		{"ES among several SCs", aliceSCI, tciES, []SCI{elsewhere}, true},
		{"ES of another port", aliceSCI + 1, tciES, nil, false},
		{"SCB", aliceSCI - 1, tciSCB, []SCI{elsewhere}, true},
		{"SCB beside ES", aliceSCI - 1, tciSCB | tciES, []SCI{aliceSCI}, true},
		{"SCB of another port", aliceSCI, tciSCB, nil, false},
		{"neither, the only SC", elsewhere, 0, nil, true},
		{"neither, one of several SCs", elsewhere, 0, []SCI{aliceSCI}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			receive := createReceive(t, GCMAES128, keyA, 0)
			receive.SCI = tt.sender
			s := enabled(t, bobSCI, strict(GCMAES128), Op{Kind: OpCreateReceiveSC, SCI: tt.sender}, receive,
				Op{Kind: OpEnableReceive, Key: keyA})
			for _, sci := range tt.others {
				order(t, s, Op{Kind: OpCreateReceiveSC, SCI: sci})
			}
			wire := handmade(t, tt.sender, secTAG{tci: tt.tci | tciE | tciC, pn: 1}, userFrame(100))
			if passes := verifies(t, s, wire, userFrame(100)); passes != tt.passes {
				t.Errorf("frame passes: %t, want %t", passes, tt.passes)
			}
		})
	}
}

// handmade protects a frame with a tag of the test's choice, by a cipher that has nothing of a SecY.
func handmade(t testing.TB, sci SCI, tag secTAG, frame []byte) []byte {
	t.Helper()
	nonce := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, uint64(sci)), tag.pn)
	wire := tag.appendTo(bytes.Clone(frame[:addressesLen]))
	return bareGCM(t, GCMAES128).Seal(wire, nonce, frame[addressesLen:], wire)
}

// Clause: 802.1AE-2018 10.6
func TestOwnFramesThatComeBackAreDropped(t *testing.T) {
	s := alice(t, strict(GCMAES128))
	order(t, s, Op{Kind: OpCreateReceiveSC, SCI: bobSCI}, Op{Kind: OpEnableReceive, Key: keyA})
	drop(t, s, protect(t, s, userFrame(100)))
}

// A frame says itself whether it is encrypted.
// Clause: 802.1AE-2018 10.6
func TestIntegrityOnlyFramesPassWhereEncryptedOnesAreUsual(t *testing.T) {
	deliver(t, bob(t, strict(GCMAES128)), wireFrom(t, IntegrityOnly, 1, 0), userFrame(100))
}

func TestWhateverIsProtectedVerifies(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		suite := rapid.SampledFrom(CipherSuites[:]).Draw(rt, "suite")
		set := strict(suite)
		set.Offset = rapid.SampledFrom([]ConfidentialityOffset{IntegrityOnly, Offset0, Offset30, Offset50}).
			Filter(suite.Allows).Draw(rt, "offset")
		set.SendSCI = rapid.Bool().Draw(rt, "sendSCI")
		a, b := alice(t, set), bob(t, set)
		user := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(rt, "user")
		frame := append(userFrame(etherTypeLen), user...)
		if got, ok := b.Verify(protect(t, a, frame)); !ok || !bytes.Equal(got, frame) {
			rt.Errorf("got %x, %t, want %x", got, ok, frame)
		}
	})
}

// FuzzVerify: no frame that an attacker makes up gets through, or breaks anything. A SecY that has met it still takes
// the true frame, once.
func FuzzVerify(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.protected)
	}
	set := strict(GCMAES128)
	genuine := protect(f, alice(f, set), userFrame(100))
	f.Add(genuine[:len(genuine)-1])
	f.Add(userFrame(100))
	f.Fuzz(func(t *testing.T, b []byte) {
		if bytes.Equal(b, genuine) {
			return
		}
		s := bob(t, set)
		drop(t, s, b)
		deliver(t, s, genuine, userFrame(100))
		drop(t, s, genuine)
	})
}

package keyderive_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"mkad/keyderive"
)

// Clause: 802.1X-2020 9.3.3
// Requirement: R10
func TestDeriveICKAndKEKVectors(t *testing.T) {
	for _, v := range readVectors(t, "ick-kek.txt", 4) {
		t.Run(v.name, func(t *testing.T) {
			cak, ckn := newCAK(v.fields[0]), newCKN(v.fields[1])
			wantOctets(t, "ICK", keyderive.DeriveICK(cak, ckn).Octets(), v.fields[2])
			wantOctets(t, "KEK", keyderive.DeriveKEK(cak, ckn).Octets(), v.fields[3])
		})
	}
}

// Clause: 802.1X-2020 9.3.3
// Requirement: R11
func TestOnlyTheFirst16OctetsOfACKNEnterTheKDF(t *testing.T) {
	cak := newCAK(octets(0, 16))
	a, b := newCKN(octets(1, 17)), newCKN(append(octets(1, 16), 0xff))
	if !keyderive.DeriveICK(cak, a).Equal(keyderive.DeriveICK(cak, b)) {
		t.Error("ICKs differ")
	}
	if !keyderive.DeriveKEK(cak, a).Equal(keyderive.DeriveKEK(cak, b)) {
		t.Error("KEKs differ")
	}
}

// Clause: 802.1X-2020 9.4.1
func TestICVVectorsVerify(t *testing.T) {
	for _, v := range readVectors(t, "icv.txt", 3) {
		t.Run(v.name, func(t *testing.T) {
			ick := keyderive.DeriveICK(newCAK(v.fields[0]), newCKN(v.fields[1]))
			covered, icv := splitICV(v.fields[2])
			if !ick.Verify(covered, icv) {
				t.Errorf("ICV %x refused, computed %x", icv, ick.Sum(covered))
			}
		})
	}
}

// Clause: 802.1X-2020 9.4.1
// Requirement: R15
func TestVerifyRefusesEverySingleFlippedBit(t *testing.T) {
	v := readVectors(t, "icv.txt", 3)[0]
	ick := keyderive.DeriveICK(newCAK(v.fields[0]), newCKN(v.fields[1]))
	frame := v.fields[2]
	for bit := range 8 * len(frame) {
		frame[bit/8] ^= 1 << (bit % 8)
		if ick.Verify(splitICV(frame)) {
			t.Errorf("accepted with bit %d flipped", bit)
		}
		frame[bit/8] ^= 1 << (bit % 8)
	}
}

func splitICV(frame []byte) (covered, icv []byte) {
	n := len(frame) - 16
	return frame[:n], frame[n:]
}

// Clause: 802.1X-2020 9.4.1
func TestVerifyRefusesAnICVOfAnotherLength(t *testing.T) {
	ick := keyderive.DeriveICK(newCAK(octets(0, 16)), newCKN(octets(1, 1)))
	sum := ick.Sum(nil)
	for _, icv := range [][]byte{nil, {}, sum[:8], sum[:15], append(sum[:], 0)} {
		if ick.Verify(nil, icv) {
			t.Errorf("accepted an ICV of %d octets", len(icv))
		}
	}
}

// Clause: 802.1X-2020 9.8.1
// Requirement: R12
func TestDeriveSAKVectors(t *testing.T) {
	for _, v := range readVectors(t, "sak.txt", 5) {
		t.Run(v.name, func(t *testing.T) {
			cak, nonce, mis, want := newCAK(v.fields[0]), v.fields[1], v.fields[2], v.fields[4]
			sak, err := keyderive.DeriveSAK(cak, nonce, mis, binary.BigEndian.Uint32(v.fields[3]), len(want))
			if err != nil {
				t.Fatal(err)
			}
			wantOctets(t, "SAK", sak.Octets(), want)
		})
	}
}

// Clause: 802.1X-2020 9.8.1
// Requirement: R12
func TestSAKsWithEqualMembersDifferByNonce(t *testing.T) {
	cak, mis := newCAK(octets(0, 16)), octets(1, 24)
	a := must(keyderive.DeriveSAK(cak, octets(1, 16), mis, 1, 16))
	b := must(keyderive.DeriveSAK(cak, octets(2, 16), mis, 1, 16))
	if a.Equal(b) {
		t.Error("two nonces gave one SAK")
	}
}

// Clause: 802.1X-2020 9.8.1
func TestDeriveSAKRefusesWrongLengths(t *testing.T) {
	cak := newCAK(octets(0, 32))
	for _, c := range []struct {
		nonce, mis, octets int
		want               string
	}{
		{0, 24, 0, "0 octets asked for, ask for 16 or 32"},
		{24, 24, 24, "24 octets asked for"},
		{16, 24, -16, "-16 octets asked for"},
		{16, 24, 32, "nonce has 16 octets, draw 32"},
		{32, 24, 16, "nonce has 32 octets, draw 16"},
		{0, 24, 16, "nonce has 0 octets, draw 16"},
		{16, 0, 16, "member identifiers have 0 octets, give 1 to 256 of 12"},
		{16, 25, 16, "member identifiers have 25 octets"},
		{16, 12 * 257, 16, "member identifiers have 3084 octets"},
	} {
		sak, err := keyderive.DeriveSAK(cak, octets(0, c.nonce), octets(0, c.mis), 1, c.octets)
		wantError(t, err, "derive SAK: "+c.want)
		if !sak.IsZero() {
			t.Errorf("%+v: gave a key beside the error", c)
		}
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
}

// Clause: 802.1X-2020 9.8.1
func TestDeriveSAKTakesAsManyMembersAsAPeerListNames(t *testing.T) {
	if _, err := keyderive.DeriveSAK(newCAK(octets(0, 16)), octets(0, 16), octets(0, 12*256), 1, 16); err != nil {
		t.Error(err)
	}
}

// eachSizes runs f for every pair of KEK and SAK sizes.
func eachSizes(t *testing.T, f func(t *testing.T, kek keyderive.KEK, sak keyderive.SAK)) {
	for _, kekSize := range []int{16, 32} {
		for _, sakSize := range []int{16, 32} {
			t.Run(fmt.Sprintf("kek=%d/sak=%d", kekSize, sakSize), func(t *testing.T) {
				kek := keyderive.DeriveKEK(newCAK(octets(0, kekSize)), newCKN(octets(1, 1)))
				f(t, kek, newSAK(octets(0x80, sakSize)))
			})
		}
	}
}

// Clause: 802.1X-2020 9.8.2
// Requirement: R13
func TestUnwrapReturnsWhatWasWrapped(t *testing.T) {
	eachSizes(t, func(t *testing.T, kek keyderive.KEK, sak keyderive.SAK) {
		got, err := kek.Unwrap(kek.Wrap(nil, sak))
		if err != nil || !got.Equal(sak) {
			t.Errorf("got another SAK, error %v", err)
		}
	})
}

// Clause: 802.1X-2020 9.8.2
// Requirement: R13
func TestUnwrapRefusesEverySingleFlippedBit(t *testing.T) {
	eachSizes(t, func(t *testing.T, kek keyderive.KEK, sak keyderive.SAK) {
		wrapped := kek.Wrap(nil, sak)
		for bit := range 8 * len(wrapped) {
			wrapped[bit/8] ^= 1 << (bit % 8)
			got, err := kek.Unwrap(wrapped)
			wantError(t, err, "unwrap SAK: integrity check failed")
			if !got.IsZero() {
				t.Errorf("bit %d flipped: gave a key beside the error", bit)
			}
			wrapped[bit/8] ^= 1 << (bit % 8)
		}
	})
}

// Clause: 802.1X-2020 9.8.2
func TestUnwrapRefusesEveryOtherLength(t *testing.T) {
	kek := keyderive.DeriveKEK(newCAK(octets(0, 16)), newCKN(octets(1, 1)))
	for n := range 100 {
		if n == 24 || n == 40 {
			continue
		}
		_, err := kek.Unwrap(make([]byte, n))
		wantError(t, err, fmt.Sprintf("unwrap SAK: %d octets received, expected 24 or 40", n))
	}
}

// Clause: 802.1X-2020 9.8.2
func TestUnwrapLeavesItsInputAsItWas(t *testing.T) {
	kek := keyderive.DeriveKEK(newCAK(octets(0, 16)), newCKN(octets(1, 1)))
	good := kek.Wrap(nil, newSAK(octets(3, 16)))
	for _, wrapped := range [][]byte{good, octets(0, 24)} {
		before := bytes.Clone(wrapped)
		_, _ = kek.Unwrap(wrapped)
		wantOctets(t, "wrapped", wrapped, before)
	}
}

// Clause: 802.1X-2020 9.8.2
func TestWrapAppends(t *testing.T) {
	kek := keyderive.DeriveKEK(newCAK(octets(0, 16)), newCKN(octets(1, 1)))
	sak := newSAK(octets(3, 16))
	got := kek.Wrap(make([]byte, 5, 100), sak)
	wantOctets(t, "appended", got, append(make([]byte, 5), kek.Wrap(nil, sak)...))
}

// Clause: 802.1X-2020 9.8.2
// Requirement: R13
func TestDistributedSAKOpensWithCAKAndCKN(t *testing.T) {
	for _, v := range readVectors(t, "distributed.txt", 4) {
		t.Run(v.name, func(t *testing.T) {
			kek := keyderive.DeriveKEK(newCAK(v.fields[0]), newCKN(v.fields[1]))
			sak, err := kek.Unwrap(v.fields[2])
			if err != nil {
				t.Fatal(err)
			}
			wantOctets(t, "SAK", sak.Octets(), v.fields[3])
		})
	}
}

// Clause: 802.1X-2020 6.2.2
// Requirement: R14
func TestDeriveFromEAPVectors(t *testing.T) {
	for _, v := range readVectors(t, "eap.txt", 6) {
		mac1, mac2, n := [6]byte(v.fields[2]), [6]byte(v.fields[3]), len(v.fields[4])
		for _, macs := range [][2][6]byte{{mac1, mac2}, {mac2, mac1}} {
			t.Run(fmt.Sprintf("%s/first=%x", v.name, macs[0]), func(t *testing.T) {
				msk := newMSK(v.fields[0])
				cak := must(keyderive.DeriveCAK(msk, macs[0], macs[1], n))
				ckn := must(keyderive.DeriveCKN(msk, v.fields[1], macs[0], macs[1], n))
				wantOctets(t, "CAK", cak.Octets(), v.fields[4])
				wantOctets(t, "CKN", ckn.AppendTo(nil), v.fields[5])
			})
		}
	}
}

// Clause: 802.1X-2020 6.2.2
func TestDeriveFromEAPRefusesWhatTheMSKCannotGive(t *testing.T) {
	for _, c := range []struct {
		msk    keyderive.MSK
		octets int
		want   string
	}{
		{newMSK(octets(0, 16)), 32, "MSK has 16 octets, a CAK of 32 needs as many"},
		{newMSK(octets(0, 31)), 32, "MSK has 31 octets"},
		{newMSK(octets(0, 64)), 64, "CAK of 64 octets asked for, ask for 16 or 32"},
		{newMSK(octets(0, 64)), 0, "CAK of 0 octets asked for"},
		{keyderive.MSK{}, 16, "MSK has 0 octets"},
	} {
		_, err := keyderive.DeriveCAK(c.msk, [6]byte{1}, [6]byte{2}, c.octets)
		wantError(t, err, "derive CAK: "+c.want)
		_, err = keyderive.DeriveCKN(c.msk, []byte{0x0d}, [6]byte{1}, [6]byte{2}, c.octets)
		wantError(t, err, "derive CKN: "+c.want)
	}
}

// Clause: 802.1X-2020 6.2.2
func TestDeriveCKNRefusesASessionIDOutOfBounds(t *testing.T) {
	for _, n := range []int{0, 1025} {
		_, err := keyderive.DeriveCKN(newMSK(octets(0, 64)), make([]byte, n), [6]byte{1}, [6]byte{2}, 16)
		wantError(t, err, fmt.Sprintf("derive CKN: EAP Session-Id has %d octets, give 1 to 1024", n))
	}
	for _, n := range []int{1, 1024} {
		if _, err := keyderive.DeriveCKN(newMSK(octets(0, 64)), make([]byte, n), [6]byte{1}, [6]byte{2}, 16); err != nil {
			t.Errorf("%d octets: %v", n, err)
		}
	}
}

// Clause: 802.1X-2020 6.2.2
func TestDeriveCKNLeavesTheSessionIDAsItWas(t *testing.T) {
	session := octets(1, 100)
	must(keyderive.DeriveCKN(newMSK(octets(0, 64)), session[:50], [6]byte{1}, [6]byte{2}, 16))
	wantOctets(t, "Session-Id", session, octets(1, 100))
}

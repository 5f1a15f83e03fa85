package keyderive_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"math/big"
	"math/rand/v2"
	"testing"

	"mkad/keyderive"
)

// Clause: RFC 4493 4
func TestCMACVectors(t *testing.T) {
	for _, v := range readVectors(t, "cmac.txt", 3) {
		t.Run(v.name, func(t *testing.T) {
			mac := keyderive.CMAC(v.fields[0], v.fields[1])
			wantOctets(t, "CMAC", mac[:], v.fields[2])
		})
	}
}

// naiveCMAC is RFC 4493 in the words of its section 2, with numbers for field elements and a CBC encrypter.
func naiveCMAC(key, message []byte) []byte {
	block := must(aes.NewCipher(key))
	l := make([]byte, 16)
	block.Encrypt(l, l)
	k1 := naiveDouble(l)
	subkey, padded := k1, bytes.Clone(message)
	if len(message) == 0 || len(message)%16 != 0 {
		subkey = naiveDouble(k1)
		padded = append(padded, 0x80)
		padded = append(padded, make([]byte, (16-len(padded)%16)%16)...)
	}
	last := padded[len(padded)-16:]
	for i := range last {
		last[i] ^= subkey[i]
	}
	cipher.NewCBCEncrypter(block, make([]byte, 16)).CryptBlocks(padded, padded)
	return padded[len(padded)-16:]
}

func naiveDouble(b []byte) []byte {
	n := new(big.Int).Lsh(new(big.Int).SetBytes(b), 1)
	if n.Bit(128) == 1 {
		n.SetBit(n, 128, 0).Xor(n, big.NewInt(0x87))
	}
	return n.FillBytes(make([]byte, 16))
}

// Clause: RFC 4493 2.4
func TestCMACAgreesWithItsNaiveTwinAtEveryLength(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	for n := range 130 {
		key, message := make([]byte, 16+n%2*16), make([]byte, n)
		_, _ = random.Read(key)
		_, _ = random.Read(message)
		got := keyderive.CMAC(key, message)
		if want := naiveCMAC(key, message); !bytes.Equal(got[:], want) {
			t.Errorf("CMAC of %d octets with key %x = %x, want %x", n, key, got, want)
		}
	}
}

// Clause: RFC 3394 2.2.1
// Requirement: R13
func TestKeyWrapVectors(t *testing.T) {
	for _, v := range readVectors(t, "keywrap.txt", 3) {
		t.Run(v.name, func(t *testing.T) {
			wantOctets(t, "wrapped", keyderive.KeyWrap(nil, v.fields[0], v.fields[1]), v.fields[2])
		})
	}
}

// Clause: RFC 3394 2.2.2
// Requirement: R13
func TestKeyUnwrapVectors(t *testing.T) {
	for _, v := range readVectors(t, "keywrap.txt", 3) {
		t.Run(v.name, func(t *testing.T) {
			plain, ok := keyderive.KeyUnwrap(v.fields[0], v.fields[2])
			if !ok {
				t.Error("integrity check failed")
			}
			wantOctets(t, "plaintext", plain, v.fields[1])
		})
	}
}

// Clause: RFC 3394 2.2.3
func TestFailedUnwrapLeavesNoPlaintext(t *testing.T) {
	for _, v := range readVectors(t, "keywrap.txt", 3) {
		v.fields[2][0] ^= 1
		plain, ok := keyderive.KeyUnwrap(v.fields[0], v.fields[2])
		if ok || !bytes.Equal(plain, make([]byte, len(plain))) {
			t.Errorf("%s: unwrap of a damaged key gives %x, %t", v.name, plain, ok)
		}
	}
}

// naiveKeyWrap is the pseudocode of RFC 3394 section 2.2.1, with a choice of the initial value.
func naiveKeyWrap(iv, kek, plain []byte) []byte {
	block, b := must(aes.NewCipher(kek)), make([]byte, 16)
	a, r := bytes.Clone(iv), bytes.Clone(plain)
	for j := range 6 {
		for i := range len(r) / 8 {
			block.Encrypt(b, append(bytes.Clone(a), r[8*i:8*i+8]...))
			t := make([]byte, 8)
			t[7] = byte(len(r)/8*j + i + 1)
			subtle.XORBytes(a, b[:8], t)
			copy(r[8*i:], b[8:])
		}
	}
	return append(a, r...)
}

// Clause: RFC 3394 2.2.3.1
func TestUnwrapChecksEveryBitOfTheInitialValue(t *testing.T) {
	kek, plain, iv := octets(0, 16), octets(0x80, 16), bytes.Repeat([]byte{0xa6}, 8)
	if _, ok := keyderive.KeyUnwrap(kek, naiveKeyWrap(iv, kek, plain)); !ok {
		t.Error("refused the initial value of RFC 3394")
	}
	for bit := range 64 {
		iv[bit/8] ^= 1 << (bit % 8)
		if _, ok := keyderive.KeyUnwrap(kek, naiveKeyWrap(iv, kek, plain)); ok {
			t.Errorf("accepted initial value %x", iv)
		}
		iv[bit/8] ^= 1 << (bit % 8)
	}
}

// Clause: 802.1X-2020 6.2.1
// Requirement: R9
func TestKDFVectors(t *testing.T) {
	for _, v := range readVectors(t, "kdf.txt", 4) {
		t.Run(v.name, func(t *testing.T) {
			want := v.fields[3]
			wantOctets(t, "KDF", keyderive.KDF(v.fields[0], string(v.fields[1]), v.fields[2], len(want)), want)
		})
	}
}

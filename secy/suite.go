package secy

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"

	"mkad/keyderive"
)

// SaltOf is the salt of an XPN SAK (10.7.8): the key server's MI, with the halves of KN mixed into its first four octets
// in exchanged order. key is MI, then KN.
func SaltOf(key KeyID) (salt Salt) {
	mi, kn := key[:12], key[12:]
	copy(salt[:], mi)
	for i := range kn {
		salt[i] ^= kn[(i+2)%len(kn)]
	}
	return salt
}

// SSCIOf is the SSCI of own among members, the SCIs of all that hold the SAK (10.7.13): the greatest SCI has 1, the next
// 2, and so on. members has no SCI twice; whether own stands among them does not matter.
func SSCIOf(own SCI, members []SCI) SSCI {
	rank := SSCI(1)
	for _, m := range members {
		if m > own {
			rank++
		}
	}
	return rank
}

// maxXPNWindow is the widest replay window of the XPN suites (10.7.8): the upper half of a packet number is recovered
// from the lowest acceptable one, which must not fall too far behind.
const maxXPNWindow = 1<<30 - 1

// recoverPN finds the 64-bit packet number of which low came with a frame: the upper half is that of lowest, the lowest
// acceptable number, or one more when the lower half has wrapped since (10.6.2).
func recoverPN(lowest PN, low uint32) PN {
	high := lowest &^ (1<<32 - 1)
	if uint32(lowest)>>31 == 1 && low>>31 == 0 {
		high += 1 << 32
	}
	return high | PN(low)
}

// A cipherKey is a SAK at work: the cipher, and the rule that makes nonces of packet numbers. Frames use it one at a
// time.
type cipherKey struct {
	aead cipher.AEAD

	// nonce serves the frame at hand. It stands here because a local array, passed on through an interface, would be an
	// allocation for every frame. The first 4 octets never change; the rest is tail with the packet number mixed in.
	nonce [nonceLen]byte
	tail  uint64
}

const nonceLen = 12

// newCipherKey sets up a SAK for the frames of sci. The expanded key lives in the cipher until the garbage collector
// takes it: crypto/aes offers no way to wipe it.
func newCipherKey(suite CipherSuite, sak keyderive.SAK, sci SCI, ssci SSCI, salt Salt) (cipherKey, error) {
	key := sak.Octets()
	if !suite.Known() {
		return cipherKey{}, fmt.Errorf("no cipher suite is configured: order %s with one first", OpConfigure)
	}
	if len(key) != suite.KeyLen() {
		return cipherKey{}, fmt.Errorf("SAK has %d octets, %s takes %d", len(key), suite, suite.KeyLen())
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return cipherKey{}, fmt.Errorf("set up AES: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return cipherKey{}, fmt.Errorf("set up GCM: %w", err)
	}
	iv := nonceBase(suite, sci, ssci, salt)
	return cipherKey{aead: aead, nonce: iv, tail: binary.BigEndian.Uint64(iv[4:])}, nil
}

// nonceBase is the nonce of packet number 0. That of any other is the same with the number, as 64 bits, XORed into the
// last 8 octets: SCI | PN for a 32-bit number (14.5), (SSCI | PN) XOR salt for a 64-bit one (14.7).
func nonceBase(suite CipherSuite, sci SCI, ssci SSCI, salt Salt) (iv [nonceLen]byte) {
	if !suite.XPN() {
		binary.BigEndian.PutUint64(iv[:], uint64(sci))
		return iv
	}
	iv = salt
	binary.BigEndian.PutUint32(iv[:], binary.BigEndian.Uint32(iv[:])^uint32(ssci))
	return iv
}

// nonceOf lends the nonce of a packet number until the next call.
func (k *cipherKey) nonceOf(pn PN) []byte {
	binary.BigEndian.PutUint64(k.nonce[4:], k.tail^uint64(pn))
	return k.nonce[:]
}

// seal appends user data in protected form to dst, which from start on holds the frame's addresses and SecTAG: so many
// octets readable, the rest encrypted, then the ICV over all (10.5).
func (k *cipherKey) seal(dst []byte, start int, user []byte, readable int, pn PN) []byte {
	dst = append(dst, user[:readable]...)
	return k.aead.Seal(dst, k.nonceOf(pn), user[readable:], dst[start:])
}

// open undoes seal in place: of the frame, authenticated is readable, the rest encrypted and followed by the ICV. It
// reports whether the frame is authentic. If it is not, what was encrypted is lost and what was readable still stands.
func (k *cipherKey) open(frame []byte, authenticated int, pn PN) bool {
	secret := frame[authenticated:]
	_, err := k.aead.Open(secret[:0], k.nonceOf(pn), secret, frame[:authenticated])
	return err == nil
}

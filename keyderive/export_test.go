package keyderive

// The primitives, for tests that hold them against published vectors.

// CMAC is AES-CMAC.
func CMAC(key, message []byte) [16]byte { return newCMAC(key).sum(message) }

// KDF is the KDF, for n octets.
func KDF(key []byte, label string, context []byte, n int) []byte {
	out := make([]byte, n)
	kdf(out, key, label, context)
	return out
}

// KeyWrap is AES key wrap.
func KeyWrap(dst, kek, plain []byte) []byte { return wrap(dst, newAES(kek), plain) }

// KeyUnwrap is its inverse; it returns what is left in the plaintext buffer even when it fails.
func KeyUnwrap(kek, wrapped []byte) ([]byte, bool) {
	plain := make([]byte, len(wrapped)-wrapBlock)
	ok := unwrap(plain, newAES(kek), wrapped)
	return plain, ok
}

// Octets of keys that lend theirs to nobody.

func (k CAK) Octets() []byte { return k.octets() }
func (k ICK) Octets() []byte { return k.octets() }
func (k KEK) Octets() []byte { return k.octets() }
func (k MSK) Octets() []byte { return k.octets() }

// Subkeys returns the CMAC subkeys of the ICK.
func (k ICK) Subkeys() (k1, k2 []byte) { return k.s.mac.k1[:], k.s.mac.k2[:] }

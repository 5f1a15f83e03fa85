package keyderive

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
)

// newAES makes the block cipher of a key of 16 or 32 octets. Any other length is a key that was never made or has been
// wiped.
func newAES(key []byte) cipher.Block {
	if !isKeySize(len(key)) {
		panic("keyderive: use of no key")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("keyderive: " + err.Error())
	}
	return block
}

// A cmac computes AES-CMAC (RFC 4493, NIST SP 800-38B) with one key.
type cmac struct {
	block  cipher.Block
	k1, k2 [aes.BlockSize]byte // for a last block that is whole, and for one that is padded
	x      [aes.BlockSize]byte // the chain; it lies here because what a cipher.Block writes to has to be on the heap
}

// newCMAC generates the subkeys of key (RFC 4493 section 2.3).
func newCMAC(key []byte) *cmac {
	c := &cmac{block: newAES(key)}
	c.block.Encrypt(c.x[:], c.x[:])
	c.k1 = double(c.x)
	c.k2 = double(c.k1)
	return c
}

// double multiplies by x in the field of RFC 4493 section 2.3, whose polynomial is x^128 + x^7 + x^2 + x + 1.
func double(b [aes.BlockSize]byte) (d [aes.BlockSize]byte) {
	hi, lo := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	carry := -(hi >> 63) // all ones or all zeros: no branch on a secret
	binary.BigEndian.PutUint64(d[:8], hi<<1|lo>>63)
	binary.BigEndian.PutUint64(d[8:], lo<<1^carry&0x87)
	return d
}

// sum returns the AES-CMAC of b (RFC 4493 section 2.4).
func (c *cmac) sum(b []byte) [aes.BlockSize]byte {
	clear(c.x[:])
	for len(b) > aes.BlockSize {
		c.chain(b[:aes.BlockSize])
		b = b[aes.BlockSize:]
	}
	c.last(b)
	return c.x
}

// chain takes one whole block into the chain.
func (c *cmac) chain(b []byte) {
	subtle.XORBytes(c.x[:], c.x[:], b)
	c.block.Encrypt(c.x[:], c.x[:])
}

// last takes the rest of the message, 0 to 16 octets, and the subkey for it into the chain.
func (c *cmac) last(b []byte) {
	subkey := c.k1[:]
	if len(b) < aes.BlockSize {
		subkey = c.k2[:]
		c.x[len(b)] ^= 0x80
	}
	subtle.XORBytes(c.x[:], c.x[:], b)
	c.chain(subkey)
}

// wipe forgets subkeys, chain and cipher.
func (c *cmac) wipe() { *c = cmac{} }

package keyderive

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
)

// AES key wrap works on blocks of half the cipher's size, goes over them six times, and puts one before them that
// holds a fixed value if all went well (RFC 3394 section 2.2).
const (
	wrapBlock  = 8
	wrapRounds = 6
	wrapIV     = 0xa6a6a6a6a6a6a6a6
)

// wrap appends to dst the wrapped form of plain, which is two whole blocks at least and lies apart from dst; the
// result is one block longer (RFC 3394 section 2.2.1).
func wrap(dst []byte, kek cipher.Block, plain []byte) []byte {
	start := len(dst)
	dst = append(append(dst, make([]byte, wrapBlock)...), plain...)
	a, r := dst[start:start+wrapBlock], dst[start+wrapBlock:]
	check, n := uint64(wrapIV), len(plain)/wrapBlock
	var b [aes.BlockSize]byte
	for t := range wrapRounds * n {
		block := r[t%n*wrapBlock:][:wrapBlock]
		binary.BigEndian.PutUint64(b[:], check)
		copy(b[wrapBlock:], block)
		kek.Encrypt(b[:], b[:])
		check = binary.BigEndian.Uint64(b[:]) ^ uint64(t+1)
		copy(block, b[wrapBlock:])
	}
	binary.BigEndian.PutUint64(a, check)
	return dst
}

// unwrap writes to plain what wrapped holds, which is three whole blocks at least and one longer than plain, and
// reports whether it is what was wrapped; if not, plain is all zeros (RFC 3394 section 2.2.2).
func unwrap(plain []byte, kek cipher.Block, wrapped []byte) bool {
	check, n := binary.BigEndian.Uint64(wrapped), copy(plain, wrapped[wrapBlock:])/wrapBlock
	var b [aes.BlockSize]byte
	for t := wrapRounds*n - 1; t >= 0; t-- {
		block := plain[t%n*wrapBlock:][:wrapBlock]
		binary.BigEndian.PutUint64(b[:], check^uint64(t+1))
		copy(b[wrapBlock:], block)
		kek.Decrypt(b[:], b[:])
		check = binary.BigEndian.Uint64(b[:])
		copy(block, b[wrapBlock:])
	}
	clear(b[:])
	if check != wrapIV {
		clear(plain)
	}
	return check == wrapIV
}

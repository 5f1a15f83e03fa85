package keyderive

import "encoding/binary"

// kdf fills out, at most 32 octets, with KDF(key, label, context, 8*len(out)): the counter mode of NIST SP 800-108
// with AES-CMAC (802.1X-2020 6.2.1).
//
//	block(i) = AES-CMAC(key, i | label | 0x00 | context | length in bits)      i = 1, 2 in one octet
func kdf(out, key []byte, label string, context []byte) {
	mac := newCMAC(key)
	defer mac.wipe()
	in := kdfInput(label, context, 8*len(out))
	for len(out) > 0 {
		in[0]++
		block := mac.sum(in)
		out = out[copy(out, block[:]):]
	}
}

// kdfInput puts together what each block is computed over, with a counter of 0.
func kdfInput(label string, context []byte, bits int) []byte {
	in := make([]byte, 0, 1+len(label)+1+len(context)+2)
	in = append(in, 0)
	in = append(in, label...)
	in = append(in, 0)
	in = append(in, context...)
	return binary.BigEndian.AppendUint16(in, uint16(bits))
}

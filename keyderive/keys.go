package keyderive

import (
	"bytes"
	"encoding/hex"
	"fmt"
)

// A CAK is a Connectivity Association Key, 16 or 32 octets, the root of all other keys of one CA (802.1X-2020 9.3).
type CAK struct{ key }

// NewCAK makes a CAK from a copy of b. It fails when b is not 16 or 32 octets long; the error shows none of them.
func NewCAK(b []byte) (CAK, error) {
	k, err := newKeyOf("CAK", b)
	return CAK{k}, err
}

// Equal reports, in constant time, whether both are the same key. No key equals no key.
func (k CAK) Equal(o CAK) bool { return k.equal(o.key) }

// Clone makes a CAK of its own from the same octets: wiping either leaves the other.
func (k CAK) Clone() CAK {
	if k.IsZero() {
		return CAK{}
	}
	c, err := NewCAK(k.octets())
	if err != nil {
		panic("keyderive: internal error: " + err.Error())
	}
	return c
}

// Uniform reports whether all octets of the key are the same one: a key that somebody typed, not drew. No key is not
// uniform.
func (k CAK) Uniform() bool {
	var differ byte
	for _, o := range k.octets() {
		differ |= o ^ k.s.octets[0]
	}
	return !k.IsZero() && differ == 0
}

// An MSK is a Master Session Key, the result of EAP from which a pairwise CAK and its CKN derive (802.1X-2020 6.2.2).
type MSK struct{ key }

// NewMSK makes an MSK from a copy of the first 32 octets of b: no derivation reads more of it. It fails when b has
// fewer than 16.
func NewMSK(b []byte) (MSK, error) {
	if len(b) < octets128 {
		return MSK{}, fmt.Errorf("make MSK: it has %d octets, use an EAP method that exports at least 16", len(b))
	}
	k := newKey("MSK", min(len(b), octets256))
	copy(k.octets(), b)
	return MSK{k}, nil
}

// Equal reports, in constant time, whether both hold the same octets. No key equals no key.
func (k MSK) Equal(o MSK) bool { return k.equal(o.key) }

// A KEK is a Key Encrypting Key: it wraps the SAKs that a key server distributes (802.1X-2020 9.3.3, 9.8.2). It is as
// long as the CAK that it derives from; DeriveKEK makes one.
type KEK struct{ key }

// Equal reports, in constant time, whether both are the same key. No key equals no key.
func (k KEK) Equal(o KEK) bool { return k.equal(o.key) }

// An ICK is an ICV Key: it signs and verifies MKPDUs (802.1X-2020 9.3.3, 9.4.1). It is as long as the CAK that it
// derives from; DeriveICK makes one. Its working memory is part of it, so that a received frame costs no allocation:
// at any time at most one goroutine may use an ICK and all its copies.
type ICK struct{ key }

// Equal reports, in constant time, whether both are the same key. No key equals no key.
func (k ICK) Equal(o ICK) bool { return k.equal(o.key) }

// A SAK is a Secure Association Key, 16 or 32 octets as its cipher suite asks: it protects frames (802.1X-2020 9.8).
type SAK struct{ key }

// NewSAK makes a SAK from a copy of b. It fails when b is not 16 or 32 octets long; the error shows none of them.
func NewSAK(b []byte) (SAK, error) {
	k, err := newKeyOf("SAK", b)
	return SAK{k}, err
}

// Equal reports, in constant time, whether both are the same key. No key equals no key.
func (k SAK) Equal(o SAK) bool { return k.equal(o.key) }

// Octets lends the key to the SecY that needs it, or nil when there is none. The caller neither keeps nor changes the
// slice, and does not print it.
func (k SAK) Octets() []byte { return k.octets() }

// fingerprinted is what a Fingerprint is the CMAC of: no input of the KDF or ICV begins so.
var fingerprinted = []byte("mkad names a SAK")

// A Fingerprint names a SAK without telling it, to find out that one comes again. It is not for others to see: who has
// a SAK could tell that it is the one.
type Fingerprint [16]byte

// Fingerprint is the CMAC under the key of a text of our own. It panics when there is no key.
func (k SAK) Fingerprint() Fingerprint { return newCMAC(k.octets()).sum(fingerprinted) }

// maxCKN is the greatest length of a CKN in octets (802.1X-2020 9.3.1; older editions stop at 16).
const maxCKN = 32

// A CKN is a Connectivity Association Key Name of 1 to 32 octets (802.1X-2020 9.3.1). It is no secret. CKNs are equal,
// by ==, when both length and octets are. The zero value names no key.
type CKN struct {
	n uint8
	b [maxCKN]byte // zero from n on
}

// NewCKN makes a CKN from a copy of b. It fails when b is empty or longer than 32 octets.
func NewCKN(b []byte) (CKN, error) {
	if len(b) < 1 || len(b) > maxCKN {
		return CKN{}, fmt.Errorf("make CKN: it has %d octets, give 1 to %d", len(b), maxCKN)
	}
	c := CKN{n: uint8(len(b))}
	copy(c.b[:], b)
	return c, nil
}

// IsZero reports whether the CKN names no key.
func (c CKN) IsZero() bool { return c.n == 0 }

// Len is the length of the CKN in octets.
func (c CKN) Len() int { return int(c.n) }

// AppendTo appends the octets of the CKN to b.
func (c CKN) AppendTo(b []byte) []byte { return append(b, c.b[:c.n]...) }

// Compare orders CKNs by their octets, a prefix first: -1 if c comes before o, 0 if they are the same, else 1.
func (c CKN) Compare(o CKN) int { return bytes.Compare(c.b[:c.n], o.b[:o.n]) }

// String prints the CKN as two hexadecimal digits an octet.
func (c CKN) String() string { return hex.EncodeToString(c.b[:c.n]) }

// UnmarshalText is the reverse of MarshalText: no text is no CKN. The error says what is wrong with the text.
func (c *CKN) UnmarshalText(text []byte) error {
	if *c = (CKN{}); len(text) == 0 {
		return nil
	}
	b, err := hex.AppendDecode(nil, text)
	if err != nil {
		return fmt.Errorf("make CKN: %w", err)
	}
	*c, err = NewCKN(b)
	return err
}

// MarshalText is String for encoders of JSON and of logs, which see no exported field. It never fails.
func (c CKN) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, c.b[:c.n]), nil }

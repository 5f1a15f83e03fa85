package keyderive

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// The two sizes of every key of MKA, in octets: those of AES-128 and AES-256.
const (
	octets128 = 16
	octets256 = 32
)

// isKeySize reports whether a key can have n octets.
func isKeySize(n int) bool { return n == octets128 || n == octets256 }

// A secret is what all copies of a key share.
//
// Package fmt calls no method of an unexported field. It prints what it finds there, and for a verb that does not fit
// a pointer, such as %s, it even follows that pointer once; the octets therefore stand behind a second one.
type secret struct {
	kind   string // "SAK"
	n      int    // octets in use; 0 once wiped
	octets *[octets256]byte
	mac    *cmac // of an ICK, else nil
}

// A key is the handle that every key type embeds: what can be said and done without knowing which of them it is.
type key struct{ s *secret }

// newKey makes a key of n zero octets, at most 32, for its maker to fill.
func newKey(kind string, n int) key {
	return key{&secret{kind: kind, n: n, octets: new([octets256]byte)}}
}

// newKeyOf makes a key from a copy of b, which must have a size that keys can have.
func newKeyOf(kind string, b []byte) (key, error) {
	if !isKeySize(len(b)) {
		return key{}, fmt.Errorf("make %s: it has %d octets, give 16 or 32", kind, len(b))
	}
	k := newKey(kind, len(b))
	copy(k.octets(), b)
	return k, nil
}

// octets lends the key itself; nil when there is none.
func (k key) octets() []byte {
	if k.s == nil {
		return nil
	}
	return k.s.octets[:k.s.n]
}

// equal compares two keys in a time that tells only whether their lengths differ.
func (k key) equal(o key) bool { return subtle.ConstantTimeCompare(k.octets(), o.octets()) == 1 }

// IsZero reports whether there is no key: never was one, or it has been wiped.
func (k key) IsZero() bool { return k.Len() == 0 }

// Len is the length of the key in octets, 0 when there is none.
func (k key) Len() int { return len(k.octets()) }

// Wipe overwrites the key with zeros, for every copy of the handle; they are no key from then on. Nobody may be using
// the key meanwhile. It is best effort: an AES key schedule lies out of reach inside crypto/aes and is only dropped, and
// the runtime may have moved a stack that had octets on it.
func (k key) Wipe() {
	if k.s == nil {
		return
	}
	clear(k.s.octets[:])
	k.s.n = 0
	if k.s.mac != nil {
		k.s.mac.wipe()
	}
}

// String names the kind of key and nothing of its octets, as "SAK(redacted)"; "key(none)" when there is no key.
func (k key) String() string {
	if k.IsZero() {
		return "key(none)"
	}
	return k.s.kind + "(redacted)"
}

// GoString is String.
func (k key) GoString() string { return k.String() }

// Format prints String for every verb and flag.
func (k key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalText gives String; encoding/json and its like print that.
func (k key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogValue gives String.
func (k key) LogValue() slog.Value { return slog.StringValue(k.String()) }

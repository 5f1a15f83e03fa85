package keyderive

import (
	"bytes"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
)

// The labels of the KDF (802.1X-2020 6.2.2, 9.3.3, 9.8.1).
const (
	labelICK    = "IEEE8021 ICK"
	labelKEK    = "IEEE8021 KEK"
	labelSAK    = "IEEE8021 SAK"
	labelEAPCAK = "IEEE8021 EAP CAK"
	labelEAPCKN = "IEEE8021 EAP CKN"
)

// cknContext is how many octets of a CKN enter the KDF; a shorter one is padded with zeros (802.1X-2020 9.3.3).
const cknContext = 16

// DeriveICK derives the key of ICVs, as long as the CAK (802.1X-2020 9.3.3). CKNs that agree in their first 16 octets
// give the same one. It panics when cak is no key.
func DeriveICK(cak CAK, ckn CKN) ICK {
	k := deriveFromCAK("ICK", labelICK, cak, ckn)
	k.s.mac = newCMAC(k.octets())
	return ICK{k}
}

// DeriveKEK derives the key that wraps SAKs, as long as the CAK (802.1X-2020 9.3.3). CKNs that agree in their first 16
// octets give the same one. It panics when cak is no key.
func DeriveKEK(cak CAK, ckn CKN) KEK { return KEK{deriveFromCAK("KEK", labelKEK, cak, ckn)} }

func deriveFromCAK(kind, label string, cak CAK, ckn CKN) key {
	k := newKey(kind, cak.Len())
	kdf(k.octets(), cak.octets(), label, ckn.b[:cknContext])
	return k
}

// Sum returns the ICV of b (802.1X-2020 9.4.1). It allocates nothing, and panics when k is no key. One goroutine at a
// time.
func (k ICK) Sum(b []byte) [16]byte {
	if k.IsZero() {
		panic("keyderive: Sum with no ICK")
	}
	return k.s.mac.sum(b)
}

// Verify reports, in constant time, whether icv is the ICV of b (802.1X-2020 9.4.1). It allocates nothing; no key
// verifies nothing. One goroutine at a time.
func (k ICK) Verify(b, icv []byte) bool {
	if k.IsZero() {
		return false
	}
	sum := k.s.mac.sum(b)
	return subtle.ConstantTimeCompare(sum[:], icv) == 1
}

// Wrap appends to dst the SAK as a key server distributes it, 8 octets longer than the SAK (802.1X-2020 9.8.2, RFC
// 3394). It panics when k or sak is no key.
func (k KEK) Wrap(dst []byte, sak SAK) []byte {
	if sak.IsZero() {
		panic("keyderive: Wrap of no SAK")
	}
	return wrap(dst, newAES(k.octets()), sak.octets())
}

// Unwrap returns the SAK that was wrapped with k, of 16 or 32 octets (802.1X-2020 9.8.2, RFC 3394). It fails when
// wrapped is not 24 or 40 octets long, when k is no key, and when the integrity check of RFC 3394 does.
func (k KEK) Unwrap(wrapped []byte) (SAK, error) {
	n := len(wrapped) - wrapBlock
	if !isKeySize(n) {
		return SAK{}, fmt.Errorf("unwrap SAK: %d octets received, expected 24 or 40", len(wrapped))
	}
	if k.IsZero() {
		return SAK{}, errors.New("unwrap SAK: no KEK, derive one first")
	}
	sak := newKey("SAK", n)
	if !unwrap(sak.octets(), newAES(k.octets()), wrapped) {
		return SAK{}, errors.New("unwrap SAK: integrity check failed, compare CAK and CKN with the key server's")
	}
	return SAK{sak}, nil
}

const (
	// miOctets is the length of a member identifier (802.1X-2020 9.4.2).
	miOctets = 12
	// maxMembers bounds the members of a CA: a peer list of 4095 octets, all that its length field can say, has room
	// for 255, and the key server is one more.
	maxMembers = 256
)

// DeriveSAK derives a SAK of 16 or 32 octets (802.1X-2020 9.8.1). nonce is as long as the SAK and random, a new one
// for each SAK; mis are the member identifiers of all that will use it, the key server's first, without separators; kn
// is its key number. It fails when a length is wrong, and panics when cak is no key.
func DeriveSAK(cak CAK, nonce, mis []byte, kn uint32, octets int) (SAK, error) {
	if err := checkSAKInput(nonce, mis, octets); err != nil {
		return SAK{}, fmt.Errorf("derive SAK: %w", err)
	}
	context := binary.BigEndian.AppendUint32(bytes.Join([][]byte{nonce, mis}, nil), kn)
	sak := newKey("SAK", octets)
	kdf(sak.octets(), cak.octets(), labelSAK, context)
	return SAK{sak}, nil
}

func checkSAKInput(nonce, mis []byte, octets int) error {
	switch {
	case !isKeySize(octets):
		return fmt.Errorf("%d octets asked for, ask for 16 or 32", octets)
	case len(nonce) != octets:
		return fmt.Errorf("nonce has %d octets, draw %d", len(nonce), octets)
	case len(mis) == 0 || len(mis)%miOctets != 0 || len(mis) > maxMembers*miOctets:
		return fmt.Errorf("member identifiers have %d octets, give 1 to %d of %d", len(mis), maxMembers, miOctets)
	}
	return nil
}

// maxSessionID bounds an EAP Session-Id, in octets. Those of TLS-based methods have 65; no method has near this many.
const maxSessionID = 1024

// DeriveCAK derives the pairwise CAK of 16 or 32 octets that EAP leaves to two stations (802.1X-2020 6.2.2). mac1 and
// mac2 are their addresses, in either order. It fails when octets is neither, or more than the MSK has.
func DeriveCAK(msk MSK, mac1, mac2 [6]byte, octets int) (CAK, error) {
	root, err := eapRoot(msk, octets)
	if err != nil {
		return CAK{}, fmt.Errorf("derive CAK: %w", err)
	}
	cak := newKey("CAK", octets)
	kdf(cak.octets(), root, labelEAPCAK, appendOrdered(nil, mac1, mac2))
	return CAK{cak}, nil
}

// DeriveCKN derives the name, 16 octets long, of the CAK that DeriveCAK derives for the same stations and octets
// (802.1X-2020 6.2.2): the length of the CAK decides how much of the MSK names it. sessionID is the EAP Session-Id
// (RFC 5247), 1 to 1024 octets. It fails as DeriveCAK does, and when sessionID has another length.
func DeriveCKN(msk MSK, sessionID []byte, mac1, mac2 [6]byte, octets int) (CKN, error) {
	root, err := eapRoot(msk, octets)
	if err != nil {
		return CKN{}, fmt.Errorf("derive CKN: %w", err)
	}
	if len(sessionID) < 1 || len(sessionID) > maxSessionID {
		return CKN{}, fmt.Errorf("derive CKN: EAP Session-Id has %d octets, give 1 to %d", len(sessionID), maxSessionID)
	}
	ckn := CKN{n: cknContext}
	kdf(ckn.b[:cknContext], root, labelEAPCKN, appendOrdered(bytes.Clone(sessionID), mac1, mac2))
	return ckn, nil
}

// eapRoot lends the head of the MSK from which a CAK of that many octets, and its name, derive.
func eapRoot(msk MSK, octets int) ([]byte, error) {
	switch {
	case !isKeySize(octets):
		return nil, fmt.Errorf("CAK of %d octets asked for, ask for 16 or 32", octets)
	case msk.Len() < octets:
		return nil, fmt.Errorf("MSK has %d octets, a CAK of %d needs as many", msk.Len(), octets)
	}
	return msk.octets()[:octets], nil
}

// appendOrdered appends both addresses to b, the lower one first.
func appendOrdered(b []byte, mac1, mac2 [6]byte) []byte {
	if bytes.Compare(mac1[:], mac2[:]) > 0 {
		mac1, mac2 = mac2, mac1
	}
	return append(append(b, mac1[:]...), mac2[:]...)
}

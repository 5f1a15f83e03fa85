package secy

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// An SCI is a Secure Channel Identifier: a MAC address followed by a 16-bit port identifier (7.1.2), as the 64-bit
// unsigned number by which 802.1X compares SCIs. Zero is no SCI.
type SCI uint64

// NewSCI puts a MAC address and a port identifier together.
func NewSCI(mac [6]byte, port uint16) SCI {
	var b [8]byte
	copy(b[:], mac[:])
	binary.BigEndian.PutUint16(b[6:], port)
	return SCI(binary.BigEndian.Uint64(b[:]))
}

// MAC returns the address half of the SCI.
func (s SCI) MAC() (mac [6]byte) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(s))
	copy(mac[:], b[:])
	return mac
}

// Port returns the port identifier half of the SCI.
func (s SCI) Port() uint16 { return uint16(s) }

// String prints the SCI as 16 hexadecimal digits.
func (s SCI) String() string { return fmt.Sprintf("%016x", uint64(s)) }

// An SSCI is a Short SCI, which stands for the SCI in the nonce of the XPN suites (10.7.13). Valid ones start at 1.
type SSCI uint32

// A PN is a packet number (10.5.2). It is 64 bits wide everywhere; the cipher suite says how many bits are on the wire
// and where it ends. Zero is never used in a frame.
type PN uint64

// An AN is an association number, 0 to 3 (7.1.3).
type AN uint8

// A KeyID is the opaque 128-bit name of a SAK, the Key Identifier of 802.1X-2020 9.8. Zero names no key.
type KeyID [16]byte

// IsZero reports whether the KeyID names no key.
func (k KeyID) IsZero() bool { return k == KeyID{} }

// String prints the KeyID as 32 hexadecimal digits.
func (k KeyID) String() string { return hex.EncodeToString(k[:]) }

// A Salt is the 96-bit value that the XPN suites mix into every nonce (10.7.8).
type Salt [12]byte

// A CipherSuite is a 64-bit cipher suite identifier (Table 14-1). Zero is no suite.
type CipherSuite uint64

// The cipher suites of 802.1AE-2018.
const (
	GCMAES128    CipherSuite = 0x0080c20001000001
	GCMAES256    CipherSuite = 0x0080c20001000002
	GCMAESXPN128 CipherSuite = 0x0080c20001000003
	GCMAESXPN256 CipherSuite = 0x0080c20001000004

	// GCMAES128Alias is a misprint of GCMAES128 in 802.1AE-2006 that some still use; it is accepted, never sent.
	GCMAES128Alias CipherSuite = 0x0080020001000001
)

// CipherSuites lists every suite there is, in the order of their identifiers.
var CipherSuites = [...]CipherSuite{GCMAES128, GCMAES256, GCMAESXPN128, GCMAESXPN256}

// ParseCipherSuite finds a suite by its name, for instance "GCM-AES-XPN-256".
func ParseCipherSuite(name string) (CipherSuite, bool) {
	for _, c := range CipherSuites {
		if c.String() == name {
			return c, true
		}
	}
	return 0, false
}

// Known reports whether the identifier is one of CipherSuites.
func (c CipherSuite) Known() bool { return c >= GCMAES128 && c <= GCMAESXPN256 }

// XPN reports whether the suite numbers packets with 64 bits.
func (c CipherSuite) XPN() bool { return c == GCMAESXPN128 || c == GCMAESXPN256 }

// KeyLen returns the length of a SAK of this suite in octets, 0 for an unknown suite.
func (c CipherSuite) KeyLen() int {
	switch c {
	case GCMAES128, GCMAESXPN128:
		return 16
	case GCMAES256, GCMAESXPN256:
		return 32
	}
	return 0
}

// MaxPN is the last packet number that may be used with one SAK of this suite.
func (c CipherSuite) MaxPN() PN {
	if c.XPN() {
		return 1<<64 - 1
	}
	return 1<<32 - 1
}

// Allows reports whether the suite can be used with the offset: the XPN suites know no 30 and no 50 (14.7).
func (c CipherSuite) Allows(o ConfidentialityOffset) bool { return !c.XPN() || o <= Offset0 }

// String is the name of the suite, for instance "GCM-AES-128".
func (c CipherSuite) String() string {
	switch c {
	case 0:
		return ""
	case GCMAES128:
		return "GCM-AES-128"
	case GCMAES256:
		return "GCM-AES-256"
	case GCMAESXPN128:
		return "GCM-AES-XPN-128"
	case GCMAESXPN256:
		return "GCM-AES-XPN-256"
	}
	return fmt.Sprintf("%016x", uint64(c))
}

// A ConfidentialityOffset says which part of the user data is encrypted, in the code of 802.1X-2020 Figure 11-11.
type ConfidentialityOffset uint8

// The four offsets, with their codes on the wire.
const (
	IntegrityOnly ConfidentialityOffset = 0 // nothing is encrypted
	Offset0       ConfidentialityOffset = 1 // everything is encrypted
	Offset30      ConfidentialityOffset = 2 // the first 30 octets stay readable
	Offset50      ConfidentialityOffset = 3 // the first 50 octets stay readable
)

// ParseConfidentialityOffset finds an offset by its name, for instance "offset-30".
func ParseConfidentialityOffset(name string) (ConfidentialityOffset, bool) {
	for o := IntegrityOnly; o <= Offset50; o++ {
		if o.String() == name {
			return o, true
		}
	}
	return 0, false
}

// Octets returns how many octets of user data stay readable; it is meaningless for IntegrityOnly.
func (o ConfidentialityOffset) Octets() int {
	switch o {
	case Offset30:
		return 30
	case Offset50:
		return 50
	}
	return 0
}

// String is the configuration's name of the offset.
func (o ConfidentialityOffset) String() string {
	switch o {
	case IntegrityOnly:
		return "integrity-only"
	case Offset0:
		return "offset-0"
	case Offset30:
		return "offset-30"
	case Offset50:
		return "offset-50"
	}
	return fmt.Sprintf("ConfidentialityOffset(%d)", uint8(o))
}

// A Capability says what a SecY can do, in the code of 802.1X-2020 Table 11-6 (MACsec Capability).
type Capability uint8

// The capabilities, each including those before it.
const (
	CapabilityNone            Capability = 0
	CapabilityIntegrity       Capability = 1
	CapabilityConfidentiality Capability = 2 // confidentiality with offset 0
	CapabilityOffsets         Capability = 3 // confidentiality with offset 0, 30 or 50
)

// Limit returns the offset nearest to the wanted one that the capability covers.
func (c Capability) Limit(want ConfidentialityOffset) ConfidentialityOffset {
	switch {
	case c <= CapabilityIntegrity:
		return IntegrityOnly
	case c == CapabilityConfidentiality && want > Offset0:
		return Offset0
	}
	return want
}

// ValidateFrames is the control of the same name (10.7.8).
type ValidateFrames uint8

// The modes of validation. The zero value is invalid, so that nobody gets an open SecY by forgetting a field.
const (
	ValidateDisabled ValidateFrames = iota + 1 // strip the tag, check nothing
	ValidateCheck                              // check, count, and drop only what cannot be read
	ValidateStrict                             // drop whatever does not verify
)

// String is the standard's name of the mode.
func (v ValidateFrames) String() string {
	switch v {
	case ValidateDisabled:
		return "disabled"
	case ValidateCheck:
		return "check"
	case ValidateStrict:
		return "strict"
	}
	return fmt.Sprintf("ValidateFrames(%d)", uint8(v))
}

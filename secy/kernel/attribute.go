package kernel

import (
	"encoding/binary"
	"fmt"
	"iter"
)

// native is the byte order of the machine, which netlink uses for whatever does not come from the wire.
var native = binary.NativeEndian

const (
	attributeHeaderLen = 4
	attributeAlign     = 4

	// attributeTypeMask takes the flags off a type: nested, and in network byte order.
	attributeTypeMask = 0x3fff
)

// align rounds a length up to where the next attribute begins.
func align(n int) int { return (n + attributeAlign - 1) &^ (attributeAlign - 1) }

// appendAttribute appends one attribute with its padding.
func appendAttribute(b []byte, kind uint16, value []byte) []byte {
	return appendNest(b, kind, func(b []byte) []byte { return append(b, value...) })
}

// appendNest appends an attribute that holds what fill appends.
func appendNest(b []byte, kind uint16, fill func([]byte) []byte) []byte {
	start := len(b)
	b = fill(append(b, 0, 0, 0, 0))
	native.PutUint16(b[start:], uint16(len(b)-start))
	native.PutUint16(b[start+2:], kind)
	for len(b)%attributeAlign != 0 {
		b = append(b, 0)
	}
	return b
}

func appendUint8(b []byte, kind uint16, v uint8) []byte { return appendAttribute(b, kind, []byte{v}) }

func appendUint32(b []byte, kind uint16, v uint32) []byte {
	return appendAttribute(b, kind, native.AppendUint32(nil, v))
}

func appendUint64(b []byte, kind uint16, v uint64) []byte {
	return appendAttribute(b, kind, native.AppendUint64(nil, v))
}

// appendBool appends a flag as the kernel likes it: an octet that is 0 or 1.
func appendBool(b []byte, kind uint16, v bool) []byte {
	if v {
		return appendUint8(b, kind, 1)
	}
	return appendUint8(b, kind, 0)
}

// appendString appends a name with the zero that ends it.
func appendString(b []byte, kind uint16, s string) []byte {
	return appendAttribute(b, kind, append([]byte(s), 0))
}

// An attribute is one that was received: its type without flags, and its value, which is part of the reply.
type attribute struct {
	kind  uint16
	value []byte
}

// attributes walks through the attributes in b, and ends at what is none: a kernel that sends such a thing has said
// all that it can.
func attributes(b []byte) iter.Seq[attribute] {
	return func(yield func(attribute) bool) {
		for len(b) >= attributeHeaderLen {
			n := int(native.Uint16(b))
			if n < attributeHeaderLen || n > len(b) {
				return
			}
			if !yield(attribute{native.Uint16(b[2:]) & attributeTypeMask, b[attributeHeaderLen:n]}) {
				return
			}
			b = b[min(align(n), len(b)):]
		}
	}
}

// find returns the value of the first attribute of a type, nil when there is none.
func find(b []byte, kind uint16) []byte {
	for a := range attributes(b) {
		if a.kind == kind {
			return a.value
		}
	}
	return nil
}

// The readers of values take a missing or too short one for zero, and of a longer one what they know.

func (a attribute) uint8() uint8 {
	if len(a.value) < 1 {
		return 0
	}
	return a.value[0]
}

func (a attribute) bool() bool { return a.uint8() != 0 }

func (a attribute) uint32() uint32 {
	if len(a.value) < 4 {
		return 0
	}
	return native.Uint32(a.value)
}

// uint reads a number of 4 or 8 octets.
func (a attribute) uint() uint64 {
	if len(a.value) >= 8 {
		return native.Uint64(a.value)
	}
	return uint64(a.uint32())
}

// network reads 4 or 8 octets in network byte order.
func (a attribute) network() uint64 {
	switch {
	case len(a.value) >= 8:
		return binary.BigEndian.Uint64(a.value)
	case len(a.value) >= 4:
		return uint64(binary.BigEndian.Uint32(a.value))
	}
	return 0
}

// text reads a name up to the zero that ends it.
func (a attribute) text() string {
	for i, c := range a.value {
		if c == 0 {
			return string(a.value[:i])
		}
	}
	return string(a.value)
}

// errShort is the error of a reply that has no room for its own header.
func errShort(what string, b []byte) error {
	return fmt.Errorf("read %s: the kernel's reply has %d octets only: its netlink is unknown to mkad", what, len(b))
}

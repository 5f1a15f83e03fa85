package kerneltest

import "encoding/binary"

var native = binary.NativeEndian

// attributes reads a list of attributes; the last of a type counts, as it does for the kernel.
func attributes(b []byte) map[uint16][]byte {
	all := map[uint16][]byte{}
	for len(b) >= 4 {
		n := int(native.Uint16(b))
		if n < 4 || n > len(b) {
			break
		}
		all[native.Uint16(b[2:])&0x3fff] = b[4:n]
		b = b[min((n+3)&^3, len(b)):]
	}
	return all
}

func attribute(kind uint16, value ...byte) []byte {
	b := native.AppendUint16(nil, uint16(4+len(value)))
	b = append(native.AppendUint16(b, kind), value...)
	return append(b, make([]byte, -len(b)&3)...)
}

func nest(kind uint16, inside ...[]byte) []byte {
	var value []byte
	for _, a := range inside {
		value = append(value, a...)
	}
	return attribute(kind, value...)
}

func u32(kind uint16, v uint32) []byte { return attribute(kind, native.AppendUint32(nil, v)...) }

func u64(kind uint16, v uint64) []byte { return attribute(kind, native.AppendUint64(nil, v)...) }

func flag(kind uint16, v bool) []byte { return attribute(kind, octet(v)) }

func octet(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// text reads a name up to the zero that ends it.
func text(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

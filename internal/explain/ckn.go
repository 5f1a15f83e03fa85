package explain

import (
	"bytes"
	"strings"

	"mkad/keyderive"
)

// isFilled reports whether one CKN is the other with zeros behind it, as some implementations fill them up to 16 or 32
// octets.
func isFilled(a, b keyderive.CKN) bool {
	short, long := a.AppendTo(nil), b.AppendTo(nil)
	if len(short) > len(long) {
		short, long = long, short
	}
	rest, same := bytes.CutPrefix(long, short)
	return same && len(rest) > 0 && len(bytes.Trim(rest, "\x00")) == 0
}

// isText reports whether the octets of text are the hexadecimal digits of ckn, as people write them, or its beginning.
func isText(text, ckn keyderive.CKN) bool {
	octets := strings.TrimRight(string(text.AppendTo(nil)), "\x00")
	return len(octets) >= 2 && strings.EqualFold(octets, ckn.String())
}

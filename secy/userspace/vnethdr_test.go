package userspace

import (
	"encoding/binary"
	"testing"
)

// Clause: virtio 1.2 5.1.6, struct virtio_net_hdr, in the byte order of the host
func TestVNetHeaderLayout(t *testing.T) {
	b := []byte{1, 0x84}
	for _, v := range []uint16{0x1234, 0x5678, 0x9abc, 0xdef0} {
		b = binary.NativeEndian.AppendUint16(b, v)
	}
	want := vnetHeader{1, 0x84, 0x1234, 0x5678, 0x9abc, 0xdef0}
	if got := parseVNetHeader(b); got != want {
		t.Errorf("parsed %+v, want %+v", got, want)
	}
	out := make([]byte, vnetHeaderLen)
	want.put(out)
	if string(out) != string(b) {
		t.Errorf("put %x, want %x", out, b)
	}
}

package userspace

import (
	"bytes"
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRestorePutsTheTagBack(t *testing.T) {
	plain, tagged := flow{}, flow{tags: 1} // the builder's single tag is 0x8100, ID 100
	h, frame := plain.offload(octets(300), 100)
	b := make([]byte, vnetHeaderLen)
	h.flags |= 2 // "checksum is good", which the TAP has no use for
	h.put(b)
	b = append(b, frame...)
	gotHeader, got := restore(b, 0x8100_0064)
	wantHeader, want := tagged.offload(octets(300), 100)
	wantHeader.headerLen = vlanTagLen
	if gotHeader != wantHeader || !bytes.Equal(got, want) {
		t.Errorf("%+v, %x, want %+v, %x", gotHeader, got, wantHeader, want)
	}
}

func TestRestoreLeavesAnUntaggedFrame(t *testing.T) {
	frame := flow{}.frame(octets(10))
	h, got := restore(append(make([]byte, vnetHeaderLen), frame...), 0)
	if h != (vnetHeader{}) || !bytes.Equal(got, frame) {
		t.Errorf("%+v, %x, want nothing and %x", h, got, frame)
	}
}

func TestVLANTagIsFoundInControlData(t *testing.T) {
	for _, test := range []struct {
		name   string
		kind   int32
		status uint32
		want   uint32
		cut    int
	}{
		{"tag with TPID", unix.PACKET_AUXDATA, unix.TP_STATUS_VLAN_VALID | unix.TP_STATUS_VLAN_TPID_VALID, 0x88a8_a007, 0},
		{"tag without TPID", unix.PACKET_AUXDATA, unix.TP_STATUS_VLAN_VALID, 0x8100_a007, 0},
		{"no tag", unix.PACKET_AUXDATA, 0, 0, 0},
		{"other data", unix.PACKET_AUXDATA + 1, unix.TP_STATUS_VLAN_VALID, 0, 0},
		{"cut off", unix.PACKET_AUXDATA, unix.TP_STATUS_VLAN_VALID, 0, auxdataLen},
	} {
		control := auxdata(test.kind, test.status, 0xa007, 0x88a8)
		if got := vlanTag(control[:len(control)-test.cut]); got != test.want {
			t.Errorf("%s: %08x, want %08x", test.name, got, test.want)
		}
	}
}

// auxdata is a control message as the kernel writes it.
func auxdata(kind int32, status uint32, tci, tpid uint16) []byte {
	data := make([]byte, auxdataLen)
	binary.NativeEndian.PutUint32(data, status)
	binary.NativeEndian.PutUint16(data[16:], tci)
	binary.NativeEndian.PutUint16(data[18:], tpid)
	var header []byte
	if unix.SizeofPtr == 8 {
		header = binary.NativeEndian.AppendUint64(header, uint64(unix.CmsgLen(auxdataLen)))
	} else {
		header = binary.NativeEndian.AppendUint32(header, uint32(unix.CmsgLen(auxdataLen)))
	}
	header = binary.NativeEndian.AppendUint32(header, unix.SOL_PACKET)
	header = binary.NativeEndian.AppendUint32(header, uint32(kind))
	return append(header, data...)
}

func TestClearFramesAreThoseOfNobodyElse(t *testing.T) {
	addresses := make([]byte, 12)
	for _, test := range []struct {
		name string
		tail []byte
		want bool
	}{
		{"IPv4", []byte{0x08, 0x00}, true},
		{"IPv4 in a VLAN", []byte{0x81, 0, 0, 7, 0x08, 0x00}, true},
		{"EAPOL", []byte{0x88, 0x8e}, false},
		{"EAPOL in a VLAN", []byte{0x81, 0, 0, 7, 0x88, 0x8e}, false},
		{"EAPOL in two VLANs", []byte{0x88, 0xa8, 0, 7, 0x81, 0, 0, 7, 0x88, 0x8e}, false},
		{"EAPOL by another EtherType", []byte{0x87, 0x6f}, false},
		{"MACsec", []byte{0x88, 0xe5}, false},
		{"MACsec with a priority tag", []byte{0x81, 0, 0xa0, 0, 0x88, 0xe5}, false},
		{"MACsec in a VLAN", []byte{0x81, 0, 0xa0, 7, 0x88, 0xe5}, true},
		{"too short for its tag", []byte{0x81, 0, 0}, false},
	} {
		if got := isClear(append(bytes.Clone(addresses), test.tail...), 0x876f); got != test.want {
			t.Errorf("%s: %t, want %t", test.name, got, test.want)
		}
	}
}

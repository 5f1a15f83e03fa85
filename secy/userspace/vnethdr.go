package userspace

import "encoding/binary"

// vnetHeaderLen is the length of struct virtio_net_hdr. The TAP could be told to add two octets (num_buffers) of no
// use here; packet sockets cannot, and with one length a header passes from one to the other.
const vnetHeaderLen = 10

// What a virtio-net header says (virtio 1.2, 5.1.6).
const (
	vnetNeedsChecksum = 1 // flags: the checksum at checksumStart+checksumOffset is still to be filled in

	gsoNone  = 0
	gsoTCPv4 = 1
	gsoTCPv6 = 4
	gsoUDP   = 5    // UDP segmentation (USO), not UDP fragmentation
	gsoECN   = 0x80 // beside one of the TCP types: CWR may be set
)

// A vnetHeader precedes every frame that is read from or written to the TAP: what of the checksum and segmentation
// work is still to be done. Its fields are octets, counted from the destination address on.
type vnetHeader struct {
	flags          uint8
	gsoType        uint8
	headerLen      uint16 // a hint of the kernel's, not to be trusted: it may be 0 or too short
	gsoSize        uint16 // payload of a segment
	checksumStart  uint16
	checksumOffset uint16 // from checksumStart
}

// parseVNetHeader reads the first vnetHeaderLen octets of b, which has them. The byte order is the host's.
func parseVNetHeader(b []byte) vnetHeader {
	order := binary.NativeEndian
	return vnetHeader{
		flags:          b[0],
		gsoType:        b[1],
		headerLen:      order.Uint16(b[2:]),
		gsoSize:        order.Uint16(b[4:]),
		checksumStart:  order.Uint16(b[6:]),
		checksumOffset: order.Uint16(b[8:]),
	}
}

// put writes the header to the first vnetHeaderLen octets of b, which has them.
func (h vnetHeader) put(b []byte) {
	order := binary.NativeEndian
	b[0], b[1] = h.flags, h.gsoType
	order.PutUint16(b[2:], h.headerLen)
	order.PutUint16(b[4:], h.gsoSize)
	order.PutUint16(b[6:], h.checksumStart)
	order.PutUint16(b[8:], h.checksumOffset)
}

package userspace

import (
	"encoding/binary"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"mkad/secy"
)

// clearBatch is how many frames a clear receiver takes at once. Each slot holds the largest there is, 64 KiB.
const clearBatch = 8

// auxdataLen is the length of struct tpacket_auxdata: status, lengths, offsets, VLAN TCI, VLAN TPID.
const auxdataLen = 20

// A clearReceiver carries frames without SecTAG from the lower device to the TAP. It is there only while the SecY admits
// them (validateFrames is not strict), and made for simplicity: a frame goes up as it came, with checksum and
// segmentation still to be done if the sender is on this host.
type clearReceiver struct {
	*inlet
	socket *socket
	eapol  uint16                // an EtherType of the PAE beside EAPOL's own
	read   func(fd uintptr) bool // turn, made once
	pieces [1][]byte

	batch    *batch
	err      error
	stopping atomic.Bool
	ended    chan struct{}
}

func newClearReceiver(in *inlet, ifindex int, eapol uint16) (*clearReceiver, error) {
	s, err := newClearSocket(ifindex)
	if err != nil {
		return nil, err
	}
	c := &clearReceiver{
		inlet:  in,
		socket: s,
		eapol:  eapol,
		batch:  newBatch(clearBatch, tapBufferLen, unix.CmsgSpace(auxdataLen)),
		ended:  make(chan struct{}),
	}
	c.read = c.turn
	return c, nil
}

// run carries frames until it is stopped, when it returns nil, or until socket or TAP are gone.
func (c *clearReceiver) run() error {
	defer close(c.ended)
	for c.err == nil {
		if err := c.socket.raw.Read(c.read); c.stopping.Load() {
			return nil
		} else if err != nil {
			return err
		}
	}
	return c.err
}

// stop ends run, and returns when it has ended.
func (c *clearReceiver) stop() {
	c.stopping.Store(true)
	c.drops.overruns.Add(c.socket.overruns())
	c.socket.close()
	<-c.ended
}

// turn takes one batch. false: there was none, wait.
func (c *clearReceiver) turn(fd uintptr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, ready := receiveBatch(fd, c.batch, c.drops)
	for i := 0; i < n && c.err == nil; i++ {
		c.carry(i)
	}
	return ready
}

func (c *clearReceiver) carry(i int) {
	b, whole := c.batch.frame(i)
	if !whole || len(b) < vnetHeaderLen+ethernetLen {
		c.drops.truncated.Add(1)
		return
	}
	h, frame := restore(b, vlanTag(c.batch.control(i)))
	if !isClear(frame, c.eapol) {
		return
	}
	if user, ok := c.secy.Verify(frame); ok {
		c.pieces[0] = user
		c.err = c.deliver(h, c.pieces[:])
	}
}

// vlanTag finds the VLAN tag that the kernel took off a frame, TPID and TCI; 0 when there was none.
func vlanTag(control []byte) uint32 {
	for len(control) > 0 {
		h, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			return 0
		}
		if h.Level == unix.SOL_PACKET && h.Type == unix.PACKET_AUXDATA && len(data) >= auxdataLen {
			return auxdataTag(data)
		}
		control = rest
	}
	return 0
}

func auxdataTag(data []byte) uint32 {
	order := binary.NativeEndian
	status, tci, tpid := order.Uint32(data), order.Uint16(data[16:]), order.Uint16(data[18:])
	if status&unix.TP_STATUS_VLAN_VALID == 0 {
		return 0
	}
	if status&unix.TP_STATUS_VLAN_TPID_VALID == 0 {
		tpid = etherCTag
	}
	return uint32(tpid)<<16 | uint32(tci)
}

// restore takes a frame with its virtio-net header apart and puts the VLAN tag back, unless it is 0: both addresses move
// up over the header that has been read.
func restore(b []byte, tag uint32) (vnetHeader, []byte) {
	const addressesLen = 12
	h, frame := parseVNetHeader(b), b[vnetHeaderLen:]
	h.flags &= vnetNeedsChecksum
	if tag == 0 {
		return h, frame
	}
	frame = b[vnetHeaderLen-vlanTagLen:]
	copy(frame, frame[vlanTagLen:vlanTagLen+addressesLen])
	binary.BigEndian.PutUint32(frame[addressesLen:], tag)
	if h.flags&vnetNeedsChecksum != 0 {
		h.checksumStart += vlanTagLen
		h.headerLen += vlanTagLen
	}
	return h, frame
}

// isClear reports whether a frame is one that passes in clear. EAPOL frames never are: they belong to the PAE, in any
// VLAN, by EAPOL's own EtherType or by eapol. MACsec frames come by the other receiver, but for those within a VLAN, which are somebody else's.
func isClear(frame []byte, eapol uint16) bool {
	etherType, offset, ok := networkLayer(frame)
	switch {
	case !ok || etherType == etherEAPOL || etherType == eapol:
		return false
	case etherType == secy.EtherType:
		return offset > ethernetLen && binary.BigEndian.Uint16(frame[ethernetLen:])&0x0fff != 0
	}
	return true
}

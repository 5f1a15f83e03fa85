package userspace_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"

	"mkad/internal/netlab"
	"mkad/secy"
)

func TestClearPortCarriesTCPBothWays(t *testing.T) {
	west, east := securedPair(t, inClear)
	for i := range eastAddresses {
		client, server := connect(t, west, east, eastAddresses[i])
		transfer(t, client, server, randomData(2<<20))
		transfer(t, server, client, randomData(2<<20))
	}
	if c := west.Counters(); c.OutPktsUntagged == 0 || c.OutPktsEncrypted != 0 {
		t.Errorf("counters are %+v, want only untagged frames", c)
	}
}

// Frames of the lower device's host come with checksum and segmentation still to be done, and must not be lost for it.
func TestClearPortTakesOffloadedFrames(t *testing.T) {
	a, b := newWire(t)
	east := open(t, b)
	east.order(t, secy.Op{Kind: secy.OpConfigure, Settings: inClear})
	east.enable(t, true)
	west := &station{ns: a}
	must(t, a.AddAddress(lowerName, "192.0.2.1/24"))
	must(t, b.AddAddress(controlledName, "192.0.2.2/24"))
	client, server := connect(t, west, east, "192.0.2.2")
	transfer(t, client, server, randomData(2<<20))
}

func TestClearPortKeepsVLANTags(t *testing.T) {
	west, east := securedPair(t, inClear)
	from := listen(t, west.ns, controlledName, experimental)
	to := listen(t, east.ns, controlledName, experimental)
	capture, err := netlab.StartCapture(east.ns, controlledName)
	must(t, err)
	frame := experiment(broadcast, west.mac, []byte("in a VLAN"))
	from.send(tagged(frame, 0xa007))
	to.expect(frame) // a socket is shown the frame without the tag
	got, err := capture.Stop()
	must(t, err)
	for _, f := range got.Frames {
		if bytes.Equal(f.Data, tagged(frame, 0xa007)) {
			return
		}
	}
	t.Errorf("no frame with the tag among %d", len(got.Frames))
}

func TestClearPortPassesNoEAPOL(t *testing.T) {
	peer, east := pairWithPeer(t, inClear)
	all := listen(t, east.ns, controlledName, unix.ETH_P_ALL)
	eapol := experiment(broadcast, peer.mac, []byte("EAPOL"))
	binary.BigEndian.PutUint16(eapol[12:], 0x888e)
	peer.send(eapol)
	peer.send(tagged(eapol, 7))
	last := experiment(broadcast, peer.mac, []byte("not EAPOL"))
	peer.send(last)
	for frame := all.receive(); !bytes.Equal(frame, last); frame = all.receive() {
		if bytes.HasSuffix(frame, []byte("EAPOL")) {
			t.Errorf("an EAPOL frame was delivered: %x", frame)
		}
	}
}

// Clause: 802.1AE-2018 10.6 (validateFrames Check: what is protected is still verified)
func TestClearPortDeliversMACsecFramesOnce(t *testing.T) {
	set := secured
	set.ValidateFrames = secy.ValidateCheck
	peer, east := pairWithPeer(t, set)
	to := listen(t, east.ns, controlledName, experimental)
	first := experiment(east.mac, peer.mac, []byte("protected"))
	peer.send(peer.protect(first))
	to.expect(first)
	last := experiment(east.mac, peer.mac, []byte("plain"))
	peer.send(last)
	to.expect(last)
	if c := east.Counters(); c.InPktsOK != 1 || c.InPktsLate != 0 {
		t.Errorf("InPktsOK is %d and InPktsLate %d, want 1 and 0", c.InPktsOK, c.InPktsLate)
	}
}

func TestSecuredPortStopsTakingFramesInClear(t *testing.T) {
	peer, east := pairWithPeer(t, secured)
	east.order(t, secy.Op{Kind: secy.OpConfigure, Settings: inClear})
	to := listen(t, east.ns, controlledName, experimental)
	clear := experiment(east.mac, peer.mac, []byte("in clear"))
	peer.send(clear)
	to.expect(clear)
	east.order(t, secy.Op{Kind: secy.OpConfigure, Settings: secured})
	peer.send(clear)
	last := experiment(east.mac, peer.mac, []byte("protected"))
	peer.send(peer.protect(last))
	to.expect(last)
}

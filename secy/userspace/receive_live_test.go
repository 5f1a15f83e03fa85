package userspace_test

import (
	"net"
	"testing"
)

func TestPaddingOfShortFramesIsCutOff(t *testing.T) {
	peer, east := pairWithPeer(t, secured)
	to := listen(t, east.ns, controlledName, experimental)
	for _, n := range []int{1, 5, 13} {
		frame := experiment(east.mac, peer.mac, randomData(n))
		padded := make([]byte, 60)
		copy(padded, peer.protect(frame))
		peer.send(padded)
		to.expect(frame)
	}
}

// A frame that comes with a VLAN tag belongs to the SecY of another VLAN, although the kernel shows it without.
func TestFramesOfOtherVLANsAreDropped(t *testing.T) {
	peer, east := pairWithPeer(t, secured)
	to := listen(t, east.ns, controlledName, experimental)
	for _, da := range []net.HardwareAddr{east.mac, broadcast} {
		peer.send(tagged(peer.protect(experiment(da, peer.mac, []byte("VLAN 7"))), 7))
	}
	last := experiment(east.mac, peer.mac, []byte("no VLAN"))
	peer.send(peer.protect(last))
	to.expect(last)
	if n := east.Drops().ForeignVLAN; n != 2 {
		t.Errorf("ForeignVLAN is %d, want 2", n)
	}
}

func TestPriorityTaggedFramesAreAccepted(t *testing.T) {
	peer, east := pairWithPeer(t, secured)
	to := listen(t, east.ns, controlledName, experimental)
	frame := experiment(east.mac, peer.mac, []byte("priority 5"))
	peer.send(tagged(peer.protect(frame), 0xa000))
	to.expect(frame)
}

func TestChangedAndRepeatedFramesAreDropped(t *testing.T) {
	peer, east := pairWithPeer(t, secured)
	to := listen(t, east.ns, controlledName, experimental)
	first := experiment(east.mac, peer.mac, []byte("first"))
	once := peer.protect(first)
	peer.send(once)
	peer.send(once)
	changed := peer.protect(experiment(east.mac, peer.mac, []byte("changed")))
	changed[len(changed)-1] ^= 1
	peer.send(changed)
	last := experiment(east.mac, peer.mac, []byte("last"))
	peer.send(peer.protect(last))
	to.expect(first)
	to.expect(last)
	if c := east.Counters(); c.InPktsLate != 1 || c.InPktsNotValid != 1 {
		t.Errorf("InPktsLate is %d and InPktsNotValid %d, want 1 and 1", c.InPktsLate, c.InPktsNotValid)
	}
}

func TestFramesLongerThanTheMTUAreDropped(t *testing.T) {
	peer, east := pairWithPeer(t, secured)
	must(t, peer.ns.SetMTU(lowerName, 4000))
	must(t, east.ns.SetMTU(lowerName, 4000)) // the device takes them; the port has not been told
	to := listen(t, east.ns, controlledName, experimental)
	peer.send(peer.protect(experiment(east.mac, peer.mac, randomData(3000))))
	last := experiment(east.mac, peer.mac, []byte("short"))
	peer.send(peer.protect(last))
	to.expect(last)
	if n := east.Drops().Truncated; n != 1 {
		t.Errorf("Truncated is %d, want 1", n)
	}
}

func TestFramesForADownControlledPortAreCounted(t *testing.T) {
	peer, east := pairWithPeer(t, secured)
	must(t, east.ns.SetDown(controlledName))
	peer.send(peer.protect(experiment(east.mac, peer.mac, []byte("nobody home"))))
	eventually(t, "the frame is counted", func() bool { return east.Drops().ControlledPort == 1 })
	must(t, east.ns.SetUp(controlledName))
	to := listen(t, east.ns, controlledName, experimental)
	frame := experiment(east.mac, peer.mac, []byte("home again"))
	peer.send(peer.protect(frame))
	to.expect(frame)
}

func TestFramesWithoutSecTAGAreDroppedWhenSecured(t *testing.T) {
	peer, east := pairWithPeer(t, secured)
	to := listen(t, east.ns, controlledName, experimental)
	peer.send(experiment(east.mac, peer.mac, []byte("plain")))
	last := experiment(east.mac, peer.mac, []byte("protected"))
	peer.send(peer.protect(last))
	to.expect(last)
}

func TestFramesAreDroppedWhileThePortIsDisabled(t *testing.T) {
	peer, east := pairWithPeer(t, secured)
	to := listen(t, east.ns, controlledName, experimental)
	east.enable(t, false)
	peer.send(peer.protect(experiment(east.mac, peer.mac, []byte("while disabled"))))
	peer.send(tagged(peer.protect(experiment(broadcast, peer.mac, []byte("counted, and behind the other"))), 7))
	eventually(t, "both frames have been dealt with", func() bool { return east.Drops().ForeignVLAN == 1 })
	last := experiment(east.mac, peer.mac, []byte("enabled"))
	east.enable(t, true)
	peer.send(peer.protect(last))
	to.expect(last)
}

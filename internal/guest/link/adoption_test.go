package link

import (
	"fmt"
	"testing"
	"time"

	"mkad/internal/control"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// Clause: 802.1X-2020 12.4; mkad adopts a device that an administrator has keyed by hand, while it carries traffic. Towards
// the first SAK of MKA nobody waits for the other, so there is one gap until both have it.
func TestGuestHandKeyedLinkIsTakenOver(t *testing.T) {
	const lines = "cipher_suites = [\"GCM-AES-128\"]\nbackend = \"kernel\""
	l := newLink(t, lines, lines)
	must(t, l.Connect())
	for i, h := range l.Hosts() {
		other := macOf(t, l.Hosts()[1-i])
		run(t, h, "ip link add link eth1 macsec0 type macsec encrypt on")
		run(t, h, "ip macsec add macsec0 rx port 1 address "+other.String())
		run(t, h, "ip macsec add macsec0 rx port 1 address "+other.String()+" sa 2 pn 1 on key 02 "+handKey)
		run(t, h, "ip macsec add macsec0 tx sa 2 pn 1 on key 02 "+handKey)
		run(t, h, "ip link set macsec0 type macsec encodingsa 2")
		run(t, h, "ip link set macsec0 up")
	}
	must(t, l.Address())
	before := describeBoth(t, l)
	there, back := startStream(t, l.West, l.East), startStream(t, l.East, l.West)
	must(t, l.StartDaemons(t.Context()))
	must(t, l.WaitFor(t.Context(), control.Secured))
	waitFor(t, "the keys of the administrator to go", func() bool {
		west, _ := show(t, l.West)
		east, _ := show(t, l.East)
		return len(west.SAs) == 1 && len(east.SAs) == 1 && west.encoding().Key == port(t, l.West).Tx.KI &&
			east.encoding().Key == west.encoding().Key
	})
	stopWithOneGap(t, there)
	stopWithOneGap(t, back)
	if after := describeBoth(t, l); after != before {
		t.Errorf("the devices were\n%s\nand are\n%s", before, after)
	}
}

func stopWithOneGap(t *testing.T, s *netlab.Stream) {
	t.Helper()
	r, err := s.Stop()
	must(t, err)
	t.Log(r)
	if r.Lost() > 0 && r.Lost() != r.LastMissing-r.FirstMissing+1 || r.Silence > 2*time.Second || r.Refused != 0 || r.Twice != 0 {
		t.Error(r)
	}
}

// handKey is a SAK in ip's words.
const handKey = "000102030405060708090a0b0c0d0e0f"

// describeBoth tells which devices there are, and what addresses they have.
func describeBoth(t *testing.T, l *mkadlab.Link) (all string) {
	t.Helper()
	for _, h := range l.Hosts() {
		d, err := h.Device(mkadlab.Controlled)
		must(t, err)
		all += fmt.Sprintf("%d %s %d\n%s\n", d.Index, d.MAC, d.MTU, addresses(t, h))
	}
	return all
}

// Clause: none; a device that another daemon has left behind, whose key identifiers have the KN in the host's byte order.
func TestGuestDeviceThatWPALeftIsAdopted(t *testing.T) {
	l := newLink(t, `backend = "kernel"`, "")
	must(t, l.East.StartDaemon(t.Context()))
	must(t, l.Connect())
	wpa := startSupplicant(t, l.West, l.KeyFile)
	waitFor(t, "a secured peer of wpa_supplicant", func() bool { return port(t, l.East).State == control.Secured })
	left, _ := show(t, l.West)
	wpa.Kill()
	before, err := l.West.Device(mkadlab.Controlled)
	must(t, err)
	must(t, l.West.StartDaemon(t.Context()))
	recovers(t, l)
	if d, err := l.West.Device(mkadlab.Controlled); err != nil || d.Index != before.Index {
		t.Errorf("the device was %+v and is %+v, %v", before, d, err)
	}
	s, text := show(t, l.West)
	p := port(t, l.West)
	if len(left.SAs) == 0 || p.Tx.KI == left.encoding().Key || s.encoding().Key != p.Tx.KI || port(t, l.East).Tx.KI != p.Tx.KI {
		t.Errorf("wpa_supplicant left %+v, mkad sends with %+v, and ip shows %s", left.SAs, p.Tx, text)
	}
}

// Clause: none; a device as systemd-networkd or NetworkManager make it from its description, without a key.
func TestGuestDeviceOfAnAdministratorIsAdopted(t *testing.T) {
	l := newLink(t, `backend = "kernel"`, `backend = "kernel"`)
	for i, h := range l.Hosts() {
		run(t, h, "ip link add link eth1 macsec0 type macsec port 1 cipher gcm-aes-xpn-256 encrypt on")
		must(t, h.AddAddress(mkadlab.Controlled, fmt.Sprintf("192.0.2.%d/24", i+1)))
		run(t, h, "ip link set macsec0 up")
	}
	before := describeBoth(t, l)
	must(t, l.Secure(t.Context()))
	carriesBothWays(t, l)
	pingsOnce(t, l.West, mkadlab.EastAddress)
	if after := describeBoth(t, l); after != before {
		t.Errorf("the devices were\n%s\nand are\n%s", before, after)
	}
}

package userspace_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"os"
	"testing"
	"time"

	"github.com/mdlayher/packet"

	"mkad/internal/netlab"
	"mkad/keyderive"
	"mkad/secy"
	"mkad/secy/userspace"
)

const (
	lowerName      = "eth1"
	controlledName = "macsec0"

	// experimental is an EtherType that no stack answers to (IEEE 802, local experimental).
	experimental = 0x88b5

	// patience is how long something that must happen may take on a busy machine.
	patience = 20 * time.Second
)

// never is a deadline that does not come.
var never time.Time

var (
	broadcast = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	keyID     = secy.KeyID{1}
)

// secured is how a port is that MKA has secured.
var secured = secy.Settings{
	ProtectFrames: true, ValidateFrames: secy.ValidateStrict, ReplayProtect: true,
	CipherSuite: secy.GCMAES128, Offset: secy.Offset0, SendSCI: true,
}

// inClear is how a should-secure port is before that.
var inClear = secy.Settings{
	ValidateFrames: secy.ValidateDisabled, CipherSuite: secy.GCMAES128, Offset: secy.Offset0,
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newWire makes two namespaces and a veth pair between them, up. Without the privilege for it the test fails: a skipped
// test would look like a passed one.
func newWire(t testing.TB) (west, east *netlab.Namespace) {
	t.Helper()
	west, east = newNamespace(t), newNamespace(t)
	must(t, netlab.Join(west, lowerName, east, lowerName))
	for _, ns := range []*netlab.Namespace{west, east} {
		must(t, ns.Do(func() error { return quiet(lowerName) }))
	}
	raise(t, west, east)
	return west, east
}

// raise brings up both ends of the wire and waits until frames may be sent: the kernel says so some time after there is
// carrier.
func raise(t testing.TB, ends ...*netlab.Namespace) {
	t.Helper()
	for _, ns := range ends {
		must(t, ns.SetUp(lowerName))
	}
	for _, ns := range ends {
		eventually(t, "the wire is up", func() bool { return device(t, ns, lowerName).OperState == "up" })
	}
}

// quiet keeps the stack from sending unasked on a device, so that tests can count frames.
func quiet(name string) error {
	return os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0)
}

func newNamespace(t testing.TB) *netlab.Namespace {
	t.Helper()
	n, err := netlab.NewNamespace()
	must(t, err)
	t.Cleanup(func() { must(t, n.Close()) })
	return n
}

// A station is one end of the wire with a Port on it.
type station struct {
	*userspace.Port
	ns  *netlab.Namespace
	mac net.HardwareAddr
	sci secy.SCI
}

func open(t testing.TB, ns *netlab.Namespace) *station {
	t.Helper()
	s, err := tryOpen(t, ns, controlledName, false)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close(false)) })
	return s
}

func tryOpen(t testing.TB, ns *netlab.Namespace, controlled string, persist bool) (*station, error) {
	t.Helper()
	lower := device(t, ns, lowerName)
	s := &station{ns: ns, mac: lower.MAC, sci: secy.NewSCI([6]byte(lower.MAC), 1)}
	return s, ns.Do(func() (err error) {
		s.Port, err = userspace.Open(userspace.Config{
			Lower: lower.Index, LowerName: lowerName, Controlled: controlled,
			MAC: [6]byte(lower.MAC), MTU: lower.MTU, SCI: s.sci, Persist: persist,
		})
		return err
	})
}

func device(t testing.TB, ns *netlab.Namespace, name string) netlab.Device {
	t.Helper()
	d, err := ns.Device(name)
	must(t, err)
	return d
}

// order applies orders in the namespace, and fails the test if one is refused.
func (s *station) order(t testing.TB, ops ...secy.Op) {
	t.Helper()
	for _, op := range ops {
		for _, r := range s.try(op) {
			if r.Kind == secy.ReportFailed {
				t.Fatal(r)
			}
		}
	}
}

func (s *station) try(op secy.Op) (reports []secy.Report) {
	_ = s.ns.Do(func() error {
		reports = s.Apply(op, nil)
		return nil
	})
	return reports
}

// secure gives the port everything it needs to talk to peer, up to the enabled Controlled Port.
func (s *station) secure(t testing.TB, peer secy.SCI, set secy.Settings) {
	t.Helper()
	s.order(t, orders(s.sci, peer, set)...)
	s.enable(t, true)
}

// enable enables or disables the Controlled Port. The stack takes some time to send when the carrier is there; then it
// says that the device is up.
func (s *station) enable(t testing.TB, enabled bool) {
	t.Helper()
	s.order(t, secy.Op{Kind: secy.OpControlledPort, Enabled: enabled})
	if enabled && device(t, s.ns, controlledName).Up {
		eventually(t, "the Controlled Port is up", func() bool {
			return device(t, s.ns, controlledName).OperState == "up"
		})
	}
}

// orders are what a KaY says to use one SAK between own and peer.
func orders(own, peer secy.SCI, set secy.Settings) []secy.Op {
	sak, err := keyderive.NewSAK(bytes.Repeat([]byte{1, 2, 3, 4}, set.CipherSuite.KeyLen()/4))
	if err != nil {
		panic(err)
	}
	ssci := func(sci secy.SCI) secy.SSCI { // the greatest SCI is 1 (802.1X-2020 9.10)
		if sci == max(own, peer) {
			return 1
		}
		return 2
	}
	return []secy.Op{
		{Kind: secy.OpConfigure, Settings: set},
		{Kind: secy.OpCreateReceiveSC, SCI: peer},
		{Kind: secy.OpCreateReceiveSA, SCI: peer, Key: keyID, SAK: sak, SSCI: ssci(peer), PN: 1},
		{Kind: secy.OpCreateTransmitSA, Key: keyID, SAK: sak, SSCI: ssci(own), PN: 1},
		{Kind: secy.OpEnableReceive, Key: keyID},
		{Kind: secy.OpEnableTransmit, Key: keyID},
	}
}

// securedPair is a wire with a secured Port at each end, addresses and all.
func securedPair(t testing.TB, set secy.Settings) (west, east *station) {
	t.Helper()
	a, b := newWire(t)
	west, east = open(t, a), open(t, b)
	west.secure(t, east.sci, set)
	east.secure(t, west.sci, set)
	address(t, west, east, controlledName)
	return west, east
}

// Addresses of the two ends, of both families.
var (
	westAddresses = []string{"192.0.2.1", "2001:db8::1"}
	eastAddresses = []string{"192.0.2.2", "2001:db8::2"}
)

func address(t testing.TB, west, east *station, name string) {
	t.Helper()
	for i, length := range []string{"/24", "/64"} {
		must(t, west.ns.AddAddress(name, westAddresses[i]+length))
		must(t, east.ns.AddAddress(name, eastAddresses[i]+length))
	}
}

// A tapper sends and receives whole frames on a device, past the stack.
type tapper struct {
	t    testing.TB
	conn *packet.Conn
}

// listen opens a tapper for one EtherType on a device.
func listen(t testing.TB, ns *netlab.Namespace, name string, etherType int) *tapper {
	t.Helper()
	w := &tapper{t: t}
	must(t, ns.Do(func() error {
		ifi, err := net.InterfaceByName(name)
		if err != nil {
			return err
		}
		w.conn, err = packet.Listen(ifi, packet.Raw, etherType, nil)
		return err
	}))
	t.Cleanup(func() { _ = w.conn.Close() })
	return w
}

func (w *tapper) send(frame []byte) {
	w.t.Helper()
	must(w.t, w.try(frame))
}

func (w *tapper) try(frame []byte) error {
	_, err := w.conn.WriteTo(frame, &packet.Addr{HardwareAddr: net.HardwareAddr(frame[:6])})
	return err
}

// receive returns the next frame; it waits for it.
func (w *tapper) receive() []byte {
	w.t.Helper()
	must(w.t, w.conn.SetReadDeadline(time.Now().Add(patience)))
	b := make([]byte, 1<<16)
	n, _, err := w.conn.ReadFrom(b)
	must(w.t, err)
	return b[:n]
}

// expect fails the test unless the next frame is the one given.
func (w *tapper) expect(frame []byte) {
	w.t.Helper()
	if got := w.receive(); !bytes.Equal(got, frame) {
		w.t.Fatalf("received %x, want %x", got, frame)
	}
}

// experiment is a frame of the experimental EtherType.
func experiment(to, from net.HardwareAddr, data []byte) []byte {
	frame := append(append([]byte{}, to...), from...)
	return append(binary.BigEndian.AppendUint16(frame, experimental), data...)
}

// A wirePeer is one end of the wire without a Port: what goes over the wire is seen and made octet by octet.
type wirePeer struct {
	*tapper
	ns   *netlab.Namespace
	secy *secy.SecY
	mac  net.HardwareAddr
	sci  secy.SCI
}

// pairWithPeer is a wire with a secured Port in the east and a wirePeer in the west.
func pairWithPeer(t testing.TB, set secy.Settings) (*wirePeer, *station) {
	t.Helper()
	a, b := newWire(t)
	east := open(t, b)
	mac := device(t, a, lowerName).MAC
	west := &wirePeer{tapper: listen(t, a, lowerName, secy.EtherType), ns: a, mac: mac, sci: secy.NewSCI([6]byte(mac), 1)}
	east.secure(t, west.sci, set)
	west.secy = secy.New(secy.Config{SCI: west.sci})
	for _, op := range orders(west.sci, east.sci, set) {
		west.secy.Apply(op, nil)
	}
	west.secy.Apply(secy.Op{Kind: secy.OpControlledPort, Enabled: true}, nil)
	return west, east
}

// protect returns the protected form of frame.
func (p *wirePeer) protect(frame []byte) []byte {
	p.t.Helper()
	protected, ok := p.secy.Protect(nil, frame)
	if !ok {
		p.t.Fatal("the peer's SecY protects nothing")
	}
	return protected
}

// tagged puts a VLAN tag into a frame.
func tagged(frame []byte, tci uint16) []byte {
	out := append([]byte{}, frame[:12]...)
	out = binary.BigEndian.AppendUint16(out, 0x8100)
	out = binary.BigEndian.AppendUint16(out, tci)
	return append(out, frame[12:]...)
}

// await returns what a channel brings, and fails the test when that takes too long.
func await[T any](t testing.TB, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("nothing came within %s", patience)
	}
	return v
}

// eventually waits for what the kernel does in its own time and tells nobody of.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	late := time.After(patience)
	for !done() {
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("waited %s until %s", patience, what)
		}
	}
}

package explain_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mkad/eapol"
	"mkad/internal/explain"
	"mkad/internal/filter"
	"mkad/internal/port"
	"mkad/keyderive"
	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/offload"
	"mkad/secy"
)

// ckn is what the members of a lab name their CAK, unless a test says otherwise.
const ckn = "\x00\x01"

func cak() keyderive.CAK { return mkatest.CAK(1, 16) }

// A lab is a KaY on a simulated LAN whose port is to be explained, and whoever else a test puts there.
type lab struct {
	*mkatest.LAN
	*mkatest.Member
	alter []func(*explain.Evidence) // what is not seen on the LAN
}

func newLab(edit ...func(*mka.Config)) *lab {
	l := &lab{LAN: mkatest.New(1)}
	l.Member = l.kay(1, ckn, cak(), edit...)
	return l
}

// kay adds a KaY and brings its link up.
func (l *lab) kay(n int, ckn string, cak keyderive.CAK, edit ...func(*mka.Config)) *mkatest.Member {
	cfg := mkatest.Config(n)
	for _, f := range edit {
		f(&cfg)
	}
	m := l.Add(fmt.Sprint("kay ", n), cfg)
	m.Up(ckn, cak)
	return m
}

// but changes what is observed beside the LAN.
func (l *lab) but(alter func(*explain.Evidence)) *lab {
	l.alter = append(l.alter, alter)
	return l
}

// after lets time pass.
func (l *lab) after(d time.Duration) *lab {
	l.Run(d)
	return l
}

// evidence is what the lab's port observes now: a good device, a good key, and what its KaY has seen.
func (l *lab) evidence() explain.Evidence {
	e := explain.Evidence{
		Interface: "eth1", KeyFile: "/etc/mkad/keys/eth1.toml", Destination: eapol.PAEGroup,
		Suites:     mkatest.Config(1).CipherSuites,
		Configured: mkatest.Config(1).CipherSuites,
		LifeTime:   mka.LifeTime, Started: true, Secured: l.KaY.Secured(), Late: l.Now > mka.Time(mka.LifeTime), Now: l.Now,
		Link: explain.Link{Exists: true, Up: true, Carrier: true, MTU: 1500},
		Keys: explain.Keys{Valid: []keyderive.CKN{mkatest.CKN(ckn)}},
		MKA:  l.Status(),
		Seen: &explain.Seen{},
	}
	for _, event := range l.Events {
		e.Seen.Note(event.Event, event.At)
	}
	for _, f := range l.alter {
		f(&e)
	}
	return e
}

func fails(err error) *lab {
	return newLab().but(func(e *explain.Evidence) { e.Failure, e.MKA = fmt.Errorf("serve eth1: %w", err), mka.Status{} })
}

func suites(list ...secy.CipherSuite) func(*mka.Config) {
	return func(c *mka.Config) { c.CipherSuites = list }
}

func priority(p uint8) func(*mka.Config) { return func(c *mka.Config) { c.KeyServerPriority = p } }

func capability(c secy.Capability) func(*mka.Config) {
	return func(cfg *mka.Config) { cfg.Capability = c }
}

// server adds a scripted peer that is key server of the lab, and waits until they are live to each other.
func (l *lab) server() *mkatest.Peer {
	p := l.AddPeer(2, ckn, cak())
	p.Priority = 0
	p.Talk()
	l.Run(3 * time.Second)
	return p
}

// A made is a condition made for real, or of the very errors that the packages below give.
type made struct {
	name  string
	cause explain.Cause
	says  string // with the names and numbers that show it
	make  func() *lab
}

var everyCondition = []made{
	{"started just now", explain.Starting, "starting", func() *lab {
		return newLab().but(func(e *explain.Evidence) { e.Started, e.Link = false, explain.Link{} })
	}},

	{"bridge port", explain.Enslaved, "bridge-port", func() *lab {
		return fails(port.Lowerable(port.Link{Name: "eth1", Exists: true, Ethernet: true, Master: "br0", MasterKind: "bridge"}))
	}},
	{"macvlan parent", explain.Enslaved, "macvlan-parent", func() *lab {
		return fails(port.Lowerable(port.Link{Name: "eth1", Exists: true, Ethernet: true, Macvlan: "mv0"}))
	}},
	{"loopback", explain.Unfit, "loopback", func() *lab {
		return fails(port.Lowerable(port.Link{Name: "lo", Exists: true, Loopback: true}))
	}},
	{"wpa_supplicant at the start", explain.Occupied, "wpa_supplicant", func() *lab {
		return fails(&port.UnfitError{Interface: "eth1", Reason: port.UnfitOccupied, Other: "process 7 (wpa_supplicant)"})
	}},
	{"wpa_supplicant later", explain.Occupied, "wpa_supplicant", func() *lab {
		return newLab().after(10 * time.Second).but(func(e *explain.Evidence) {
			e.Occupied = &port.UnfitError{Interface: "eth1", Reason: port.UnfitOccupied, Other: "process 7 (wpa_supplicant)"}
		})
	}},
	{"another mkad", explain.Occupied, "another mkad", func() *lab { return fails(port.ErrClaimed) }},
	{"no capability of the process", explain.NoPermission, "CAP_NET_RAW", func() *lab { return fails(unix.EPERM) }},
	{"TAP device of somebody else", explain.NoPermission, "/dev/net/tun", func() *lab {
		return fails(choose(offload.Userspace(fmt.Errorf("open the TAP device: %w", unix.EACCES))))
	}},
	{"no tun", explain.NoModule, "tun module", func() *lab {
		return fails(choose(offload.Userspace(fmt.Errorf("open the TAP device: %w", unix.ENOENT))))
	}},
	{"no nf_tables", explain.NoModule, "nf_tables", func() *lab { return fails(filter.ErrUnsupported) }},
	{"hardware that has no MACsec", explain.NoBackend, "offload-mac", func() *lab {
		return fails(choose(offload.Offer{Backend: offload.BackendMAC, Why: "eth1 has no macsec-hw-offload",
			Err: unix.EOPNOTSUPP}))
	}},
	{"Controlled Port deleted", explain.DeviceTaken, "macsec0 is gone", func() *lab {
		return fails(fmt.Errorf("macsec0 is gone (%w)", explain.ErrDeviceTaken))
	}},
	{"anything else", explain.Failed, "out of memory", func() *lab { return fails(errors.New("out of memory")) }},

	{"no device", explain.NoDevice, "eth1 does not exist", func() *lab {
		return newLab().but(func(e *explain.Evidence) { e.Link = explain.Link{} })
	}},
	{"another name of a device", explain.NoDevice, "eth1 is only another name of enp3s0; write interface = \"enp3s0\"", func() *lab {
		return newLab().but(func(e *explain.Evidence) { e.Link = explain.Link{Real: "enp3s0"} })
	}},
	{"device down", explain.DeviceDown, "ip link set eth1 up", func() *lab {
		return newLab().but(func(e *explain.Evidence) { e.Link.Up, e.Link.Carrier = false, false })
	}},
	{"no carrier", explain.NoCarrier, "cable", func() *lab {
		return newLab().but(func(e *explain.Evidence) { e.Link.Carrier = false })
	}},

	{"no CAK file", explain.KeyFile, "does not exist", func() *lab {
		return newLab().but(func(e *explain.Evidence) { e.Keys = explain.Keys{Problem: "eth1.toml: does not exist"} })
	}},
	{"key of tomorrow", explain.KeyNotYetValid, "2026-12-01T00:00:00Z", func() *lab {
		return newLab().but(func(e *explain.Evidence) {
			e.Keys = explain.Keys{Idle: e.Keys.Valid, Next: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}
		})
	}},
	{"key of yesterday", explain.KeyExpired, "all have ended", func() *lab {
		return newLab().but(func(e *explain.Evidence) { e.Keys = explain.Keys{Idle: e.Keys.Valid} })
	}},

	{"frames too long", explain.MTUTooSmall, "MTU of eth1, which is 100", func() *lab {
		return newLab().but(func(e *explain.Evidence) { e.SendError, e.Link.MTU = unix.EMSGSIZE, 100 })
	}},
	{"full queue", explain.CannotSend, "no buffer space", func() *lab {
		return newLab().but(func(e *explain.Evidence) { e.SendError = unix.ENOBUFS })
	}},

	{"loop", explain.OwnFrames, "come back", func() *lab {
		l := newLab()
		l.kay(1, ckn, cak()) // with our SCI, as a cloned machine has it
		return l.after(10 * time.Second)
	}},
	{"priority 255 on both sides", explain.NoKeyServer, "255", func() *lab {
		l := newLab(priority(255))
		l.kay(2, ckn, cak(), priority(255))
		return l.after(10 * time.Second)
	}},
	{"no suite in common, as key server", explain.SuiteMismatch, "0200000000020001 announces GCM-AES-XPN-256", func() *lab {
		ours := []secy.CipherSuite{secy.GCMAES128}
		l := newLab(suites(ours...))
		l.kay(2, ckn, cak(), suites(secy.GCMAESXPN256))
		return l.after(10 * time.Second).but(func(e *explain.Evidence) { e.Suites, e.Configured = ours, ours })
	}},
	{"no suite in common, as follower", explain.SuiteMismatch, "0200000000020001 announces GCM-AES-XPN-256", func() *lab {
		ours := []secy.CipherSuite{secy.GCMAES128}
		l := newLab(suites(ours...))
		l.kay(2, ckn, cak(), suites(secy.GCMAESXPN256), priority(1))
		return l.after(10 * time.Second).but(func(e *explain.Evidence) { e.Suites, e.Configured = ours, ours })
	}},
	{"a suite that we do not have, as follower", explain.SuiteMismatch, "GCM-AES-XPN-256", func() *lab {
		l := newLab(suites(secy.GCMAES128)).but(func(e *explain.Evidence) { e.Suites = []secy.CipherSuite{secy.GCMAES128} })
		l.server().Generate(secy.GCMAESXPN256, secy.Offset0)
		return l.after(6 * time.Second)
	}},
	{"offset 30 with a peer of XPN suites only", explain.OffsetMismatch, "confidentiality offset", func() *lab {
		ours := []secy.CipherSuite{secy.GCMAES256, secy.GCMAES128} // the others do not go with it
		l := newLab(suites(ours...), func(c *mka.Config) { c.Offset = secy.Offset30 })
		l.kay(2, ckn, cak(), suites(secy.GCMAESXPN256))
		return l.after(10 * time.Second).but(func(e *explain.Evidence) { e.Suites = ours })
	}},
	{"an offset that we cannot do, as follower", explain.OffsetMismatch, "offset-50", func() *lab {
		l := newLab(capability(secy.CapabilityConfidentiality))
		l.server().Generate(secy.GCMAES128, secy.Offset50)
		return l.after(6 * time.Second)
	}},
	{"peer without MACsec", explain.NoCapability, "0200000000020001 says that it cannot do MACsec", func() *lab {
		l := newLab()
		l.kay(2, ckn, cak(), capability(secy.CapabilityNone))
		return l.after(10 * time.Second)
	}},
	{"SecY that takes no key", explain.SecYRefuses, "no room", func() *lab {
		l := newLab()
		l.SecY.Fail = func(op secy.Op) string {
			if op.Kind == secy.OpCreateTransmitSA {
				return "no room"
			}
			return ""
		}
		l.kay(2, ckn, cak())
		return l.after(10 * time.Second)
	}},
	{"key server in service upgrade", explain.PeerSuspended, "the key server has suspended MKA", func() *lab {
		l := newLab()
		p := l.server()
		p.XPN = eapol.XPN{Present: true, SuspensionTime: 90}
		return l.after(6 * time.Second)
	}},
	{"peer that is heard every 9 s", explain.PeerSlow, "come and go", func() *lab {
		l := newLab()
		p := l.AddPeer(2, ckn, cak())
		for range 3 {
			p.Talk()
			l.Run(2 * time.Second)
			p.Hush()
			l.Run(7 * time.Second)
		}
		return l
	}},
	{"peer that has come and gone, and now has another CAK", explain.WrongCAK, "02:00:00:00:00:02 has CKN 0001 with another CAK", func() *lab {
		l := newLab()
		p := l.AddPeer(2, ckn, cak())
		for range 3 {
			p.Talk()
			l.Run(2 * time.Second)
			p.Hush()
			l.Run(7 * time.Second)
		}
		l.AddPeer(2, ckn, mkatest.CAK(2, 16)).Talk()
		return l.after(3 * time.Second)
	}},
	{"key server without SAK", explain.NoSAK, "0200000000020001 distributes no SAK", func() *lab {
		l := newLab()
		l.server()
		return l.after(6 * time.Second)
	}},

	{"clock at its beginning", explain.Unsynchronised, "not synchronised", func() *lab {
		return withCKN("\x00\x02").but(func(e *explain.Evidence) { e.Keys.Unsynchronised = true })
	}},
	{"CKN filled with zeros", explain.CKNFilled, "0001" + strings.Repeat("0", 60), func() *lab {
		return withCKN(ckn + strings.Repeat("\x00", 30))
	}},
	{"CKN as text there", explain.CKNText, "30303031", func() *lab { return withCKN("0001") }},
	{"CKN as text here", explain.CKNText, "30303031", func() *lab {
		l := &lab{LAN: mkatest.New(1)}
		l.Member = l.kay(1, "0001", cak())
		l.kay(2, ckn, cak())
		return l.after(10 * time.Second).but(func(e *explain.Evidence) {
			e.Keys.Valid = []keyderive.CKN{mkatest.CKN("0001")}
		})
	}},
	{"CKN of tomorrow", explain.KeyNotValid, "not valid now", func() *lab {
		return withCKN("\x00\x02").but(func(e *explain.Evidence) { e.Keys.Idle = []keyderive.CKN{mkatest.CKN("\x00\x02")} })
	}},
	{"peer without the successor of a key that has ended", explain.KeyNotValid, "is live with CKN 0001, which is in /etc/mkad/keys/eth1.toml, but not valid now, and with no key that is", func() *lab {
		l := newLab()
		l.kay(2, ckn, cak())
		l.Run(5 * time.Second)
		l.Member.MustStep(mka.ParticipantAdded{CKN: mkatest.CKN("0002"), CAK: mkatest.CAK(2, 16)})
		l.Member.MustStep(mka.ParticipantChanged{CKN: mkatest.CKN(ckn), Standby: true})
		return l.after(10 * time.Second)
	}},
	{"another CKN", explain.UnknownCKN, "02:00:00:00:00:02 uses CKN 0002", func() *lab { return withCKN("\x00\x02") }},
	{"another CAK", explain.WrongCAK, "02:00:00:00:00:02 has CKN 0001 with another CAK", func() *lab {
		l := newLab()
		l.kay(2, ckn, mkatest.CAK(2, 16))
		return l.after(10 * time.Second)
	}},
	{"SAK of another KEK", explain.BadSAK, "does not unwrap", func() *lab {
		l := newLab()
		l.server().Say(func(m *eapol.MKPDU) {
			m.DistributedSAK = eapol.DistributedSAK{Present: true, KN: 1, Suite: secy.GCMAES128, Wrapped: make([]byte, 24)}
		})
		return l.after(time.Second)
	}},
	{"another destination", explain.OtherDestination, "of 02:00:00:00:00:02 go to 01:80:c2:00:00:00, and ours to 01:80:c2:00:00:03", func() *lab {
		l := newLab()
		p := l.AddPeer(2, ckn, cak())
		l.Inject(l.Member, p.Next(func(m *eapol.MKPDU) { m.DA = eapol.NearestCustomerBridge }), time.Second)
		return l.after(10 * time.Second)
	}},
	{"another algorithm", explain.Foreign, "algorithm-agility", func() *lab {
		l := newLab()
		p := l.AddPeer(2, ckn, cak())
		l.Inject(l.Member, p.Next(func(m *eapol.MKPDU) { m.Basic.AlgorithmAgility = 99 }), time.Second)
		return l.after(10 * time.Second)
	}},

	{"peer that does not hear us", explain.OneWay, "0200000000020001 is heard and does not hear us", func() *lab {
		l := newLab()
		l.Sever(l.Member, l.kay(2, ckn, cak()))
		return l.after(15 * time.Second)
	}},
	{"peer that falls silent", explain.PeerLost, "0200000000020001 lost: silent", func() *lab {
		l := newLab()
		m := l.kay(2, ckn, cak())
		l.Run(5 * time.Second)
		l.Sever(m, l.Member)
		return l.after(20 * time.Second)
	}},
	{"peer that has just come", explain.Handshake, "", func() *lab {
		l := newLab()
		l.AddPeer(2, ckn, cak()).Talk()
		return l.after(time.Millisecond)
	}},
	{"state of somebody else", explain.StateUnreadable, "permission denied", func() *lab {
		l := newLab().but(func(e *explain.Evidence) { e.StateLost = unix.EACCES })
		l.AddPeer(2, ckn, cak()).Talk()
		return l.after(time.Millisecond)
	}},
	{"EAP", explain.OnlyEAP, "802.1X", func() *lab {
		l := newLab()
		start := []byte{0x01, 0x80, 0xc2, 0, 0, 3, 2, 0, 0, 0, 0, 2, 0x88, 0x8e, 3, 1, 0, 0}
		l.Inject(l.Member, append(start, make([]byte, 46)...), 9*time.Second)
		return l.after(10 * time.Second)
	}},
	{"virtual switch that refuses forged addresses", explain.ForgedMAC, "vmxnet3", func() *lab {
		return newLab().after(10 * time.Second).but(func(e *explain.Evidence) {
			e.Link.Moved, e.Link.Virtual = true, "vmxnet3"
		})
	}},
	{"bridge that keeps the group address", explain.MKANotHeard, "group_fwd_mask", func() *lab {
		return newLab().after(10 * time.Second).but(func(e *explain.Evidence) { e.Link.Frames = 7 })
	}},
	{"virtual switch that keeps the group address", explain.MKANotHeard, "virtual switch behind virtio_net", func() *lab {
		return newLab().after(10 * time.Second).but(func(e *explain.Evidence) {
			e.Link.Frames, e.Link.Virtual = 7, "virtio_net"
		})
	}},
	{"nobody", explain.NothingHeard, "is MKA running on the other side", func() *lab {
		return newLab().after(10 * time.Second)
	}},
}

// withCKN has a peer with another CKN.
func withCKN(other string) *lab {
	l := newLab()
	l.kay(2, other, cak())
	return l.after(10 * time.Second)
}

func choose(o offload.Offer) error {
	_, err := offload.Choose(o.Backend, offload.Need{Suites: secy.CipherSuites[:]}, []offload.Offer{o})
	return err
}

// Clause: none; design: explain. Each condition gives its own verdict, and no other gives that verdict.
func TestEachConditionGivesItsOwnVerdict(t *testing.T) {
	shown := map[explain.Cause]bool{}
	for _, c := range everyCondition {
		shown[c.cause] = true
		t.Run(c.name, func(t *testing.T) {
			v := explain.Explain(c.make().evidence())
			if v.Cause != c.cause || v.Why == "" || !strings.Contains(v.Reason(), c.says) {
				t.Errorf("verdict %q: %s; want %q that says %q", v.Cause, v.Reason(), c.cause, c.says)
			}
		})
	}
	for _, cause := range explain.Causes() {
		if !shown[cause] {
			t.Errorf("nothing shows %s", cause)
		}
	}
}

// Clause: none; design: explain. A healthy link gives no verdict, and on its way says only that it is under way.
func TestHealthyLinkGivesNoVerdict(t *testing.T) {
	l := newLab()
	l.kay(2, ckn, cak())
	for !l.KaY.Secured() && l.Now < mka.Time(mka.LifeTime) {
		if v := explain.Explain(l.evidence()); v.Cause != explain.Handshake {
			t.Fatalf("after %v the verdict is %q: %s", time.Duration(l.Now), v.Cause, v.Reason())
		}
		l.Run(time.Millisecond)
	}
	l.Run(time.Minute)
	if v := explain.Explain(l.evidence()); v != (explain.Verdict{}) {
		t.Errorf("the verdict on a secured link is %q: %s", v.Cause, v.Reason())
	}
}

// Clause: none; design: explain. A stranger beside a peer is not why its port is not secured.
func TestStrangerIsNotTheReason(t *testing.T) {
	l := newLab(priority(255))
	l.kay(2, ckn, cak(), priority(255))
	l.kay(3, "\x00\x02", cak())
	l.Run(10 * time.Second)
	if v := explain.Explain(l.evidence()); v.Cause != explain.NoKeyServer {
		t.Errorf("the verdict is %q: %s", v.Cause, v.Reason())
	}
}

// Clause: none; an order that is refused because another was says nothing of the cause.
func TestFirstRefusalIsTheReason(t *testing.T) {
	var seen explain.Seen
	e := newLab().after(10 * time.Second).evidence()
	e.Seen = &seen
	at := e.Now
	for _, r := range []struct {
		after time.Duration
		why   string
		says  string
	}{
		{0, "the hardware has no room", "no room"},
		{time.Millisecond, "there is no SC", "no room"},
		{2 * time.Second, "out of memory", "out of memory"},
	} {
		seen.Note(mka.Event{Kind: mka.EventSecYFailed, Reason: r.why}, at.Add(r.after))
		if v := explain.Explain(e); v.Cause != explain.SecYRefuses || !strings.Contains(v.Why, r.says) {
			t.Errorf("after %q the verdict is %q: %s", r.why, v.Cause, v.Why)
		}
	}
}

// Clause: none; design: explain. What was seen long ago says nothing of now.
func TestOldSightingsDoNotCount(t *testing.T) {
	l := newLab()
	m := l.kay(2, "\x00\x02", cak())
	l.Run(10 * time.Second)
	l.Sever(m, l.Member)
	l.Run(time.Minute)
	if v := explain.Explain(l.evidence()); v.Cause != explain.NothingHeard {
		t.Errorf("the verdict is %q: %s", v.Cause, v.Reason())
	}
}

// Clause: none; design: explain. What kept a port from being secured is forgotten when it is.
func TestSightingsFromBeforeItWasSecuredDoNotCount(t *testing.T) {
	var seen explain.Seen
	e := newLab().after(10 * time.Second).evidence()
	e.Seen = &seen
	seen.Note(mka.Event{Kind: mka.EventDiscarded, Discard: eapol.DiscardICV, CKN: mkatest.CKN("0007")}, e.Now)
	if v := explain.Explain(e); v.Cause != explain.WrongCAK {
		t.Fatalf("the verdict is %q: %s", v.Cause, v.Reason())
	}
	seen.Note(mka.Event{Kind: mka.EventSecured}, e.Now)
	if v := explain.Explain(e); v.Cause == explain.WrongCAK {
		t.Errorf("the verdict is %q: %s", v.Cause, v.Reason())
	}
}

// Clause: none; design: explain. Of a key that has just come into use nothing can be heard yet.
func TestKeyThatHasJustChangedIsNoSilence(t *testing.T) {
	e := newLab().after(10 * time.Second).evidence()
	if v := explain.Explain(e); v.Cause != explain.NothingHeard {
		t.Fatalf("the verdict is %q: %s", v.Cause, v.Reason())
	}
	e.Rekeyed = true
	if v := explain.Explain(e); v.Cause != explain.Handshake {
		t.Errorf("the verdict is %q: %s", v.Cause, v.Reason())
	}
}

// Clause: none; design: explain. What was said of other keys than ours is not said of those that we have now.
// Requirement: R119
func TestAnotherKeyEndsWhatWasSaidOfTheOneBefore(t *testing.T) {
	for _, discard := range []eapol.Discard{eapol.DiscardUnknownCKN, eapol.DiscardICV} {
		e := newLab().evidence()
		e.Seen.Note(mka.Event{Kind: mka.EventDiscarded, Discard: discard, CKN: mkatest.CKN("0007")}, e.Now)
		if v := explain.Explain(e); v.Cause != explain.UnknownCKN && v.Cause != explain.WrongCAK || e.Refused() == "" {
			t.Errorf("%s: the verdict is %q", discard, v.Cause)
		}
		e.Seen.KeysChanged()
		if v := explain.Explain(e); v.Cause == explain.UnknownCKN || v.Cause == explain.WrongCAK || e.Refused() != "" {
			t.Errorf("%s, before the keys changed: the verdict is %q", discard, v.Cause)
		}
	}
}

// Clause: none; design: explain. The log tells of a discarded frame what it means, also beside a live peer.
func TestDiscardedFrameIsExplained(t *testing.T) {
	e := newLab().evidence()
	for discard, want := range map[eapol.Discard]explain.Cause{
		eapol.DiscardICV: explain.WrongCAK, eapol.DiscardUnknownCKN: explain.UnknownCKN, eapol.DiscardOwnSCI: explain.OwnFrames,
		eapol.DiscardReplay: "", eapol.DiscardNotKeyServer: "",
	} {
		event := mka.Event{Kind: mka.EventDiscarded, Discard: discard, CKN: mkatest.CKN("0007")}
		if v := explain.Discarded(event, e); v.Cause != want || (v.Reason() == "") != (want == "") {
			t.Errorf("%s: verdict %q: %s", discard, v.Cause, v.Reason())
		}
	}
}

// Clause: none; design: explain. The guide has every cause, in the order of the table, and no other.
func TestEveryCauseIsInTheTroubleshootingGuide(t *testing.T) {
	guide, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for line := range strings.Lines(string(guide)) {
		if heading, is := strings.CutPrefix(line, "### "); is {
			for _, word := range strings.FieldsFunc(heading, func(r rune) bool { return strings.ContainsRune("`, \n", r) }) {
				told[word] = true
			}
		}
	}
	for _, cause := range explain.Causes() {
		if !told[string(cause)] {
			t.Errorf("docs/troubleshooting.md does not tell of %s", cause)
		}
		delete(told, string(cause))
	}
	for word := range told {
		t.Errorf("docs/troubleshooting.md tells of %s, which is no cause", word)
	}
}

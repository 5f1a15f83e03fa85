package mka

import (
	"bytes"
	"testing"
	"time"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/secy"
)

// These tests look at what no MKPDU and no Op shows: keys that are gone, and variables of CP that matter later.

// withSAK gives a key octets, and lends those that are kept.
func withSAK(t *testing.T, y *key) []byte {
	t.Helper()
	sak, err := keyderive.NewSAK(bytes.Repeat([]byte{7}, y.suite.KeyLen()))
	if err != nil {
		t.Fatal(err)
	}
	y.sak = sak
	return sak.Octets()
}

func isWiped(octets []byte) bool { return bytes.Equal(octets, make([]byte, len(octets))) }

// Clause: none; design: keys are wiped when dropped, but not before the Ops that carry them are obeyed
func TestSAKsThatAreDroppedAreWipedAtTheNextCall(t *testing.T) {
	w := newCPWorld().in(cpTransmitting)
	w.newSAK()
	var saks [][]byte
	for _, y := range []*key{w.cp.old, w.cp.latest, w.cp.next} {
		saks = append(saks, withSAK(t, y))
	}
	w.linkUp = false
	var out Output
	w.runCP(1, &out)
	for i, sak := range saks {
		if isWiped(sak) {
			t.Errorf("SAK %d is wiped while Ops may carry it", i)
		}
	}
	w.Tick(1, &out)
	for i, sak := range saks {
		if !isWiped(sak) {
			t.Errorf("SAK %d is kept: % x", i, sak)
		}
	}
}

// Clause: none; design: the same for a SAK that another replaces before CP has come to it
func TestSAKThatIsReplacedBeforeItsUseIsWiped(t *testing.T) {
	w := newCPWorld()
	first := cpKey(1, 0)
	sak := withSAK(t, first)
	w.adopt(w.principal, first)
	w.adopt(w.principal, cpKey(2, 1))
	if w.wipeDoomed(); !isWiped(sak) {
		t.Errorf("kept: % x", sak)
	}
}

// Clause: 802.1X-2020 12.4, chgdServer (R93)
func TestSAKOfAnotherKeyServerThanTheLastChangesTheServer(t *testing.T) {
	w := newCPWorld()
	of := func(server secy.SCI) *key {
		y := cpKey(1, 0)
		y.server = server
		return y
	}
	for i, c := range []struct {
		server secy.SCI
		want   bool
	}{{cpOwnSCI, false}, {cpOwnSCI, false}, {cpPeerSCI, true}} {
		if w.adopt(w.principal, of(c.server)); w.cp.chgdServer != c.want {
			t.Errorf("SAK %d: chgdServer %t, want %t", i, w.cp.chgdServer, c.want)
		}
	}
}

// Clause: 802.1X-2020 12.4: what the SAK of a CA that is not principal any more would have changed is not changed
func TestSAKOfTheFormerPrincipalThatCPHasNotBegunWithIsForgotten(t *testing.T) {
	w := newCPWorld()
	former := w.principal
	w.adopt(former, cpKey(1, 0))
	w.cp.chgdServer = true
	former.server = candidate{}
	better := &participant{kay: w.KaY, server: candidate{sci: cpPeerSCI}}
	w.participants = append(w.participants, better)
	var out Output
	w.choosePrincipal(&out)
	if w.principal != better || w.cp.next != nil || w.cp.chgdServer {
		t.Errorf("next %v, chgdServer %t", w.cp.next, w.cp.chgdServer)
	}
}

// Clause: 802.1X-2020 Figure 12-2, transmitWhen and retireWhen
func TestCPWakesForTheTimerThatItsStateLooksAt(t *testing.T) {
	for s := cpInit; s <= cpRetire; s++ {
		w := newCPWorld().in(s)
		w.cp.transmitAt, w.cp.retireAt = 5, 7
		want := map[cpState]Time{cpReceiving: 5, cpTransmitting: 7}[s]
		if want == 0 {
			want = never
		}
		if got := w.cp.deadline(); got != want {
			t.Errorf("%s: wakes at %d, want %d", s, got, want)
		}
	}
}

// Clause: 802.1X-2020 Figure 12-2, CHANGE
func TestCHANGEForgetsHowTheKeysWereUsed(t *testing.T) {
	w := newCPWorld().in(cpTransmitting)
	c := &w.cp
	c.ltx, c.lrx, c.otx, c.orx = true, true, true, true
	w.principal.plain, w.principal.server = true, candidate{}
	w.participants = nil
	var out Output
	w.choosePrincipal(&out)
	w.runCP(1, &out)
	if c.state != cpChange || c.ltx || c.lrx || c.otx || c.orx {
		t.Errorf("in %s with ltx %t, lrx %t, otx %t, orx %t", c.state, c.ltx, c.lrx, c.otx, c.orx)
	}
}

// Clause: 802.1X-2020 9.9, Figure 12-2 RECEIVE: an old key whose AN the new one takes is gone, its use with it
func TestOldKeyThatGivesItsAssociationNumberIsNotSaidToBeUsed(t *testing.T) {
	w := newCPWorld().in(cpRetire)
	w.newSAK()
	w.cp.old.an = w.cp.next.an
	w.cp.otx, w.cp.orx = true, true
	var out Output
	w.runCP(1, &out)
	if c := &w.cp; c.state != cpReceive || c.old != nil || c.otx || c.orx {
		t.Errorf("in %s with old %v, otx %t, orx %t", c.state, c.old, c.otx, c.orx)
	}
}

// Clause: 802.1X-2020 9.5: a member that restarts counts once, as what it says now
func TestElectionTakesANewLifeInThePlaceOfTheFormer(t *testing.T) {
	w := newCPWorld()
	p := w.principal
	p.peers[0].priority, p.peers[0].keyServer, p.peers[0].mi[0] = 0, true, 1
	w.cfg.KeyServerPriority = 16
	if got := p.election(nil); got.sci != cpPeerSCI {
		t.Fatalf("elects %s, want the peer", got.sci)
	}
	again := peer{sci: cpPeerSCI, priority: 32, keyServer: true}
	again.mi[0] = 2
	if got := p.election(&again); got.sci != cpOwnSCI {
		t.Errorf("elects %s by the priority of a life that is over, want ourselves", got.sci)
	}
}

// Clause: 802.1X-2020 9.4.3: an MN proves nothing once it is Life Time old
func TestMessageNumberIsRecentForLessThanLifeTime(t *testing.T) {
	p := &participant{mn: 9}
	p.ages[0] = age{mn: 4, at: 1}
	if got := p.oldestRecent(Time(LifeTime)); got != 4 {
		t.Errorf("%d just before Life Time, want 4", got)
	}
	if got := p.oldestRecent(Time(LifeTime) + 1); got != 9 {
		t.Errorf("%d at Life Time, want 9", got)
	}
}

// Clause: 802.1X-2020 9.10: the lowest PN moves once a bounded hello, not more often
func TestLowestPNMovesOnceABoundedHello(t *testing.T) {
	y := &key{suite: secy.GCMAES128, nextPN: 100}
	at := Time(time.Hour)
	y.lowestPN(at)
	y.nextPN = 200
	gap := Time(BoundedHelloTime - MinGap)
	if got := y.lowestPN(at + gap - 1); got != 1 {
		t.Errorf("%d before a hello has passed, want 1", got)
	}
	if got := y.lowestPN(at + gap); got != 100 {
		t.Errorf("%d after a hello, want 100", got)
	}
}

// Clause: 802.1X-2020 9.10.1, Figure 11-14: only an XPN has an upper half
func TestKeyUseHasAnUpperHalfForXPNOnly(t *testing.T) {
	for suite, want := range map[secy.CipherSuite]uint32{secy.GCMAES128: 0, secy.GCMAESXPN128: 5} {
		y := &key{suite: suite, lpn: 5<<32 | 7, sampledAt: 1}
		u, high := keyUseOf(1, y, true, false)
		if high != want || !u.Tx || u.Rx {
			t.Errorf("%s: upper half %d, want %d; %+v", suite, high, want, u)
		}
	}
}

// Clause: 802.1X-2020 11.11.3: the XPN set goes out beside an XPN SAK, also while another suite is in service
func TestXPNSetStandsBesideADistributedXPNSAK(t *testing.T) {
	w := newCPWorld()
	for suite, want := range map[secy.CipherSuite]bool{secy.GCMAES256: false, secy.GCMAESXPN256: true} {
		w.principal.offer = &offer{key: &key{suite: suite}, wrapped: make([]byte, 40)}
		var m eapol.MKPDU
		if w.principal.fillDistributedSAK(1, &m); m.XPN.Present != want || !m.DistributedSAK.Present {
			t.Errorf("%s: XPN set %t, SAK %t", suite, m.XPN.Present, m.DistributedSAK.Present)
		}
	}
}

// Clause: 802.1X-2020 11.12.3: announcements came with version 2
func TestSuitesAreAnnouncedFromVersion2On(t *testing.T) {
	p := newCPWorld().principal
	for version := uint8(1); version <= mkaVersion; version++ {
		p.version = version
		var m eapol.MKPDU
		if p.fillAnnouncement(&m); m.Announcement.Present != (version >= 2) {
			t.Errorf("version %d: announces %t", version, m.Announcement.Present)
		}
	}
}

// Clause: 802.1AE-2018 10.7.25: XPN suites have no offsets
func TestXPNSuitesAreAnnouncedWithoutOffsets(t *testing.T) {
	w := newCPWorld()
	w.cfg.CipherSuites = []secy.CipherSuite{secy.GCMAESXPN128, secy.GCMAES128}
	for least, want := range map[secy.Capability][2]secy.Capability{
		secy.CapabilityOffsets:   {secy.CapabilityConfidentiality, secy.CapabilityOffsets},
		secy.CapabilityIntegrity: {secy.CapabilityIntegrity, secy.CapabilityIntegrity},
	} {
		w.cfg.Capability = least
		var m eapol.MKPDU
		w.principal.version = mkaVersion
		w.principal.fillAnnouncement(&m)
		if got := m.Announcement.Suites; got[0].Capability != want[0] || got[1].Capability != want[1] {
			t.Errorf("%v: announces %+v, want %v", least, got, want)
		}
	}
}

// Clause: 802.1X-2020 9.4.3, 11.11.3: the lists take all the room there is, and no more
func TestPeersFillTheMTUToTheLastThatFits(t *testing.T) {
	for mtu := 500; mtu < 1700; mtu++ {
		n := peersFor(mtu)
		if room := mtu + 14 - fullMKPDU(t, n, false).Len(); room < 0 {
			t.Errorf("MTU %d: with %d peers it is exceeded by %d", mtu, n, -room)
		}
		if room := mtu + 14 - fullMKPDU(t, n+1, true).Len(); n < maxPeers && room >= 0 {
			t.Errorf("MTU %d: one more than %d peers would fit, %d octets over", mtu, n, room)
		}
	}
}

// fullMKPDU has every set that we send at its longest, and so many peers.
func fullMKPDU(t *testing.T, peers int, indicator bool) *eapol.MKPDU {
	t.Helper()
	ckn, err := keyderive.NewCKN(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	m := &eapol.MKPDU{Basic: eapol.Basic{CKN: ckn}, SAKUse: eapol.SAKUse{Present: true}, ICVIndicator: indicator}
	m.Live = eapol.PeerList{Present: true, Peers: make([]eapol.ListedPeer, peers)}
	m.Potential.Present = true
	m.DistributedSAK = eapol.DistributedSAK{Present: true, Suite: secy.GCMAESXPN256, Wrapped: make([]byte, 40)}
	m.Announcement.Present = true
	for _, suite := range secy.CipherSuites {
		m.Announcement.Suites = append(m.Announcement.Suites, eapol.AnnouncedSuite{Suite: suite})
	}
	m.XPN.Present = true
	return m
}

// Clause: none; the names are those of the log, and a kind that is none has no other's
func TestEventKindsHaveNames(t *testing.T) {
	for k := range NumEvents + 2 {
		named := EventKind(k).String() != ""
		numbered := bytes.HasPrefix([]byte(EventKind(k).String()), []byte("EventKind("))
		if inside := k > 0 && k < NumEvents; !named || numbered == inside {
			t.Errorf("%d is %q", k, EventKind(k))
		}
	}
}

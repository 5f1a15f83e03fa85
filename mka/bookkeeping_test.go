package mka

import (
	"bytes"
	"slices"
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
// Requirement: R121
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
	if n := len(w.doomed); n != 0 {
		t.Errorf("%d keys that are wiped are still to be", n)
	}
}

// Clause: none; design: the same for a SAK that another replaces before CP has come to it
// Requirement: R121
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

// Clause: 802.1X-2020 12.4, chgdServer
// Requirement: R93
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
// Requirement: R100
func TestSAKOfTheFormerPrincipalThatCPHasNotBegunWithIsForgotten(t *testing.T) {
	for _, inService := range []bool{true, false} {
		w := newCPWorld()
		former := w.principal
		if inService {
			w.in(cpTransmitting)
			w.cp.latest.server, w.cp.server = cpPeerSCI, cpPeerSCI
		}
		forgotten := cpKey(3, 2)
		sak := withSAK(t, forgotten)
		w.adopt(former, forgotten)
		former.server = candidate{}
		better := &participant{kay: w.KaY, server: candidate{sci: cpPeerSCI}}
		w.participants = append(w.participants, better)
		var out Output
		w.choosePrincipal(1, &out)
		if w.principal != better || w.cp.next != nil || w.cp.chgdServer {
			t.Errorf("next %v, chgdServer %t", w.cp.next, w.cp.chgdServer)
		}
		if w.wipeDoomed(); !isWiped(sak) {
			t.Errorf("its SAK is kept: % x", sak)
		}
		next := cpKey(4, 3)
		next.server = cpPeerSCI
		if w.adopt(better, next); w.cp.chgdServer && inService {
			t.Error("the next SAK of who distributed the one in service changes the server")
		}
	}
}

// Clause: 802.1X-2020 Figure 12-2, transmitWhen and retireWhen
// Requirement: R91
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

// Clause: 802.1X-2020 12.4; a key that is transmitted with needs no other, but what else was refused is tried again
// Requirement: R94
func TestTransmittingEndsTheWaitForAnotherKeyOnly(t *testing.T) {
	for _, c := range []struct {
		name string
		when func(*cp)
		want Time
	}{
		{"a key was refused", func(*cp) {}, never},
		{"the settings were refused", func(c *cp) { c.misconfigured = true }, 5},
		{"the Controlled Port was refused", func(c *cp) { c.unsureOfPort = true }, 5},
	} {
		w := newCPWorld().in(cpTransmit)
		w.cp.usingTransmitSA, w.cp.orx, w.cp.retryAt = true, true, 5
		c.when(&w.cp)
		var out Output
		w.runCP(1, &out)
		if w.cp.state != cpTransmitting || w.cp.retryAt != c.want {
			t.Errorf("%s: %s, tries again at %d, want %d", c.name, w.cp.state, w.cp.retryAt, c.want)
		}
	}
}

// Clause: 802.1X-2020 Figure 12-2, CHANGE
// Requirement: R91
func TestCHANGEForgetsHowTheKeysWereUsed(t *testing.T) {
	w := newCPWorld().in(cpTransmitting)
	c := &w.cp
	c.ltx, c.lrx, c.otx, c.orx = true, true, true, true
	w.principal.plain, w.principal.server = true, candidate{}
	w.participants = nil
	var out Output
	w.choosePrincipal(1, &out)
	w.runCP(1, &out)
	if c.state != cpChange || c.ltx || c.lrx || c.otx || c.orx {
		t.Errorf("in %s with ltx %t, lrx %t, otx %t, orx %t", c.state, c.ltx, c.lrx, c.otx, c.orx)
	}
}

// Clause: 802.1X-2020 9.9, Figure 12-2 RECEIVE: an old key whose AN the new one takes is gone, its use with it
// Requirement: R80
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
// Requirement: R48
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
	other := peer{sci: cpPeerSCI + 1, priority: 8, keyServer: true, live: true}
	other.mi[0] = 3
	p.peers = append(p.peers, other)
	if got := p.election(&again); got.sci != other.sci {
		t.Errorf("elects %s, want the third member", got.sci)
	}
}

// Clause: 802.1X-2020 9.8: each time that a peer's silence about its keys counts, the next has to be twice as long
// Requirement: R90
func TestPatienceWithAPeerThatReportsItsKeysOnceDoubles(t *testing.T) {
	var q peer
	for _, want := range []int{3, 6, 12, 24, 48, 96, 192, 192} {
		q.use[0], q.silences = keyUse{rx: true, tx: true}, 0 // it reports a key
		n := 0
		for ; !q.use[0].lost() && n < 1000; n++ {
			q.forget()
		}
		if n != want {
			t.Errorf("lost after %d MKPDUs without SAK Use, want %d", n, want)
		}
	}
}

// Clause: 802.1X-2020 9.8: whether the others hear a newcomer is known when they say so
// Requirement: R66
func TestNobodyIsTakenToHearANewcomer(t *testing.T) {
	w := newCPWorld()
	p := w.principal
	p.peers[0].hearsAll = true
	newcomer := peer{sci: cpPeerSCI + 1}
	newcomer.mi[0] = 3
	p.peers = append(p.peers, newcomer)
	p.promote(1, newcomer.mi, new(Output))
	if p.peers[0].hearsAll {
		t.Error("who was there before is")
	}
}

// Clause: 802.1X-2020 9.14: a CA whose key server distributes a SAK that we hold of it is followed, by that alone
// Requirement: R100
func TestSAKOfAKeyServerThatWeHoldIsFollowed(t *testing.T) {
	w := newCPWorld()
	p := w.principal
	var m eapol.MKPDU
	m.Basic.MI[0] = 7
	m.DistributedSAK = eapol.DistributedSAK{Present: true, KN: 1}
	w.cp.latest = &key{ki: eapol.KI{MI: m.Basic.MI, KN: 1}, owner: p}
	if !p.distributesOurs(&m, &decision{}) {
		t.Error("the key server's is not")
	}
	if p.distributesOurs(&m, &decision{ignored: true}) {
		t.Error("that of somebody else is")
	}
	m.DistributedSAK.Present = false
	if p.distributesOurs(&m, &decision{}) {
		t.Error("none is")
	}
}

// Clause: 802.1X-2020 9.14: without a principal participant there is nobody who could use a key
// Requirement: R100
func TestWithoutAPrincipalNobodyUsesAKey(t *testing.T) {
	var none *participant
	if none.anyTransmitting(eapol.KI{}) {
		t.Error("somebody does")
	}
}

// Clause: 802.1X-2020 9.4.3: an MN proves nothing once it is Life Time old
// Requirement: R46
func TestMessageNumberIsRecentForLessThanLifeTime(t *testing.T) {
	p := &participant{kay: &KaY{}, mn: 9}
	p.ages[0] = age{mn: 4, at: 1}
	if got := p.oldestRecent(Time(LifeTime)); got != 4 {
		t.Errorf("%d just before Life Time, want 4", got)
	}
	if got := p.oldestRecent(Time(LifeTime) + 1); got != 9 {
		t.Errorf("%d at Life Time, want 9", got)
	}
}

// Clause: 802.1X-2020 9.10: the lowest PN is the newest that was next a bounded hello ago, however often it is sampled
// Requirement: R85
func TestLowestPNIsTheNewestSampleOfAHelloAgo(t *testing.T) {
	y := &key{suite: secy.GCMAES128}
	start := Time(time.Hour)
	pnAt := func(d time.Duration) secy.PN { return secy.PN(1000 + d/time.Millisecond) }
	const step, age = 20 * time.Millisecond, BoundedHelloTime - MinGap
	for d := time.Duration(0); d < 5*time.Second; d += step {
		y.nextPN = pnAt(d)
		y.sample(start.Add(d))
		got := y.lowestPN(start.Add(d))
		switch {
		case d < age && got != 1:
			t.Fatalf("%d after %v, want 1", got, d)
		case d >= age && (got > pnAt(d-age) || got < pnAt(d-age-sampleGap)):
			t.Fatalf("%d after %v, want %d, or what was sampled %v before", got, d, pnAt(d-age), sampleGap)
		}
	}
	y.nextPN = y.suite.MaxPN()
	y.sample(start.Add(time.Hour))
	if got := y.lowestPN(start.Add(2 * time.Hour)); got != y.suite.MaxPN() {
		t.Errorf("%d when all are used", got)
	}
}

// Clause: 802.1X-2020 9.10.1, Figure 11-14: only an XPN has an upper half
// Requirement: R87
func TestKeyUseHasAnUpperHalfForXPNOnly(t *testing.T) {
	for suite, want := range map[secy.CipherSuite]uint32{secy.GCMAES128: 0, secy.GCMAESXPN128: 5} {
		y := &key{suite: suite, lpn: 5<<32 | 7}
		u, high := keyUseOf(1, y, true, false)
		if high != want || !u.Tx || u.Rx {
			t.Errorf("%s: upper half %d, want %d; %+v", suite, high, want, u)
		}
	}
}

// Clause: 802.1X-2020 11.11.3: the XPN set goes out beside an XPN SAK, also while another suite is in service
// Requirement: R87
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
// Requirement: R73
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
// Requirement: R72
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
// Requirement: R117
func TestPeersFillTheMTUToTheLastThatFits(t *testing.T) {
	for mtu := 500; mtu < 1700; mtu++ {
		n := peersFor(mtu)
		if room := mtu + 14 - fullMKPDU(t, n).Len(); room < 0 {
			t.Errorf("MTU %d: with %d peers it is exceeded by %d", mtu, n, -room)
		}
		if room := mtu + 14 - fullMKPDU(t, n+1).Len(); n < maxPeers && room >= 0 {
			t.Errorf("MTU %d: one more than %d peers would fit, %d octets over", mtu, n, room)
		}
	}
	if peersFor(0) != peersFor(1500) || peersFor(1) != 1 {
		t.Errorf("%d peers without an MTU, %d with none to speak of; want %d and 1", peersFor(0), peersFor(1), peersFor(1500))
	}
}

// fullMKPDU has every set that we send at its longest, and so many peers.
func fullMKPDU(t *testing.T, peers int) *eapol.MKPDU {
	t.Helper()
	ckn, err := keyderive.NewCKN(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	m := &eapol.MKPDU{Basic: eapol.Basic{CKN: ckn}, SAKUse: eapol.SAKUse{Present: true}, ICVIndicator: true}
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
// Requirement: R120
func TestEventKindsHaveNames(t *testing.T) {
	for k := range NumEvents + 2 {
		named := EventKind(k).String() != ""
		numbered := bytes.HasPrefix([]byte(EventKind(k).String()), []byte("EventKind("))
		if inside := k > 0 && k < NumEvents; !named || numbered == inside {
			t.Errorf("%d is %q", k, EventKind(k))
		}
	}
}

// Clause: 802.1X-2020 Figure 12-2, INIT
// Requirement: R95
func TestINITForgetsTheSAKThatWasToComeAndWhoDistributed(t *testing.T) {
	w := newCPWorld().in(cpTransmitting)
	w.chgdServer()
	w.cp.server = cpPeerSCI
	w.linkUp = false
	var out Output
	w.runCP(1, &out)
	if c := &w.cp; c.next != nil || c.chgdServer || c.server != 0 {
		t.Errorf("next %v, chgdServer %t, server %s", c.next, c.chgdServer, c.server)
	}
}

// Clause: 802.1X-2020 Figure 12-2, ALLOWED and AUTHENTICATED: traffic in clear makes no valid port
// Requirement: R91
func TestPortThatIsInClearIsNotValid(t *testing.T) {
	for s, c := range map[cpState]connect{cpAllowed: connectUnauthenticated, cpAuthenticated: connectAuthenticated} {
		w := newCPWorld()
		w.cp.portValid = true
		w.cp.state = s
		var out Output
		w.enterCP(1, &out)
		if w.cp.portValid || !w.cp.controlledPort || w.cp.protect || w.isSecured() {
			t.Errorf("%s, connect %d: %+v", s, c, w.cp)
		}
	}
}

// Clause: 802.1X-2020 9.8; decision on suites: who has taken none is given two Life Times before it starts over
// Requirement: R73
func TestListOfSuitesStartsOverTwoLifeTimesLater(t *testing.T) {
	w := newCPWorld()
	p := w.principal
	p.offer = &offer{key: cpKey(1, 0), judged: true, judgeAt: 3}
	w.peer.version = mkaVersion
	var out Output
	if p.judgeOffer(2, &out); p.offer.again || len(out.Events) > 0 {
		t.Fatal("judged before its time")
	}
	p.judgeOffer(3, &out)
	if want := Time(3).Add(2 * LifeTime); !p.offer.again || p.offer.judgeAt != want || w.peer.refused != 0 {
		t.Errorf("again %t at %d, want %d; refused %b", p.offer.again, p.offer.judgeAt, want, w.peer.refused)
	}
	p.judgeOffer(p.offer.judgeAt, &out)
	if p.sakWanted == "" || p.offer.judgeAt != never {
		t.Errorf("SAK wanted %q, judged again at %d", p.sakWanted, p.offer.judgeAt)
	}
}

// Clause: 802.1X-2020 9.8, 12.4: a member that is heard only now is received, once, whoever else has its SCI
// Requirement: R75
func TestReceiveSAsAreMadeForTheMemberThatIsHeard(t *testing.T) {
	a, b := eapol.MI{1}, eapol.MI{2}
	for _, c := range []struct {
		name    string
		members []member
		want    int
	}{
		{"it is a member", []member{{mi: a}, {mi: b, sci: 7}}, 1},
		{"another is", []member{{mi: b}}, 0},
		{"it was heard before", []member{{mi: a, sci: 8}}, 0},
		{"its SCI is another's", []member{{mi: a}, {mi: b, sci: 9}}, 0},
	} {
		w := newCPWorld().in(cpTransmitting)
		w.cp.old, w.cp.latest.members = nil, c.members
		var out Output
		if w.openChannel(w.principal, a, 9, &out); count(out.Ops, secy.OpCreateReceiveSA) != c.want {
			t.Errorf("%s: %v", c.name, out.Ops)
		}
	}
}

// Clause: none; the words are those of the configuration
func TestRolesAndPoliciesHaveTheNamesOfTheConfiguration(t *testing.T) {
	for want, got := range map[string]string{
		"primary": Primary.String(), "fallback": Fallback.String(),
		"must-secure": MustSecure.String(), "should-secure": ShouldSecure.String(),
		"INIT": cpInit.String(), "RETIRE": cpRetire.String(),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Clause: none; design: a driver that misuses the machine is told, and has changed nothing
// Requirement: R122
func TestInputOfNoKindIsAnError(t *testing.T) {
	w := newCPWorld()
	w.linkUp = false
	var out Output
	if err := w.Step(1, nil, &out); err != errUnknownInput {
		t.Errorf("error %v", err)
	}
}

// Clause: 802.1X-2020 12.5, Figure 12-2: secured are those whose traffic is protected, in each state of an exchange
// Requirement: R91
func TestPortIsSecuredWhileAKeyTransmitsOverAnOpenPort(t *testing.T) {
	for _, c := range []struct {
		name  string
		state cpState
		set   func(c *cp)
		want  bool
	}{
		{"transmitting", cpTransmitting, func(*cp) {}, true},
		{"the old key transmits", cpReceiving, func(c *cp) { c.otx = true }, true},
		{"no key transmits", cpReceiving, func(*cp) {}, false},
		{"the old key is all there is", cpRetire, func(*cp) {}, true},
		{"no key is left", cpRetire, func(c *cp) { c.old = nil }, false},
		{"the Controlled Port is closed", cpTransmitting, func(c *cp) { c.controlledPort = false }, false},
		{"the port is not valid", cpTransmitting, func(c *cp) { c.portValid = false }, false},
	} {
		w := newCPWorld().in(c.state)
		w.cp.portValid = true
		if c.set(&w.cp); w.isSecured() != c.want {
			t.Errorf("%s: secured %t", c.name, !c.want)
		}
		if want := w.cp.old; c.state != cpTransmitting && w.inService() != want || c.state == cpTransmitting && w.inService() != w.cp.latest {
			t.Errorf("%s: %v is in service", c.name, w.inService())
		}
	}
}

// Clause: 802.1X-2020 9.5: the same key server with another priority is no change
// Requirement: R54
func TestKeyServerThatChangesItsPriorityStaysKeyServer(t *testing.T) {
	w := newCPWorld()
	p := w.principal
	w.cfg.KeyServerPriority = 16
	p.server = candidate{cpOwnSCI, 9}
	p.offer, p.sakWanted = &offer{key: cpKey(1, 0)}, "kept"
	var out Output
	p.elect(&out)
	if p.server != (candidate{cpOwnSCI, 16}) || p.offer == nil || p.sakWanted != "kept" || p.newInfo || len(out.Events) != 0 {
		t.Errorf("server %v, SAK wanted %q, events %v", p.server, p.sakWanted, out.Events)
	}
}

// Clause: 802.1X-2020 12.4, serverTransmitting: only the key server's own report counts
// Requirement: R75
func TestOnlyTheKeyServersReportIsServerTransmitting(t *testing.T) {
	w := newCPWorld().in(cpReady)
	p := w.principal
	w.reports(keyUse{tx: true})
	ki := w.cp.latest.ki
	if p.serverTransmitting(ki) {
		t.Error("another's report counts")
	}
	w.follower()
	if !p.serverTransmitting(ki) {
		t.Error("the key server's report does not count")
	}
	if w.peer.live = false; p.serverTransmitting(ki) {
		t.Error("a key server that is not live counts")
	}
}

// Clause: 802.1X-2020 11.12.3: an announced suite that nobody knows is no suite
// Requirement: R34
func TestUnknownAnnouncedSuitesAreNone(t *testing.T) {
	a := eapol.Announcement{Suites: []eapol.AnnouncedSuite{{Suite: 1}, {Suite: secy.GCMAES256}}}
	set := announcedSuites(&a)
	for _, suite := range secy.CipherSuites {
		if set.has(suite) != (suite == secy.GCMAES256) {
			t.Errorf("%s: announced %t", suite, set.has(suite))
		}
	}
	if set.has(1) {
		t.Error("the unknown suite is announced")
	}
}

// Clause: 802.1AE-2018 10.7.13: SSCIs go by SCI, the greatest first, whatever the order of the peers
// Requirement: R96
func TestSSCIsAreNumberedByDescendingSCI(t *testing.T) {
	y := &key{suite: secy.GCMAESXPN128, members: []member{{sci: 20}, {sci: 40}, {sci: 10}}}
	y.assignSSCIs(30)
	if want := []member{{sci: 40, ssci: 1}, {sci: 20, ssci: 3}, {sci: 10, ssci: 4}}; y.ssci != 2 || !slices.Equal(y.members, want) {
		t.Errorf("own %d, members %+v", y.ssci, y.members)
	}
}

// Clause: 802.1X-2020 11.11.3, MKA version 3: the order of the Live list is that of the SSCIs, the key server's left out
// Requirement: R97
func TestSSCIsFollowTheLiveListAroundTheKeyServersOwn(t *testing.T) {
	own, other, server := eapol.MI{1}, eapol.MI{2}, eapol.MI{3}
	p := &participant{kay: &KaY{}, mi: own}
	for at, want := range map[uint8][3]secy.SSCI{1: {3, 2, 1}, 2: {3, 1, 2}, 3: {2, 1, 3}} { // own, other, server
		y := &key{suite: secy.GCMAESXPN128, members: []member{{mi: server}, {mi: other}}}
		m := &eapol.MKPDU{Live: eapol.PeerList{KeyServerSSCI: at, Peers: []eapol.ListedPeer{{MI: other}, {MI: own}}}}
		p.orderSSCIs(y, m)
		if got := [3]secy.SSCI{y.ssci, y.members[1].ssci, y.members[0].ssci}; got != want {
			t.Errorf("key server at %d: %v, want %v", at, got, want)
		}
	}
}

// Clause: 802.1X-2020 11.1: another EtherType, where the network between needs one
// Requirement: R1
func TestMKPDUsGoOutWithTheEtherTypeThatIsHeard(t *testing.T) {
	k := &KaY{}
	if got := k.etherType(); got != eapol.EtherType {
		t.Errorf("%#x", got)
	}
	if k.cfg.Acceptance.EtherType = 0x876f; k.etherType() != 0x876f {
		t.Errorf("%#x", k.etherType())
	}
}

// Clause: 802.1X-2020 9.9: the next AN that no key has, all round
// Requirement: R68
func TestFreeANIsTheNextThatNoKeyHas(t *testing.T) {
	for _, c := range []struct{ last, latest, old, want secy.AN }{
		{0, 9, 9, 1}, {3, 9, 9, 0}, {0, 1, 9, 2}, {0, 9, 1, 2}, {0, 1, 2, 3}, {2, 3, 0, 1}, {1, 2, 2, 3},
	} {
		w := newCPWorld()
		w.lastAN = c.last
		w.cp.latest, w.cp.old = cpKey(1, c.latest), cpKey(2, c.old)
		if got := w.freeAN(); got != c.want {
			t.Errorf("after %d, with %d and %d taken: %d, want %d", c.last, c.latest, c.old, got, c.want)
		}
	}
}

// Clause: none; design: SAKs that were used are remembered, for the last 64 key servers
// Requirement: R77
func TestUsedSAKsAreRememberedBoundedly(t *testing.T) {
	var u usedKeys
	ki := func(server, kn int) eapol.KI { return eapol.KI{MI: eapol.MI{1, byte(server)}, KN: eapol.KN(kn)} }
	ckn, err := keyderive.NewCKN([]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	add := func(server, kn int) { u.add(ckn, ki(server, kn)) }
	has := func(server, kn int) bool { return u.has(ckn, ki(server, kn)) }
	for server := range maxUsedKeys {
		add(server, 5)
	}
	add(0, 3) // never lower than before
	for server := range maxUsedKeys {
		if !has(server, 5) || !has(server, 1) || has(server, 6) {
			t.Errorf("key server %d: %t %t %t", server, has(server, 5), has(server, 1), has(server, 6))
		}
	}
	add(maxUsedKeys, 1)
	if has(1, 5) || !has(0, 5) || !has(2, 5) || !has(maxUsedKeys, 1) {
		t.Error("another than the longest unused gave way")
	}
	if u.has(keyderive.CKN{}, ki(0, 4)) || !u.has(keyderive.CKN{}, ki(0, 5)) {
		t.Error("of another CA more than the KI itself counts, or not even that")
	}
	if u.add(keyderive.CKN{}, ki(1, 2)); !u.has(ckn, ki(1, 2)) {
		t.Error("a KI of a CA that is not known does not count in each")
	}
	for n := range maxUsedKeys + 1 {
		u.addSAK(keyderive.Fingerprint{1, byte(n)})
	}
	if u.hasSAK(keyderive.Fingerprint{1, 0}) || !u.hasSAK(keyderive.Fingerprint{1, 1}) || !u.hasSAK(keyderive.Fingerprint{1, maxUsedKeys}) {
		t.Error("another SAK than the oldest gave way")
	}
}

// Clause: 802.1X-2020 Figure 12-2, RECEIVING and TRANSMITTING: what the SecY has told counts once
// Requirement: R91
func TestReportsOfTheSecYAreUsedUp(t *testing.T) {
	w := newCPWorld().in(cpReceive)
	c := &w.cp
	c.usingReceiveSAs, c.usingTransmitSA, c.otx, c.orx, c.retries, c.retryAt = true, true, true, true, 3, 9
	var out Output
	c.state = cpReceiving
	w.enterCP(1, &out)
	if c.usingReceiveSAs || !c.lrx || c.transmitAt != Time(1).Add(LifeTime) {
		t.Errorf("RECEIVING: %+v", c)
	}
	c.state = cpTransmitting
	w.enterCP(1, &out)
	if c.usingTransmitSA || c.otx || !c.orx || c.retries != 0 || c.retryAt != never || c.retireAt != Time(1).Add(SAKRetireTime) {
		t.Errorf("TRANSMITTING: %+v", c)
	}
	if !w.principal.newInfo {
		t.Error("the peers are not told at once")
	}
}

// Clause: none; design: keys are wiped when dropped
// Requirement: R121
func TestKeysOfARemovedParticipantAreWiped(t *testing.T) {
	cak, err := keyderive.NewCAK(bytes.Repeat([]byte{1, 2}, 8))
	if err != nil {
		t.Fatal(err)
	}
	ckn, err := keyderive.NewCKN([]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	k, err := New(Config{SCI: cpOwnSCI, CipherSuites: []secy.CipherSuite{secy.GCMAES128}, Rand: bytes.NewReader(make([]byte, 100))})
	if err != nil {
		t.Fatal(err)
	}
	var out Output
	if err := k.Step(0, ParticipantAdded{CKN: ckn, CAK: cak}, &out); err != nil {
		t.Fatal(err)
	}
	p := k.participants[0]
	if err := k.Step(0, ParticipantRemoved{CKN: ckn}, &out); err != nil {
		t.Fatal(err)
	}
	// A wiped key stands for no key: nothing is made with it, and nothing verifies.
	if !p.cak.IsZero() || !p.ick.IsZero() || !p.kek.IsZero() {
		t.Errorf("CAK wiped %t, ICK %t, KEK %t", p.cak.IsZero(), p.ick.IsZero(), p.kek.IsZero())
	}
}

// Clause: none; design: an Output that is used again holds no key of before
// Requirement: R121
func TestResetForgetsTheKeysOfOps(t *testing.T) {
	sak, err := keyderive.NewSAK(make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	var out Output
	out.op(secy.Op{Kind: secy.OpCreateTransmitSA, SAK: sak})
	was := out.Ops
	out.Reset()
	if !was[0].SAK.IsZero() || len(out.Ops) != 0 {
		t.Error("the SAK is still there")
	}
}

// Clause: 802.1X-2020 9.5, 9.8: with the office go the reason for a SAK and the wait for one
// Requirement: R54
func TestAnotherKeyServerTakesWhatWasWanted(t *testing.T) {
	w := newCPWorld()
	p := w.principal
	w.cfg.KeyServerPriority = 16
	p.server, p.sakWanted, p.unserved, p.offer = candidate{cpOwnSCI, 16}, "wanted", true, &offer{key: cpKey(1, 0)}
	w.peer.keyServer, w.peer.priority = true, 1
	var out Output
	p.elect(&out)
	if p.server.sci != cpPeerSCI || p.sakWanted != "" || p.unserved || p.offer != nil || !p.newInfo {
		t.Errorf("server %v, SAK wanted %q, unserved %t, offer %v, news %t", p.server, p.sakWanted, p.unserved, p.offer, p.newInfo)
	}
}

// Clause: 802.1X-2020 9.10.1: a key server drives its port by another participant, or not at all
// Requirement: R100, R102
func TestKeyServerAbandonsAParticipantByItsReportOrBySilence(t *testing.T) {
	const late = HelloTime + HelloTime/8
	using := [2]keyUse{{ki: cpKey(1, 0).ki}}
	for _, c := range []struct {
		name string
		edit func(q *peer)
		now  Time
		want bool
	}{
		{"it uses the latest key", func(q *peer) { q.use = using }, 0, false},
		{"it uses the old key", func(q *peer) { q.use = [2]keyUse{{}, using[0]} }, 0, false},
		{"it uses none", func(*peer) {}, 0, true},
		{"its hello may come", func(q *peer) { q.use = using }, Time(late - 1), false},
		{"its hello is late", func(q *peer) { q.use = using }, Time(late), true},
		{"it is not live", func(q *peer) { q.use, q.live = using, false }, 0, true},
	} {
		w := newCPWorld()
		w.follower()
		c.edit(w.peer)
		if got := w.principal.abandoned(c.now); got != c.want {
			t.Errorf("%s: abandoned %t", c.name, got)
		}
	}
}

// Clause: 802.1X-2020 9.8: a SAK that nothing was done with may come again; one that was put to use may not
// Requirement: R77, R116
func TestSAKOnItsWayInIsForgottenOnlyIfUnused(t *testing.T) {
	for _, c := range []struct {
		holding secy.Holding
		tx      bool
		want    bool // it is remembered as used
	}{
		{secy.Holding{}, false, false},
		{secy.Holding{Used: true}, false, true},
		{secy.Holding{}, true, true},
		{secy.Holding{Used: true}, true, true},
		{secy.Holding{Complete: true}, false, true},
	} {
		w := newCPWorld()
		y := cpKey(2, 1)
		y.ki.KN, y.name = 7, keyderive.Fingerprint{1}
		w.used.add(keyderive.CKN{}, y.ki)
		w.used.addSAK(y.name)
		var out Output
		w.resumeLatest(y, &KeyState{Tx: c.tx}, c.holding, &out)
		if w.used.hasSAK(y.name) != c.want || w.used.has(keyderive.CKN{}, y.ki) != c.want {
			t.Errorf("%+v, said to transmit: %t: remembered %t", c.holding, c.tx, w.used.hasSAK(y.name))
		}
		if in := w.cp.state == cpReceive && w.cp.latest == y; in != c.holding.Complete {
			t.Errorf("%+v: CP is in %v", c.holding, w.cp.state)
		}
	}
}

// Clause: none; samples are kept at their least distance, not farther apart
func TestSampleIsKeptAtTheLeastDistance(t *testing.T) {
	y := &key{suite: secy.GCMAES128}
	for _, c := range []struct {
		after time.Duration
		want  int // how many are kept
	}{{0, 1}, {sampleGap - 1, 1}, {sampleGap, 2}, {2*sampleGap - 1, 2}, {2 * sampleGap, 3}} {
		y.nextPN++
		y.sample(Time(time.Hour).Add(c.after))
		kept := 0
		for _, s := range y.samples {
			if s.pn != 0 {
				kept++
			}
		}
		if kept != c.want {
			t.Errorf("%d samples after %v, want %d", kept, c.after, c.want)
		}
	}
}

// Clause: 802.1X-2020 9.8; design: a SAK that is distributed to a port that does not follow is wiped like all others
// Requirement: R77, R121
func TestSAKThatIsNotTakenIsWiped(t *testing.T) {
	k, err := New(Config{SCI: cpOwnSCI, Settings: Settings{KeyServerPriority: 16}, Capability: secy.CapabilityOffsets, CipherSuites: []secy.CipherSuite{secy.GCMAES128},
		Rand: bytes.NewReader(make([]byte, 1<<10))})
	if err != nil {
		t.Fatal(err)
	}
	ckn, err := keyderive.NewCKN([]byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	cakOf := func() keyderive.CAK {
		cak, err := keyderive.NewCAK(bytes.Repeat([]byte{3}, 16))
		if err != nil {
			t.Fatal(err)
		}
		return cak
	}
	ick, kek := keyderive.DeriveICK(cakOf(), ckn), keyderive.DeriveKEK(cakOf(), ckn)
	var out Output
	for _, in := range []Input{ParticipantAdded{CKN: ckn, CAK: cakOf(), Standby: true}, LinkChanged{Up: true}} {
		if err := k.Step(1, in, &out); err != nil {
			t.Fatal(err)
		}
	}
	sak, err := keyderive.NewSAK(bytes.Repeat([]byte{7}, 16))
	if err != nil {
		t.Fatal(err)
	}
	p := k.participants[0]
	m := &eapol.MKPDU{DA: eapol.PAEGroup, EtherType: eapol.EtherType, EAPOLVersion: 3, Basic: eapol.Basic{MKAVersion: 1, KeyServer: true, MACsecDesired: true,
		Capability: secy.CapabilityOffsets, SCI: cpPeerSCI, MI: eapol.MI{9}, MN: 1, AlgorithmAgility: eapol.AlgorithmAgility, CKN: ckn}}
	m.Live = eapol.PeerList{Present: true, Peers: []eapol.ListedPeer{{MI: p.mi, MN: p.mn}}}
	m.DistributedSAK = eapol.DistributedSAK{Present: true, AN: 1, KN: 1, Offset: secy.Offset0, Suite: secy.GCMAES128, Wrapped: kek.Wrap(nil, sak)}
	frame := m.AppendTo(nil)
	icv := ick.Sum(frame)
	if err := k.Step(2, FrameReceived{Frame: append(frame, icv[:]...)}, &out); err != nil {
		t.Fatal(err)
	}
	if k.received != 1 || k.newest() != nil {
		t.Fatalf("%d MKPDUs are accepted, and the key is %v", k.received, k.newest())
	}
	if len(k.doomed) != 1 {
		t.Fatalf("%d keys are to be wiped, want the one that was not taken", len(k.doomed))
	}
	octets := k.doomed[0].sak.Octets()
	if k.Tick(3, &out); !isWiped(octets) {
		t.Error("it is kept")
	}
}

package mka_test

import (
	"testing"
	"time"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// ckn and cak name and make the key of the CA that most tests need.
const ckn = "0001"

func cak() keyderive.CAK { return mkatest.CAK(1, 16) }

// A world is a LAN under the eyes of a checker.
type world struct {
	*mkatest.LAN
	t     *testing.T
	check *mkatest.Checker
}

func newWorld(t *testing.T) *world {
	lan := mkatest.New(1)
	return &world{LAN: lan, t: t, check: mkatest.Check(lan, t)}
}

// kay adds the n-th KaY and brings its link up.
func (w *world) kay(n int, edit ...func(*mka.Config)) *mkatest.Member {
	cfg := mkatest.Config(n)
	for _, f := range edit {
		f(&cfg)
	}
	m := w.Add("kay "+string(rune('0'+n)), cfg)
	m.Up(ckn, cak())
	return m
}

// peer adds a silent scripted peer with the SCI of the n-th.
func (w *world) peer(n int) *mkatest.Peer { return w.AddPeer(n, ckn, cak()) }

// until lets time pass until what is said holds.
func (w *world) until(what string, d time.Duration, holds func() bool) {
	w.t.Helper()
	if !w.RunUntil(d, holds) {
		w.t.Fatalf("not within %v: %s", d, what)
	}
}

// serving is a KaY that is key server of a scripted follower, both transmitting.
func serving(t *testing.T, edit ...func(*mka.Config)) (*world, *mkatest.Member, *mkatest.Peer) {
	t.Helper()
	w := newWorld(t)
	m, p := w.kay(2, edit...), w.peer(1)
	if !p.Follow(m) {
		t.Fatalf("not secured with a follower: %+v", m.Status())
	}
	return w, m, p
}

// following is a KaY that follows a scripted key server, both transmitting with a SAK of the suite.
func following(t *testing.T, suite secy.CipherSuite, edit ...func(*mka.Config)) (*world, *mkatest.Member, *mkatest.Peer) {
	t.Helper()
	w := newWorld(t)
	m, p := w.kay(2, edit...), w.peer(1)
	if !p.Serve(m, suite) {
		t.Fatalf("not secured with a key server: %+v", m.Status())
	}
	return w, m, p
}

// group is n KaYs that are connected.
func group(t *testing.T, n int, edit ...func(*mka.Config)) (*world, []*mkatest.Member) {
	t.Helper()
	w := newWorld(t)
	for i := range n {
		w.kay(i+1, edit...)
	}
	w.connected(w.Members...)
	return w, w.Members
}

// settleTime is within which a group is connected after whatever has happened to it: old peers expire, and a SAK may
// have to wait for Life Time.
const settleTime = 2*mka.LifeTime + 2*mka.HelloTime

// connected gives the members settleTime, and then wants them connected.
func (w *world) connected(members ...*mkatest.Member) {
	w.t.Helper()
	w.Run(settleTime)
	w.check.Connected(members...)
}

// Ways to alter a configuration.

func suites(list ...secy.CipherSuite) func(*mka.Config) {
	return func(c *mka.Config) { c.CipherSuites = list }
}

func priority(p uint8) func(*mka.Config) {
	return func(c *mka.Config) { c.KeyServerPriority = p }
}

func offset(o secy.ConfidentialityOffset) func(*mka.Config) {
	return func(c *mka.Config) { c.Offset = o }
}

func shouldSecure(c *mka.Config) { c.Policy = mka.ShouldSecure }

func delayProtect(c *mka.Config) { c.DelayProtect = true }

// Ways to alter an MKPDU.

// listing makes the lists say only that (mi, mn) was heard.
func listing(mi eapol.MI, mn eapol.MN) func(*eapol.MKPDU) {
	return func(m *eapol.MKPDU) {
		m.Live = eapol.PeerList{}
		m.Potential = eapol.PeerList{Present: true, Peers: []eapol.ListedPeer{{MI: mi, MN: mn}}}
	}
}

// listingLive is listing in the Live Peer List.
func listingLive(mi eapol.MI, mn eapol.MN) func(*eapol.MKPDU) {
	return func(m *eapol.MKPDU) {
		listing(mi, mn)(m)
		m.Live, m.Potential = m.Potential, eapol.PeerList{}
	}
}

// listingNobody leaves both lists out.
func listingNobody(m *eapol.MKPDU) { m.Live, m.Potential = eapol.PeerList{}, eapol.PeerList{} }

// peerOf is what the KaY's first participant knows of the peer with the SCI.
func peerOf(m *mkatest.Member, sci secy.SCI) (mka.PeerStatus, bool) {
	for _, q := range m.Status().Participants[0].Peers {
		if q.SCI == sci {
			return q, true
		}
	}
	return mka.PeerStatus{}, false
}

func isLive(m *mkatest.Member, sci secy.SCI) bool {
	q, _ := peerOf(m, sci)
	return q.Live
}

// mnOf is the last MN that the KaY's first participant has sent.
func mnOf(m *mkatest.Member) eapol.MN { return m.Status().Participants[0].MN }

// wantDiscard wants what f does to m to be one discard for the reason.
func wantDiscard(t *testing.T, m *mkatest.Member, reason eapol.Discard, f func()) {
	t.Helper()
	wantDiscards(t, m, reason, 1, f)
}

// wantDiscards wants so many discards for the reason.
func wantDiscards(t *testing.T, m *mkatest.Member, reason eapol.Discard, want uint64, f func()) {
	t.Helper()
	before := m.Discards(reason)
	f()
	if got := m.Discards(reason) - before; got != want {
		t.Errorf("%d frames discarded for %q, want %d", got, reason, want)
	}
}

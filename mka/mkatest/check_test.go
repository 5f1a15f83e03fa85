package mkatest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// A recorder takes a checker's complaints instead of failing the test.
type recorder struct {
	testing.TB
	said []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.said = append(r.said, fmt.Sprintf(format, args...))
}

// A scene is two secured members, their checker, and a scripted peer that has said nothing.
type scene struct {
	*mkatest.LAN
	check *mkatest.Checker
	a, b  *mkatest.Member // a is key server
	p     *mkatest.Peer
}

func newScene(r *recorder) *scene {
	lan := mkatest.New(1)
	s := &scene{LAN: lan, check: mkatest.Check(lan, r)}
	s.a, s.b = lan.Add("a", mkatest.Config(1)), lan.Add("b", mkatest.Config(2))
	for _, m := range lan.Members {
		m.Up("ca", mkatest.CAK(1, 16))
	}
	s.p = lan.AddPeer(3, "ca", mkatest.CAK(1, 16))
	lan.Run(10 * time.Second)
	return s
}

// nextKey is the name of a key that a could make.
func (s *scene) nextKey() secy.KeyID { return eapol.KI{MI: s.a.MI(), KN: 99}.KeyID() }

func sak(octet byte) keyderive.SAK {
	k, err := keyderive.NewSAK(slices.Repeat([]byte{octet}, 32))
	if err != nil {
		panic(err)
	}
	return k
}

// Clause: none; a checker that sees nothing proves nothing.
func TestCheckerSeesWhatMayNotBe(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(s *scene)
		want  string
	}{
		"two SAKs of one KI": {func(s *scene) {
			s.Order(s.a, secy.Op{Kind: secy.OpCreateTransmitSA, Key: s.a.SecY.Tx, SAK: sak(9)})
		}, "another SAK"},
		"one SSCI for two SCIs": {func(s *scene) {
			s.Order(s.a, secy.Op{Kind: secy.OpCreateReceiveSA, Key: s.nextKey(), SCI: 7, SSCI: 1, SAK: sak(9)})
			s.Order(s.a, secy.Op{Kind: secy.OpCreateReceiveSA, Key: s.nextKey(), SCI: 8, SSCI: 1, SAK: sak(9)})
		}, "it is that of"},
		"a receive SA with another SSCI": {func(s *scene) {
			for i := range s.b.SecY.SAs {
				s.b.SecY.SAs[i].SSCI++
			}
			s.check.Agree(s.a, s.b)
		}, "receives"},
		"a receive SA with another SAK": {func(s *scene) {
			for i := range s.b.SecY.SAs {
				s.b.SecY.SAs[i].SAK[0]++
			}
			s.check.Agree(s.a, s.b)
		}, "receives"},
		"a dead direction": {func(s *scene) {
			s.b.SecY.SAs = slices.DeleteFunc(s.b.SecY.SAs, func(a mkatest.SA) bool { return a.SCI == s.a.SCI() })
			s.check.Connected(s.a, s.b)
		}, "cannot receive"},
		"a receive SA that is not in use": {func(s *scene) {
			for i := range s.b.SecY.SAs {
				s.b.SecY.SAs[i].On = false
			}
			s.check.Connected(s.a, s.b)
		}, "cannot receive"},
		"a closed Controlled Port": {func(s *scene) {
			s.b.SecY.Enabled = false
			s.check.Connected(s.a, s.b)
		}, "Controlled Port false"},
		"a key server that transmits too early": {func(s *scene) {
			s.Order(s.a, secy.Op{Kind: secy.OpCreateTransmitSA, Key: s.nextKey(), SAK: sak(9)})
			s.Order(s.a, secy.Op{Kind: secy.OpEnableReceive, Key: s.nextKey()})
			s.Order(s.a, secy.Op{Kind: secy.OpEnableTransmit, Key: s.nextKey()})
		}, "which b cannot receive"},
		"a follower that transmits before its key server": {func(s *scene) {
			s.Order(s.a, secy.Op{Kind: secy.OpCreateTransmitSA, Key: s.nextKey(), SAK: sak(9)})
			s.Order(s.b, secy.Op{Kind: secy.OpEnableTransmit, Key: s.nextKey()})
		}, "before its key server"},
		"a Controlled Port open in clear": {func(s *scene) {
			s.a.SecY.Settings.ProtectFrames = false
			s.Order(s.a, secy.Op{Kind: secy.OpControlledPort, Enabled: true})
		}, "in clear"},
		"a Message Number twice": {func(s *scene) {
			frame := s.p.Next()
			s.Tap(s.a, frame)
			s.Tap(s.a, frame)
		}, "sends MN"},
		"a member that lists itself": {func(s *scene) {
			s.Tap(s.a, s.p.Next(func(m *eapol.MKPDU) { m.Live.Peers[0].MI = s.p.MI; m.Live.Present = true }))
		}, "or itself"},
		"an XPN SAK beside another Live list": {func(s *scene) {
			for _, o := range s.p.Others {
				o.Lists = true
			}
			s.p.Generate(secy.GCMAESXPN128, secy.Offset0)
			s.Tap(s.a, s.p.Next())
			s.p.Others = s.p.Others[:1]
			s.Tap(s.a, s.p.Next())
		}, "another Live list"},
		"a lowest PN above the true one": {func(s *scene) {
			report := secy.Report{Kind: secy.ReportPN, Key: s.a.SecY.Tx, PN: 100}
			s.a.MustStep(mka.SecYReported{Report: report})
			s.Run(2 * mka.HelloTime) // what is told is a hello old
		}, "lowest PN 100"},
		"a frame that is no MKPDU": {func(s *scene) { s.Tap(s.a, []byte{1, 2, 3}) }, "no MKPDU"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{TB: t}
			s := newScene(r)
			s.check.Connected(s.a, s.b)
			if len(r.said) != 0 {
				t.Fatalf("said before anything was spoilt: %v", r.said)
			}
			for _, o := range s.p.Others { // so that it lists somebody as live
				o.Lists = true
			}
			c.spoil(s)
			if !strings.Contains(strings.Join(r.said, "\n"), c.want) {
				t.Errorf("said %q, want %q among it", r.said, c.want)
			}
		})
	}
}

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
		m.Traffic = true
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
			s.Order(s.a, secy.Op{Kind: secy.OpCreateReceiveSA, Key: s.nextKey(), SCI: s.b.SCI(), SAK: sak(9)})
			s.Order(s.a, secy.Op{Kind: secy.OpCreateTransmitSA, Key: s.nextKey(), SAK: sak(9)})
			s.Order(s.a, secy.Op{Kind: secy.OpEnableReceive, Key: s.nextKey()})
			s.Order(s.a, secy.Op{Kind: secy.OpEnableTransmit, Key: s.nextKey()})
		}, "which b cannot receive"},
		"a key server that transmits with a key dropped long ago": {func(s *scene) {
			s.Order(s.a, secy.Op{Kind: secy.OpCreateReceiveSA, Key: s.nextKey(), SCI: s.b.SCI(), SAK: sak(9)})
			s.Order(s.a, secy.Op{Kind: secy.OpCreateTransmitSA, Key: s.nextKey(), SAK: sak(9)})
			s.Order(s.b, secy.Op{Kind: secy.OpDeleteSAs, Key: s.nextKey()})
			s.Run(2 * mka.LifeTime)
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
		"two KIs of one SAK": {func(s *scene) {
			s.Order(s.a, secy.Op{Kind: secy.OpCreateTransmitSA, Key: s.nextKey(), SAK: sak(9)})
			s.Order(s.a, secy.Op{Kind: secy.OpCreateTransmitSA, Key: eapol.KI{MI: s.a.MI(), KN: 98}.KeyID(), SAK: sak(9)})
		}, "the SAK that was"},
		"a packet number twice": {func(s *scene) {
			s.a.SecY.PNs[s.a.SecY.Tx] = 1
			s.a.MustStep(mka.LinkChanged{Up: true})
		}, "sends PN 1 "},
		"a packet number twice in two lives": {func(s *scene) {
			was := s.a.SecY
			s.a.Restart()
			s.a.SecY = was
			s.a.SecY.PNs = map[secy.KeyID]secy.PN{was.Tx: 1}
			s.a.MustStep(mka.LinkChanged{})
		}, "sends PN 1 "},
		"a packet number of two senders with one SSCI": {func(s *scene) {
			for i := range s.b.SecY.SAs {
				s.b.SecY.SAs[i].SSCI = 3 - s.b.SecY.SAs[i].SSCI // there are 1 and 2
			}
			s.b.SecY.PNs[s.b.SecY.Tx] = 1
			s.b.MustStep(mka.LinkChanged{Up: true})
		}, "b sends PN 1 "},
		"a frame in clear": {func(s *scene) {
			s.a.SecY.Settings.ProtectFrames = false
			s.a.MustStep(mka.LinkChanged{Up: true})
		}, "sends a frame in clear"},
		"a Controlled Port that takes what is in clear": {func(s *scene) {
			s.a.SecY.Settings.ValidateFrames = secy.ValidateCheck
			s.Done(s.a)
		}, "open in clear"},
		"one that says it is secured and has no transmit SA": {func(s *scene) {
			s.a.SecY.Tx = secy.KeyID{}
			s.Done(s.a)
		}, "says that it is secured"},
		"a receive SC too many": {func(s *scene) {
			s.a.SecY.SCs = append(s.a.SecY.SCs, 1, 2, 3)
			s.a.SecY.Ops = append(s.a.SecY.Ops, secy.Op{})
			s.Done(s.a)
		}, "receive SCs for"},
		"SAs too many": {func(s *scene) {
			s.a.SecY.SAs = slices.Repeat(s.a.SecY.SAs, 10)
			s.a.SecY.Ops = append(s.a.SecY.Ops, secy.Op{})
			s.Done(s.a)
		}, "SAs for"},
		"peers too many": {func(s *scene) {
			s.check.MaxPeers = 0
			s.a.SecY.Ops = append(s.a.SecY.Ops, secy.Op{})
			s.Done(s.a)
		}, "keeps 1 peers"},
		"a key that it says to receive with": {func(s *scene) {
			s.Tap(s.a, s.p.Next(func(m *eapol.MKPDU) {
				m.SAKUse = eapol.SAKUse{Present: true, Latest: eapol.KeyUse{KI: eapol.KI{KN: 9}, Rx: true, LPN: 1}}
			}))
		}, "says that it receives"},
		"a key that it says to transmit with": {func(s *scene) {
			s.Tap(s.a, s.p.Next(func(m *eapol.MKPDU) {
				m.SAKUse = eapol.SAKUse{Present: true, Old: eapol.KeyUse{KI: eapol.KI{KN: 9}, Tx: true, LPN: 1}}
			}))
		}, "says that it transmits"},
		"a replay that was accepted": {func(s *scene) {
			s.Tap(s.a, s.p.Next())
			s.Tap(s.a, s.p.Next(func(m *eapol.MKPDU) { m.Live.Peers[0].MN-- }))
		}, "has heard MN"},
		"an MKPDU longer than the MTU": {func(s *scene) {
			s.Tap(s.a, s.p.Next(func(m *eapol.MKPDU) {
				for n := range byte(90) {
					m.Potential.Peers = append(m.Potential.Peers, eapol.ListedPeer{MI: eapol.MI{n}, MN: 1})
				}
				m.Potential.Present = true
			}))
		}, "the MTU is 1500"},
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

// Clause: 802.1X-2020 12.4 (allReceiving): a key server goes by what it was told
func TestCheckerExcusesAKeyServerThatCannotHaveHeard(t *testing.T) {
	r := &recorder{TB: t}
	s := newScene(r)
	s.Order(s.a, secy.Op{Kind: secy.OpCreateTransmitSA, Key: s.nextKey(), SAK: sak(9)})
	s.Order(s.a, secy.Op{Kind: secy.OpEnableReceive, Key: s.nextKey()})
	s.Order(s.b, secy.Op{Kind: secy.OpDeleteSAs, Key: s.nextKey()})
	s.Order(s.a, secy.Op{Kind: secy.OpEnableTransmit, Key: s.nextKey()})
	if len(r.said) != 0 {
		t.Errorf("said %v", r.said)
	}
}

// Clause: none; a group that is apart and is not seen to be would count as healed.
func TestApartSeesWhatKeepsAGroupApart(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(s *scene)
		want  string
	}{
		"a member that is not secured":      {func(s *scene) { s.a.Restart() }, "a is not secured"},
		"a closed Controlled Port":          {func(s *scene) { s.a.SecY.Enabled = false }, "a is not secured"},
		"a transmit SA that is not in use":  {func(s *scene) { s.a.SecY.Tx = secy.KeyID{1} }, "a is not secured"},
		"a receive SA that is missing":      {func(s *scene) { s.b.SecY.SAs = s.b.SecY.SAs[1:] }, "b cannot receive"},
		"a receive SA of another SAK":       {func(s *scene) { s.b.SecY.SAs[0].SAK[0]++ }, "b cannot receive"},
		"a receive SA with another SSCI":    {func(s *scene) { s.b.SecY.SAs[0].SSCI++ }, "b cannot receive"},
		"a receive SA with another salt":    {func(s *scene) { s.b.SecY.SAs[0].Salt[0]++ }, "b cannot receive"},
		"a group without key server":        {func(s *scene) { s.Members = s.Members[1:] }, "0 key servers"},
		"a group with the key server twice": {func(s *scene) { s.Members[1] = s.a }, "2 key servers"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(&recorder{TB: t})
			if apart := mkatest.Apart(s.Members); apart != "" {
				t.Fatalf("apart before anything was spoilt: %s", apart)
			}
			c.spoil(s)
			if apart := mkatest.Apart(s.Members); !strings.Contains(apart, c.want) {
				t.Errorf("said %q, want %q", apart, c.want)
			}
		})
	}
}

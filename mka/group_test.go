package mka_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"mkad/eapol"
	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// sizes of groups that are tested.
var sizes = [...]int{2, 3, 5}

// Clause: 802.1X-2020 9.5, 9.8
// Requirement: R59, R66, R75
func TestGroupIsConnectedOnOneSAK(t *testing.T) {
	for _, n := range sizes {
		for _, suite := range secy.CipherSuites {
			t.Run(fmt.Sprintf("%d members, %s", n, suite), func(t *testing.T) {
				_, members := group(t, n, suites(suite))
				for _, m := range members {
					if serverOf(m) != members[0].SCI() || m.Status().CipherSuite != suite {
						t.Errorf("%s elected %s and uses %s", m.Name, serverOf(m), m.Status().CipherSuite)
					}
				}
			})
		}
	}
}

// adversarial are SCIs whose order as numbers is none of: as signed numbers, as text, by arrival.
var adversarial = []secy.SCI{0x7fffffffffff0001, 0x0000000000010001, 0xffffffffffff0001, 0x8000000000000001,
	0x00000000000100ff}

// Clause: 802.1AE-2018 10.7.13
// Requirement: R96
func TestGreatestSCIHasSSCI1AndAllMembersAgree(t *testing.T) {
	for _, n := range sizes {
		t.Run(fmt.Sprintf("%d members", n), func(t *testing.T) {
			w := newWorld(t)
			for i, sci := range adversarial[:n] {
				w.kay(i+1, suites(secy.GCMAESXPN128), func(c *mka.Config) { c.SCI = sci })
			}
			w.connected(w.Members...)
			sorted := slices.Clone(adversarial[:n])
			slices.Sort(sorted)
			for _, m := range w.Members {
				tx, _ := m.SecY.Transmitting()
				if want := n - slices.Index(sorted, m.SCI()); tx.SSCI != secy.SSCI(want) {
					t.Errorf("%s has SSCI %d, want %d", m.SCI(), tx.SSCI, want)
				}
			}
		})
	}
}

// Clause: 802.1X-2020 11.11.3
// Requirement: R97
func TestKeyServerOrdersTheLiveListBySSCIAndTellsItsOwn(t *testing.T) {
	w := newWorld(t)
	server := w.kay(3, suites(secy.GCMAESXPN128), priority(0))
	peers := map[eapol.MI]secy.SCI{}
	var p *mkatest.Peer
	for _, n := range []int{2, 5, 1, 4} {
		p = w.peer(n)
		peers[p.MI] = p.SCI
		p.Talk()
	}
	w.Run(settleTime)
	all := distributed(p)
	last := all[len(all)-1]
	if len(last.Live.Peers) != 4 || last.Live.KeyServerSSCI != 3 {
		t.Fatalf("key server's SSCI %d beside %d peers, want 3 beside 4", last.Live.KeyServerSSCI, len(last.Live.Peers))
	}
	for i, want := range []int{5, 4, 2, 1} {
		if got := peers[last.Live.Peers[i].MI]; got != mkatest.SCI(want) {
			t.Errorf("entry %d is %s, want %s", i+1, got, mkatest.SCI(want))
		}
	}
	if tx, _ := server.SecY.Transmitting(); tx.SSCI != 3 {
		t.Errorf("it uses SSCI %d", tx.SSCI)
	}
	for _, heard := range p.Received {
		if list := setIn(p, heard.Frame, kindLive); list != nil && heard.Basic.SCI == server.SCI() && !heard.DistributedSAK.Present && list[1] != 0 {
			t.Fatalf("key server's SSCI %d beside no SAK", list[1])
		}
	}
}

// Clause: 802.1X-2020 11.11.3, 802.1AE-2018 10.7.13
// Requirement: R97
func TestFollowerTakesItsSSCIFromTheOrderOfTheListOrFromTheSCIs(t *testing.T) {
	for _, version := range []uint8{2, 3} {
		t.Run(fmt.Sprintf("version %d", version), func(t *testing.T) {
			w := newWorld(t)
			p := w.peer(2)
			p.Version, p.Priority = version, 0
			low, high := w.kay(1), w.kay(4)
			p.Talk()
			w.Run(5 * time.Second)
			p.Generate(secy.GCMAESXPN256, secy.Offset0)
			p.Say()
			w.Run(5 * time.Second)
			w.check.Connected(low, high)
			for _, m := range []*mkatest.Member{low, high} {
				tx, _ := m.SecY.Transmitting()
				rx, _ := m.SecY.Find(p.SCI, tx.Key)
				if tx.SSCI != p.Key.SSCIs[m.SCI()] || rx.SSCI != 2 {
					t.Errorf("%s uses SSCI %d and %d for the key server, want %d and 2", m.SCI(), tx.SSCI, rx.SSCI,
						p.Key.SSCIs[m.SCI()])
				}
			}
		})
	}
}

// Clause: 802.1X-2020 11.11.3: where order and SCIs disagree the key server's order counts, if it tells its SSCI
// Requirement: R97
func TestOrderOfTheKeyServersListCountsIfItTellsItsSSCI(t *testing.T) {
	for _, c := range []struct {
		version        uint8
		told           uint8
		own, serv, oth secy.SSCI
	}{
		{3, 1, 2, 1, 3}, {3, 2, 1, 2, 3}, {3, 3, 1, 3, 2}, // we stand first in the list
		{3, 0, 2, 3, 1}, {2, 1, 2, 3, 1}, // by SCIs
	} {
		t.Run(fmt.Sprintf("version %d, %d told", c.version, c.told), func(t *testing.T) {
			w := newWorld(t)
			m, p, q := w.kay(2), w.peer(1), w.peer(3)
			p.Version, p.Priority = c.version, 0
			q.Tell(m, listing(m.MI(), mnOf(m)))
			p.Tell(m, listing(m.MI(), mnOf(m)))
			w.Run(mka.MinGap + w.Delay)
			p.Hush()
			p.Generate(secy.GCMAESXPN128, secy.Offset0)
			key := p.Key.KI.KeyID()
			p.Tell(m, func(u *eapol.MKPDU) {
				u.Live = eapol.PeerList{Present: true, KeyServerSSCI: c.told, Peers: []eapol.ListedPeer{
					{MI: m.MI(), MN: mnOf(m)}, {MI: q.MI, MN: q.MN}}}
				u.Potential = eapol.PeerList{}
			})
			tx, _ := m.SecY.Find(0, key)
			server, _ := m.SecY.Find(p.SCI, key)
			other, _ := m.SecY.Find(q.SCI, key)
			if tx.SSCI != c.own || server.SSCI != c.serv || other.SSCI != c.oth {
				t.Errorf("SSCIs %d, %d of the key server and %d of the other; want %d, %d and %d", tx.SSCI, server.SSCI, other.SSCI,
					c.own, c.serv, c.oth)
			}
		})
	}
}

// Clause: 802.1X-2020 9.8
// Requirement: R67
func TestMemberThatJoinsIsConnectedWithAllOthers(t *testing.T) {
	for _, n := range sizes[1:] {
		t.Run(fmt.Sprintf("%d members", n), func(t *testing.T) {
			w, members := group(t, n-1)
			before := members[0].SecY.Tx
			w.kay(n)
			w.connected(w.Members...)
			if members[0].SecY.Tx == before {
				t.Error("the newcomer got the SAK that others used already")
			}
			for _, m := range members {
				if m.Count(mka.EventUnsecured) != 0 {
					t.Errorf("%s was unsecured by it", m.Name)
				}
			}
		})
	}
}

// Clause: 802.1X-2020 9.8
// Requirement: R67
func TestMembersThatJoinOneAfterTheOtherAreAllConnected(t *testing.T) {
	w := newWorld(t)
	for n := range 5 {
		w.kay(5 - n) // each is a better key server than those before
		w.Run(700 * time.Millisecond)
	}
	w.connected(w.Members...)
}

// Clause: 802.1X-2020 9.4.3, 9.8
// Requirement: R67
func TestMemberThatLeavesIsShutOut(t *testing.T) {
	for _, n := range sizes[1:] {
		t.Run(fmt.Sprintf("%d members", n), func(t *testing.T) {
			w, members := group(t, n)
			gone, rest := members[n-1], members[:n-1]
			old := gone.SecY.Tx
			gone.MustStep(mka.LinkChanged{})
			w.connected(rest...)
			for _, m := range rest {
				if m.SecY.Tx == old || slices.Contains(m.SecY.SCs, gone.SCI()) {
					t.Errorf("%s uses the old SAK %t, receives from the one that left %t", m.Name, m.SecY.Tx == old,
						slices.Contains(m.SecY.SCs, gone.SCI()))
				}
			}
		})
	}
}

// Clause: 802.1X-2020 9.5, 9.8
// Requirement: R60
func TestBetterKeyServerThatJoinsTakesOver(t *testing.T) {
	for _, n := range sizes[1:] {
		t.Run(fmt.Sprintf("%d members", n), func(t *testing.T) {
			w, _ := group(t, n-1)
			better := w.kay(9, priority(0))
			w.connected(w.Members...)
			for _, m := range w.Members {
				if serverOf(m) != better.SCI() || m.Status().Tx.KI.MI != better.MI() {
					t.Errorf("%s elected %s and uses %s, want %s", m.Name, serverOf(m), m.Status().Tx.KI, better.SCI())
				}
			}
		})
	}
}

// Clause: 802.1X-2020 9.5, 9.4.3
// Requirement: R59
func TestLossOfTheKeyServerMovesItToTheSecondWithinLifeTimeAndAHello(t *testing.T) {
	for _, n := range sizes[1:] {
		t.Run(fmt.Sprintf("%d members", n), func(t *testing.T) {
			w, members := group(t, n)
			gone, rest := members[0], members[1:]
			old := gone.SecY.Tx
			gone.MustStep(mka.LinkChanged{})
			w.until("the rest use a SAK of the second", mka.LifeTime+mka.HelloTime, func() bool {
				for _, m := range rest {
					if serverOf(m) != rest[0].SCI() || m.SecY.Tx == old || m.SecY.Tx.IsZero() {
						return false
					}
				}
				return true
			})
			w.connected(rest...)
		})
	}
}

// Clause: 802.1X-2020 9.4.3, 9.8
// Requirement: R48
func TestMemberThatRestartsIsConnectedAgain(t *testing.T) {
	for _, n := range sizes {
		for who := range n {
			t.Run(fmt.Sprintf("%d of %d members", who+1, n), func(t *testing.T) {
				w, members := group(t, n)
				members[who].Restart()
				members[who].Up(ckn, cak())
				w.connected(members...)
			})
		}
	}
}

// Clause: 802.1X-2020 9.4.3, 9.8
// Requirement: R48
func TestRestartIsOverWithinTwoHellosInAPair(t *testing.T) {
	for who := range 2 {
		t.Run(fmt.Sprintf("member %d", who+1), func(t *testing.T) {
			w, members := group(t, 2)
			members[who].Restart()
			members[who].Up(ckn, cak())
			w.until("both transmit with one new SAK", 2*mka.HelloTime, func() bool {
				a, b := members[0], members[1]
				return a.KaY.Secured() && b.KaY.Secured() && a.SecY.Tx == b.SecY.Tx
			})
		})
	}
}

// Clause: 802.1X-2020 9.4.3, 9.8
// Requirement: R48
func TestGroupOfWhichAllRestartIsConnectedAgain(t *testing.T) {
	w, members := group(t, 5)
	for _, m := range members {
		m.Restart()
		m.Up(ckn, cak())
	}
	w.connected(members...)
}

// Clause: 802.1X-2020 9.4.3, 9.5
// Requirement: R59
func TestGroupThatWasPartedIsConnectedAgain(t *testing.T) {
	w, members := group(t, 5)
	side := func(s mkatest.Station) bool { return slices.Index(members, s.(*mkatest.Member)) < 2 }
	w.Lose = func(from, to mkatest.Station, _ []byte) bool { return side(from) != side(to) }
	w.connected(members[:2]...)
	w.check.Connected(members[2:]...)
	w.Lose = nil
	w.connected(members...)
}

// Clause: 802.1X-2020 9.8, 9.10.1
// Requirement: R66, R67
func TestGroupIsConnectedInSpiteOfLossAndDisorder(t *testing.T) {
	w := newWorld(t)
	w.Loss, w.Jitter = 0.3, 300*time.Millisecond
	for n := range 5 {
		w.kay(n + 1)
	}
	w.Run(time.Minute)
	w.Loss, w.Jitter = 0, 0
	w.Run(settleTime)
	w.rekeyed() // members that have lost each other in between, but not the key server, wait for the next SAK
	w.connected(w.Members...)
}

// Clause: 802.1X-2020 9.8, 12.4
// Requirement: R70
func TestGroupRekeysWithoutALapse(t *testing.T) {
	for _, n := range sizes {
		t.Run(fmt.Sprintf("%d members", n), func(t *testing.T) {
			w, members := group(t, n)
			for range 10 {
				before := members[0].SecY.Tx
				members[0].MustStep(mka.RekeyRequested{})
				w.Run(5 * time.Second)
				w.check.Connected(members...)
				if members[0].SecY.Tx == before {
					t.Fatal("not rekeyed")
				}
			}
			for _, m := range members {
				if m.Count(mka.EventUnsecured) != 0 {
					t.Errorf("%s was unsecured", m.Name)
				}
			}
		})
	}
}

// Clause: 802.1X-2020 12.4
// Requirement: R94
func TestGroupOfSlowSecYsIsConnectedAndRekeys(t *testing.T) {
	w := newWorld(t)
	for n := range 3 {
		w.kay(n + 1).ReportDelay = time.Duration(n) * 700 * time.Millisecond
	}
	w.connected(w.Members...)
	for range 5 {
		w.Members[0].MustStep(mka.RekeyRequested{})
		w.Run(time.Second)
	}
	w.connected(w.Members...)
}

// Clause: 802.1X-2020 9.8
// Requirement: R100
func TestTwoGroupsOnOneSegmentDoNotMeet(t *testing.T) {
	w, members := group(t, 2)
	for n := 3; n <= 4; n++ {
		m := w.Add(fmt.Sprintf("other %d", n), mkatest.Config(n))
		m.Up("0002", mkatest.CAK(2, 32))
	}
	w.connected(members...)
	w.check.Connected(w.Members[2:]...)
	if members[0].SecY.Tx == w.Members[2].SecY.Tx {
		t.Error("two CAs use one SAK")
	}
}

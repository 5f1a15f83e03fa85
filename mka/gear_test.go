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

// needs are the options with which the KaY meets each implementation: docs/interop.md says by which keys of the
// configuration.
var needs = map[string]func(*mka.Config){
	mkatest.SONiC.Name:   suites(secy.GCMAESXPN256, secy.GCMAESXPN128),
	mkatest.Nokia.Name:   lifeTime(15 * time.Second),
	mkatest.Cisco.Name:   func(c *mka.Config) { icvIndicator(c); wideArea(c) },
	mkatest.Juniper.Name: lifeTime(30 * time.Second),
}

// lifeTime has peers live that long unheard.
func lifeTime(d time.Duration) func(*mka.Config) {
	return func(c *mka.Config) { c.LifeTime = d }
}

func icvIndicator(c *mka.Config) { c.ICVIndicator = true }

// wideArea has MKPDUs go to the address, and by the EtherType, of the Cisco profile.
func wideArea(c *mka.Config) {
	c.Destination = mkatest.Cisco.Destination
	c.Acceptance = eapol.Acceptance{EtherType: mkatest.Cisco.EtherType, Destinations: []eapol.MAC{c.Destination}}
}

// meet puts a KaY and an implementation on a LAN; serves: the KaY is to be key server.
func meet(t *testing.T, profile mkatest.Profile, serves bool, edit ...func(*mka.Config)) (
	*world, *mkatest.Member, *mkatest.Gear,
) {
	t.Helper()
	w := newWorld(t)
	g := w.AddGear(profile, 1, ckn, cak())
	own := uint8(0)
	if !serves {
		own, g.Priority = 16, 0
	}
	m := w.kay(2, append(edit, priority(own))...)
	g.Start()
	return w, m, g
}

// agreed reports whether both transmit with one key.
func agreed(m *mkatest.Member, g *mkatest.Gear) bool {
	return m.KaY.Secured() && g.Transmits() && m.SecY.Tx == g.Key.KI.KeyID()
}

// within is how long anything may take with an implementation: its life, and then some hellos.
func within(p mkatest.Profile) time.Duration { return max(p.Life, mka.LifeTime) + 3*p.Hello }

// withEach runs f with every profile in both roles.
func withEach(t *testing.T, f func(t *testing.T, w *world, m *mkatest.Member, g *mkatest.Gear)) {
	for _, profile := range mkatest.Profiles {
		for role, serves := range map[string]bool{"we serve": true, "we follow": false} {
			t.Run(profile.Name+"/"+role, func(t *testing.T) {
				edit := needs[profile.Name]
				if edit == nil {
					edit = func(*mka.Config) {}
				}
				w, m, g := meet(t, profile, serves, edit)
				w.until("both transmit with one key", within(profile), func() bool { return agreed(m, g) })
				if m.Status().KeyServer != serves {
					t.Fatalf("we are key server: %t", m.Status().KeyServer)
				}
				f(t, w, m, g)
				if len(g.Refused) > 0 {
					t.Logf("it refused %v", g.Refused)
				}
			})
		}
	}
}

// never wants both to be without a link between them for a minute.
func never(t *testing.T, w *world, m *mkatest.Member, g *mkatest.Gear) {
	t.Helper()
	if w.RunUntil(time.Minute, func() bool { return agreed(m, g) }) {
		t.Error("secured")
	}
}

// of is a profile with something else.
func of(p mkatest.Profile, edit func(*mkatest.Profile)) mkatest.Profile {
	edit(&p)
	return p
}

// onlyVersion1 takes nothing but its own version, as MKAdaemon does with 3.
var onlyVersion1 = of(mkatest.Arista, func(p *mkatest.Profile) { p.OnlyVersion = 1 })

func version(v uint8) func(*mka.Config) {
	return func(c *mka.Config) { c.Version = v }
}

// Clause: 802.1X-2020 11.11; design: mka_version
// Requirement: R114
func TestVersionSuitsPeersThatTakeOneOnly(t *testing.T) {
	for _, c := range []struct {
		name    string
		profile mkatest.Profile
		version uint8
		secured bool
	}{
		{"auto, only 3 is taken", mkatest.MKAdaemon, 0, true},
		{"auto, only 1 is taken", onlyVersion1, 0, true},
		{"3, only 1 is taken", onlyVersion1, 3, false},
		{"1, only 1 is taken", onlyVersion1, 1, true},
		{"1, only 3 is taken", mkatest.MKAdaemon, 1, false},
		{"3, only 3 is taken", mkatest.MKAdaemon, 3, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, m, g := meet(t, c.profile, true, version(c.version))
			if !c.secured {
				never(t, w, m, g)
				return
			}
			w.until("secured", 2*mka.LifeTime, func() bool { return agreed(m, g) })
			for _, r := range g.Received {
				if c.version != 0 && r.Basic.MKAVersion != c.version {
					t.Fatalf("sends version %d", r.Basic.MKAVersion)
				}
			}
		})
	}
}

// Clause: 802.1X-2020 11.11.3; design: icv_indicator
// Requirement: R28
func TestPeerThatWantsAnICVIndicatorIsSecuredOnlyWithOne(t *testing.T) {
	w, m, g := meet(t, mkatest.Cisco, true, wideArea)
	never(t, w, m, g)
	if g.Refused["no ICV Indicator"] == 0 || g.Received[0].ICVIndicator {
		t.Errorf("refused %v", g.Refused)
	}
}

// Clause: 802.1X-2020 11.1.1, 11.4; design: eapol_destination, eapol_ethertype
// Requirement: R5
func TestPeerWithAnotherDestinationAndEtherTypeIsSecuredOnlyWithThem(t *testing.T) {
	w, m, g := meet(t, mkatest.Cisco, true, icvIndicator)
	never(t, w, m, g)
	if m.Discards(eapol.DiscardEtherType) == 0 {
		t.Errorf("discards %v", m.Status().Discards)
	}
}

// Clause: 802.1X-2020 Table 9-3; design: life_time
// Requirement: R113
func TestPeerWithSlowHellosOutlivesALostOneOnlyWithALongerLifeTime(t *testing.T) {
	for name, life := range map[string]time.Duration{"longer": 15 * time.Second, "standard": 0} {
		t.Run(name, func(t *testing.T) {
			w, m, g := meet(t, mkatest.Nokia, true, lifeTime(life))
			w.until("secured", within(mkatest.Nokia), func() bool { return agreed(m, g) })
			w.Run(within(mkatest.Nokia))
			lost := 0
			w.Lose = func(from, _ mkatest.Station, _ []byte) bool {
				if from == mkatest.Station(g) {
					lost++
				}
				return from == mkatest.Station(g) && lost == 1
			}
			mark := m.Mark()
			w.Run(30 * time.Second)
			if gone := m.Since(mark).Has(mka.EventPeerLost); lost < 2 || gone != (life == 0) {
				t.Errorf("the peer was lost: %t", gone)
			}
		})
	}
}

// Clause: 802.1X-2020 Table 9-3; design: hello_time
func TestPeerWithAShortLifeIsKeptOnlyByOurFasterHellos(t *testing.T) {
	impatient := of(mkatest.Arista, func(p *mkatest.Profile) { p.Hello, p.Life = 500*time.Millisecond, 1500*time.Millisecond })
	for name, hello := range map[string]time.Duration{"faster": 500 * time.Millisecond, "standard": 0} {
		t.Run(name, func(t *testing.T) {
			w, m, g := meet(t, impatient, true, func(c *mka.Config) { c.HelloTime = hello })
			w.until("secured", mka.LifeTime, func() bool { return agreed(m, g) })
			w.Run(mka.LifeTime)
			mark := m.Mark()
			w.Run(30 * time.Second)
			if flaps := m.Since(mark).Has(mka.EventSAKGenerated) || !agreed(m, g); flaps != (hello == 0) {
				t.Errorf("the link flaps: %t", flaps)
			}
		})
	}
}

// Clause: 802.1X-2020 9.10.1, 12.4; design: in_service_slot
// Requirement: R82, R84
func TestKeyInServiceIsReportedWhereThePeerLooks(t *testing.T) {
	readsOld := of(mkatest.Tester, func(p *mkatest.Profile) { p.Reads, p.Slot = mkatest.OldSlot, mkatest.OldSlot })
	for _, c := range []struct {
		name    string
		profile mkatest.Profile
		old     bool
		kept    bool
	}{
		{"latest for one that looks there", mkatest.Tester, false, true},
		{"old for one that looks at latest", mkatest.Tester, true, false},
		{"old for one that looks there", readsOld, true, true},
		{"latest for one that looks at old", readsOld, false, false},
	} {
		for role, serves := range map[string]bool{"we serve": true, "we follow": false} {
			t.Run(c.name+"/"+role, func(t *testing.T) {
				w, m, g := meet(t, c.profile, serves, func(c2 *mka.Config) { c2.InServiceOld = c.old })
				w.until("secured", mka.LifeTime, func() bool { return agreed(m, g) })
				w.Run(2 * mka.LifeTime)
				mark := m.Mark()
				w.Run(time.Minute)
				if kept := !m.Since(mark).Has(mka.EventSAKInstalled) && agreed(m, g); kept != c.kept {
					t.Errorf("the link is kept: %t", kept)
				}
			})
		}
	}
}

// Clause: 802.1X-2020 12.4, 9.10.1: an MKPDU has the new key as Latest, with Rx, before CP's coalescing makes it Old
// Requirement: R84
func TestKeyIsReportedAsLatestBeforeItIsReportedAsOld(t *testing.T) {
	for role, serves := range map[string]bool{"we serve": true, "we follow": false} {
		t.Run(role, func(t *testing.T) {
			w, m, g := meet(t, mkatest.Arista, serves, func(c *mka.Config) { c.InServiceOld = true })
			w.until("secured", mka.LifeTime, func() bool { return agreed(m, g) })
			w.Run(mka.LifeTime)
			latest, old := 0, 0
			for _, r := range g.Received {
				u := r.SAKUse
				switch {
				case u.Latest.KI == g.Key.KI && u.Latest.Rx && old == 0:
					latest++
				case u.Old.KI == g.Key.KI && u.Old.Rx && u.Old.Tx && u.Latest.KI.IsZero():
					old++
				}
			}
			if latest == 0 || old < 2 {
				t.Errorf("as Latest first in %d MKPDUs, then as Old in %d", latest, old)
			}
		})
	}
}

// Clause: 802.1X-2020 9.5; design: allow_priority_255
// Requirement: R56
func TestTwoWithPriority255AreSecuredOnlyWhereThatIsAllowed(t *testing.T) {
	for name, lower := range map[string]bool{"our SCI is lower": true, "its SCI is lower": false} {
		for _, allowed := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/allowed %t", name, allowed), func(t *testing.T) {
				w := newWorld(t)
				n := 1
				if lower {
					n = 3
				}
				g := w.AddGear(mkatest.Hostap210, n, ckn, cak())
				m := w.kay(2, priority(255), func(c *mka.Config) { c.ElectLast = allowed })
				g.Start()
				if !allowed {
					never(t, w, m, g)
					return
				}
				w.until("secured", within(g.Profile), func() bool { return agreed(m, g) })
				if m.Status().KeyServer != lower {
					t.Errorf("we are key server: %t", m.Status().KeyServer)
				}
			})
		}
	}
}

// Clause: 802.1X-2020 9.5: 255 comes after all others also where it is allowed
// Requirement: R56
func TestPriority255IsTheLastChoice(t *testing.T) {
	w := newWorld(t)
	elect := func(c *mka.Config) { c.ElectLast = true }
	last, worst := w.kay(1, priority(255), elect), w.kay(2, priority(254), elect)
	w.connected(last, worst)
	if serverOf(last) != worst.SCI() || serverOf(worst) != worst.SCI() {
		t.Errorf("elected %s and %s, want %s", serverOf(last), serverOf(worst), worst.SCI())
	}
}

// Clause: 802.1X-2020 11.11.3; decision on suites: a peer of version 1 may know XPN suites all the same
// Requirement: R73
func TestXPNIsOfferedToAMutePeerOfVersion1Last(t *testing.T) {
	w, m, g := meet(t, mkatest.SONiC, true)
	w.until("secured", 2*mka.LifeTime, func() bool { return agreed(m, g) })
	got, _ := offers(&g.Peer)
	want := []secy.CipherSuite{secy.GCMAES128, secy.GCMAES256, secy.GCMAESXPN256}
	if !slices.Equal(got, want) {
		t.Errorf("offers %v, want %v", got, want)
	}
}

// Clause: 9.8, 11.11.3; decision on suites: who has not answered since the offer has not refused its suite
// Requirement: R73
func TestPeerWithSlowHellosIsNotJudgedToRefuseASuiteThatItHasNotAnswered(t *testing.T) {
	w, m, g := meet(t, mkatest.Juniper, true, lifeTime(30*time.Second))
	w.until("secured", within(mkatest.Juniper), func() bool { return agreed(m, g) })
	w.Run(within(mkatest.Juniper))
	if n := m.Count(mka.EventSuiteRefused); n != 0 || m.Count(mka.EventSAKGenerated) != 1 {
		t.Errorf("judged %d times; %d SAKs", n, m.Count(mka.EventSAKGenerated))
	}
}

// Clause: 9.4.2, 9.8; decision on suites: nor what we offer under another MI, of which it has listed nothing yet
// Requirement: R73
func TestSuiteThatIsOfferedUnderAnotherMIIsNotJudgedBeforeAnAnswer(t *testing.T) {
	w, m, p := serving(t)
	w.Run(mka.LifeTime)
	p.Announces = nil
	p.Say()
	p.Hush()
	w.Run(time.Second)
	mi := m.MI()
	p.Tell(m, listing(mi, mnOf(m)+1000)) // somebody else has our MI
	w.until("a SAK under another MI", time.Second, func() bool { return m.MI() != mi && p.Last().DistributedSAK.Present })
	if mn := p.Last().Basic.MN; mn != 1 {
		t.Fatalf("it goes out with MN %d, want the first", mn)
	}
	p.Tell(m, func(u *eapol.MKPDU) { // it lists nobody, which is no answer
		listingNobody(u)
		u.SAKUse = eapol.SAKUse{}
	})
	w.Run(mka.SuiteTime + 100*time.Millisecond)
	if n := m.Count(mka.EventSuiteRefused); n != 0 || !isLive(m, p.SCI) {
		t.Errorf("judged %d times; live %t", n, isLive(m, p.SCI))
	}
}

// Clause: 802.1X-2020 9.4.3, 9.4.1: profiles are strict
// Requirement: R113, R114
func TestImplementationsRefuseWhatTheyAreKnownToRefuse(t *testing.T) {
	for _, c := range []struct {
		why  string
		of   mkatest.Profile
		does func(*eapol.MKPDU)
	}{
		{"MKA version", mkatest.MKAdaemon, func(m *eapol.MKPDU) { m.Basic.MKAVersion = 2 }},
		{"no lowest PN", mkatest.MKAdaemon, func(m *eapol.MKPDU) { m.SAKUse.Latest.LPN, m.SAKUse.Old.LPN = 0, 0 }},
		{"replay", mkatest.Arista, func(m *eapol.MKPDU) { m.Basic.MN = 1 }},
		{"Delay Protect without a lowest PN", mkatest.Hostap211, func(m *eapol.MKPDU) { m.SAKUse.DelayProtect = true }},
		{"SAK Use before it was live", mkatest.Hostap211, func(m *eapol.MKPDU) {
			m.Basic.MI[0], m.Basic.SCI = m.Basic.MI[0]+1, m.Basic.SCI+1
			listingNobody(m)
		}},
	} {
		t.Run(c.of.Name+": "+c.why, func(t *testing.T) {
			w := newWorld(t)
			g, p := w.AddGear(c.of, 1, ckn, cak()), w.peer(2)
			p.Version, p.Priority = c.of.Version, 0
			p.Announces, p.Use.Present = c.of.Suites, false
			p.Talk()
			g.Start()
			w.Run(mka.HelloTime)
			p.Generate(g.Profile.Suites[0], secy.Offset0)
			p.Say()
			w.Run(mka.LifeTime)
			if !g.Transmits() || g.Refused[c.why] != 0 {
				t.Fatalf("it transmits: %t, has refused %v", g.Transmits(), g.Refused)
			}
			p.Say(c.does)
			w.Run(time.Second)
			if g.Refused[c.why] != 1 {
				t.Errorf("it has refused %v", g.Refused)
			}
		})
	}
}

// Clause: 802.1X-2020 9.4.3, 9.5, 9.8, 9.10; design: habits of others
// Requirement: R113, R114
func TestEveryImplementationIsSecuredAndStaysSo(t *testing.T) {
	withEach(t, func(t *testing.T, w *world, m *mkatest.Member, g *mkatest.Gear) {
		w.Run(within(g.Profile))
		mark, key := m.Mark(), m.SecY.Tx
		w.Run(5 * time.Minute)
		for _, e := range m.Since(mark).Events {
			t.Errorf("while nothing happens: %s %s", e.Kind, e.Reason)
		}
		if !agreed(m, g) || m.SecY.Tx != key || g.NewMIs != 1 {
			t.Errorf("both transmit with one key: %t, with the first: %t; it took %d MIs", agreed(m, g), m.SecY.Tx == key, g.NewMIs)
		}
	})
}

// Clause: 802.1X-2020 9.8
// Requirement: R70
func TestEveryImplementationIsRekeyed(t *testing.T) {
	withEach(t, func(t *testing.T, w *world, m *mkatest.Member, g *mkatest.Gear) {
		for range 5 {
			w.Run(within(g.Profile))
			mark, key := m.Mark(), m.SecY.Tx
			if m.Status().KeyServer {
				m.MustStep(mka.RekeyRequested{})
			} else {
				g.Rekey()
			}
			w.until("both transmit with another key", within(g.Profile), func() bool { return agreed(m, g) && m.SecY.Tx != key })
			if r := m.Since(mark); r.Has(mka.EventUnsecured) || r.Has(mka.EventPeerLost) {
				t.Fatal("the link was not secured meanwhile, or the peer lost")
			}
		}
	})
}

// Clause: 802.1X-2020 9.4.3
// Requirement: R48
func TestEveryImplementationIsSecuredAgainAfterItsRestart(t *testing.T) {
	withEach(t, func(t *testing.T, w *world, m *mkatest.Member, g *mkatest.Gear) {
		for _, d := range []time.Duration{time.Second, 2 * within(g.Profile)} {
			w.Run(within(g.Profile))
			key := m.SecY.Tx
			g.Restart(d)
			w.until("both transmit with another key", d+2*within(g.Profile), func() bool { return agreed(m, g) && m.SecY.Tx != key })
		}
	})
}

// Clause: 802.1X-2020 9.4.2, 9.4.3
// Requirement: R48
func TestEveryImplementationIsSecuredAgainAfterOurRestart(t *testing.T) {
	withEach(t, func(t *testing.T, w *world, m *mkatest.Member, g *mkatest.Gear) {
		for range 2 {
			w.Run(within(g.Profile))
			m.Restart()
			m.Up(ckn, cak())
			w.until("both transmit with one key", 2*within(g.Profile), func() bool { return agreed(m, g) })
		}
	})
}

// Clause: 802.1X-2020 9.8: a key server that loses the reason for another SAK, within Life Time of the last, gives a
// member that joins none
// Requirement: R114
func TestMemberThatGetsNoSAKBecomesANewMemberOnceInAWhile(t *testing.T) {
	for _, profile := range []mkatest.Profile{mkatest.Hostap210, mkatest.Hostap211, mkatest.SONiC} {
		t.Run(profile.Name, func(t *testing.T) {
			w, m, g := meet(t, profile, false)
			w.until("both transmit with one key", within(profile), func() bool { return agreed(m, g) })
			late := w.kay(3)
			w.until("it is live", 2*profile.Hello, func() bool { return isLive(late, g.SCI) })
			if w.RunUntil(mka.PleaTime-time.Second, late.KaY.Secured) {
				t.Fatal("secured: the key server has not lost its reason")
			}
			w.until("all transmit with one key", within(profile), func() bool {
				return agreed(m, g) && late.KaY.Secured() && late.SecY.Tx == m.SecY.Tx
			})
			if n := late.Count(mka.EventNewMI); n != 3 || m.Count(mka.EventNewMI) != 2 { // added, link up, and for a SAK
				t.Errorf("%d and %d MIs, want 3 and 2", n, m.Count(mka.EventNewMI))
			}
		})
	}
	t.Run("in vain", func(t *testing.T) {
		w, m, p := alone(t)
		p.Version, p.Priority = 1, 0
		p.Talk()
		w.Run(mka.PleaTime + time.Second)
		before := m.Count(mka.EventNewMI)
		w.Run(5 * mka.PleaGap)
		if n := m.Count(mka.EventNewMI) - before; n != 5 || before != 3 {
			t.Errorf("%d MIs at first, then %d in five times %v; want 3 and 5", before, n, mka.PleaGap)
		}
	})
	t.Run("version 2 knows better", func(t *testing.T) {
		w, m, p := alone(t)
		p.Version, p.Priority = 2, 0
		p.Talk()
		w.Run(time.Minute)
		if n := m.Count(mka.EventNewMI); n != 2 {
			t.Errorf("%d MIs, want 2", n)
		}
	})
}

// Clause: 802.1X-2020 11.11: who has come to be live has shown what it takes; the version falls no further, and rises to
// the lowest that live peers speak
// Requirement: R114
func TestVersionRisesToTheLowestOfLivePeers(t *testing.T) {
	w, m, p := alone(t)
	deaf := w.peer(3)
	deaf.Version = 1
	for range 5 {
		deaf.Tell(m, listingNobody)
		w.Run(mka.HelloTime)
	}
	last := func() uint8 { return p.Last().Basic.MKAVersion }
	if last() != 1 {
		t.Fatalf("version %d beside a peer of 1 that does not answer", last())
	}
	for n, c := range []struct{ speaks, want uint8 }{{2, 2}, {1, 2}, {3, 2}} { // with those before
		q := w.peer(n + 4)
		q.Version = c.speaks
		q.Tell(m, listing(m.MI(), mnOf(m)))
		w.Run(mka.MinGap + w.Delay)
		if !isLive(m, q.SCI) || last() != c.want {
			t.Errorf("version %d when one of %d is live, want %d", last(), c.speaks, c.want)
		}
	}
	w.Run(mka.LifeTime + mka.HelloTime)
	if last() != 3 {
		t.Errorf("version %d when all are lost, want 3", last())
	}
	for n, speaks := range []uint8{3, 2} {
		q := w.peer(n + 7)
		q.Version = speaks
		q.Tell(m, listing(m.MI(), mnOf(m)))
		w.Run(mka.MinGap + w.Delay)
	}
	if last() != 3 {
		t.Errorf("version %d with live peers of 3 and 2, which take 3, want 3", last())
	}
}

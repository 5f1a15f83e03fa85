package mka_test

import (
	"fmt"
	"testing"
	"time"

	"mkad/eapol"
	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// changed gives the member other settings, which are those of mkatest.Config but for edit.
func changed(t *testing.T, m *mkatest.Member, edit func(*mka.Settings)) {
	t.Helper()
	s := mkatest.Config(1).Settings
	edit(&s)
	m.MustStep(mka.SettingsChanged{Settings: s})
}

// Clause: none; decision: other settings do not end what is in service
// Requirement: R118
func TestSettingsChangeWithoutALapse(t *testing.T) {
	for name, edit := range map[string]func(*mka.Settings){
		"nothing":             func(*mka.Settings) {},
		"key_server_priority": func(s *mka.Settings) { s.KeyServerPriority = 15 },
		"replay_protect":      func(s *mka.Settings) { s.ReplayProtect = false },
		"replay_window":       func(s *mka.Settings) { s.ReplayWindow = 64 },
		"send_sci":            func(s *mka.Settings) { s.SendSCI = false },
		"delay_protect":       func(s *mka.Settings) { s.DelayProtect = true },
		"sak_lifetime":        func(s *mka.Settings) { s.SAKLifetime = 10 * time.Second },
		"mka_version":         func(s *mka.Settings) { s.Version = 2 },
		"icv_indicator":       func(s *mka.Settings) { s.ICVIndicator = true },
		"hello_time":          func(s *mka.Settings) { s.HelloTime = time.Second },
		"life_time":           func(s *mka.Settings) { s.LifeTime = 9 * time.Second },
		"in_service_slot":     func(s *mka.Settings) { s.InServiceOld = true },
		"allow_priority_255":  func(s *mka.Settings) { s.ElectLast = true },
	} {
		t.Run(name, func(t *testing.T) {
			w, members := group(t, 3)
			w.flowing()
			server := members[0]
			for _, m := range members {
				if m.Status().KeyServer {
					server = m
				}
			}
			before := server.MI()
			changed(t, server, edit)
			w.stays(30*time.Second, members...)
			changed(t, server, func(*mka.Settings) {})
			w.stays(30*time.Second, members...)
			if server.MI() != before {
				t.Error("it has become a new member")
			}
			w.check.Connected(members...)
		})
	}
}

// Clause: 802.1AE-2018 10.7.8, 10.7.17; the SecY hears of what is its own, and of nothing else
// Requirement: R118
func TestSecYIsConfiguredForSettingsOfItsOwn(t *testing.T) {
	w, m, _ := serving(t)
	w.Run(mka.LifeTime)
	for _, c := range []struct {
		edit func(*mka.Settings)
		want int
	}{
		{func(s *mka.Settings) { s.KeyServerPriority = 15 }, 0},
		{func(s *mka.Settings) { s.ReplayWindow = 64 }, 1},
		{func(s *mka.Settings) { s.ReplayWindow, s.ReplayProtect = 64, false }, 1},
		{func(s *mka.Settings) { s.ReplayWindow, s.ReplayProtect, s.SendSCI = 64, false, false }, 1},
		{func(s *mka.Settings) { s.ReplayWindow, s.ReplayProtect, s.SendSCI = 64, false, false }, 0},
	} {
		mark := m.Mark()
		changed(t, m, c.edit)
		var ops []secy.Settings
		for _, op := range m.Since(mark).Ops {
			if op.Kind == secy.OpConfigure {
				ops = append(ops, op.Settings)
			}
		}
		want := mkatest.Config(1).Settings
		c.edit(&want)
		if len(ops) != c.want {
			t.Errorf("%d times configured, want %d", len(ops), c.want)
		}
		for _, got := range ops {
			if got.ReplayWindow != want.ReplayWindow || got.ReplayProtect != want.ReplayProtect || got.SendSCI != want.SendSCI ||
				got.CipherSuite != m.Status().CipherSuite || !got.ProtectFrames {
				t.Errorf("configured with %+v", got)
			}
		}
	}
}

// Clause: 802.1AE-2018 10.7.8; a port that is not secured has its SecY configured when it is
// Requirement: R118
func TestSecYOfAnUnsecuredPortIsConfiguredLater(t *testing.T) {
	for name, edit := range map[string]func(*mka.Config){"must-secure": func(*mka.Config) {}, "should-secure": shouldSecure} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			m, p := w.kay(2, edit), w.peer(1)
			w.Run(time.Second)
			mark := m.Mark()
			changed(t, m, func(s *mka.Settings) { s.ReplayWindow = 64 })
			if n := m.Since(mark).Count(secy.OpConfigure); n != 0 {
				t.Errorf("%d times configured", n)
			}
			if !p.Follow(m) {
				t.Fatal("not secured")
			}
			if got := m.SecY.Settings.ReplayWindow; got != 64 {
				t.Errorf("replay window is %d, want 64", got)
			}
		})
	}
}

// Clause: 802.1AE-2018 10.7.8; 802.1X-2020 Figure 12-2: nor are settings lost that change while the first SAK goes in
// Requirement: R118
func TestSettingsThatChangeBesideTheFirstSAKReachTheSecY(t *testing.T) {
	for _, refused := range []bool{false, true} {
		t.Run(fmt.Sprint("refused ", refused), func(t *testing.T) {
			w := newWorld(t)
			m, p := w.kay(2), w.peer(1)
			m.ReportDelay = 3 * mka.InstallRetryTime / 4
			p.Talk()
			w.until("its SAs are being made", mka.HelloTime, func() bool { return m.Status().CP == "RECEIVE" })
			if refused {
				m.SecY.Fail = failing(secy.OpConfigure, 1)
			}
			changed(t, m, func(s *mka.Settings) { s.ReplayWindow = 64 })
			w.until("it is secured", mka.LifeTime, m.KaY.Secured)
			w.Run(mka.InstallRetryMax)
			if got := m.SecY.Settings.ReplayWindow; got != 64 {
				t.Errorf("replay window is %d, want 64", got)
			}
		})
	}
}

// Clause: 802.1X-2020 9.5; peers hear of another priority at once, and all elect by it
// Requirement: R54, R118
func TestPriorityThatChangesElectsAnotherKeyServer(t *testing.T) {
	w, members := group(t, 2)
	server, other := members[0], members[1]
	if other.Status().KeyServer {
		server, other = other, server
	}
	worse := mkatest.Config(1).Settings
	worse.KeyServerPriority = 17
	if !server.KaY.ElectsOther(worse) || server.KaY.ElectsOther(mkatest.Config(1).Settings) || other.KaY.ElectsOther(worse) {
		t.Error("it does not know beforehand who is elected")
	}
	if !server.Status().KeyServer {
		t.Error("to ask has changed something")
	}
	changed(t, server, func(s *mka.Settings) { s.KeyServerPriority = 17 })
	w.until("the other is key server of both", 200*time.Millisecond, func() bool {
		return other.Status().KeyServer && !server.Status().KeyServer && mkatest.Apart(members) == ""
	})
	w.connected(members...)
}

// Clause: 802.1X-2020 11.1.1, 11.3.1, 11.11; MKPDUs follow the settings at once
// Requirement: R1, R118
func TestMKPDUsFollowTheSettingsAtOnce(t *testing.T) {
	w, m, p := serving(t)
	w.Run(mka.LifeTime)
	changed(t, m, func(s *mka.Settings) {
		s.Destination, s.Version, s.ICVIndicator, s.KeyServerPriority = eapol.NearestBridge, 2, true, 7
	})
	w.Run(mka.MinGap)
	got := p.Last()
	if got.DA != eapol.NearestBridge || got.Basic.MKAVersion != 2 || !got.ICVIndicator || got.Basic.KeyServerPriority != 7 {
		t.Errorf("to %s version %d, ICV Indicator %t, priority %d", got.DA, got.Basic.MKAVersion, got.ICVIndicator, got.Basic.KeyServerPriority)
	}
	changed(t, m, func(*mka.Settings) {})
	w.Run(mka.MinGap)
	if got := p.Last(); got.DA != eapol.PAEGroup || got.Basic.MKAVersion != 3 || got.ICVIndicator {
		t.Errorf("then to %s version %d, ICV Indicator %t", got.DA, got.Basic.MKAVersion, got.ICVIndicator)
	}
}

// Clause: none; settings that cannot be change nothing
// Requirement: R118, R122
func TestSettingsThatCannotBeAreRefused(t *testing.T) {
	w, m, p := serving(t)
	w.Run(mka.LifeTime)
	frames := len(p.Received)
	s := mkatest.Config(1).Settings
	s.Version, s.KeyServerPriority = 4, 7
	if err := m.Step(mka.SettingsChanged{Settings: s}); err == nil {
		t.Error("MKA version 4 is taken")
	}
	w.Run(mka.MinGap)
	if len(p.Received) != frames {
		t.Error("it tells its peers of it")
	}
	w.Run(mka.HelloTime)
	if got := p.Last().Basic; got.KeyServerPriority != 16 || got.MKAVersion != 3 {
		t.Errorf("priority %d, version %d", got.KeyServerPriority, got.MKAVersion)
	}
}

// Clause: none; without a principal there is nobody to elect
// Requirement: R118
func TestPortWithoutAPrincipalElectsNobodyElse(t *testing.T) {
	w := newWorld(t)
	m := w.kay(1)
	w.Run(time.Second)
	if m.KaY.ElectsOther(mka.Settings{}) {
		t.Error("somebody else")
	}
}

// Clause: 802.1AE-2018 10.7.8; settings that the SecY has refused are given again
// Requirement: R94, R118
func TestSettingsThatTheSecYRefusesAreGivenAgain(t *testing.T) {
	w, m, _ := serving(t)
	w.Run(mka.LifeTime)
	m.SecY.Fail = failing(secy.OpConfigure, 1)
	changed(t, m, func(s *mka.Settings) { s.ReplayWindow = 64 })
	if got := m.SecY.Settings.ReplayWindow; got != 128 {
		t.Fatalf("replay window is %d", got)
	}
	w.Run(mka.InstallRetryTime)
	if got := m.SecY.Settings.ReplayWindow; got != 64 || !m.KaY.Secured() {
		t.Errorf("replay window is %d, want 64; secured %t", got, m.KaY.Secured())
	}
	mark := m.Mark()
	w.Run(2 * mka.InstallRetryMax)
	if n := m.Since(mark).Count(secy.OpConfigure); n != 0 {
		t.Errorf("and %d times more", n)
	}
}

// Clause: 802.1X-2020 9.5: who asks for a worse priority gives way at once, whether or not anybody answers
// Requirement: R54, R118
func TestPriorityThatChangesCountsBeforeAnybodyAnswers(t *testing.T) {
	_, m, p := serving(t)
	p.Hush()
	changed(t, m, func(s *mka.Settings) { s.KeyServerPriority = p.Priority + 1 })
	if serverOf(m) != p.SCI || m.Status().KeyServer {
		t.Errorf("the key server is %s, want %s", serverOf(m), p.SCI)
	}
}

// Clause: 802.1X-2020 9.5, Table 9-2: what is asked about is who is elected by the settings to come, not by those of now
// Requirement: R56, R118
func TestWhoWouldBeElectedDependsOnWhetherPriority255MayBe(t *testing.T) {
	w := newWorld(t)
	m, p := w.kay(1), w.peer(2)
	p.Priority = 255
	if !p.Follow(m) {
		t.Fatal("not secured")
	}
	for elected, other := range map[bool]bool{true: false, false: true} { // we have the lower SCI
		s := mkatest.Config(1).Settings
		s.KeyServerPriority, s.ElectLast = 255, elected
		if got := m.KaY.ElectsOther(s); got != other {
			t.Errorf("where 255 may be elected (%t), another is: %t, want %t", elected, got, other)
		}
	}
}

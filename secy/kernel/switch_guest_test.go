//go:build guest

package kernel_test

import (
	"testing"

	"mkad/internal/filter"
	"mkad/internal/netlab"
	"mkad/internal/pause"
	"mkad/secy"
	"mkad/secy/kernel"
)

// switches is how often the key changes in a test, and idleSwitches how often without a pause, where it takes less time.
const switches, idleSwitches = 100, 600

// Clause: 802.1AE-2018 10.5.1; the kernel reads the AN of a frame twice, so nobody may send while it changes. The test
// goes to and fro between two keys, which CP never does, to change them more often than CP can.
func TestGuestKeySwitchUnderFourSendersLosesNothing(t *testing.T) {
	t.Run("pausing", func(t *testing.T) {
		west, east := newHosts(t)
		lost, bad := switchUnderLoad(t, west, east, switches, func(c *kernel.Config) { c.Pause = west.pause })
		if lost != 0 || bad != 0 {
			t.Errorf("%d frames were lost but not late, %d did not verify", lost, bad)
		}
	})
	t.Run("not pausing, to compare", func(t *testing.T) {
		west, east := newHosts(t)
		lost, bad := switchUnderLoad(t, west, east, idleSwitches)
		t.Logf("%d switches without a pause: %d frames lost but not late, %d did not verify", idleSwitches, lost, bad)
	})
}

// switchUnderLoad has west change its key while four programs send, and tells how many frames were lost, and how many
// of them because they did not verify. Those that came too late for the replay window do not count: an emulated processor
// may stand still for a long time with a frame that has its packet number.
func switchUnderLoad(t *testing.T, west, east *host, times int, change ...func(*kernel.Config)) (lost, bad uint64) {
	// As mkad closes it. The first and the last egress hook of a kernel have it patch its own code, which is too much for
	// an emulator with several processors.
	must(t, west.ns.Do(func() error { return filter.Close(filter.Rules{Interface: "eth1"}) }))
	east.open(secy.GCMAESXPN256)
	west.open(secy.GCMAESXPN256, change...)
	settings := settingsOf(secy.GCMAESXPN256)
	secure(west, east, settings, first, 0, 1)
	secure(west, east, settings, another, 1, 1)
	var streams []*netlab.Stream
	for range 4 {
		s, err := netlab.StartStream(netlab.StreamConfig{FromNamespace: west.ns, ToNamespace: east.ns, From: "macsec0",
			To: "macsec0", Rate: 250})
		must(t, err)
		streams = append(streams, s)
	}
	for n := range times {
		west.order(enableTransmit([]secy.KeyID{first, another}[n%2]))
	}
	for _, s := range streams {
		r, err := s.Stop()
		must(t, err)
		t.Log(r)
		if r.Received == 0 || r.Refused != 0 || r.Twice != 0 {
			t.Error(r)
		}
		lost += r.Lost()
	}
	c := east.Counters()
	t.Logf("%d too late", c.InPktsLate)
	return lost - min(lost, c.InPktsLate), c.InPktsNotValid
}

func (h *host) pause(device string) (resume func() error, err error) {
	var p *pause.Pause
	err = h.ns.Do(func() (err error) {
		p, err = pause.Egress(device)
		return err
	})
	if err != nil {
		return nil, err
	}
	return p.End, nil
}

package link

import (
	"flag"
	"testing"

	"mkad/internal/control"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
	"mkad/internal/netlab/rekeytest"
)

// everyKind are re-keys of every kind, a few unless flags ask for more.
var everyKind = rekeytest.Flags(2, 1, 50)

// Clause: 802.1X-2020 9.8; design: as TestRekeysOfEveryKindTellTheirReasonAndLoseNothing, with the kernel's SecY.
func TestGuestRekeysOfEveryKindTellTheirReasonAndLoseNothing(t *testing.T) {
	s := *everyKind
	s.Programs, s.Backend = playing(t), "kernel"
	rekeytest.Run(t, s)
}

// rekeys is how often a test has the SAK changed; each takes three seconds, in which the old key retires.
var rekeys = flag.Int("rekeys", 5, "how many re-keys a test of re-keys makes")

// senders is how many programs send at a time, and senderRate what each sends each way, in frames a second: together about half
// of what an emulated machine can.
const senders, senderRate = 4, 125

// Clause: 802.1X-2020 9.8
// Requirement: R70
func TestGuestRekeysUnderTrafficLoseNothing(t *testing.T) {
	l := newLink(t, "", "")
	must(t, l.Secure(t.Context()))
	there, back := startSenders(t, l.West, l.East), startSenders(t, l.East, l.West)
	for range *rekeys {
		changeSAK(t, l, l.West)
	}
	for _, streams := range [][]*netlab.Stream{there, back} {
		losesNothing(t, streams)
	}
}

// Clause: 802.1X-2020 9.8. What wpa_supplicant sends is not judged: it changes its key while its host sends, which loses
// a frame now and then (see internal/pause).
// Requirement: R111
func TestGuestSupplicantRekeysUnderTrafficLoseNothing(t *testing.T) {
	l := newLink(t, "", "")
	must(t, l.West.StartDaemon(t.Context()))
	must(t, l.Connect())
	startSupplicant(t, l.East, l.KeyFile)
	must(t, l.West.WaitFor(t.Context(), control.Secured))
	waitFor(t, "wpa_supplicant's Controlled Port", func() bool {
		d, err := l.East.Device(mkadlab.Controlled)
		return err == nil && d.Carrier
	})
	there, back := startSenders(t, l.West, l.East), startSenders(t, l.East, l.West)
	for range max(1, *rekeys/4) {
		changeSAK(t, l, l.West)
	}
	losesNothing(t, there)
	for _, s := range back {
		r, err := s.Stop()
		must(t, err)
		t.Log("from wpa_supplicant:", r)
		if r.Lost() > uint64(*rekeys) {
			t.Errorf("more than one frame for each re-key: %s", r)
		}
	}
}

// startSenders has several programs send from one host to the other.
func startSenders(t *testing.T, from, to *mkadlab.Host) (streams []*netlab.Stream) {
	t.Helper()
	for range senders {
		s, err := netlab.StartStream(netlab.StreamConfig{FromNamespace: from.Namespace, ToNamespace: to.Namespace,
			From: mkadlab.Controlled, To: mkadlab.Controlled, Rate: senderRate, Size: 200})
		must(t, err)
		streams = append(streams, s)
	}
	return streams
}

// changeSAK has the key server make a new SAK, and waits until host transmits with it.
func changeSAK(t *testing.T, l *mkadlab.Link, host *mkadlab.Host) {
	t.Helper()
	before, err := host.Port(t.Context())
	must(t, err)
	for _, h := range l.Hosts() {
		if p, err := h.Port(t.Context()); err == nil && p.KeyServer {
			must(t, h.Control.Rekey(t.Context(), mkadlab.Lower))
		}
	}
	waitFor(t, "another SAK", func() bool {
		p, err := host.Port(t.Context())
		return err == nil && p.Tx.KI != before.Tx.KI
	})
}

func losesNothing(t *testing.T, streams []*netlab.Stream) {
	t.Helper()
	for _, s := range streams {
		r, err := s.Stop()
		must(t, err)
		t.Log(r)
		if r.Lost() != 0 || r.Refused != 0 || r.Twice != 0 {
			t.Error(r)
		}
	}
}

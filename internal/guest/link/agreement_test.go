package link

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"testing"
	"time"

	"mkad/internal/control"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// stillTime is longer than a sample of the kernel's SecY may be old.
const stillTime = 300 * time.Millisecond

// Clause: 802.1AE-2018 10.7; what mkad tells is what the kernel holds.
func TestGuestStatusAgreesWithTheKernel(t *testing.T) {
	for _, c := range []struct {
		window uint64
		policy string
	}{{0, "must-secure"}, {64, "must-secure"}, {128, "must-secure"}, {64, "should-secure"}} {
		t.Run(fmt.Sprintf("window %d, %s", c.window, c.policy), func(t *testing.T) {
			lines := fmt.Sprintf("replay_window = %d\npolicy = %q\nuncontrolled = \"open\"\nbackend = \"kernel\"", c.window, c.policy)
			l := newLink(t, lines, lines)
			must(t, l.Secure(t.Context()))
			rekey(t, l)
			lost := streamBothWays(t, l)
			for i, h := range l.Hosts() {
				s := agrees(t, h)
				if s.Window != c.window || !s.Replay || !s.Protect || s.Validate != "strict" || !s.Encrypt {
					t.Errorf("%s: the kernel has %+v", h.Name, s)
				}
				if late := s.counters()["InPktsLate"]; lost[i] != late || c.window > 0 && late != 0 {
					t.Errorf("%s: %d frames lost, %d of them late", h.Name, lost[i], late)
				}
			}
		})
	}
}

// rekey has the key server make another SAK, and waits until both send with it.
func rekey(t *testing.T, l *mkadlab.Link) {
	t.Helper()
	before := port(t, l.West)
	server := l.East
	if before.KeyServer {
		server = l.West
	}
	must(t, server.Control.Rekey(t.Context(), mkadlab.Lower))
	waitFor(t, "another SAK", func() bool {
		west, east := port(t, l.West), port(t, l.East)
		return west.Tx.KI != before.Tx.KI && west.Tx.KI == east.Tx.KI && len(west.Rx) == 1 && len(east.Rx) == 1
	})
}

func port(t *testing.T, h *mkadlab.Host) control.Port {
	t.Helper()
	p, err := h.Port(t.Context())
	must(t, err)
	return p
}

// streamBothWays returns how many of the frames to each host were lost.
func streamBothWays(t *testing.T, l *mkadlab.Link) (lost [2]uint64) {
	t.Helper()
	for i, way := range [][2]*mkadlab.Host{{l.East, l.West}, {l.West, l.East}} {
		r := stream(t, way[0], mkadlab.Controlled, way[1], mkadlab.Controlled)
		if r.Sent == 0 || r.Refused != 0 || r.Twice != 0 {
			t.Errorf("%s to %s: %s", way[0].Name, way[1].Name, r)
		}
		lost[i] = r.Lost()
	}
	return lost
}

// stream sends numbered frames for half a second.
func stream(t *testing.T, from *mkadlab.Host, fromDevice string, to *mkadlab.Host, toDevice string) netlab.StreamReport {
	t.Helper()
	s, err := netlab.StartStream(netlab.StreamConfig{FromNamespace: from.Namespace, ToNamespace: to.Namespace,
		From: fromDevice, To: toDevice, Rate: 200, Size: 1400})
	must(t, err)
	end := time.NewTimer(500 * time.Millisecond)
	<-end.C
	r, err := s.Stop()
	must(t, err)
	return r
}

// agrees looks at a moment in which nothing moves: status and counters of mkactl, and ip, must be the same to the frame.
func agrees(t *testing.T, h *mkadlab.Host) shown {
	t.Helper()
	var s shown
	var doc control.Document
	var counts control.CountersDocument
	waitFor(t, "a moment without frames", func() bool {
		_, before := show(t, h)
		<-time.NewTimer(stillTime).C
		ask(t, h, "status", &doc)
		ask(t, h, "counters", &counts)
		var after string
		s, after = show(t, h)
		return before == after
	})
	p := doc.Ports[0]
	encoding := s.encoding()
	if p.SCI != longSCI(s.SCI) || p.CipherSuite != s.Suite {
		t.Errorf("%s: status has SCI %s and %s, ip %s and %s", h.Name, p.SCI, p.CipherSuite, s.SCI, s.Suite)
	}
	want := control.Tx{AN: s.EncodingSA, NextPN: encoding.PN, KI: encoding.Key, Headroom: math.MaxUint64 - encoding.PN,
		ExhaustedInS: p.Tx.ExhaustedInS} // the suite is an XPN one; of its pace the kernel says nothing
	if p.Tx != want || !encoding.Active {
		t.Errorf("%s: status sends with %+v, ip shows %+v", h.Name, p.Tx, encoding)
	}
	agreesOnReceiving(t, h, p, s)
	agreesOnCounters(t, h, p.Counters, s)
	agreesOnCounters(t, h, counts.Ports[0].SecY, s)
	return s
}

func ask(t *testing.T, h *mkadlab.Host, what string, answer any) {
	t.Helper()
	out, err := h.Mkactl(t.Context(), what, "--json")
	must(t, err)
	must(t, json.Unmarshal([]byte(out), answer))
}

// agreesOnReceiving expects one receive SC, as on a link of two. What the kernel calls PN is one above the highest
// number validated, from which the replay window reaches down.
func agreesOnReceiving(t *testing.T, h *mkadlab.Host, p control.Port, s shown) {
	t.Helper()
	if len(p.Rx) != 1 || len(s.RxSCs) != 1 {
		t.Fatalf("%s: status receives %+v, ip shows %+v", h.Name, p.Rx, s.RxSCs)
	}
	var want control.Rx
	for _, sa := range s.RxSCs[0].SAs {
		if sa.AN == p.Rx[0].AN && sa.Active && sa.Key == p.Tx.KI {
			want = control.Rx{SCI: longSCI(s.RxSCs[0].SCI), AN: sa.AN, LowestPN: max(sa.PN, s.Window+1) - s.Window}
		}
	}
	if p.Rx[0] != want {
		t.Errorf("%s: status receives %+v, ip shows %+v", h.Name, p.Rx[0], s.RxSCs[0])
	}
}

func agreesOnCounters(t *testing.T, h *mkadlab.Host, got map[string]uint64, s shown) {
	t.Helper()
	if want := s.counters(); !maps.Equal(got, want) {
		t.Errorf("%s: mkactl counts %v, ip %v", h.Name, got, want)
	}
	if got["OutPktsEncrypted"] < 100 || got["InPktsOK"]+got["InPktsLate"] < 100 {
		t.Errorf("%s: a stream is not in the counters %v", h.Name, got)
	}
}

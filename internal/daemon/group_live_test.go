package daemon_test

import (
	"slices"
	"testing"
	"time"

	"mkad/internal/control"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// newGroup makes three hosts on one switch and secures them.
func newGroup(t *testing.T) *mkadlab.Segment {
	t.Helper()
	s, err := mkadlab.NewSegment(t.Context(), 3, mkadlab.Options{Programs: released})
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			for _, h := range s.Members {
				t.Logf("log of %s:\n%s", h.Name, h.Log())
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for i := range s.Members {
		must(t, s.Plug(i, true))
	}
	must(t, s.Secure(t.Context()))
	awaitGroup(t, s.Members)
	return s
}

// awaitGroup waits until the members have one key server, each other as live peers, and one key.
func awaitGroup(t *testing.T, members []*mkadlab.Host) {
	t.Helper()
	waitFor(t, "one group with one key", func() bool {
		var servers int
		var ki string
		for _, h := range members {
			p, err := h.Port(t.Context())
			if err != nil || p.State != control.Secured || livePeers(p) != len(members)-1 || ki != "" && p.Tx.KI != ki {
				return false
			}
			ki = p.Tx.KI
			if p.KeyServer {
				servers++
			}
		}
		return servers == 1
	})
}

func livePeers(p control.Port) (n int) {
	for _, participant := range p.Participants {
		for _, peer := range participant.Peers {
			if peer.State == "live" {
				n++
			}
		}
	}
	return n
}

// carriesEveryWay sends a stream from each member to each other, all at the same time; nothing may be lost.
func carriesEveryWay(t *testing.T, members []*mkadlab.Host) {
	t.Helper()
	var streams []*netlab.Stream
	for _, from := range members {
		for _, to := range members {
			if from != to {
				streams = append(streams, startStream(t, from, to, 200))
			}
		}
	}
	<-time.After(time.Second)
	for _, s := range streams {
		losesNothing(t, s)
	}
}

func startStream(t *testing.T, from, to *mkadlab.Host, rate int) *netlab.Stream {
	t.Helper()
	s, err := netlab.StartStream(netlab.StreamConfig{FromNamespace: from.Namespace, ToNamespace: to.Namespace,
		From: mkadlab.Controlled, To: mkadlab.Controlled, Rate: rate, Size: streamSize})
	must(t, err)
	return s
}

func losesNothing(t *testing.T, s *netlab.Stream) {
	t.Helper()
	r, err := s.Stop()
	must(t, err)
	if r.Lost() != 0 || r.Refused != 0 || r.Twice != 0 || r.Sent == 0 {
		t.Error(r)
	}
}

// keyServerLast orders the members so that the key server is the last of them.
func keyServerLast(t *testing.T, s *mkadlab.Segment) []*mkadlab.Host {
	t.Helper()
	members := slices.Clone(s.Members)
	for i, h := range members {
		p, err := h.Port(t.Context())
		must(t, err)
		if p.KeyServer {
			return append(slices.Delete(members, i, i+1), h)
		}
	}
	t.Fatal("there is no key server")
	return nil
}

// Clause: 802.1X-2020 9.3, 9.5, 9.8; 802.1AE-2018 10.7.11
func TestThreeMembersCarryTrafficEveryWay(t *testing.T) {
	t.Parallel()
	s := newGroup(t)
	// What two who each took themselves for the key server have sent each other with the same AN is counted, and no loss.
	before := make(map[string]control.Port)
	for _, h := range s.Members {
		before[h.Name] = portOf(t, h)
	}
	carriesEveryWay(t, s.Members)
	for _, h := range s.Members {
		p := portOf(t, h)
		refused := refusedFrames(t, p) - refusedFrames(t, before[h.Name])
		if len(p.Rx) != 2 || refused != 0 {
			t.Errorf("%s receives from %d members, and has refused %d frames; counters %v, before %v", h.Name, len(p.Rx), refused,
				p.Counters, before[h.Name].Counters)
		}
	}
}

// refusedFrames counts the frames that a port has received and not passed on.
func refusedFrames(t *testing.T, p control.Port) (n uint64) {
	t.Helper()
	for _, name := range []string{"InPktsNotValid", "InPktsNoSA", "InPktsNoSAError", "InPktsLate", "InPktsOverrun"} {
		counted, shown := p.Counters[name]
		if !shown {
			t.Fatalf("there is no counter %s", name)
		}
		n += counted
	}
	return n
}

// Clause: 802.1X-2020 9.4.3, 9.8; a member that goes or comes is a re-key for the others, and loses them nothing.
func TestMemberThatLeavesAndReturnsCostsTheOthersNothing(t *testing.T) {
	t.Parallel()
	s := newGroup(t)
	members := keyServerLast(t, s)
	leaver, stayers := members[0], members[1:]
	there, back := startStream(t, stayers[0], stayers[1], 500), startStream(t, stayers[1], stayers[0], 500)
	leaver.Daemon().Kill()
	awaitGroup(t, stayers)
	for _, h := range stayers {
		waitFor(t, "a key of two for "+h.Name, func() bool { return len(portOf(t, h).Rx) == 1 })
	}
	must(t, leaver.StartDaemon(t.Context()))
	awaitGroup(t, members)
	losesNothing(t, there)
	losesNothing(t, back)
	carriesEveryWay(t, members)
}

// Clause: 802.1X-2020 9.5, 12.4; a change of key server passes through CHANGE, and is the one gap there is.
func TestGroupSurvivesTheLossOfItsKeyServer(t *testing.T) {
	t.Parallel()
	s := newGroup(t)
	members := keyServerLast(t, s)
	server, others := members[len(members)-1], members[:len(members)-1]
	across := startStream(t, others[0], others[1], 500)
	server.Daemon().Kill()
	awaitGroup(t, others)
	r, err := across.Stop()
	must(t, err)
	t.Logf("the loss of the key server: %s", r)
	if r.Silence > 3*time.Second {
		t.Errorf("its peers were silent for %s", r.Silence)
	}
	carriesEveryWay(t, others)
	must(t, server.StartDaemon(t.Context()))
	awaitGroup(t, members)
	carriesEveryWay(t, members)
}

// Clause: 802.1X-2020 9.4.3; a member whose wire is pulled is lost, and comes back.
func TestMemberIsBackAfterItsWireWasPulled(t *testing.T) {
	t.Parallel()
	s := newGroup(t)
	must(t, s.Plug(1, false))
	awaitGroup(t, []*mkadlab.Host{s.Members[0], s.Members[2]})
	must(t, s.Plug(1, true))
	awaitGroup(t, s.Members)
	carriesEveryWay(t, s.Members)
}

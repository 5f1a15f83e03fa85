package link

import (
	"fmt"
	"strings"
	"testing"

	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// setNextPN moves the kernel's next packet number of a host's transmit SA forward, as if all those between were used.
func setNextPN(t *testing.T, h *mkadlab.Host, pn uint64) {
	t.Helper()
	word := "pn"
	p := port(t, h)
	if strings.Contains(p.CipherSuite, "XPN") {
		word = "xpn"
	}
	run(t, h, fmt.Sprintf("ip macsec set %s tx sa %d %s %d", mkadlab.Controlled, p.Tx.AN, word, pn))
}

func startStream(t *testing.T, from, to *mkadlab.Host) *netlab.Stream {
	t.Helper()
	s, err := netlab.StartStream(netlab.StreamConfig{FromNamespace: from.Namespace, ToNamespace: to.Namespace,
		From: mkadlab.Controlled, To: mkadlab.Controlled, Rate: streamRate, Size: 200})
	must(t, err)
	return s
}

// streamRate is how many frames a second use up packet numbers.
const streamRate = 200

func stopWithoutLoss(t *testing.T, s *netlab.Stream) {
	t.Helper()
	r, err := s.Stop()
	must(t, err)
	if r.Lost() != 0 || r.Refused != 0 || r.Twice != 0 || r.Received == 0 {
		t.Error(r)
	}
}

// Clause: 802.1X-2020 9.8; whoever's packet numbers come to their end, the key server makes another SAK before they do.
func TestGuestPacketNumbersDoNotRunOut(t *testing.T) {
	for _, whose := range []string{"key server", "follower"} {
		t.Run(whose, func(t *testing.T) {
			const suite = `cipher_suites = ["GCM-AES-128"]`
			l := newLink(t, suite, suite)
			must(t, l.Secure(t.Context()))
			from, to := l.West, l.East
			if port(t, from).KeyServer != (whose == "key server") {
				from, to = to, from
			}
			s := startStream(t, from, to)
			before := port(t, from)
			setNextPN(t, from, 1<<32-15*streamRate) // 15 s are left
			waitFor(t, "another SAK", func() bool {
				p, q := port(t, from), port(t, to)
				return p.Tx.KI != before.Tx.KI && q.Tx.KI == p.Tx.KI && len(p.Rx) == 1 && len(q.Rx) == 1
			})
			stopWithoutLoss(t, s)
			if p := port(t, from); p.Tx.NextPN > 1<<20 || p.Tx.AN == before.Tx.AN || p.Rekeys != 1 {
				t.Errorf("sends with %+v after %d re-keys, before with %+v", p.Tx, p.Rekeys, before.Tx)
			}
		})
	}
}

// Clause: 802.1AE-2018 10.6; extended packet numbers go on past 2^32 with the same SAK.
func TestGuestExtendedPacketNumbersGoOn(t *testing.T) {
	const suite = `cipher_suites = ["GCM-AES-XPN-128"]`
	l := newLink(t, suite, suite)
	must(t, l.Secure(t.Context()))
	before := port(t, l.West)
	s := startStream(t, l.West, l.East)
	for _, pn := range []uint64{1<<31 - 100, 1<<32 - 200} { // each less than 2^31 further: else the receiver cannot follow
		setNextPN(t, l.West, pn)
		waitFor(t, fmt.Sprintf("packet numbers past %d", pn+400), func() bool {
			east := port(t, l.East)
			return port(t, l.West).Tx.NextPN > pn+400 && len(east.Rx) == 1 && east.Rx[0].LowestPN > pn+200
		})
	}
	stopWithoutLoss(t, s)
	if p := port(t, l.West); p.Tx.KI != before.Tx.KI || p.Tx.NextPN <= 1<<32 || p.Rekeys != 0 {
		t.Errorf("sends with %+v after %d re-keys", p.Tx, p.Rekeys)
	}
}

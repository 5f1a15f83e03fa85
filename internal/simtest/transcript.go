package main

import (
	"crypto/sha256"
	"fmt"
	"io"

	"mkad/eapol"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// transcribe lets say be called with one line for each frame sent and each order given: all that a KaY lets out, and so
// all by which two runs could differ.
func transcribe(lan *mkatest.LAN, say func(at int64, name, what string)) {
	lan.Tap = func(from mkatest.Station, frame []byte) {
		if m, ok := from.(*mkatest.Member); ok {
			say(int64(lan.Now), m.Name, fmt.Sprintf("frame %x", frame))
		}
	}
	lan.Order = func(m *mkatest.Member, op secy.Op) {
		var key mkatest.Fingerprint
		if !op.SAK.IsZero() {
			key = mkatest.FingerprintOf(op.SAK)
		}
		say(int64(lan.Now), m.Name, fmt.Sprintf("op %s %x %x", op, op.Salt, key))
	}
}

// Digest is that of everything that the script's members let out.
func Digest(s Script) (sum [sha256.Size]byte, r Result) {
	h := sha256.New()
	r = Play(s, func(lan *mkatest.LAN) {
		transcribe(lan, func(at int64, name, what string) { fmt.Fprintln(h, at, name, what) })
	})
	return [sha256.Size]byte(h.Sum(sum[:0])), r
}

// Tell writes what happens for people: frames, orders and events, with their times in ms.
func Tell(s Script, to io.Writer) Result {
	told := map[*mkatest.Member]int{}
	r := Play(s, func(lan *mkatest.LAN) {
		say := func(name, format string, args ...any) {
			fmt.Fprintf(to, "%9.3f %s %s\n", float64(lan.Now)/1e6, name, fmt.Sprintf(format, args...))
		}
		lan.Tap = func(from mkatest.Station, frame []byte) {
			if m, ok := from.(*mkatest.Member); ok {
				say(m.Name, "sends %s", summary(frame))
			}
		}
		lan.Order = func(m *mkatest.Member, op secy.Op) {
			told[m] = tellEvents(m, told[m], say)
			say(m.Name, "orders %s", op)
		}
	})
	return r
}

// tellEvents says what a member told since the last call.
func tellEvents(m *mkatest.Member, from int, say func(name, format string, args ...any)) int {
	for _, e := range m.Events[from:] {
		say(m.Name, "  told at %.3f: %s peer=%s ki=%s an=%d %s %s", float64(e.At)/1e6, e.Kind, e.Peer, e.KI, e.AN, e.Discard,
			e.Reason)
	}
	return len(m.Events)
}

// summary is what an MKPDU says, in short.
func summary(frame []byte) string {
	var p eapol.MKPDU
	if d := eapol.ParseMKPDU(frame, eapol.Acceptance{AnyGroup: true}, &p); d != eapol.Accepted {
		return d.String()
	}
	text := fmt.Sprintf("%s %.4s/%d", p.Basic.CKN, p.Basic.MI, p.Basic.MN)
	for _, list := range [...]struct {
		name  string
		peers []eapol.ListedPeer
	}{{"live", p.Live.Peers}, {"potential", p.Potential.Peers}} {
		for _, q := range list.peers {
			text += fmt.Sprintf(" %s %.4s/%d", list.name, q.MI, q.MN)
		}
	}
	for _, u := range [...]eapol.KeyUse{p.SAKUse.Latest, p.SAKUse.Old} {
		if !u.KI.IsZero() {
			text += fmt.Sprintf(" key %.4s/%d tx=%t rx=%t", u.KI.MI, u.KI.KN, u.Tx, u.Rx)
		}
	}
	if p.DistributedSAK.Present {
		text += fmt.Sprintf(" SAK %d an=%d %s", p.DistributedSAK.KN, p.DistributedSAK.AN, p.DistributedSAK.Suite)
	}
	return text
}

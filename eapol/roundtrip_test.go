package eapol_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/secy"
)

// Whatever may be said is understood as it was meant.
// Clause: 802.1X-2020 11.11.1
func TestBuiltMKPDUIsParsedBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := drawMKPDU(rt)
		got := new(eapol.MKPDU)
		frame := append(want.AppendTo(nil), want.ICV[:]...)
		if d := eapol.ParseMKPDU(frame, eapol.Acceptance{AnyGroup: true}, got); d != eapol.Accepted {
			rt.Fatalf("discarded for %s", d)
		}
		want.Announcement.Body = got.Announcement.Body // built from Suites
		if diff := cmp.Diff(want, got, same); diff != "" {
			rt.Fatalf("(-built +parsed)\n%s", diff)
		}
	})
}

// drawMKPDU draws one that keeps the rules of the fields, with any combination of sets.
func drawMKPDU(t *rapid.T) *eapol.MKPDU {
	m := &eapol.MKPDU{
		DA: eapol.MAC{1}, SA: eapol.MAC(drawOctets(t, 6)), EtherType: eapol.EtherType,
		EAPOLVersion: rapid.Uint8Min(eapol.Version).Draw(t, "EAPOL version"),
		Basic:        drawBasic(t), SAKUse: drawSAKUse(t), DistributedSAK: drawDistributedSAK(t),
		ICVIndicator: rapid.Bool().Draw(t, "ICV Indicator"), ICV: [16]byte(drawOctets(t, 16)),
	}
	m.Live, m.Potential = drawPeerList(t), drawPeerList(t)
	if m.Basic.MKAVersion >= 3 && m.DistributedSAK.Suite.XPN() && m.Live.Present {
		m.Live.KeyServerSSCI = rapid.Uint8().Draw(t, "key server's SSCI")
	}
	if rapid.Bool().Draw(t, "Distributed CAK") {
		m.DistributedCAK = eapol.DistributedCAK{Present: true, Body: drawSome(t, 72)}
	}
	if rapid.Bool().Draw(t, "KMD") {
		m.KMD = eapol.KMD{Present: true, Domain: drawSome(t, 253)}
	}
	if rapid.Bool().Draw(t, "Announcement") {
		m.Announcement = eapol.Announcement{Present: true,
			Suites: rapid.SliceOfN(rapid.Custom(drawSuite), 0, eapol.MaxAnnouncedSuites).Draw(t, "suites")}
	}
	if rapid.Bool().Draw(t, "XPN") {
		m.XPN = eapol.XPN{Present: true, SuspensionTime: rapid.Uint8().Draw(t, "suspension"),
			LatestHigh: rapid.Uint32().Draw(t, "latest high"), OldHigh: rapid.Uint32().Draw(t, "old high")}
	}
	return m
}

func drawOctets(t *rapid.T, n int) []byte {
	return rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "octets")
}

func drawSome(t *rapid.T, most int) []byte {
	return rapid.SliceOfN(rapid.Byte(), 1, most).Draw(t, "octets")
}

func drawBasic(t *rapid.T) eapol.Basic {
	name, err := keyderive.NewCKN(drawSome(t, 32))
	if err != nil {
		t.Fatal(err)
	}
	return eapol.Basic{
		MKAVersion:        rapid.Uint8().Draw(t, "MKA version"),
		KeyServerPriority: rapid.Uint8().Draw(t, "priority"),
		KeyServer:         rapid.Bool().Draw(t, "key server"),
		MACsecDesired:     rapid.Bool().Draw(t, "desired"),
		Capability:        secy.Capability(rapid.Uint8Max(3).Draw(t, "capability")),
		SCI:               secy.SCI(rapid.Uint64().Draw(t, "SCI")),
		MI:                eapol.MI(drawOctets(t, 12)),
		MN:                eapol.MN(rapid.Uint32().Draw(t, "MN")),
		AlgorithmAgility:  rapid.Uint32().Draw(t, "agility"),
		CKN:               name,
	}
}

func drawPeerList(t *rapid.T) eapol.PeerList {
	if !rapid.Bool().Draw(t, "list") {
		return eapol.PeerList{}
	}
	return eapol.PeerList{Present: true, Peers: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) eapol.ListedPeer {
		return eapol.ListedPeer{MI: eapol.MI(drawOctets(t, 12)), MN: eapol.MN(rapid.Uint32().Draw(t, "MN"))}
	}), 0, 5).Draw(t, "peers")}
}

func drawSAKUse(t *rapid.T) eapol.SAKUse {
	u := eapol.SAKUse{
		Present:      rapid.Bool().Draw(t, "SAK Use"),
		Empty:        rapid.Bool().Draw(t, "SAK Use empty"),
		PlainTx:      rapid.Bool().Draw(t, "plain tx"),
		PlainRx:      rapid.Bool().Draw(t, "plain rx"),
		DelayProtect: rapid.Bool().Draw(t, "delay protect"),
	}
	switch {
	case !u.Present:
		return eapol.SAKUse{}
	case !u.Empty:
		u.Latest, u.Old = drawKeyUse(t), drawKeyUse(t)
	}
	return u
}

func drawKeyUse(t *rapid.T) eapol.KeyUse {
	return eapol.KeyUse{
		KI:  eapol.KI{MI: eapol.MI(drawOctets(t, 12)), KN: eapol.KN(rapid.Uint32().Draw(t, "KN"))},
		AN:  secy.AN(rapid.Uint8Max(3).Draw(t, "AN")),
		Tx:  rapid.Bool().Draw(t, "tx"),
		Rx:  rapid.Bool().Draw(t, "rx"),
		LPN: rapid.Uint32().Draw(t, "LPN"),
	}
}

func drawDistributedSAK(t *rapid.T) eapol.DistributedSAK {
	switch rapid.IntRange(0, 2).Draw(t, "Distributed SAK") {
	case 0:
		return eapol.DistributedSAK{}
	case 1:
		return eapol.DistributedSAK{Present: true, Empty: true}
	}
	suite := drawSuite(t).Suite
	return eapol.DistributedSAK{
		Present: true,
		AN:      secy.AN(rapid.Uint8Max(3).Draw(t, "AN")),
		Offset:  secy.ConfidentialityOffset(rapid.Uint8Max(3).Draw(t, "offset")),
		KN:      eapol.KN(rapid.Uint32().Draw(t, "KN")),
		Suite:   suite,
		LongID:  suite == secy.GCMAES128 && rapid.Bool().Draw(t, "named"),
		Wrapped: drawOctets(t, suite.KeyLen()+8),
	}
}

func drawSuite(t *rapid.T) eapol.AnnouncedSuite {
	return eapol.AnnouncedSuite{
		Capability: secy.Capability(rapid.Uint8Max(3).Draw(t, "capability")),
		Suite:      rapid.SampledFrom(secy.CipherSuites[:]).Draw(t, "suite"),
	}
}

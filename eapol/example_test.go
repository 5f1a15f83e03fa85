package eapol_test

import (
	"fmt"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/secy"
)

// A hello on its way out, and in again at the other end.
func Example() {
	cak, _ := keyderive.NewCAK(make([]byte, 16))
	ckn, _ := keyderive.NewCKN([]byte{0x00, 0x01})
	ick := keyderive.DeriveICK(cak, ckn)

	hello := eapol.MKPDU{
		DA: eapol.PAEGroup, SA: eapol.MAC{2, 0, 0, 0, 0, 1},
		Basic: eapol.Basic{
			MKAVersion: 3, KeyServerPriority: 16, KeyServer: true, MACsecDesired: true,
			Capability: secy.CapabilityOffsets, SCI: 0x0200000000010001, MI: eapol.MI{0xa1}, MN: 1,
			AlgorithmAgility: eapol.AlgorithmAgility, CKN: ckn,
		},
		Potential: eapol.PeerList{Present: true, Peers: []eapol.ListedPeer{{MI: eapol.MI{0xb1}, MN: 7}}},
	}
	frame := hello.AppendTo(nil)
	icv := ick.Sum(frame)
	frame = append(frame, icv[:]...)

	var heard eapol.MKPDU
	if d := eapol.ParseEnvelope(frame, eapol.Acceptance{}, &heard); d != eapol.Accepted {
		fmt.Println(d)
		return
	}
	fmt.Println(heard.SA, "speaks of", heard.Basic.CKN)
	fmt.Println("authentic:", ick.Verify(heard.Authenticated(), heard.ICV[:]))
	fmt.Println("sets:", heard.ParseSets())
	fmt.Println("hears", heard.Potential.Peers[0].MI, "at", heard.Potential.Peers[0].MN)
	// Output:
	// 02:00:00:00:00:01 speaks of 0001
	// authentic: true
	// sets: accepted
	// hears b10000000000000000000000 at 7
}

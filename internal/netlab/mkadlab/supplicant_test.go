package mkadlab

import "testing"

// What wpa_cli 2.10 prints, without what nobody reads here.
const said = `wpa_state=COMPLETED
PAE KaY status=Active
Secured=Yes
Is Key Server=No
actor_sci=32:e4:cd:f4:ea:dd@1
key_server_sci=32:e4:cd:f4:ea:aa@65534
participant_idx=0
mi=07a5d2d81a1c1b7ed3cc5524
live_peers=2
potential_peers=1
is_key_server=Yes
`

func TestStatusOfASupplicantIsRead(t *testing.T) {
	got, err := parseSupplicantStatus([]byte(said))
	want := SupplicantStatus{Secured: true, KeyServer: true, SCI: "32e4cdf4eadd0001", KeyServerSCI: "32e4cdf4eaaafffe",
		MI: "07a5d2d81a1c1b7ed3cc5524", Live: 2, Potential: 1}
	if err != nil || got != want {
		t.Errorf("read %+v, %v, want %+v", got, err, want)
	}
	if _, err := parseSupplicantStatus([]byte("wpa_state=DISCONNECTED\n")); err == nil {
		t.Error("a status without MKA is read")
	}
}

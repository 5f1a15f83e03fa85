package explain_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mkad/internal/explain"
	"mkad/mka"
	"mkad/secy"
)

// Clause: 802.1X-2020 9.7.1, 11.11.3; design: what is encrypted is for the key server to decide, and not to be guessed
// Requirement: R119
func TestLessConfidentialityThanConfiguredIsWarnedOf(t *testing.T) {
	const none, all, some, less = secy.IntegrityOnly, secy.Offset0, secy.Offset30, secy.Offset50
	for _, c := range []struct {
		asked, got secy.ConfidentialityOffset
		want       string // none: no warning
	}{
		{all, all, ""}, {some, all, ""}, {none, all, ""}, {none, none, ""}, {less, some, ""}, {none, less, ""},
		{all, none, "so nothing is encrypted"}, {less, none, "so nothing is encrypted"},
		{all, some, "so the first 30 octets are not"}, {some, less, "so the first 50 octets are not"},
	} {
		for _, server := range []bool{true, false} {
			got := explain.Warnings(mka.Status{Secured: true, Offset: c.got, KeyServer: server}, time.Second, c.asked)
			blames := map[bool]string{true: "not every member", false: "the key server decides"}[server]
			if c.want == "" && len(got) != 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want) || !strings.Contains(got[0], blames)) {
				t.Errorf("%s asked for, %s got: warned %q", c.asked, c.got, got)
			}
		}
	}
	if got := explain.Warnings(mka.Status{Offset: none}, time.Second, all); len(got) != 0 {
		t.Errorf("a port that is not secured: %q", got)
	}
}

// Clause: none; design: a link that carries nothing is not said to be well
// Requirement: R119
func TestPeerThatIsDeafForTwoLivesIsWarnedOf(t *testing.T) {
	s := mka.Status{Secured: true, Offset: secy.Offset0, Participants: []mka.ParticipantStatus{
		{Principal: true, Peers: []mka.PeerStatus{{SCI: 1, Deaf: 12 * time.Second}, {SCI: 2, Deaf: 12*time.Second - 1}, {SCI: 3}}},
		{Peers: []mka.PeerStatus{{SCI: 4, Deaf: time.Hour}}},
	}}
	got := explain.Warnings(s, 6*time.Second, secy.Offset0)
	if len(got) != 1 || !strings.Contains(got[0], "0000000000000001 has reported for 12 s") {
		t.Errorf("warned %q", got)
	}
	s.Secured = false
	if got := explain.Warnings(s, 6*time.Second, secy.Offset0); !slices.Equal(got, nil) {
		t.Errorf("a port that is not secured: %q", got)
	}
}

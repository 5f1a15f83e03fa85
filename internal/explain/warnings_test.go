package explain_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mkad/eapol"
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
			got := explain.Warnings(&explain.Evidence{MKA: mka.Status{Secured: true, Offset: c.got, KeyServer: server}}, c.asked)
			blames := map[bool]string{true: "not every member", false: "the key server decides"}[server]
			if c.want == "" && len(got) != 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want) || !strings.Contains(got[0], blames)) {
				t.Errorf("%s asked for, %s got: warned %q", c.asked, c.got, got)
			}
		}
	}
	if got := explain.Warnings(&explain.Evidence{MKA: mka.Status{Offset: none}}, all); len(got) != 0 {
		t.Errorf("a port that is not secured: %q", got)
	}
}

// Clause: none; design: a link that carries nothing is not said to be well
// Requirement: R119
func TestPeerThatIsDeafForTwoLivesIsWarnedOf(t *testing.T) {
	e := explain.Evidence{LifeTime: 6 * time.Second, MKA: mka.Status{Secured: true, Offset: secy.Offset0, Participants: []mka.ParticipantStatus{
		{Principal: true, Peers: []mka.PeerStatus{{SCI: 1, Deaf: 12 * time.Second}, {SCI: 2, Deaf: 12*time.Second - 1}, {SCI: 3}}},
		{Peers: []mka.PeerStatus{{SCI: 4, Deaf: time.Hour}}},
	}}}
	got := explain.Warnings(&e, secy.Offset0)
	if len(got) != 1 || !strings.Contains(got[0], "0000000000000001 has reported for 12 s") {
		t.Errorf("warned %q", got)
	}
	e.MKA.Secured = false
	if got := explain.Warnings(&e, secy.Offset0); !slices.Equal(got, nil) {
		t.Errorf("a port that is not secured: %q", got)
	}
}

// Clause: none; design: a SAK that cannot be replaced is not said to be well
// Requirement: R119
func TestSAKsThatAreRefusedAreWarnedOf(t *testing.T) {
	e := explain.Evidence{MKA: mka.Status{Secured: true, Offset: secy.Offset0}, Seen: &explain.Seen{}}
	e.Seen.Note(mka.Event{Kind: mka.EventDiscarded, Discard: eapol.DiscardSAKReuse, Peer: 7}, 0)
	if got := explain.Warnings(&e, secy.Offset0); len(got) != 1 || !strings.Contains(got[0], "key server 0000000000000007 is refused") {
		t.Errorf("warned %q", got)
	}
	later := e
	later.Seen = &explain.Seen{}
	*later.Seen = *e.Seen
	if later.Seen.Note(mka.Event{Kind: mka.EventSAKReceived}, 1); len(explain.Warnings(&later, secy.Offset0)) != 0 {
		t.Error("it is warned of though a SAK was taken since")
	}
	if e.Now = e.Now.Add(time.Minute); len(explain.Warnings(&e, secy.Offset0)) != 0 {
		t.Error("it is warned of what is over")
	}
}

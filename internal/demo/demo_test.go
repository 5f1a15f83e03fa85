package main

import (
	"strings"
	"testing"

	"mkad/internal/netlab"
)

const pingOutput = `PING 192.0.2.2 (192.0.2.2) 56(84) bytes of data.

--- 192.0.2.2 ping statistics ---
1000 packets transmitted, %s received, 0%% packet loss, time 2013ms
`

func TestAllAnswered(t *testing.T) {
	tests := map[string]struct {
		output string
		want   string // part of the error; "" for none
	}{
		"all":        {strings.Replace(pingOutput, "%s", "1000", 1), ""},
		"one lost":   {strings.Replace(pingOutput, "%s", "999", 1), "1000 packets transmitted, 999 received"},
		"cut short":  {strings.Replace(strings.Replace(pingOutput, "%s", "700", 1), "1000", "700", 1), "want 1000 of 1000"},
		"no summary": {"ping: sendmsg: Network is down", "no summary"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { checkError(t, allAnswered(test.output, 1000), test.want) })
	}
}

func TestLeased(t *testing.T) {
	got, err := leased("udhcpc: started\nleased 198.51.100.101\n")
	if err != nil || got != "198.51.100.101" {
		t.Errorf("got %q, %v", got, err)
	}
	_, err = leased("udhcpc: no lease, failing\n")
	checkError(t, err, "no lease, failing")
}

func TestOnlySecuredWantsBothTypesOfFrame(t *testing.T) {
	checkError(t, onlySecured("to west", netlab.Capture{}), "no 0x888e EAPOL frame was captured")
}

func checkError(t *testing.T, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one with %q", err, want)
	}
}

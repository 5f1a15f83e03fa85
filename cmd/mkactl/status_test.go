package main

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"mkad/internal/control"
)

func securedPort() control.Port {
	return control.Port{
		Interface: "eth1", Controlled: "macsec0", Backend: "userspace", BackendReason: "the kernel has no macsec",
		State: control.Secured, Since: noon.Add(-3*time.Hour - 12*time.Minute), SCI: "525400aabbcc0001",
		CipherSuite: "GCM-AES-XPN-256", Confidentiality: "offset-0", KeyServer: true, PrincipalCKN: "0001",
		Participants: []control.Participant{{
			CKN: "0001", Role: "primary", State: "principal", MI: "0102030405060708090a0b0c", MN: 17,
			End: "2026-12-02T00:00:00Z",
			Peers: []control.Peer{{SCI: "525400ddeeff0001", MI: "1112131415161718191a1b1c", MN: 16,
				State: control.PeerLive, KeyServerPriority: 16, LastSeenMS: 800}},
		}},
		NextKeys: []control.Key{{CKN: "0002", Role: "primary", Start: "2026-12-01T23:00:00Z", End: "2027-01-02T00:00:00Z"},
			{CKN: "0003", Role: "fallback", Start: "2027-01-01T00:00:00Z"}},
		Warnings: []string{"the last key ends at 2026-12-02T00:00:00Z, in 12 hours; add a [[key]] to /etc/mkad/keys/eth1.toml"},
		Tx: control.Tx{AN: 1, NextPN: 1234, KI: "0102030405060708090a0b0c00000001", Headroom: 4294966061,
			ExhaustedInS: 4*3600 + 60},
		Rx:     []control.Rx{{SCI: "525400ddeeff0001", AN: 1, LowestPN: 1200}},
		Rekeys: 3,
	}
}

func blockedPort() control.Port {
	return control.Port{
		Interface: "eth2", Controlled: "macsec1", Backend: "userspace", State: control.Blocked,
		Reason: "frames are heard, but their integrity check fails: the CAK of the other side probably differs from the " +
			"one in /etc/mkad/keys/eth2.toml",
		Since: noon.Add(-42 * time.Second), SCI: "525400aabbcd0001",
		Participants: []control.Participant{{CKN: strings.Repeat("ab", 32), Role: "fallback", State: "active",
			MI: "0102030405060708090a0b0d", MN: 4294967295,
			Peers: []control.Peer{{SCI: "525400ddeeff0002", MI: "1112131415161718191a1b1d", MN: 1, State: "potential",
				KeyServerPriority: 255, LastSeenMS: 2049}}}},
	}
}

const statusPage = `INTERFACE  CONTROLLED  STATE    SUITE            SERVER  PEERS  SINCE
eth1       macsec0     secured  GCM-AES-XPN-256  self    1/1    3h12m
eth2       macsec1     blocked  -                -       0/1    42s

eth1 (controlled macsec0)
  state        secured since 2026-12-01 08:48:00 UTC
  warning      the last key ends at 2026-12-02T00:00:00Z, in 12 hours; add a
               [[key]] to /etc/mkad/keys/eth1.toml
  backend      userspace, the kernel has no macsec
  SCI          525400aabbcc0001
  suite        GCM-AES-XPN-256, offset-0
  key server   self
  rekeys       3
  transmit     AN 1, next PN 1234, key 0102030405060708090a0b0c00000001
  PNs left     4294966061, for 4h01m at this pace
  receive      AN 1, lowest PN 1200, from 525400ddeeff0001
  participant  0001, primary, principal, MI 0102030405060708090a0b0c, MN 17,
               until 2026-12-02T00:00:00Z
    peer       525400ddeeff0001, live, heard 0.8 s ago, priority 16, MI
               1112131415161718191a1b1c, MN 16
  next key     0002, primary, from 2026-12-01T23:00:00Z until
               2027-01-02T00:00:00Z
  next key     0003, fallback, from 2027-01-01T00:00:00Z

eth2 (controlled macsec1)
  state        blocked since 2026-12-01 11:59:18 UTC
  reason       frames are heard, but their integrity check fails: the CAK of the
               other side probably differs from the one in
               /etc/mkad/keys/eth2.toml
  backend      userspace
  SCI          525400aabbcd0001
  suite        -
  key server   -
  rekeys       0
  participant  abababababababababababababababababababababababababababababababab,
               fallback, active, MI 0102030405060708090a0b0d, MN 4294967295
    peer       525400ddeeff0002, potential, heard 2.0 s ago, priority 255, MI
               1112131415161718191a1b1d, MN 1
`

func TestStatusIsATableAndDetails(t *testing.T) {
	_, socket := serve(t, securedPort(), blockedPort())
	wantOutcome(t, runTool(t, with(socket, "status")...), outcome{stdout: statusPage})
}

func TestStatusFitsInto80Columns(t *testing.T) {
	long := securedPort()
	long.Interface, long.Controlled, long.State = "enp130s0f1np115", "macsec-uplink15", control.Unsecured
	long.Since = noon.Add(-99 * time.Hour)
	long.Tx.NextPN, long.Rx[0].LowestPN = 1<<64-1, 1<<64-1
	for line := range strings.Lines(statusText(control.Document{Ports: []control.Port{long, blockedPort()}}, noon)) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("line of %d columns: %s", n, line)
		}
	}
}

func TestStatusOfNoPortSaysWhatToDo(t *testing.T) {
	_, socket := serve(t)
	wantOutcome(t, runTool(t, with(socket, "status")...), outcome{stdout: noPort})
}

func TestStatusInJSONIsTheDocument(t *testing.T) {
	_, socket := serve(t, securedPort(), blockedPort())
	got := runTool(t, with(socket, "status", "eth2", "--json")...)
	var d control.Document
	if err := json.Unmarshal([]byte(got.stdout), &d); err != nil || got.exit != exitDone {
		t.Fatalf("exit status %d: %s (%v)", got.exit, got.stdout, err)
	}
	if d.Version != 1 || len(d.Ports) != 1 || d.Ports[0].Reason != blockedPort().Reason {
		t.Errorf("document is %+v", d)
	}
}

func TestAgeIsShort(t *testing.T) {
	for _, test := range []struct {
		age  time.Duration
		want string
	}{
		{-time.Hour, "0s"}, {0, "0s"}, {59999 * time.Millisecond, "59s"}, {time.Minute, "1m"}, {time.Hour - 1, "59m"},
		{time.Hour, "1h00m"}, {100*time.Hour - 1, "99h59m"}, {100 * time.Hour, "4d"}, {1000 * 24 * time.Hour, "1000d"},
	} {
		if got := age(noon.Add(-test.age), noon); got != test.want {
			t.Errorf("age of %v is %s, want %s", test.age, got, test.want)
		}
	}
	if got := age(time.Time{}, noon); got != "-" {
		t.Errorf("age of no time is %s, want -", got)
	}
}

func TestTextFromElsewhereCannotTalkToTheTerminal(t *testing.T) {
	hostile := blockedPort()
	hostile.Reason = "a\x1b[2Jb\u009bc\rd"
	_, socket := serve(t, hostile)
	if got := runTool(t, with(socket, "status")...); strings.ContainsAny(got.stdout, "\x1b\u009b\r") {
		t.Errorf("output is %q", got.stdout)
	}
}

func TestWaitPrintsStatusOnceAllIsThere(t *testing.T) {
	_, socket := serve(t, securedPort())
	got := runTool(t, with(socket, "status", "eth1", "--wait", "secured")...)
	if got.exit != exitDone || !strings.Contains(got.stdout, "secured") {
		t.Errorf("outcome is %+v", got)
	}
}

func TestWaitFailsWithWhatIsMissing(t *testing.T) {
	port := blockedPort()
	port.Reason = "nothing heard"
	_, socket := serve(t, securedPort(), port)
	wantOutcome(t, runTool(t, with(socket, "status", "--wait", "secured", "--timeout", "200ms")...),
		outcome{exitFailed, "", "mkactl: gave up after 200ms (--timeout): not secured: eth2 is blocked (nothing heard)\n"})
}

func TestWaitForADaemonThatNeverComesSaysSo(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "none.sock")
	wantOutcome(t, runTool(t, "status", "--wait", "secured", "--timeout", "200ms", "--socket", socket),
		outcome{exitUnreachable, "", "mkactl: gave up after 200ms (--timeout): mkad does not answer at " + socket +
			": connect: no such file or directory\ntry: start mkad, or name its socket (control in mkad.toml) with --socket\n"})
}

func TestStatusHelpExplainsEveryState(t *testing.T) {
	help := runTool(t, "status", "--help").stdout
	for _, s := range control.States {
		if !regexp.MustCompile(`(?m)^  ` + string(s) + ` +\w.+$`).MatchString(help) {
			t.Errorf("no line explains %s in\n%s", s, help)
		}
	}
}

func TestStatusHelpSaysThatWaitingEnds(t *testing.T) {
	help := runTool(t, "status", "--help").stdout
	for _, want := range []string{"at most for --timeout", "when --wait gives up (default 10s)"} {
		if !strings.Contains(help, want) {
			t.Errorf("help has no %q:\n%s", want, help)
		}
	}
}

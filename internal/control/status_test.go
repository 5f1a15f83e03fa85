package control_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"mkad/internal/control"
)

// statusExample is the status document as scripts know it; a change here breaks them.
const statusExample = `{
  "version": 1,
  "ports": [
    {
      "interface": "eth1",
      "controlled": "macsec0",
      "backend": "kernel",
      "backend_reason": "",
      "state": "secured",
      "cause": "",
      "reason": "",
      "warnings": [
        "the last key ends at 2026-12-02T00:00:00Z, in 24 hours; add a [[key]] to /etc/mkad/keys/eth1.toml"
      ],
      "since": "2026-12-01T00:00:00Z",
      "sci": "525400aabbcc0001",
      "cipher_suite": "GCM-AES-XPN-256",
      "confidentiality": "offset-0",
      "key_server": true,
      "principal_ckn": "0001",
      "participants": [
        {
          "ckn": "0001",
          "role": "primary",
          "state": "principal",
          "start": "",
          "end": "2026-12-02T00:00:00Z",
          "mi": "0102030405060708090a0b0c",
          "mn": 17,
          "mka_version": 3,
          "suspended_ms": 0,
          "peers": [
            {
              "sci": "525400ddeeff0001",
              "mi": "1112131415161718191a1b1c",
              "mn": 16,
              "state": "live",
              "key_server_priority": 16,
              "last_seen_ms": 800,
              "mka_version": 3,
              "cipher_suites": [
                "GCM-AES-XPN-256"
              ],
              "suspend_for_ms": 0
            }
          ]
        }
      ],
      "next_keys": [
        {
          "ckn": "0002",
          "role": "primary",
          "start": "2026-12-01T23:00:00Z",
          "end": ""
        }
      ],
      "tx": {
        "an": 1,
        "next_pn": 1234,
        "ki": "0102030405060708090a0b0c00000001",
        "headroom": 18446744073709550381,
        "exhausted_in_s": 3600
      },
      "rx": [
        {
          "sci": "525400ddeeff0001",
          "an": 1,
          "lowest_pn": 1200
        }
      ],
      "rekeys": 3,
      "counters": {
        "OutPktsEncrypted": 0
      }
    }
  ]
}`

func examplePort() control.Port {
	return control.Port{
		Interface: "eth1", Controlled: "macsec0", Backend: "kernel", State: control.Secured,
		Since: time.Date(2026, 12, 1, 1, 0, 0, 123456, time.FixedZone("CET", 3600)),
		SCI:   "525400aabbcc0001", CipherSuite: "GCM-AES-XPN-256", Confidentiality: "offset-0",
		KeyServer: true, PrincipalCKN: "0001",
		Warnings: []string{"the last key ends at 2026-12-02T00:00:00Z, in 24 hours; add a [[key]] to /etc/mkad/keys/eth1.toml"},
		Participants: []control.Participant{{
			CKN: "0001", Role: "primary", State: "principal", End: "2026-12-02T00:00:00Z", MI: "0102030405060708090a0b0c", MN: 17,
			MKAVersion: 3,
			Peers: []control.Peer{{SCI: "525400ddeeff0001", MI: "1112131415161718191a1b1c", MN: 16,
				State: control.PeerLive, KeyServerPriority: 16, LastSeenMS: 800, MKAVersion: 3, CipherSuites: []string{"GCM-AES-XPN-256"}}},
		}},
		NextKeys: []control.Key{{CKN: "0002", Role: "primary", Start: "2026-12-01T23:00:00Z"}},
		Tx: control.Tx{AN: 1, NextPN: 1234, KI: "0102030405060708090a0b0c00000001", Headroom: 1<<64 - 1 - 1234,
			ExhaustedInS: 3600},
		Rx:     []control.Rx{{SCI: "525400ddeeff0001", AN: 1, LowestPN: 1200}},
		Rekeys: 3, Counters: map[string]uint64{"OutPktsEncrypted": 0},
	}
}

func TestStatusDocumentHasTheNamesThatScriptsKnow(t *testing.T) {
	d := control.Document{Version: control.Version, Ports: []control.Port{examplePort()}}
	if got := indented(t, d); got != statusExample {
		t.Errorf("document is\n%s\nwant\n%s", got, statusExample)
	}
}

func TestEmptyListsAndObjectsStayInJSON(t *testing.T) {
	for _, test := range []struct {
		name     string
		document any
		want     string
	}{
		{"no port", control.Document{Version: 1}, `{"version":1,"ports":[]}`},
		{"bare port", control.Port{}, `{"interface":"","controlled":"","backend":"","backend_reason":"","state":"",` +
			`"cause":"","reason":"","warnings":[],"since":"0001-01-01T00:00:00Z","sci":"","cipher_suite":"","confidentiality":"",` +
			`"key_server":false,"principal_ckn":"","participants":[],"next_keys":[],"tx":{"an":0,"next_pn":0,"ki":"",` +
			`"headroom":0,"exhausted_in_s":0},"rx":[],"rekeys":0,"counters":{}}`},
		{"bare participant", control.Participant{}, `{"ckn":"","role":"","state":"","start":"","end":"","mi":"",` +
			`"mn":0,"mka_version":0,"suspended_ms":0,"peers":[]}`},
		{"no counters", control.CountersDocument{Version: 1}, `{"version":1,"ports":[]}`},
		{"bare counters", control.PortCounters{}, `{"interface":"","controlled":"","secy":{},"mka":{}}`},
		{"event of a state", control.Event{Event: control.EventState, State: "down", Was: control.Secured},
			`{"time":"0001-01-01T00:00:00Z","event":"state","state":"down","was":"secured"}`},
		{"bare event", control.Event{Event: "started"}, `{"time":"0001-01-01T00:00:00Z","event":"started"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := json.Marshal(test.document)
			if err != nil || string(got) != test.want {
				t.Errorf("JSON is\n%s (%v), want\n%s", got, err, test.want)
			}
		})
	}
}

func TestEventPrintsAsOneLine(t *testing.T) {
	at := time.Date(2026, 12, 1, 1, 0, 0, 0, time.FixedZone("CET", 3600))
	for _, test := range []struct {
		name  string
		event control.Event
		want  string
	}{
		{"full", control.Event{Time: at, Port: "eth1", Event: "sak-installed", CKN: "0001", Peer: "525400ddeeff0001",
			KI: "0a", Reason: "timer"},
			`2026-12-01T00:00:00.000Z eth1 sak-installed ckn=0001 peer=525400ddeeff0001 ki=0a reason="timer"`},
		{"state", control.Event{Time: at, Port: "eth1", Event: control.EventState, State: "down", Was: control.Secured,
			Reason: "eth1 is down"}, `2026-12-01T00:00:00.000Z eth1 state state=down was=secured reason="eth1 is down"`},
		{"first state", control.Event{Time: at, Port: "eth1", Event: control.EventState, State: "pending"},
			`2026-12-01T00:00:00.000Z eth1 state state=pending`},
		{"of the daemon", control.Event{Time: at, Event: "reloaded"}, `2026-12-01T00:00:00.000Z - reloaded`},
		{"missed", control.Event{Time: at, Event: control.EventMissed, Missed: 12},
			`2026-12-01T00:00:00.000Z - missed missed=12`},
		{"hostile text", control.Event{Time: at, Port: "eth1", Event: "failed", Detail: "a\x1b[2J\nb"},
			`2026-12-01T00:00:00.000Z eth1 failed detail="a\x1b[2J\nb"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.event.String(); got != test.want {
				t.Errorf("line is\n%s, want\n%s", got, test.want)
			}
		})
	}
}

func indented(t *testing.T, document any) string {
	t.Helper()
	compact, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, compact, "", "  "); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

package main

import (
	"encoding/json"
	"testing"
	"time"

	"mkad/internal/control"
)

const explainPage = `eth1 (controlled macsec0)
  state        secured for 3h12m
  cause        none
  warning      the fallback key 0f is in use
  evidence     eth1 has carrier, MTU 1500

eth2 (controlled macsec1)
  state        blocked for 42s
  cause        unknown-ckn
  why          02:00:00:00:00:02 uses CKN 0002, which is not among the valid
               keys in /etc/mkad/keys/eth2.toml
  try          use one CKN on both sides
  evidence     eth2 has carrier, MTU 1500, frames received since the carrier
               came: 9
  evidence     MKPDUs: 9 sent, 0 accepted, 8 discarded (unknown-ckn)
`

func explanations() []control.Explanation {
	return []control.Explanation{
		{Interface: "eth1", Controlled: "macsec0", State: control.Secured, Since: noon.Add(-192 * time.Minute),
			Warnings: []string{"the fallback key 0f is in use"}, Evidence: []string{"eth1 has carrier, MTU 1500"}},
		{Interface: "eth2", Controlled: "macsec1", State: control.Blocked, Since: noon.Add(-42 * time.Second),
			Cause:  "unknown-ckn",
			Reason: "02:00:00:00:00:02 uses CKN 0002, which is not among the valid keys in /etc/mkad/keys/eth2.toml",
			Remedy: "use one CKN on both sides",
			Evidence: []string{"eth2 has carrier, MTU 1500, frames received since the carrier came: 9",
				"MKPDUs: 9 sent, 0 accepted, 8 discarded (unknown-ckn)"}},
	}
}

func TestExplainSaysWhyAndWhatToTry(t *testing.T) {
	d, socket := serve(t)
	d.SetExplanations(explanations()...)
	wantOutcome(t, runTool(t, with(socket, "explain")...), outcome{stdout: explainPage})
}

func TestExplainInJSONIsTheDocument(t *testing.T) {
	d, socket := serve(t)
	d.SetExplanations(explanations()...)
	got := runTool(t, with(socket, "explain", "macsec1", "--json")...)
	var doc control.ExplainDocument
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || got.exit != exitDone {
		t.Fatalf("exit status %d: %s (%v)", got.exit, got.stdout, err)
	}
	if len(doc.Ports) != 1 || doc.Ports[0].Cause != "unknown-ckn" || len(doc.Ports[0].Evidence) != 2 {
		t.Errorf("document is %+v", doc)
	}
}

func TestExplainOfAPortThatThereIsNotNamesThoseThereAre(t *testing.T) {
	d, socket := serve(t)
	d.SetExplanations(explanations()...)
	wantOutcome(t, runTool(t, with(socket, "explain", "eth7")...), outcome{exit: exitFailed,
		stderr: "mkactl: no port is called \"eth7\"\ntry: name one of: eth1, eth2\n"})
}

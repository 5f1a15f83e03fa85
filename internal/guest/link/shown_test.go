package link

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"mkad/internal/netlab/mkadlab"
)

// A shownSA is an SA as ip prints it.
type shownSA struct {
	AN     uint8  `json:"an"`
	PN     uint64 `json:"pn"`
	Key    string `json:"key"`
	Active bool   `json:"active"`
}

// A shown is a macsec device as "ip -s -j macsec show" prints it. Statistics stand between the rest, by their names.
type shown struct {
	Protect    bool              `json:"protect"`
	Validate   string            `json:"validate"`
	Encrypt    bool              `json:"encrypt"`
	Replay     bool              `json:"replay"`
	Window     uint64            `json:"window"`
	Suite      string            `json:"cipher_suite"`
	SCI        string            `json:"sci"`
	EncodingSA uint8             `json:"encoding_sa"`
	Offload    string            `json:"offload"`
	SAs        []shownSA         `json:"sa_list"`
	RxSCs      []shownRx         `json:"rx_sc"`
	statistics map[string]uint64 // of transmit SC and SecY
}

// A shownRx is a receive SC as ip prints it.
type shownRx struct {
	SCI        string    `json:"sci"`
	SAs        []shownSA `json:"sa_list"`
	statistics map[string]uint64
}

func (s *shown) UnmarshalJSON(b []byte) error {
	type plain shown
	s.statistics = numbers(b)
	return json.Unmarshal(b, (*plain)(s))
}

func (s *shownRx) UnmarshalJSON(b []byte) error {
	type plain shownRx
	s.statistics = numbers(b)
	return json.Unmarshal(b, (*plain)(s))
}

// numbers takes the statistics out of an object: what has a number and a name that begins with In or Out.
func numbers(b []byte) map[string]uint64 {
	var all map[string]json.RawMessage
	found := map[string]uint64{}
	_ = json.Unmarshal(b, &all) // the caller reads it too, and tells
	for name, value := range all {
		var n uint64
		if (strings.HasPrefix(name, "In") || strings.HasPrefix(name, "Out")) && json.Unmarshal(value, &n) == nil {
			found[name] = n
		}
	}
	return found
}

// show asks ip for a host's macsec device, and returns what it printed too.
func show(t *testing.T, h *mkadlab.Host) (shown, string) {
	t.Helper()
	out, err := h.Run(t.Context(), "ip", "-s", "-j", "macsec", "show", mkadlab.Controlled)
	must(t, err)
	var devices []shown
	must(t, json.Unmarshal([]byte(out), &devices))
	if len(devices) != 1 {
		t.Fatalf("%s: ip shows %d macsec devices: %s", h.Name, len(devices), out)
	}
	return devices[0], out
}

// longSCI is an SCI with the leading zeros that ip leaves out.
func longSCI(short string) string { return fmt.Sprintf("%016s", strings.TrimPrefix(short, "0x")) }

// counters are the statistics under mkad's names: 802.1AE-2018 has others for frames without an SA than the kernel,
// and sums up what belongs to an SC.
func (s shown) counters() map[string]uint64 {
	sum := map[string]uint64{}
	add := func(statistics map[string]uint64, noSA, noSAError string) {
		for name, n := range statistics {
			switch name {
			case noSA:
				name = "InPktsNoSA"
			case noSAError:
				name = "InPktsNoSAError"
			}
			sum[name] += n
		}
	}
	add(s.statistics, "InPktsUnknownSCI", "InPktsNoSCI")
	for _, rx := range s.RxSCs {
		add(rx.statistics, "InPktsUnusedSA", "InPktsNotUsingSA")
	}
	return sum
}

// encoding is the transmit SA in use.
func (s shown) encoding() shownSA {
	for _, sa := range s.SAs {
		if sa.AN == s.EncodingSA {
			return sa
		}
	}
	return shownSA{}
}

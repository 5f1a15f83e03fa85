package control

import "encoding/json"

// A CountersDocument holds every counter of every port. They start at zero when mkad starts, and with a reload that restarts
// the port.
type CountersDocument struct {
	Version int            `json:"version"` // of the documents
	Ports   []PortCounters `json:"ports"`   // in the order of the configuration
}

// PortCounters are the counters of one port, by name. None is ever taken away while mkad runs.
type PortCounters struct {
	Interface  string            `json:"interface"`  // lower device
	Controlled string            `json:"controlled"` // Controlled Port
	SecY       map[string]uint64 `json:"secy"`       // by the names of 802.1AE-2018 10.7, for instance InPktsOK
	MKA        map[string]uint64 `json:"mka"`        // by the names below
}

func (p PortCounters) names() (lower, controlled string) { return p.Interface, p.Controlled }

// Names of PortCounters.MKA: those of the PAE (802.1X-2020 12.8.1, 12.8.2 and its YANG module), in frames.
const (
	InvalidEAPOLFrameRx = "invalid-eapol-frame-rx"     // not EAPOL that this port accepts
	LengthErrorFramesRx = "eap-length-error-frames-rx" // packet body length goes beyond the frame
	MKNoCKN             = "eapol-mk-no-cfn"            // MKA is off, or the CKN is unknown
	MKInvalid           = "eapol-mk-invalid"           // the ICV does not verify
	MKAFramesRx         = "eapol-mka-frames-rx"        // MKPDUs accepted
	MKAFramesTx         = "eapol-mka-frames-tx"        // MKPDUs sent
	LastFrameVersion    = "last-eapol-frame-version"   // EAPOL version of the last frame; not a count
)

// MarshalJSON keeps an empty list of ports a list.
func (d CountersDocument) MarshalJSON() ([]byte, error) {
	type plain CountersDocument
	d.Ports = listed(d.Ports)
	return json.Marshal(plain(d))
}

// MarshalJSON keeps empty maps maps.
func (p PortCounters) MarshalJSON() ([]byte, error) {
	type plain PortCounters
	p.SecY, p.MKA = counted(p.SecY), counted(p.MKA)
	return json.Marshal(plain(p))
}

package decode

import (
	"time"
)

// A Kind says what a frame is.
type Kind string

// The kinds.
const (
	KindMKA    Kind = "mka"    // an MKPDU
	KindEAPOL  Kind = "eapol"  // any other EAPOL packet
	KindMACsec Kind = "macsec" // a frame with a SecTAG
	KindOther  Kind = "other"
)

// A Record is what one frame is. Its JSON names stay as they are; octets are in hexadecimal digits. What a frame does not have is
// left out.
type Record struct {
	Frame       int        `json:"frame"`
	Time        *time.Time `json:"time,omitempty"`
	ElapsedNS   int64      `json:"elapsed_ns"`
	Interface   string     `json:"interface,omitempty"`
	Length      int        `json:"length"`
	Captured    int        `json:"captured,omitempty"`
	Source      string     `json:"source,omitempty"`
	Destination string     `json:"destination,omitempty"`
	VLANs       []uint16   `json:"vlans,omitempty"`
	EtherType   string     `json:"ethertype,omitempty"`
	Kind        Kind       `json:"kind"`
	EAPOL       *EAPOL     `json:"eapol,omitempty"`
	MKA         *MKA       `json:"mka,omitempty"`
	MACsec      *MACsec    `json:"macsec,omitempty"`
	Malformed   *Fault     `json:"malformed,omitempty"`
	Remarks     []string   `json:"remarks,omitempty"`
}

// A Fault says why a receiver discards a frame, and where in the frame that stands.
type Fault struct {
	Reason string `json:"reason"` // in the words of eapol.Discard and secy.TagFault
	Offset int    `json:"offset"` // in octets from the destination address on
}

// EAPOL is the header of an EAPOL packet (802.1X-2020 11.3).
type EAPOL struct {
	Version  uint8  `json:"version"`
	Type     uint8  `json:"type"`
	TypeName string `json:"type_name"`
	Length   int    `json:"length"`
}

// An ICVState is what is known of the ICV of an MKPDU.
type ICVState string

// The states.
const (
	ICVValid     ICVState = "valid"
	ICVInvalid   ICVState = "invalid"
	ICVNoKey     ICVState = "no-key"    // the CAK file has no key of this CKN
	ICVUnchecked ICVState = "unchecked" // no CAK file was given, or the algorithm agility is unknown
)

// MKA is an MKPDU (802.1X-2020 11.11). Sets that it does not have are nil.
type MKA struct {
	Version           uint8           `json:"mka_version"`
	KeyServerPriority uint8           `json:"key_server_priority"`
	KeyServer         bool            `json:"key_server"`
	MACsecDesired     bool            `json:"macsec_desired"`
	Capability        uint8           `json:"macsec_capability"`
	SCI               string          `json:"sci"`
	MI                string          `json:"mi"`
	MN                uint32          `json:"mn"`
	AlgorithmAgility  string          `json:"algorithm_agility"`
	CKN               string          `json:"ckn"`
	Live              *PeerList       `json:"live_peer_list,omitempty"`
	Potential         *PeerList       `json:"potential_peer_list,omitempty"`
	SAKUse            *SAKUse         `json:"sak_use,omitempty"`
	DistributedSAK    *DistributedSAK `json:"distributed_sak,omitempty"`
	DistributedCAK    *Opaque         `json:"distributed_cak,omitempty"`
	KMD               *string         `json:"kmd,omitempty"`
	Announcement      *Announcement   `json:"announcement,omitempty"`
	XPN               *XPN            `json:"xpn,omitempty"`
	Skipped           []SkippedSet    `json:"skipped_sets,omitempty"`
	ICVIndicator      bool            `json:"icv_indicator"`
	ICV               string          `json:"icv"`
	ICVState          ICVState        `json:"icv_state"`
}

// A PeerList is a Live or Potential Peer List.
type PeerList struct {
	KeyServerSSCI uint8  `json:"key_server_ssci,omitempty"`
	Peers         []Peer `json:"peers"`
}

// A Peer is one entry of a PeerList.
type Peer struct {
	MI string `json:"mi"`
	MN uint32 `json:"mn"`
}

// SAKUse is the MACsec SAK Use parameter set.
type SAKUse struct {
	Latest       *KeyUse `json:"latest_key,omitempty"` // nil: none
	Old          *KeyUse `json:"old_key,omitempty"`
	PlainTx      bool    `json:"plain_tx"`
	PlainRx      bool    `json:"plain_rx"`
	DelayProtect bool    `json:"delay_protect"`
}

// A KeyUse is how a participant uses one key.
type KeyUse struct {
	KI  string `json:"ki"`
	AN  uint8  `json:"an"`
	Tx  bool   `json:"tx"`
	Rx  bool   `json:"rx"`
	LPN uint64 `json:"lpn"` // with the upper half of an XPN set, if there is one
}

// A SAKState is what became of a distributed SAK.
type SAKState string

// The states.
const (
	SAKUnwrapped SAKState = "unwrapped" // its frames can be verified from here on
	SAKFailed    SAKState = "failed"    // the integrity check of the key wrap fails
	SAKWrapped   SAKState = "wrapped"   // nothing was tried: there is no key, or the ICV is not valid
	SAKNone      SAKState = "none"      // the set is empty: the key server wants no MACsec
)

// DistributedSAK is the Distributed SAK parameter set, without the key.
type DistributedSAK struct {
	KI              string   `json:"ki,omitempty"`
	KN              uint32   `json:"kn,omitempty"`
	AN              uint8    `json:"an"`
	Confidentiality string   `json:"confidentiality,omitempty"`
	CipherSuite     string   `json:"cipher_suite,omitempty"`
	State           SAKState `json:"state"`
}

// Opaque is a parameter set that is not taken apart.
type Opaque struct {
	Length int `json:"length"`
}

// Announcement is the Announcement parameter set: its list of cipher suites.
type Announcement struct {
	Length int              `json:"length"`
	Suites []AnnouncedSuite `json:"cipher_suites"`
}

// An AnnouncedSuite is one entry of that list.
type AnnouncedSuite struct {
	Name       string `json:"name"`
	Capability uint8  `json:"macsec_capability"`
}

// XPN is the XPN parameter set.
type XPN struct {
	SuspensionTime uint8  `json:"suspension_time"`
	LatestHigh     uint32 `json:"latest_lpn_high"`
	OldHigh        uint32 `json:"old_lpn_high"`
}

// A SkippedSet is a parameter set that a receiver steps over.
type SkippedSet struct {
	Type   uint8  `json:"type"`
	Length int    `json:"length"`
	Offset int    `json:"offset"` // in octets from the destination address on
	Reason string `json:"reason"` // "unknown", "repeated", or "length": one that the type cannot have
}

// A FrameState is what is known of a protected frame.
type FrameState string

// The states.
const (
	FrameAuthentic FrameState = "authentic"
	FrameBadICV    FrameState = "bad-icv"
	FrameNoKey     FrameState = "no-key"    // no SAK for it was distributed in the capture before it, with a key that we have
	FrameCut       FrameState = "cut"       // the capture has not kept all of it
	FrameUnchecked FrameState = "unchecked" // no CAK file was given, or the tag is malformed
)

// MACsec is a SecTAG and what became of its frame (802.1AE-2018 9.3, 10.6).
type MACsec struct {
	SCI    string     `json:"sci,omitempty"` // explicit, implied, or of the SA that it was authentic with
	AN     uint8      `json:"an"`
	PN     uint64     `json:"pn"` // of an authentic frame all 64 bits, else those in the tag
	ES     bool       `json:"es"`
	SC     bool       `json:"sc"`
	SCB    bool       `json:"scb"`
	E      bool       `json:"e"`
	C      bool       `json:"c"`
	SL     uint8      `json:"sl"`
	Octets int        `json:"octets"` // of Secure Data
	State  FrameState `json:"state"`
	KI     string     `json:"ki,omitempty"` // of the key with which it is authentic
	Plain  string     `json:"plain_ethertype,omitempty"`
}

package secy

import (
	"fmt"

	"mkad/keyderive"
)

// An OpKind names one thing that a KaY can order.
type OpKind uint8

// The orders, in the words of the CP state machine (802.1X-2020 Figure 12-2) and of 802.1AE-2018 10.7.
const (
	// OpConfigure sets Settings. It comes before the SAs of a key with another suite or offset are made.
	OpConfigure OpKind = iota + 1
	// OpControlledPort sets Enabled: whether the Controlled Port carries traffic at all (controlledPortEnabled).
	OpControlledPort
	// OpCreateReceiveSC makes the receive SC of SCI; one that exists is left alone.
	OpCreateReceiveSC
	// OpDeleteReceiveSC removes the receive SC of SCI with all its SAs.
	OpDeleteReceiveSC
	// OpCreateReceiveSA makes the receive SA (SCI, AN) for Key, with SAK, SSCI, Salt and PN as the lowest acceptable
	// packet number; not yet in use. It answers with a Report only when it fails.
	OpCreateReceiveSA
	// OpCreateTransmitSA makes the transmit SA AN for Key with SAK, SSCI and Salt, PN as the first packet number; not
	// yet in use.
	OpCreateTransmitSA
	// OpEnableReceive puts every receive SA of Key to use, those included that are made later. Answered by
	// ReportReceiving or ReportFailed.
	OpEnableReceive
	// OpEnableTransmit transmits with Key from the next frame on. Answered by ReportTransmitting or ReportFailed.
	OpEnableTransmit
	// OpDeleteSAs removes every SA of Key.
	OpDeleteSAs
	// OpRaiseLowestPN raises the lowest acceptable packet number of the receive SA (SCI, Key) to PN; never lowers it.
	OpRaiseLowestPN
)

var opNames = [...]string{"", "Configure", "ControlledPort", "CreateReceiveSC", "DeleteReceiveSC", "CreateReceiveSA",
	"CreateTransmitSA", "EnableReceive", "EnableTransmit", "DeleteSAs", "RaiseLowestPN"}

// String is the order's name.
func (k OpKind) String() string {
	if int(k) < len(opNames) && k > 0 {
		return opNames[k]
	}
	return fmt.Sprintf("OpKind(%d)", uint8(k))
}

// Settings are the controls of a SecY that CP sets (802.1X-2020 12.4, 802.1AE-2018 10.7.8, 10.7.17).
type Settings struct {
	ProtectFrames  bool
	ValidateFrames ValidateFrames
	ReplayProtect  bool
	ReplayWindow   uint32 // frames; 0 is strict order
	CipherSuite    CipherSuite
	Offset         ConfidentialityOffset
	SendSCI        bool // explicit SCI in every SecTAG
}

// An Op is one order of a KaY to its SecY: plain comparable data. Which fields count depends on Kind. The SAK is
// shared with the KaY: the SecY takes what it needs while it obeys and keeps no reference.
type Op struct {
	Kind     OpKind
	Key      KeyID
	AN       AN
	SCI      SCI
	SSCI     SSCI
	Salt     Salt
	PN       PN
	SAK      keyderive.SAK
	Settings Settings
	Enabled  bool
}

// String prints the fields that count for the kind, never the key.
func (o Op) String() string {
	switch o.Kind {
	case OpConfigure:
		s := o.Settings
		return fmt.Sprintf("Configure protect=%t validate=%s replay=%t/%d suite=%s offset=%s sci=%t",
			s.ProtectFrames, s.ValidateFrames, s.ReplayProtect, s.ReplayWindow, s.CipherSuite, s.Offset, s.SendSCI)
	case OpControlledPort:
		return fmt.Sprintf("ControlledPort enabled=%t", o.Enabled)
	case OpCreateReceiveSC, OpDeleteReceiveSC:
		return fmt.Sprintf("%s sci=%s", o.Kind, o.SCI)
	case OpCreateReceiveSA:
		return fmt.Sprintf("%s sci=%s an=%d key=%s ssci=%d pn=%d", o.Kind, o.SCI, o.AN, o.Key, o.SSCI, o.PN)
	case OpCreateTransmitSA:
		return fmt.Sprintf("%s an=%d key=%s ssci=%d pn=%d", o.Kind, o.AN, o.Key, o.SSCI, o.PN)
	case OpRaiseLowestPN:
		return fmt.Sprintf("%s sci=%s key=%s pn=%d", o.Kind, o.SCI, o.Key, o.PN)
	}
	return fmt.Sprintf("%s key=%s", o.Kind, o.Key)
}

package filter

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"
)

// Rules say how a device is closed.
type Rules struct {
	Interface string
	// EAPOL are the frames of MKA, which pass, as those of MACsec (0x88E5) do.
	EAPOL EAPOL
	// Bypass are protocols that pass besides.
	Bypass []Bypass
	// PassMarked lets frames out that their sender has marked with Mark (SO_MARK). It is for a software SecY that has to
	// send in clear (should-secure); what comes in it reads with a packet socket for all protocols, before the filter.
	PassMarked bool
	// Through, if set, names the device of a SecY in the kernel on Interface that sends and receives in clear
	// (should-secure), or whose frames hardware protects and verifies. What it sends passes, what comes in is left to it, and the host's IP and ARP see nothing that
	// Interface itself has received. The device has to exist; when another takes its place, Close is to be called again.
	Through string
	// Hold keeps frames of Through, both ways, from passing: the SecY is in hardware, frames cross Interface in clear though
	// they are secured on the wire, and nothing secures them now.
	Hold bool
}

// An EAPOL says which frames are EAPOL's. The zero value: all of EtherType 0x888E.
type EAPOL struct {
	EtherType uint16 // 0: 0x888E
	// In and Out are the destinations of frames that are received and sent; none: any. At most MaxDestinations each.
	In, Out [][6]byte
}

// MaxDestinations bounds EAPOL.In and EAPOL.Out: every frame is compared with each, and there are four to list.
const MaxDestinations = 8

// Mark is the socket mark of frames that Rules.PassMarked lets out: "mkad" in ASCII.
const Mark = 0x6d6b6164

const (
	eapolType  uint16 = 0x888e
	macsecType uint16 = 0x88e5
	lldpType          = 0x88cc
	slowType          = 0x8809

	minEtherType = 0x0600 // smaller numbers in its place are lengths (802.3 3.2.6)
)

// A Bypass is a link protocol that may pass a closed device in clear. The zero value is invalid.
type Bypass uint8

// The protocols, each with the frames that it stands for.
const (
	BypassLLDP Bypass = iota + 1 // EtherType 88-CC
	BypassSTP                    // BPDUs: LLC 42-42-03 to 01-80-C2-00-00-00
	BypassLACP                   // slow protocols: EtherType 88-09 to 01-80-C2-00-00-02
)

var bypassNames = [...]string{"", "lldp", "stp", "lacp"}

// ParseBypass finds a protocol by its name in the configuration, for instance "lldp".
func ParseBypass(name string) (Bypass, bool) {
	for b := BypassLLDP; b <= BypassLACP; b++ {
		if b.String() == name {
			return b, true
		}
	}
	return 0, false
}

// String is the configuration's name of the protocol.
func (b Bypass) String() string {
	if int(b) < len(bypassNames) && b > 0 {
		return bypassNames[b]
	}
	return fmt.Sprintf("Bypass(%d)", uint8(b))
}

func (r Rules) check() error {
	if r.Through != "" && r.Through == r.Interface {
		return fmt.Errorf("%q cannot be the device of a SecY on itself", r.Through)
	}
	if r.Interface == "" || len(r.Interface) >= unix.IFNAMSIZ || strings.ContainsAny(r.Interface, "/: \t\n\v\f\r\x00") {
		return fmt.Errorf("%q cannot be the name of a device", r.Interface)
	}
	if n := max(len(r.EAPOL.In), len(r.EAPOL.Out)); n > MaxDestinations {
		return fmt.Errorf("%d destinations are too many: at most %d may pass", n, MaxDestinations)
	}
	if t := r.EAPOL.EtherType; t != 0 && t < minEtherType {
		return fmt.Errorf("0x%04x is a length, not an EtherType: take one from 0x0600 on", t)
	}
	for _, b := range r.Bypass {
		if b < BypassLLDP || b > BypassLACP {
			return errors.New("unknown bypass: take lldp, stp or lacp")
		}
	}
	return nil
}

// A rule passes the frames that all its tests match.
type rule struct {
	name  string
	tests []expr.Any
}

func (r rule) accept() []expr.Any {
	return append(r.tests, &expr.Verdict{Kind: expr.VerdictAccept})
}

// comment marks the rule as ours, for whoever lists the rules.
func (r rule) comment() []byte {
	return userdata.AppendString(nil, userdata.TypeComment, "mkad: "+r.name)
}

// ingressRules judge by the protocol that the kernel found. It has taken a VLAN tag off by then, so EAPOL with a
// priority tag (VLAN 0), as some switches send it, passes.
func (r Rules) ingressRules() []rule { return r.rules(metaProtocol, r.EAPOL.In) }

// egressRules judge by the EtherType in the frame, because there the protocol is only what the sender says it is. A tag
// counts as part of the frame, so nothing passes with one.
func (r Rules) egressRules() []rule {
	rules := r.rules(headerType, r.EAPOL.Out)
	if r.PassMarked || r.Through != "" {
		rules = append(rules, rule{"plain frames of the SecY", mark(Mark)})
	}
	return rules
}

func (r Rules) rules(etherType func(uint16) []expr.Any, destinations [][6]byte) []rule {
	eapol := cmp.Or(r.EAPOL.EtherType, eapolType)
	rules := []rule{{"MACsec", etherType(macsecType)}}
	if len(destinations) == 0 {
		rules = append(rules, rule{typeName(eapol), etherType(eapol)})
	}
	for _, d := range destinations {
		tests := append(header(atDestination, expr.CmpOpEq, d[:]...), etherType(eapol)...)
		rules = append(rules, rule{typeName(eapol) + " to " + net.HardwareAddr(d[:]).String(), tests})
	}
	for _, b := range r.Bypass {
		rules = append(rules, rule{b.String(), b.tests(etherType)})
	}
	return rules
}

func typeName(etherType uint16) string {
	if etherType == eapolType {
		return "EAPOL"
	}
	return fmt.Sprintf("EAPOL by EtherType 0x%04x", etherType)
}

func (b Bypass) tests(etherType func(uint16) []expr.Any) []expr.Any {
	switch b {
	case BypassLLDP:
		return etherType(lldpType)
	case BypassLACP:
		return append(destination(0x02), etherType(slowType)...)
	}
	return append(destination(0x00), bpdu()...)
}

// Places in a frame, in octets.
const (
	atDestination = 0
	atType        = 12
	atLLC         = 14
)

// destination matches 01-80-C2-00-00-last.
func destination(last byte) []expr.Any {
	return header(atDestination, expr.CmpOpEq, 0x01, 0x80, 0xc2, 0x00, 0x00, last)
}

// bpdu matches an LLC frame, which has its length in place of an EtherType, with the service access points of STP and
// unnumbered information (802.1D-2004 9.2).
func bpdu() []expr.Any {
	short := header(atType, expr.CmpOpLt, minEtherType>>8, minEtherType&0xff)
	return append(short, header(atLLC, expr.CmpOpEq, 0x42, 0x42, 0x03)...)
}

func headerType(t uint16) []expr.Any { return header(atType, expr.CmpOpEq, byte(t>>8), byte(t)) }

func header(offset uint32, op expr.CmpOp, data ...byte) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseLLHeader, Offset: offset, Len: uint32(len(data))},
		&expr.Cmp{Op: op, Register: 1, Data: data},
	}
}

func metaProtocol(t uint16) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyPROTOCOL, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.BigEndian.AppendUint16(nil, t)},
	}
}

func setMark(m uint32) []expr.Any {
	return []expr.Any{
		&expr.Immediate{Register: 1, Data: binary.NativeEndian.AppendUint32(nil, m)},
		&expr.Meta{Key: expr.MetaKeyMARK, Register: 1, SourceRegister: true},
	}
}

func mark(m uint32) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyMARK, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.NativeEndian.AppendUint32(nil, m)},
	}
}

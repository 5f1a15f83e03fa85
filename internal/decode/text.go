package decode

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// PageWidth is how many columns the text for a person takes, where no single word is longer.
const PageWidth = 100

// indent is where what belongs to a frame begins, below its line.
const indent = 6

// Line is the frame in one line without its end: number, seconds since the first frame, source, and what it is.
func (r *Record) Line() string {
	line := r.head()
	if r.Malformed != nil {
		line += ", " + r.Malformed.text()
	}
	return line
}

// Text is the frame's line and, below it, what had no room there, the parameter sets of an MKPDU, and what is remarkable.
func (r *Record) Text() string {
	var b strings.Builder
	if line := r.Line(); len(line) <= PageWidth || r.Malformed == nil {
		b.WriteString(line + "\n")
	} else {
		b.WriteString(r.head() + "\n")
		wrap(&b, r.Malformed.text(), "")
	}
	if r.MKA != nil {
		r.MKA.write(&b)
	}
	for _, remark := range r.Remarks {
		wrap(&b, "remark: ", remark)
	}
	return b.String()
}

func (f *Fault) text() string { return fmt.Sprintf("MALFORMED: %s at octet %d", f.Reason, f.Offset) }

// head is the line without what is malformed.
func (r *Record) head() string {
	var b strings.Builder
	elapsed := "-"
	if r.Time != nil {
		elapsed = fmt.Sprintf("%.6f", time.Duration(r.ElapsedNS).Seconds())
	}
	fmt.Fprintf(&b, "%5d %10s %-17s %s", r.Frame, elapsed, cmp.Or(r.Source, "-"), r.what())
	if len(r.VLANs) > 0 {
		fmt.Fprintf(&b, ", VLAN %s", strings.Trim(fmt.Sprint(r.VLANs), "[]"))
	}
	if r.Captured != 0 {
		fmt.Fprintf(&b, ", cut at %d of %d octets", r.Captured, r.Length)
	}
	return b.String()
}

func (r *Record) what() string {
	switch {
	case r.MACsec != nil:
		return r.MACsec.line()
	case r.MKA != nil:
		return r.MKA.line()
	case r.Kind == KindMACsec:
		return "MACsec"
	case r.Kind == KindMKA:
		return eapolTypes[5]
	case r.Kind == KindEAPOL:
		return r.eapolName()
	}
	return "other, " + cmp.Or(r.EtherType, "too short")
}

// eapolName is the EAPOL packet type by name.
func (r *Record) eapolName() string {
	if r.EAPOL == nil {
		return "EAPOL"
	}
	return r.EAPOL.TypeName
}

func (m *MACsec) line() string {
	words := []string{"MACsec", cmp.Or(m.SCI, "no SCI"), fmt.Sprintf("AN %d PN %d", m.AN, m.PN)}
	for _, bit := range [...]struct {
		set  bool
		name string
	}{{m.E, "E"}, {m.C, "C"}, {m.ES, "ES"}, {m.SC, "SC"}, {m.SCB, "SCB"}} {
		if bit.set {
			words = append(words, bit.name)
		}
	}
	if m.SL != 0 {
		words = append(words, fmt.Sprintf("SL %d", m.SL))
	}
	line := strings.Join(words, " ")
	switch m.State {
	case FrameUnchecked, FrameCut:
		return line
	case FrameBadICV:
		return line + ", BAD ICV"
	case FrameNoKey:
		return line + ", no key"
	}
	return line + ", authentic"
}

// line is an MKPDU in the fewest words: who, and what its sets are about.
func (m *MKA) line() string {
	parts := []string{fmt.Sprintf("%s MN %d", eapolTypes[5], m.MN)}
	if m.KeyServer {
		parts = append(parts, "key server")
	}
	if m.Live != nil {
		parts = append(parts, fmt.Sprintf("%d live", len(m.Live.Peers)))
	}
	if m.Potential != nil {
		parts = append(parts, fmt.Sprintf("%d potential", len(m.Potential.Peers)))
	}
	if m.DistributedSAK != nil {
		parts = append(parts, "SAK")
	}
	switch m.ICVState {
	case ICVValid:
		parts = append(parts, "ICV valid")
	case ICVInvalid:
		parts = append(parts, "ICV INVALID")
	case ICVNoKey:
		parts = append(parts, "no key for this CKN")
	}
	return strings.Join(parts, ", ")
}

// write writes the parameter sets in the standard's words, each from a line of its own on.
func (m *MKA) write(b *strings.Builder) {
	wrap(b, "Basic: ", m.basicText())
	for _, set := range []struct{ name, text string }{
		{"Live Peer List: ", m.Live.text()},
		{"Potential Peer List: ", m.Potential.text()},
		{"MACsec SAK Use: ", m.SAKUse.text()},
		{"Distributed SAK: ", m.DistributedSAK.text()},
		{"Distributed CAK: ", m.DistributedCAK.text()},
		{"KMD: ", kmdText(m.KMD)},
		{"Announcement: ", m.Announcement.text()},
		{"XPN: ", m.XPN.text()},
	} {
		if set.text != "" {
			wrap(b, set.name, set.text)
		}
	}
	for _, s := range m.Skipped {
		wrap(b, fmt.Sprintf("Set of type %d: ", s.Type), fmt.Sprintf("%d octets at octet %d, %s", s.Length, s.Offset, skippedText(s.Reason)))
	}
	if m.ICVIndicator {
		wrap(b, "ICV Indicator", "")
	}
}

func (m *MKA) basicText() string {
	role := "not key server"
	if m.KeyServer {
		role = "key server"
	}
	desired := "MACsec not desired"
	if m.MACsecDesired {
		desired = "MACsec desired"
	}
	text := fmt.Sprintf("MKA version %d, key server priority %d, %s, %s, MACsec capability %d (%s), SCI %s, MI %s, MN %d, CKN %s", m.Version,
		m.KeyServerPriority, role, desired, m.Capability, capabilityText(m.Capability), m.SCI, m.MI, m.MN, m.CKN)
	return text
}

func (p *PeerList) text() string {
	switch {
	case p == nil:
		return ""
	case len(p.Peers) == 0:
		return "empty"
	}
	peers := make([]string, len(p.Peers))
	for i, peer := range p.Peers {
		peers[i] = fmt.Sprintf("MI %s MN %d", peer.MI, peer.MN)
	}
	text := strings.Join(peers, ", ")
	if p.KeyServerSSCI != 0 {
		text += fmt.Sprintf("; in the order of their SSCIs, key server's SSCI %d", p.KeyServerSSCI)
	}
	return text
}

func (u *SAKUse) text() string {
	if u == nil {
		return ""
	}
	text := "latest key " + u.Latest.text() + "; old key " + u.Old.text()
	for _, bit := range [...]struct {
		set  bool
		name string
	}{{u.PlainTx, "plain tx"}, {u.PlainRx, "plain rx"}, {u.DelayProtect, "delay protect"}} {
		if bit.set {
			text += "; " + bit.name
		}
	}
	return text
}

func (k *KeyUse) text() string {
	if k == nil {
		return "none"
	}
	use := "unused"
	switch {
	case k.Tx && k.Rx:
		use = "tx rx"
	case k.Tx:
		use = "tx"
	case k.Rx:
		use = "rx"
	}
	return fmt.Sprintf("KI %s AN %d %s LPN %d", k.KI, k.AN, use, k.LPN)
}

func (d *DistributedSAK) text() string {
	switch {
	case d == nil:
		return ""
	case d.State == SAKNone:
		return "empty, the key server wants no MACsec"
	}
	text := fmt.Sprintf("KN %d, AN %d, %s, %s", d.KN, d.AN, d.Confidentiality, d.CipherSuite)
	switch d.State {
	case SAKUnwrapped:
		text += "; unwrapped"
	case SAKFailed:
		text += "; DOES NOT UNWRAP, compare CAK and CKN with the key server's"
	}
	return text
}

func (o *Opaque) text() string {
	if o == nil {
		return ""
	}
	return fmt.Sprintf("%d octets", o.Length)
}

func kmdText(domain *string) string {
	if domain == nil {
		return ""
	}
	return `"` + *domain + `"`
}

func (a *Announcement) text() string {
	if a == nil {
		return ""
	}
	text := fmt.Sprintf("%d octets", a.Length)
	for _, s := range a.Suites {
		text += fmt.Sprintf(", %s (capability %d)", s.Name, s.Capability)
	}
	return text
}

func (x *XPN) text() string {
	if x == nil {
		return ""
	}
	return fmt.Sprintf("suspension time %d s, upper half of LPN latest %d, old %d", x.SuspensionTime, x.LatestHigh, x.OldHigh)
}

func skippedText(reason string) string {
	switch reason {
	case "repeated":
		return "skipped, there was one of its type before"
	case "length":
		return "skipped, its type cannot have this length"
	}
	return "skipped, unknown"
}

// wrap writes a text behind a label in lines of at most PageWidth, all of them indented, and those after the first more so. A
// label of "" is for text that belongs to no frame, and is not indented.
func wrap(b *strings.Builder, label, text string) {
	margin := indent
	if label == "" {
		margin = 0
	}
	line := strings.Repeat(" ", margin) + strings.TrimRight(label, " ")
	empty := label == ""
	for _, word := range strings.Fields(text) {
		if !empty && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > PageWidth {
			b.WriteString(line + "\n")
			line, empty = strings.Repeat(" ", margin+2), true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	b.WriteString(line + "\n")
}

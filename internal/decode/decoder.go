package decode

import (
	"encoding/hex"
	"time"

	"mkad/internal/config"
	"mkad/secy"
)

// Options are what may differ from capture to capture.
type Options struct {
	// EtherType of MKPDUs beside that of EAPOL, where eapol_ethertype is configured; 0: there is none.
	EtherType uint16
}

// A Decoder says what frames are, in the order of the capture. It is used by one goroutine.
type Decoder struct {
	options Options
	keys    *keyring // nil: nothing is verified
	summary Summary
	first   time.Time // of all frames that have a time

	untagged, tagged []byte // the frame at hand
	mka              mkaReader
}

// New makes a decoder with the keys of a CAK file, whatever their start and end: a capture may be an old one. With none it
// verifies nothing. The keys stay the caller's, who may wipe them.
func New(keys []config.Key, o Options) *Decoder {
	d := &Decoder{options: o, summary: newSummary()}
	if len(keys) > 0 {
		d.keys = newKeyring(keys)
		d.summary.verified = true
	}
	return d
}

// Close wipes the keys that the decoder has found.
func (d *Decoder) Close() {
	if d.keys != nil {
		d.keys.wipe()
	}
}

// Summary is what the frames were that have been decoded so far.
func (d *Decoder) Summary() *Summary { return &d.summary }

// Decode says what a frame is. plain is what it would be without MACsec: a frame that is not protected as it stands, one that is
// authentic as its user sent it, with the VLAN tags that stood before its SecTAG; nil if it is protected and was not found
// authentic. plain is lent until the next call.
func (d *Decoder) Decode(p Packet) (r Record, plain []byte) {
	f := takeApart(p.Data)
	r = d.record(p, &f)
	plain = p.Data
	switch r.Kind {
	case KindMACsec:
		plain = d.decodeMACsec(&f, &r)
	case KindMKA:
		d.untagged = f.appendUntagged(d.untagged[:0])
		d.mka.read(d.untagged, d.keys, &r)
	case KindEAPOL:
		d.untagged = f.appendUntagged(d.untagged[:0])
		readEAPOL(d.untagged, &r)
	}
	if r.Malformed != nil {
		r.Malformed.Offset += f.tags
	}
	if r.MKA != nil {
		for i := range r.MKA.Skipped {
			r.MKA.Skipped[i].Offset += f.tags
		}
	}
	d.summary.count(&r, f.etherType)
	return r, plain
}

// record is what every frame has.
func (d *Decoder) record(p Packet, f *etherFrame) Record {
	r := Record{Frame: p.Number, Interface: p.Name, Length: p.Length, VLANs: f.vlans, Kind: KindOther}
	if !p.Time.IsZero() {
		if d.first.IsZero() {
			d.first = p.Time
		}
		at := p.Time
		r.Time, r.ElapsedNS = &at, int64(at.Sub(d.first))
	}
	if len(p.Data) < p.Length {
		r.Captured = len(p.Data)
	}
	if len(p.Data) >= addressesLen {
		r.Destination, r.Source = macText(p.Data[:6]), macText(p.Data[6:12])
	}
	if f.etherType != 0 {
		r.EtherType = hex.EncodeToString([]byte{byte(f.etherType >> 8), byte(f.etherType)})
		r.Kind = f.kindOf(d.options.EtherType)
	}
	return r
}

// readEAPOL reads an EAPOL packet that is no MKPDU (802.1X-2020 11.4).
func readEAPOL(frame []byte, r *Record) {
	r.EAPOL = eapolHeader(frame)
	switch {
	case r.EAPOL == nil:
		r.Malformed = &Fault{Reason: eapolShort, Offset: len(frame)}
	case headerLen+eapolHeaderLen+r.EAPOL.Length > len(frame):
		r.Malformed = &Fault{Reason: eapolLength, Offset: offsetEAPOLLength}
	}
}

// decodeMACsec reads the SecTAG, verifies the frame if there are keys, and gives it as it is without MACsec.
func (d *Decoder) decodeMACsec(f *etherFrame, r *Record) (plain []byte) {
	d.untagged = f.appendUntagged(d.untagged[:0])
	tag, fault := secy.Inspect(d.untagged)
	if fault != secy.TagShort {
		r.MACsec = macsecOf(tag)
	}
	switch {
	case r.Captured != 0 && (fault == secy.TagSound || fault == secy.TagLength):
		r.MACsec.State = FrameCut
	case fault != secy.TagSound:
		r.Malformed = &Fault{Reason: fault.String(), Offset: fault.Offset(len(d.untagged))}
	case d.keys != nil:
		v := d.keys.verify(d.untagged, tag)
		r.MACsec.take(v)
		if v.guess != "" {
			r.Remarks = append(r.Remarks, v.guess)
		}
		if v.state == FrameAuthentic {
			d.tagged = f.appendTagged(d.tagged[:0], v.plain)
			return d.tagged
		}
	}
	return nil
}

func macsecOf(tag secy.Tag) *MACsec {
	m := &MACsec{AN: uint8(tag.AN), PN: uint64(tag.PN), ES: tag.ES, SC: tag.SC, SCB: tag.SCB, E: tag.E, C: tag.C, SL: tag.SL,
		Octets: tag.Octets, State: FrameUnchecked}
	if tag.SCI != 0 {
		m.SCI = tag.SCI.String()
	}
	return m
}

// take adds what the keys have told.
func (m *MACsec) take(v verdict) {
	m.State = v.state
	if v.state != FrameAuthentic {
		return
	}
	m.KI, m.SCI, m.PN = v.ki.String(), v.sci.String(), uint64(v.pn)
	if inner := takeApart(v.plain); inner.etherType != 0 {
		m.Plain = hex.EncodeToString([]byte{byte(inner.etherType >> 8), byte(inner.etherType)})
	}
}

package decode

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// maxNamed bounds the CKNs that a summary names.
const maxNamed = 16

// A Summary counts what was in a capture. As JSON its kind is "summary", and it shares no other name with a Record: who reads both
// into one type is not surprised.
type Summary struct {
	Kind       Kind               `json:"kind"`
	Frames     int                `json:"frames"`
	DurationNS int64              `json:"duration_ns"`
	MKPDUs     int                `json:"mka_frames"`
	EAPOL      map[string]int     `json:"eapol_frames"` // others, by name
	MACsec     int                `json:"macsec_frames"`
	Others     map[string]int     `json:"other_frames"` // by EtherType
	Malformed  int                `json:"malformed_frames"`
	ICVs       map[ICVState]int   `json:"icv_states"`
	SAKs       map[SAKState]int   `json:"sak_states"`
	States     map[FrameState]int `json:"macsec_states"`
	NoKeyCKNs  []string           `json:"ckns_without_key,omitempty"` // the first of them
	Skipped    int                `json:"not_ethernet,omitempty"`     // frames of other link types, which Frames does not count
	LeftOut    int                `json:"left_out,omitempty"`         // of the decrypted frames: protected, and not authentic
	Error      string             `json:"error,omitempty"`            // why the capture could not be read to its end

	first, last time.Time
	verified    bool
}

func newSummary() Summary {
	return Summary{Kind: "summary", EAPOL: map[string]int{}, Others: map[string]int{}, ICVs: map[ICVState]int{},
		SAKs: map[SAKState]int{}, States: map[FrameState]int{}}
}

func (s *Summary) count(r *Record, etherType uint16) {
	s.Frames++
	s.span(r.Time)
	if r.Malformed != nil {
		s.Malformed++
	}
	switch r.Kind {
	case KindMACsec:
		s.MACsec++
		if r.MACsec != nil {
			s.States[r.MACsec.State]++
		}
	case KindMKA:
		s.MKPDUs++
		s.countMKA(r.MKA)
	case KindEAPOL:
		s.EAPOL[r.eapolName()]++
	default:
		s.Others[etherTypeText(etherType)]++
	}
}

func (s *Summary) countMKA(m *MKA) {
	if m == nil {
		return
	}
	s.ICVs[m.ICVState]++
	if m.ICVState == ICVNoKey && len(s.NoKeyCKNs) < maxNamed && !slices.Contains(s.NoKeyCKNs, m.CKN) {
		s.NoKeyCKNs = append(s.NoKeyCKNs, m.CKN)
	}
	if m.DistributedSAK != nil {
		s.SAKs[m.DistributedSAK.State]++
	}
}

// span stretches the capture to a time.
func (s *Summary) span(at *time.Time) {
	if at == nil {
		return
	}
	if s.first.IsZero() || at.Before(s.first) {
		s.first = *at
	}
	if at.After(s.last) {
		s.last = *at
	}
	s.DurationNS = int64(s.last.Sub(s.first))
}

// Text is the summary for a person, in lines of at most PageWidth columns where no name is longer.
func (s *Summary) Text() string {
	var b strings.Builder
	parts := []string{plural(s.MKPDUs, "MKPDU")}
	for _, name := range slices.Sorted(maps.Keys(s.EAPOL)) {
		parts = append(parts, fmt.Sprintf("%d %s", s.EAPOL[name], name))
	}
	parts = append(parts, fmt.Sprintf("%d MACsec", s.MACsec))
	if others := byCount(s.Others); len(others) > 0 {
		parts = append(parts, "others: "+strings.Join(others, ", "))
	}
	wrap(&b, "", fmt.Sprintf("%s in %.3f s: %s", plural(s.Frames, "frame"), time.Duration(s.DurationNS).Seconds(), strings.Join(parts, ", ")))
	if s.verified {
		s.writeVerified(&b)
	}
	if s.Malformed > 0 {
		wrap(&b, "", fmt.Sprintf("malformed: %d", s.Malformed))
	}
	if s.Skipped > 0 {
		wrap(&b, "", fmt.Sprintf("not Ethernet, and not looked at: %s", plural(s.Skipped, "frame")))
	}
	if s.LeftOut > 0 {
		wrap(&b, "", fmt.Sprintf("left out of the decrypted frames: %d, protected and not found authentic", s.LeftOut))
	}
	return b.String()
}

// writeVerified says what the keys have shown, and what to do where they have not.
func (s *Summary) writeVerified(b *strings.Builder) {
	wrap(b, "", fmt.Sprintf("ICVs of MKPDUs: %d valid, %d invalid, %d without a key", s.ICVs[ICVValid], s.ICVs[ICVInvalid], s.ICVs[ICVNoKey]))
	wrap(b, "", fmt.Sprintf("MACsec frames: %d authentic, %d with a bad ICV, %d without a key", s.States[FrameAuthentic], s.States[FrameBadICV],
		s.States[FrameNoKey]))
	if len(s.NoKeyCKNs) > 0 {
		wrap(b, "", "the CAK file has no key of the CKN "+strings.Join(s.NoKeyCKNs, ", "))
	}
	if s.ICVs[ICVInvalid] > 0 {
		wrap(b, "", "an invalid ICV beside a known CKN: the CAK differs, or the frame was altered")
	}
	if s.States[FrameNoKey] > 0 {
		wrap(b, "", "a frame has a key if the MKPDU that distributes its SAK is in the capture before it: begin the capture before the "+
			"link comes up, or have a new SAK while it runs: mkactl rekey PORT")
	}
}

// byCount lists what was counted, the most frequent first.
func byCount(counts map[string]int) (listed []string) {
	const most = 12
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], strings.Compare(a, b))
	})
	rest := 0
	for i, name := range names {
		if i < most {
			listed = append(listed, fmt.Sprintf("%d %s", counts[name], name))
		} else {
			rest += counts[name]
		}
	}
	if rest > 0 {
		listed = append(listed, fmt.Sprintf("%d more", rest))
	}
	return listed
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

package eapol

// KMD is the Key Management Domain parameter set (Figure 11-14), which is informative. It is tolerated at any length that
// fits; some receivers discard the whole MKPDU when it is below 5.
//
//	6 | - | length
//	domain (1 to 253), padding
type KMD struct {
	Present bool
	Domain  []byte // UTF-8, 1 to 253 octets; as received it may be anything, so print it quoted
}

func (p *KMD) appendTo(b []byte) []byte {
	if !p.Present {
		return b
	}
	return appendOctets(b, setKMD, p.Domain)
}

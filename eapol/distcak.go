package eapol

// DistributedCAK is the Distributed CAK parameter set (Figure 11-13). Body is the wrapped CAK (24 or 40 octets) and its
// CKN (1 to 32 octets), which only the key encrypting key can tell apart. It is tolerated at any length that fits; some
// receivers discard the whole MKPDU when it is below 28.
//
//	5 | - | length
//	wrapped CAK (24 or 40), CKN (1 to 32), padding
type DistributedCAK struct {
	Present bool
	Body    []byte
}

func (p *DistributedCAK) appendTo(b []byte) []byte {
	if !p.Present {
		return b
	}
	return appendOctets(b, setDistributedCAK, p.Body)
}

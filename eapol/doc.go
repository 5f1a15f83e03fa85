// Package eapol is the wire of MKA: EAPOL framing and the codec of the MKPDU (802.1X-2020 clause 11). It knows no key,
// keeps no state, reads no clock and opens no socket.
//
//	 0      6      12     14  15  16     18                                18+L-16       18+L
//	+------+------+------+---+---+------+-------+------+-----+------------+-------------+---------+
//	| DA   | SA   | 888E | 3 | 5 | L    | Basic | sets by ascending type  | ICV         | ignored |
//	+------+------+------+---+---+------+-------+------+-----+------------+-------------+---------+
//	|<------------------- covered by the ICV: Authenticated ------------->|
//	                                    |<------------ packet body, L octets ---------->|
//
// A frame is taken apart in two calls, because nothing but the envelope may be believed before the ICV is right. The
// three checks between them need what this package does not have: the participants and their keys. They come in the
// order of 11.11.2:
//
//	var m eapol.MKPDU // kept from frame to frame: parsing then allocates nothing
//	if d := eapol.ParseEnvelope(frame, acceptance, &m); d != eapol.Accepted {
//		return d
//	}
//	p, ok := participants[m.Basic.CKN]
//	switch {
//	case !ok:
//		return eapol.DiscardUnknownCKN
//	case m.Basic.AlgorithmAgility != eapol.AlgorithmAgility:
//		return eapol.DiscardAlgorithmAgility
//	case !p.ick.Verify(m.Authenticated(), m.ICV[:]):
//		return eapol.DiscardICV
//	}
//	return m.ParseSets()
//
// The way out is one call, and the ICV of what it gave:
//
//	frame := m.AppendTo(nil)
//	icv := p.ick.Sum(frame)
//	frame = append(frame, icv[:]...)
package eapol

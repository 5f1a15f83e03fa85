// Package keyderive holds the keys of MKA and derives them from one another (802.1X-2020 6.2, 9.3, 9.4.1 and 9.8).
//
//	MSK, of EAP ──┬── DeriveCAK ──► CAK ◄── NewCAK, pre-shared
//	              └── DeriveCKN ──► CKN ◄── NewCKN
//	                                 │
//	CAK + CKN ──┬── DeriveICK ──► ICK ── Sum, Verify ──► the ICV of an MKPDU
//	            └── DeriveKEK ──► KEK ── Wrap, Unwrap ──► a SAK on its way to the peers
//	CAK + nonce + members + key number ── DeriveSAK ──► SAK, for the SecY
//
// Each key has a type of its own, so that none can stand in for another. A key is a handle: copies share the octets,
// Wipe through one of them wipes them for all, and == compares handles where Equal compares keys. The zero value is no
// key; deriving from it, signing or wrapping with it is a bug and panics, while received octets are merely refused.
//
// A key prints as SAK(redacted), whatever prints it: its methods see to fmt, slog and the encoders, and two pointers
// keep its octets from those who walk over unexported fields.
//
// Nothing here waits, reads a clock or draws a random number. Goroutines may share a key, all but an ICK, as long as
// none of them wipes it.
package keyderive

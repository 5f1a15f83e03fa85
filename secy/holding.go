package secy

// A Claim names the SAs that a key may have in a SecY that was at work before its KaY began: those which the KaY of an
// earlier process had ordered.
type Claim struct {
	Key     KeyID
	AN      AN
	Suite   CipherSuite
	SSCI    SSCI // of the transmit SA; XPN suites only
	Receive []ClaimedReceiveSA
}

// A ClaimedReceiveSA is one receive SA of a Claim.
type ClaimedReceiveSA struct {
	SCI  SCI
	SSCI SSCI // XPN suites only
}

// A Holding is what a SecY holds of a Claim.
type Holding struct {
	Key KeyID
	// Complete: the transmit SA and every receive SA is there as claimed, and has become the SecY's as if it had been
	// ordered. Of a claim that is not complete nothing is left in the SecY.
	Complete bool
	// Receiving: it is complete, and every receive SA is in use.
	Receiving bool
	// Transmitting: it is complete, and frames go out with it.
	Transmitting bool
	// Used: it was not complete, but one of its SAs may have carried a frame.
	Used bool
}

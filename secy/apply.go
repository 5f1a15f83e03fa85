package secy

import "fmt"

// Apply obeys one order and appends what there is to report to dst. An order is obeyed whole or, with ReportFailed, not
// at all. Only one goroutine applies orders.
//
// For as long as the SecY lives a key has one transmit SA: a second one would repeat packet numbers, so it is refused
// even after OpDeleteSAs. A receive SA that is made again for the same SCI and key goes on with the replay window of the
// first. Both are remembered for a bounded number of keys, the latest ones.
func (s *SecY) Apply(op Op, dst []Report) []Report {
	next := s.table.Load().clone()
	if err := s.obey(next, op); err != nil {
		return append(dst, Report{Kind: ReportFailed, Key: op.Key, Op: op.Kind, SCI: op.SCI, Err: err.Error()})
	}
	s.table.Store(next)
	switch op.Kind {
	case OpEnableReceive:
		return append(dst, Report{Kind: ReportReceiving, Key: op.Key})
	case OpEnableTransmit:
		return append(dst, Report{Kind: ReportTransmitting, Key: op.Key})
	}
	return dst
}

// obey changes t, a table not yet published, and the memories. An error leaves the memories as they were.
func (s *SecY) obey(t *table, op Op) error {
	switch op.Kind {
	case OpConfigure:
		return configure(t, op.Settings)
	case OpControlledPort:
		t.enabled = op.Enabled
	case OpCreateReceiveSC:
		return s.createReceiveSC(t, op.SCI)
	case OpDeleteReceiveSC:
		t.removeReceiveSC(op.SCI)
	case OpCreateReceiveSA:
		return s.createReceiveSA(t, op)
	case OpCreateTransmitSA:
		return s.createTransmitSA(t, op)
	case OpEnableReceive:
		return s.enableReceive(t, op.Key)
	case OpEnableTransmit:
		return enableTransmit(t, op.Key)
	case OpDeleteSAs:
		s.receiving.drop(op.Key)
		t.removeSAs(op.Key)
	case OpRaiseLowestPN:
		return raiseLowestPN(t, op)
	default:
		return fmt.Errorf("%s is no order", op.Kind)
	}
	return nil
}

// configure replaces the settings. SAs that exist keep the suite and the offset with which they were made.
func configure(t *table, set Settings) error {
	if set.CipherSuite == GCMAES128Alias {
		set.CipherSuite = GCMAES128
	}
	switch {
	case set.ValidateFrames < ValidateDisabled || set.ValidateFrames > ValidateStrict:
		return fmt.Errorf("validateFrames is %s: set disabled, check or strict", set.ValidateFrames)
	case set.CipherSuite != 0 && !set.CipherSuite.Known():
		return fmt.Errorf("cipher suite %s is unknown: set one of %v", set.CipherSuite, CipherSuites)
	case set.Offset > Offset50 || !set.CipherSuite.Allows(set.Offset):
		return fmt.Errorf("%s does not go with %s: set offset-0", set.Offset, set.CipherSuite)
	case set.CipherSuite.XPN() && set.ReplayWindow > maxXPNWindow:
		return fmt.Errorf("replay window %d is too wide for %s: set at most %d", set.ReplayWindow, set.CipherSuite,
			maxXPNWindow)
	}
	t.settings = set
	return nil
}

func (s *SecY) createReceiveSC(t *table, sci SCI) error {
	switch _, exists := t.receive[sci]; {
	case exists:
		return nil
	case sci == 0:
		return fmt.Errorf("receive SC has no SCI: name the peer's")
	case sci == s.sci:
		return fmt.Errorf("receive SC %s is our own: what we send must not come back as received", sci)
	case len(t.receive) == maxReceiveSCs:
		return fmt.Errorf("receive SC %s is one more than %d: delete one first", sci, maxReceiveSCs)
	}
	t.receive[sci] = receiveSC{counts: new(receiveCounts)}
	return nil
}

// createReceiveSA makes a receive SA, in place of any that has the AN with another key. For one that exists it only
// raises the lowest acceptable packet number.
func (s *SecY) createReceiveSA(t *table, op Op) error {
	sc, ok := t.receive[op.SCI]
	if !ok {
		return fmt.Errorf("receive SC %s does not exist: make it first", op.SCI)
	}
	if err := checkSA(op); err != nil {
		return err
	}
	if sa, an := t.receiveSA(op.SCI, op.Key); sa != nil {
		if an != op.AN {
			return fmt.Errorf("key %s is in receive SA %d of %s: delete that first", op.Key, an, op.SCI)
		}
		sa.raise(op.PN)
		return nil
	}
	sa, err := newReceiveSA(t, op)
	if err != nil {
		return err
	}
	sa.replayState = s.replayState(op.SCI, op.Key)
	sa.raise(max(op.PN, 1))
	_, inUse := s.receiving.get(op.Key)
	sc.sas[op.AN] = receiveSlot{sa: sa, inUse: inUse}
	t.receive[op.SCI] = sc
	return nil
}

func newReceiveSA(t *table, op Op) (*receiveSA, error) {
	suite := t.settings.CipherSuite
	if suite.XPN() {
		if err := t.checkSSCI(op.Key, op.SSCI); err != nil {
			return nil, err
		}
	}
	key, err := newCipherKey(suite, op.SAK, op.SCI, op.SSCI, op.Salt)
	if err != nil {
		return nil, err
	}
	return &receiveSA{key: op.Key, ssci: op.SSCI, xpn: suite.XPN(), offset: t.settings.Offset, cipherKey: key}, nil
}

// replayState returns what sci has used up of key, remembered from an earlier SA or new.
func (s *SecY) replayState(sci SCI, key KeyID) *replayState {
	use := replayKey{sci, key}
	if r, ok := s.replays.get(use); ok {
		return r
	}
	r := new(replayState)
	s.replays.put(use, r)
	return r
}

// createTransmitSA makes a transmit SA, in place of any that has the AN; if that was in use, nothing is transmitted until
// another is enabled.
func (s *SecY) createTransmitSA(t *table, op Op) error {
	if err := checkSA(op); err != nil {
		return err
	}
	if _, spent := s.spent.get(op.Key); spent || t.transmitSA(op.Key) != nil {
		return fmt.Errorf("key %s has had a transmit SA: packet numbers could repeat, agree a new key", op.Key)
	}
	sa, err := s.newTransmitSA(t, op)
	if err != nil {
		return err
	}
	t.removeTransmit(op.AN)
	t.transmit[op.AN] = sa
	s.spent.put(op.Key, struct{}{})
	return nil
}

func (s *SecY) newTransmitSA(t *table, op Op) (*transmitSA, error) {
	suite := t.settings.CipherSuite
	if suite.XPN() {
		if err := t.checkSSCI(op.Key, op.SSCI); err != nil {
			return nil, err
		}
	}
	key, err := newCipherKey(suite, op.SAK, s.sci, op.SSCI, op.Salt)
	if err != nil {
		return nil, err
	}
	if op.PN < 1 || op.PN > suite.MaxPN() {
		return nil, fmt.Errorf("first packet number %d is none of %s: begin between 1 and %d", op.PN, suite, suite.MaxPN())
	}
	sa := &transmitSA{key: op.Key, an: op.AN, ssci: op.SSCI, last: suite.MaxPN(), offset: t.settings.Offset, cipherKey: key}
	sa.next.Store(uint64(op.PN))
	return sa, nil
}

// checkSA refuses an SA without a name.
func checkSA(op Op) error {
	switch {
	case op.Key.IsZero():
		return fmt.Errorf("SA has no key identifier: name its key")
	case op.AN >= numANs:
		return fmt.Errorf("AN %d is none: use 0 to %d", op.AN, numANs-1)
	}
	return nil
}

func (s *SecY) enableReceive(t *table, key KeyID) error {
	if key.IsZero() {
		return fmt.Errorf("no key is named: name the one to receive with")
	}
	if _, known := s.receiving.get(key); !known {
		s.receiving.put(key, struct{}{})
	}
	t.enableReceive(key)
	return nil
}

func enableTransmit(t *table, key KeyID) error {
	sa := t.transmitSA(key)
	switch {
	case sa == nil:
		return fmt.Errorf("key %s has no transmit SA: make it first", key)
	case sa.ended(sa.next.Load()):
		return fmt.Errorf("key %s has no packet number left: agree a new key", key)
	}
	t.transmitting = sa
	return nil
}

func raiseLowestPN(t *table, op Op) error {
	sa, _ := t.receiveSA(op.SCI, op.Key)
	if sa == nil {
		return fmt.Errorf("key %s has no receive SA of %s: make it first", op.Key, op.SCI)
	}
	sa.raise(op.PN)
	return nil
}

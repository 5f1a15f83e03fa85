package secy

import "sync/atomic"

// A SecY is a software SecY: the SAs that a KaY has ordered, and the frame code that uses them.
//
// One goroutine applies Ops. One goroutine at a time protects, one at a time verifies; these two and the first may be
// different ones and never wait for each other: SAs are published copy-on-write, read once per frame. A frame that is
// under way when an Op is applied still meets the SAs from before it. Counters and packet numbers may be read at any
// time by anyone.
type SecY struct {
	sci SCI

	// Of the goroutine that applies Ops.
	spent     memory[KeyID, struct{}]         // keys that had a transmit SA: none gets a second one
	replays   memory[replayKey, *replayState] // for receive SAs that are made again
	receiving memory[KeyID, struct{}]         // keys whose receive SAs are in use as soon as they are made

	// Every frame reads table. Those who count stay off its cache line, and off each other's.
	table atomic.Pointer[table]
	_     cacheLine
	out   transmitCounts // of the goroutine that protects
	_     cacheLine
	in    portCounts // of the goroutine that verifies
}

type cacheLine [64]byte

// Config is what a SecY needs to know when it is made.
type Config struct {
	SCI SCI // of the transmit SC
}

// New makes a SecY that has no SA, drops every frame and is not enabled. Until it is configured it protects, and
// verifies strictly.
func New(cfg Config) *SecY {
	s := &SecY{sci: cfg.SCI}
	s.spent.limit, s.replays.limit, s.receiving.limit = maxSpentKeys, maxReplayStates, maxReceivingKeys
	s.table.Store(&table{
		settings: Settings{ProtectFrames: true, ValidateFrames: ValidateStrict, ReplayProtect: true},
		receive:  map[SCI]receiveSC{},
	})
	return s
}

// PN samples the next packet number of the transmit SA of key, for ReportPN; the last one there is when all are used.
// It reports false when there is no such SA. Any goroutine may call it.
func (s *SecY) PN(key KeyID) (PN, bool) {
	sa := s.table.Load().transmitSA(key)
	if sa == nil {
		return 0, false
	}
	return sa.sample(), true
}

// LowestPN samples the lowest acceptable packet number of the receive SA of key in the SC of sci (10.7.14); false when
// there is no such SA. Any goroutine may call it.
func (s *SecY) LowestPN(sci SCI, key KeyID) (PN, bool) {
	sa, _ := s.table.Load().receiveSA(sci, key)
	if sa == nil {
		return 0, false
	}
	return sa.lowestPN(), true
}

// Exhausted names the key in transmit use if its last packet number has been handed out, for ReportExhausted: once, and
// false ever after. It costs two loads: whoever protects asks after every batch of frames. Any goroutine may call it.
func (s *SecY) Exhausted() (KeyID, bool) {
	sa := s.table.Load().transmitting
	if sa == nil || !sa.ended(sa.next.Load()) || sa.exhausted.Swap(true) {
		return KeyID{}, false
	}
	return sa.key, true
}

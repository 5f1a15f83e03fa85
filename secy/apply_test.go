package secy

import (
	"slices"
	"testing"

	"mkad/keyderive"
)

func TestNewSecYPassesNothing(t *testing.T) {
	s := New(Config{SCI: aliceSCI})
	if _, ok := s.Protect(nil, userFrame(100)); ok {
		t.Error("a frame was protected")
	}
	drop(t, s, userFrame(100))
}

func TestEnabledButNotConfiguredSecYPassesNothing(t *testing.T) {
	s := New(Config{SCI: aliceSCI})
	order(t, s, Op{Kind: OpControlledPort, Enabled: true})
	if _, ok := s.Protect(nil, userFrame(100)); ok {
		t.Error("a frame was protected")
	}
	drop(t, s, userFrame(100))
}

// Clause: 802.1X-2020 12.4 (controlledPortEnabled)
func TestDisabledControlledPortPassesNothingInEitherDirection(t *testing.T) {
	a, b := alice(t, strict(GCMAES128)), bob(t, strict(GCMAES128))
	wire := protect(t, a, userFrame(100))
	order(t, a, Op{Kind: OpControlledPort})
	order(t, b, Op{Kind: OpControlledPort})
	if _, ok := a.Protect(nil, userFrame(100)); ok {
		t.Error("a frame was protected")
	}
	drop(t, b, wire)
}

// Clause: 802.1X-2020 Figure 12-2 (usingReceiveSAs, usingTransmitSA)
func TestEnablingIsReported(t *testing.T) {
	s := enabled(t, aliceSCI, strict(GCMAES128), createTransmit(t, GCMAES128, keyA, 0))
	got := order(t, s, Op{Kind: OpEnableReceive, Key: keyA}, Op{Kind: OpEnableTransmit, Key: keyA})
	want := []Report{{Kind: ReportReceiving, Key: keyA}, {Kind: ReportTransmitting, Key: keyA}}
	if !slices.Equal(got, want) {
		t.Errorf("reported %v, want %v", got, want)
	}
}

func TestReceiveSAIsNotInUseBeforeItIsEnabled(t *testing.T) {
	s := enabled(t, bobSCI, strict(GCMAES128), Op{Kind: OpCreateReceiveSC, SCI: aliceSCI},
		createReceive(t, GCMAES128, keyA, 0))
	wire := protect(t, alice(t, strict(GCMAES128)), userFrame(100))
	drop(t, s, wire)
	order(t, s, Op{Kind: OpEnableReceive, Key: keyA})
	deliver(t, s, wire, userFrame(100))
}

func TestReceiveSAOfAnEnabledKeyIsInUseAsSoonAsItIsMade(t *testing.T) {
	s := enabled(t, bobSCI, strict(GCMAES128), Op{Kind: OpEnableReceive, Key: keyA},
		Op{Kind: OpCreateReceiveSC, SCI: aliceSCI}, createReceive(t, GCMAES128, keyA, 0))
	deliver(t, s, protect(t, alice(t, strict(GCMAES128)), userFrame(100)), userFrame(100))
}

func TestEnablingOfAKeyEndsWithItsSAs(t *testing.T) {
	s := bob(t, strict(GCMAES128))
	order(t, s, Op{Kind: OpDeleteSAs, Key: keyA}, createReceive(t, GCMAES128, keyA, 0))
	drop(t, s, protect(t, alice(t, strict(GCMAES128)), userFrame(100)))
}

func TestTransmitSAIsNotInUseBeforeItIsEnabled(t *testing.T) {
	s := enabled(t, aliceSCI, strict(GCMAES128), createTransmit(t, GCMAES128, keyA, 0))
	if _, ok := s.Protect(nil, userFrame(100)); ok {
		t.Error("a frame was protected")
	}
}

func TestEnableTransmitSwitchesWithTheNextFrame(t *testing.T) {
	s := alice(t, strict(GCMAES128))
	order(t, s, createTransmit(t, GCMAES128, keyB, 1))
	for _, step := range []struct {
		key  KeyID
		want byte
	}{{keyA, 0}, {keyB, 1}, {keyA, 0}} {
		order(t, s, Op{Kind: OpEnableTransmit, Key: step.key})
		if an := protect(t, s, userFrame(100))[addressesLen+2] & tciAN; an != step.want {
			t.Errorf("with key %s the AN is %d, want %d", step.key, an, step.want)
		}
	}
}

func TestSwitchingBackGoesOnWithThePacketNumbers(t *testing.T) {
	s := alice(t, strict(GCMAES128))
	protect(t, s, userFrame(100))
	order(t, s, createTransmit(t, GCMAES128, keyB, 1), Op{Kind: OpEnableTransmit, Key: keyB},
		Op{Kind: OpEnableTransmit, Key: keyA})
	protect(t, s, userFrame(100))
	if pn, ok := s.PN(keyA); !ok || pn != 3 {
		t.Errorf("next packet number is %d, %t, want 3", pn, ok)
	}
}

func TestKeyWithoutASAHasNoPacketNumbers(t *testing.T) {
	s := alice(t, strict(GCMAES128))
	if pn, ok := s.PN(keyB); ok || pn != 0 {
		t.Errorf("the next packet number of a key without an SA is %d, %t", pn, ok)
	}
	if pn, ok := s.LowestPN(aliceSCI, keyB); ok || pn != 0 {
		t.Errorf("the lowest packet number of a key without an SA is %d, %t", pn, ok)
	}
}

// A SAK changes while frames signed with either key arrive: none is lost.
// Clause: 802.1AE-2018 10.7.13
func TestTwoKeysAreReceivedSideBySide(t *testing.T) {
	a, b := alice(t, strict(GCMAES128)), bob(t, strict(GCMAES128))
	older := protect(t, a, userFrame(100))
	order(t, b, createReceive(t, GCMAES128, keyB, 1), Op{Kind: OpEnableReceive, Key: keyB})
	order(t, a, createTransmit(t, GCMAES128, keyB, 1), Op{Kind: OpEnableTransmit, Key: keyB})
	deliver(t, b, protect(t, a, userFrame(100)), userFrame(100))
	deliver(t, b, older, userFrame(100))
}

func TestCreatingOnAnANInUseRemovesTheReceiveSAThere(t *testing.T) {
	s := bob(t, strict(GCMAES128))
	order(t, s, createReceive(t, GCMAES128, keyB, 0))
	if _, ok := s.LowestPN(aliceSCI, keyA); ok {
		t.Error("the SA of the other key is still there")
	}
	drop(t, s, protect(t, alice(t, strict(GCMAES128)), userFrame(100)))
}

func TestCreatingOnTheANInTransmitUseStopsTransmission(t *testing.T) {
	s := alice(t, strict(GCMAES128))
	order(t, s, createTransmit(t, GCMAES128, keyB, 0))
	if _, ok := s.Protect(nil, userFrame(100)); ok {
		t.Error("a frame was protected with an SA that is not enabled")
	}
}

func TestDeleteSAsRemovesAKeyFromBothDirections(t *testing.T) {
	s := enabled(t, bobSCI, strict(GCMAES128), Op{Kind: OpCreateReceiveSC, SCI: aliceSCI},
		createReceive(t, GCMAES128, keyA, 0), createTransmit(t, GCMAES128, keyA, 0),
		Op{Kind: OpEnableReceive, Key: keyA}, Op{Kind: OpEnableTransmit, Key: keyA}, Op{Kind: OpDeleteSAs, Key: keyA})
	if _, ok := s.Protect(nil, userFrame(100)); ok {
		t.Error("a frame was protected")
	}
	drop(t, s, protect(t, alice(t, strict(GCMAES128)), userFrame(100)))
	refuse(t, s, Op{Kind: OpEnableTransmit, Key: keyA})
	if pn, ok := s.PN(keyA); ok {
		t.Errorf("it has a next packet number still: %d", pn)
	}
}

func TestDeleteReceiveSCRemovesItsSAs(t *testing.T) {
	s := bob(t, strict(GCMAES128))
	order(t, s, Op{Kind: OpDeleteReceiveSC, SCI: aliceSCI})
	drop(t, s, protect(t, alice(t, strict(GCMAES128)), userFrame(100)))
}

func TestCreatingAReceiveSCAgainLeavesItAlone(t *testing.T) {
	s := bob(t, strict(GCMAES128))
	order(t, s, Op{Kind: OpCreateReceiveSC, SCI: aliceSCI})
	deliver(t, s, protect(t, alice(t, strict(GCMAES128)), userFrame(100)), userFrame(100))
}

// Clause: 802.1AE-2018 10.7.15
func TestLowestPacketNumberIsOnlyRaised(t *testing.T) {
	s := bob(t, strict(GCMAES128))
	raise := Op{Kind: OpRaiseLowestPN, SCI: aliceSCI, Key: keyA, PN: 500}
	order(t, s, raise)
	raise.PN = 20
	order(t, s, raise)
	if pn, ok := s.LowestPN(aliceSCI, keyA); !ok || pn != 500 {
		t.Errorf("lowest packet number is %d, %t, want 500", pn, ok)
	}
	drop(t, s, numbered(t, GCMAES128, 499))
	deliver(t, s, numbered(t, GCMAES128, 500), userFrame(100))
}

func TestKeyGetsOneTransmitSAForever(t *testing.T) {
	s := alice(t, strict(GCMAES128))
	refuse(t, s, createTransmit(t, GCMAES128, keyA, 0))
	refuse(t, s, createTransmit(t, GCMAES128, keyA, 1))
	order(t, s, Op{Kind: OpDeleteSAs, Key: keyA})
	refuse(t, s, createTransmit(t, GCMAES128, keyA, 0))
	higher := createTransmit(t, GCMAES128, keyA, 0)
	higher.PN = 1000
	refuse(t, s, higher)
}

func TestKeyInUseGetsNoSecondTransmitSAHoweverManyCameSince(t *testing.T) {
	s := alice(t, strict(GCMAES128))
	for n := range maxSpentKeys + 1 {
		order(t, s, createTransmit(t, GCMAES128, KeyID{0xff, byte(n >> 8), byte(n)}, 1))
	}
	refuse(t, s, createTransmit(t, GCMAES128, keyA, 2))
}

func TestSpentKeysStayBounded(t *testing.T) {
	s := New(Config{SCI: aliceSCI})
	order(t, s, configureOp(strict(GCMAES128)))
	for n := range maxSpentKeys + 10 {
		order(t, s, createTransmit(t, GCMAES128, KeyID{0xff, byte(n >> 8), byte(n)}, 1))
	}
	if got := len(s.spent.keys); got != maxSpentKeys {
		t.Errorf("%d keys are remembered, want %d", got, maxSpentKeys)
	}
	refuse(t, s, createTransmit(t, GCMAES128, KeyID{0xff, 0, 10}, 1))
}

func TestReceiveSAMadeAgainGoesOnWithItsWindow(t *testing.T) {
	wire := numbered(t, GCMAES128, 50)
	for _, removal := range []Op{
		{Kind: OpDeleteSAs, Key: keyA},
		{Kind: OpDeleteReceiveSC, SCI: aliceSCI},
		createReceive(t, GCMAES128, keyB, 0),
	} {
		t.Run(removal.Kind.String(), func(t *testing.T) {
			s := bob(t, strict(GCMAES128))
			deliver(t, s, wire, userFrame(100))
			order(t, s, removal, Op{Kind: OpCreateReceiveSC, SCI: aliceSCI}, createReceive(t, GCMAES128, keyA, 0),
				Op{Kind: OpEnableReceive, Key: keyA})
			drop(t, s, wire)
			deliver(t, s, numbered(t, GCMAES128, 49), userFrame(100))
		})
	}
}

func TestCreatingAReceiveSAAgainOnlyRaisesItsLowestPN(t *testing.T) {
	s := bob(t, strict(GCMAES128))
	again := createReceive(t, GCMAES128, keyA, 0)
	for _, step := range []struct{ pn, want PN }{{70, 70}, {3, 70}} {
		again.PN = step.pn
		order(t, s, again)
		if pn, ok := s.LowestPN(aliceSCI, keyA); !ok || pn != step.want {
			t.Errorf("after PN %d lowest packet number is %d, %t, want %d", step.pn, pn, ok, step.want)
		}
	}
	deliver(t, s, numbered(t, GCMAES128, 70), userFrame(100))
}

func TestConfigurationThatCannotBeIsRefused(t *testing.T) {
	tests := []struct {
		name string
		set  func(*Settings)
	}{
		{"no validateFrames", func(s *Settings) { s.ValidateFrames = 0 }},
		{"unknown validateFrames", func(s *Settings) { s.ValidateFrames = ValidateStrict + 1 }},
		{"unknown suite", func(s *Settings) { s.CipherSuite = 7 }},
		{"unknown offset", func(s *Settings) { s.Offset = Offset50 + 1 }},
		{"offset 30 with XPN", func(s *Settings) { s.CipherSuite, s.Offset = GCMAESXPN128, Offset30 }},
		{"window of 2^30 with XPN", func(s *Settings) { s.CipherSuite, s.ReplayWindow = GCMAESXPN256, 1<<30 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set := strict(GCMAES128)
			tt.set(&set)
			refuse(t, New(Config{SCI: aliceSCI}), configureOp(set))
		})
	}
}

func TestWidestWindowsAndTheAliasAreAccepted(t *testing.T) {
	for suite, window := range map[CipherSuite]uint32{GCMAESXPN128: 1<<30 - 1, GCMAES128Alias: 1<<32 - 1, 0: 0} {
		set := strict(suite)
		set.ReplayWindow = window
		order(t, New(Config{SCI: aliceSCI}), configureOp(set))
	}
}

func TestOrderThatCannotBeObeyedIsRefused(t *testing.T) {
	suite := GCMAESXPN128
	shortKey, err := keyderive.NewSAK(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		op     Op
		change func(*Op)
	}{
		{"no order", Op{}, nil},
		{"receive SC without SCI", Op{Kind: OpCreateReceiveSC}, nil},
		{"receive SC with our own SCI", Op{Kind: OpCreateReceiveSC, SCI: bobSCI}, nil},
		{"receive SA without SC", createReceive(t, suite, keyB, 1), func(op *Op) { op.SCI = 99 }},
		{"receive SA without key identifier", createReceive(t, suite, KeyID{}, 1), nil},
		{"receive SA with AN 4", createReceive(t, suite, keyB, 4), nil},
		{"receive SA without SSCI", createReceive(t, suite, keyB, 1), func(op *Op) { op.SSCI = 0 }},
		{"receive SA without SAK", createReceive(t, suite, keyB, 1), func(op *Op) { op.SAK = keyderive.SAK{} }},
		{"receive SA with a key of another suite", createReceive(t, suite, keyB, 1), func(op *Op) { op.SAK = shortKey }},
		{"receive SA of a key on a second AN", createReceive(t, suite, keyA, 1), nil},
		{"receive SA with the SSCI of another peer", createReceive(t, suite, keyA, 1), func(op *Op) { op.SCI = 77 }},
		{"transmit SA without key identifier", createTransmit(t, suite, KeyID{}, 1), nil},
		{"transmit SA with AN 4", createTransmit(t, suite, keyB, 4), nil},
		{"transmit SA without SSCI", createTransmit(t, suite, keyB, 1), func(op *Op) { op.SSCI = 0 }},
		{"transmit SA with the SSCI of a peer", createTransmit(t, suite, keyA, 1), nil},
		{"transmit SA without SAK", createTransmit(t, suite, keyB, 1), func(op *Op) { op.SAK = keyderive.SAK{} }},
		{"transmit SA from packet number 0", createTransmit(t, suite, keyB, 1), func(op *Op) { op.PN = 0 }},
		{"enable reception of no key", Op{Kind: OpEnableReceive}, nil},
		{"enable transmission without SA", Op{Kind: OpEnableTransmit, Key: keyB}, nil},
		{"raise the lowest PN of no SA", Op{Kind: OpRaiseLowestPN, SCI: aliceSCI, Key: keyB, PN: 2}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := bob(t, strict(suite))
			order(t, s, Op{Kind: OpCreateReceiveSC, SCI: 77})
			if tt.change != nil {
				tt.change(&tt.op)
			}
			refuse(t, s, tt.op)
		})
	}
}

func TestReceiveSAWithOurOwnSSCIIsRefused(t *testing.T) {
	s := enabled(t, bobSCI, strict(GCMAESXPN128), Op{Kind: OpCreateReceiveSC, SCI: aliceSCI},
		createTransmit(t, GCMAESXPN128, keyA, 0))
	refuse(t, s, createReceive(t, GCMAESXPN128, keyA, 0))
}

func TestSAWithoutASuiteIsRefused(t *testing.T) {
	refuse(t, New(Config{SCI: aliceSCI}), createTransmit(t, GCMAES128, keyA, 0))
}

func TestFirstPacketNumberBeyondTheSuiteIsRefused(t *testing.T) {
	s := New(Config{SCI: aliceSCI})
	order(t, s, configureOp(strict(GCMAES128)))
	op := createTransmit(t, GCMAES128, keyA, 0)
	op.PN = 1 << 32
	refuse(t, s, op)
}

func TestReceiveSCsAreBounded(t *testing.T) {
	s := New(Config{SCI: aliceSCI})
	for n := range maxReceiveSCs {
		order(t, s, Op{Kind: OpCreateReceiveSC, SCI: SCI(n + 1)})
	}
	refuse(t, s, Op{Kind: OpCreateReceiveSC, SCI: maxReceiveSCs + 1})
	order(t, s, Op{Kind: OpDeleteReceiveSC, SCI: 1}, Op{Kind: OpCreateReceiveSC, SCI: maxReceiveSCs + 1})
}

func TestRefusedTransmitSADoesNotSpendItsKey(t *testing.T) {
	s := New(Config{SCI: aliceSCI})
	order(t, s, configureOp(strict(GCMAES128)))
	bad := createTransmit(t, GCMAES128, keyA, 0)
	bad.PN = 0
	refuse(t, s, bad)
	order(t, s, createTransmit(t, GCMAES128, keyA, 0))
}

// Clause: none; design: what is refused is told with its remedy
func TestRefusedAssociationNumberIsToldWithThoseThereAre(t *testing.T) {
	reports := bob(t, strict(GCMAES128)).Apply(createTransmit(t, GCMAES128, keyB, 4), nil)
	if want := "AN 4 is none: use 0 to 3"; len(reports) != 1 || reports[0].Err != want {
		t.Errorf("reported %v, want %q", reports, want)
	}
}

// Clause: none; design: frames are verified while orders are obeyed, by the table as it was before or as it is after.
func TestOrdersLeaveTheTableOfFramesOnTheirWayAlone(t *testing.T) {
	s := New(Config{SCI: bobSCI})
	order(t, s, Op{Kind: OpConfigure, Settings: strict(GCMAES128)})
	before := s.table.Load()
	order(t, s, Op{Kind: OpCreateReceiveSC, SCI: aliceSCI}, createReceive(t, GCMAES128, keyA, 1))
	if len(before.receive) != 0 || len(s.table.Load().receive) != 1 {
		t.Errorf("the table before has %d receive SCs, that after %d; want 0 and 1", len(before.receive), len(s.table.Load().receive))
	}
}

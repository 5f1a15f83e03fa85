package secy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mode is a configuration in which the rows of the table below are tried.
func mode(validate ValidateFrames, offset ConfidentialityOffset, replayProtect bool) Settings {
	set := strict(GCMAES128)
	set.ValidateFrames, set.Offset, set.ReplayProtect, set.ReplayWindow = validate, offset, replayProtect, 0
	return set
}

// wireFrom is alice's frame with a packet number and an AN, of 100 octets of user data.
func wireFrom(t testing.TB, offset ConfidentialityOffset, pn PN, an AN) []byte {
	t.Helper()
	set := strict(GCMAES128)
	set.Offset = offset
	op := createTransmit(t, set.CipherSuite, keyA, an)
	op.PN = pn
	return protect(t, enabled(t, aliceSCI, set, op, Op{Kind: OpEnableTransmit, Key: keyA}), userFrame(100))
}

// A verdict is what one frame does in each mode: which counters it moves, and whether it is delivered.
type verdict struct {
	counts    Counters
	delivered bool
}

var (
	untagged   = verdict{Counters{InPktsUntagged: 1}, true}
	noTag      = verdict{Counters{InPktsNoTag: 1}, false}
	badTag     = verdict{Counters{InPktsBadTag: 1}, false}
	noSA       = verdict{Counters{InPktsNoSA: 1}, true}
	noSAError  = verdict{Counters{InPktsNoSAError: 1}, false}
	late       = verdict{Counters{InPktsLate: 1}, false}
	unchecked  = verdict{Counters{InPktsUnchecked: 1}, true}
	unverified = verdict{Counters{InPktsDelayed: 1}, true}
	invalid    = verdict{Counters{InPktsInvalid: 1}, true}
	notValid   = verdict{Counters{InPktsNotValid: 1}, false}
	validated  = verdict{Counters{InPktsOK: 1, InOctetsValidated: 100}, true}
	decrypted  = verdict{Counters{InPktsOK: 1, InOctetsDecrypted: 100}, true}
	delayedI   = verdict{Counters{InPktsDelayed: 1, InOctetsValidated: 100}, true}
	delayedC   = verdict{Counters{InPktsDelayed: 1, InOctetsDecrypted: 100}, true}
)

// with returns a copy of a frame with an octet changed, counted from the front or, below 0, from the end.
func with(frame []byte, at int, change func(byte) byte) []byte {
	b := append([]byte(nil), frame...)
	if at < 0 {
		at += len(b)
	}
	b[at] = change(b[at])
	return b
}

func setBits(bits byte) func(byte) byte    { return func(b byte) byte { return b | bits } }
func invertBits(bits byte) func(byte) byte { return func(b byte) byte { return b ^ bits } }
func become(value byte) func(byte) byte    { return func(byte) byte { return value } }

// Clause: 802.1AE-2018 10.6, 10.7.9
// Requirement: R108
func TestOneFrameMovesTheCountersOfItsRowOnly(t *testing.T) {
	const tci, sl, sciEnd = addressesLen + 2, addressesLen + 3, addressesLen + longTagLen - 1
	ok := PN(1000) // the receiver's lowest acceptable packet number
	plain, secret := wireFrom(t, IntegrityOnly, ok, 0), wireFrom(t, Offset0, ok, 0)
	tests := []struct {
		name                        string
		replayProtect               bool
		offset                      ConfidentialityOffset
		frame                       []byte
		strict, check, notValidated verdict
	}{
		{"untagged", true, Offset0, userFrame(100), noTag, untagged, untagged},
		{"too short for an EtherType", true, Offset0, userFrame(2)[:13], noTag, noTag, noTag},
		{"version 1", true, Offset0, with(secret, tci, setBits(tciVersion)), badTag, badTag, badTag},
		{"SC with ES", true, Offset0, with(secret, tci, setBits(tciES)), badTag, badTag, badTag},
		{"SC with SCB", true, Offset0, with(secret, tci, setBits(tciSCB)), badTag, badTag, badTag},
		{"reserved bits beside SL", true, Offset0, with(secret, sl, setBits(0x40)), badTag, badTag, badTag},
		{"SL of 48", true, Offset0, with(secret, sl, become(48)), badTag, badTag, badTag},
		{"SL of a longer frame", true, Offset0, with(secret, sl, become(20)), badTag, badTag, badTag},
		{"SL 0 in a short frame", true, Offset0, secret[:91], badTag, badTag, badTag},
		{"nothing but an EtherType", true, Offset0, secret[:14], badTag, badTag, badTag},
		{"PN 0", true, IntegrityOnly, with(with(plain, tci+4, become(0)), tci+5, become(0)), badTag, badTag, badTag},
		{"E without C", true, Offset0, with(secret, tci, invertBits(tciC)), badTag, badTag, badTag},
		{"plain, no such SC", true, IntegrityOnly, with(plain, sciEnd, invertBits(2)), noSAError, noSA, noSA},
		{"secret, no such SC", true, Offset0, with(secret, sciEnd, invertBits(2)), noSAError, noSAError, noSAError},
		{"plain, no SA on the AN", true, IntegrityOnly, wireFrom(t, IntegrityOnly, ok, 2), noSAError, noSA, noSA},
		{"secret, no SA on the AN", true, Offset0, wireFrom(t, Offset0, ok, 2), noSAError, noSAError, noSAError},
		{"plain, SA not in use", true, IntegrityOnly, wireFrom(t, IntegrityOnly, ok, 1), noSAError, noSA, noSA},
		{"secret, SA not in use", true, Offset0, wireFrom(t, Offset0, ok, 1), noSAError, noSAError, noSAError},
		{"plain, late", true, IntegrityOnly, wireFrom(t, IntegrityOnly, ok-1, 0), late, late, late},
		{"secret, late", true, Offset0, wireFrom(t, Offset0, ok-1, 0), late, late, late},
		{"plain, delayed", false, IntegrityOnly, wireFrom(t, IntegrityOnly, ok-1, 0), delayedI, delayedI, unverified},
		{"secret, delayed", false, Offset0, wireFrom(t, Offset0, ok-1, 0), delayedC, delayedC, delayedC},
		{"plain, bad ICV", true, IntegrityOnly, with(plain, -1, invertBits(1)), notValid, invalid, unchecked},
		{"secret, bad ICV", true, Offset0, with(secret, -1, invertBits(1)), notValid, notValid, notValid},
		{"plain, delayed, bad ICV", false, IntegrityOnly, with(wireFrom(t, IntegrityOnly, ok-1, 0), -1, invertBits(1)),
			notValid, invalid, unverified},
		{"changed by no suite of ours", true, IntegrityOnly, with(plain, tci, setBits(tciC)), notValid, notValid, notValid},
		{"plain, good", true, IntegrityOnly, plain, validated, validated, unchecked},
		{"secret, good", true, Offset0, secret, decrypted, decrypted, decrypted},
	}
	for _, tt := range tests {
		for validate, want := range map[ValidateFrames]verdict{
			ValidateStrict: tt.strict, ValidateCheck: tt.check, ValidateDisabled: tt.notValidated,
		} {
			t.Run(tt.name+"/"+validate.String(), func(t *testing.T) {
				s := bob(t, mode(validate, tt.offset, tt.replayProtect))
				order(t, s, Op{Kind: OpRaiseLowestPN, SCI: aliceSCI, Key: keyA, PN: ok}, createReceive(t, GCMAES128, keyB, 1))
				delivered := verifies(t, s, tt.frame, userFrame(100))
				if delivered != want.delivered {
					t.Errorf("delivered: %t, want %t", delivered, want.delivered)
				}
				if diff := cmp.Diff(want.counts, s.Counters()); diff != "" {
					t.Errorf("counters (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// Clause: 802.1AE-2018 10.7.18
func TestTransmittedFramesAreCounted(t *testing.T) {
	clear := strict(GCMAES128)
	clear.ProtectFrames = false
	integrity := strict(GCMAES128)
	integrity.Offset = IntegrityOnly
	tests := []struct {
		name     string
		settings Settings
		want     Counters
	}{
		{"in clear", clear, Counters{OutPktsUntagged: 2}},
		{"integrity only", integrity, Counters{OutPktsProtected: 2, OutOctetsProtected: 200}},
		{"encrypted", strict(GCMAES128), Counters{OutPktsEncrypted: 2, OutOctetsEncrypted: 200}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := alice(t, tt.settings)
			protect(t, s, userFrame(100))
			protect(t, s, userFrame(100))
			if diff := cmp.Diff(tt.want, s.Counters()); diff != "" {
				t.Errorf("counters (-want +got):\n%s", diff)
			}
		})
	}
}

// Clause: 802.1AE-2018 10.7.9
func TestReceiveSCsCountApart(t *testing.T) {
	s := bob(t, strict(GCMAES128))
	order(t, s, Op{Kind: OpCreateReceiveSC, SCI: 77})
	deliver(t, s, numbered(t, GCMAES128, 5), userFrame(100))
	drop(t, s, numbered(t, GCMAES128, 5))
	want := SCCounters{InPktsOK: 1, InPktsLate: 1, InOctetsDecrypted: 100}
	if got, ok := s.SCCounters(aliceSCI); !ok || got != want {
		t.Errorf("counters are %+v, %t, want %+v", got, ok, want)
	}
	if got, ok := s.SCCounters(77); !ok || got != (SCCounters{}) {
		t.Errorf("counters of another SC are %+v, %t, want zeros", got, ok)
	}
	if _, ok := s.SCCounters(78); ok {
		t.Error("an SC that does not exist has counters")
	}
}

func TestWhatADeletedReceiveSCHasCountedStaysCounted(t *testing.T) {
	sums := func(c Counters) SCCounters {
		return SCCounters{c.InPktsUnchecked, c.InPktsDelayed, c.InPktsLate, c.InPktsOK, c.InPktsInvalid, c.InPktsNotValid,
			c.InOctetsValidated, c.InOctetsDecrypted}
	}
	s := bob(t, strict(GCMAES128))
	counts := s.table.Load().receive[aliceSCI].counts
	counts.unchecked.Add(1)
	counts.delayed.Add(2)
	counts.late.Add(3)
	counts.ok.Add(4)
	counts.invalid.Add(5)
	counts.notValid.Add(6)
	counts.octetsValidated.Add(7)
	counts.octetsDecrypted.Add(8)
	want := SCCounters{1, 2, 3, 4, 5, 6, 7, 8}
	for _, ops := range [][]Op{nil, {{Kind: OpDeleteReceiveSC, SCI: aliceSCI}}, {{Kind: OpCreateReceiveSC, SCI: aliceSCI}}} {
		order(t, s, ops...)
		if got := sums(s.Counters()); got != want {
			t.Errorf("after %v counters are %+v, want %+v", ops, got, want)
		}
	}
}

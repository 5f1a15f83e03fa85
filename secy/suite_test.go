package secy

import (
	"encoding/hex"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// keyIdentifier puts a KeyID together from the MI of the examples and a KN.
func keyIdentifier(kn ...byte) (key KeyID) {
	copy(key[:], []byte{0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac})
	copy(key[12:], kn)
	return key
}

// Clause: 802.1AE-2018 10.7.8
// Requirement: R98
func TestSaltMixesTheKeyNumberIntoTheMemberIdentifier(t *testing.T) {
	tests := []struct {
		kn   []byte
		want string
	}{
		{[]byte{0, 0, 0, 1}, "a1a3a3a4a5a6a7a8a9aaabac"},
		{[]byte{0, 0, 0, 2}, "a1a0a3a4a5a6a7a8a9aaabac"},
		{[]byte{0x12, 0x34, 0x56, 0x78}, "f7dab190a5a6a7a8a9aaabac"},
	}
	for _, tt := range tests {
		salt := SaltOf(keyIdentifier(tt.kn...))
		if got := hex.EncodeToString(salt[:]); got != tt.want {
			t.Errorf("salt of KN %x is %s, want %s", tt.kn, got, tt.want)
		}
	}
}

// Clause: 802.1AE-2018 14.5, 14.7
// Requirement: R98
func TestNonceIsMadeOfThePacketNumber(t *testing.T) {
	tests := []struct {
		suite CipherSuite
		pn    PN
		want  string
	}{
		{GCMAES128, 0x89abcdef, "02000000000a000189abcdef"},
		{GCMAES256, 1, "02000000000a000100000001"},
		{GCMAESXPN128, 0x100000005, "a1a0a3a6a5a6a7a9a9aaaba9"},
		{GCMAESXPN256, 0x100000005, "a1a0a3a6a5a6a7a9a9aaaba9"},
	}
	for _, tt := range tests {
		t.Run(tt.suite.String(), func(t *testing.T) {
			salt := SaltOf(keyIdentifier(0, 0, 0, 2))
			key, err := newCipherKey(tt.suite, sakOf(t, keyA, tt.suite), aliceSCI, 2, salt)
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(key.nonceOf(tt.pn)); got != tt.want {
				t.Errorf("nonce of %#x is %s, want %s", uint64(tt.pn), got, tt.want)
			}
		})
	}
}

// Clause: 802.1AE-2018 10.6.2
// Requirement: R99
func TestUpperHalfOfAPacketNumberIsRecovered(t *testing.T) {
	tests := []struct {
		lowest PN
		low    uint32
		want   PN
	}{
		{0x0_fffffff0, 5, 0x1_00000005},
		{0x1_00000005, 0xfffffff0, 0x1_fffffff0},
		{0x0_7fffffff, 0x80000000, 0x0_80000000},
		{0x0_80000000, 0x7fffffff, 0x1_7fffffff},
		{0x0_ffffffff, 0, 0x1_00000000},
		{0x1_00000010, 5, 0x1_00000005},
		{0x1_90000000, 0x80000001, 0x1_80000001},
		{1, 1, 1},
		{0xb0df459c_00000001, 0xb2c28465, 0xb0df459c_b2c28465},
	}
	for _, tt := range tests {
		if got := recoverPN(tt.lowest, tt.low); got != tt.want {
			t.Errorf("recovered %#x from %#x after %#x, want %#x", uint64(got), tt.low, uint64(tt.lowest), uint64(tt.want))
		}
	}
}

// Clause: 802.1AE-2018 10.6.2
// Requirement: R99
func TestPacketNumberUpTo2To31AheadIsRecovered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lowest := PN(rapid.Uint64Range(1, 1<<63).Draw(t, "lowest"))
		pn := lowest + PN(rapid.Uint64Range(0, 1<<31-1).Draw(t, "ahead"))
		if got := recoverPN(lowest, uint32(pn)); got != pn {
			t.Errorf("recovered %#x, want %#x", uint64(got), uint64(pn))
		}
	})
}

// Clause: 802.1AE-2018 10.7.13
func TestGreatestSCIHasTheFirstSSCI(t *testing.T) {
	tests := []struct {
		name    string
		ordered []SCI
	}{
		{"two", []SCI{0x02000000000b0001, 0x02000000000a0001}},
		{"three", []SCI{30, 25, 20}},
		{"differing in the port only", []SCI{0x02000000000a0002, 0x02000000000a0001}},
		{"unsigned", []SCI{0xffffffffffff0001, 0x8000000000000001, 0x7fffffffffffffff, 0x0000000000010000, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			members := slices.Sorted(slices.Values(tt.ordered))
			for i, own := range tt.ordered {
				if got := SSCIOf(own, members); got != SSCI(i+1) {
					t.Errorf("SSCI of %s is %d, want %d", own, got, i+1)
				}
			}
		})
	}
}

// Clause: 802.1AE-2018 10.7.13
func TestSSCIsAreTheSameInWhateverOrderMembersCame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := rapid.SliceOfNDistinct(rapid.Uint64(), 2, 5, rapid.ID).Draw(t, "members")
		shuffled := rapid.Permutation(members).Draw(t, "shuffled")
		for _, own := range members {
			if a, b := SSCIOf(SCI(own), scis(members)), SSCIOf(SCI(own), scis(shuffled)); a != b {
				t.Errorf("SSCI of %x is %d and %d", own, a, b)
			}
		}
	})
}

func scis(numbers []uint64) (all []SCI) {
	for _, n := range numbers {
		all = append(all, SCI(n))
	}
	return all
}

func TestSSCIIsTheSameWhetherOrNotOwnIsListed(t *testing.T) {
	if a, b := SSCIOf(25, []SCI{20, 25, 30}), SSCIOf(25, []SCI{20, 30}); a != 2 || b != 2 {
		t.Errorf("SSCI is %d with and %d without own SCI, want 2", a, b)
	}
}

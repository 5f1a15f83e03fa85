package keyderive_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"testing"

	"mkad/keyderive"
)

// Clause: 802.1X-2020 9.3.1
// Requirement: R18
func TestNewCAKTakesOnly16Or32Octets(t *testing.T) {
	for n := range 70 {
		_, err := keyderive.NewCAK(octets(0, n))
		wantOnly(t, err, n == 16 || n == 32, fmt.Sprintf("make CAK: it has %d octets, give 16 or 32", n))
	}
}

// Clause: 802.1X-2020 9.8
func TestNewSAKTakesOnly16Or32Octets(t *testing.T) {
	for n := range 70 {
		_, err := keyderive.NewSAK(octets(0, n))
		wantOnly(t, err, n == 16 || n == 32, fmt.Sprintf("make SAK: it has %d octets, give 16 or 32", n))
	}
}

// Clause: 802.1X-2020 6.2.2
func TestNewMSKTakes16OctetsOrMore(t *testing.T) {
	for n := range 70 {
		_, err := keyderive.NewMSK(octets(0, n))
		wantOnly(t, err, n >= 16, fmt.Sprintf("make MSK: it has %d octets, use an EAP method", n))
	}
}

// Clause: 802.1X-2020 9.3.1
// Requirement: R18
func TestNewCKNTakes1To32Octets(t *testing.T) {
	for n := range 70 {
		ckn, err := keyderive.NewCKN(octets(0, n))
		wantOnly(t, err, n >= 1 && n <= 32, fmt.Sprintf("make CKN: it has %d octets, give 1 to 32", n))
		if err == nil && ckn.Len() != n {
			t.Errorf("a CKN of %d octets has length %d", n, ckn.Len())
		}
	}
}

// wantOnly checks that there is no error when good, and one that says what is wanted when not.
func wantOnly(t *testing.T, err error, good bool, want string) {
	t.Helper()
	if !good {
		wantError(t, err, want)
	} else if err != nil {
		t.Error(err)
	}
}

// Clause: none; the order that participants of one key server are put into
func TestCKNsAreOrderedByTheirOctets(t *testing.T) {
	in := []keyderive.CKN{newCKN([]byte{0}), newCKN([]byte{0, 0}), newCKN([]byte{0, 1}), newCKN([]byte{1}), newCKN([]byte{0xff})}
	for i, a := range in {
		for j, b := range in {
			if got, want := a.Compare(b), cmp.Compare(i, j); got != want {
				t.Errorf("%s compared with %s is %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestCKNIsHexadecimalInJSON(t *testing.T) {
	for _, test := range []struct {
		ckn  keyderive.CKN
		want string
	}{
		{newCKN([]byte{0x00, 0x01, 0xfe}), `{"ckn":"0001fe"}`},
		{keyderive.CKN{}, `{"ckn":""}`},
	} {
		got, err := json.Marshal(map[string]keyderive.CKN{"ckn": test.ckn})
		if err != nil || string(got) != test.want {
			t.Errorf("JSON is %s (%v), want %s", got, err, test.want)
		}
	}
}

func TestCKNIsReadFromWholeOctets(t *testing.T) {
	var ckn keyderive.CKN
	if err := ckn.UnmarshalText(nil); err != nil || ckn != (keyderive.CKN{}) {
		t.Errorf("no text is %v, %v", ckn, err)
	}
	for _, text := range []string{"1", "001", "0g"} {
		if err := ckn.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is read as %v", text, ckn)
		}
	}
}

func TestMSKKeepsWhatDerivationsRead(t *testing.T) {
	for _, c := range []struct{ given, kept int }{{16, 16}, {20, 20}, {32, 32}, {64, 32}} {
		wantOctets(t, "MSK", newMSK(octets(0, c.given)).Octets(), octets(0, c.kept))
	}
}

func TestKeysKeepACopy(t *testing.T) {
	b := octets(0, 32)
	cak, sak, msk, ckn := newCAK(b), newSAK(b), newMSK(b), newCKN(b)
	clear(b)
	for _, got := range [][]byte{cak.Octets(), sak.Octets(), msk.Octets(), ckn.AppendTo(nil)} {
		wantOctets(t, "octets", got, octets(0, 32))
	}
}

func TestUniformIsOnlyAKeyOfOneOctetRepeated(t *testing.T) {
	middle, last := make([]byte, 32), make([]byte, 32)
	middle[16], last[31] = 1, 1
	for _, c := range []struct {
		cak  keyderive.CAK
		want bool
	}{
		{newCAK(make([]byte, 16)), true},
		{newCAK([]byte("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")), true},
		{newCAK(middle), false},
		{newCAK(last), false},
		{newCAK(octets(0, 16)), false},
		{keyderive.CAK{}, false},
	} {
		if got := c.cak.Uniform(); got != c.want {
			t.Errorf("Uniform of %x = %t", c.cak.Octets(), got)
		}
	}
}

func TestEqualComparesOctetsAndLength(t *testing.T) {
	a := newSAK(octets(0, 16))
	for _, c := range []struct {
		name string
		b    keyderive.SAK
		want bool
	}{
		{"itself", a, true},
		{"the same octets", newSAK(octets(0, 16)), true},
		{"other octets", newSAK(octets(1, 16)), false},
		{"a longer key", newSAK(octets(0, 32)), false},
		{"no key", keyderive.SAK{}, false},
	} {
		if a.Equal(c.b) != c.want || c.b.Equal(a) != c.want {
			t.Errorf("equal to %s: not %t", c.name, c.want)
		}
	}
}

func TestEveryKeyTypeComparesItsOctets(t *testing.T) {
	ckn := newCKN(octets(1, 1))
	cak, cak2 := newCAK(octets(0, 16)), newCAK(octets(1, 16))
	msk, msk2 := newMSK(octets(0, 16)), newMSK(octets(1, 16))
	ick, ick2 := keyderive.DeriveICK(cak, ckn), keyderive.DeriveICK(cak2, ckn)
	kek, kek2 := keyderive.DeriveKEK(cak, ckn), keyderive.DeriveKEK(cak2, ckn)
	for name, ok := range map[string]bool{
		"CAK": cak.Equal(newCAK(octets(0, 16))) && !cak.Equal(cak2),
		"MSK": msk.Equal(newMSK(octets(0, 16))) && !msk.Equal(msk2),
		"ICK": ick.Equal(keyderive.DeriveICK(cak, ckn)) && !ick.Equal(ick2),
		"KEK": kek.Equal(keyderive.DeriveKEK(cak, ckn)) && !kek.Equal(kek2),
	} {
		if !ok {
			t.Errorf("%s compares wrongly", name)
		}
	}
}

func TestWipeZeroesTheOctetsForAllCopies(t *testing.T) {
	cak, ckn := newCAK(octets(1, 32)), newCKN(octets(1, 1))
	ick, kek := keyderive.DeriveICK(cak, ckn), keyderive.DeriveKEK(cak, ckn)
	sak, msk := newSAK(octets(1, 32)), newMSK(octets(1, 32))
	for _, k := range []struct {
		octets []byte
		key    interface {
			Wipe()
			IsZero() bool
			Len() int
		}
	}{
		{cak.Octets(), cak}, {ick.Octets(), ick}, {kek.Octets(), kek}, {sak.Octets(), sak}, {msk.Octets(), msk},
	} {
		k.key.Wipe()
		wantOctets(t, fmt.Sprintf("%T", k.key), k.octets, make([]byte, 32))
		if !k.key.IsZero() || k.key.Len() != 0 {
			t.Errorf("%T: still a key of %d octets", k.key, k.key.Len())
		}
	}
}

func TestWipeOfAnICKZeroesItsSubkeys(t *testing.T) {
	ick := keyderive.DeriveICK(newCAK(octets(1, 16)), newCKN(octets(1, 1)))
	k1, k2 := ick.Subkeys()
	ick.Wipe()
	wantOctets(t, "K1 and K2", append(k1, k2...), make([]byte, 32))
}

func TestWipeOfNoKeyAndOfAWipedOneIsHarmless(t *testing.T) {
	keyderive.SAK{}.Wipe()
	ick := keyderive.DeriveICK(newCAK(octets(1, 16)), newCKN(octets(1, 1)))
	ick.Wipe()
	ick.Wipe()
}

func TestTheZeroValueIsNoKey(t *testing.T) {
	for _, k := range []interface {
		IsZero() bool
		Len() int
	}{keyderive.CAK{}, keyderive.ICK{}, keyderive.KEK{}, keyderive.SAK{}, keyderive.MSK{}, keyderive.CKN{}} {
		if !k.IsZero() || k.Len() != 0 {
			t.Errorf("%T: zero value is a key of %d octets", k, k.Len())
		}
	}
}

func TestNoKeyAcceptsNothingReceived(t *testing.T) {
	wiped := keyderive.DeriveICK(newCAK(octets(1, 16)), newCKN(octets(1, 1)))
	sum := wiped.Sum(nil)
	wiped.Wipe()
	if wiped.Verify(nil, sum[:]) || (keyderive.ICK{}).Verify(nil, make([]byte, 16)) {
		t.Error("Verify accepted an ICV")
	}
	_, err := keyderive.KEK{}.Unwrap(make([]byte, 24))
	wantError(t, err, "unwrap SAK: no KEK")
}

func TestMakingSomethingWithNoKeyPanics(t *testing.T) {
	ckn, sak := newCKN(octets(1, 1)), newSAK(octets(1, 16))
	kek := keyderive.DeriveKEK(newCAK(octets(1, 16)), ckn)
	for name, f := range map[string]func(){
		"DeriveICK": func() { keyderive.DeriveICK(keyderive.CAK{}, ckn) },
		"DeriveKEK": func() { keyderive.DeriveKEK(keyderive.CAK{}, ckn) },
		"DeriveSAK": func() { _, _ = keyderive.DeriveSAK(keyderive.CAK{}, octets(0, 16), octets(0, 12), 1, 16) },
		"Sum":       func() { keyderive.ICK{}.Sum(nil) },
		"Wrap with": func() { keyderive.KEK{}.Wrap(nil, sak) },
		"Wrap of":   func() { kek.Wrap(nil, keyderive.SAK{}) },
		"wiped Sum": func() { k := keyderive.DeriveICK(newCAK(octets(1, 16)), ckn); k.Wipe(); k.Sum(nil) },
		"wiped SAK": func() { k := newSAK(octets(1, 16)); k.Wipe(); kek.Wrap(nil, k) },
		"wiped CAK": func() { k := newCAK(octets(1, 16)); k.Wipe(); keyderive.DeriveKEK(k, ckn) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

// Clause: 802.1X-2020 9.3.1
// Requirement: R11
func TestCKNsAreEqualOnlyInLengthAndOctets(t *testing.T) {
	a := newCKN([]byte{0, 1})
	for _, c := range []struct {
		name string
		b    []byte
		want bool
	}{
		{"the same", []byte{0, 1}, true},
		{"zeros appended", []byte{0, 1, 0}, false},
		{"cut", []byte{0}, false},
		{"another", []byte{0, 2}, false},
	} {
		if got := a == newCKN(c.b); got != c.want {
			t.Errorf("equal to %s: %t", c.name, got)
		}
	}
}

func TestCKNPrintsAsHex(t *testing.T) {
	ckn := newCKN([]byte{0x00, 0x01, 0xfe})
	if got := fmt.Sprint(ckn); got != "0001fe" {
		t.Errorf("printed %q", got)
	}
}

func TestCKNAppends(t *testing.T) {
	wantOctets(t, "appended", newCKN([]byte{2, 3}).AppendTo([]byte{1}), []byte{1, 2, 3})
}

func TestClonedCAKOutlivesTheFirst(t *testing.T) {
	for _, n := range []int{16, 32} {
		cak := newCAK(octets(1, n))
		clone := cak.Clone()
		cak.Wipe()
		if !clone.Equal(newCAK(octets(1, n))) || !cak.IsZero() {
			t.Errorf("%d octets: the clone is % x", n, clone.Octets())
		}
	}
	if !(keyderive.CAK{}).Clone().IsZero() {
		t.Error("the clone of no key is one")
	}
}

// Clause: none; a SAK is known again by its fingerprint, and not told by it
func TestFingerprintNamesASAK(t *testing.T) {
	a, b := must(keyderive.NewSAK(octets(1, 16))), must(keyderive.NewSAK(octets(1, 16)))
	c, d := must(keyderive.NewSAK(octets(2, 16))), must(keyderive.NewSAK(octets(1, 32)))
	if a.Fingerprint() != b.Fingerprint() || a.Fingerprint() == c.Fingerprint() || a.Fingerprint() == d.Fingerprint() {
		t.Errorf("%x %x %x %x", a.Fingerprint(), b.Fingerprint(), c.Fingerprint(), d.Fingerprint())
	}
}

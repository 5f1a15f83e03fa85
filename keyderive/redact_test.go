package keyderive_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"mkad/keyderive"
)

// A specimen is a key in every place where it might be printed, and what must not come out of there.
type specimen struct {
	name   string   // "SAK"
	leaks  []string // what its octets, and whatever else gives it away, look like in print
	bare   []any    // the key, and a pointer to it
	shown  []any    // where package fmt can reach the key's own methods
	hidden []any    // where it cannot
}

func newSpecimen[K any](name string, k K, secrets ...[]byte) specimen {
	type open struct {
		A int
		K K
	}
	type closed struct {
		a int
		k K
	}
	type closedPointer struct{ k *K }
	type embedded struct{ o open }
	return specimen{
		name:  name,
		leaks: printings(secrets...),
		bare:  []any{k, &k},
		shown: []any{open{1, k}, &open{1, k}, []K{k}, [1]K{k}, map[string]K{"k": k}, []any{k}, struct{ K any }{k}},
		hidden: []any{
			closed{1, k}, &closed{1, k}, []closed{{1, k}}, map[int]closed{1: {1, k}}, struct{ C closed }{closed{1, k}},
			closedPointer{&k}, &closedPointer{&k}, embedded{open{1, k}}, &embedded{open{1, k}},
			struct{ k []K }{[]K{k}}, struct{ k map[int]*K }{map[int]*K{1: &k}}, struct{ k any }{k}, struct{ k any }{&k},
		},
	}
}

func specimens() []specimen {
	b := octets(0xd1, 32)
	cak, sak, msk := newCAK(b), newSAK(b), newMSK(b)
	ick, kek := keyderive.DeriveICK(cak, newCKN(b)), keyderive.DeriveKEK(cak, newCKN(b))
	k1, k2 := ick.Subkeys()
	return []specimen{
		newSpecimen("CAK", cak, b), newSpecimen("SAK", sak, b), newSpecimen("MSK", msk, b),
		newSpecimen("ICK", ick, ick.Octets(), k1, k2), newSpecimen("KEK", kek, kek.Octets()),
	}
}

func (s specimen) everywhere() []any { return slices.Concat(s.bare, s.shown, s.hidden) }

// wantNoLeak checks that text shows no four octets in a row of any secret.
func (s specimen) wantNoLeak(t *testing.T, what, text string) {
	t.Helper()
	if containsAny(text, s.leaks) {
		t.Errorf("%s shows %s octets: %s", what, s.name, text)
	}
}

func containsAny(text string, parts []string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(text, p) })
}

// printings returns what each four octets of secrets look like when printed by one verb or another, less the brackets.
func printings(secrets ...[]byte) (ps []string) {
	for _, secret := range secrets {
		for w := range slices.Chunk(secret, 4) {
			quoted := fmt.Sprintf("%q", w)
			ps = append(ps, fmt.Sprintf("%x", w), fmt.Sprintf("%X", w), string(w), quoted[1:len(quoted)-1],
				base64.StdEncoding.EncodeToString(w[:3]))
			ps = append(ps, listings(w)...)
		}
	}
	return ps
}

// listings returns what octets look like one by one.
func listings(w []byte) (ls []string) {
	for _, verb := range []string{"%d", "%o", "%b", "%q", "%c", "%U", "%x", "%#x", "%X"} {
		for _, sep := range []string{" ", ", ", ","} {
			var words []string
			for _, o := range w {
				words = append(words, fmt.Sprintf(verb, o))
			}
			ls = append(ls, strings.Join(words, sep))
		}
	}
	return ls
}

// formats returns every flag with every verb of package fmt, and one verb that there is not.
func formats() (fs []string) {
	for _, flag := range []string{"", "+", "#", " ", "-40"} {
		for _, verb := range "vTtbcdoOqxXUeEfFgGspZ" {
			fs = append(fs, "%"+flag+string(verb))
		}
	}
	return fs
}

func TestLeaksAreSeen(t *testing.T) {
	secret := octets(0xd1, 32)
	texts := []string{string(must(json.Marshal(secret))), string(must(json.Marshal([4]byte(secret))))}
	for _, format := range []string{"%v", "%+v", "%#v", "%d", "%x", "%#x", "% X", "%s", "%q", "%o", "%b"} {
		texts = append(texts, fmt.Sprintf(format, secret), fmt.Sprintf(format, [32]byte(secret)))
	}
	for _, text := range texts {
		if !containsAny(text, printings(secret)) {
			t.Errorf("not seen in %s", text)
		}
	}
}

// This is why a secret has a second pointer. Should it fail one day, package fmt has become more careful.
func TestFmtFollowsOnePointerForAVerbThatDoesNotFit(t *testing.T) {
	type onePointer struct{ k *[32]byte }
	secret := [32]byte(octets(0xd1, 32))
	for _, format := range []string{"%s", "%q"} {
		if text := fmt.Sprintf(format, onePointer{&secret}); !containsAny(text, printings(secret[:])) {
			t.Errorf("%s prints %s", format, text)
		}
	}
}

func TestKeyPrintsItsKindForEveryVerb(t *testing.T) {
	for _, s := range specimens() {
		for _, format := range formats() {
			if strings.ContainsAny(format, "Tp") { // package fmt does these two itself
				continue
			}
			for _, k := range s.bare {
				if got := fmt.Sprintf(format, k); got != s.name+"(redacted)" {
					t.Errorf("%s of %T: %s", format, k, got)
				}
			}
		}
	}
}

func TestKeyInAnExportedPlacePrintsItsKind(t *testing.T) {
	for _, s := range specimens() {
		for _, v := range s.shown {
			for _, format := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
				if got := fmt.Sprintf(format, v); !strings.Contains(got, s.name+"(redacted)") {
					t.Errorf("%s of %T: %s", format, v, got)
				}
			}
		}
	}
}

// Clause: none; design: keys print as redacted
// Requirement: R18
func TestNoVerbShowsAKeyWhereverItStands(t *testing.T) {
	for _, s := range specimens() {
		for _, format := range formats() {
			for _, v := range s.everywhere() {
				s.wantNoLeak(t, fmt.Sprintf("%s of %T", format, v), fmt.Sprintf(format, v))
			}
		}
	}
}

func TestKeyMethodsPrintItsKind(t *testing.T) {
	for _, s := range specimens() {
		k := s.bare[0].(interface {
			String() string
			GoString() string
			MarshalText() ([]byte, error)
			LogValue() slog.Value
		})
		for _, got := range []string{k.String(), k.GoString(), string(must(k.MarshalText())), k.LogValue().String()} {
			if got != s.name+"(redacted)" {
				t.Errorf("%s prints %q", s.name, got)
			}
		}
	}
}

func TestNoKeyPrintsAsNone(t *testing.T) {
	wiped := newSAK(octets(0, 16))
	wiped.Wipe()
	for _, k := range []any{keyderive.SAK{}, keyderive.ICK{}, wiped} {
		if got := fmt.Sprint(k); got != "key(none)" {
			t.Errorf("%T prints %q", k, got)
		}
	}
}

func TestJSONNamesTheKindOfAKeyOnly(t *testing.T) {
	for _, s := range specimens() {
		for _, v := range s.everywhere() {
			text := string(must(json.Marshal(v)))
			s.wantNoLeak(t, fmt.Sprintf("JSON of %T", v), text)
		}
		for _, v := range slices.Concat(s.bare, s.shown) {
			if text := string(must(json.Marshal(v))); !strings.Contains(text, `"`+s.name+`(redacted)"`) {
				t.Errorf("JSON of %T: %s", v, text)
			}
		}
	}
}

func TestSlogNamesTheKindOfAKeyOnly(t *testing.T) {
	var out bytes.Buffer
	for name, h := range map[string]slog.Handler{
		"text": slog.NewTextHandler(&out, nil), "json": slog.NewJSONHandler(&out, nil),
	} {
		for _, s := range specimens() {
			for i, v := range s.everywhere() {
				out.Reset()
				slog.New(h).Info("m", "k", v)
				s.wantNoLeak(t, fmt.Sprintf("%s log of %T", name, v), out.String())
				if i < len(s.bare)+len(s.shown) && !strings.Contains(out.String(), s.name+"(redacted)") {
					t.Errorf("%s log of %T: %s", name, v, out.String())
				}
			}
		}
	}
}

// Clause: 802.1X-2020 9.3.1
// Requirement: R18
func TestErrorsShowNoOctetsOfARefusedKey(t *testing.T) {
	b := octets(0xd1, 33)
	for _, err := range []error{
		errorOf(keyderive.NewCAK(b)), errorOf(keyderive.NewSAK(b)), errorOf(keyderive.NewMSK(b[:15])),
	} {
		if containsAny(err.Error(), printings(b[:12])) {
			t.Error(err)
		}
	}
}

func errorOf[T any](_ T, err error) error { return err }

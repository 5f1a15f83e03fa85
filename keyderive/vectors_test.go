package keyderive_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mkad/keyderive"
)

// A vector is one line of a file in testdata/kdf.
type vector struct {
	name   string
	fields [][]byte
}

// readVectors reads a file of vectors that have n fields each, and fails if there is none.
func readVectors(t testing.TB, file string, n int) (vs []vector) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "testdata", "kdf", file))
	if err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		words := strings.Fields(s.Text())
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		if len(words) != 1+n {
			t.Fatalf("%s: %s has %d fields, want %d", file, words[0], len(words)-1, n)
		}
		vs = append(vs, vector{words[0], fieldsOf(words[1:])})
	}
	if len(vs) == 0 {
		t.Fatalf("%s holds no vector", file)
	}
	return vs
}

func fieldsOf(words []string) (fields [][]byte) {
	for _, w := range words {
		fields = append(fields, unhex(strings.TrimPrefix(w, "-")))
	}
	return fields
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// octets returns n octets that count up from first.
func octets(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

// must unwraps what cannot fail in a test.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newCAK(b []byte) keyderive.CAK { return must(keyderive.NewCAK(b)) }
func newCKN(b []byte) keyderive.CKN { return must(keyderive.NewCKN(b)) }
func newSAK(b []byte) keyderive.SAK { return must(keyderive.NewSAK(b)) }
func newMSK(b []byte) keyderive.MSK { return must(keyderive.NewMSK(b)) }

func wantOctets(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s = %x, want %x", what, got, want)
	}
}

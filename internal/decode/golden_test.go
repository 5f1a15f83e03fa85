package decode_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket/layers"

	"mkad/internal/config"
	"mkad/internal/decode"
)

var update = flag.Bool("update", false, "rewrite the golden files, and the fuzz corpus")

// keysOf reads a CAK file with pairs of CKN and CAK, in hexadecimal digits.
func keysOf(t testing.TB, pairs ...string) []config.Key {
	t.Helper()
	text := ""
	for i := 0; i < len(pairs); i += 2 {
		text += "[[key]]\nckn = \"" + pairs[i] + "\"\ncak = \"" + pairs[i+1] + "\"\n"
	}
	file := filepath.Join(t.TempDir(), "keys.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, problems := config.LoadKeys(file)
	if problems.Errors() != nil {
		t.Fatal(problems)
	}
	return keys
}

// The keys of the golden frames, see testdata/mkpdu; none protects anything.
var (
	keyF1     = []string{"6162636465666768696a6b6c6d6e6f707172737475767778797a303132333435", strings.Repeat("0123456789abcdef", 2)}
	keyF2     = []string{"101112131415161718191a1b1c1d1e1f", "000102030405060708090a0b0c0d0e0f"}
	keyF4     = []string{"01", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"}
	keyF5     = []string{"0123456789abcdef", strings.Repeat("0123456789abcdef", 2)}
	keyCisco  = []string{strings.Repeat("11", 32), strings.Repeat("11", 16)}
	keyPi     = []string{"00112233445566778899aabbccddeeff0011223344556677", "00112233445566778899aabbccddeeff"}
	allKeys   = append(append(append(append(append(append([]string{}, keyF1...), keyF2...), keyF4...), keyF5...), keyCisco...), keyPi...)
	sakDigits = []string{"3930f63ece189c2086c5dcd161274872", "4f1b93b4d3002ab1e1a2cf78a97bb834f30f8b03abc316c32a47577518d67848",
		"1813dc204bde640437c0bc9e69b1fd39"}
)

// Derived keys of the same, from the vectors of testdata/kdf.
var derivedDigits = []string{"daf4c372bc50b80a86a39eb12b360517", "d1eed7b4638f373c9b5891bb6342cdb8", "8282f1558573ad2774d6069571db1fbe",
	"71a6798639cf01a1f61e75e5260514a9", "a3989fc2b95bb8821582e129f0384f05", "ba5ec868d06145ea8b1b04cc2eb68cf6",
	"7dbc55f6227f971d29090e63a0d73c93", "cfe823070f5794e3ce64875e9e1df523"}

// A decoded is what became of a capture.
type decoded struct {
	text, json string
	records    []decode.Record
	plain      [][]byte // nil: none
	summary    *decode.Summary
}

// decodeAll decodes a capture that can be read to its end.
func decodeAll(t testing.TB, data []byte, keys []config.Key) decoded {
	t.Helper()
	packets, err := readAll(data)
	if err != nil {
		t.Fatal(err)
	}
	return decodePackets(t, packets, keys)
}

func decodePackets(t testing.TB, packets []decode.Packet, keys []config.Key) (out decoded) {
	t.Helper()
	d := decode.New(keys, decode.Options{})
	defer d.Close()
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	for _, p := range packets {
		record, plain := d.Decode(p)
		out.records = append(out.records, record)
		out.plain = append(out.plain, bytes.Clone(plain))
		out.text += record.Text()
		if err := encoder.Encode(record); err != nil {
			t.Fatal(err)
		}
	}
	out.summary = d.Summary()
	out.text += "\n" + out.summary.Text()
	if err := encoder.Encode(out.summary); err != nil {
		t.Fatal(err)
	}
	out.json = lines.String()
	return out
}

// tagged puts VLAN tags behind the addresses of a frame.
func tagged(t testing.TB, frame []byte, tags string) []byte {
	return bytes.Join([][]byte{frame[:12], octets(t, tags), frame[12:]}, nil)
}

// goldenCaptures are what the golden files show.
func goldenCaptures(t testing.TB) map[string][][]byte {
	all := func(names ...string) (frames [][]byte) {
		for _, n := range names {
			frames = append(frames, vector(t, n))
		}
		return frames
	}
	mkpdus, err := filepath.Glob("../../testdata/mkpdu/discard-*.txt")
	if err != nil || len(mkpdus) == 0 {
		t.Fatal(err)
	}
	var discards [][]byte
	for _, file := range mkpdus {
		discards = append(discards, vector(t, "mkpdu/"+strings.TrimSuffix(filepath.Base(file), ".txt")))
	}
	f2 := vector(t, "mkpdu/f2-key-server-distributes")
	m1 := vector(t, "frame/m1-gcm-aes-128-offset-0")
	pad := bytes.Repeat([]byte{0}, 40)
	skipped := octets(t, "0180c2000003020000000001888e0305"+ // an MKPDU with sets that a receiver steps over
		"0068 0100e01d0200000000010001a1a2a3a4a5a6a7a8a9aaabac000000010080c20101000000"+
		"03000004 00000000 0600000a 61201b5b6d22ff620000 0000 09000003 01020300 08050004 00000000 08050008 0000000100000002"+
		"00000000000000000000000000000000")
	return map[string][][]byte{
		"brocade-cisco": all("mkpdu/brocade-cisco-1", "mkpdu/brocade-cisco-2", "mkpdu/brocade-cisco-3", "mkpdu/brocade-cisco-4",
			"mkpdu/brocade-cisco-5"),
		"raspberry-pi": all("mkpdu/raspberry-pi-1", "mkpdu/raspberry-pi-2", "mkpdu/raspberry-pi-3", "mkpdu/raspberry-pi-4",
			"mkpdu/raspberry-pi-5"),
		"vectors": all("mkpdu/f1-first-hello", "mkpdu/f2-key-server-distributes", "mkpdu/f3-peer-answers",
			"frame/m1-gcm-aes-128-offset-0", "frame/m2-gcm-aes-128-integrity-only", "frame/m4-gcm-aes-128-offset-30",
			"mkpdu/f4-xpn-256-of-three", "frame/m3-gcm-aes-xpn-256-offset-0", "mkpdu/f5-nokia-key-server"),
		"discards": discards,
		"odd": {
			tagged(t, f2, "8100006488a800c8"), tagged(t, m1, "81000064"),
			tagged(t, vector(t, "mkpdu/discard-set-length"), "81000064"), tagged(t, m1[:30], "81000064"),
			octets(t, "0180c2000003020000000001888e01010000"), octets(t, "0180c2000003020000000001888e03000004 02010004"),
			octets(t, "0180c2000003020000000001888e03060002"), octets(t, "0180c2000003020000000001888e0363000000000000"),
			octets(t, "0180c2000003020000000001888e03"), m1[:30], m1[:19], append(m1[:14:14], append([]byte{0xac}, m1[15:]...)...),
			append(octets(t, "ffffffffffff0200000000010806"), pad...), append(octets(t, "ffffffffffff0200000000010030"), pad...),
			append(octets(t, "ffffffffffff0200000000010800"), pad...), {1, 2, 3}, {},
			skipped, tagged(t, skipped, "81000064"),
		},
	}
}

// Every kind of frame, from captures of real gear and the vectors of the standards, with all keys that there are.
// Clause: 802.1X-2020 11.11, 802.1AE-2018 9.3
func TestGoldenCaptures(t *testing.T) {
	for name, frames := range goldenCaptures(t) {
		t.Run(name, func(t *testing.T) {
			got := decodeAll(t, pcapOf(t, layers.LinkTypeEthernet, frames...), keysOf(t, allKeys...))
			checkGolden(t, name+".txt", got.text)
			checkGolden(t, name+".json", got.json)
			for line := range strings.Lines(got.text) {
				if n := len([]rune(line)); n > decode.PageWidth+1 {
					t.Errorf("line of %d columns: %s", n-1, line)
				}
			}
		})
	}
}

func checkGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; go test ./internal/decode -update rewrites it):\n%s", file, diff)
	}
}

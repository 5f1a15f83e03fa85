package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// Of testdata/mkpdu and testdata/frame: a key server distributes a SAK with which it then protects an ARP request.
const (
	distributes = "mkpdu/f2-key-server-distributes"
	protected   = "frame/m1-gcm-aes-128-offset-0"

	captureCKN = "101112131415161718191a1b1c1d1e1f"
	captureCAK = "000102030405060708090a0b0c0d0e0f"
	captureSAK = "3930f63ece189c2086c5dcd161274872"
)

// goldenFrame reads the last, or the last but back, frame of a golden file.
func goldenFrame(t *testing.T, name string, back int) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../testdata", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(text), "\n\n")
	digits := ""
	for line := range strings.Lines(parts[len(parts)-1-back]) {
		if !strings.HasPrefix(line, "#") {
			digits += strings.TrimSpace(line)
		}
	}
	frame, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// captureOf is a pcap file of frames, a second apart, from noon on.
func captureOf(t *testing.T, link layers.LinkType, frames ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := pcapgo.NewWriterNanos(&b)
	err := w.WriteFileHeader(65536, link)
	for i, f := range frames {
		at := noon.Add(time.Duration(i) * time.Second)
		err = errors.Join(err, w.WritePacket(gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(f), Length: len(f)}, f))
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A decodeDir is a directory with a capture and its CAK file.
type decodeDir struct {
	dir, capture, keys, plain string
	frames                    [][]byte
}

func newDecodeDir(t *testing.T) decodeDir {
	t.Helper()
	dir := t.TempDir()
	d := decodeDir{dir, filepath.Join(dir, "wire.pcap"), filepath.Join(dir, "keys.toml"), filepath.Join(dir, "plain.pcapng"), nil}
	arp := goldenFrame(t, protected, 1)
	d.frames = [][]byte{goldenFrame(t, distributes, 0), goldenFrame(t, protected, 0), arp}
	d.write(t, d.capture, captureOf(t, layers.LinkTypeEthernet, d.frames...), 0o644)
	d.write(t, d.keys, []byte("[[key]]\nckn = \""+captureCKN+"\"\ncak = \""+captureCAK+"\"\n"), 0o600)
	return d
}

func (d decodeDir) write(t *testing.T, file string, data []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(file, data, mode); err != nil {
		t.Fatal(err)
	}
}

// decoding runs decode; hidden tells whether memory was hidden.
func decoding(stdin io.Reader, args ...string) (got outcome, hidden bool) {
	var stdout, stderr bytes.Buffer
	tool := tool{stdout: &stdout, stderr: &stderr, stdin: stdin, hideMemory: func() error { hidden = true; return nil }}
	exit := tool.run(append([]string{"decode"}, args...))
	return outcome{exit, stdout.String(), stderr.String()}, hidden
}

const decodePage = `    1   0.000000 02:00:00:00:00:01 EAPOL-MKA MN 7, key server, 1 live, SAK, ICV valid
      Basic: MKA version 1, key server priority 16, key server, MACsec desired, MACsec capability 2
        (confidentiality, offset 0), SCI 0200000000010001, MI a1a2a3a4a5a6a7a8a9aaabac, MN 7, CKN
        101112131415161718191a1b1c1d1e1f
      Live Peer List: MI b1b2b3b4b5b6b7b8b9babbbc MN 4
      MACsec SAK Use: latest key KI a1a2a3a4a5a6a7a8a9aaabac00000001 AN 0 rx LPN 1; old key none
      Distributed SAK: KN 1, AN 0, offset-0, GCM-AES-128; unwrapped
    2   1.000000 02:00:00:00:00:01 MACsec 0200000000010001 AN 0 PN 1 E C SC, authentic

3 frames in 2.000 s: 1 MKPDU, 1 MACsec, others: 1 0806 ARP
ICVs of MKPDUs: 1 valid, 0 invalid, 0 without a key
MACsec frames: 1 authentic, 0 with a bad ICV, 0 without a key
`

// Clause: none; design: decode, from a file and from standard input.
func TestDecodeSaysWhatFramesAre(t *testing.T) {
	d := newDecodeDir(t)
	got, hidden := decoding(nil, d.capture, "--keys", d.keys)
	wantOutcome(t, got, outcome{stdout: decodePage})
	if !hidden {
		t.Error("keys were read while the process could be dumped")
	}
	data, _ := os.ReadFile(d.capture)
	got, _ = decoding(bytes.NewReader(data), "-", "--keys", d.keys)
	wantOutcome(t, got, outcome{stdout: decodePage})
	got, hidden = decoding(nil, d.capture, "--lines")
	wantOutcome(t, got, outcome{stdout: `    1   0.000000 02:00:00:00:00:01 EAPOL-MKA MN 7, key server, 1 live, SAK
    2   1.000000 02:00:00:00:00:01 MACsec 0200000000010001 AN 0 PN 1 E C SC

3 frames in 2.000 s: 1 MKPDU, 1 MACsec, others: 1 0806 ARP
`})
	if hidden {
		t.Error("without keys there is nothing to hide")
	}
}

// Clause: none; design: one JSON object a frame, with names that stay.
func TestDecodeInJSONIsAnObjectAFrame(t *testing.T) {
	d := newDecodeDir(t)
	got, _ := decoding(nil, d.capture, "--keys", d.keys, "--json")
	var kinds []string
	for line := range strings.Lines(got.stdout) {
		var o struct {
			Kind  string
			Frame int
			MKA   struct {
				ICVState string `json:"icv_state"`
			}
			MACsec struct{ State, KI string }
		}
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		kinds = append(kinds, o.Kind+o.MKA.ICVState+o.MACsec.State)
	}
	if want := []string{"mkavalid", "macsecauthentic", "other", "summary"}; got.exit != exitDone || !slices.Equal(kinds, want) {
		t.Errorf("exit status %d, %v, want %v:\n%s", got.exit, kinds, want, got.stdout)
	}
}

// Every name in the JSON of all that the golden captures have stands in the help.
// Clause: none; design: documented in the manual page.
func TestDecodeHelpHasEveryName(t *testing.T) {
	files, err := filepath.Glob("../../internal/decode/testdata/golden/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden JSON: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var o map[string]any
			if err := json.Unmarshal([]byte(line), &o); err != nil {
				t.Fatal(err)
			}
			if o["kind"] == "summary" { // its objects count by names that are values elsewhere
				for name, value := range o {
					if _, counts := value.(map[string]any); counts {
						o[name] = nil
					}
				}
			}
			checkNames(t, o)
		}
	}
}

func checkNames(t *testing.T, value any) {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			words := strings.FieldsFunc(decodeLong, func(r rune) bool { return strings.ContainsRune(" ,{}[]().:\n", r) })
			if !slices.Contains(words, name) {
				t.Errorf("the help does not name %s", name)
			}
			checkNames(t, inner)
		}
	case []any:
		for _, inner := range v {
			checkNames(t, inner)
		}
	}
}

// readNg reads a pcapng file.
func readNg(t *testing.T, file string) (frames [][]byte, times []time.Time) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewNgReader(f, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	for {
		data, info, err := r.ReadPacketData()
		if err == io.EOF {
			return frames, times
		}
		if err != nil {
			t.Fatal(err)
		}
		frames, times = append(frames, data), append(times, info.Timestamp)
	}
}

// Clause: none; design: plain frames with their times, mode 0600; what was not protected as it was.
func TestDecryptWritesPlainFrames(t *testing.T) {
	d := newDecodeDir(t)
	got, _ := decoding(nil, d.capture, "--keys", d.keys, "--decrypt", d.plain)
	wantOutcome(t, got, outcome{stdout: decodePage})
	info, err := os.Stat(d.plain)
	if err != nil || info.Mode() != 0o600 {
		t.Fatalf("%v, %v, want mode 600", info, err)
	}
	frames, times := readNg(t, d.plain)
	want := [][]byte{d.frames[0], d.frames[2], d.frames[2]}
	if !slices.EqualFunc(frames, want, bytes.Equal) {
		t.Errorf("frames are %x, want %x", frames, want)
	}
	if !slices.EqualFunc(times, []time.Time{noon, noon.Add(time.Second), noon.Add(2 * time.Second)}, time.Time.Equal) {
		t.Errorf("times are %v", times)
	}
	d.write(t, d.keys, []byte("[[key]]\nckn = \"01\"\ncak = \""+captureCAK+"\"\n"), 0o600)
	got, _ = decoding(nil, d.capture, "--keys", d.keys, "--decrypt", d.plain, "--force")
	if frames, _ := readNg(t, d.plain); len(frames) != 2 || !strings.Contains(got.stdout, "left out of the decrypted frames: 1,") {
		t.Errorf("%d frames without a key, and\n%s", len(frames), got.stdout)
	}
}

// Clause: none; design: no file is replaced unasked, and the capture never.
func TestDecryptKeepsFilesThatExist(t *testing.T) {
	d := newDecodeDir(t)
	d.write(t, d.plain, []byte("mine"), 0o644)
	got, _ := decoding(nil, d.capture, "--keys", d.keys, "--decrypt", d.plain)
	if text, _ := os.ReadFile(d.plain); got.exit != exitFailed || string(text) != "mine" ||
		!strings.HasSuffix(got.stderr, "exists, and is left alone\ntry: name another file, or replace this one with --force\n") {
		t.Errorf("%+v; the file is %q", got, text)
	}
	link := filepath.Join(d.dir, "link")
	if err := os.Symlink(d.plain, link); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(d.capture)
	for file, says := range map[string]string{d.capture: "is the capture itself", link: "is no regular file", d.dir: "is no regular file"} {
		got, _ := decoding(nil, d.capture, "--keys", d.keys, "--decrypt", file, "--force")
		if got.exit != exitFailed || !strings.Contains(got.stderr, says) || got.stdout != "" {
			t.Errorf("%s: %+v", file, got)
		}
	}
	if after, _ := os.ReadFile(d.capture); !bytes.Equal(before, after) {
		t.Error("the capture is not what it was")
	}
	got, _ = decoding(nil, d.capture, "--keys", d.keys, "--decrypt", d.plain, "--force")
	if info, err := os.Stat(d.plain); got.exit != exitDone || err != nil || info.Mode() != 0o600 {
		t.Errorf("%+v, %v, %v", got, info, err)
	}
}

// Clause: none; design: a bad capture or key file leaves what is there.
func TestDecodeThatFailsMakesAndReplacesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(d decodeDir)
		says  []string
	}{
		"not Ethernet": {func(d decodeDir) { d.write(t, d.capture, captureOf(t, layers.LinkTypeLinuxSLL, d.frames...), 0o644) },
			[]string{"wire.pcap has frames of link type 113 (Linux SLL), not Ethernet\n", "try: capture on the Ethernet device itself"}},
		"no capture": {func(d decodeDir) { d.write(t, d.capture, []byte("hello, world"), 0o644) },
			[]string{"wire.pcap is neither pcap nor pcapng\n", "try: give a pcap or pcapng file"}},
		"no file":      {func(d decodeDir) { os.Remove(d.capture) }, []string{"no such file"}},
		"a directory":  {func(d decodeDir) { os.Remove(d.capture); os.Mkdir(d.capture, 0o755) }, []string{"is a directory\ntry: name a pcap"}},
		"open keys":    {func(d decodeDir) { os.Chmod(d.keys, 0o644) }, []string{"keys.toml: has mode 0644, which lets others than its owner at the keys"}},
		"no key file":  {func(d decodeDir) { os.Remove(d.keys) }, []string{"keys.toml: does not exist"}},
		"a broken key": {func(d decodeDir) { d.write(t, d.keys, []byte("[[key]]\nckn = \"01\"\ncak = \"00x\"\n"), 0o600) }, []string{"keys.toml:3: key.cak:"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDecodeDir(t)
			c.spoil(d)
			d.write(t, d.plain, []byte("mine"), 0o644)
			got, _ := decoding(nil, d.capture, "--keys", d.keys, "--decrypt", d.plain, "--force")
			text, _ := os.ReadFile(d.plain)
			if got.exit != exitFailed || got.stdout != "" || string(text) != "mine" {
				t.Errorf("%+v; the file is %q", got, text)
			}
			for _, says := range c.says {
				if !strings.Contains(got.stderr, says) {
					t.Errorf("want %q in\n%s", says, got.stderr)
				}
			}
		})
	}
}

// Clause: none; design: what was decoded of a truncated file stands.
func TestDecodeOfATruncatedFile(t *testing.T) {
	d := newDecodeDir(t)
	data, _ := os.ReadFile(d.capture)
	d.write(t, d.capture, data[:len(data)-5], 0o644)
	got, _ := decoding(nil, d.capture, "--keys", d.keys, "--decrypt", d.plain)
	head, _, _ := strings.Cut(decodePage, "\n\n")
	if got.exit != exitFailed || !strings.HasPrefix(got.stdout, head+"\n\n2 frames in 1.000 s") || !strings.HasPrefix(got.stderr, "mkactl: "+d.capture+
		" ends within packet 3\ntry: what came before it is whole") {
		t.Errorf("%+v", got)
	}
	if frames, _ := readNg(t, d.plain); len(frames) != 2 {
		t.Errorf("%d frames were written", len(frames))
	}
	got, _ = decoding(nil, d.capture, "--json")
	if lines := strings.Split(got.stdout, "\n"); len(lines) != 4 || !strings.Contains(lines[2], `"error":"ends within packet 3"`) {
		t.Errorf("%+v", got)
	}
}

// Clause: none; design: decode, usage.
func TestDecodeRefusesWhatMakesNoSense(t *testing.T) {
	d := newDecodeDir(t)
	for _, c := range []struct{ args, says string }{
		{"--decrypt out", "--decrypt needs the keys; give --keys"}, {"--force", "--force is for --decrypt"}, {"--json --lines", "exclude each other"},
		{"--eapol-ethertype 12", "four hexadecimal digits"}, {"second", "decode wants FILE"},
	} {
		got, _ := decoding(nil, append([]string{d.capture}, strings.Fields(c.args)...)...)
		if got.exit != exitUsage || got.stdout != "" || !strings.Contains(got.stderr, c.says) || !strings.Contains(got.stderr, "\ntry: mkactl decode --help\n") {
			t.Errorf("%s: %+v", c.args, got)
		}
	}
}

// Clause: none; design: an output that cannot be written is a failure, and leaves no half of one behind.
func TestDecodeToAFullDisk(t *testing.T) {
	d := newDecodeDir(t)
	var stderr bytes.Buffer
	tool := tool{stdout: fullDisk{}, stderr: &stderr, hideMemory: func() error { return nil }}
	if exit := tool.run([]string{"decode", d.capture}); exit != exitFailed || !strings.Contains(stderr.String(), "disk full") {
		t.Errorf("exit status %d, %s", exit, &stderr)
	}
	tool.hideMemory = func() error { return errors.New("not permitted") }
	if exit := tool.run([]string{"decode", d.capture, "--keys", d.keys}); exit != exitFailed || !strings.Contains(stderr.String(), "not permitted") {
		t.Errorf("exit status %d, %s", exit, &stderr)
	}
}

// Clause: none; design: keys never appear in output, errors or JSON.
func TestDecodeShowsNoKey(t *testing.T) {
	d := newDecodeDir(t)
	for _, args := range [][]string{nil, {"--json"}, {"--lines"}, {"--decrypt", d.plain}, {"--decrypt", d.plain}} { // the last one fails
		got, _ := decoding(nil, append([]string{d.capture, "--keys", d.keys}, args...)...)
		plain, _ := os.ReadFile(d.plain)
		for _, secret := range []string{captureCAK, captureSAK, "8282f1558573ad2774d6069571db1fbe", "71a6798639cf01a1f61e75e5260514a9"} {
			raw, _ := hex.DecodeString(secret)
			if all := got.stdout + got.stderr + string(plain); strings.Contains(all, secret[:16]) || strings.Contains(all, string(raw[:8])) {
				t.Errorf("%v shows the key %s…", args, secret[:4])
			}
		}
	}
}

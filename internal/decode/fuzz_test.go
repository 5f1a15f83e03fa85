package decode_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/layers"

	"mkad/internal/decode"
)

// frameLine is the one line of a frame: its number begins it, and what belongs to it stands further to the right.
var frameLine = regexp.MustCompile(`(?m)^( {4}\d| {3}\d{2}| {2}\d{3}| \d{4}|\d{5,}) +(-|-?\d+\.\d{6}) +(-|[0-9a-f:]{17}) `)

// Any file: it is read to an end or refused with something to do; each frame has one record, one line, and one object of JSON;
// what comes out as plain was not protected or is authentic; and no key of the CAK file is in any of it.
func FuzzDecode(f *testing.F) {
	keys := keysOf(f, allKeys...)
	if *update {
		writeCorpus(f)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		capture, err := decode.Open(bytes.NewReader(data))
		if err != nil {
			checkRefusal(t, err)
			return
		}
		d := decode.New(keys, decode.Options{EtherType: 0x876f})
		defer d.Close()
		frames, read := 0, 0
		var text, lines bytes.Buffer
		encoder := json.NewEncoder(&lines)
		for p, err := range capture.Packets() {
			if err != nil {
				checkRefusal(t, err)
				break
			}
			before := bytes.Clone(p.Data)
			record, plain := d.Decode(p)
			checkRecord(t, p, record, plain, before)
			text.WriteString(record.Text())
			if err := encoder.Encode(record); err != nil {
				t.Fatal(err)
			}
			frames++
			read += len(p.Data)
		}
		if n := len(frameLine.FindAllIndex(text.Bytes(), -1)); n != frames {
			t.Fatalf("%d lines of frames for %d frames:\n%s", n, frames, &text)
		}
		if n := bytes.Count(lines.Bytes(), []byte("\n")); n != frames || d.Summary().Frames != frames {
			t.Fatalf("%d lines of JSON, and %d frames in the summary, of %d", n, d.Summary().Frames, frames)
		}
		if read > 100*len(data)+1<<20 && len(data) > 0 && data[0] != 0x1f {
			t.Fatalf("%d octets of frames out of %d", read, len(data))
		}
		text.WriteString(d.Summary().Text())
		for _, sak := range sakDigits {
			if out := text.String() + lines.String(); strings.Contains(out, sak[:16]) && !bytes.Contains(data, octets(t, sak[:16])) {
				t.Fatalf("a SAK is in\n%s", out)
			}
		}
	})
}

func checkRefusal(t *testing.T, err error) {
	wrong, ok := err.(*decode.CaptureError)
	if !ok || wrong.Error() == "" || wrong.Remedy() == "" {
		t.Fatalf("refused with %v (%T)", err, err)
	}
}

func checkRecord(t *testing.T, p decode.Packet, r decode.Record, plain, before []byte) {
	t.Helper()
	if !bytes.Equal(p.Data, before) {
		t.Fatal("decoding changed the frame")
	}
	if strings.Count(r.Line(), "\n") != 0 || r.Frame != p.Number {
		t.Fatalf("line %q of frame %d", r.Line(), p.Number)
	}
	if r.Malformed != nil && (r.Malformed.Offset < 0 || r.Malformed.Offset > len(p.Data) || r.Malformed.Reason == "") {
		t.Fatalf("malformed at octet %d of %d: %q", r.Malformed.Offset, len(p.Data), r.Malformed.Reason)
	}
	authentic := r.MACsec != nil && r.MACsec.State == decode.FrameAuthentic
	switch {
	case r.Kind != decode.KindMACsec && !bytes.Equal(plain, before):
		t.Fatalf("a frame that was not protected comes out as %x", plain)
	case r.Kind == decode.KindMACsec && (plain != nil) != authentic:
		t.Fatalf("a frame comes out though it is not authentic, or the other way round: %s", r.Text())
	case authentic && len(plain) >= len(before):
		t.Fatalf("a frame of %d octets comes out with %d", len(before), len(plain))
	}
}

// writeCorpus writes the captures of the golden files as a corpus.
func writeCorpus(f *testing.F) {
	dir := filepath.Join("testdata", "fuzz", "FuzzDecode")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		f.Fatal(err)
	}
	ethernet := []layers.LinkType{layers.LinkTypeEthernet, layers.LinkTypeEthernet}
	for name, frames := range goldenCaptures(f) {
		for kind, data := range map[string][]byte{"pcap": pcapOf(f, ethernet[0], frames...), "pcapng": ngOf(f, ethernet, frames...)} {
			text := fmt.Sprintf("go test fuzz v1\n[]byte(%q)\n", data)
			if err := os.WriteFile(filepath.Join(dir, name+"-"+kind), []byte(text), 0o644); err != nil {
				f.Fatal(err)
			}
		}
	}
}

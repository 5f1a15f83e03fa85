package decode_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/hex"
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

	"mkad/internal/decode"
)

// noon is when the first frame of captures that tests make was captured.
var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// pcapOf is a pcap file of frames, 250 ms apart.
func pcapOf(t testing.TB, link layers.LinkType, frames ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := pcapgo.NewWriterNanos(&b)
	if err := w.WriteFileHeader(65536, link); err != nil {
		t.Fatal(err)
	}
	for i, f := range frames {
		info := gopacket.CaptureInfo{Timestamp: noon.Add(time.Duration(i) * 250 * time.Millisecond), CaptureLength: len(f), Length: len(f)}
		if err := w.WritePacket(info, f); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// ngOf is a pcapng file with an interface for each link type, on which the frames are captured in turn.
func ngOf(t testing.TB, links []layers.LinkType, frames ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	described := func(i int) pcapgo.NgInterface {
		return pcapgo.NgInterface{Name: "eth" + string(rune('0'+i)), LinkType: links[i]}
	}
	w, err := pcapgo.NewNgWriterInterface(&b, described(0), pcapgo.NgWriterOptions{})
	for i := 1; i < len(links) && err == nil; i++ {
		_, err = w.AddInterface(described(i))
	}
	for i, f := range frames {
		info := gopacket.CaptureInfo{Timestamp: noon.Add(time.Duration(i) * 250 * time.Millisecond), CaptureLength: len(f), Length: len(f),
			InterfaceIndex: i % len(links)}
		if err == nil {
			err = w.WritePacket(info, f)
		}
	}
	if err != nil || w.Flush() != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// vector reads the frame of a golden MKPDU, or the protected one of a golden frame, from the shared directory.
func vector(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../testdata", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(text), "\n\n")
	var digits string
	for line := range strings.Lines(parts[len(parts)-1]) {
		if !strings.HasPrefix(line, "#") {
			digits += strings.TrimSpace(line)
		}
	}
	return octets(t, digits)
}

func octets(t testing.TB, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readAll reads a capture to its end and gives its frames, copied.
func readAll(data []byte) (packets []decode.Packet, err error) {
	c, err := decode.Open(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	for {
		p, err := c.Next()
		if err == io.EOF {
			return packets, nil
		}
		if err != nil {
			return packets, err
		}
		p.Data = bytes.Clone(p.Data)
		packets = append(packets, p)
	}
}

// Clause: none; design: pcap and pcapng are read, compressed too, and frames keep their times and interfaces.
func TestCapturesOfEveryKindAreRead(t *testing.T) {
	frames := [][]byte{vector(t, "mkpdu/f1-first-hello"), vector(t, "mkpdu/f2-key-server-distributes"), {1, 2, 3}}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(pcapOf(t, layers.LinkTypeEthernet, frames...))
	z.Close()
	two := []layers.LinkType{layers.LinkTypeEthernet, layers.LinkTypeEthernet}
	for name, data := range map[string][]byte{
		"pcap": pcapOf(t, layers.LinkTypeEthernet, frames...), "gzip": zipped.Bytes(), "pcapng": ngOf(t, two[:1], frames...),
		"two sections": append(ngOf(t, two[:1], frames[:2]...), ngOf(t, two[:1], frames[2])...),
	} {
		t.Run(name, func(t *testing.T) {
			packets, err := readAll(data)
			if err != nil || len(packets) != len(frames) {
				t.Fatalf("%d packets, %v", len(packets), err)
			}
			for i, p := range packets {
				if p.Number != i+1 || !bytes.Equal(p.Data, frames[i]) || p.Length != len(frames[i]) {
					t.Errorf("packet %d is %+v", i, p)
				}
			}
			if at := packets[1].Time; !at.Equal(noon.Add(250 * time.Millisecond)) {
				t.Errorf("second packet is of %s", at)
			}
		})
	}
	packets, err := readAll(ngOf(t, two, frames...))
	if err != nil || packets[0].Interface != 0 || packets[1].Interface != 1 || packets[1].Name != "eth1" || packets[2].Name != "eth0" {
		t.Errorf("packets of two interfaces are %+v (%v)", packets, err)
	}
}

// Clause: none; design: what is no capture of Ethernet is said with what was found and what to do.
func TestWhatIsNoCaptureOfEthernetIsSaid(t *testing.T) {
	frame := vector(t, "mkpdu/f1-first-hello")
	sll := []layers.LinkType{layers.LinkTypeLinuxSLL}
	for name, c := range map[string]struct {
		data         []byte
		says, advice string
	}{
		"other link":        {pcapOf(t, layers.LinkTypeLinuxSLL, frame), "link type 113 (Linux SLL), not Ethernet", "tcpdump -i eth1"},
		"other link, ng":    {ngOf(t, sll, frame), "link type 113 (Linux SLL), not Ethernet", "tcpdump -i eth1"},
		"no capture":        {[]byte("[[key]]\nckn = 1\n"), "is neither pcap nor pcapng", "give a pcap or pcapng"},
		"empty":             {nil, "is empty", "write it to its end"},
		"three octets":      {[]byte{1, 2, 3}, "is no capture", "give a pcap"},
		"modified pcap":     {octets(t, "34cdb2a1020004000000000000000000"), "of a modified kind", "tshark"},
		"head is cut":       {pcapOf(t, layers.LinkTypeEthernet)[:20], "ends in its head", "capture again"},
		"damaged gzip":      {octets(t, "1f8b0800ff"), "compressed by gzip, and damaged", "again"},
		"an unknown packet": {append(pcapOf(t, layers.LinkTypeEthernet), bytes.Repeat([]byte{0xff}, 16)...), "is damaged within packet 1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readAll(c.data)
			var wrong *decode.CaptureError
			if !errors.As(err, &wrong) || !strings.Contains(err.Error(), c.says) || !strings.Contains(wrong.Remedy(), c.advice) {
				t.Errorf("error is %v (%+v)", err, wrong)
			}
		})
	}
}

// Clause: none; design: frames of other link types beside those of Ethernet are counted.
func TestFramesOfOtherLinkTypesAreCounted(t *testing.T) {
	frame := vector(t, "mkpdu/f1-first-hello")
	c, err := decode.Open(bytes.NewReader(ngOf(t, []layers.LinkType{layers.LinkTypeLinuxSLL, layers.LinkTypeEthernet}, frame, frame, frame)))
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Next()
	if _, end := c.Next(); err != nil || p.Number != 2 || end != io.EOF || c.Skipped() != 2 {
		t.Errorf("packet %d, %v, then %v; %d skipped", p.Number, err, end, c.Skipped())
	}
}

// Clause: none; design: a truncated file says at which packet it ends, and what came before is there. It may end at any octet.
func TestTruncatedCaptureSaysAtWhichPacketItEnds(t *testing.T) {
	frame := vector(t, "mkpdu/f1-first-hello")
	ethernet := []layers.LinkType{layers.LinkTypeEthernet}
	for name, make := range map[string]func(frames ...[]byte) []byte{
		"pcap":   func(f ...[]byte) []byte { return pcapOf(t, layers.LinkTypeEthernet, f...) },
		"pcapng": func(f ...[]byte) []byte { return ngOf(t, ethernet, f...) },
	} {
		whole, two := make(frame, frame, frame), len(make(frame, frame))
		for end := two + 1; end < len(whole); end++ {
			packets, err := readAll(whole[:end])
			if err == nil || err.Error() != "ends within packet 3" || len(packets) != 2 {
				t.Errorf("%s, cut at %d of %d: %d packets, %v", name, end, len(whole), len(packets), err)
			}
		}
		if packets, err := readAll(whole[:two]); err != nil || len(packets) != 2 {
			t.Errorf("%s of two packets: %d, %v", name, len(packets), err)
		}
	}
}

// An endless reader gives the same octets again and again.
type endless struct {
	head, again []byte
	at, given   int
}

func (e *endless) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		if len(e.head) > 0 {
			c := copy(b[n:], e.head)
			e.head, n = e.head[c:], n+c
			continue
		}
		c := copy(b[n:], e.again[e.at:])
		e.at, n = (e.at+c)%len(e.again), n+c
	}
	e.given += n
	return n, nil
}

// block is one of a pcapng file, little-endian.
func block(kind uint32, body []byte) []byte {
	body = append(body, make([]byte, -len(body)&3)...)
	b := binary.LittleEndian.AppendUint32(nil, kind)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body)+12))
	return binary.LittleEndian.AppendUint32(append(b, body...), uint32(len(body)+12))
}

// option is one of a block, and the end of its options.
func option(code uint16, value []byte) []byte {
	b := binary.LittleEndian.AppendUint16(nil, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	b = append(append(b, value...), make([]byte, -len(value)&3)...)
	return append(b, 0, 0, 0, 0)
}

// unframed are blocks that are no frames, of which the library keeps something; but for the last.
var unframed = map[string]struct {
	block []byte
	says  string
}{
	"interfaces": {block(1, []byte{1, 0, 0, 0, 0, 0, 4, 0}), "has more than 1024 interfaces at packet "},
	"texts":      {block(1, append([]byte{1, 0, 0, 0, 0, 0, 4, 0}, option(3, make([]byte, 60000))...)), "too much stands there"},
	"names":      {block(4, append([]byte{1, 0, 8, 0, 192, 0, 2, 1}, "name\x00\x00\x00\x00"...)), "too much stands there"},
	"many names": {block(4, append([]byte{1, 0, 0, 16, 192, 0, 2, 1}, make([]byte, 4096)...)), "too much stands there"},
	"statistics": {block(5, append(make([]byte, 12), option(1, make([]byte, 60000))...)), "too much stands there"},
	"unknown":    {block(0x40000bad, make([]byte, 60000)), "too much stands there"},
}

// Clause: none; design: memory is bounded on captures of any size.
func TestCaptureOfNoFramesIsNotReadForEver(t *testing.T) {
	for what, u := range unframed {
		source := &endless{head: ngOf(t, []layers.LinkType{layers.LinkTypeEthernet}), again: u.block}
		c, err := decode.Open(source)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Next(); err == nil || !strings.Contains(err.Error(), u.says) || source.given > 2<<20 {
			t.Errorf("after %d octets of %s: %v", source.given, what, err)
		}
	}
}

// What stands between frames is not forgotten with the next frame, for the library does not forget it either.
// Clause: none; design: memory is bounded on captures of any size.
func TestWhatIsKeptBesideFramesIsBounded(t *testing.T) {
	capture := ngOf(t, []layers.LinkType{layers.LinkTypeEthernet}, vector(t, "mkpdu/f1-first-hello"))
	head := ngOf(t, []layers.LinkType{layers.LinkTypeEthernet})
	frame := capture[len(head):]
	const most = 60000 // frames
	for what, u := range unframed {
		source := &endless{head: head, again: slices.Concat(u.block, frame)}
		c, err := decode.Open(source)
		frames := 0
		for err == nil && frames < most {
			if _, err = c.Next(); err == nil {
				frames++
			}
		}
		switch {
		case what == "unknown" && err != nil:
			t.Errorf("nothing is kept of unknown blocks, but after %d frames: %v", frames, err)
		case what != "unknown" && (err == nil || !strings.Contains(err.Error(), u.says)):
			t.Errorf("%d frames with %s between: %v", frames, what, err)
		}
	}
}

// A section that begins has the library forget the one before.
// Clause: none; design: captures of many files, joined, are read.
func TestEachSectionHasItsOwnBound(t *testing.T) {
	links := make([]layers.LinkType, 600)
	for i := range links {
		links[i] = layers.LinkTypeEthernet
	}
	section := ngOf(t, links, vector(t, "mkpdu/f1-first-hello"))
	if packets, err := readAll(bytes.Repeat(section, 5)); err != nil || len(packets) != 5 {
		t.Errorf("%d packets, %v", len(packets), err)
	}
}

// What the file has in 32 bits is negative where an int has no more.
// Clause: none; design: no file has the tool panic.
func TestNumbersBeyond32BitsAreDamage(t *testing.T) {
	head := ngOf(t, []layers.LinkType{layers.LinkTypeEthernet})
	of := func(index, length uint32) []byte {
		body := binary.LittleEndian.AppendUint32(nil, index)
		body = append(body, make([]byte, 8)...)
		body = binary.LittleEndian.AppendUint32(body, length)
		return block(6, append(binary.LittleEndian.AppendUint32(body, length), "AAAA"...))
	}
	for what, bad := range map[string][]byte{"interface": of(1<<32-1, 4), "length": of(0, 1<<32-4), "sign": of(0, 1<<31)} {
		packets, err := readAll(slices.Concat(head, of(0, 4), bad))
		var damaged *decode.CaptureError
		if len(packets) != 1 || !errors.As(err, &damaged) || !strings.Contains(err.Error(), "within packet 2") {
			t.Errorf("%s: %d packets, %v", what, len(packets), err)
		}
	}
}

// Clause: none; design: memory is bounded on captures of any size.
func TestCaptureOfManyInterfacesIsRefused(t *testing.T) {
	links := make([]layers.LinkType, 1025)
	for i := range links {
		links[i] = layers.LinkTypeEthernet
	}
	for n, says := range map[int]string{1024: "", 1025: "has more than 1024 interfaces at packet 1"} {
		_, err := readAll(ngOf(t, links[:n], vector(t, "mkpdu/f1-first-hello")))
		if (err == nil) != (says == "") || err != nil && err.Error() != says {
			t.Errorf("%d interfaces: %v", n, err)
		}
	}
}

// Clause: none; design: an FCS that the head of a pcap announces is no part of a frame, whichever byte order the file has.
func TestFCSIsCutOff(t *testing.T) {
	frame := vector(t, "mkpdu/f1-first-hello")
	data := pcapOf(t, layers.LinkTypeEthernet, append(bytes.Clone(frame), 1, 2, 3, 4))
	little := bytes.Clone(data)
	binary.LittleEndian.PutUint32(little[20:], 1|1<<26|2<<28)
	big := bytes.Clone(little)
	for _, field := range [][2]int{{0, 4}, {4, 2}, {6, 2}, {8, 4}, {12, 4}, {16, 4}, {20, 4}, {24, 4}, {28, 4}, {32, 4}, {36, 4}} {
		slices.Reverse(big[field[0] : field[0]+field[1]])
	}
	for name, data := range map[string][]byte{"little": little, "big": big} {
		packets, err := readAll(data)
		if err != nil || len(packets) != 1 || !bytes.Equal(packets[0].Data, frame) || packets[0].Length != len(frame) {
			t.Errorf("%s: %+v, %v", name, packets, err)
		}
	}
	cut := bytes.Clone(little[:len(little)-6]) // the capture has cut six octets, four of them of the FCS
	binary.LittleEndian.PutUint32(cut[32:], uint32(len(frame)-2))
	packets, err := readAll(cut)
	if err != nil || len(packets) != 1 || !bytes.Equal(packets[0].Data, frame[:len(frame)-2]) || packets[0].Length != len(frame) {
		t.Errorf("cut: %+v, %v", packets, err)
	}
}

package decode

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

const (
	// maxBetween bounds what may stand in a capture from one frame to the end of the next, in octets. There is no frame of that
	// length, and what is not a frame is kept in part by the library that reads it.
	maxBetween = 1 << 20
	// maxInterfaces bounds the interfaces of a section of a pcapng, and those of all sections that have frames.
	maxInterfaces = 1024
	// maxKept bounds what the library keeps of a section that is no frame, in octets of memory: texts about interfaces, and
	// names of addresses. Between frames it would grow with the file, which compresses a thousandfold.
	maxKept = 4 << 20
	// nameRecordSize and nameSize are what an address and a name of it take, their text apart, in octets; about.
	nameRecordSize = 128
	nameSize       = 16
)

// A Packet is one captured frame, from its destination address on.
type Packet struct {
	Number    int       // from 1, frames that are not Ethernet included
	Time      time.Time // zero: the capture does not say
	Data      []byte    // lent until the next packet is read
	Length    int       // of the frame on the wire; more than len(Data) if the capture has cut it
	Interface int       // from 0, in the order of the first frame; of a pcap always 0
	Name      string    // of the interface, as the capture has it; "" if it does not
}

// A CaptureError says why a capture cannot be read, or not to its end.
type CaptureError struct {
	What   string // a predicate of the file
	Advice string // what to do
	Err    error  // of the library; nil if there is none
}

// Error is what is wrong with the file.
func (e *CaptureError) Error() string { return e.What }

// Remedy is what to do.
func (e *CaptureError) Remedy() string { return e.Advice }

// Unwrap gives the error of the library.
func (e *CaptureError) Unwrap() error { return e.Err }

// A Capture is a pcap or pcapng file that is being read, plain or compressed by gzip.
type Capture struct {
	source source
	quota  *quota
	number int
	fcs    int // octets of FCS at the end of each frame, as the head of a pcap says

	ng         *pcapgo.NgReader
	section    int
	kept       kept          // of this section
	interfaces map[place]int // by their first frame
	foreign    layers.LinkType
	skipped    int // frames of other link types
}

// A place names an interface in a pcapng file: each section counts its own.
type place struct{ section, index int }

type source interface {
	ZeroCopyReadPacketData() ([]byte, gopacket.CaptureInfo, error)
}

// Open reads the head of a capture. Its errors are CaptureErrors.
func Open(r io.Reader) (*Capture, error) {
	buffered := bufio.NewReader(r)
	if magic, _ := buffered.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, &CaptureError{"is compressed by gzip, and damaged", "make the capture again", err}
		}
		buffered = bufio.NewReader(unzipped)
	}
	magic, err := buffered.Peek(4)
	switch {
	case len(magic) == 0 && (err == nil || errors.Is(err, io.EOF)):
		return nil, &CaptureError{What: "is empty", Advice: "let the capture run until it has frames, and write it to its end"}
	case err != nil:
		return nil, &CaptureError{"is no capture: " + err.Error(), adviceFormat, err}
	}
	c := &Capture{interfaces: make(map[place]int)}
	c.quota = &quota{r: buffered, between: maxBetween, also: c.bounded}
	return c, c.open(binary.LittleEndian.Uint32(magic), buffered)
}

// The first four octets of captures, read as a little-endian number.
const (
	magicPcapng      = 0x0a0d0d0a
	magicMicro       = 0xa1b2c3d4
	magicMicroOther  = 0xd4c3b2a1
	magicNano        = 0xa1b23c4d
	magicNanoOther   = 0x4d3cb2a1
	magicModified    = 0xa1b2cd34
	linkTypeEthernet = layers.LinkTypeEthernet
)

const (
	adviceFormat   = "give a pcap or pcapng file, as tcpdump -i eth1 -w FILE writes it"
	adviceEthernet = "capture on the Ethernet device itself, not on \"any\": tcpdump -i eth1 -w FILE"
)

func (c *Capture) open(magic uint32, buffered *bufio.Reader) error {
	switch magic {
	case magicPcapng:
		return c.openNg()
	case magicMicro, magicNano:
		c.fcs = fcsLen(buffered, binary.LittleEndian)
		return c.openPcap()
	case magicMicroOther, magicNanoOther:
		c.fcs = fcsLen(buffered, binary.BigEndian)
		return c.openPcap()
	case magicModified:
		return &CaptureError{What: "is a pcap of a modified kind", Advice: "convert it: tshark -F pcapng -r FILE -w NEW"}
	}
	return &CaptureError{What: "is neither pcap nor pcapng", Advice: adviceFormat}
}

// fcsLen is how long an FCS is behind each frame of a pcap, 0 if its head does not say that there is one.
func fcsLen(head *bufio.Reader, order binary.ByteOrder) int {
	const (
		linkOffset = 20
		present    = 1 << 26
		inWords    = 28 // from this bit on, in units of 16 bits
	)
	b, err := head.Peek(linkOffset + 4)
	if err != nil {
		return 0
	}
	link := order.Uint32(b[linkOffset:])
	if link&present == 0 {
		return 0
	}
	return int(link>>inWords) * 2
}

// withoutFCS cuts the FCS off a frame that the capture has not cut anyway.
func (c *Capture) withoutFCS(data []byte, length int) ([]byte, int) {
	fcs := min(c.fcs, len(data))
	if len(data) < length {
		return data[:min(len(data), length-fcs)], length - fcs
	}
	return data[:len(data)-fcs], length - fcs
}

func (c *Capture) openPcap() error {
	var r *pcapgo.Reader
	err := guarded(func() (err error) { r, err = pcapgo.NewReader(c.quota); return err })
	if err != nil {
		return c.damaged(err)
	}
	if r.LinkType() != linkTypeEthernet {
		return notEthernet(r.LinkType())
	}
	c.source = r
	return nil
}

func (c *Capture) openNg() error {
	options := pcapgo.NgReaderOptions{
		WantMixedLinkType:  true,
		SkipUnknownVersion: true,
		SectionEndCallback: func([]pcapgo.NgInterface, pcapgo.NgSectionInfo) { c.section, c.kept = c.section+1, kept{} },
		StatisticsCallback: func(_ int, s pcapgo.NgInterfaceStatistics) { c.kept.octets += len(s.Comment) },
	}
	var r *pcapgo.NgReader
	err := guarded(func() (err error) { r, err = pcapgo.NewNgReader(c.quota, options); return err })
	if err != nil {
		return c.damaged(err)
	}
	c.source, c.ng = r, r
	return nil
}

func notEthernet(t layers.LinkType) error {
	return &CaptureError{What: fmt.Sprintf("has frames of link type %d (%s), not Ethernet", t, t), Advice: adviceEthernet}
}

// Next reads a frame. At the end of the file its error is io.EOF; any other is a CaptureError, and there is no frame behind it.
func (c *Capture) Next() (Packet, error) {
	for {
		data, info, err := c.read()
		if err == io.EOF && info.CaptureLength == 0 {
			return Packet{}, c.end()
		}
		c.number++
		if err != nil {
			return Packet{}, c.damaged(err)
		}
		c.quota.between = maxBetween
		link, index, name, err := c.interfaceOf(info)
		switch {
		case err != nil:
			return Packet{}, err
		case link != linkTypeEthernet:
			c.foreign = link
			c.skipped++
			continue
		}
		data, length := c.withoutFCS(data, max(info.Length, len(data)))
		return Packet{Number: c.number, Time: plausible(info.Timestamp), Data: data, Length: length, Interface: index, Name: name}, nil
	}
}

// plausible is a time, or none where it cannot be said in nanoseconds since 1970: a pcapng file may have years beyond 9999, which
// JSON does not know.
func plausible(t time.Time) time.Time {
	if !time.Unix(0, t.UnixNano()).Equal(t) {
		return time.Time{}
	}
	return t
}

// end is the end of a capture: that there was no frame of Ethernet is not what somebody who asked wants to pass unseen.
func (c *Capture) end() error {
	if c.skipped > 0 && c.skipped == c.number {
		return notEthernet(c.foreign)
	}
	return io.EOF
}

// Packets are the frames to the end; the last one comes with an error if the capture cannot be read to its end.
func (c *Capture) Packets() iter.Seq2[Packet, error] {
	return func(yield func(Packet, error) bool) {
		for {
			p, err := c.Next()
			if err == io.EOF || !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// Skipped is how many frames were of another link type than Ethernet.
func (c *Capture) Skipped() int { return c.skipped }

// interfaceOf finds where a frame was captured.
func (c *Capture) interfaceOf(info gopacket.CaptureInfo) (link layers.LinkType, index int, name string, err error) {
	if c.ng == nil {
		return linkTypeEthernet, 0, "", nil
	}
	described, err := c.ng.Interface(info.InterfaceIndex)
	if err != nil {
		return 0, 0, "", c.damaged(err)
	}
	at := place{c.section, info.InterfaceIndex}
	index, known := c.interfaces[at]
	if !known {
		if len(c.interfaces) == maxInterfaces {
			return 0, 0, "", c.damaged(errInterfaces)
		}
		index = len(c.interfaces)
		c.interfaces[at] = index
	}
	return described.LinkType, index, described.Name, nil
}

// damaged says at which packet a capture ends.
func (c *Capture) damaged(err error) error {
	where := "in its head"
	if c.number > 0 {
		where = fmt.Sprintf("within packet %d", c.number)
	}
	const decoded = "what came before it is whole; capture again, or end tcpdump before its file is copied"
	if c.quota.refused != nil {
		err = c.quota.refused // the library has made another of it
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &CaptureError{"ends " + where, decoded, err}
	case errors.Is(err, errTooMuch):
		return &CaptureError{fmt.Sprintf("cannot be read %s: %v", where, err), "give a capture of frames alone", err}
	case errors.Is(err, errInterfaces):
		return &CaptureError{fmt.Sprintf("has more than %d interfaces at packet %d", maxInterfaces, c.number),
			"split it by editcap or mergecap", err}
	}
	return &CaptureError{fmt.Sprintf("is damaged %s: %v", where, err), decoded, err}
}

// read has the library read a frame, and looks what it has kept.
func (c *Capture) read() (data []byte, info gopacket.CaptureInfo, err error) {
	err = guarded(func() (err error) { data, info, err = c.source.ZeroCopyReadPacketData(); return err })
	if err == nil {
		err = c.bounded()
	}
	return data, info, err
}

var errSenseless = errors.New("a number in it makes no sense")

// guarded is what read returns, and errSenseless where it panics: the library makes an int of what the file has in 32 bits, and
// where an int has no more, indexes by a negative number.
func guarded(read func() error) (err error) {
	defer func() {
		if wrong := recover(); wrong != nil {
			if _, ok := wrong.(runtime.Error); !ok {
				panic(wrong)
			}
			err = errSenseless
		}
	}()
	return read()
}

// kept is what the library has of a section.
type kept struct{ interfaces, names, octets int }

// bounded is an error once the library keeps too much. Each interface and name is looked at once.
func (c *Capture) bounded() error {
	if c.ng == nil {
		return nil
	}
	if c.ng.NInterfaces() > maxInterfaces {
		return errInterfaces
	}
	k := &c.kept
	for ; k.interfaces < c.ng.NInterfaces(); k.interfaces++ {
		i, _ := c.ng.Interface(k.interfaces)
		k.octets += len(i.Name) + len(i.Comment) + len(i.Description) + len(i.Filter) + len(i.OS)
	}
	for ; k.names < c.ng.NNames(); k.names++ {
		record, _ := c.ng.Name(k.names)
		k.octets += nameRecordSize
		for _, name := range record.Names {
			k.octets += nameSize + len(name)
		}
	}
	if k.octets > maxKept {
		return errTooMuch
	}
	return nil
}

var (
	errTooMuch    = errors.New("too much stands there that is no frame")
	errInterfaces = errors.New("too many interfaces")
)

// A quota is a reader that gives only so much between two frames, and nothing once what was read has become too much.
type quota struct {
	r       io.Reader
	between int64
	also    func() error // whether it has
	refused error        // what it was refused for
}

// Read reads.
func (q *quota) Read(b []byte) (int, error) {
	if err := q.also(); err != nil {
		q.refused = err
	} else if q.between <= 0 {
		q.refused = errTooMuch
	}
	if q.refused != nil {
		return 0, q.refused
	}
	n, err := q.r.Read(b)
	q.between -= int64(n)
	return n, err
}

package decode

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// A PlainFile is a pcapng file of decrypted frames, which nobody but its owner can read.
type PlainFile struct {
	file       *os.File
	ng         *pcapgo.NgWriter
	interfaces map[int]int // of the capture, as numbered in this file
}

// Create makes a new pcapng file with mode 0600. One that exists is refused, or with force removed first, unless it is the capture
// itself (input, nil if unknown) or no regular file.
func Create(path string, force bool, input fs.FileInfo) (*PlainFile, error) {
	if force {
		if err := removeOld(path, input); err != nil {
			return nil, err
		}
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, &CaptureError{What: path + " exists, and is left alone", Advice: "name another file, or replace this one with --force", Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("write decrypted frames: %w", err)
	}
	return &PlainFile{file: file, interfaces: make(map[int]int)}, nil
}

func removeOld(path string, input fs.FileInfo) error {
	old, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("write decrypted frames: %w", err)
	case !old.Mode().IsRegular():
		return &CaptureError{What: path + " is no regular file", Advice: "name another file"}
	case input != nil && os.SameFile(old, input):
		return &CaptureError{What: path + " is the capture itself", Advice: "name another file"}
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("write decrypted frames: %w", err)
	}
	return nil
}

// Write appends a frame with the time and the interface that it was captured with.
func (f *PlainFile) Write(p Packet, plain []byte) error {
	index, err := f.interfaceOf(p)
	if err != nil {
		return f.failed(err)
	}
	at := p.Time
	if at.IsZero() {
		at = time.Unix(0, 0)
	}
	length := len(plain)
	if len(plain) == len(p.Data) {
		length = p.Length // as it was, cut where the capture had cut it
	}
	info := gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(plain), Length: length, InterfaceIndex: index}
	return f.failed(f.ng.WritePacket(info, plain))
}

// interfaceOf is the number of a packet's interface, described in the file when it comes first.
func (f *PlainFile) interfaceOf(p Packet) (int, error) {
	if index, known := f.interfaces[p.Interface]; known {
		return index, nil
	}
	described := pcapgo.NgInterface{Name: cmp.Or(p.Name, "capture"+strconv.Itoa(p.Interface)), LinkType: layers.LinkTypeEthernet,
		TimestampResolution: 9}
	index := 0
	var err error
	if f.ng == nil {
		err = f.begin(described)
	} else {
		index, err = f.ng.AddInterface(described)
	}
	f.interfaces[p.Interface] = index
	return index, err
}

func (f *PlainFile) begin(first pcapgo.NgInterface) (err error) {
	f.ng, err = pcapgo.NewNgWriterInterface(f.file, first, pcapgo.NgWriterOptions{
		SectionInfo: pcapgo.NgSectionInfo{Application: "mkactl decode"}})
	return err
}

// Close brings the file to its end.
func (f *PlainFile) Close() error {
	if f.ng == nil {
		if err := f.begin(pcapgo.NgInterface{LinkType: layers.LinkTypeEthernet, TimestampResolution: 9}); err != nil {
			return f.failed(cmp.Or(err, f.file.Close()))
		}
	}
	return f.failed(cmp.Or(f.ng.Flush(), f.file.Close()))
}

// Abandon takes the file away.
func (f *PlainFile) Abandon() {
	_ = f.file.Close()
	_ = os.Remove(f.file.Name())
}

func (f *PlainFile) failed(err error) error {
	if err != nil {
		return fmt.Errorf("write decrypted frames: %w", err)
	}
	return nil
}

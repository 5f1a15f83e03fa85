package netlab

import (
	"fmt"
	"os"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// WritePcapng writes captures to a pcapng file in the order of time; each becomes one interface of the file, by its
// place in names. An existing file is replaced.
func WritePcapng(path string, names []string, captures ...Capture) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write capture: %w", err)
	}
	err = writePcapng(file, names, captures)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("write capture %s: %w", path, err)
	}
	return nil
}

func writePcapng(file *os.File, names []string, captures []Capture) error {
	options := pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Application: "mkad netlab"}}
	w, err := pcapgo.NewNgWriterInterface(file, ngInterface(names[0]), options)
	if err != nil {
		return err
	}
	for _, name := range names[1:] {
		if _, err := w.AddInterface(ngInterface(name)); err != nil {
			return err
		}
	}
	for f := range inTime(captures) {
		info := gopacket.CaptureInfo{Timestamp: f.At, CaptureLength: len(f.Data), Length: len(f.Data),
			InterfaceIndex: f.capture}
		if err := w.WritePacket(info, f.Data); err != nil {
			return err
		}
	}
	return w.Flush()
}

func ngInterface(name string) pcapgo.NgInterface {
	return pcapgo.NgInterface{Name: name, LinkType: layers.LinkTypeEthernet, TimestampResolution: 9}
}

type placedFrame struct {
	Frame
	capture int // which of the captures it is from
}

// inTime merges captures, each of which is in order of time.
func inTime(captures []Capture) func(yield func(placedFrame) bool) {
	return func(yield func(placedFrame) bool) {
		next := make([]int, len(captures))
		for {
			first := -1
			for i, c := range captures {
				if next[i] < len(c.Frames) && (first < 0 || c.Frames[next[i]].At.Before(captures[first].Frames[next[first]].At)) {
					first = i
				}
			}
			if first < 0 || !yield(placedFrame{captures[first].Frames[next[first]], first}) {
				return
			}
			next[first]++
		}
	}
}

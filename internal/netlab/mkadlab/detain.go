package mkadlab

import (
	"sync"
	"time"

	"mkad/internal/netlab"
)

// A Detainer holds back protected frames of one size on their way from west to east: of every ten one for a short time, and
// one beyond the bound of delay protection (802.1X-2020 9.10). Its Fate is for Options. It may be used by several
// goroutines.
type Detainer struct {
	Size        int           // of the frames before they are protected, in octets without FCS
	Brief, Late time.Duration // for how long the two are held

	mu     sync.Mutex // guards what follows
	over   bool
	seen   int
	brief  int
	late   []time.Time // when a frame was held for Late
	hellos []time.Time // when an MKPDU of the west passed
}

// Fate decides about a frame.
func (d *Detainer) Fate(frame []byte, back bool) netlab.Fate {
	const macsec = 8 + 8 + 16 // SecTAG with SCI, ICV
	d.mu.Lock()
	defer d.mu.Unlock()
	pass := netlab.Fate{Copies: 1}
	switch t := netlab.EtherTypeOf(frame); {
	case back || d.over:
		return pass
	case t == netlab.EtherTypeEAPOL:
		d.hellos = append(d.hellos, time.Now())
		return pass
	case t != netlab.EtherTypeMACsec || len(frame) != d.Size+macsec:
		return pass
	}
	switch d.seen++; d.seen % 10 {
	case 3:
		d.brief++
		return netlab.Fate{Copies: 1, Late: d.Brief}
	case 7:
		d.late = append(d.late, time.Now())
		return netlab.Fate{Copies: 1, Late: d.Late}
	}
	return pass
}

// Release holds no frame back from now on.
func (d *Detainer) Release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
}

// Held tells how many frames were held for Brief and for Late, and how many of these had to be refused: those that three
// hellos of their sender have overtaken by a quarter of a second. The second of them tells the packet number that was next
// at the first; on a busy machine hellos come late.
func (d *Detainer) Held() (brief, late, refused int) {
	const room, hellos = 250 * time.Millisecond, 3
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, at := range d.late {
		overtaken := 0
		for _, hello := range d.hellos {
			if hello.After(at) && hello.Before(at.Add(d.Late-room)) {
				overtaken++
			}
		}
		if overtaken >= hellos {
			refused++
		}
	}
	return d.brief, len(d.late), refused
}

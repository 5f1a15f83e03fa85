package main

import (
	"bytes"
	"os"
	"testing"
	"time"

	"mkad/eapol"
	"mkad/internal/netlab"
	"mkad/keyderive"
)

// heard is a siege whose attacker has heard an MKPDU and a MACsec frame.
func heard(t *testing.T) *siege {
	t.Helper()
	ckn, err := keyderive.NewCKN([]byte("some name"))
	if err != nil {
		t.Fatal(err)
	}
	m := eapol.MKPDU{DA: eapol.MAC{0x01, 0x80, 0xc2, 0, 0, 3}, SA: eapol.MAC{2, 0, 0, 0, 0, 1}, Basic: eapol.Basic{MKAVersion: 3, CKN: ckn}}
	macsec := append(append([]byte{1, 2, 3, 4, 5, 6, 2, 0, 0, 0, 0, 1}, 0x88, 0xe5, 0x2c, 0, 0, 0, 0, 9), make([]byte, 60)...)
	return &siege{mkpdu: append(m.AppendTo(nil), make([]byte, 16)...), macsec: macsec}
}

// Each flood is what its name says; what the attacker has heard stays as it was.
func TestFloodsAreWhatTheirNamesSay(t *testing.T) {
	s := heard(t)
	mkpdu, macsec := bytes.Clone(s.mkpdu), bytes.Clone(s.macsec)
	for _, k := range kinds {
		if k.make == nil {
			continue
		}
		f := k.make(s)
		own := !bytes.Equal(f[atSource:atType], mkpdu[atSource:atType])
		var m eapol.MKPDU
		eapol.ParseEnvelope(f, eapol.Acceptance{AnyGroup: true}, &m)
		sameName, sameICV := m.Basic.CKN.String() == "736f6d65206e616d65", bytes.Equal(f[len(f)-16:], mkpdu[len(mkpdu)-16:])
		for name, want := range map[string]bool{
			"unread":                  netlab.EtherTypeOf(f) == unread && own,
			"unknown CKN":             !sameName && own,
			"bad ICV":                 sameName && own && !sameICV,
			"bad ICV, peer's address": sameName && !own && !sameICV,
			"replayed":                bytes.Equal(f, mkpdu),
			"MACsec, bad ICV":         netlab.EtherTypeOf(f) == netlab.EtherTypeMACsec && f[atPN+1] == 0x10 && f[len(f)-1] != macsec[len(macsec)-1],
		} {
			if name == k.name && !want {
				t.Errorf("%s is %x", k.name, f)
			}
		}
	}
	if !bytes.Equal(s.mkpdu, mkpdu) || !bytes.Equal(s.macsec, macsec) {
		t.Error("what was heard has changed")
	}
}

func TestMedianOfEvenAndOdd(t *testing.T) {
	of := func(r result) float64 { return r.cpu }
	if m := median([]result{{cpu: 3}, {cpu: 1}, {cpu: 8}}, of); m != 3 {
		t.Errorf("of three: %g", m)
	}
	if m := median([]result{{cpu: 3}, {cpu: 1}, {cpu: 8}, {cpu: 4}}, of); m != 3.5 {
		t.Errorf("of four: %g", m)
	}
}

// What is read of a process is its own: a busy one spends time, and a slice more is resident.
func TestProcessIsMeasured(t *testing.T) {
	pid := os.Getpid()
	before, err := processorTime(pid)
	if err != nil {
		t.Fatal(err)
	}
	held, err := memory(pid)
	if err != nil {
		t.Fatal(err)
	}
	more := bytes.Repeat([]byte{1}, 64<<20)
	for end := time.Now().Add(10 * time.Second); ; {
		spent, err := processorTime(pid)
		if err != nil {
			t.Fatal(err)
		}
		if spent > before {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no time was spent")
		}
	}
	if now, err := memory(pid); err != nil || now < held+float64(len(more)>>20)-8 {
		t.Errorf("%g MiB, then %g with %d more (%v)", held, now, len(more)>>20, err)
	}
	if _, err := processorTime(0); err == nil {
		t.Error("there is a process 0")
	}
}

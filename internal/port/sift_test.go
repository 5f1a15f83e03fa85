package port

import (
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/net/bpf"

	"mkad/eapol"
	"mkad/keyderive"
)

// sifted runs a program on a frame. The virtual machine of package bpf has no packet types, so what looks at that, the first
// three steps, is left out.
func sifted(t *testing.T, f Sift, others bool, frame []byte) bool {
	t.Helper()
	program, ok := bpf.Disassemble(f.program(others))
	if !ok {
		t.Fatal("the program does not disassemble")
	}
	vm, err := bpf.NewVM(program[3:])
	if err != nil {
		t.Fatal(err)
	}
	n, err := vm.Run(frame)
	if err != nil {
		t.Fatal(err)
	}
	return n > 0
}

// mkpdu is an MKPDU of a sender with a CKN.
func mkpdu(t *testing.T, sender eapol.MAC, name []byte) []byte {
	t.Helper()
	ckn, err := keyderive.NewCKN(name)
	if err != nil {
		t.Fatal(err)
	}
	m := eapol.MKPDU{SA: sender, Basic: eapol.Basic{MKAVersion: 3, CKN: ckn}}
	return append(m.AppendTo(nil), make([]byte, 16)...)
}

// Clause: none; the division that the kernel makes is the one that is described, for names of every length, and what is neither
// is nowhere lost: each frame is on one side.
func TestSiftKnowsSendersAndNames(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	octets := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	for length := 1; length <= 32; length++ {
		for _, senders := range []int{0, 1, 3, MaxSenders} {
			f := Sift{Names: [][]byte{octets(3), octets(length), octets(32)}}
			for range senders {
				f.Senders = append(f.Senders, [6]byte(octets(6)))
			}
			for _, sender := range append(slices.Clone(f.Senders), [6]byte(octets(6))) {
				for _, name := range append(slices.Clone(f.Names), octets(length), append(slices.Clone(f.Names[1]), 7)[:min(length+1, 32)]) {
					frame := mkpdu(t, sender, name)
					want := slices.Contains(f.Senders, sender) && slices.ContainsFunc(f.Names, func(n []byte) bool { return slices.Equal(n, name) })
					if got := sifted(t, f, false, frame); got != want {
						t.Fatalf("known: %t, want %t, of sender %x among %d and CKN %x", got, want, sender, senders, name)
					}
					if sifted(t, f, true, frame) == want {
						t.Fatal("a frame is on both sides, or on none")
					}
				}
			}
		}
	}
}

// Clause: none; what is too short to be looked at, or lies about its length, is among the others, where it is counted.
func TestSiftLosesNoMalformedFrame(t *testing.T) {
	sender, name := eapol.MAC{2, 0, 0, 0, 0, 1}, []byte("a CKN of twenty-four oct")
	f := Sift{Senders: [][6]byte{sender}, Names: [][]byte{name}}
	whole := mkpdu(t, sender, name)
	for n := 14; n <= len(whole); n++ {
		if known, other := sifted(t, f, false, whole[:n]), sifted(t, f, true, whole[:n]); known == other {
			t.Errorf("cut to %d octets it is known: %t, other: %t", n, known, other)
		}
	}
}

// Clause: none; with more CKNs than are compared any will do; with more senders the rest is among the others.
func TestSiftIsBounded(t *testing.T) {
	var f Sift
	for i := range 2 * MaxSenders {
		f.Senders = append(f.Senders, [6]byte{2, 0, 0, 0, 1, byte(i)})
	}
	for i := range 256 {
		f.Names = append(f.Names, append([]byte{byte(i)}, make([]byte, 31)...))
	}
	if n := len(f.program(false)); n > 4096 {
		t.Errorf("%d instructions", n)
	}
	if !sifted(t, f, false, mkpdu(t, f.Senders[0], []byte("x"))) || sifted(t, f, false, mkpdu(t, f.Senders[MaxSenders], []byte("x"))) {
		t.Error("the bounds are elsewhere")
	}
	f.Names = f.Names[:MaxNames]
	if n := len(f.program(false)); n > 1024 {
		t.Errorf("%d instructions at the bounds", n)
	}
}

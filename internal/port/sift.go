package port

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// A Sift divides received MKPDUs in two, in the kernel: those that seem to come from a known member of a known CA, and all
// others, so that a flood of the ones takes no room from the others. It proves nothing: whoever has read the wire can send
// what passes.
type Sift struct {
	Senders [][6]byte // source addresses; from MaxSenders on the rest is not known
	Names   [][]byte  // CKNs; more than MaxNames are not looked at: any will do
}

// Bounds of a Sift: with both the program is a fifth of what the kernel takes, and a fraction of a microsecond.
const (
	MaxSenders = 64
	MaxNames   = 16
)

// Equal reports whether both divide alike.
func (f Sift) Equal(g Sift) bool {
	return slices.Equal(f.Senders, g.Senders) && slices.EqualFunc(f.Names, g.Names, bytes.Equal)
}

// Keep has the Socket receive only what the Sift knows, or with others only what it does not. What was received before
// stays.
func (s *Socket) Keep(sift Sift, others bool) error {
	if err := s.conn.SetBPF(sift.program(others)); err != nil {
		return fmt.Errorf("change the filter of a packet socket: %w", err)
	}
	return nil
}

// Places in an MKPDU, from the destination address on (802.1X-2020 Figures 11-1, 11-8).
const (
	atSource    = 6
	atBasicLen  = 20 // of the Basic Parameter Set: the low 12 bits
	basicFixed  = 28 // octets of its body before the CKN
	atName      = 50
	basicLenMax = 0x0fff
)

// accept and reject end a program.
var accept, reject = bpf.RetConstant{Val: math.MaxUint32}, bpf.RetConstant{Val: 0}

func (f Sift) program(others bool) []bpf.RawInstruction {
	known, unknown := accept, reject
	if others {
		known, unknown = reject, accept
	}
	senders, names := f.Senders[:min(len(f.Senders), MaxSenders)], f.Names
	if len(names) > MaxNames {
		names = nil
	}
	program := []bpf.Instruction{ // as ours
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpLessOrEqual, Val: unix.PACKET_MULTICAST, SkipTrue: 1},
		reject,
		bpf.LoadExtension{Num: bpf.ExtLen},
		bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: atName, SkipTrue: 1},
		unknown,
	}
	program = append(program, fromAny(senders)...)
	program = append(program, unknown)
	if len(names) == 0 {
		return mustAssemble(append(program, known)...)
	}
	for _, name := range names {
		program = append(program, withName(name, known)...)
	}
	return mustAssemble(append(program, unknown)...)
}

// fromAny skips one instruction behind it if a frame comes from one of the senders.
func fromAny(senders [][6]byte) (program []bpf.Instruction) {
	const each = 5
	for i, mac := range senders {
		program = append(program,
			bpf.LoadAbsolute{Off: atSource, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(mac[:]), SkipTrue: each - 2},
			bpf.LoadAbsolute{Off: atSource + 4, Size: 2},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(binary.BigEndian.Uint16(mac[4:])), SkipTrue: each - 4},
			bpf.Jump{Skip: uint32(each*(len(senders)-1-i) + 1)})
	}
	return program
}

// withName ends with verdict if a frame has the CKN, and goes on behind it if not.
func withName(name []byte, verdict bpf.Instruction) []bpf.Instruction {
	var compare []bpf.Instruction
	for at := 0; at < len(name); {
		size := 4
		for size > len(name)-at {
			size /= 2
		}
		value := uint32(0)
		for _, octet := range name[at : at+size] {
			value = value<<8 | uint32(octet)
		}
		compare = append(compare, bpf.LoadAbsolute{Off: uint32(atName + at), Size: size},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: value})
		at += size
	}
	program := append([]bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtLen},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: uint32(atName + len(name))},
		bpf.LoadAbsolute{Off: atBasicLen, Size: 2},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: basicLenMax},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(basicFixed + len(name))},
	}, compare...)
	program = append(program, verdict)
	for i, step := range program {
		if jump, ok := step.(bpf.JumpIf); ok {
			jump.SkipTrue = uint8(len(program) - 1 - i) // to behind the verdict
			program[i] = jump
		}
	}
	return program
}

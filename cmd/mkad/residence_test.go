package main

import (
	"slices"
	"testing"
)

const maps = `00400000-00907000 r-xp 00000000 fe:00 131 /usr/local/sbin/mkad
00907000-00e82000 r--p 00507000 fe:00 131 /usr/local/sbin/mkad
00e82000-00ee7000 rw-p 00a82000 fe:00 131 /usr/local/sbin/mkad
00ee7000-02f2c000 rw-p 00000000 00:00 0
7ffd5c9f7000-7ffd5c9f9000 r-xp 00000000 00:00 0 [vdso]
7f0000000000-7f0000001000 r--p 00000000 fe:00 77 /usr/lib/other
`

// Clause: none; what is given back can be read again from the program's file: nothing that is written, nor of another file.
func TestOnlyTheProgramItselfIsGivenBack(t *testing.T) {
	got := program(maps, "/usr/local/sbin/mkad")
	want := []mapping{{0x400000, 0x507000}, {0x907000, 0x57b000}}
	if !slices.Equal(got, want) {
		t.Errorf("gives back %x, want %x", got, want)
	}
}

// Clause: none; a process that has given its program back goes on.
func TestProgramIsReadAgainWhenItIsNeeded(t *testing.T) {
	if err := letGo(); err != nil {
		t.Fatal(err)
	}
	if version() == "" {
		t.Error("there is no version")
	}
}

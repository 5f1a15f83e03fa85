package main

import (
	"cmp"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"mkad/internal/control"
)

// A terminal is where a person looks at standard output, and may type.
type terminal struct {
	out, in *os.File // in is nil where nobody types
	colour  bool
}

// terminalOf is the terminal that a program writes to; nil: it writes to none, or to one that cannot be drawn on. Colour
// is for who has not asked for none (NO_COLOR).
func terminalOf(stdout io.Writer, stdin *os.File, getenv func(string) string) *terminal {
	out, ok := stdout.(*os.File)
	if !ok || !isTerminal(out) || getenv("TERM") == "dumb" {
		return nil
	}
	t := &terminal{out: out, colour: getenv("NO_COLOR") == ""}
	if isTerminal(stdin) {
		t.in = stdin
	}
	return t
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// size is how many columns and rows there are; the usual if the terminal does not say.
func (t *terminal) size() (columns, rows int) {
	s, err := unix.IoctlGetWinsize(int(t.out.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return pageWidth, 24
	}
	return cmp.Or(int(s.Col), pageWidth), cmp.Or(int(s.Row), 24)
}

// What a terminal is told (ECMA-48, and the alternate screen of xterm).
const (
	enterScreen = "\x1b[?1049h\x1b[?25l" // another screen, and no cursor on it
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	home        = "\x1b[H"
	endOfLine   = "\x1b[K\r\n" // nothing is left there of what was drawn before
	endOfScreen = "\x1b[K\x1b[J"
)

// enter takes the screen, and has keys told as they are pressed. leave gives all back; until then nobody else may.
func (t *terminal) enter() (keys <-chan byte, leave func(), err error) {
	pressed := make(chan byte)
	restore := func() {}
	if t.in != nil {
		was, err := unix.IoctlGetTermios(int(t.in.Fd()), unix.TCGETS)
		if err != nil {
			return nil, nil, err
		}
		now := *was
		now.Lflag &^= unix.ICANON | unix.ECHO // Ctrl-C stays a signal
		if err := unix.IoctlSetTermios(int(t.in.Fd()), unix.TCSETS, &now); err != nil {
			return nil, nil, err
		}
		restore = func() { _ = unix.IoctlSetTermios(int(t.in.Fd()), unix.TCSETS, was) }
		go readKeys(t.in, pressed) // it ends with the process
	}
	_, err = io.WriteString(t.out, enterScreen)
	return pressed, func() {
		_, _ = io.WriteString(t.out, leaveScreen)
		restore()
	}, err
}

func readKeys(in io.Reader, pressed chan<- byte) {
	var key [1]byte
	for {
		if n, err := in.Read(key[:]); err != nil || n == 0 {
			return
		}
		pressed <- key[0]
	}
}

// colours are those of the states: what is as it should be, what may become so, and what is not.
var colours = map[control.State]string{
	control.Secured:   "\x1b[32m",
	control.Pending:   "\x1b[33m",
	control.Unsecured: "\x1b[33m",
	control.Blocked:   "\x1b[31m",
	control.Failed:    "\x1b[31m",
	control.Down:      "\x1b[2m",
}

const plain = "\x1b[0m"

// paintTable colours the states of a portTable, as far as its lines reach.
func paintTable(lines []string, ports []control.Port) {
	if len(lines) == 0 {
		return
	}
	column := strings.Index(lines[0], "STATE")
	for i, p := range ports {
		if column < 0 || i+1 >= len(lines) {
			return
		}
		at := offset(lines[i+1], column)
		if rest := lines[i+1][at:]; strings.HasPrefix(rest, string(p.State)) {
			lines[i+1] = lines[i+1][:at] + paint(p.State) + rest[len(p.State):]
		}
	}
}

// paint is a state in its colour.
func paint(s control.State) string { return colours[s] + string(s) + plain }

// offset is where in a line a column begins; its end, if it is shorter.
func offset(line string, column int) int {
	for at := range line {
		if column == 0 {
			return at
		}
		column--
	}
	return len(line)
}

// cut leaves of a line what so many columns have room for.
func cut(line string, columns int) string {
	if utf8.RuneCountInString(line) <= columns {
		return line
	}
	return line[:offset(line, columns)]
}

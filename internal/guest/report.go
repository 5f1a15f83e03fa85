package guest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The files that a guest leaves in a Job's output directory.
const (
	consoleFile = "console.log" // what the kernel and init print
	dmesgFile   = "dmesg"
	reportFile  = "report"
)

// A Report is what came of a Job. Times within the guest are those of its clock, counted from when it started.
type Report struct {
	Boot    time.Duration // until the guest's first program
	Ready   time.Duration // until modules were loaded and the commands began
	Wall    time.Duration // of it all, by the clock of this machine, archives and clean-up included
	Results []Result      // of the commands that came to their end, in their order
}

// A Result is what came of one Command.
type Result struct {
	Status     int // of exit, as a shell sees it: 128 and the signal for one that was killed
	Begin, End time.Duration
}

// Failed returns the first result that is not a success; nil if all are.
func (r Report) Failed() *Result {
	for i := range r.Results {
		if r.Results[i].Status != 0 {
			return &r.Results[i]
		}
	}
	return nil
}

// errCutShort says that a guest stopped on its way.
var errCutShort = errors.New("the guest ended before its commands did")

// readReport reads what init has written. It is whole if the last line says so.
func readReport(dir string, commands int) (r Report, err error) {
	f, err := os.Open(filepath.Join(dir, reportFile))
	if err != nil {
		return r, errCutShort
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if ended, err := r.readLine(lines.Text()); err != nil {
			return r, fmt.Errorf("read the guest's report: %w", err)
		} else if ended && len(r.Results) == commands {
			return r, nil
		}
	}
	return r, errors.Join(errCutShort, lines.Err())
}

func (r *Report) readLine(line string) (ended bool, err error) {
	var begin, end float64
	var number int
	switch word, rest, _ := strings.Cut(line, " "); word {
	case "kernel":
		_, err = fmt.Sscan(rest, &end)
		r.Boot = seconds(end)
	case "ready":
		_, err = fmt.Sscan(rest, &end)
		r.Ready = seconds(end)
	case "command":
		var result Result
		_, err = fmt.Sscan(rest, &number, &result.Status, &begin, &end)
		result.Begin, result.End = seconds(begin), seconds(end)
		r.Results = append(r.Results, result)
	case "end":
		return true, nil
	default:
		err = fmt.Errorf("line %q", line)
	}
	return false, err
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// String says the times on one line.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "kernel %.1fs, ready %.1fs", r.Boot.Seconds(), r.Ready.Seconds())
	for _, c := range r.Results {
		fmt.Fprintf(&b, ", command %.1fs", (c.End - c.Begin).Seconds())
	}
	fmt.Fprintf(&b, " in the guest; %.1fs in all", r.Wall.Seconds())
	return b.String()
}

// How much of the logs is shown when a guest fails: of the console a whole oops, of the kernel's log what happened last.
const (
	consoleTail = 45
	dmesgTail   = 15
)

// explain shows on Stderr the ends of the logs of a guest that failed, and says where they are.
func (r *run) explain() {
	w := r.Stderr
	showTail(w, filepath.Join(r.Out, consoleFile), consoleTail)
	showTail(w, filepath.Join(r.Out, dmesgFile), dmesgTail)
	fmt.Fprintf(w, "guest: kernel %s; its output, logs and files are in %s\n", r.image.release, r.Out)
}

func showTail(w io.Writer, file string, lines int) {
	content, err := os.ReadFile(file)
	if err != nil || len(content) == 0 {
		return
	}
	fmt.Fprintf(w, "guest: the end of %s:\n", filepath.Base(file))
	for line := range strings.Lines(tail(string(content), lines)) {
		fmt.Fprintf(w, "    %s\n", strings.TrimRight(line, "\r\n"))
	}
}

// tail is the last lines of a text.
func tail(text string, lines int) string {
	text = strings.TrimRight(text, "\r\n")
	begin := len(text)
	for range lines {
		at := strings.LastIndexByte(text[:begin], '\n')
		if at < 0 {
			return text
		}
		begin = at
	}
	return text[begin+1:]
}

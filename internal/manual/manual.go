// Package manual makes the manual pages and the reference of the configuration from what the programs say of themselves: from
// their command lines, and from the example of a configuration, which a test holds against the code. Nothing is told twice.
package manual

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Date is that of the pages, as mdoc(7) wants it.
const Date = "November 26, 2026"

// A Page is what a program's manual page has beside what its command line says.
type Page struct {
	Section int
	Files   []File   // path and what it is
	SeeAlso []string // "mkad 8"
}

// A File is one that a program uses.
type File struct{ Path, What string }

// Documents are where a package has what the pages call docs.
var Documents = File{"/usr/share/doc/mkad/docs", "The documents that are called docs here."}

// Of is the manual page of a program, in mdoc(7).
func Of(root *cobra.Command, p Page) []byte {
	var m mdoc
	m.head(root.Name(), p.Section, root.Short)
	m.macro("Sh", "SYNOPSIS")
	commands := shown(root)
	if len(commands) == 0 {
		m.macro("Nm")
		m.optionsOf(root.LocalFlags())
	}
	for _, c := range commands {
		m.macro("Nm", root.Name())
		m.macro("Cm", append(strings.Fields(c.Use), "Op Ar options")...)
	}
	m.macro("Sh", "DESCRIPTION")
	m.prose(root.Long)
	m.flags(root.LocalFlags())
	for _, c := range commands {
		m.macro("Ss", root.Name()+" "+strings.ReplaceAll(c.Use, "...", " ..."))
		m.prose(c.Long, c.Short+".")
		m.flags(c.LocalNonPersistentFlags())
		if c.Example != "" {
			m.line("For instance:")
			m.literal(strings.Split(strings.TrimRight(c.Example, "\n"), "\n"))
		}
	}
	m.files(p.Files)
	m.seeAlso(p.SeeAlso)
	return []byte(m.String())
}

// shown are the commands of a program in the order of the alphabet, without those that the library adds.
func shown(root *cobra.Command) (commands []*cobra.Command) {
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" && c.Name() != "completion" {
			commands = append(commands, c)
		}
	}
	return commands
}

// mdoc is a page that is being written.
type mdoc struct{ strings.Builder }

func (m *mdoc) head(name string, section int, what string) {
	m.put(".Dd " + Date)
	m.put(fmt.Sprintf(".Dt %s %d", strings.ToUpper(name), section))
	m.put(".Os")
	m.macro("Sh", "NAME")
	m.macro("Nm", name)
	m.macro("Nd", lower(strings.TrimSuffix(what, ".")))
}

// lower makes a sentence go on another, unless it begins with a name in capitals.
func lower(s string) string {
	if len(s) > 1 && s[1] >= 'a' && s[1] <= 'z' {
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}

func (m *mdoc) put(s string) { m.WriteString(s + "\n") }

// macro writes a macro line. Words that are names of macros are callable, as Ar and Op in an argument.
func (m *mdoc) macro(name string, args ...string) {
	line := "." + name
	for _, a := range args {
		line += " " + escape(a)
	}
	m.put(line)
}

// line writes text as it stands.
func (m *mdoc) line(text string) {
	text = escape(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	m.put(text)
}

func escape(s string) string { return strings.ReplaceAll(s, `\`, `\e`) }

// prose writes the first text that is not empty: paragraphs, and lines that are indented as they stand. Each sentence has a
// line of its own, as mdoc wants it.
func (m *mdoc) prose(texts ...string) {
	i := slices.IndexFunc(texts, func(s string) bool { return s != "" })
	if i < 0 {
		return
	}
	for at, paragraph := range strings.Split(texts[i], "\n\n") {
		if at > 0 && !strings.HasPrefix(paragraph, "  ") { // a display has a space before it
			m.macro("Pp")
		}
		m.paragraph(strings.Split(paragraph, "\n"))
	}
}

func (m *mdoc) paragraph(lines []string) {
	var words []string
	for i, l := range lines {
		if strings.HasPrefix(l, "  ") {
			m.sentences(words)
			m.literal(lines[i:])
			return
		}
		words = append(words, strings.Fields(l)...)
	}
	m.sentences(words)
}

// sentences writes words, a sentence a line, and long ones in several.
func (m *mdoc) sentences(words []string) {
	line := ""
	for _, w := range words {
		if line != "" && len(line)+len(w) > 78 {
			m.line(line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+w, " ")
		if strings.HasSuffix(w, ".") && !strings.HasSuffix(w, "...") {
			m.line(line)
			line = ""
		}
	}
	if line != "" {
		m.line(line)
	}
}

func (m *mdoc) literal(lines []string) {
	m.macro("Bd", "-literal", "-offset", "indent")
	for _, l := range lines {
		m.line(strings.TrimPrefix(l, "  "))
	}
	m.macro("Ed")
}

func (m *mdoc) optionsOf(flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" && f.Name != "version" {
			m.macro("Op", append([]string{"Fl -" + f.Name}, argument(f)...)...)
		}
	})
}

func argument(f *pflag.Flag) []string {
	if f.Value.Type() == "bool" {
		return nil
	}
	name, _ := pflag.UnquoteUsage(f)
	return []string{"Ar " + name}
}

func (m *mdoc) flags(flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	m.macro("Bl", "-tag", "-width", "Ds")
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" {
			return
		}
		item := "Fl -" + f.Name
		if f.Shorthand != "" {
			item = "Fl " + f.Shorthand + " , Fl -" + f.Name
		}
		m.macro("It", append([]string{item}, argument(f)...)...)
		_, usage := pflag.UnquoteUsage(f)
		if f.DefValue != "" && f.Value.Type() != "bool" {
			usage += " (default " + f.DefValue + ")"
		}
		m.sentences(strings.Fields(strings.ToUpper(usage[:1]) + usage[1:] + "."))
	})
	m.macro("El")
}

func (m *mdoc) files(files []File) {
	if len(files) == 0 {
		return
	}
	m.macro("Sh", "FILES")
	m.macro("Bl", "-tag", "-width", "Ds")
	for _, f := range files {
		m.macro("It", "Pa", f.Path)
		m.sentences(strings.Fields(f.What))
	}
	m.macro("El")
}

func (m *mdoc) seeAlso(pages []string) {
	m.macro("Sh", "SEE ALSO")
	for i, p := range pages {
		if i < len(pages)-1 {
			p += " ,"
		}
		m.macro("Xr", p)
	}
}

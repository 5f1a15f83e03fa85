package manual

import (
	"fmt"
	"slices"
	"strings"
)

// A Table is one table of a configuration, as its example tells of it.
type Table struct {
	Name    string // as it is written, with its brackets
	Text    []string
	Entries []Entry
}

// An Entry is a key of a Table, or some that are explained together.
type Entry struct {
	Keys []Key
	Text []string // paragraphs
}

// A Key is one with its default, or with an example where it has none.
type Key struct {
	Name    string
	Value   string
	Default bool // Value is what holds when the key is not written
}

// Reference reads an example of a configuration that explains itself: what stands above a table or a key, in lines that
// begin with "# ", is said of it; "#key = value" is a default, "##key = value" and "key = value" are examples.
func Reference(example string) (tables []Table) {
	var text []string
	said := false // text belongs to a key that has been read
	for line := range strings.Lines(example) {
		line = strings.TrimRight(line, "\n")
		key, value, isPair := strings.Cut(strings.TrimLeft(line, "#"), " = ")
		switch {
		case strings.HasPrefix(line, "["):
			tables = append(tables, Table{Name: line, Text: text})
			text, said = nil, false
		case line == "#" || strings.HasPrefix(line, "# "):
			if said {
				text, said = nil, false
			}
			text = append(text, strings.TrimPrefix(strings.TrimPrefix(line, "#"), " "))
		case line == "":
			if len(tables) == 0 {
				text = nil // how the file is to be read
			}
		case isPair && !strings.Contains(key, " ") && len(tables) > 0:
			t := &tables[len(tables)-1]
			k := Key{key, value, strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "##")}
			if said {
				last := &t.Entries[len(t.Entries)-1]
				last.Keys = append(last.Keys, k)
				continue
			}
			t.Entries = append(t.Entries, Entry{Keys: []Key{k}, Text: text})
			said = true
		}
	}
	return tables
}

// ConfigPage is mkad.toml(5), from the example of a configuration.
func ConfigPage(example string) []byte {
	var m mdoc
	m.head("mkad.toml", 5, "configuration of mkad, and its CAK files")
	m.macro("Sh", "DESCRIPTION")
	m.sentences(strings.Fields(configIntroduction))
	for _, t := range Reference(example) {
		m.macro("Sh", "THE TABLE "+strings.ToUpper(strings.Trim(t.Name, "[]")))
		m.sentences(strings.Fields(strings.Join(t.Text, " ")))
		m.macro("Bl", "-tag", "-width", "Ds")
		for _, e := range t.Entries {
			for _, k := range e.Keys {
				m.macro("It", "Ic", k.Name)
				m.line(k.kind() + ":")
				m.literal([]string{k.Name + " = " + k.Value})
			}
			for _, p := range passages(e.Text) {
				if p.literal {
					m.literal(p.lines)
				} else {
					m.sentences(strings.Fields(strings.Join(p.lines, " ")))
				}
			}
		}
		m.macro("El")
	}
	m.macro("Sh", "CAK FILES")
	m.prose(cakFiles)
	m.literal(strings.Split(cakFile, "\n"))
	m.files([]File{{"/etc/mkad/mkad.toml", "The configuration."},
		{"/etc/mkad/keys", "The CAK files, mode 0600, of the user mkad or of root."}, Documents})
	m.seeAlso([]string{"mkactl 8", "mkad 8"})
	return []byte(m.String())
}

// ConfigDocument is docs/config.md, from the example of a configuration.
func ConfigDocument(example string) []byte {
	var b strings.Builder
	b.WriteString("# Configuration\n\n<!-- made from packaging/mkad.toml.example: go test ./internal/manual -update -->\n\n")
	b.WriteString(wrapped(configIntroduction) + "\nWhich test proves each: [options.md](options.md).\n")
	for _, t := range Reference(example) {
		fmt.Fprintf(&b, "\n## `%s`\n", t.Name)
		if len(t.Text) > 0 {
			b.WriteString("\n" + wrapped(strings.Join(t.Text, " ")))
		}
		for _, e := range t.Entries {
			var names, values []string
			for _, k := range e.Keys {
				names = append(names, "`"+k.Name+"`")
				values = append(values, fmt.Sprintf("%s: `%s = %s`", k.kind(), k.Name, k.Value))
			}
			fmt.Fprintf(&b, "\n### %s\n%s\n", strings.Join(names, ", "), strings.Join(values, ", "))
			for _, p := range passages(e.Text) {
				if p.literal {
					fmt.Fprintf(&b, "\n```toml\n%s\n```\n", strings.Join(p.lines, "\n"))
				} else {
					b.WriteString("\n" + wrapped(strings.Join(p.lines, " ")))
				}
			}
		}
	}
	fmt.Fprintf(&b, "\n## CAK files\n\n%s\n```toml\n%s\n```\n", wrapped(cakFiles), cakFile)
	return []byte(b.String())
}

// A passage is lines of a text that are set alike.
type passage struct {
	lines   []string
	literal bool // as they stand
}

// passages divides a text into prose and lines that are indented by four, which it takes away.
func passages(text []string) (all []passage) {
	for _, line := range text {
		line, literal := strings.CutPrefix(line, "    ")
		if n := len(all); n == 0 || all[n-1].literal != literal {
			all = append(all, passage{literal: literal})
		}
		last := &all[len(all)-1]
		last.lines = append(last.lines, line)
	}
	return all
}

// Names lists the keys of a table, which is named with its brackets.
func Names(tables []Table, name string) (keys []string) {
	for _, t := range tables {
		for _, e := range t.Entries {
			for _, k := range e.Keys {
				if t.Name == name {
					keys = append(keys, k.Name)
				}
			}
		}
	}
	slices.Sort(keys)
	return keys
}

func (k Key) kind() string {
	if k.Default {
		return "Default"
	}
	return "Example"
}

// wrapped sets a text in lines of at most 120 characters.
func wrapped(text string) string {
	var b strings.Builder
	column := 0
	for _, w := range strings.Fields(text) {
		if column > 0 && column+1+len(w) > 120 {
			b.WriteString("\n")
			column = 0
		} else if column > 0 {
			b.WriteString(" ")
			column++
		}
		b.WriteString(w)
		column += len(w)
	}
	return b.String() + "\n"
}

const configIntroduction = `The configuration is TOML: one table [daemon], and one [[port]] for each link. An unknown key, a wrong
type or a value out of range is an error, told with file, line and what to write instead, and nothing is started or changed.
"mkad --check" looks without starting anything, also at the CAK files and the host, and "mkad --check --diff" says what a
reload would touch. A reload ("mkactl reload", SIGHUP) leaves ports that are configured as before alone. What is another
device, or another filter, begins anew and cuts the port's traffic until its peers have agreed again: controlled, backend,
cipher_suites, confidentiality, policy, uncontrolled, on_unsecured, port_id and eapol_ethertype. All else a port takes while
its traffic goes on, unless it makes another member key server (key_server_priority, allow_priority_255): that cuts until the
new one's SAK is in use, and "--diff" says so. What one side alone changes may also keep the two from hearing each other
(eapol_destination, eapol_accept, a life_time shorter than the peer's hellos): that cuts both when the life time is over, and
"--diff", which knows one side, does not say so. A port that is removed leaves its lower device closed, under on_exit =
"keep": "mkactl unlock" opens it.`

const cakFiles = `A CAK file holds the keys of a port: one [[key]] or several. It must be a regular file, belong to root or to
the user mkad, and give nobody else any permission. "mkactl keygen" makes one.`

const cakFile = `[[key]]
ckn = "0001"                  # 1 to 32 octets, in hexadecimal digits: the same on all members
cak = "..."                   # 16 or 32 octets, 32 or 64 hexadecimal digits
start = 2026-12-01T00:00:00Z  # used from then on; without it, always
end = 2027-03-01T00:00:00Z    # and until then; without it, for ever
role = "primary"              # or "fallback": used while no peer holds a primary one`

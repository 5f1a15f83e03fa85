package config

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
)

// find follows a path such as port.1.bypass.0 through places that must all exist.
func find(t *testing.T, root *place, path string) int {
	t.Helper()
	p := root
	for _, part := range strings.Split(path, ".") {
		inner, ok := p.keys[part]
		if i, err := strconv.Atoi(part); err == nil && !ok && i < len(p.items) {
			inner, ok = p.items[i], true
		}
		if !ok {
			t.Fatalf("%s: there is no %s", path, part)
		}
		p = inner
	}
	return p.line
}

func TestLinesAreFound(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       map[string]int
	}{
		{"plain", "a = 1\nb = 2\n", map[string]int{"a": 1, "b": 2}},
		{"blank lines and comments", "\n# a = 0\n\n  a = 1 # b = 2\n\tb = 2", map[string]int{"a": 4, "b": 5}},
		{"CR LF", "a = 1\r\n\r\nb = 2\r\n", map[string]int{"a": 1, "b": 3}},
		{"table", "[t]\na = 1\n\n[u]\na = 2\n", map[string]int{"t": 1, "t.a": 2, "u": 4, "u.a": 5}},
		{"table with spaces and comment", "\n[ t . u ] # [v]\na = 1\n", map[string]int{"t.u": 2, "t.u.a": 3}},
		{"table inside a table that comes later", "[t.u]\na = 1\n[t]\nb = 2\n",
			map[string]int{"t": 1, "t.u.a": 2, "t.b": 4}},
		{"array of tables", "[[p]]\na = 1\n[[p]]\na = 2\n[[ p ]]\n",
			map[string]int{"p": 1, "p.0": 1, "p.0.a": 2, "p.1": 3, "p.1.a": 4, "p.2": 5}},
		{"table inside an array of tables", "[[p]]\n[p.t]\na = 1\n[[p]]\n[p.t]\na = 2\n",
			map[string]int{"p.0.t": 2, "p.0.t.a": 3, "p.1.t": 5, "p.1.t.a": 6}},
		{"array of tables inside one", "[[p]]\n[[p.q]]\na = 1\n[[p.q]]\na = 2\n[[p]]\n[[p.q]]\na = 3\n",
			map[string]int{"p.0.q.0.a": 3, "p.0.q.1.a": 5, "p.1.q.0.a": 8}},
		{"dotted names", "a.b = 1\na . c = 2\na.\"d\".e = 3\n", map[string]int{"a": 1, "a.b": 1, "a.c": 2, "a.d.e": 3}},
		{"dotted names below a header", "[[p]]\nt.a = 1\n[[p]]\nt.a = 2\n", map[string]int{"p.0.t.a": 2, "p.1.t.a": 4}},
		{"quoted names", "\"a b\" = 1\n'c#d' = 2\n\"e=f\" = 3\n[\"g]h\"]\ni = 4\n",
			map[string]int{"a b": 1, "c#d": 2, "e=f": 3, "g]h": 4, "g]h.i": 5}},
		{"escapes in names", "\"\\u0061\\\"\" = 1\n'\\u0062' = 2\n", map[string]int{`a"`: 1, `\u0062`: 2}},
		{"names that look like numbers", "1 = 1\n2-3 = 2\n", map[string]int{"1": 1, "2-3": 2}},
		{"strings that look like something else", "a = \"[t] # \\\" = {\"\nb = '] } # \\'\nc = 3\n",
			map[string]int{"a": 1, "b": 2, "c": 3}},
		{"multi-line string", "a = \"\"\"\nb = 0\n[t]\n\"\"\"\nc = 1\n", map[string]int{"a": 1, "c": 5}},
		{"multi-line literal string", "a = '''\nb = 0 \\'''\nc = 1\n", map[string]int{"a": 1, "c": 3}},
		{"multi-line string with quotes in it", "a = \"\"\"x\"\" \\\"\"\"\n\"\"\"\nc = 1\n", map[string]int{"a": 1, "c": 3}},
		{"multi-line string that ends in quotes", "a = \"\"\"x\"\"\"\"\"\nb = '''x''''\nc = 1\n",
			map[string]int{"a": 1, "b": 2, "c": 3}},
		{"multi-line strings in an array that end in quotes", "a = ['''x''''',\n'''y'''',\n'z']\n",
			map[string]int{"a.0": 1, "a.1": 2, "a.2": 3}},
		{"empty strings", "a = \"\"\nb = ''\nc = \"\"\"\"\"\"\nd = ''''''\ne = 1\n",
			map[string]int{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}},
		{"array", "a = [1, 2]\nb = 3\n", map[string]int{"a": 1, "a.0": 1, "a.1": 1, "b": 2}},
		{"array over lines", "a = [ # [\n\n\t'x', # ,\n\t\"y\"\n\t,\n\t'z',\n]\nb = 1\n",
			map[string]int{"a": 1, "a.0": 3, "a.1": 4, "a.2": 6, "b": 8}},
		{"array of arrays", "a = [[1,\n2],\n[3]]\nb = 1\n",
			map[string]int{"a.0": 1, "a.0.1": 2, "a.1.0": 3, "b": 4}},
		{"inline table", "a = { b = 1, c.d = '}', e = [1] }\nf = 1\n",
			map[string]int{"a": 1, "a.b": 1, "a.c.d": 1, "a.e.0": 1, "f": 2}},
		{"inline table over lines", "a = {\n\tb = 1, # }\n\tc = 2,\n}\nd = 1\n", map[string]int{"a.b": 2, "a.c": 3, "d": 5}},
		{"array of inline tables", "p = [\n\t{ a = 1 },\n\t{ a = 2,\n\t  b = 3 },\n]\n",
			map[string]int{"p.0.a": 2, "p.1": 3, "p.1.a": 3, "p.1.b": 4}},
		{"dates, numbers, booleans", "a = 1979-05-27 07:32:00Z\nb = 07:32:00\nc = -1_0.5e+3\nd = inf\ne = true\n",
			map[string]int{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var values map[string]any
			if err := toml.Unmarshal([]byte(test.text), &values); err != nil {
				t.Fatalf("the text is not TOML: %v", err)
			}
			root, limit, ok := locate([]byte(test.text))
			if !ok {
				t.Fatalf("refused: %v", limit)
			}
			for path, want := range test.want {
				if got := find(t, root, path); got != want {
					t.Errorf("%s: got line %d, want %d", path, got, want)
				}
			}
		})
	}
}

// Each of these takes the TOML library gigabytes, minutes or its stack when it is given them.
func TestTextsThatWouldExhaustTheMachineAreRefusedAtOnce(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"arrays", "\na = " + strings.Repeat("[", 500_000),
			"f:2: a value is nested in more than 8 others; write it plainly"},
		{"inline tables", "a = " + strings.Repeat("{a=", 300_000),
			"f:1: a value is nested in more than 8 others; write it plainly"},
		{"dotted name", strings.Repeat("a.", 500_000) + "a = 1", "f:1: a name has more than 8 parts; write a plain name"},
		{"dotted header", "[" + strings.Repeat("a.", 500_000) + "a]",
			"f:1: a name has more than 8 parts; write a plain name"},
		{"long name", strings.Repeat("a", 1_000_000) + " = 1", "f:1: a name is longer than 64 octets; write a shorter name"},
		{"long header", "[" + strings.Repeat("a", 500_000) + "]\n" + strings.Repeat("b=1\n", 100_000),
			"f:1: a name is longer than 64 octets; write a shorter name"},
		{"tables", strings.Repeat("[[port]]\n", 100_000),
			"f:16383: the file has more than 16384 keys and values; write a shorter file"},
		{"elements", "a = [" + strings.Repeat("1,", 500_000) + "]",
			"f:1: the file has more than 16384 keys and values; write a shorter file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			start := time.Now()
			_, problems := parse("f", []byte(test.text))
			if len(problems) != 1 || problems[0].String() != test.want {
				t.Errorf("got %v", problems)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestLargestConfigurationIsWithinTheBounds(t *testing.T) {
	all := "keys = 'k'\nbackend = 'auto'\ncipher_suites = ['GCM-AES-XPN-256', 'GCM-AES-XPN-128', 'GCM-AES-256', " +
		"'GCM-AES-128']\nconfidentiality = 'offset-0'\npolicy = 'must-secure'\nuncontrolled = 'closed'\n" +
		"bypass = ['lldp', 'stp', 'lacp']\non_unsecured = 'down'\nkey_server_priority = 16\nport_id = 1\n" +
		"send_sci = true\nreplay_protect = true\nreplay_window = 128\nsak_lifetime = '0s'\ndelay_protect = false\n" +
		"eapol_destination = '01:80:c2:00:00:03'\non_exit = 'keep'\n"
	mustParse(t, strings.ReplaceAll(ports(MaxPorts), "[[port]]\n", "[[port]]\n"+all))
}

package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"mkad/mka"
	"mkad/secy"
)

// A Script is a world: who is on the LAN, and what happens to it. The same script gives the same octets.
//
// As text it has one item a line. A fault begins at its time and undoes itself when its duration has passed, so that any
// line may be taken out:
//
//	seed 17
//	length 40s
//	hold 10s
//	member a sci=2 priority=16 keys=1p,2f suites=GCM-AES-XPN-256,GCM-AES-128 offset=0 policy=must-secure mtu=1500
//	fault 1.25s loss - 3s 0.4
//	fault 2s cut ab 5s 0
//	calm 1s rekey a 0s 0
//
// A line that begins with calm is a fault, or an order, that comes when the group has healed, by the time since: the
// group must stay one through it.
type Script struct {
	Seed    uint64
	Length  time.Duration // of the time of faults; healing comes after
	Hold    time.Duration // for which the group must then stay one, without a fault and then through Calm
	Members []Spec
	Faults  []Fault
	Calm    []Fault // what a healed group must bear
}

// A Spec is how a member is configured.
type Spec struct {
	Name         string // one letter
	SCI          int
	Priority     uint8
	Keys         []Key
	Suites       []secy.CipherSuite
	Offset       secy.ConfidentialityOffset
	Policy       mka.Policy
	DelayProtect bool
	Lifetime     time.Duration
	MTU          int
	PPM          int64         // how much too fast its clock runs, in parts in a million
	Report       time.Duration // how long its SecY's reports take
}

// A Key is a CAK of a member: the n-th of the world, in a role.
type Key struct {
	N    int
	Role mka.Role
}

// A Fault is something that happens to the world for a while.
type Fault struct {
	At   time.Duration
	Kind string
	Who  string // names of members; "-": nobody
	For  time.Duration
	X    float64 // what it means depends on the kind
}

// String is the fault's line without its first word.
func (f Fault) String() string {
	return fmt.Sprintf("%v %s %s %v %s", f.At, f.Kind, f.Who, f.For, strconv.FormatFloat(f.X, 'g', -1, 64))
}

// String is the member's line.
func (s Spec) String() string {
	var keys, suites []string
	for _, k := range s.Keys {
		keys = append(keys, fmt.Sprintf("%d%s", k.N, k.Role.String()[:1]))
	}
	for _, c := range s.Suites {
		suites = append(suites, c.String())
	}
	return fmt.Sprintf("member %s sci=%d priority=%d keys=%s suites=%s offset=%d policy=%s delay-protect=%t lifetime=%v mtu=%d "+
		"ppm=%d report=%v", s.Name, s.SCI, s.Priority, strings.Join(keys, ","), strings.Join(suites, ","), s.Offset, s.Policy,
		s.DelayProtect, s.Lifetime, s.MTU, s.PPM, s.Report)
}

// String is the script's text.
func (s Script) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d\nlength %v\nhold %v\n", s.Seed, s.Length, s.Hold)
	for _, m := range s.Members {
		fmt.Fprintln(&b, m)
	}
	for _, f := range s.Faults {
		fmt.Fprintln(&b, "fault", f)
	}
	for _, f := range s.Calm {
		fmt.Fprintln(&b, "calm", f)
	}
	return b.String()
}

// Parse reads a script's text.
func Parse(r io.Reader) (s Script, err error) {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := s.parse(strings.Fields(line)); err != nil {
			return s, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return s, lines.Err()
}

func (s *Script) parse(words []string) (err error) {
	switch {
	case len(words) == 2 && words[0] == "seed":
		s.Seed, err = strconv.ParseUint(words[1], 10, 64)
	case len(words) == 2 && words[0] == "length":
		s.Length, err = time.ParseDuration(words[1])
	case len(words) == 2 && words[0] == "hold":
		s.Hold, err = time.ParseDuration(words[1])
	case len(words) > 2 && words[0] == "member":
		var m Spec
		m, err = parseMember(words[1], words[2:])
		s.Members = append(s.Members, m)
	case len(words) == 6 && (words[0] == "fault" || words[0] == "calm"):
		list := map[string]*[]Fault{"fault": &s.Faults, "calm": &s.Calm}[words[0]]
		var f Fault
		f, err = parseFault(words[1:])
		*list = append(*list, f)
	default:
		err = fmt.Errorf("%q is none of seed N, length D, hold D, member NAME KEY=VALUE..., fault or calm AT KIND WHO FOR X", strings.Join(words, " "))
	}
	return err
}

func parseFault(words []string) (f Fault, err error) {
	f.Kind, f.Who = words[1], words[2]
	if _, known := kinds[f.Kind]; !known {
		return f, fmt.Errorf("no fault is called %q", f.Kind)
	}
	if f.At, err = time.ParseDuration(words[0]); err != nil {
		return f, err
	}
	if f.For, err = time.ParseDuration(words[3]); err != nil {
		return f, err
	}
	f.X, err = strconv.ParseFloat(words[4], 64)
	return f, err
}

func parseMember(name string, words []string) (m Spec, err error) {
	m.Name = name
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		if err := m.set(key, value); err != nil {
			return m, fmt.Errorf("%s: %w", w, err)
		}
	}
	if len(name) != 1 || m.SCI == 0 || len(m.Keys) == 0 || len(m.Suites) == 0 {
		return m, fmt.Errorf("member %s needs a name of one letter, sci, keys and suites", name)
	}
	return m, nil
}

func (s *Spec) set(key, value string) (err error) {
	number := func(bits int) (n int64) {
		n, err = strconv.ParseInt(value, 10, bits)
		return n
	}
	switch key {
	case "sci":
		s.SCI = int(number(16))
	case "priority":
		s.Priority = uint8(number(16))
	case "offset":
		s.Offset = secy.ConfidentialityOffset(number(8))
	case "mtu":
		s.MTU = int(number(32))
	case "ppm":
		s.PPM = number(32)
	case "delay-protect":
		s.DelayProtect, err = strconv.ParseBool(value)
	case "lifetime":
		s.Lifetime, err = time.ParseDuration(value)
	case "report":
		s.Report, err = time.ParseDuration(value)
	case "policy":
		s.Policy, err = parsePolicy(value)
	case "keys":
		s.Keys, err = parseKeys(value)
	case "suites":
		s.Suites, err = parseSuites(value)
	default:
		err = fmt.Errorf("no such key")
	}
	return err
}

func parsePolicy(text string) (mka.Policy, error) {
	for _, p := range [...]mka.Policy{mka.MustSecure, mka.ShouldSecure} {
		if p.String() == text {
			return p, nil
		}
	}
	return 0, fmt.Errorf("neither must-secure nor should-secure")
}

func parseKeys(text string) (keys []Key, err error) {
	for _, word := range strings.Split(text, ",") {
		var k Key
		var role string
		if _, err := fmt.Sscanf(word, "%d%1s", &k.N, &role); err != nil || k.N < 1 || k.N > 9 {
			return nil, fmt.Errorf("a key is a number from 1 to 9 and p or f")
		}
		if role == "f" {
			k.Role = mka.Fallback
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func parseSuites(text string) (suites []secy.CipherSuite, err error) {
	for _, word := range strings.Split(text, ",") {
		i := slices.IndexFunc(secy.CipherSuites[:], func(c secy.CipherSuite) bool { return c.String() == word })
		if i < 0 {
			return nil, fmt.Errorf("no cipher suite is called %q", word)
		}
		suites = append(suites, secy.CipherSuites[i])
	}
	return suites, nil
}

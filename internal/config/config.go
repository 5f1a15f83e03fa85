package config

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"mkad/eapol"
	"mkad/mka"
	"mkad/secy"
)

const (
	// maxConfigSize bounds a configuration, in octets: 256 ports with every key and a comment on each need a third.
	maxConfigSize = 1 << 20
	// MaxPorts bounds Config.Ports: more interfaces than this in one host are a mistake of whoever wrote the file.
	MaxPorts = 256
)

// A Config is a valid configuration with all defaults filled in. It is not written to after Load.
type Config struct {
	Daemon Daemon
	Ports  []Port // at least one, at most MaxPorts, in the order of the file

	file  string
	ports []*place // of Ports
}

// Daemon is the [daemon] table: what all ports share.
type Daemon struct {
	Control   string     // absolute path of the control socket
	State     string     // absolute path of the state directory
	Metrics   string     // host:port to serve metrics on; "" for no listener
	LogLevel  slog.Level // least level that is logged
	LogFormat LogFormat
	Ready     Ready // when the service manager is told that mkad is ready
}

// A Port is a [[port]] table: one link that mkad secures. It is plain data.
type Port struct {
	Interface         string             // the lower device, the Common Port
	Controlled        string             // the device that is the Controlled Port
	Keys              string             // path of the CAK file; a relative one starts at the configuration's directory
	Backend           string             // one of Backends
	CipherSuites      []secy.CipherSuite // what to use, best first; at least one, none twice (802.1AE-2018 Table 14-1)
	Confidentiality   secy.ConfidentialityOffset
	Policy            Policy
	Uncontrolled      Access
	Bypass            []string // some of BypassProtocols, none twice
	OnUnsecured       OperState
	KeyServerPriority uint8         // lower wins, 255 is never key server (802.1X-2020 9.5)
	PortID            uint16        // low half of the SCI, from 1 (802.1AE-2018 7.1.2)
	SendSCI           bool          // explicit SCI in every SecTAG (802.1AE-2018 10.7.17)
	ReplayProtect     bool          // drop late frames (802.1AE-2018 10.7.8)
	ReplayWindow      uint32        // frames; 0 is strict order; at most MaxXPNReplayWindow when an XPN suite is listed
	SAKLifetime       time.Duration // a new SAK after so long; 0: only when numbers run out or members change
	DelayProtect      bool          // let MKA bound the delay of frames, with hellos every 0.5 s
	EAPOLDestination  eapol.MAC     // of MKPDUs, not zero; one that is no group address is the only peer's own
	EAPOLAccept       EAPOLAccept
	EAPOLEtherType    uint16        // from 0x0600, of no other protocol that is known to matter
	MKAVersion        uint8         // 1 to 3; 0: the highest that the peers answer
	ICVIndicator      bool          // an ICV Indicator in every MKPDU (802.1X-2020 11.11.3)
	HelloTime         time.Duration // between MKPDUs (802.1X-2020 Table 9-3)
	LifeTime          time.Duration // of a peer that is not heard (802.1X-2020 Table 9-3); more than HelloTime
	InServiceSlot     Slot
	AllowPriority255  bool // 255 is the last choice for key server, not none
	OnExit            OnExit
}

// Name is what the port is called in status, logs and control requests: its interface.
func (p Port) Name() string { return p.Interface }

// Equal reports whether both ports are configured alike.
func (p Port) Equal(q Port) bool { return reflect.DeepEqual(p, q) }

// A LogFormat is how log records are written.
type LogFormat string

// The log formats.
const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// Ready says when mkad is ready, as a service manager and what waits for it see it.
type Ready string

// When that may be.
const (
	ReadyListening Ready = "listening" // the control socket answers, and every lower device is closed that is to be
	ReadySecured   Ready = "secured"   // and every port has been secured
)

// Backends are the names of the SecYs among which a port may choose; "auto" leaves the choice to mkad.
var Backends = [...]string{"auto", "offload-mac", "offload-phy", "kernel", "userspace"}

// BypassProtocols are the names of the protocols whose frames can be let through a closed lower device.
var BypassProtocols = [...]string{"lldp", "stp", "lacp"}

// A Policy says what a Controlled Port carries while no peer is secured (connect of 802.1X-2020 Figure 12-2).
type Policy string

// The policies.
const (
	MustSecure   Policy = "must-secure"   // no frame in clear but EAPOL and bypass
	ShouldSecure Policy = "should-secure" // clear until a peer is secured
)

// An Access says whether the host itself may use the lower device in clear.
type Access string

// The kinds of access. Closed holds under both policies; under should-secure it means that the plain frames of the
// lower device are those of the Controlled Port alone, and the host's own stack on the lower device sees none of them.
const (
	Closed Access = "closed"
	Open   Access = "open"
)

// An OperState is the operational state of a Controlled Port that carries no traffic.
type OperState string

// The operational states, as in RFC 2863.
const (
	Dormant OperState = "dormant"
	Down    OperState = "down"
)

// An EAPOLAccept says to which destinations EAPOL frames are accepted.
type EAPOLAccept string

// What is accepted. An individual EAPOLDestination is the peer's: what it sends goes to our own address, or to a group.
const (
	AcceptDestination EAPOLAccept = "destination" // EAPOLDestination; if it is individual, our own address
	AcceptStandard    EAPOLAccept = "standard"    // these and the three group addresses of 802.1X-2020 Table 11-1
)

// A Slot is the half of MACsec SAK Use in which the key in service is reported (802.1X-2020 9.10.1).
type Slot string

// The halves.
const (
	LatestSlot Slot = "latest" // where some receivers look only
	OldSlot    Slot = "old"    // as CP has it from the retirement of the key before on
)

// OnExit says what becomes of the SecY when mkad ends.
type OnExit string

// What may become of it.
const (
	Keep   OnExit = "keep"   // it goes on while mkad restarts
	Remove OnExit = "remove" // it is taken down, and the lower device opened
)

// defaultDaemon is [daemon] with nothing written.
func defaultDaemon() Daemon {
	return Daemon{
		Control:   "/run/mkad/control.sock",
		State:     "/run/mkad/state",
		LogLevel:  slog.LevelInfo,
		LogFormat: LogText,
		Ready:     ReadyListening,
	}
}

// defaultPort is [[port]] with nothing written; Interface and, once that is known, Keys are for the reader to set.
func defaultPort() Port {
	return Port{
		Controlled:        "macsec0",
		Backend:           "auto",
		CipherSuites:      []secy.CipherSuite{secy.GCMAESXPN256, secy.GCMAESXPN128, secy.GCMAES256, secy.GCMAES128},
		Confidentiality:   secy.Offset0,
		Policy:            MustSecure,
		Uncontrolled:      Closed,
		OnUnsecured:       Dormant,
		KeyServerPriority: 16,
		PortID:            1,
		SendSCI:           true,
		ReplayProtect:     true,
		ReplayWindow:      128,
		EAPOLDestination:  eapol.PAEGroup,
		EAPOLAccept:       AcceptDestination,
		EAPOLEtherType:    eapol.EtherType,
		HelloTime:         mka.HelloTime,
		LifeTime:          mka.LifeTime,
		InServiceSlot:     LatestSlot,
		OnExit:            Keep,
	}
}

// defaultKeys is the CAK file of a port that names none.
func defaultKeys(iface string) string { return filepath.Join("/etc/mkad/keys", iface+".toml") }

// Load reads a configuration. All problems are returned, in the order of the file; the Config is nil when there is an
// error among them. The CAK files that it names are not looked at.
func Load(path string) (*Config, Problems) {
	data, problems := configRule.readFile(path)
	if problems != nil {
		return nil, problems
	}
	return parse(path, data)
}

// configRule admits every regular file that not everybody may write: a configuration is no secret, but root acts by it.
var configRule = fileRule{
	max: maxConfigSize,
	check: func(info fs.FileInfo) (what, remedy string) {
		if info.Mode()&0o002 != 0 {
			return "can be written by everybody", "chmod o-w"
		}
		return "", ""
	},
	make: func(string) string {
		return "write one, with a [[port]] and its interface, or name another with --config"
	},
}

// parse is Load for octets that have been read from file.
func parse(file string, data []byte) (*Config, Problems) {
	root, problems := decode(file, data)
	if problems != nil {
		return nil, problems
	}
	cfg := &Config{file: file}
	root.config(cfg)
	problems = root.problems.sorted()
	if problems.Errors() != nil {
		return nil, problems
	}
	return cfg, problems
}

// decode makes the generic tree of a text, and knows the line of everything in it.
func decode(file string, data []byte) (*table, Problems) {
	if problems := checkText(file, data); problems != nil {
		return nil, problems
	}
	data = trimBOM(data)
	at, limit, ok := locate(data)
	if !ok {
		limit.File = file
		return nil, Problems{limit}
	}
	var values map[string]any
	if err := toml.Unmarshal(data, &values); err != nil {
		return nil, Problems{syntaxProblem(file, data, at, err)}
	}
	return &table{report: &report{file: file}, shape: topShape, values: values, at: at}, nil
}

// syntaxProblem passes on what the TOML library has to say of a text. The library quotes the place that it does not
// understand, up to single digits; where that may be a key, the problem says no more than the line.
func syntaxProblem(file string, data []byte, at *place, err error) Problem {
	p := Problem{File: file, Line: 1, Remedy: "mend this first, the rest was not read"}
	message := err.Error()
	if syntax, ok := errors.AsType[toml.ParseError](err); ok {
		p.Line = max(1, syntax.Position.Line)
		message = strings.TrimSuffix(syntax.Message, ".")
	}
	p.What = "is not TOML: " + shorten(printable(message), maxMessage)
	text := lineOf(data, p.Line)
	if keyLike.Match(text) {
		p.What, p.Remedy = "is not TOML, and looks like a key", "keys belong into a CAK file, in quotes"
	} else if name, lacks := lacksQuotes(text); lacks {
		p.Key, p.What, p.Remedy = fullName(at, name, p.Line), "is not in quotes", `write it in one pair of quotes: "…"`
	}
	return p
}

// bareValue matches a pair whose value begins like none of TOML's but a number, with the name and the value.
var bareValue = regexp.MustCompile(`^[ \t]*([A-Za-z0-9_-]+)[ \t]*=[ \t]*([^"'\[{#\s][^"'#\n]*)`)

// lacksQuotes reports whether a line, which is not TOML, gives a word without quotes to a key that wants a string.
func lacksQuotes(line []byte) (key string, lacks bool) {
	pair := bareValue.FindSubmatch(line)
	if pair == nil || !takesString(string(pair[1])) {
		return "", false
	}
	var v map[string]any
	return string(pair[1]), toml.Unmarshal([]byte("v = "+string(pair[2])), &v) != nil
}

// fullName is a key that stands in a line as problems name it, whose table is not known yet.
func fullName(root *place, key string, line int) string {
	for _, table := range topShape.keys {
		at := root.key(table)
		for _, t := range append([]*place{at}, at.items...) {
			if p, ok := t.keys[key]; ok && p.line == line {
				return table + "." + key
			}
		}
	}
	return key
}

// takesString reports whether the default of a key, of whatever table, is a string.
func takesString(key string) bool {
	return slices.ContainsFunc(slices.Concat(defaultPort().Settings(), defaultDaemon().Settings()),
		func(s Setting) bool { return s.Key == key && strings.HasPrefix(s.Value, `"`) })
}

// lineOf returns a line of a text, counted from 1, or nothing.
func lineOf(data []byte, line int) []byte {
	for text := range bytes.Lines(data) {
		if line--; line == 0 {
			return text
		}
	}
	return nil
}

// PortProblem makes a problem of a port that only shows outside the file, for instance on the host, and gives it the
// line of the key in the configuration. A port or key that the file does not have gives the nearest line.
func (c *Config) PortProblem(iface, key, what, remedy string) Problem {
	p := Problem{File: c.file, Line: 1, Key: portShape.title + "." + key, What: what, Remedy: remedy}
	for i, port := range c.Ports {
		if port.Interface == iface {
			p.Line = c.ports[i].key(key).line
		}
	}
	return p
}
